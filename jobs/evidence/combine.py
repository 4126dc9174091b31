"""Score and reads together: one probability a locus, by a fixed rule."""

import numpy as np

__all__ = ["LOG_ODDS", "MOST_BY_SCORE", "posterior"]

MOST_BY_SCORE = 4.0
"""Log odds that the score of a locus can bring, either way: 55 to 1. A hairpin alone is never surer than that."""
LOG_ODDS = {"supported": 7.0, "expressed": 3.0, "contradicted": -4.0, "not expressed": -1.5}
"""What each verdict adds. A rule, not a fit: no library has a complete truth to fit it on. ``supported`` outweighs the
best score without reads (-4 + 7 > 4 - 1.5). No reads say little: many miRNAs are silent in a tissue."""
_LEAST = 1e-9


def posterior(scores: np.ndarray, verdicts: list[str]) -> np.ndarray:
    """Probability that a locus is a miRNA, 0 to 1, float64, shape (n,).

    The log odds of ``locus_score``, bent to stay within ``MOST_BY_SCORE`` either way, and those of the verdict are
    added, as if score and reads were independent.

    Parameters
    ----------
    scores
        ``locus_score``, shape (n,).
    verdicts
        Of each locus.
    """
    clipped = np.clip(scores.astype(np.float64), _LEAST, 1 - _LEAST)
    by_score = MOST_BY_SCORE * np.tanh(np.log(clipped / (1 - clipped)) / MOST_BY_SCORE)
    return np.asarray(1 / (1 + np.exp(-(by_score + np.array([LOG_ODDS[each] for each in verdicts])))))
