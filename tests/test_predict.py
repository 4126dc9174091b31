"""Scores depend on the hairpin alone: not on batch size, order or company."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mirsweep.model import ModelError, load_model
from mirsweep.model.checkpoint import save
from mirsweep.model.net import Net, NetConfig
from mirsweep.model.predict import Model
from mirsweep.model.prediction import MAX_POSITIONS, make_buckets
from mirsweep.scanner import fold

N = 60


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("paper-cross")


def random_hairpins(n: int, *, seed: int = 0) -> tuple[list[str], list[str]]:
    """Perfect stems of random sequence around random loops, 1 to 400 nt."""
    rng = np.random.default_rng(seed)
    sequences, structures = [], []
    for length in rng.integers(1, 401, n):
        stem = int(rng.integers(0, max((length - 3) // 2, 0) + 1))
        sequences.append("".join(rng.choice(list("ACGU"), length)))
        structures.append("(" * stem + "." * (length - 2 * stem) + ")" * stem)
    return sequences, structures


@pytest.fixture(scope="module")
def batch():
    return random_hairpins(N)


@pytest.fixture(scope="module")
def alone(model, batch):
    """Each hairpin scored in a call of its own."""
    pairs = zip(*batch, strict=True)
    return np.concatenate([model.score([sequence], [structure]) for sequence, structure in pairs])


@given(st.integers(1, 2 * N), st.permutations(range(N)), st.integers(1, N))
@settings(deadline=None, max_examples=25)
def test_score_is_independent_of_batch_order_and_company(model, batch, alone, batch_size, order, n):
    rows = order[:n]
    scores = model.score([batch[0][i] for i in rows], [batch[1][i] for i in rows], batch_size=batch_size)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, alone[rows], atol=1e-6, rtol=0)


def test_a_prediction_of_this_network_is_the_score_alone(model, batch):
    flanks = ["ACGU"] * N
    prediction = model.predict(*batch, flanks, flanks)
    np.testing.assert_array_equal(prediction.scores, model.score(*batch))
    assert prediction[1:] == (None, None)


def test_scores_are_probabilities_and_differ(alone):
    assert (alone >= 0).all()
    assert (alone <= 1).all()
    assert alone.std() > 0.01


def test_number_of_threads_does_not_change_scores(model, batch, alone):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        np.testing.assert_allclose(model.score(*batch), alone, atol=1e-6, rtol=0)
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_gpu_scores_equal_cpu_scores(batch, alone):
    np.testing.assert_allclose(load_model("paper-cross", device="cuda").score(*batch), alone, atol=1e-5, rtol=0)


@given(st.lists(st.integers(1, 400), max_size=300), st.integers(1, 100))
def test_buckets_hold_every_index_once_and_stay_small(lengths, batch_size):
    lengths = np.array(lengths, np.int64)
    buckets = list(make_buckets(lengths, batch_size))
    assert sorted(i for rows in buckets for i in rows) == list(range(len(lengths)))
    assert all(1 <= len(rows) <= batch_size for rows in buckets)
    assert all(len(rows).bit_count() == 1 for rows in buckets)
    assert np.all(np.diff([lengths[i] for rows in buckets for i in rows]) <= 0)


def test_buckets_bound_the_positions():
    sizes = [len(rows) for rows in make_buckets(np.full(5000, 400, np.int64), 10**6)]
    assert max(sizes) * 400 <= MAX_POSITIONS


def test_nothing_to_score(model):
    assert model.score([], []).shape == (0,)


def test_dna_and_lower_case_score_alike(model):
    structure = "((((((....))))))"
    scores = model.score(["GGCACUUUUUAGUGCC", "ggcacuuuuuagugcc", "GGCACTTTTTAGTGCC"], [structure] * 3)
    np.testing.assert_allclose(scores, scores[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("sequences", "structures", "message"),
    [
        (["A" * 401], ["." * 401], "sequence 1 has 401 nt; the model paper-cross scores 1 to 400 nt"),
        (["A", ""], [".", ""], "sequence 2 has 0 nt"),
        (["A"], [], "1 sequences but 0 structures"),
        (["A", "ACG", "ANCG"], [".", "...", "...."], "sequence 3, position 2: 'N'"),
        (["ACG", "AC"], ["...", "..."], "sequence 2 has 2 nt but its structure has 3"),
    ],
)
def test_bad_input_is_named_by_its_place_in_the_call(model, sequences, structures, message):
    with pytest.raises(ModelError) as caught:
        model.score(sequences, structures)
    assert message in str(caught.value)


def test_bad_batch_size(model):
    with pytest.raises(ModelError, match="at least 1"):
        model.score(["A"], ["."], batch_size=0)


@pytest.mark.parametrize("name", ["paper-human", "best-cross", "best-human"])
def test_other_bundled_models_score_without_regard_to_the_batch(name):
    model = load_model(name)
    rng = np.random.default_rng(3)
    sequences = ["".join(rng.choice(list("ACGU"), n)) for n in rng.integers(45, 131, 60)]
    structures = fold(sequences).structures
    scores = model.score(sequences, structures)
    alone = [model.score([s], [d], batch_size=1)[0] for s, d in zip(sequences, structures, strict=True)]
    np.testing.assert_allclose(scores, alone, atol=1e-5, rtol=0)
    card = model.card
    assert card["name"] == name
    assert all(0.97 < measured["published"]["AUROC"] < 1 for measured in card["metrics"].values())


def test_devices():
    assert load_model(device="auto").device in ("cpu", "cuda")
    with pytest.raises(ModelError, match="device 'tpu' is unknown"):
        load_model(device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match="no GPU"):
            load_model(device="cuda")


def test_label_and_card_of_the_bundled_model(model):
    assert model.name == "paper-cross"
    assert model.label == f"paper-cross:{model.digest[:12]}"
    assert model.card["config"] == {
        "max_length": 400,
        "n_hidden1": 20,
        "n_hidden2": 10,
        "n_dense1": 400,
        "n_dense2": 100,
        "attention": "per-position",
    }
    assert set(model.card["metrics"]) == {"cross-species", "new"}
    assert "licence" in model.card


def test_a_model_of_ones_own(tmp_path):
    net = Net(NetConfig(attention="shared"))
    net.initialise(torch.Generator().manual_seed(0))
    save(tmp_path / "own", net, data="", licence="", protocol="", metrics="")
    own = load_model(tmp_path / "own.safetensors")
    assert own.name == "own"
    assert 0 < own.score(["GGGAAACCC"], ["(((...)))"])[0] < 1
