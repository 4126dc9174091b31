"""Loops that find the pairs of the prefilter's stem-loops: hairpins side by side, then each traced back.

Element ``i * LANES + lane`` of a row belongs to base i, or to start i, of hairpin ``lane``; the recursion is the
prefilter's own (``_prefilter_kernels.close_pairs``).
"""

import numpy as np

from mirsweep.scanner._bare_kernel import bare_inner_kernel
from mirsweep.scanner._numba import kernel
from mirsweep.scanner._prefilter_kernels import (
    PAD,
    RINGS,
    SHORTEST_SPAN,
    UNPAIRABLE,
    close_pairs,
    offer_interiors,
    reset,
)
from mirsweep.scanner.energy import MAX_STEM_LOOP

LANES = 32
"""Hairpins side by side. Of 8, 16, 32 and 64, 32 was fastest at the lengths of chr20."""

_i16 = np.int16
POSSIBLE = 8000
"""An energy above this is no stem-loop's."""


@bare_inner_kernel
def _arrange(group, longest, codes, starts, ends, table, x, is_au, near, far):
    """Per-base inputs of the recursion (``_prefilter_kernels.describe_bases``) for a group; its last one fills up."""
    for lane in range(LANES):
        own = group[min(lane, group.size - 1)]
        for i in range(longest):
            code = codes[starts[own] + i] if starts[own] + i < ends[own] else 4
            x[i * LANES + lane] = code if code < 4 else UNPAIRABLE
            is_au[i * LANES + lane] = -1 if (code == 0) | (code == 3) else 0
    for step, out in ((LANES, near), (2 * LANES, far)):
        for k in range(longest * LANES - step):
            pair = 4 * x[k] + x[k + step] if (x[k] < 4) & (x[k + step] < 4) else 0
            for row in range(4):
                out[row, k] = table[row, pair]


@bare_inner_kernel
def _is_weak(a, b):
    """A pair other than C-G and G-C."""
    return (a + b != 3) | (a == 0) | (a == 3)


@bare_inner_kernel
def _stacked(a, b, c, d, table):
    """Stacking of pair a-b on c-d."""
    code = 4 * a + c
    is_wobble, inner_is_wobble = a + b == 5, c + d == 5
    energy = np.int64(table[0, code])
    if is_wobble:
        energy += table[1, code]
    if inner_is_wobble:
        energy += table[2, code]
    if is_wobble & inner_is_wobble:
        energy += table[3, code]
    return energy


@bare_inner_kernel
def loop_energy(a, b, c, d, left, right, stack, tables):
    """Energy of the stack, bulge or interior loop between pair a-b and c-d within it."""
    _, bulge, interior, interior_1n, asymmetry, closures = tables
    n_weak = np.int64(_is_weak(a, b)) + np.int64(_is_weak(c, d))
    n = left + right
    if n < 2:
        return _stacked(a, b, c, d, stack) + n * bulge[0]
    if (left == 0) | (right == 0):
        return bulge[1] + (n - 2) * bulge[2] + n_weak * closures[1]
    has_one = (n > 2) & (min(left, right) == 1)
    return (interior_1n[n] if has_one else interior[n]) + asymmetry[abs(left - right)] + n_weak * closures[0]


@bare_inner_kernel
def _enclosed(i, j, lane, x, stack, tables, energies):
    """The pair within (i, j) in the best stem-loop that (i, j) ends; (-1, -1) where that is a hairpin loop.

    Of several, the one with the fewest unpaired bases between, then with the fewest on the 5' side.
    """
    energy = energies[j - i + 1, i * LANES + lane]
    a, b = x[i * LANES + lane], x[j * LANES + lane]
    for n in range(j - i - SHORTEST_SPAN):
        by = 1 if n <= MAX_STEM_LOOP else n  # longer ones are bulges, on either side
        for left in range(0, n + 1, by):
            p, q = i + 1 + left, j - 1 - n + left
            inner = energies[q - p + 1, p * LANES + lane]
            if inner < POSSIBLE:
                c, d = x[p * LANES + lane], x[q * LANES + lane]
                if inner + loop_energy(a, b, c, d, left, n - left, stack, tables) == energy:
                    return p, q
    return -1, -1


@bare_inner_kernel
def _trace(n, lane, x, stack, tables, energies, partners):
    """Partner of each base of a hairpin whose ends pair."""
    partners[:] = -1
    i, j = 0, n - 1
    while i >= 0:
        partners[i], partners[j] = j, i
        i, j = _enclosed(i, j, lane, x, stack, tables, energies)


@kernel
def pair_stem_loops(order, codes, starts, ends, stack, tables, partners, offsets, energies_of):
    """The best stem-loop of each hairpin, first and last base paired.

    Parameters
    ----------
    order
        The hairpins, best by length, int64, shape (n,).
    codes
        Base codes, uint8; hairpin k is ``codes[starts[k]:ends[k]]``, its letters are bases and its ends can pair.
    stack, tables
        Stacking table, and the others as in ``close_pairs``.
    partners, offsets
        Output, int16: each base's partner within its hairpin, -1 for none; that of hairpin k from ``offsets[k]`` on.
    energies_of
        Output, energies of the stem-loops without the closure of the stem's end, units; int16, shape (n,).
    """
    longest = 0
    for k in range(order.size):
        longest = max(longest, ends[k] - starts[k])
    size = (longest + PAD) * LANES
    x, is_au = np.full(size, UNPAIRABLE, _i16), np.zeros(size, _i16)
    near, far = np.zeros((4, size), _i16), np.zeros((4, size), _i16)
    width = size + 2 * PAD * LANES
    energy, via_interior = np.empty((RINGS[0], width), _i16), np.empty((RINGS[1], width), _i16)
    rings, rows = (energy, via_interior, np.empty((RINGS[2], width), _i16)), np.empty((3, width), _i16)
    energies = np.empty((longest + 1, longest * LANES), _i16)
    bases = (x, is_au, near, far)
    for first in range(0, order.size, LANES):
        group = order[first : first + LANES]
        n = 0
        for k in group:
            n = max(n, ends[k] - starts[k])
        _arrange(group, n, codes, starts, ends, stack, x, is_au, near, far)
        reset(rings, rows)
        for span in range(SHORTEST_SPAN, n + 1):
            count = (n - span + 1) * LANES
            close_pairs(span, count, LANES, 0, bases, tables, rings, rows)
            offer_interiors(span, count, LANES, tables, rings, rows)
            energies[span, :count] = energy[span % RINGS[0], PAD * LANES : PAD * LANES + count]
        for lane in range(group.size):
            k = group[lane]
            n_own = ends[k] - starts[k]
            energies_of[k] = energies[n_own, lane]
            _trace(n_own, lane, x, stack, tables, energies, partners[offsets[k] : offsets[k] + n_own])
