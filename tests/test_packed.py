"""Weights in fixed point: the scores of those as trained, and files that are damaged are refused."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from helpers_jobs import make_model
from mirsweep.model import ModelError, load_model
from mirsweep.model.packed import MOST_STEPS, pack, pack_ascending, pack_in_steps, unpack

MATRIX = "dense1.weight"


@given(st.data())
def test_whole_steps_come_back_exactly(data):
    n_out, n_in = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    whole = st.integers(-MOST_STEPS, MOST_STEPS)
    steps = np.array(data.draw(st.lists(whole, min_size=n_out * n_in, max_size=n_out * n_in))).reshape(n_out, n_in)
    step = np.array(data.draw(st.lists(st.sampled_from([0.5, 1.0, 2.0**-20]), min_size=n_in, max_size=n_in)))
    found = unpack(pack(steps, step, name="w") | {"bias": np.ones(2)})
    assert found.keys() == {"w", "bias"}
    assert found["w"].flags.c_contiguous
    np.testing.assert_array_equal(found["w"], (steps * step).astype(np.float32))


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(0, 99))
def test_a_convolution_is_rounded_to_its_steps_once(n_out, n_in, n_taps, seed):
    weights = np.random.default_rng(seed).normal(size=(n_out, n_in, n_taps)).astype(np.float32)
    weights[:, 0, 0] = 0
    found = unpack(pack_in_steps(weights, 100, name="w"))["w"]
    assert found.shape == weights.shape
    assert found.dtype == np.float32
    assert (np.abs(found - weights) <= np.abs(weights).max(0) / 200 * 1.001).all()
    again = unpack(pack_in_steps(found, 100, name="w"))["w"]
    np.testing.assert_allclose(again, found, rtol=1e-6)


@pytest.fixture
def weights(tmp_path):
    return make_model(tmp_path / "m.safetensors")


def rewrite(path, change) -> None:
    """Change the tensors of a weights file and put the new digest on its card."""
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    card = json.loads(path.with_suffix(".json").read_text())
    card["digest"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(card))


def pack_dense(tensors) -> None:
    """Pack the first dense layer in steps of a thousandth of its largest weight."""
    matrix = tensors.pop(MATRIX)
    step = np.full(matrix.shape[1], np.abs(matrix).max() / 1000)
    tensors |= pack(np.rint(matrix / step), step, name=MATRIX)


def test_a_packed_model_scores_as_the_one_before(weights):
    hairpin = ["GGGGCAAAAGCCCC"], ["(((((....)))))"]
    before = load_model(weights).score(*hairpin)
    rewrite(weights, pack_dense)
    np.testing.assert_allclose(load_model(weights).score(*hairpin), before, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(f"{MATRIX}.low"), "not all of .high, .low, .step are there"),
        (lambda t: t.pop(f"{MATRIX}.high"), "missing or too many"),
        (lambda t: t.update({f"{MATRIX}.step": np.ones(3)}), "do not fit together"),
        (lambda t: t.update({f"{MATRIX}.low": np.zeros((2, 2), np.int8)}), "do not fit together"),
        (lambda t: t.update({f"{MATRIX}.high": t[f"{MATRIX}.high"].astype(int)}), "do not fit together"),
        (lambda t: t.update({f"{MATRIX}.step": t[f"{MATRIX}.step"] * np.float32(np.nan)}), "not finite"),
        (
            lambda t: [t.update({f"{MATRIX}{n}": t[f"{MATRIX}{n}"][:-1].copy()}) for n in (".high", ".low", ".step")],
            "must be",
        ),
    ],
)
def test_damaged_matrices_are_refused(weights, change, message):
    rewrite(weights, pack_dense)
    rewrite(weights, change)
    with pytest.raises(ModelError, match=message):
        load_model(weights)


def test_bundled_models_tell_what_they_were_before_packing():
    card = load_model("paper-cross").card
    assert len(card["trained_digest"]) == 64
    assert card["trained_digest"] != card["digest"]


@given(st.lists(st.integers(0, 2**31 - 1), unique=True, max_size=30).map(sorted))
def test_ascending_numbers_come_back(numbers):
    packed = pack_ascending(np.array(numbers, np.int32))
    assert packed.shape == (4, len(numbers))
    found = unpack({"words.gaps": packed, "other": np.zeros(2)})
    assert found.keys() == {"words", "other"}
    assert found["words"].dtype == np.int32
    assert found["words"].tolist() == numbers


@pytest.mark.parametrize("gaps", [np.zeros((4, 2)), np.zeros((3, 2), np.uint8), np.full((4, 2), 255, np.uint8)])
def test_gaps_that_are_none_are_refused(gaps):
    with pytest.raises(ModelError, match=r"words\.gaps"):
        unpack({"words.gaps": gaps})
