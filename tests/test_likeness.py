"""What similarity to known precursors counts, against plain Python and for the cases that it is made for."""

import math
from statistics import mean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirsweep.jobs.loci.combination import terms_of
from mirsweep.jobs.loci.features import Evidence
from mirsweep.jobs.loci.known_arms import Similarity
from mirsweep.jobs.loci.likeness import MOST, SIMILAR, LociPlaces, find_likeness
from mirsweep.jobs.results.overlap import overlaps_by_half

LOCUS = st.tuples(
    st.integers(0, 1),  # genome
    st.integers(0, 1),  # contig
    st.integers(0, 300),  # start
    st.integers(40, 150),  # length
    st.booleans(),  # forward
    st.sampled_from([0.0, 15.5, 16.0, 18.5, 20.0, 22.0, 28.0]),  # similarity
    st.integers(0, 2),  # family
    st.sampled_from([-2.0, 0.0, 3.0]),  # log odds
    st.sampled_from([1.0, 1.25, 4.0]),  # copies
)


def found(rows):
    genome, contig, start, length, forward, value, family, log_odds, copies = (
        np.array([row[k] for row in rows]) for k in range(9)
    )
    places = LociPlaces(genome.astype(np.int64), contig, start, start + length, forward.astype(bool))
    return find_likeness(places, Similarity(value.astype(float), family.astype(np.int64)), log_odds, copies)


def plain(rows):
    """Family, number, likeness and known antisense of each locus, straight from the definition."""
    family = [row[6] if row[5] >= SIMILAR else -1 for row in rows]
    alike = [
        [j for j in range(len(rows)) if family[j] == family[k] and rows[j][0] == rows[k][0]] for k in range(len(rows))
    ]
    alike = [[j for j in own if rows[j][5] >= rows[k][5] - 2] for k, own in enumerate(alike)]
    number = [len(own) if family[k] >= 0 else 0 for k, own in enumerate(alike)]
    base = []
    for k, row in enumerate(rows):
        penalty = 2 * math.log2(number[k]) * mean(math.log2(rows[j][8]) for j in alike[k]) if number[k] else 0
        base.append(row[5] - SIMILAR - penalty)
    opposite = [
        [
            j
            for j, other in enumerate(rows)
            if other[:2] == row[:2]
            and other[4] != row[4]
            and overlaps_by_half(row[2], row[2] + row[3], other[2], other[2] + other[3])
        ]
        for row in rows
    ]
    out = []
    for k, row in enumerate(rows):
        best = max((rows[j][7] + base[j] for j in opposite[k] if base[j] > 0), default=-99)
        out.append(0 if best > row[7] + base[k] else min(MOST, max(0, base[k])))
    antisense = [
        max((rows[j][7] + out[j] for j in own if out[j] > out[k]), default=-math.inf) for k, own in enumerate(opposite)
    ]
    return family, number, out, antisense


@given(st.lists(LOCUS, max_size=9).map(sorted))
@settings(max_examples=200, deadline=None)
def test_likeness_equals_the_plain_one(rows):
    likeness = found(rows)
    family, number, value, antisense = plain(rows)
    assert likeness.family.tolist() == family
    assert likeness.n_similar.tolist() == number
    assert likeness.value.tolist() == pytest.approx(value)
    assert likeness.antisense.tolist() == pytest.approx(antisense)


def test_a_family_of_repeats_is_no_evidence_and_a_family_of_single_genes_is():
    """Forty loci similar to one family: copies of each other, or each on its own."""
    values = {
        copies: found([(0, 0, 1000 * k, 80, True, 24.0, 1, 0.0, copies) for k in range(40)]).value.tolist()
        for copies in (2.5, 1.0)
    }
    assert values[2.5] == [0] * 40
    assert values[1.0] == [MOST] * 40


def test_what_is_like_a_family_by_chance_is_no_repeat_of_it():
    """A true member among many copies that are less similar."""
    rows = [(0, 0, 1000 * k, 80, True, 17.0, 1, 0.0, 4.0) for k in range(40)]
    likeness = found([*rows, (0, 0, 90_000, 80, True, 27.0, 1, 0.0, 1.0)])
    assert likeness.value.tolist() == [0] * 40 + [MOST]
    assert likeness.n_similar.tolist() == [41] * 40 + [1]


def test_of_two_strands_the_likelier_one_is_similar():
    """The antisense of a known hairpin is similar to it, too."""
    sense, antisense = (0, 0, 100, 90, True, 28.0, 1, 4.0, 1.0), (0, 0, 104, 88, False, 25.0, 1, -1.0, 1.0)
    elsewhere = (0, 0, 400, 88, False, 25.0, 1, -1.0, 1.0)
    likeness = found([sense, antisense, elsewhere])
    assert likeness.value.tolist() == [MOST, 0, MOST]
    assert likeness.antisense.tolist() == [-math.inf, 4.0 + MOST, -math.inf]


def test_a_strand_is_told_by_the_family_of_the_other_alone():
    """A hairpin that is not similar itself, opposite one that is; and two of which neither is."""
    known, other = (0, 0, 100, 90, True, 20.0, 1, 0.0, 1.0), (0, 0, 104, 88, False, 0.0, 0, 3.0, 1.0)
    plain_one = (0, 0, 100, 90, True, 0.0, 0, 5.0, 1.0)
    assert found([known, other]).antisense.tolist() == [-math.inf, 4.0]
    assert found([plain_one, other]).antisense.tolist() == [-math.inf, -math.inf]


def test_log_odds_count_less_opposite_a_known_hairpin():
    """The likelier the known one, the less; and not at all where there is none."""
    antisense = np.array([-math.inf, -12.0, 0.0, 6.0])
    one = np.ones(4)
    evidence = Evidence(2 * one, one, one, 0 * one, 5 * one, 0 * one, 0 * one, 0 * one, 0 * one, antisense)
    assert terms_of(evidence)[:, 0].tolist() == pytest.approx([2.0, 2.0, 2 - math.log(2), 2 - 6.0025], abs=1e-4)
