"""The prefilter against its oracles, and what a user relies on: ends, breaks, energies."""

import numpy as np
import pytest
import RNA
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from mirsweep.scanner import InputError, find_hairpins, prefilter
from mirsweep.scanner import _prefilter_kernels as kernels
from mirsweep.scanner.alphabet import encode
from mirsweep.scanner.energy import stem_loop_energies
from mirsweep.scanner.prefilter import HairpinParams, strand_hairpins

LET7 = "CACUGUGGGAUGAGGUAGUAGGUUGUAUAGUUUUAGGGUCACACCCACCACUGGGAGAUAACUAUACAAUCUACUGUCUUUCCUAACGUG"


def best_from_each_start(codes, **options):
    best, spans = prefilter._best_from_each_start(codes, HairpinParams(**options))
    return [(int(b), int(s)) for b, s in zip(best, spans, strict=True)]


@st.composite
def strands(draw):
    """Codes with what is hard: hairpins, repeats, N runs, all lengths from 0."""
    pieces = draw(
        st.lists(
            st.one_of(
                st.lists(st.integers(0, 3), max_size=30),
                st.builds(lambda c, n: [c] * n, st.integers(0, 4), st.integers(0, 20)),
                st.lists(st.integers(0, 3), min_size=6, max_size=16).map(
                    lambda arm: [*arm, 0, 0, 0, 0, *[3 - c for c in reversed(arm)]]
                ),
            ),
            max_size=4,
        )
    )
    return np.array([c for piece in pieces for c in piece], np.uint8)


@settings(max_examples=60)
@given(strands(), st.sampled_from([0.0, 2.5, 8.0]))
def test_best_stem_loops_equal_the_oracle(codes, long_penalty):
    options = {"min_span": 10, "max_span": 40, "per_nt": 0.25, "long_span": 24, "long_penalty": long_penalty}
    assert best_from_each_start(codes, **options) == reference.best_stem_loops(codes, **options)


def test_best_stem_loops_equal_the_oracle_on_a_precursor():
    options = {"min_span": 40, "max_span": 130, "per_nt": 0.15, "long_span": 80, "long_penalty": 8.0}
    codes = encode(LET7.encode())
    assert best_from_each_start(codes, **options) == reference.best_stem_loops(codes, **options)


def test_blocks_do_not_show(monkeypatch):
    codes = np.random.default_rng(5).integers(0, 4, 3000).astype(np.uint8)
    whole = best_from_each_start(codes)
    for width in (7, 256, 1000):
        monkeypatch.setattr(prefilter, "BLOCK_STARTS", width)
        assert best_from_each_start(codes) == whole


@settings(max_examples=100)
@given(st.lists(st.integers(-60, 5), max_size=80), st.integers(0, 12))
def test_local_minima_equal_the_oracle(energies, window):
    best = np.array(energies, np.int16)
    out = np.empty(best.size, np.int64)
    count = kernels.local_minima(best, -5, window, out)
    assert out[:count].tolist() == reference.local_minima(energies, threshold=-5, window=window)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 150), st.integers(20, 60), st.integers(-9, 0)), max_size=25),
    st.integers(1, 3),
)
def test_keep_best_equals_the_oracle(hairpins, rounds):
    rows = [(start, start + span, energy) for start, span, energy in sorted(hairpins, key=lambda h: h[0])]
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    state = np.empty(len(rows), np.uint8)
    kernels.keep_best(*(np.ascontiguousarray(c) for c in columns), 60, rounds, state)
    assert np.flatnonzero(state == kernels.KEPT).tolist() == reference.keep_best(rows, rounds=rounds)


def test_precursor_is_found_with_its_ends():
    rng = np.random.default_rng(2)
    offsets = []
    for _ in range(20):
        flanks = ["".join(rng.choice(list("ACGU"), 200)) for _ in range(2)]
        rows = find_hairpins(flanks[0] + LET7 + flanks[1]).to_pylist()
        best = min(rows, key=lambda row: row["penalised"])
        assert best["penalised"] == pytest.approx(best["energy"] + 0.25 * (best["end"] - best["start"]), abs=1e-4)
        offsets += [200 - best["start"], best["end"] - 200 - len(LET7)]
    assert abs(np.median(offsets)) <= 5
    assert max(offsets, key=abs) <= 40


def test_a_long_stem_is_cut_unless_it_is_much_better():
    """A stem of 49 pairs ends below 95 nt, or is kept whole, by what its outer pairs are worth."""
    rng = np.random.default_rng(8)
    inner = "".join(rng.choice(list("ACGU"), 40))
    mirror = str.maketrans("ACGU", "UGCA")
    weak, strong = "AUAAUUAUA", "GCCGGCGCC"
    lengths = {}
    for outer in (weak, strong):
        arm = outer + inner
        sequence = arm + "GAAAAC" + arm.translate(mirror)[::-1]
        (row,) = find_hairpins(sequence, per_nt=0.15, threshold=-20, long_penalty=8.0).to_pylist()
        lengths[outer] = row["end"] - row["start"]
        step = 8.0 if lengths[outer] > 95 else 0.0
        assert row["penalised"] == pytest.approx(row["energy"] + 0.15 * lengths[outer] + step, abs=1e-3)
    assert lengths[weak] <= 95
    assert lengths[strong] == 104


def test_a_hairpin_inside_one_more_than_twice_its_length_stays():
    starts, ends = np.array([0, 30, 31]), np.array([120, 85, 86])
    state = np.empty(3, np.uint8)
    kernels.keep_best(starts, ends, np.array([-30, -9, -8]), 130, 2, state)
    assert (state == kernels.KEPT).tolist() == [True, True, False]


@pytest.mark.parametrize("letter", ["N", "R", "-", "*"])
def test_no_hairpin_contains_a_break(letter):
    broken = LET7[:40] + letter + LET7[41:]
    for row in find_hairpins(broken, threshold=20, min_span=20).to_pylist():
        assert letter not in broken[row["start"] : row["end"]]


def test_case_and_t_do_not_matter():
    assert find_hairpins(LET7).equals(find_hairpins(LET7.lower().replace("u", "t")))
    assert find_hairpins(LET7).num_rows == 1


@pytest.mark.parametrize("sequence", ["", "A", "ACGU", "N" * 200, "A" * 500, "GU" * 20])
def test_nothing_to_find(sequence):
    assert find_hairpins(sequence).num_rows == 0


@pytest.mark.parametrize(
    "options",
    [
        {"min_span": 5},
        {"max_span": 401},
        {"min_span": 80, "max_span": 60},
        {"per_nt": 0.12},
        {"threshold": 1e4},
        {"long_penalty": 0.01},
        {"long_penalty": -1.0},
    ],
)
def test_parameters_out_of_range_are_refused(options):
    with pytest.raises(InputError, match="choose"):
        find_hairpins("ACGU", **options)


def test_the_longer_search_keeps_what_the_shorter_found():
    codes = np.random.default_rng(3).integers(0, 4, 4000).astype(np.uint8)
    short = prefilter._best_from_each_start(codes, HairpinParams(max_span=100))[0]
    long = prefilter._best_from_each_start(codes, HairpinParams(max_span=300))[0]
    assert (long <= short).all()


def test_stacks_are_those_of_viennarna():
    """A stem of two stacked pairs differs from one without the outer pair by exactly that stack."""
    tables = stem_loop_energies(60)
    letters = "ACGU"
    pairs = sorted(reference.WATSON_CRICK | reference.WOBBLE)
    for outer in pairs:
        for inner in pairs:
            x = [letters[c] for c in (*outer, *inner)]
            compound = RNA.fold_compound(x[0] + x[2] + "GAAAAC" + x[3] + x[1])
            table = RNA.ptable("(((....)))")
            assert reference.stack_energy(tables, outer, inner) * 5 == compound.eval_loop_pt(1, table)


def test_energy_stays_close_to_rnafold():
    """The model's approximation: RNAfold's minimum is lower or at most 4 kcal/mol above (mean mismatches)."""
    codes = np.random.default_rng(11).integers(0, 4, 200_000).astype(np.uint8)
    hairpins = strand_hairpins(codes, HairpinParams(threshold=-6))
    letters = np.array(list("ACGU"))
    gaps = []
    for start, end, energy in zip(hairpins.starts, hairpins.ends, hairpins.energies, strict=True):
        gaps.append(energy - RNA.fold("".join(letters[codes[start:end]]))[1])
    assert len(gaps) > 100
    assert min(gaps) > -4
    assert np.median(gaps) < 4
