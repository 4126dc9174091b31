"""The paper's seven measures of a classifier."""

from typing import NamedTuple

import numpy as np

from mirsweep.model.errors import ModelError

__all__ = ["THRESHOLD", "Metrics", "best_threshold", "evaluate"]

THRESHOLD = 0.5
"""A score of at least this much calls a pre-miRNA."""


class Metrics(NamedTuple):
    """Counts and measures; ``_asdict()`` gives the keys of the JSON output in order.

    Attributes
    ----------
    n_pos, n_neg
        True pre-miRNAs and others.
    SE, SP, PPV
        Sensitivity, specificity, positive predictive value (0 if nothing is called) at the threshold.
    F, g_mean
        Harmonic mean of SE and PPV; geometric mean of SE and SP.
    AUROC, AUPR
        Areas under the ROC curve and under the precision-recall curve; the latter is scikit-learn's average
        precision, as in the authors' code.
    """

    n_pos: int
    n_neg: int
    SE: float
    SP: float
    PPV: float
    F: float
    g_mean: float
    AUROC: float
    AUPR: float


def evaluate(scores: np.ndarray, labels: np.ndarray, *, threshold: float = THRESHOLD) -> Metrics:
    """Measures of scores against true labels (paper, section 4).

    Parameters
    ----------
    scores
        Probabilities of pre-miRNA, shape (n,).
    labels
        1 = pre-miRNA, 0 = not, shape (n,).
    threshold
        Scores at or above it call a pre-miRNA.

    Raises
    ------
    ModelError
        If the shapes differ, a score is not finite, or one class is absent.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score  # slow to import; a scan does without

    scores, is_true = np.asarray(scores, np.float64), np.asarray(labels).astype(bool)
    _check(scores, is_true)
    is_called = scores >= threshold
    n_pos, n_neg = int(is_true.sum()), int((~is_true).sum())
    n_hits, n_false = int((is_called & is_true).sum()), int((is_called & ~is_true).sum())
    sensitivity, specificity = n_hits / n_pos, 1 - n_false / n_neg
    return Metrics(
        n_pos=n_pos,
        n_neg=n_neg,
        SE=sensitivity,
        SP=specificity,
        PPV=n_hits / max(n_hits + n_false, 1),
        F=2 * n_hits / (n_pos + n_hits + n_false),
        g_mean=(sensitivity * specificity) ** 0.5,
        AUROC=float(roc_auc_score(is_true, scores)),
        AUPR=float(average_precision_score(is_true, scores)),
    )


def best_threshold(scores: np.ndarray, labels: np.ndarray) -> float:
    """Threshold of the highest F, midway between the lowest score that is called and the highest that is not.

    Parameters
    ----------
    scores, labels
        As in :func:`evaluate`. Of several thresholds of the same F the highest is taken.

    Raises
    ------
    ModelError
        As :func:`evaluate`.
    """
    scores, is_true = np.asarray(scores, np.float64), np.asarray(labels).astype(bool)
    _check(scores, is_true)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # the last of each group of equal scores
    f = 2 * np.cumsum(is_true[order])[ends] / (ends + 1 + is_true.sum())
    last = int(ends[f.argmax()])
    below = ranked[last + 1] if last + 1 < len(ranked) else ranked[last]
    return float((ranked[last] + below) / 2)


def _check(scores: np.ndarray, is_true: np.ndarray) -> None:
    if scores.shape != is_true.shape or scores.ndim != 1:
        raise ModelError(f"scores {scores.shape} and labels {is_true.shape} must be two equally long lists.")
    if not np.isfinite(scores).all():
        raise ModelError("a score is not a finite number: score the sequences again with intact weights.")
    if is_true.all() or not is_true.any():
        raise ModelError("the measures need sequences of both classes, pre-miRNAs and others.")
