"""The prefilter's recursion on a GPU, for a stretch of bases: one start a thread, one diagonal (span) after another.

It is the CPU's (``_prefilter_kernels``), with the same energies: 16 bits, computed in int32. Where a thread of the CPU
offers a pair to those around it, one of these looks at the pairs within its own. The diagonals that are looked back on
stand in shared memory, in rings of 2, 4, 8 or 16 rows: a span's row is the span modulo that.
"""

from typing import NamedTuple

import numpy as np
from numba import cuda

from mirsweep.scanner.energy import StemLoopEnergies
from mirsweep.scanner.units import FORBIDDEN

__all__ = ["REACH", "ROWS", "Costs", "Terms", "clear", "close_pair", "costs_of", "terms_of"]

REACH = 8
"""Starts that a pair looks ahead: so many columns follow the last start, with letters that pair with nothing."""
_ENERGIES, _OPENED, _ENDED, _BULGED = 0, 4, 20, 28
ROWS = 30
"""Rows of the rings: energies (4), with the closure of an interior loop (16), with that of a bulge or of the stem's end
(8), and best over a bulge of two and more bases on the 5' side (2)."""
_WATSON_CRICK, _WOBBLE = 3, 5


class Costs(NamedTuple):
    """What ``StemLoopEnergies`` says of loops, by name; units of 0.05 kcal/mol.

    ``bulge`` is one of a single base, ``bulge_of_two`` one of two, ``further`` what each further base adds.
    ``loop_LxR`` is an interior loop of so many bases on either side. ``weak_...`` is what a pair with A or U or a
    wobble adds that closes an interior loop; a bulge of two and more, or the stem; a hairpin loop.
    """

    bulge: int
    bulge_of_two: int
    further: int
    weak_interior: int
    weak_end: int
    weak_hairpin: int
    loop_1x1: int
    loop_1x2: int
    loop_2x2: int
    loop_1x3: int
    loop_2x3: int
    loop_1x4: int
    loop_3x3: int
    loop_2x4: int
    loop_1x5: int
    loop_3x4: int
    loop_2x5: int
    loop_1x6: int
    loop_4x4: int
    loop_3x5: int
    loop_2x6: int
    loop_1x7: int


def costs_of(energies: StemLoopEnergies) -> Costs:
    """The costs of loops of two to eight bases, and the others."""

    def loop(name: str) -> int:
        left, right = int(name[-3]), int(name[-1])
        by_size = energies.interior_1n if left == 1 < right else energies.interior
        return int(by_size[left + right] + energies.asymmetry[right - left])

    loops = (loop(name) for name in Costs._fields if name.startswith("loop"))
    return Costs(*energies.bulge.tolist(), *energies.closures.tolist(), *loops)


class Terms(NamedTuple):
    """What a start's own bases say: itself and the next two, and the stacking terms of it on these two.

    Of the terms see ``_prefilter_kernels.describe_bases``.
    """

    own: int
    second: int
    third: int
    near: tuple[int, int, int, int]
    far: tuple[int, int, int, int]


@cuda.jit(device=True)
def _lower(a, b):
    """The lower one, int32."""
    one, other = np.int32(a), np.int32(b)
    return one if one < other else other


@cuda.jit(device=True)
def _get(values, place):
    """An energy as int32; that the place is unsigned spares the compiler to look for negative ones."""
    return np.int32(values[np.uint64(place)])


@cuda.jit(device=True)
def _if(condition, energy):
    return np.int32(energy) if condition else np.int32(0)


@cuda.jit(device=True)
def _stacking(stack, left, right):
    """Stacking terms of a base on another, four int32."""
    zero = np.int32(0)
    if (left < 4) & (right < 4):
        pair = 4 * left + right
        return np.int32(stack[0, pair]), np.int32(stack[1, pair]), np.int32(stack[2, pair]), np.int32(stack[3, pair])
    return zero, zero, zero, zero


@cuda.jit(device=True)
def terms_of(letters, i, stack):
    """``Terms`` of start i; letters are base codes, or ``UNPAIRABLE``."""
    own, second, third = _get(letters, i), _get(letters, i + 1), _get(letters, i + 2)
    return Terms(own, second, third, _stacking(stack, own, second), _stacking(stack, own, third))


@cuda.jit(device=True)
def clear(column, columns, rings):
    """No start has a pair yet, in one column of all rows."""
    for row in range(ROWS):
        rings[np.uint64(row * columns + column)] = FORBIDDEN


@cuda.jit(device=True)
def _over_interior(span, i, columns, rings, costs):
    """Best energy over an interior loop of 2 to 8 bases, without what the outer pair adds.

    A loop of n bases has its inner pairs on the diagonal of n + 2 fewer.
    """
    at = (_OPENED + (span - 4 & 15)) * columns + i
    best = np.int32(_get(rings, at + 2) + costs.loop_1x1)
    at = (_OPENED + (span - 5 & 15)) * columns + i
    best = _lower(best, _lower(_get(rings, at + 2), _get(rings, at + 3)) + costs.loop_1x2)
    at = (_OPENED + (span - 6 & 15)) * columns + i
    best = _lower(best, _get(rings, at + 3) + costs.loop_2x2)
    best = _lower(best, _lower(_get(rings, at + 2), _get(rings, at + 4)) + costs.loop_1x3)
    at = (_OPENED + (span - 7 & 15)) * columns + i
    best = _lower(best, _lower(_get(rings, at + 3), _get(rings, at + 4)) + costs.loop_2x3)
    best = _lower(best, _lower(_get(rings, at + 2), _get(rings, at + 5)) + costs.loop_1x4)
    at = (_OPENED + (span - 8 & 15)) * columns + i
    best = _lower(best, _get(rings, at + 4) + costs.loop_3x3)
    best = _lower(best, _lower(_get(rings, at + 3), _get(rings, at + 5)) + costs.loop_2x4)
    best = _lower(best, _lower(_get(rings, at + 2), _get(rings, at + 6)) + costs.loop_1x5)
    at = (_OPENED + (span - 9 & 15)) * columns + i
    best = _lower(best, _lower(_get(rings, at + 4), _get(rings, at + 5)) + costs.loop_3x4)
    best = _lower(best, _lower(_get(rings, at + 3), _get(rings, at + 6)) + costs.loop_2x5)
    best = _lower(best, _lower(_get(rings, at + 2), _get(rings, at + 7)) + costs.loop_1x6)
    at = (_OPENED + (span - 10 & 15)) * columns + i
    best = _lower(best, _get(rings, at + 5) + costs.loop_4x4)
    best = _lower(best, _lower(_get(rings, at + 4), _get(rings, at + 6)) + costs.loop_3x5)
    best = _lower(best, _lower(_get(rings, at + 3), _get(rings, at + 7)) + costs.loop_2x6)
    return _lower(best, _lower(_get(rings, at + 2), _get(rings, at + 8)) + costs.loop_1x7)


@cuda.jit(device=True)
def close_pair(span, i, columns, last, right_bulge, hairpin, terms, costs, rings):
    """Energies of the pair of start i and the base ``span - 1`` further on, which go to the rings.

    Parameters
    ----------
    columns
        Elements of a row of the rings.
    last
        The last three bases, the pair's own first.
    right_bulge
        Best over a bulge of two and more bases on the 3' side, of this start's last span.
    hairpin
        Cost of a hairpin loop of this span.

    Returns
    -------
    Best energy of the pair, this with the closure of the stem's end, and the new ``right_bulge``; int32.
    """
    own, second, third, near, far = terms
    is_wobble = own + last[0] == _WOBBLE
    is_weak = is_wobble | (own == 0) | (own == 3)
    two = (_ENERGIES + (span - 2 & 3)) * columns + i
    three = (_ENERGIES + (span - 3 & 3)) * columns + i
    four = (_ENDED + (span - 4 & 7)) * columns + i
    outer, inner = near[0] + _if(is_wobble, near[1]), near[2] + _if(is_wobble, near[3])
    best = np.int32(_get(rings, two + 1) + outer + _if(second + last[1] == _WOBBLE, inner))
    right = np.int32(_get(rings, three + 1) + outer + _if(second + last[2] == _WOBBLE, inner))
    outer, inner = far[0] + _if(is_wobble, far[1]), far[2] + _if(is_wobble, far[3])
    left = np.int32(_get(rings, three + 2) + outer + _if(third + last[1] == _WOBBLE, inner))
    best = _lower(best, _lower(left, right) + costs.bulge)
    longer = _get(rings, (_BULGED + (span - 1 & 1)) * columns + i + 1) + costs.further
    left_bulge = _lower(longer, _get(rings, four + 3) + costs.bulge_of_two)
    right_bulge = _lower(right_bulge + costs.further, _get(rings, four + 1) + costs.bulge_of_two)
    best = _lower(best, hairpin + _if(is_weak, costs.weak_hairpin))
    of_interior, of_end = _if(is_weak, costs.weak_interior), _if(is_weak, costs.weak_end)
    best = _lower(best, _over_interior(span, i, columns, rings, costs) + of_interior)
    best = _lower(best, _lower(left_bulge, right_bulge) + of_end)
    if not (is_wobble | (own + last[0] == _WATSON_CRICK)):
        best = np.int32(FORBIDDEN)
    ended = np.int32(best + of_end)
    rings[np.uint64((_ENERGIES + (span & 3)) * columns + i)] = best
    rings[np.uint64((_OPENED + (span & 15)) * columns + i)] = best + of_interior
    rings[np.uint64((_ENDED + (span & 7)) * columns + i)] = ended
    rings[np.uint64((_BULGED + (span & 1)) * columns + i)] = left_bulge
    return best, ended, right_bulge
