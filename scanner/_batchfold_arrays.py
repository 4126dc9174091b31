"""The arrays of the batched fold engine: what its kernels fill for one group of sequences, and how rows are laid out.

A row holds one diagonal d = j - i: element ``i * lanes + lane`` belongs to the segment from i to j = i + d (both
included, from 0) of sequence ``lane``. Rows are ``width`` elements apart.
"""

from typing import NamedTuple

import numpy as np

from mirsweep.scanner._vectors import WIDTH

__all__ = ["CONTEXT_RING", "LOWEST_16_BIT", "RING", "SHORTEST", "Energies", "Scratch", "new_arrays"]

RING = 32
"""Diagonals that interior loops reach back over: 30 unpaired bases and the two of the pair."""
CONTEXT_RING = 8
"""Diagonals that loops looked up by both contexts reach back over, and more: 2x2 loops need 6."""
SHORTEST = 4
"""Smallest j - i of a pair: hairpin loops have three bases at least."""
LOWEST_16_BIT = -16_000
"""Lowest energy (0.01 kcal/mol) with which 16 bits are safe: the sum of two such still fits."""
_CACHE_LINE = 64


class Energies(NamedTuple):
    """Energies of one group; int16 or int32, 0.01 kcal/mol.

    Attributes
    ----------
    paired
        Best energy of the segment if its ends pair; shape (n, width), row d.
    multi
        Best energy of the segment as part of a multiloop with at least one pair; shape (n, width).
    exterior
        ``paired`` with what the pair adds to the exterior loop; shape (n, width).
    prefix
        Best energy of the first j bases; shape (n + 1, lanes).
    """

    paired: np.ndarray
    multi: np.ndarray
    exterior: np.ndarray
    prefix: np.ndarray


class Scratch(NamedTuple):
    """Rows that only the filling needs.

    Attributes
    ----------
    interior, interior_1n, interior_23, bulge
        ``paired`` with what the enclosed pair adds to such a loop; shape (RING, width), row d modulo RING.
    nested
        Best ``interior`` of one diagonal over the ways to place it within a loop, asymmetry included; element
        by the middle of the loop, so that it grows in place; shape (2 * RING, width), loops of odd size apart.
    context
        Context of the pair as the enclosed one; uint8, shape (CONTEXT_RING, width).
    split
        Best sum of two multiloop parts; shape (4, width), row d modulo 4.
    best
        Interior, 1xn, 2x3 and bulge loops of this diagonal without what its pair adds; shape (4, width).
    hairpin
        Hairpin loops of this diagonal; shape (width,).
    outer
        Context of the pair as the closing one; uint8, shape (width,).
    able
        Elements whose ends can pair; int32, shape (width,).
    """

    interior: np.ndarray
    interior_1n: np.ndarray
    interior_23: np.ndarray
    bulge: np.ndarray
    nested: np.ndarray
    context: np.ndarray
    split: np.ndarray
    best: np.ndarray
    hairpin: np.ndarray
    outer: np.ndarray
    able: np.ndarray


def new_arrays(longest: int, lanes: int, dtype: type) -> tuple[Energies, Scratch]:
    """Arrays for groups of up to ``lanes`` sequences of up to ``longest`` nt; energies as int16 or int32."""
    per_line = _CACHE_LINE // np.dtype(dtype).itemsize
    # An odd number of cache lines a row: rows read side by side then never fall on the same cache sets.
    width = (-(-((longest + 2) * lanes + WIDTH) // per_line) | 1) * per_line

    def rows(count: int) -> np.ndarray:
        """Rows that begin with a cache line, so that no vector of a group of 16 lies in two."""
        size = count * width * np.dtype(dtype).itemsize
        space = np.empty(size + _CACHE_LINE, np.uint8)
        first = -space.ctypes.data % _CACHE_LINE
        return space[first : first + size].view(dtype).reshape(count, width)

    energies = Energies(rows(longest), rows(longest), rows(longest), np.empty((longest + 1, lanes), dtype))
    scratch = Scratch(
        interior=rows(RING),
        interior_1n=rows(RING),
        interior_23=rows(RING),
        bulge=rows(RING),
        nested=rows(2 * RING),
        context=np.zeros((CONTEXT_RING, width), np.uint8),
        split=rows(4),
        best=rows(4),
        hairpin=np.empty(width, dtype),
        outer=np.empty(width, np.uint8),
        able=np.empty(width, np.uint32),
    )
    return energies, scratch
