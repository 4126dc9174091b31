"""The second stage: of the folded hairpins, drop those whose stem is unlike any precursor's.

An additive model on sixteen features of the folded stem; fitted by ``benchmarks/make_stem_filter.py``.
"""

from collections.abc import Sequence

import numpy as np

from mirsweep.scanner import _stemfilter_kernels as kernels
from mirsweep.scanner._stemfilter_weights import WEIGHTS, StemWeights
from mirsweep.scanner.alphabet import encode
from mirsweep.scanner.fold import TerminalLoop

__all__ = ["describe_stems", "passes", "score_stems"]

"""Names of the fitted filters, and ``"none"``."""


def describe_stems(
    sequences: Sequence[str],
    structures: Sequence[str],
    loops: Sequence[TerminalLoop],
    energies: np.ndarray,
    penalised: np.ndarray,
) -> np.ndarray:
    """Features of folded hairpins.

    Parameters
    ----------
    sequences, structures, loops
        RNA letters A C G U, dot-bracket, terminal loops.
    energies, penalised
        Minimum free energies and length-penalised energies, kcal/mol, shape (n,).

    Returns
    -------
    float64, shape (n, 16), see ``_stemfilter_kernels.describe_stem``.
    """
    longest = max(map(len, sequences), default=0)
    stack, partner, counts = np.empty(longest, np.int64), np.empty(longest, np.int64), np.empty(64, np.int64)
    out = np.empty((len(sequences), kernels.N_FEATURES))
    for row, (sequence, structure, loop) in enumerate(zip(sequences, structures, loops, strict=True)):
        kernels.describe_stem(
            encode(sequence.encode()), np.frombuffer(structure.encode(), np.uint8), loop.start, loop.end,
            float(energies[row]), float(penalised[row]), stack, partner, counts, out[row],
        )  # fmt: skip
    return out


def score_stems(features: np.ndarray, weights: StemWeights) -> np.ndarray:
    """Log odds of being a precursor, at equal numbers of both; float64, shape (n,)."""
    out = np.empty(len(features))
    centre, scale, linear, square = map(np.array, (weights.centre, weights.scale, weights.linear, weights.square))
    kernels.score_stems(features, centre, scale, linear, square, weights.bias, out)
    return out


def passes(name: str, features: np.ndarray) -> np.ndarray:
    """Which hairpins the filter lets through; bool, shape (n,).

    Each row depends on its own hairpin only.
    """
    if name == "none":
        return np.ones(len(features), bool)
    return score_stems(features, WEIGHTS[name]) >= WEIGHTS[name].threshold
