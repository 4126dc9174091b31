"""Encoding equals its plain-Python oracle on random and adversarial input, and names what is wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirsweep.model.encode import encode
from mirsweep.model.errors import ModelError
from reference_model import encode_reference, is_balanced, partners_reference
from strategies import hairpins


@settings(deadline=None)  # the first example may compile the kernel
@given(st.lists(hairpins(), max_size=6))
def test_equals_the_reference(batch):
    tokens = encode([s for s, _ in batch], [d for _, d in batch])
    width = max((len(s) for s, _ in batch), default=0)
    assert tokens.dtype == np.uint8
    assert tokens.shape == (len(batch), width)
    assert tokens.tolist() == [encode_reference(s, d, width) for s, d in batch]


@settings(deadline=None)  # the first example may compile the kernel
@given(st.lists(hairpins(), max_size=6))
def test_partners_are_those_of_the_brackets(batch):
    tokens = encode([s for s, _ in batch], [d for _, d in batch], partner=True)
    plain = encode([s for s, _ in batch], [d for _, d in batch])
    assert ((tokens - 1) % 16 + 1)[plain > 0].tolist() == plain[plain > 0].tolist()
    assert (tokens[plain == 0] == 0).all()
    for (sequence, structure), row in zip(batch, tokens.tolist(), strict=True):
        found = [(token - 1) // 16 for token in row[len(row) - len(sequence) :]]
        assert found == partners_reference(sequence, structure)


@settings(deadline=None)  # the first example may compile the kernel
@given(st.text("().", max_size=12))
def test_accepts_exactly_the_balanced_structures(structure):
    if is_balanced(structure):
        encode(["A" * len(structure)], [structure])
    else:
        with pytest.raises(ModelError, match="do not pair up"):
            encode(["A" * len(structure)], [structure])


def test_the_papers_formula():
    """Token = 4 * base + symbol + 1, bases A C G U, symbols ( ) . : with ':' in the hairpin loop only."""
    assert encode(["GACAC"], ["(...)"]).tolist() == [[9, 4, 8, 4, 6]]
    assert encode(["GAC"], ["..."]).tolist() == [[11, 3, 7]]


def test_every_hairpin_loop_of_a_branched_structure_is_a_loop():
    structure = ".((.(..).(...).))."
    symbols = (encode(["A" * len(structure)], [structure])[0] - 1) % 4
    assert "".join("().:"[s] for s in symbols) == ".((.(::).(:::).))."


def test_padding_stands_in_front():
    assert encode(["A", "GGGCC"], [".", "((.))"]).tolist() == [[0, 0, 0, 0, 3], [9, 9, 12, 6, 6]]


def test_case_and_t_are_read_as_upper_case_rna():
    assert np.array_equal(encode(["acgtACGT"], ["((....))"]), encode(["ACGUACGU"], ["((....))"]))


def test_an_empty_batch_and_an_empty_sequence():
    assert encode([], []).shape == (0, 0)
    assert encode(["", "A"], ["", "."]).tolist() == [[0], [3]]


@pytest.mark.parametrize(
    ("sequences", "structures", "message"),
    [
        (["ACG", "ANG"], ["...", "..."], "sequence 2, position 2: 'N' is not a base"),
        (["AC-"], ["..."], "sequence 1, position 3: '-' is not a base"),
        (["Aé"], [".."], "position 2: 'é' is not a base"),
        (["ACG"], [".x."], "position 2: 'x' is not a structure symbol"),
        (["ACG"], ["(:)"], "position 2: ':' is not a structure symbol"),
        (["ACG", "ACGU"], ["...", "..."], "sequence 2 has 4 nt but its structure has 3 symbols"),
        (["ACG"], [], "1 sequences but 0 structures"),
        (["ACG"], ["(.."], "do not pair up"),
        (["ACG"], ["..)"], "position 3: the brackets"),
        (["AC"], [")("], "position 1: the brackets"),
    ],
)
def test_bad_input_is_named_in_one_sentence(sequences, structures, message):
    with pytest.raises(ModelError) as caught:
        encode(sequences, structures)
    assert message in str(caught.value)
    assert str(caught.value).count("\n") == 0
