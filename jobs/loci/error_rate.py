"""How many loci are false in *this* genome: targets and decoys, as in proteomics.

A genome read backwards but not complemented keeps its composition, its repeats and its inverted repeats, and holds no
miRNA. What the same scan finds there, at the same score, it finds by mistake. But a precursor read backwards is a
hairpin too, and mostly a good one: it tells nothing of the genome's other hairpins, and does not count.
"""

from typing import NamedTuple

import numpy as np

from mirsweep.jobs.loci.combination import Rates

__all__ = ["ENOUGH", "NO_DECOYS", "PRIOR", "SURE", "DecoyScores", "ErrorRates", "error_rates", "without_precursors"]

ENOUGH = 10
"""Above the score of so many decoys the rate falls as on other genomes: fewer say little of how it falls."""
PRIOR = 2.0
"""False loci that the fixed rates count for: decoys outweigh them where more than two are expected."""
SURE = 0.05
"""Loci at this false discovery rate are taken for precursors, where it is asked which decoys are one read backwards."""
_LOW, _HIGH = 0.05, 0.95


class DecoyScores(NamedTuple):
    """Loci of the decoys.

    Attributes
    ----------
    scores
        ``locus_score`` of each, float64, shape (m,).
    mb
        Mb that were scanned for them.
    facing
        Highest ``locus_score`` of the genome's loci at the same place, -inf for none; float64, shape (m,). None if that
        is not known.
    """

    scores: np.ndarray
    mb: float
    facing: np.ndarray | None = None


NO_DECOYS = DecoyScores(np.empty(0), 0.0)
"""Of a scan without decoys, or whose decoys hold nothing that can be scanned."""


class ErrorRates(NamedTuple):
    """Of each locus; float64, shape (n,).

    Attributes
    ----------
    fp_per_mb
        False loci per Mb of this genome with a score at least this one; rises as scores fall.
    low, high
        Ends of its interval of 90 %; nan without decoys.
    q_value
        Lowest share of false ones among the loci down to this score or any lower one, 0 to 1.
    """

    fp_per_mb: np.ndarray
    low: np.ndarray
    high: np.ndarray
    q_value: np.ndarray


def without_precursors(scores: np.ndarray, mb: float, decoys: DecoyScores, rates: Rates) -> DecoyScores:
    """The decoys but for those that face a sure locus: one with a q-value of ``SURE`` by all decoys.

    This is done once. Repeated with the q-values that follow, it would let false loci take away their own decoys.
    Parameters are those of :func:`error_rates`.
    """
    if decoys.facing is None:
        return decoys
    sure = scores[error_rates(scores, mb, decoys, rates).q_value <= SURE]
    counts = decoys.facing < sure.min(initial=np.inf)
    return DecoyScores(decoys.scores[counts], decoys.mb, decoys.facing[counts])


def error_rates(scores: np.ndarray, mb: float, decoys: DecoyScores, rates: Rates) -> ErrorRates:
    """Error rates of the loci of a genome.

    The rate is the fixed one times a factor: how this genome differs from those that the fixed rate was measured on.
    The number of decoys above a score is Poisson distributed. Before any is seen, the factor has a gamma distribution
    of mean 1 and shape ``PRIOR``; n decoys where the fixed rate expects e make it one of shape ``PRIOR`` + n and mean
    (``PRIOR`` + n) / (``PRIOR`` + e). Above the score of the ``ENOUGH``-th decoy the factor stays what it is there.

    Two guards keep the rate from being too low: it is never below decoys per Mb, nor below the fixed one where there
    are fewer decoys than ``ENOUGH`` in all. The interval's upper end is that of the decoys alone where that is higher.

    Parameters
    ----------
    scores, mb
        ``locus_score`` of the loci, shape (n,), in any order; the Mb that were scanned for them.
    decoys
        Those of the same genome, by the same second pass; ``NO_DECOYS`` for none: rates are then the fixed ones. All
        count: see :func:`without_precursors`.
    rates
        The fixed ones, measured on other genomes.
    """
    fixed = rates.at(scores)
    if not decoys.mb:
        unknown = np.full(len(scores), np.nan)
        return ErrorRates(fixed, unknown, unknown, _q_values(scores, fixed * mb))
    from scipy.special import gammaincinv  # quantiles of the gamma distribution; is slow to import

    n_above, anchors, least = _n_at_least(decoys.scores, scores), scores, fixed
    if len(decoys.scores) >= ENOUGH:
        anchors, least = np.minimum(scores, np.sort(decoys.scores)[-ENOUGH]), np.zeros(len(scores))
    shape = PRIOR + _n_at_least(decoys.scores, anchors)
    scale = fixed / (PRIOR + decoys.mb * rates.at(anchors))
    rate = np.maximum.reduce([shape * scale, n_above / decoys.mb, least])
    low = np.minimum(gammaincinv(shape, _LOW) * scale, rate)
    alone = gammaincinv(n_above + 1, _HIGH) / decoys.mb
    high = np.maximum.reduce([gammaincinv(shape, _HIGH) * scale, alone, rate])
    return ErrorRates(rate, low, high, _q_values(scores, rate * mb))


def _q_values(scores: np.ndarray, n_false: np.ndarray) -> np.ndarray:
    """Lowest share of false loci at each score or below, of the number expected at or above each score."""
    order = np.argsort(-scores, kind="stable")
    shares = np.minimum(1.0, n_false / np.maximum(1, _n_at_least(scores, scores)))
    q_values = np.empty(len(scores))
    q_values[order] = np.minimum.accumulate(shares[order][::-1])[::-1]
    return q_values


def _n_at_least(values: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """How many values are at least each score; int64, shape (n,)."""
    return len(values) - np.searchsorted(np.sort(values), scores, side="left")
