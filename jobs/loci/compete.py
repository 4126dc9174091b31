"""Candidates of any length that compete for a place on a strand become one locus: the best of them.

A hairpin's other strand is a hairpin too. It does not compete: scores tell too unreliably which of the two strands a
precursor is on, and on human chr20 more known precursors would lose their place to their antisense than keep it.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mirsweep.jobs.results.overlap import share_half

__all__ = ["NO_RIVAL", "Places", "Winners", "compete"]

NO_RIVAL = -12.0
"""Log odds that stand for no rival at all; lower than any hairpin's that the second pass looks at."""


class Places(NamedTuple):
    """Candidates of one contig, sorted by start.

    Attributes
    ----------
    starts, ends
        0-based half-open on the forward strand, int64, shape (n,).
    is_forward
        Strand, bool, shape (n,).
    log_odds
        Of the score, float64, shape (n,).
    """

    starts: np.ndarray
    ends: np.ndarray
    is_forward: np.ndarray
    log_odds: np.ndarray


class Winners(NamedTuple):
    """The loci of a contig, by start.

    Attributes
    ----------
    rows
        The best candidate of each locus, int64, shape (m,).
    n_competing
        Candidates of its strand that share half of the shorter one or more with it; int64, shape (m,).
    antisense
        Highest log odds of those on the other strand; ``NO_RIVAL`` for none; float64, shape (m,).
    """

    rows: np.ndarray
    n_competing: np.ndarray
    antisense: np.ndarray


class _Winner(NamedTuple):
    row: int
    n_competing: int
    antisense: float


def compete(places: Places) -> Winners:
    """The best of the candidates that compete for a place.

    Best first, each candidate that shares half of the shorter one with no better locus of its strand becomes a locus.
    Equal ones go by start, then end: the result depends on the rows alone.
    """
    groups = pairwise(_group_bounds(places))
    found = [winner for first, last in groups for winner in _winners(places, first, last)]
    return Winners(
        np.array([winner.row for winner in found], np.int64),
        np.array([winner.n_competing for winner in found], np.int64),
        np.array([winner.antisense for winner in found], np.float64),
    )


def _group_bounds(places: Places) -> list[int]:
    """Rows at which no earlier candidate goes on, and the number of rows."""
    n = len(places.starts)
    is_first = np.ones(n, bool)
    is_first[1:] = places.starts[1:] >= np.maximum.accumulate(places.ends)[:-1]
    return [*np.flatnonzero(is_first).tolist(), n]


def _winners(places: Places, first: int, last: int) -> Iterator[_Winner]:
    """Loci among the candidates [first, last), which overlap no others, by start."""
    if last - first == 1:
        yield _Winner(first, 0, NO_RIVAL)
        return
    group = Places(*(column[first:last] for column in places))
    longest = int((group.ends - group.starts).max())
    is_lost = np.zeros(last - first, bool)
    chosen = {}
    for k in np.lexsort((group.ends, group.starts, -group.log_odds)).tolist():
        if not is_lost[k]:
            rivals = _competing(group, k, longest)
            is_same = group.is_forward[rivals] == group.is_forward[k]
            chosen[k] = _Winner(first + k, int(is_same.sum()), _highest(group.log_odds[rivals[~is_same]]))
            is_lost[rivals[is_same]] = True
    yield from (chosen[k] for k in sorted(chosen))


def _competing(group: Places, k: int, longest: int) -> np.ndarray:
    """The others that share half of the shorter one or more with a candidate, int64; none exceeds ``longest`` nt."""
    first, last = np.searchsorted(group.starts, [group.starts[k] - longest, group.ends[k]])
    starts, ends = group.starts[first:last], group.ends[first:last]
    competes = share_half(starts, ends, group.starts[k], group.ends[k])
    competes[k - first] = False
    return np.asarray(first + np.flatnonzero(competes))


def _highest(log_odds: np.ndarray) -> float:
    return float(log_odds.max(initial=NO_RIVAL))
