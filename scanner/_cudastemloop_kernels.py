"""The pairs of the prefilter's stem-loops on a GPU: a hairpin a block of threads, filled, then traced by all together.

The recursion is ``_cudarecursion_kernels``'; the order of tracing is that of ``_stemloop_kernels``.
"""

import numpy as np
from numba import cuda

from mirsweep.cuda_kernels import WARP, kept_kernel
from mirsweep.scanner._cudablock_kernels import least_of
from mirsweep.scanner._cudarecursion_kernels import REACH, ROWS, clear, close_pair, terms_of
from mirsweep.scanner._prefilter_kernels import SHORTEST_SPAN, UNPAIRABLE
from mirsweep.scanner._stemloop_kernels import POSSIBLE, loop_energy
from mirsweep.scanner.energy import MAX_STEM_LOOP
from mirsweep.scanner.params import LONGEST_SPAN
from mirsweep.scanner.units import FORBIDDEN

__all__ = ["pair_stem_loops"]

_COLUMNS = -(-LONGEST_SPAN // WARP) * WARP + REACH
_RINGS_SIZE = ROWS * _COLUMNS
_NOWHERE = 1 << 20
_N_SMALL = (MAX_STEM_LOOP + 1) * (MAX_STEM_LOOP + 2) // 2
"""Places of an inner pair within a loop of up to ``MAX_STEM_LOOP`` bases."""


@cuda.jit(device=True)
def _fill(n, letters, stack, hairpin, costs, rings, energies):
    """Energies of all stem-loops of a hairpin of n bases, by span and start."""
    i, columns = np.int64(cuda.threadIdx.x), np.int64(cuda.blockDim.x + REACH)
    terms = terms_of(letters, i, stack)
    j_1, j_2 = np.int32(letters[i + 3]), terms.third
    right_bulge = np.int32(FORBIDDEN)
    for span in range(SHORTEST_SPAN, n + 1):
        if i + span <= n:
            j_0 = np.int32(letters[i + span - 1])
            last = j_0, j_1, j_2
            best, _, right_bulge = close_pair(
                span, i, columns, last, right_bulge, hairpin[span - 2], terms, costs, rings
            )
            energies[span, i] = best
            j_2, j_1 = j_1, j_0
        cuda.syncthreads()


@cuda.jit(device=True)
def _place(number):
    """Unpaired bases, and those on the 5' side, of the place that is looked at so many places after the first."""
    if number >= _N_SMALL:  # longer ones are bulges, on either side
        n = MAX_STEM_LOOP + 1 + (number - _N_SMALL) // 2
        return n, n * ((number - _N_SMALL) % 2)
    n, first = 0, 0
    while first + n + 1 <= number:
        first += n + 1
        n += 1
    return n, number - first


@cuda.jit(device=True)
def _enclosed(i, j, letters, stack, tables, energies, cell):
    """The pair within (i, j), as ``_stemloop_kernels`` finds it; (-1, -1) where that is a hairpin loop."""
    energy, a, b = np.int64(energies[j - i + 1, i]), np.int64(letters[i]), np.int64(letters[j])
    most = j - i - SHORTEST_SPAN
    found = np.int32(_NOWHERE)
    for number in range(cuda.threadIdx.x, _N_SMALL + 2 * max(0, most - MAX_STEM_LOOP), cuda.blockDim.x):
        n, left = _place(number)
        if n < most:
            p, q = i + 1 + left, j - 1 - n + left
            inner = np.int64(energies[q - p + 1, p])
            if inner < POSSIBLE:
                c, d = np.int64(letters[p]), np.int64(letters[q])
                if inner + loop_energy(a, b, c, d, left, n - left, stack, tables) == energy:
                    found = np.int32(number)
                    break
    number = least_of(found, cell)
    if number == _NOWHERE:
        return np.int64(-1), np.int64(-1)
    n, left = _place(number)
    return np.int64(i + 1 + left), np.int64(j - 1 - n + left)


@kept_kernel
def pair_stem_loops(
    order, codes, starts, ends, stack, hairpin, costs, tables, energies, partners, offsets, energies_of
):
    """The best stem-loop of each hairpin, as ``_stemloop_kernels.pair_stem_loops``; a block takes every so manyth.

    There are as many threads a block as the longest has bases, or more.

    Parameters
    ----------
    order
        The hairpins, longest first, int32, shape (n,).
    codes
        Base codes, uint8; hairpin k is ``codes[starts[k]:ends[k]]``, its letters are bases and its ends can pair.
    stack, hairpin, costs
        As in ``best_stem_loops`` of the prefilter.
    tables
        (hairpin, bulge, interior, interior_1n, asymmetry, closures) of StemLoopEnergies, int16.
    energies
        Work, int16, shape (blocks, longest + 1, longest).
    partners, offsets
        Output, int16: each base's partner within its hairpin, -1 for none; that of hairpin k from ``offsets[k]`` on.
    energies_of
        Output, energies of the stem-loops without the closure of the stem's end, units; int16, shape (n,).
    """
    rings = cuda.shared.array(_RINGS_SIZE, np.int16)
    letters = cuda.shared.array(_COLUMNS, np.int16)
    cell = cuda.shared.array(1, np.int32)
    thread, own = cuda.threadIdx.x, energies[cuda.blockIdx.x]
    columns = np.int64(cuda.blockDim.x + REACH)
    for number in range(cuda.blockIdx.x, order.size, cuda.gridDim.x):
        k = order[number]
        start, n = starts[k], ends[k] - starts[k]
        found = partners[offsets[k] : offsets[k] + n]
        for column in range(thread, columns, cuda.blockDim.x):
            code = codes[start + column] if column < n else np.uint8(4)
            letters[column] = code if code < 4 else UNPAIRABLE
            clear(column, columns, rings)
            if column < n:
                found[column] = -1
        cuda.syncthreads()
        _fill(n, letters, stack, hairpin, costs, rings, own)
        if thread == 0:
            energies_of[k] = own[n, 0]
        i, j = np.int64(0), np.int64(n - 1)
        while i >= 0:
            if thread == 0:
                found[i], found[j] = j, i
            i, j = _enclosed(i, j, letters, stack, tables, own, cell)
        cuda.syncthreads()
