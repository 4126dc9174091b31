"""The batched fold engine on a GPU: one sequence a block of threads, one pair a thread, one diagonal after another.

Backtracking and the energies of single loops are those of the CPU's kernels, compiled for the GPU. Arrays are laid
out as theirs with one lane; energies are int32, in 0.01 kcal/mol.
"""

from numba import cuda

from mirsweep.scanner._batchfold_arrays import SHORTEST, Energies
from mirsweep.scanner._batchfold_trace_kernels import context_of, hairpin_energy, interior_energy, lower_of, trace_one
from mirsweep.scanner.turner import FORBIDDEN, MAX_LOOP

__all__ = ["SPLIT_ROWS", "fold_sequences"]

SPLIT_ROWS = 3
"""Diagonals of the sums of two multiloop parts that are kept: this one and the one that a pair of this one closes."""


@cuda.jit(device=True)
def _least_interior(d, i, least, outer, tables, paired, context):
    """The lower of ``least`` and the stacks, bulges and interior loops closed by (i, i + d)."""
    most = lower_of(MAX_LOOP, d - 2 - SHORTEST)
    for left in range(most + 1):
        for right in range(most - left + 1):
            span = d - 2 - left - right
            inner = int(context[span, i + 1 + left])
            inside = paired[span, i + 1 + left]
            if inside < FORBIDDEN:
                least = lower_of(least, inside + interior_energy(left, right, outer, inner, tables))
    return least


@cuda.jit(device=True)
def _least_split(d, i, multi):
    """Best sum of two adjoining multiloop parts from i to i + d."""
    least = FORBIDDEN
    for first in range(SHORTEST, d - SHORTEST):
        least = lower_of(least, multi[first, i] + multi[d - 1 - first, i + first + 1])
    return least


@cuda.jit(device=True)
def _fill_pair(d, i, codes, tables, energies, context, split):
    """Energies of the segment from i to i + d if its ends pair; they can."""
    outer = context_of(1, 0, i, i + d, codes, tables)
    least = lower_of(FORBIDDEN, hairpin_energy(1, 0, i, i + d, outer, codes, tables))
    least = _least_interior(d, i, least, outer, tables, energies.paired, context)
    closed = split[(d - 2) % SPLIT_ROWS, i + 1] + tables.multi[outer] + tables.ml_closing[0]
    least = lower_of(least, closed)
    inner = context_of(1, 0, i + d, i, codes, tables)
    beside = 36 * (outer // 25) + 6 * codes[i] + codes[i + d + 2]
    context[d, i] = inner
    energies.paired[d, i] = least
    energies.multi[d, i] = least + tables.multi[inner]
    energies.exterior[d, i] = least + tables.exterior[beside]


@cuda.jit(device=True)
def _fill_segment(d, i, codes, tables, energies, context, split):
    """All energies of the segment from i to i + d; shorter segments have theirs."""
    multi = energies.multi
    context[d, i] = 0
    energies.paired[d, i] = FORBIDDEN
    energies.exterior[d, i] = FORBIDDEN
    multi[d, i] = FORBIDDEN
    split[d % SPLIT_ROWS, i] = FORBIDDEN
    if d < SHORTEST:
        return
    if tables.pair[6 * codes[i + 1] + codes[i + d + 1]]:
        _fill_pair(d, i, codes, tables, energies, context, split)
    best = _least_split(d, i, multi)
    split[d % SPLIT_ROWS, i] = best
    shorter = lower_of(multi[d - 1, i], multi[d - 1, i + 1]) + tables.ml_base[0]
    multi[d, i] = lower_of(lower_of(multi[d, i], best), shorter)


@cuda.jit(device=True)
def _fill_prefix(n, energies):
    """Best energy of each prefix; the threads of the block share the stems of each."""
    prefix = energies.prefix
    if cuda.threadIdx.x == 0:
        prefix[0, 0] = 0
    cuda.syncthreads()
    for j in range(n):
        if cuda.threadIdx.x == 0:
            prefix[j + 1, 0] = prefix[j, 0]
        cuda.syncthreads()
        for i in range(cuda.threadIdx.x, j - SHORTEST + 1, cuda.blockDim.x):
            cuda.atomic.min(prefix, (j + 1, 0), prefix[i, 0] + energies.exterior[j - i, i])
        cuda.syncthreads()


@cuda.jit
def fold_sequences(
    codes, starts, lengths, tables, paired, multi, exterior, prefix, context, split, stack, structures, energies
):
    """Fold every sequence; block b takes the sequences b, b + blocks, ...

    Sequence number g has its base codes from ``starts[g]`` on, END before its first and after its last base.
    Each block owns one row of the work arrays: ``paired``, ``multi``, ``exterior`` (int32) and ``context`` (uint8)
    of shape (blocks, n, n), ``prefix`` (blocks, n + 1, 1), ``split`` (blocks, SPLIT_ROWS, n) and ``stack`` (blocks,
    n + 2, 3). ``structures`` (uint8, ASCII, shape (sequences, n)) and ``energies`` (int32) receive the results.
    """
    block = cuda.blockIdx.x
    own = Energies(paired[block], multi[block], exterior[block], prefix[block])
    for number in range(block, lengths.size, cuda.gridDim.x):
        n = lengths[number]
        own_codes = codes[starts[number] :]
        for d in range(n):
            for i in range(cuda.threadIdx.x, n - d, cuda.blockDim.x):
                _fill_segment(d, i, own_codes, tables, own, context[block], split[block])
            cuda.syncthreads()
        _fill_prefix(n, own)
        if cuda.threadIdx.x == 0:
            trace_one(1, 0, n, own_codes, tables, own, stack[block], structures[number])
            energies[number] = prefix[block, n, 0]
        cuda.syncthreads()
