"""How surprising a match is: scores of sequences that are no miRNA tell what chance gives."""

from typing import NamedTuple

import numpy as np

__all__ = ["Null", "fit_null", "q_values"]

_SMALLEST_P = 1e-300


class Null(NamedTuple):
    """Distribution of the best score of a hairpin by chance: an extreme value (Gumbel) distribution.

    Attributes
    ----------
    location, scale
        Of scores.
    """

    location: float
    scale: float

    def p_values(self, scores: np.ndarray) -> np.ndarray:
        """Probability that chance gives at least this score; float64, shape of the scores. NaN stands for no match."""
        at = np.exp(-(np.asarray(scores, float) - 0.5 - self.location) / self.scale)  # scores are whole numbers
        return np.where(np.isnan(at), 1.0, np.maximum(-np.expm1(-at), _SMALLEST_P))

    def log_odds(self, scores: np.ndarray | float) -> np.ndarray | float:
        """Scores in natural logarithms, so that those of two kinds can be added."""
        return np.asarray(scores) / self.scale


def fit_null(scores: np.ndarray) -> Null:
    """Fit to the best scores of hairpins that match by chance only, NaN for those that match nothing.

    By the mean and the standard deviation of the upper 90 % of it, as Gumbel's distribution has them.
    """
    from scipy.stats import gumbel_r

    found = scores[~np.isnan(scores)]
    if len(found) < 2 or np.ptp(found) == 0:
        return Null(float(found.max(initial=0)), 6.0)
    location, scale = gumbel_r.fit(found)
    return Null(float(location), float(scale))


def q_values(p_values: np.ndarray) -> np.ndarray:
    """Share of chance matches among those at least as good (Benjamini and Hochberg 1995); float64, shape (n,)."""
    n = len(p_values)
    order = np.argsort(p_values)
    raw = p_values[order] * n / np.arange(1, n + 1)
    found = np.empty(n)
    found[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1)
    return found
