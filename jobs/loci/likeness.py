"""What the similarity of loci to known precursors counts: less for families of repeats, nothing on the other strand."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mirsweep.expand import expanded
from mirsweep.jobs.loci.known_arms import Similarity
from mirsweep.jobs.results.overlap import share_half

__all__ = ["MOST", "NAMED", "SIMILAR", "Likeness", "LociPlaces", "find_likeness"]

SIMILAR = 16.0
"""Similarity from which on it counts, bases: a seventh of the loci of C. elegans X have as much by chance."""
NAMED = 18.0
"""Similarity from which on the family is told: one in eighty has as much by chance."""
MOST = 6.0
"""The most that likeness can be: a hairpin with both arms of a known one is no likelier than one with nearly both."""
_PER_DOUBLING = 2.0
_NEARLY = 2.0
"""A family's loci whose similarity is less by at most so much are as similar to it."""


class LociPlaces(NamedTuple):
    """Loci in order of genome, contig and start; shape (n,).

    Attributes
    ----------
    genome, contig
        Numbers of each; int64.
    starts, ends
        0-based half-open on the forward strand, int64.
    is_forward
        Strand, bool.
    """

    genome: np.ndarray
    contig: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    is_forward: np.ndarray


class Likeness(NamedTuple):
    """Of each locus; shape (n,).

    Attributes
    ----------
    family
        Index of the family that it is similar to, int64; -1 for a similarity below ``SIMILAR``.
    n_similar
        Loci of its genome that are as similar to the same family, or less by 2 at most, itself included, int64; 0 below
        ``SIMILAR``.
    value
        What its similarity counts, 0 to ``MOST``, float64.
    antisense
        Highest sum of log odds and value of a locus that shares half of the shorter one with it, on the other strand,
        and is more like a known precursor; -inf for none; float64.
    """

    family: np.ndarray
    n_similar: np.ndarray
    value: np.ndarray
    antisense: np.ndarray


def find_likeness(places: LociPlaces, similar: Similarity, log_odds: np.ndarray, copies: np.ndarray) -> Likeness:
    """What the similarity of loci to known precursors counts.

    The bases beyond ``SIMILAR``. Some known families are repeats, of which a genome has many copies: for each doubling
    of the loci that are as similar to the family, twice the mean binary logarithm of their copies is taken off. The
    other strand of a known hairpin is similar to it, since its arms pair: of two loci that share half of the shorter
    one, on two strands, that with the lesser sum of log odds and this difference has none. At most ``MOST`` counts.

    Parameters
    ----------
    log_odds, copies
        Of the loci, float64, shape (n,); see :class:`mirsweep.jobs.loci.features.Evidence`.
    """
    family = np.where(similar.value >= SIMILAR, similar.family, -1)
    n_similar, mean_copies = _as_similar(places.genome, family, similar.value, np.log2(copies))
    beyond = similar.value - SIMILAR - _PER_DOUBLING * np.log2(np.maximum(1, n_similar)) * mean_copies
    value = np.clip(beyond, 0.0, MOST)
    one, other = _on_two_strands(places)
    loses = np.zeros(len(value), bool)
    worth = log_odds + beyond
    loses[one[(value[other] > 0) & (worth[one] < worth[other])]] = True
    value = np.where(loses, 0.0, value)
    antisense = np.full(len(value), -np.inf)
    is_less = value[one] < value[other]
    np.maximum.at(antisense, one[is_less], (log_odds + value)[other[is_less]])
    return Likeness(family, n_similar, value, antisense)


def _as_similar(
    genome: np.ndarray, family: np.ndarray, similarity: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Loci of each locus's genome and family that are as similar, int64, and the mean of their values; 0 without a
    family."""
    n, means = np.zeros(len(family), np.int64), np.zeros(len(family))
    order = np.lexsort((-similarity, family, genome))
    order = order[family[order] >= 0]
    is_first = np.any([np.diff(column[order], prepend=-1) != 0 for column in (genome, family)], axis=0)
    for first, last in pairwise([*np.flatnonzero(is_first).tolist(), len(order)]):
        own = order[first:last]
        n[own] = np.searchsorted(-similarity[own], _NEARLY - similarity[own], side="right")
        means[own] = np.cumsum(values[own])[n[own] - 1] / n[own]
    return n, means


def _on_two_strands(places: LociPlaces) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of loci on the two strands of a contig that share half of the shorter one or more, both ways round."""
    n = len(places.starts)
    is_first = np.zeros(n, np.int64)
    is_first[1:] = np.any([np.diff(column) != 0 for column in (places.genome, places.contig)], axis=0)
    shift = np.cumsum(is_first) * (places.ends.max(initial=0) + 1)
    starts, ends = places.starts + shift, places.ends + shift
    forward, reverse = np.flatnonzero(places.is_forward), np.flatnonzero(~places.is_forward)
    first = np.searchsorted(np.maximum.accumulate(ends[reverse]), starts[forward], side="right")
    last = np.searchsorted(starts[reverse], ends[forward])
    row, step = expanded(np.maximum(0, last - first))
    one, other = forward[row], reverse[first[row] + step]
    competes = share_half(starts[one], ends[one], starts[other], ends[other])
    one, other = one[competes], other[competes]
    return np.concatenate([one, other]), np.concatenate([other, one])
