"""One score a locus: a small combination of its evidence, fitted on models that had not seen the chromosome."""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mirsweep.jobs.loci.features import Evidence

__all__ = ["TERMS", "Combination", "Rates", "read_combination", "terms_of"]

TERMS = ("log_odds", "copies", "neighbour", "complexity", "likeness")
"""Names of the terms, in order."""
_MOST_COPIES = 6.0
"""Binary logarithm from which on more copies say no more."""
_NEIGHBOUR_FROM = -4.0
"""Log odds from which on a neighbour counts."""
_ENOUGH_COMPLEXITY = 4.75
"""Bits from which on more complexity says no more: beyond it follows length and composition, not repetition."""


def terms_of(evidence: Evidence) -> np.ndarray:
    """Terms of the combination, float64, shape (n, 5); 0 where copies, neighbours, complexity or known precursors have
    nothing to say.

    A place is seldom a precursor on both strands. So where a locus of the other strand is more like a known one, the
    log odds are those of this strand against that one or none.
    """
    log_odds = evidence.log_odds - np.logaddexp(0.0, evidence.known_antisense)
    copies = np.minimum(np.log2(evidence.copies), _MOST_COPIES)
    neighbour = np.maximum(evidence.neighbour - _NEIGHBOUR_FROM, 0.0)
    complexity = np.minimum(evidence.complexity - _ENOUGH_COMPLEXITY, 0.0)
    return np.column_stack((log_odds, copies, neighbour, complexity, evidence.likeness))


class Rates(NamedTuple):
    """False loci per Mb of genome: ``score``, ascending, and the rate at or above it, falling and positive; float64."""

    score: np.ndarray
    fp_per_mb: np.ndarray

    def at(self, scores: np.ndarray) -> np.ndarray:
        """Rate at each score, linear in score and in the logarithm of the rate; beyond the points the nearest one's."""
        return np.exp(np.interp(scores, self.score, np.log(self.fp_per_mb)))


class Combination(NamedTuple):
    """A fitted combination.

    Attributes
    ----------
    weights
        Of each of ``TERMS``, float64, shape (5,).
    intercept
        What is added.
    rates
        By score, on the chromosomes that it was fitted on.
    """

    weights: np.ndarray
    intercept: float
    rates: Rates

    def score(self, evidence: Evidence) -> np.ndarray:
        """Score of each locus, 0 to 1, float64, shape (n,)."""
        return np.asarray(1 / (1 + np.exp(-(terms_of(evidence) @ self.weights + self.intercept))))


@cache
def read_combination() -> Combination:
    """The combination that comes with mirsweep (``benchmarks/make_combination.py`` fits it)."""
    found = json.loads(Path(__file__).with_name("combination.json").read_text())
    weights = np.array([found["weights"][name] for name in TERMS])
    rates = Rates(*(np.array(found["rates"][name]) for name in ("score", "fp_per_mb")))
    return Combination(weights, found["intercept"], rates)
