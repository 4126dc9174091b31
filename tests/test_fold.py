"""Folding and reading structures."""

import numpy as np
import pytest
import RNA
from hypothesis import given
from hypothesis import strategies as st

from mirsweep.scanner import InputError, fold
from mirsweep.scanner.fold import ENGINES, count_pairs, terminal_loop


@pytest.mark.parametrize("engine", ENGINES)
@given(sequences=st.lists(st.text("ACGU", min_size=1, max_size=60), max_size=4))
def test_fold_is_rnafold(engine, sequences):
    folded = fold(sequences, engine=engine)
    assert folded.energies.dtype == np.float32
    for sequence, structure, energy in zip(sequences, folded.structures, folded.energies, strict=True):
        assert (structure, energy) == (RNA.fold(sequence)[0], np.float32(RNA.fold(sequence)[1]))


def test_unknown_engine_is_refused():
    with pytest.raises(InputError, match="choose one of"):
        fold(["ACGU"], engine="guess")


@pytest.mark.parametrize(
    ("structure", "loop"),
    [
        ("", (0, 0)),
        ("....", (0, 0)),
        ("((...))", (2, 5)),
        (".((..(...).))", (6, 9)),
        ("(...)((...))", (7, 10)),
        ("((...))((...))", (2, 5)),
        ("((((...))(...)))", (4, 7)),
        ("()", (1, 1)),
    ],
)
def test_terminal_loop_is_the_one_most_pairs_enclose(structure, loop):
    assert tuple(terminal_loop(structure)) == loop


def test_count_pairs():
    assert count_pairs(".((..(...).))") == 3
