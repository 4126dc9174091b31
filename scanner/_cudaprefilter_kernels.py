"""The prefilter on a GPU: one start a thread, one diagonal (span) after another, a stretch of starts a block.

The recursion is the CPU's (``_prefilter_kernels``), and so are its energies: 16 bits, computed in int32. Where a thread
of the CPU offers a pair to those around it, one of these looks at the pairs within its own. A block knows the starts of
its stretch and ``max_span`` more, which the next block works off again: a stem-loop needs nothing beyond its last base.
"""

import numpy as np
from numba import cuda

from mirsweep.cuda_kernels import kept_kernel
from mirsweep.scanner._prefilter_kernels import RINGS, SHORTEST_SPAN, UNPAIRABLE
from mirsweep.scanner.units import FORBIDDEN

__all__ = ["THREADS", "best_stem_loops", "local_minima"]

THREADS = 512
"""Starts of a block, with those that the next one works off, too."""
_REACH = 8
"""Starts that a pair looks ahead, so many columns follow the last."""
_COLUMNS = THREADS + _REACH
_ENERGIES, _OPENED, _ENDED = RINGS
_WATSON_CRICK, _WOBBLE = 3, 5


@cuda.jit(device=True)
def _lower(a, b):
    """The lower one, int32."""
    one, other = np.int32(a), np.int32(b)
    return one if one < other else other


@cuda.jit(device=True)
def _stacking(stack, left, right):
    """Stacking terms of a base on its neighbour, see ``_prefilter_kernels.describe_bases``; four int32."""
    if (left < 4) & (right < 4):
        pair = 4 * left + right
        return np.int32(stack[0, pair]), np.int32(stack[1, pair]), np.int32(stack[2, pair]), np.int32(stack[3, pair])
    return np.int32(0), np.int32(0), np.int32(0), np.int32(0)


@cuda.jit(device=True)
def _if(condition, energy):
    return np.int32(energy) if condition else np.int32(0)


@cuda.jit(device=True)
def _over_interior(span, i, opened, tables):
    """Best energy over an interior loop of 2 to 8 bases, without what the outer pair adds.

    ``opened`` holds the enclosed pairs, those of span s in row s modulo its length. The loops of one size share their
    middle; of one whose sides differ by more than those before it the single base on one side has a cost of its own.
    """
    _, _, cost, cost_1n, asymmetry, _ = tables
    best = np.int32(FORBIDDEN)
    for size in range(2, 9):
        row = opened[(span - 2 - size) % _OPENED]
        near, far = i + 1 + (size >> 1), i + 1 + (size + 1 >> 1)
        inner = np.int32(FORBIDDEN)
        difference = size % 2
        while near > i + 2:
            inner = _lower(inner, _lower(row[near], row[far]) + asymmetry[difference])
            near, far, difference = near - 1, far + 1, difference + 2
        best = _lower(best, inner + cost[size])
        if size == 2:
            best = _lower(best, row[near] + cost[2])
        else:
            best = _lower(best, _lower(row[near], row[far]) + asymmetry[difference] + cost_1n[size])
    return best


@kept_kernel
def best_stem_loops(codes, stack, tables, spans, penalties, best, best_span):
    """Best stem-loop from each start of a strand, as ``_prefilter_kernels.best_stem_loops``.

    A block of ``THREADS`` threads has ``THREADS - max_span`` starts.

    Parameters
    ----------
    codes
        Base codes, uint8, shape (n,); 4 and more break.
    stack
        Stacking table, int16, shape (4, 16).
    tables
        (hairpin, bulge, interior, interior_1n, asymmetry, closures) of StemLoopEnergies, int16.
    spans
        (min_span, last_short, max_span), nt: hairpins up to last_short are short, longer ones long.
    penalties
        By span, int16, shape (max_span + 1,).
    best, best_span
        Output, int16, one row for the short ones and one for the long ones, by start: penalised energy in units,
        and span; FORBIDDEN and 0 where there is none. Shape (2, n).
    """
    energies = cuda.shared.array((_ENERGIES, _COLUMNS), np.int16)
    opened = cuda.shared.array((_OPENED, _COLUMNS), np.int16)
    ended = cuda.shared.array((_ENDED, _COLUMNS), np.int16)
    bulged = cuda.shared.array((2, _COLUMNS), np.int16)
    letters = cuda.shared.array(_COLUMNS, np.int16)
    hairpin, bulge, _, _, _, closures = tables
    min_span, last_short, max_span = spans
    i = cuda.threadIdx.x
    start = cuda.blockIdx.x * (THREADS - max_span) + i
    for column in range(i, _COLUMNS, THREADS):
        at = start - i + column
        letters[column] = codes[at] if at < codes.size and codes[at] < 4 else UNPAIRABLE
        for row in range(_ENERGIES):
            energies[row, column] = FORBIDDEN
        for row in range(_OPENED):
            opened[row, column] = FORBIDDEN
        for row in range(_ENDED):
            ended[row, column] = FORBIDDEN
        for row in range(2):
            bulged[row, column] = FORBIDDEN
    cuda.syncthreads()
    own, next_one, j_2, j_1 = letters[i], letters[i + 1], letters[i + 2], letters[i + 3]
    is_whole = (own < 4) & (next_one < 4) & (j_2 < 4) & (j_1 < 4)
    near_0, near_1, near_2, near_3 = _stacking(stack, own, next_one)
    far_0, far_1, far_2, far_3 = _stacking(stack, own, letters[i + 2])
    of_one, of_two, of_further = np.int32(bulge[0]), np.int32(bulge[1]), np.int32(bulge[2])
    right_bulge = np.int32(FORBIDDEN)
    best_short, best_long = np.int32(FORBIDDEN), np.int32(FORBIDDEN)
    span_short, span_long = np.int32(0), np.int32(0)
    for span in range(SHORTEST_SPAN, max_span + 1):
        if i + span <= THREADS:
            j_0 = letters[i + span - 1]
            is_whole = is_whole & (j_0 < 4)
            is_wobble = own + j_0 == _WOBBLE
            is_weak = is_wobble | (own == 0) | (own == 3)
            two, three = energies[(span - 2) % _ENERGIES], energies[(span - 3) % _ENERGIES]
            four = ended[(span - 4) % _ENDED]
            outer = near_0 + _if(is_wobble, near_1)
            inner = near_2 + _if(is_wobble, near_3)
            best_of = np.int32(two[i + 1] + outer + _if(next_one + j_1 == _WOBBLE, inner))
            right = np.int32(three[i + 1] + outer + _if(next_one + j_2 == _WOBBLE, inner))
            outer = far_0 + _if(is_wobble, far_1)
            inner = far_2 + _if(is_wobble, far_3)
            left = np.int32(three[i + 2] + outer + _if(letters[i + 2] + j_1 == _WOBBLE, inner))
            best_of = _lower(best_of, _lower(left, right) + of_one)
            left_bulge = _lower(bulged[(span - 1) % 2, i + 1] + of_further, four[i + 3] + of_two)
            right_bulge = _lower(right_bulge + of_further, four[i + 1] + of_two)
            bulged[span % 2, i] = left_bulge
            of_interior, of_bulge = _if(is_weak, closures[0]), _if(is_weak, closures[1])
            best_of = _lower(best_of, hairpin[span - 2] + _if(is_weak, closures[2]))
            best_of = _lower(best_of, _over_interior(span, i, opened, tables) + of_interior)
            best_of = _lower(best_of, _lower(left_bulge, right_bulge) + of_bulge)
            if not (is_wobble | (own + j_0 == _WATSON_CRICK)):
                best_of = np.int32(FORBIDDEN)
            energies[span % _ENERGIES, i] = best_of
            opened[span % _OPENED, i] = best_of + of_interior
            ended[span % _ENDED, i] = best_of + of_bulge
            if is_whole & (span >= min_span):
                penalised = np.int32(best_of + of_bulge + penalties[span])
                if span > last_short:
                    if penalised < best_long:
                        best_long, span_long = penalised, np.int32(span)
                elif penalised < best_short:
                    best_short, span_short = penalised, np.int32(span)
            j_2, j_1 = j_1, j_0
        cuda.syncthreads()
    if (i < THREADS - max_span) & (start < codes.size):
        best[0, start], best[1, start] = best_short, best_long
        best_span[0, start], best_span[1, start] = span_short, span_long


@kept_kernel
def local_minima(best, best_span, threshold, window, n_found, starts, spans, energies):
    """Starts whose energy is at most ``threshold`` and lowest within ``window`` on both sides (leftmost if tied).

    A thread a start, the short ones in the first row of the grid, the long ones in the second.

    Parameters
    ----------
    best, best_span
        Of ``best_stem_loops``.
    n_found
        How many of either, 0 at first; int32, shape (2,).
    starts, spans, energies
        Output, int32, shape (2, n // (window + 1) + 1): those found, in any order.
    """
    row, i = cuda.blockIdx.y, cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    n = best.shape[1]
    if i < n and best[row, i] <= threshold:
        energy, is_lowest = best[row, i], True
        for k in range(max(0, i - window), i):
            is_lowest = is_lowest & (best[row, k] > energy)
        for k in range(i + 1, min(n, i + window + 1)):
            is_lowest = is_lowest & (best[row, k] >= energy)
        if is_lowest:
            k = cuda.atomic.add(n_found, row, 1)
            starts[row, k], spans[row, k], energies[row, k] = i, best_span[row, i], energy
