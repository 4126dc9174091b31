"""Which sequences a model was trained on, by its card."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirsweep.model.checkpoint import load
from mirsweep.model.seen import describe_sequences, is_seen
from mirsweep.scanner.fasta import read_sequences

texts = st.lists(st.text("ACGU", min_size=1, max_size=40), max_size=20)


@given(texts, texts)
def test_seen_are_those_of_training(trained, asked):
    card = {"data": {"sequences": describe_sequences(trained)}}
    assert is_seen(card, asked).tolist() == [text in set(trained) for text in asked]


def test_letters_count_as_rna():
    card = {"data": {"sequences": describe_sequences(["ACGU"])}}
    assert is_seen(card, ["acgt", "ACGT", "ACGA"]).tolist() == [True, True, False]


@pytest.mark.parametrize(
    "card",
    [
        {},
        {"data": None},
        {"data": "words"},
        {"data": {"sequences": 5}},
        {"data": {"sequences": "no base64"}},
        {"data": []},
    ],
    ids=str,
)
def test_a_card_that_does_not_tell(card):
    assert is_seen(card, ["ACGU"]) is None


def test_cut_off_digests_count_as_far_as_they_go():
    content = base64.b64decode(describe_sequences(["ACGU"])) + b"xyz"
    assert is_seen({"data": {"sequences": base64.b64encode(content).decode()}}, ["ACGU"]).tolist() == [True]


@pytest.mark.data
@pytest.mark.parametrize(("model", "share"), [("best-cross", 0.997), ("paper-human", 0.0036)])
def test_the_bundled_models_know_what_they_were_trained_on(data_dir, model, share):
    """best-cross learnt from all of the cross-species set, its test included; paper-human from nine tenths."""
    stem = "whole" if model.endswith("cross") else "human"
    files = (data_dir / "deepmirgene" / "test" / stem / f"{stem}_{kind}_test.fa" for kind in ("pos", "neg"))
    sequences = [record.sequence for path in files for record in read_sequences(path)]
    seen = is_seen(load(model).card, sequences)
    assert np.mean(seen) == pytest.approx(share, abs=0.001)
