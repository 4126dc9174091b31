"""The batched folder gives RNAfold's energies and structures, whatever a sequence is folded beside."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import RNA
from hypothesis import given, settings
from hypothesis import strategies as st

from mirsweep.scanner.batchfold import fold_batch, fold_batch_texts
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.foldinput import MAX_LENGTH, Nesting
from mirsweep.scanner.turner import default_turner, read_turner
from reference_fold import Evaluator, best_energy

COMPLEMENT = str.maketrans("ACGU", "UGCA")


def _random(rng: np.random.Generator, length: int, gc: float = 0.5) -> str:
    weights = [(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]
    return "".join(rng.choice(list("ACGU"), length, p=weights))


def _palindrome(rng: np.random.Generator, length: int, gc: float = 0.5) -> str:
    arm = _random(rng, length // 2, gc)
    return arm + "A" * (length % 2) + arm.translate(COMPLEMENT)[::-1]


def _assert_as_rnafold(sequences, *, parameters=None) -> None:
    folded = fold_batch(sequences, parameters=parameters)
    assert folded.energies.dtype == np.float32
    for sequence, structure, energy in zip(sequences, folded.structures, folded.energies, strict=True):
        expected, expected_energy = RNA.fold(sequence)
        assert energy == np.float32(expected_energy), sequence
        assert structure == expected, sequence


@pytest.fixture
def other_parameters():
    """Lets a test change ViennaRNA's parameters and temperature."""
    yield
    RNA.params_load_RNA_Turner2004()
    RNA.cvar.temperature = 37.0


@pytest.mark.parametrize("gc", [0.2, 0.35, 0.5, 0.65, 0.8])
def test_random_sequences(gc):
    rng = np.random.default_rng(int(100 * gc))
    _assert_as_rnafold([_random(rng, length, gc) for length in rng.integers(1, 120, 500)])


def test_every_short_length():
    rng = np.random.default_rng(1)
    _assert_as_rnafold([_random(rng, length, gc) for length in range(1, 45) for gc in (0.3, 0.6, 1.0)])


def test_long_sequences():
    rng = np.random.default_rng(2)
    _assert_as_rnafold([_random(rng, length, gc) for length in (173, 231, 300, 399, 400) for gc in (0.4, 0.6)])


def test_stem_loops():
    rng = np.random.default_rng(3)
    stems = [_palindrome(rng, length, gc) for length in rng.integers(10, 130, 60) for gc in (0.0, 0.3, 0.5, 0.8)]
    _assert_as_rnafold([_mutated(rng, stem, 0.1) for stem in stems])


def _mutated(rng: np.random.Generator, sequence: str, share: float) -> str:
    letters = np.array(list(sequence))
    hit = rng.random(len(letters)) < share
    letters[hit] = rng.choice(list("ACGU"), hit.sum())
    return "".join(letters)


UNITS = [
    "A",
    "C",
    "G",
    "U",
    "GU",
    "GC",
    "AU",
    "GGU",
    "GUU",
    "CAG",
    "CCUG",
    "GGGGCC",
    "AUUUA",
    "GAAAC",
    "GGGAAAUCC",
    "GCGCAAAA",
]


@pytest.mark.parametrize("unit", UNITS)
def test_repeats(unit):
    lengths = (*range(1, 40, 3), 64, 100, 128, 171)
    _assert_as_rnafold([(unit * length)[:length] for length in lengths])


def test_trna_like_multiloops():
    """Three stem-loops within a stem: multiloops win."""
    rng = np.random.default_rng(4)

    def cloverleaf() -> str:
        outer, *arms = (_random(rng, size, 0.7) for size in rng.integers(5, 9, 5))
        inside = "".join(
            "A" * rng.integers(0, 3) + arm + "GAAA" + arm.translate(COMPLEMENT)[::-1]
            for arm in arms[: rng.integers(2, 5)]
        )
        return outer + inside + "A" * rng.integers(0, 3) + outer.translate(COMPLEMENT)[::-1]

    sequences = [cloverleaf() for _ in range(150)]
    assert sum(")(" in s.replace(".", "") and s.strip(".")[0] == "(" for s in fold_batch(sequences).structures) > 50
    _assert_as_rnafold(sequences)


@pytest.mark.parametrize("length", [250, 399, 400])
def test_energies_beyond_16_bits(length):
    """A perfect stem of G-C pairs passes -327 kcal/mol; what is folded beside it stays right too."""
    rng = np.random.default_rng(length)
    sequences = [_palindrome(rng, length, 1.0), _random(rng, length), "G" * (length // 2) + "C" * (length // 2)]
    assert fold_batch(sequences[:1]).energies[0] < (-327 if length > 250 else -160)
    _assert_as_rnafold(sequences)


def _nested(rng: np.random.Generator, whole: list[str], n_parts: int) -> tuple[list[str], Nesting]:
    """Sequences and parts of them, shuffled."""
    owners = rng.integers(0, len(whole), n_parts)
    firsts = np.array([rng.integers(0, len(whole[k])) for k in owners])
    ends = np.array([rng.integers(first, len(whole[k])) + 1 for k, first in zip(owners, firsts, strict=True)])
    firsts[:2], ends[:2] = 0, [len(whole[k]) for k in owners[:2]]  # all of it
    ends[2] = firsts[2]  # nothing of it
    parts = [whole[k][first:end] for k, first, end in zip(owners, firsts, ends, strict=True)]
    order = rng.permutation(len(whole) + n_parts)
    place = np.argsort(order)
    all_owners = np.concatenate((np.arange(len(whole)), owners))
    all_firsts = np.concatenate((np.zeros(len(whole), np.int64), firsts))
    sequences = [*whole, *parts]
    return [sequences[k] for k in order], Nesting(place[all_owners[order]], all_firsts[order])


@pytest.mark.parametrize(
    ("lengths", "gc"), [((5, 60), 0.6), ((60, 150), 0.4), ((60, 150), 0.7), ((280, 400), 1.0), ((1, 9), 0.5)]
)
def test_parts_of_others_are_folded_as_by_themselves(lengths, gc):
    rng = np.random.default_rng(sum(lengths))
    few = 3 if lengths[0] > 200 else 30
    whole = [_mutated(rng, _palindrome(rng, length, gc), 0.05) for length in rng.integers(*lengths, few)]
    whole += [_random(rng, length, gc) for length in rng.integers(*lengths, few)]
    sequences, nesting = _nested(rng, whole, 8 * few)
    found, alone = fold_batch_texts(sequences, nesting=nesting), fold_batch(sequences)
    assert found.energies.tolist() == alone.energies.tolist()
    assert list(found.structures) == alone.structures
    if lengths[0] > 200:
        assert alone.energies.min() < -160, "beyond 16 bits"


def test_parts_of_a_multiloop_are_folded_as_by_themselves():
    clover = "GCGGAUUUAGCUCAGUUGGGAGAGCGCCAGACUGAAGAUCUGGAGGUCCUGUGUUCGAUCCACAGAAUUCGCACCA"
    parts = [(first, end) for first in range(0, 40, 3) for end in range(first, len(clover) + 1)]
    owners = np.zeros(len(parts) + 1, np.int64)
    sequences = [clover, *(clover[first:end] for first, end in parts)]
    found = fold_batch_texts(sequences, nesting=Nesting(owners, np.array([0, *(first for first, _ in parts)])))
    assert list(found.structures) == fold_batch(sequences).structures


def test_special_hairpins():
    """Tetraloops and the like, also where they cost more than an ordinary loop of their size."""
    turner = default_turner()
    loops = [*turner.triloops, *turner.tetraloops, *turner.hexaloops]
    _assert_as_rnafold(
        [f"{left}{loop}{right}" for loop in loops for left, right in (("", ""), ("GGC", "GCC"), ("A", "U"))]
    )


def test_other_letters():
    rng = np.random.default_rng(5)
    sequences = [_mutated_to(rng, _palindrome(rng, length), "NRYXKIn") for length in rng.integers(15, 90, 200)]
    sequences += ["NNNNNNNNNN", "ggggaaaacccc", "GGGGTTTTCCCC", "gGgguuuuCCtC"]
    _assert_as_rnafold(sequences)


def _mutated_to(rng: np.random.Generator, sequence: str, letters: str) -> str:
    symbols = list(sequence)
    for position in rng.integers(0, len(symbols), 3):
        symbols[position] = rng.choice(list(letters))
    return "".join(symbols)


@pytest.mark.parametrize("celsius", [20.0, 55.0])
def test_other_temperatures(celsius, other_parameters):
    RNA.cvar.temperature = celsius
    rng = np.random.default_rng(6)
    _assert_as_rnafold([_random(rng, 70) for _ in range(60)], parameters=read_turner())


@pytest.mark.parametrize("loader", ["Andronescu2007", "Langdon2018", "Turner1999"])
def test_other_parameter_sets(loader, other_parameters):
    """Andronescu's have a cost for unpaired bases in multiloops, and cheap multiloops."""
    getattr(RNA, f"params_load_RNA_{loader}")()
    rng = np.random.default_rng(7)
    _assert_as_rnafold([_random(rng, length) for length in rng.integers(20, 140, 100)], parameters=read_turner())


CHEAP_MULTILOOPS = replace(default_turner(), ml_closing=-300, ml_base=-20, ml_stem=-50)


@settings(max_examples=40)
@given(st.text("ACGU", max_size=16), st.sampled_from([default_turner(), CHEAP_MULTILOOPS]))
def test_no_structure_is_better(sequence, turner):
    folded = fold_batch([sequence], parameters=turner)
    energy = round(100 * float(folded.energies[0]))
    assert energy == best_energy(sequence, turner)
    assert energy == Evaluator(sequence, turner).energy(folded.structures[0])


def test_structures_have_the_stated_energy():
    rng = np.random.default_rng(8)
    sequences = [_random(rng, length) for length in rng.integers(20, 200, 100)]
    for sequence, structure, energy in zip(sequences, *fold_batch(sequences), strict=True):
        assert abs(RNA.eval_structure_simple(sequence, structure) - energy) < 0.005


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("ACGU", max_size=70), max_size=70), st.randoms())
def test_results_do_not_depend_on_order_or_grouping(sequences, random):
    folded = fold_batch(sequences)
    order = list(range(len(sequences)))
    random.shuffle(order)
    shuffled = fold_batch([sequences[k] for k in order])
    assert shuffled.structures == [folded.structures[k] for k in order]
    assert np.array_equal(shuffled.energies, folded.energies[order])
    half = len(sequences) // 2
    parts = fold_batch(sequences[:half]), fold_batch(sequences[half:])
    assert parts[0].structures + parts[1].structures == folded.structures


def test_threads_do_not_disturb_each_other():
    rng = np.random.default_rng(9)
    batches = [[_random(rng, length) for length in rng.integers(20, 120, 100)] for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(fold_batch, batches))
    for batch, folded in zip(batches, threaded, strict=True):
        assert folded.structures == fold_batch(batch).structures


def test_nothing_to_fold():
    assert fold_batch([]).structures == []
    folded = fold_batch(["", "GGGGAAAACCCC", ""])
    assert folded.structures == ["", "((((....))))", ""]
    assert folded.energies.tolist() == [0.0, np.float32(-5.4), 0.0]


@pytest.mark.parametrize(
    ("sequence", "message"),
    [
        ("A" * (MAX_LENGTH + 1), "sequence 2 .* has 401 nt"),
        ("GG-CC", "holds '-'"),
        ("GG CC", "holds ' '"),
        ("GGé", "holds 'é'"),
    ],
)
def test_bad_input_is_refused(sequence, message):
    with pytest.raises(InputError, match=message):
        fold_batch(["ACGU", sequence])
