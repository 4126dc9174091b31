"""The prefilter on a GPU: a block of threads a stretch of starts, by the recursion of ``_cudarecursion_kernels``.

A block knows the starts of its stretch and ``max_span`` more, which the next block works off again: a stem-loop needs
nothing beyond its last base.
"""

import numpy as np
from numba import cuda

from mirsweep.cuda_kernels import kept_kernel
from mirsweep.scanner._cudarecursion_kernels import REACH, ROWS, clear, close_pair, terms_of
from mirsweep.scanner._prefilter_kernels import SHORTEST_SPAN, UNPAIRABLE
from mirsweep.scanner.units import FORBIDDEN

__all__ = ["THREADS", "best_stem_loops", "local_minima"]

THREADS = 512
"""Starts of a block, with those that the next one works off, too."""
_COLUMNS = THREADS + REACH
_RINGS_SIZE = ROWS * _COLUMNS


@kept_kernel
def best_stem_loops(codes, stack, hairpin, costs, spans, penalties, best, best_span):
    """Best stem-loop from each start of a strand, as ``_prefilter_kernels.best_stem_loops``.

    A block of ``THREADS`` threads has ``THREADS - max_span`` starts.

    Parameters
    ----------
    codes
        Base codes, uint8, shape (n,); 4 and more break.
    stack, hairpin
        Of StemLoopEnergies, int16.
    costs
        ``Costs``.
    spans
        (min_span, last_short, max_span), nt: hairpins up to last_short are short, longer ones long.
    penalties
        By span, int16, shape (max_span + 1,).
    best, best_span
        Output, int16, one row for the short ones and one for the long ones, by start: penalised energy in units,
        and span; FORBIDDEN and 0 where there is none. Shape (2, n).
    """
    rings = cuda.shared.array(_RINGS_SIZE, np.int16)
    letters = cuda.shared.array(_COLUMNS, np.int16)
    min_span, last_short, max_span = spans
    i = np.int64(cuda.threadIdx.x)
    start = cuda.blockIdx.x * (THREADS - max_span) + i
    for column in range(i, _COLUMNS, THREADS):
        at = start - i + column
        letters[column] = codes[at] if at < codes.size and codes[at] < 4 else UNPAIRABLE
        clear(column, _COLUMNS, rings)
    cuda.syncthreads()
    terms = terms_of(letters, i, stack)
    j_1, j_2 = np.int32(letters[i + 3]), terms.third
    is_whole = (terms.own < 4) & (terms.second < 4) & (j_2 < 4) & (j_1 < 4)
    right_bulge = np.int32(FORBIDDEN)
    best_short, best_long = np.int32(FORBIDDEN), np.int32(FORBIDDEN)
    span_short, span_long = np.int32(0), np.int32(0)
    for span in range(SHORTEST_SPAN, max_span + 1):
        if i + span <= THREADS:
            j_0 = np.int32(letters[i + span - 1])
            is_whole = is_whole & (j_0 < 4)
            last = j_0, j_1, j_2
            _, ended, right_bulge = close_pair(
                span, i, _COLUMNS, last, right_bulge, hairpin[span - 2], terms, costs, rings
            )
            if is_whole & (span >= min_span):
                penalised = np.int32(ended + penalties[span])
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
