"""Training learns, repeats exactly, resumes exactly, and weighs the classes as equation 6 says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from mirsweep.model.augment import trim_flanks
from mirsweep.model.checkpoint import load, save
from mirsweep.model.data import Dataset
from mirsweep.model.errors import ModelError
from mirsweep.model.metrics import evaluate
from mirsweep.model.net import PRE_MIRNA, Net, NetConfig
from mirsweep.model.predict import Model
from mirsweep.model.recipes import ARCHITECTURES, CANDIDATES, INPUT_KINDS, SHORTER, VARIANTS
from mirsweep.model.train import TrainParams, class_weights, make_batches, soft_log_loss, train, weighted_log_loss


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Such small networks only wait for a second thread."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


SMALL = NetConfig(max_length=40, n_hidden1=6, n_hidden2=4, n_dense1=10, n_dense2=6)
FAST = TrainParams(n_epochs=4, batch_size=16, learning_rate=0.01, save_every=1)


def toy(n: int = 60, *, seed: int = 0) -> Dataset:
    """Long stems against short ones, a third of them positive."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 3 == 0).astype(np.uint8)
    lengths = rng.integers(24, 41, n)
    stems = np.where(labels, 9, 3)
    sequences = ["".join(rng.choice(list("ACGU"), length)) for length in lengths]
    structures = ["(" * s + "." * (m - 2 * s) + ")" * s for m, s in zip(lengths, stems, strict=True)]
    return Dataset(sequences, structures, labels)


def weights_of(trained) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trained.net.parameters()])


class Stop(Exception):  # noqa: N818 (no error: stands for an interruption)
    pass


def stop_after(number: int):
    def progress(epoch):
        if epoch.number == number:
            raise Stop

    return progress


def test_weights_balance_the_classes():
    labels = np.array([1] * 3 + [0] * 12, np.uint8)
    weights = class_weights(labels)
    assert weights.tolist() == [15 / 24, 15 / 6]
    assert weights[labels].sum() == len(labels)


def test_loss_is_the_formula():
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(7, 2, generator=generator), torch.tensor([1, 0, 0, 1, 0, 0, 0])
    weights = torch.tensor([0.7, 1.75])
    p = logits.softmax(dim=1)[:, PRE_MIRNA]
    terms = [-weights[y] * torch.log(q if y else 1 - q) for q, y in zip(p, labels.tolist(), strict=True)]
    torch.testing.assert_close(weighted_log_loss(logits, labels, weights), torch.stack(terms).mean())


@given(st.lists(st.integers(1, 400), min_size=1, max_size=200), st.integers(1, 32), st.integers(0, 9))
@settings(deadline=None)
def test_an_epoch_holds_every_hairpin_once(lengths, batch_size, seed):
    batches = list(make_batches(np.array(lengths), batch_size, np.random.default_rng(seed)))
    assert sorted(i for rows in batches for i in rows) == list(range(len(lengths)))
    assert max(map(len, batches)) <= batch_size


def test_batches_differ_between_epochs():
    lengths = np.full(100, 90)
    first, second = (list(make_batches(lengths, 10, np.random.default_rng((0, e)))) for e in (1, 2))
    assert not all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("attention", ["per-position", "shared"])
def test_learns_a_plain_difference(attention):
    config = NetConfig(max_length=40, attention=attention)
    trained = train(toy(240), config=config, params=TrainParams(n_epochs=12, batch_size=16, learning_rate=0.003))
    test = toy(90, seed=1)
    scores = Model(trained.net, {"name": "toy", "digest": ""}).score(test.sequences, test.structures)
    assert evaluate(scores, test.labels).AUROC > 0.98
    assert trained.losses[-1] < trained.losses[0]


def test_same_seed_same_weights_other_seed_others():
    first, again = (train(toy(), config=SMALL, params=FAST) for _ in range(2))
    assert torch.equal(weights_of(first), weights_of(again))
    assert first.losses == again.losses
    other = train(toy(), config=SMALL, params=TrainParams(n_epochs=4, batch_size=16, learning_rate=0.01, seed=1))
    assert not torch.equal(weights_of(first), weights_of(other))


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_interrupted_training_ends_in_the_same_weights(tmp_path, stop):
    undisturbed = train(toy(), config=SMALL, params=FAST)
    state = tmp_path / "state"
    with pytest.raises(Stop):
        train(toy(), config=SMALL, params=FAST, state_path=state, progress=stop_after(stop))
    seen = []
    resumed = train(toy(), config=SMALL, params=FAST, state_path=state, progress=lambda e: seen.append(e.number))
    assert seen == list(range(stop + 1, 5))
    assert resumed.losses == undisturbed.losses
    assert len(resumed.seconds) == 4
    assert torch.equal(weights_of(resumed), weights_of(undisturbed))


def test_finished_training_is_not_repeated(tmp_path):
    state = tmp_path / "state"
    first = train(toy(), config=SMALL, params=FAST, state_path=state)
    again = train(toy(), config=SMALL, params=FAST, state_path=state, progress=stop_after(1))
    assert torch.equal(weights_of(first), weights_of(again))


def test_progress_tells_every_epoch():
    epochs = []
    trained = train(toy(), config=SMALL, params=FAST, progress=epochs.append)
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4]
    assert [epoch.loss for epoch in epochs] == trained.losses
    assert all(epoch.seconds > 0 for epoch in epochs)


def test_state_of_another_training_is_refused(tmp_path):
    state = tmp_path / "state"
    train(toy(), config=SMALL, params=FAST, state_path=state)
    with pytest.raises(ModelError, match="on other data or with other parameters"):
        train(toy(seed=1), config=SMALL, params=FAST, state_path=state)
    params = TrainParams(n_epochs=2, batch_size=16, learning_rate=0.01)
    with pytest.raises(ModelError, match="past epoch 2"):
        train(toy(), config=SMALL, params=params, state_path=state)


def test_damaged_state_is_refused(tmp_path):
    state = tmp_path / "state"
    state.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="not an intact training state"):
        train(toy(), config=SMALL, params=FAST, state_path=state)
    save_file({"net.x": torch.zeros(1)}, state)
    with pytest.raises(ModelError, match="on other data or with other parameters"):
        train(toy(), config=SMALL, params=FAST, state_path=state)


@pytest.mark.parametrize(
    ("sequences", "structures", "labels", "message"),
    [
        (["ACG", "ACG"], ["...", "..."], [1, 1], "both classes"),
        (["ACG", "A" * 41], ["...", "." * 41], [1, 0], "training sequence 2 has 41 nt"),
        (["ACG", ""], ["...", ""], [1, 0], "training sequence 2 has 0 nt"),
        (["ACG", "ANG"], ["...", "..."], [1, 0], "'N' is not a base"),
        (["ACG", "ACG"], ["...", "(.."], [1, 0], "do not pair up"),
        ([], [], [], "both classes"),
    ],
)
def test_bad_training_sets_are_refused(sequences, structures, labels, message):
    with pytest.raises(ModelError, match=message):
        train(Dataset(sequences, structures, np.array(labels, int)), config=SMALL, params=FAST)


@pytest.mark.parametrize(
    "change",
    [
        {"n_epochs": 0},
        {"dropout": 1},
        {"learning_rate": 0},
        {"batch_size": 0},
        {"averaging": 1},
        {"trim": -1},
        {"weighting": "auto"},
        {"schedule": "steps"},
        {"initialisation": "zeros"},
        {"optimiser": "adagrad"},
        {"optimiser": "sgd", "weight_decay": 0.1},
    ],
)
def test_bad_parameters_are_refused(change):
    with pytest.raises(ModelError):
        TrainParams(**change)


NAMED = {name: r.config for name, r in (ARCHITECTURES | SHORTER | INPUT_KINDS | VARIANTS | CANDIDATES).items()}
NAMED["batch norm"] = NetConfig(batch_norm=True)


@pytest.mark.parametrize("name", NAMED)
def test_every_network_trains_is_saved_and_scores_batches_as_single_hairpins(tmp_path, name):
    sizes = {"max_length": 40, "n_hidden1": 6, "n_hidden2": 4, "n_dense1": 10, "n_dense2": 6}
    data = toy(96)
    params = TrainParams(n_epochs=3, batch_size=16, learning_rate=0.01, initialisation="glorot")
    trained = train(data, config=replace(NAMED[name], **sizes), params=params)
    assert trained.losses[-1] < trained.losses[0]
    save(tmp_path / "net", trained.net, data="toy", licence="none", protocol="test", metrics={})
    model = Model(load(tmp_path / "net.safetensors").net, {"name": "toy", "digest": ""})
    scores = model.score(data.sequences, data.structures)
    alone = model.score(data.sequences, data.structures, batch_size=1)
    np.testing.assert_allclose(scores, alone, atol=2e-6)
    assert scores.std() > 1e-4


OPTIONS = {
    "mean weights": {"averaging": 0.9},
    "falling rate": {"schedule": "cosine"},
    "weight decay": {"weight_decay": 0.01},
    "trimmed": {"trim": 6},
    "unweighted": {"weighting": "none"},
    "Glorot": {"initialisation": "glorot"},
    "no dropout before the output": {"output_dropout": False},
    "RMSprop": {"optimiser": "rmsprop"},
    "SGD": {"optimiser": "sgd", "learning_rate": 0.3},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_options_of_training_matter_and_survive_an_interruption(tmp_path, options):
    params, state = replace(FAST, **options), tmp_path / "state"
    toys, config = toy(), replace(SMALL, max_length=60)
    flanked = [["ACGUU" * 4 + s for s in toys.sequences], ["." * 20 + s for s in toys.structures]]
    data = Dataset(*flanked, toys.labels)  # longer than 40 nt, below which nothing is trimmed
    undisturbed = train(data, config=config, params=params)
    assert not torch.equal(weights_of(undisturbed), weights_of(train(data, config=config, params=FAST)))
    with pytest.raises(Stop):
        train(data, config=config, params=params, state_path=state, progress=stop_after(2))
    resumed = train(data, config=config, params=params, state_path=state)
    assert torch.equal(weights_of(resumed), weights_of(undisturbed))


def test_a_teacher_draws_the_scores_to_its_own():
    data = toy(240)
    teacher = np.full(240, 0.5, np.float32)
    nets = [train(data, teacher=t, config=SMALL, params=replace(FAST, n_epochs=12)).net for t in (None, teacher)]
    free, distilled = (Model(net, {"name": "", "digest": ""}).score(data.sequences, data.structures) for net in nets)
    assert np.abs(distilled - 0.5).mean() < np.abs(free - 0.5).mean()
    with pytest.raises(ModelError, match="240 probabilities"):
        train(data, teacher=teacher[:9], config=SMALL, params=FAST)


def test_loss_against_a_teacher_is_that_against_labels_where_both_agree():
    logits, labels = torch.randn(7, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([1, 0, 0, 1, 0, 0, 0])
    weights = torch.tensor([0.7, 1.75])
    torch.testing.assert_close(
        soft_log_loss(logits, labels.float(), labels, weights), weighted_log_loss(logits, labels, weights)
    )


@given(st.integers(0, 30), st.integers(0, 99))
def test_trimmed_hairpins_are_parts_whose_brackets_pair(longest, seed):
    data = toy(24, seed=seed)
    trimmed = trim_flanks(data, longest, np.random.default_rng(seed), keep=20)
    assert trimmed.labels.tolist() == data.labels.tolist()
    for whole, part, structure in zip(data.sequences, trimmed.sequences, trimmed.structures, strict=True):
        assert part in whole
        assert len(whole) - 2 * longest <= len(part) == len(structure)
        assert len(part) >= 20
        depth = np.cumsum([{"(": 1, ")": -1}.get(symbol, 0) for symbol in structure])
        assert depth.min() >= 0
        assert depth[-1] == 0


def test_a_base_keeps_its_partner_where_both_are_left():
    data = Dataset(["G" * 9], ["((((.))))"], [1])
    seen = {trim_flanks(data, 2, np.random.default_rng(i), keep=1).structures[0] for i in range(60)}
    assert {"((((.))))", "(((.)))", "((.))", ".((.))", "((.))."} <= seen


def test_fine_tuning_goes_on_with_the_given_network(tmp_path):
    config = replace(SMALL, statistics=True)
    start = train(toy(seed=3), config=config, params=FAST).net
    barely = replace(FAST, n_epochs=1, learning_rate=1e-9, averaging=0.5)
    tuned = train(toy(), initial=start, config=config, params=barely)
    for name, tensor in start.state_dict().items():
        torch.testing.assert_close(tuned.net.state_dict()[name], tensor, atol=1e-6, rtol=0)
    assert not torch.equal(weights_of(train(toy(), config=config, params=barely)), weights_of(tuned))
    path = tmp_path / "state"
    with pytest.raises(Stop):
        train(toy(), initial=start, config=config, params=FAST, state_path=path, progress=stop_after(2))
    resumed = train(toy(), initial=start, config=config, params=FAST, state_path=path)
    assert torch.equal(weights_of(resumed), weights_of(train(toy(), initial=start, config=config, params=FAST)))
    with pytest.raises(ModelError, match="on other data or with other parameters"):
        train(toy(), config=config, params=FAST, state_path=path)


def test_fine_tuning_refuses_a_network_of_another_kind():
    with pytest.raises(ModelError, match="another configuration"):
        train(toy(), initial=Net(SMALL), config=replace(SMALL, n_hidden1=7), params=FAST)
