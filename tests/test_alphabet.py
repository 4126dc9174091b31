"""Letters and codes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mirsweep.scanner.alphabet import BREAK, decode, encode, reverse_complement, soft_masked


@given(st.text(alphabet="ACGTUacgtuNnRYKMSWBDHVX-* ", max_size=60))
def test_letters_become_their_codes(text):
    expected = [("ACGU".find(letter.upper().replace("T", "U")) + 5) % 5 for letter in text]
    assert encode(text.encode()).tolist() == expected


@given(st.binary(max_size=60))
def test_any_byte_is_a_base_or_a_break(data):
    assert set(encode(data).tolist()) <= {0, 1, 2, 3, BREAK}


def test_decode_writes_rna_and_n():
    assert decode(encode(b"acgtuXN")) == "ACGUUNN"


@given(st.lists(st.integers(0, 4), max_size=50))
def test_reverse_complement_is_its_own_inverse(codes):
    codes = np.array(codes, np.uint8)
    assert np.array_equal(reverse_complement(reverse_complement(codes)), codes)


def test_reverse_complement():
    assert decode(reverse_complement(encode(b"AACGUN"))) == "NACGUU"


def test_soft_masked_is_lower_case():
    assert soft_masked(b"AcgT-n").tolist() == [False, True, True, False, False, True]
