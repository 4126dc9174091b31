"""The second stage: of the folded hairpins, drop those whose stem is unlike any precursor's.

An additive model on sixteen features of the folded stem; fitted by ``benchmarks/make_stem_filter.py``.
"""

from collections.abc import Sequence

import numpy as np

from mirsweep.scanner import _stemfilter_kernels as kernels
from mirsweep.scanner._stemfilter_weights import WEIGHTS, StemWeights
from mirsweep.scanner.alphabet import encode
from mirsweep.texts import texts_of

__all__ = ["describe_stems", "passes", "score_stems"]

"""Names of the fitted filters, and ``"none"``."""


def describe_stems(
    sequences: Sequence[str],
    structures: Sequence[str],
    loops: Sequence[tuple[int, int]] | np.ndarray,
    energies: np.ndarray,
    penalised: np.ndarray,
) -> np.ndarray:
    """Features of folded hairpins.

    Parameters
    ----------
    sequences, structures, loops
        RNA letters A C G U, dot-bracket, terminal loops (start and end of each).
    energies, penalised
        Minimum free energies and length-penalised energies, kcal/mol, shape (n,).

    Returns
    -------
    float64, shape (n, 16), see ``_stemfilter_kernels._describe_stem``.
    """
    texts, symbols = texts_of(sequences), texts_of(structures)
    if not np.array_equal(texts.offsets, symbols.offsets):
        raise ValueError("structures must be as long as their sequences")
    out = np.empty((len(texts), kernels.N_FEATURES))
    kernels.describe_stems(
        encode(texts.letters), symbols.letters, texts.offsets, np.asarray(loops, np.int64).reshape(-1, 2),
        np.asarray(energies, np.float64), np.asarray(penalised, np.float64), out,
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
