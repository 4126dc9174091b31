"""The seven measures with bootstrap intervals, over seeds and folds."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mirsweep.model.errors import ModelError
from mirsweep.model.metrics import THRESHOLD

__all__ = ["MEASURES", "HeldOut", "Interval", "intervals", "weighted_measures"]

MEASURES = ("SE", "SP", "PPV", "F", "g_mean", "AUROC", "AUPR")
_CHUNK = 64
"""Resamples drawn and measured at once, which bounds memory."""


class HeldOut(NamedTuple):
    """Scores on one held-out set.

    Attributes
    ----------
    labels
        1 = pre-miRNA, 0 = not, shape (n,).
    scores
        Probabilities of pre-miRNA, one row a seed, shape (s, n).
    """

    labels: np.ndarray
    scores: np.ndarray


class Interval(NamedTuple):
    """Mean over sets and seeds; the interval in which it lies when the held-out hairpins are drawn again; the
    smallest and the largest of the single seeds (each the mean over the sets)."""

    mean: float
    low: float
    high: float
    seed_min: float
    seed_max: float


def intervals(
    sets: Sequence[HeldOut], *, n_resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Each measure with its percentile bootstrap interval.

    Within each set the pre-miRNAs and the others are drawn again with replacement, their numbers kept; one draw is
    used for all seeds. What is averaged (over seeds and sets) is averaged within a draw too.

    Parameters
    ----------
    sets
        Held-out sets, such as five validation folds; all with the same number of seeds.
    n_resamples, level, seed
        Number of draws, coverage of the interval, and seed of the draws.

    Raises
    ------
    ModelError
        If there is no set, or a set lacks a class.
    """
    if not sets or any(not each.labels.any() or each.labels.all() for each in sets):
        raise ModelError("the measures need held-out sets of both classes, pre-miRNAs and others.")
    draws = _draws(tuple(each.labels.astype(bool).tobytes() for each in sets), n_resamples, seed)
    whole = np.mean([_by_seed(each, np.ones((1, len(each.labels)))) for each in sets], axis=0)[:, 0]  # (s, 7)
    drawn = np.mean([_resampled(*each) for each in zip(sets, draws, strict=True)], axis=0)  # (n_resamples, 7)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    columns = zip(whole.mean(axis=0), low, high, whole.min(axis=0), whole.max(axis=0), strict=True)
    return {name: Interval(*map(float, values)) for name, values in zip(MEASURES, columns, strict=True)}


def weighted_measures(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The measures of :func:`mirsweep.model.metrics.evaluate` where each hairpin counts so many times.

    Parameters
    ----------
    labels, scores
        Shape (n,).
    weights
        Times that each hairpin counts, shape (r, n).

    Returns
    -------
    float64, shape (r, 7), columns as ``MEASURES``.
    """
    order = np.argsort(-scores, kind="stable")
    is_true, ranked, counts = labels[order].astype(bool), scores[order], weights[:, order].astype(np.float64)
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # the last of each group of equal scores
    hits = np.cumsum(counts * is_true, axis=1)[:, ends]
    false = np.cumsum(counts * ~is_true, axis=1)[:, ends]
    n_pos, n_neg = hits[:, -1:], false[:, -1:]
    new_hits, new_false = np.diff(hits, axis=1, prepend=0), np.diff(false, axis=1, prepend=0)
    auroc = ((hits - new_hits / 2) * new_false).sum(axis=1) / (n_pos * n_neg)[:, 0]
    aupr = (new_hits * hits / np.maximum(hits + false, 1e-300)).sum(axis=1) / n_pos[:, 0]
    return np.column_stack((*_at_threshold(is_true, ranked >= THRESHOLD, counts), auroc, aupr))


def _at_threshold(is_true: np.ndarray, is_called: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, ...]:
    hits, false = counts @ (is_true & is_called), counts @ (~is_true & is_called)
    n_pos, n_neg = counts @ is_true, counts @ ~is_true
    se, sp = hits / n_pos, 1 - false / n_neg
    return se, sp, hits / np.maximum(hits + false, 1), 2 * hits / (n_pos + hits + false), np.sqrt(se * sp)


def _by_seed(held_out: HeldOut, weights: np.ndarray) -> np.ndarray:
    """Shape (s, r, 7)."""
    return np.array([weighted_measures(held_out.labels, scores, weights) for scores in held_out.scores])


def _resampled(held_out: HeldOut, draws: np.ndarray) -> np.ndarray:
    """Measures of each draw, mean over the seeds; shape (n_resamples, 7)."""
    chunks = range(0, len(draws), _CHUNK)
    return np.concatenate([_by_seed(held_out, draws[at : at + _CHUNK]).mean(axis=0) for at in chunks])


@lru_cache(maxsize=4)
def _draws(labels: tuple[bytes, ...], n_resamples: int, seed: int) -> list[np.ndarray]:
    """How often each hairpin of each set is drawn; uint16, shape (n_resamples, n).

    The rows of a table have the same sets, and drawing takes as long as measuring: the last ones are kept.
    """
    rng, draws = np.random.default_rng(seed), []
    for is_positive in (np.frombuffer(each, bool) for each in labels):
        counts = np.zeros((n_resamples, len(is_positive)), np.uint16)
        for start in range(0, n_resamples, _CHUNK):
            size = min(_CHUNK, n_resamples - start)
            for rows in (np.flatnonzero(~is_positive), np.flatnonzero(is_positive)):
                counts[start : start + size, rows] = rng.multinomial(
                    len(rows), np.full(len(rows), 1 / len(rows)), size=size
                )
        draws.append(counts)
    return draws
