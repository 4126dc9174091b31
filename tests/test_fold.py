"""Folding and reading structures."""

import numpy as np
import pytest
import RNA
from hypothesis import given
from hypothesis import strategies as st
from numba import cuda

from mirsweep.scanner import InputError, fold
from mirsweep.scanner._candidate_kernels import count_pairs_and_gc
from mirsweep.scanner.fold import fold_texts, terminal_loops
from mirsweep.texts import texts_of
from reference_fold import terminal_loop


@pytest.mark.parametrize("engine", ["batch", "vienna"])
@given(sequences=st.lists(st.text("ACGU", min_size=1, max_size=60), max_size=4))
def test_fold_is_rnafold(engine, sequences):
    folded = fold(sequences, engine=engine)
    assert folded.energies.dtype == np.float32
    for sequence, structure, energy in zip(sequences, folded.structures, folded.energies, strict=True):
        assert (structure, energy) == (RNA.fold(sequence)[0], np.float32(RNA.fold(sequence)[1]))


@pytest.mark.parametrize("sequence", ["GGGGAAAACCCC", b"GGGGAAAACCCC"])
def test_one_string_is_no_list_of_sequences(sequence):
    with pytest.raises(InputError, match=r"write fold\(\['GGGGAAAACCCC'\]\)"):
        fold(sequence)


def test_unknown_engine_is_refused():
    with pytest.raises(InputError, match="choose one of"):
        fold(["ACGU"], engine="guess")


@pytest.mark.skipif(cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_the_cuda_engine_says_so():
    with pytest.raises(InputError, match="needs an NVIDIA GPU"):
        fold(["GGGGAAAACCCC"], engine="cuda")


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
    assert terminal_loop(structure) == loop
    assert tuple(terminal_loops(texts_of([structure]))[0]) == loop


@given(st.lists(st.text(".()", max_size=30), max_size=5))
def test_terminal_loops_of_many_are_those_of_each(structures):
    assert terminal_loops(texts_of(structures)).tolist() == [list(terminal_loop(each)) for each in structures]


@pytest.mark.parametrize("engine", ["batch", "vienna"])
@given(st.lists(st.text("ACGU", max_size=40), max_size=5))
def test_folded_texts_are_the_folded_strings(engine, sequences):
    found, expected = fold_texts(texts_of(sequences), engine=engine), fold(sequences, engine=engine)
    assert list(found.structures) == expected.structures
    assert np.array_equal(found.energies, expected.energies)


def test_count_pairs():
    n_pairs, n_gc = np.zeros(2, np.int64), np.zeros(2, np.int64)
    sequences, structures = texts_of(["AGCAUGAAACUGC", "AU"]), texts_of([".((..(...).))", ".."])
    count_pairs_and_gc(sequences.letters, structures.letters, sequences.offsets, n_pairs, n_gc)
    assert n_pairs.tolist() == [3, 0]
    assert n_gc.tolist() == [6, 0]
