"""The prefilter against its oracles, and what a user relies on: ends, breaks, energies."""

import numpy as np
import pytest
import RNA
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from mirsweep.scanner import InputError, find_hairpins, params, prefilter
from mirsweep.scanner import _prefilter_kernels as kernels
from mirsweep.scanner.alphabet import encode
from mirsweep.scanner.energy import stem_loop_energies
from mirsweep.scanner.params import HairpinParams
from mirsweep.scanner.prefilter import strand_hairpins
from mirsweep.scanner.units import FORBIDDEN

LET7 = "CACUGUGGGAUGAGGUAGUAGGUUGUAUAGUUUUAGGGUCACACCCACCACUGGGAGAUAACUAUACAAUCUACUGUCUUUCCUAACGUG"


def best_from_each_start(codes, **options):
    (best, no_best), (spans, no_spans) = prefilter._best_from_each_start(codes, HairpinParams(**options))
    assert (no_best == FORBIDDEN).all()
    assert not no_spans.any()
    return [(int(b), int(s)) for b, s in zip(best, spans, strict=True)]


def crowded(seed, n_stems=16):
    """Codes of stems of 5 to 20 pairs one after another, with loops, mismatches, or nothing between them."""
    rng = np.random.default_rng(seed)
    pieces = []
    for n_pairs in rng.integers(5, 21, n_stems):
        arm = rng.integers(0, 4, n_pairs)
        other = 3 - arm[::-1]
        other[rng.random(n_pairs) < 0.15] = rng.integers(0, 4)
        pieces += [arm, rng.integers(0, 4, rng.integers(3, 9)), other, rng.integers(0, 4, rng.integers(0, 12))]
    return np.concatenate(pieces).astype(np.uint8)


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


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from([0.0, 2.0]), st.sampled_from([24, 9, 44, 60]))
def test_hairpins_of_a_strand_equal_the_oracle(seed, nested, long_penalty, long_span):
    options = {
        "min_span": 10, "max_span": 44, "per_nt": 0.15, "threshold": -1.0, "nested": nested,
        "long_span": long_span, "long_penalty": long_penalty,
    }  # fmt: skip
    codes = crowded(seed, n_stems=6)
    found = strand_hairpins(codes, HairpinParams(**options))
    units = np.round(found.penalised * 20).astype(int)
    rows = list(zip(found.starts.tolist(), found.ends.tolist(), units.tolist(), strict=True))
    assert rows == reference.strand_hairpins(codes, **options, window=params.WINDOW, rounds=params.ROUNDS)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(20, 40), st.integers(-9, 0)), max_size=12),
    st.lists(st.tuples(st.integers(0, 60), st.integers(41, 60), st.integers(-9, 0)), max_size=12),
)
def test_keep_different_equals_the_oracle(short, long):
    lists = [[(start, start + span, energy) for start, span, energy in sorted(rows)] for rows in (short, long)]
    columns = [np.array(rows, np.int64).reshape(-1, 3).T.copy() for rows in lists]
    kept = [np.empty(len(rows), bool) for rows in lists]
    kernels.keep_different(*columns[0], *columns[1], 60, *kept)
    found = sorted(
        row for rows, keeps in zip(lists, kept, strict=True) for row, keep in zip(rows, keeps, strict=True) if keep
    )
    assert found == reference.keep_different(*lists)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.booleans(), st.integers(0, 900), st.integers(1, 300))
def test_what_lies_beyond_the_reach_does_not_matter(seed, nested, first, width):
    options = {"min_span": 10, "max_span": 40, "per_nt": 0.15, "threshold": -1.0, "long_span": 24}
    params = HairpinParams(**options, long_penalty=2.0, nested=nested)
    codes = crowded(seed, n_stems=40)
    start, end = max(0, first - params.reach_nt), first + width + params.reach_nt
    rows = []
    for offset, part in ((0, codes), (start, codes[start:end])):
        found = strand_hairpins(part, params)
        columns = (found.starts + offset, found.ends + offset, found.penalised)
        rows.append([row for row in zip(*columns, strict=True) if first <= row[0] < first + width])
    assert rows[0] == rows[1]


def test_nested_hairpins_are_one_and_the_longer_one_around_it():
    """A stem of 34 pairs, an interior loop of two, 22 more pairs: whole at 121 nt, and what fits in 95."""
    rng = np.random.default_rng(4)
    inner, outer = ("".join(rng.choice(list("ACGU"), n)) for n in (34, 22))
    mirror = str.maketrans("ACGU", "UGCA")
    sequence = outer + "A" + inner + "GAAAACG" + inner.translate(mirror)[::-1] + "A" + outer.translate(mirror)[::-1]
    options = {"per_nt": 0.15, "threshold": -20, "long_penalty": 8.0, "long_span": 95}
    (alone,) = find_hairpins(sequence, **options).to_pylist()
    whole, within = find_hairpins(sequence, **options, nested=True).to_pylist()
    assert alone in (whole, within)
    assert (whole["start"], whole["end"]) == (0, len(sequence))
    assert within["end"] - within["start"] <= 95
    for row, step in ((whole, 8.0), (within, 0.0)):
        assert row["penalised"] == pytest.approx(row["energy"] + 0.15 * (row["end"] - row["start"]) + step, abs=1e-3)


def test_a_long_hairpin_that_is_nearly_the_short_one_is_none():
    options = {"per_nt": 0.15, "threshold": -7.5, "long_span": 80}
    (short,) = find_hairpins(LET7, **options | {"long_span": 130}, nested=True).to_pylist()
    assert short["end"] - short["start"] > 85
    (same,) = find_hairpins(LET7, **options, nested=True).to_pylist()
    assert same == short


def test_neither_pieces_nor_blocks_show(monkeypatch):
    codes = crowded(5, n_stems=60)
    assert codes.size > 3 * kernels.BLOCK
    whole = best_from_each_start(codes)
    for first in (1, 37, 500):  # other starts share a block then
        assert best_from_each_start(codes[first:]) == whole[first:]
    monkeypatch.setattr(prefilter, "PIECE", kernels.BLOCK)
    assert best_from_each_start(codes) == whole


@pytest.mark.parametrize("border", [kernels.BLOCK, 2 * kernels.BLOCK])
def test_hairpins_across_a_border_of_blocks_equal_the_oracle(border):
    options = {"min_span": 10, "max_span": 44, "per_nt": 0.15, "long_span": 44, "long_penalty": 0.0}
    codes = crowded(8, n_stems=50)
    first, last = border - 50, border + 10
    expected = reference.best_stem_loops(codes[first : last + 44], **options)[: last - first]
    assert best_from_each_start(codes, **options)[first:last] == expected
    assert min(energy for energy, _ in expected) < 0


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
    short = prefilter._best_from_each_start(codes, HairpinParams(max_span=100))[0][0]
    long = prefilter._best_from_each_start(codes, HairpinParams(max_span=300))[0][0]
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
