"""Classical features of hairpins: composition, stability, pairs and loops, local triplets."""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

__all__ = ["CLASSICAL", "TRIPLETS", "classical_features", "triplet_counts", "triplet_features"]

_BASES = "ACGU"
TRIPLETS = tuple(base + a + b + c for base in _BASES for a in "(." for b in "(." for c in "(.")
"""Names of the 32 triplets: base in the middle, and whether it and its neighbours pair."""

_SHAPE = (
    "length",
    "mfe",
    "mfe_per_nt",
    "mfe_per_nt_per_gc",
    "mfe_per_pair",
    "pairs",
    "pairs_per_nt",
    "au_pairs",
    "gc_pairs",
    "gu_pairs",
    "hairpin_loops",
    "terminal_loop",
    "loops_in_stem",
    "largest_loop_in_stem",
    "unpaired_in_stem",
    "asymmetry",
    "longest_run_of_pairs",
    "flank_5",
    "flank_3",
)
CLASSICAL = (
    *_SHAPE,
    *_BASES,
    "gc",
    *(a + b for a in _BASES for b in _BASES),
    *TRIPLETS,
)
"""Names of the classical features."""


def triplet_features(sequences: Sequence[str], structures: Sequence[str]) -> np.ndarray:
    """Shares of the 32 local structure-sequence triplets (Xue et al. 2005, triplet-SVM).

    Parameters
    ----------
    sequences, structures
        n hairpins of A C G U and their dot-bracket structures; both brackets count as paired.

    Returns
    -------
    float64, shape (n, 32), columns as ``TRIPLETS``; a row sums to 1, or to 0 below 3 nt.
    """
    counts = triplet_counts(sequences, structures)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def triplet_counts(sequences: Sequence[str], structures: Sequence[str]) -> np.ndarray:
    """How often each of the 32 triplets stands in a hairpin; as :func:`triplet_features`, but not divided."""
    counts = np.zeros((len(sequences), 32))
    for row, (sequence, structure) in enumerate(zip(sequences, structures, strict=True)):
        is_free = np.frombuffer(structure.encode(), np.uint8) == ord(".")
        bases = _codes(sequence)
        triplets = 8 * bases[1:-1] + 4 * is_free[:-2] + 2 * is_free[1:-1] + is_free[2:]
        counts[row] = np.bincount(triplets, minlength=32)
    return counts


def classical_features(
    sequences: Sequence[str], structures: Sequence[str], energies: Sequence[float] | np.ndarray
) -> np.ndarray:
    """Features by which hairpins were classified before networks read them.

    Parameters
    ----------
    sequences, structures
        n hairpins of A C G U and their dot-bracket structures.
    energies
        Minimum free energies, kcal/mol, shape (n,).

    Returns
    -------
    float64, shape (n, 72), columns as ``CLASSICAL``.
    """
    rows = [_features(*hairpin) for hairpin in zip(sequences, structures, energies, strict=True)]
    own = np.array(rows, np.float64).reshape(len(sequences), len(CLASSICAL) - len(TRIPLETS))
    return np.concatenate((own, triplet_features(sequences, structures)), axis=1)


def _codes(sequence: str) -> np.ndarray:
    return np.array([_BASES.index(base) for base in sequence], np.int64)


def _features(sequence: str, structure: str, energy: float) -> list[float]:
    n, codes = len(sequence), _codes(sequence)
    composition = np.bincount(codes, minlength=4) / max(n, 1)
    steps = np.bincount(4 * codes[:-1] + codes[1:], minlength=16) / max(n - 1, 1)
    gc = composition[1] + composition[2]
    return [*_shape(sequence, structure, float(energy), gc), *composition, gc, *steps]


def _shape(sequence: str, structure: str, energy: float, gc: float) -> list[float]:
    """Values of ``_SHAPE`` in their order."""
    n, pairs = max(len(sequence), 1), _pairs(structure)
    kinds = ["".join(sorted(sequence[i] + sequence[j])) for i, j in pairs]
    loops = [len(found[1]) for found in re.finditer(r"\((\.+)(?=\))", structure)]
    steps = [_gaps(outer, inside) if _encloses(outer, inside) else None for outer, inside in pairwise(pairs)]
    inner = [step for step in steps if step is not None]
    sizes = [left + right for left, right in inner]
    first, last = structure.find("("), structure.rfind(")")
    return [
        len(sequence),
        energy,
        energy / n,
        energy / n / max(gc, 0.01),
        energy / max(len(pairs), 1),
        len(pairs),
        len(pairs) / n,
        *(kinds.count(kind) / max(len(pairs), 1) for kind in ("AU", "CG", "GU")),
        len(loops),
        max(loops, default=0),
        sum(size > 0 for size in sizes),
        max(sizes, default=0),
        sum(sizes),
        sum(abs(left - right) for left, right in inner),
        _longest_run(steps) if pairs else 0,
        max(first, 0),
        max(len(structure) - 1 - last, 0) if pairs else 0,
    ]


def _pairs(structure: str) -> list[tuple[int, int]]:
    """Pairs by the place of their opening bracket."""
    opened, pairs = [], []
    for i, symbol in enumerate(structure):
        if symbol == "(":
            opened.append(i)
        elif symbol == ")":
            pairs.append((opened.pop(), i))
    return sorted(pairs)


def _encloses(outer: tuple[int, int], inside: tuple[int, int]) -> bool:
    return outer[0] < inside[0] and inside[1] < outer[1]


def _gaps(outer: tuple[int, int], inside: tuple[int, int]) -> tuple[int, int]:
    """Bases between two pairs on the 5' side and on the 3' side."""
    return inside[0] - outer[0] - 1, outer[1] - inside[1] - 1


def _longest_run(steps: list[tuple[int, int] | None]) -> int:
    """Most pairs that stack on each other without a loop or branch between."""
    longest = run = 1
    for step in steps:
        run = run + 1 if step == (0, 0) else 1
        longest = max(longest, run)
    return longest
