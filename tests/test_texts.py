"""Strings as one array of letters: whatever is done with them, they are the same strings."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirsweep.texts import Texts, texts_of

STRINGS = st.lists(st.text("ACGU().", max_size=9), max_size=12)


@given(STRINGS)
def test_they_are_a_sequence_of_strings(strings):
    texts = texts_of(strings)
    assert list(texts) == strings
    assert [texts[k] for k in range(len(strings))] == strings
    assert len(texts) == len(strings)
    assert texts.lengths.tolist() == list(map(len, strings))
    assert texts_of(texts) is texts


@given(STRINGS, st.data())
def test_parts_and_rows(strings, data):
    texts = texts_of(strings)
    part = data.draw(st.slices(len(strings)))
    assert list(texts[part]) == strings[part]
    rows = data.draw(st.lists(st.integers(0, len(strings) - 1), max_size=9)) if strings else []
    assert list(texts.take(np.array(rows, np.int64))) == [strings[k] for k in rows]


@given(STRINGS, STRINGS, st.integers(0, 12))
def test_to_arrow_and_back(one, other, first):
    assert texts_of(one).to_arrow().to_pylist() == one
    array = pa.array(one, pa.string())[first:]
    assert list(Texts.from_arrow(array)) == one[first:]
    assert list(Texts.from_arrow(pa.chunked_array([pa.array(one, pa.string()), pa.array(other, pa.string())]))) == (
        one + other
    )


def test_ends_of_the_sequence():
    texts = texts_of(["AC", "G"])
    assert texts[-1] == "G"
    with pytest.raises(IndexError):
        texts[2]
    assert list(texts_of(["Aé"])) == ["A?"]
