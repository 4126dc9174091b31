"""Competition of candidates for a place against plain Python, and what it promises."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mirsweep.jobs.loci.compete import NO_RIVAL, Places, compete

candidates = st.lists(
    st.tuples(st.integers(0, 300), st.integers(40, 120), st.booleans(), st.integers(-6, 6)), max_size=25
).map(lambda found: sorted({(start, start + length, strand, odds) for start, length, strand, odds in found}))


def places(found):
    columns = list(zip(*found, strict=True)) or [(), (), (), ()]
    types = (np.int64, np.int64, bool, np.float64)
    return Places(*(np.array(column, dtype) for column, dtype in zip(columns, types, strict=True)))


def overlaps(one, other):
    return 2 * (min(one[1], other[1]) - max(one[0], other[0])) >= min(one[1] - one[0], other[1] - other[0])


def competes(one, other):
    return one[2] == other[2] and overlaps(one, other)


def reference(found):
    """Best first, whoever competes with no locus so far; then by place."""
    loci = []
    for candidate in sorted(found, key=lambda c: (-c[3], c[0], c[1])):
        if not any(competes(candidate, locus) for locus in loci):
            loci.append(candidate)
    rows = []
    for locus in loci:
        n_competing = sum(competes(c, locus) for c in found if c is not locus)
        antisense = max((c[3] for c in found if c[2] != locus[2] and overlaps(c, locus)), default=NO_RIVAL)
        rows.append((found.index(locus), n_competing, antisense))
    return sorted(rows)


@given(candidates)
def test_competition_equals_the_plain_one(found):
    winners = compete(places(found))
    assert list(zip(*(column.tolist() for column in winners), strict=True)) == reference(found)


@given(candidates)
def test_every_candidate_is_a_locus_or_loses_to_a_better_one(found):
    winners = compete(places(found))
    loci = [found[row] for row in winners.rows]
    for candidate in found:
        assert candidate in loci or any(competes(candidate, locus) and locus[3] >= candidate[3] for locus in loci)
    assert not any(competes(one, other) for k, one in enumerate(loci) for other in loci[:k])


def test_a_hairpin_is_one_locus_a_strand():
    found = [(100, 180, False, 1.0), (102, 181, True, 3.0), (110, 160, True, 2.0), (400, 480, True, 0)]
    winners = compete(places(found))
    assert winners.rows.tolist() == [0, 1, 3]
    assert winners.n_competing.tolist() == [0, 1, 0]
    assert winners.antisense.tolist() == [3.0, 1.0, NO_RIVAL]
