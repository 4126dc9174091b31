"""From the network's heads to mature sequences: both arms at once, how sure each is, and which is the mature one.

Drosha cuts both arms of a precursor at once, and so does Dicer: at either cut the 3' end overhangs the other arm's
5' end by 2 nt. So the four ends are chosen together.
"""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mirsweep.model._arms_kernels import OVERHANG_NT, decode_batch
from mirsweep.model.prediction import Arms

__all__ = [
    "LENGTHS_NT",
    "OVERHANG_NT",
    "WITHIN_NT",
    "ArmWeights",
    "Decoded",
    "arms_of",
    "decode_arms",
    "decode_ends",
    "features_of",
    "read_arm_weights",
]

LENGTHS_NT = (18, 26)
"""Shortest and longest mature sequence that is predicted."""
WITHIN_NT = 2
"""A confidence is the probability that the 5' end is at most so far from the true one."""
_LEAST_PROBABILITY = 1e-3
"""Probabilities are kept so far from 0 and 1 before their log odds are taken."""


class ArmWeights(NamedTuple):
    """What is fitted beside the network (``benchmarks/make_arms.py``).

    Attributes
    ----------
    lengths
        Log weights of the lengths ``LENGTHS_NT``, float64, shape (9,).
    overhangs
        Log weights of the overhangs around ``OVERHANG_NT``, in columns, float64, shape (o,), o odd; the first and last
        also stand for those beyond.
    confidence
        Of ``features_of`` and, last, what is added: log odds that a 5' end is right; float64, shape (5,).
    arm
        What the network's log odds of a mature sequence on the 5' arm are multiplied by in a hairpin that matches the
        14-mers of known mature sequences.
    unmatched_arm
        Probability that the network guesses the arm of another hairpin rightly.
    least_arm_confidence
        Probability from which on the mature arm of a hairpin with a match is stated.
    """

    lengths: np.ndarray
    overhangs: np.ndarray
    confidence: np.ndarray
    arm: float
    unmatched_arm: float
    least_arm_confidence: float


class Decoded(NamedTuple):
    """Ends of n hairpins.

    Attributes
    ----------
    spans
        Start and end on the 5' arm, then on the 3' arm, 0-based half-open, -1 where no mature sequence fits; int16,
        shape (n, 4).
    near
        Probability that the heads give to the bases within ``WITHIN_NT`` of each of these ends; float32, shape (n, 4).
    """

    spans: np.ndarray
    near: np.ndarray


@cache
def read_arm_weights() -> ArmWeights:
    """The weights that come with mirsweep."""
    found = json.loads(Path(__file__).with_name("arms.json").read_text())
    lengths, overhangs, confidence = (np.array(found[name], float) for name in ("lengths", "overhangs", "confidence"))
    shares = (found[name] for name in ("arm", "unmatched_arm", "least_arm_confidence"))
    return ArmWeights(lengths, overhangs, confidence, *shares)


def decode_arms(
    places: np.ndarray,
    n_loop: np.ndarray,
    ends: np.ndarray,
    arm_logits: np.ndarray,
    is_matched: np.ndarray,
    weights: ArmWeights | None = None,
) -> Arms:
    """Mature sequences from the network's weights of the columns.

    Parameters
    ----------
    places
        int16, shape (n, c, 2), as in ``Stems``.
    n_loop
        Columns of the terminal loop, which no mature sequence reaches into; int64, shape (n,).
    ends
        Log probabilities of the columns, float32, shape (n, 4, c or more).
    arm_logits
        Log odds of a mature sequence on the 5' arm, float32, shape (n,).
    is_matched
        Whether the hairpin holds a 14-mer of known mature sequences, bool, shape (n,): the network has learnt the arms
        of families, and knows hardly more of others than chance.
    weights
        Those of mirsweep by default.
    """
    fitted = weights or read_arm_weights()
    return arms_of(decode_ends(places, n_loop, ends, fitted), arm_logits, is_matched, fitted)


def arms_of(
    decoded: Decoded, arm_logits: np.ndarray, is_matched: np.ndarray, weights: ArmWeights | None = None
) -> Arms:
    """Mature and star sequences of what was decoded, and how sure they are; parameters as of :func:`decode_arms`."""
    fitted = weights or read_arm_weights()
    has5, has3 = decoded.spans[:, 0] >= 0, decoded.spans[:, 2] >= 0
    has_both = has5 & has3
    is_5p = np.where(has_both, arm_logits > 0, has5)
    known = _logistic(np.abs(arm_logits) * fitted.arm)
    sure = has_both & is_matched
    of_5p, of_3p = (_confidence(decoded.near, row, fitted) for row in range(2))
    mature, star = (np.where(is_own[:, None], decoded.spans[:, :2], decoded.spans[:, 2:]) for is_own in (is_5p, ~is_5p))
    return Arms(
        mature_start=mature[:, 0],
        mature_end=mature[:, 1],
        star_start=star[:, 0],
        star_end=star[:, 1],
        is_5p=is_5p,
        is_stated=sure & (known >= fitted.least_arm_confidence),
        arm_confidence=np.where(sure, known, fitted.unmatched_arm).astype(np.float32),
        confidence_5p=np.where(has5, of_5p, np.nan).astype(np.float32),
        confidence_3p=np.where(has3, of_3p, np.nan).astype(np.float32),
    )


def decode_ends(places: np.ndarray, n_loop: np.ndarray, ends: np.ndarray, weights: ArmWeights) -> Decoded:
    """The pair of mature sequences of the highest sum: log probabilities of its four ends, weights of its two lengths
    and of its two overhangs; where only one arm has room for one, the best of that. Shapes as of ``decode_arms``."""
    spans, near = np.full((len(places), 4), -1, np.int16), np.zeros((len(places), 4), np.float32)
    terms = (LENGTHS_NT[0], weights.lengths, weights.overhangs)
    decode_batch(np.ascontiguousarray(places), n_loop, np.ascontiguousarray(ends), terms, WITHIN_NT, spans, near)
    return Decoded(spans, near)


def features_of(near: np.ndarray, row: int) -> np.ndarray:
    """Log odds of ``Decoded.near``: an arm's 5' and 3' end, the other arm's; row 0 is the 5' arm; float64, (n, 4)."""
    own = np.roll(near, -2 * row, axis=1).astype(np.float64)
    chance = np.clip(own, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    return np.log(chance / (1 - chance))


def _confidence(near: np.ndarray, row: int, weights: ArmWeights) -> np.ndarray:
    """Probability that the 5' end of an arm's mature sequence is right, float64, shape (n,)."""
    return _logistic(features_of(near, row) @ weights.confidence[:-1] + weights.confidence[-1])


def _logistic(log_odds: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-log_odds.astype(np.float64))))
