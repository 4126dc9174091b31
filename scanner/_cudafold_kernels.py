"""The batched fold engine on a GPU: one sequence a block of threads, one base a thread, one diagonal after another.

Thread i fills the segments from base i on, diagonal by diagonal, by the CPU's recursion (``_batchfold_fill_kernels``,
whose rows these are with one lane); then the threads of a block look together for each step of the backtracking, in the
order of the CPU's (``_batchfold_trace_kernels``), first of the sequence, then of those that are parts of it
(``_batchfold_nested_kernels``). Energies are kept in int16 or int32, 0.01 kcal/mol, and computed in int32.
"""

from typing import NamedTuple

import numpy as np
from numba import cuda

from mirsweep.cuda_kernels import kept_kernel
from mirsweep.scanner._batchfold_arrays import LOWEST_16_BIT, SHORTEST
from mirsweep.scanner._batchfold_trace_kernels import (
    PAIRED,
    PREFIX,
    context_of,
    hairpin_energy,
    interior_energy,
    lower_of,
)
from mirsweep.scanner.foldtables import END
from mirsweep.scanner.turner import FORBIDDEN, MAX_LOOP

__all__ = ["CONTEXT_ROWS", "Parts", "Work", "fold_sequences", "n_rows"]


_RING = 64
"""Diagonals that are kept of what interior loops read: they reach back over 32, and one is written meanwhile."""
_NESTED, _SPLITS, CONTEXT_ROWS = 32, 4, 8
_INTERIOR, _ONE_SIDED, _TWO_THREE, _BULGE = 0, _RING, 2 * _RING, 3 * _RING
_PLACES = 4 * _RING
_SPLIT = _PLACES + 2 * _NESTED
_FULL = _SPLIT + _SPLITS
"""First rows of the parts of a block's energies: rings, then ``paired``, ``multi`` and ``exterior`` by diagonal."""
_MULTI = 2
_SIDES = MAX_LOOP + 1
_NOWHERE = 1 << 20
_OPEN, _CLOSE, _UNPAIRED = np.uint8(40), np.uint8(41), np.uint8(46)


def n_rows(n: int) -> int:
    """Rows of energies that a block needs for sequences of up to ``n`` nt."""
    return _FULL + 3 * n


class Work(NamedTuple):
    """Work arrays; each block owns one row.

    Attributes
    ----------
    energies
        int16 or int32, shape (blocks, n_rows(n), n).
    contexts
        Context of the pair as the enclosed one, of the last diagonals; uint8, shape (blocks, CONTEXT_ROWS, n).
    prefix
        Best energy of the first j bases; int32, shape (blocks, n + 1).
    codes
        Base codes with END before the first and after the last, uint8, shape (blocks, n + 2).
    stack
        Segments that backtracking has left; int32, shape (blocks, n + 2, 3).
    """

    energies: np.ndarray
    contexts: np.ndarray
    prefix: np.ndarray
    codes: np.ndarray
    stack: np.ndarray


class Parts(NamedTuple):
    """What is traced back in the tables of each sequence: itself and its parts.

    Attributes
    ----------
    bounds
        Those of sequence k are at ``bounds[k]`` to ``bounds[k + 1]`` of the others; int32, shape (sequences + 1,).
    numbers, firsts
        Numbers of these sequences, and where each begins in that whose tables are filled; int32.
    """

    bounds: np.ndarray
    numbers: np.ndarray
    firsts: np.ndarray


class _Own(NamedTuple):
    """A block's rows of the work arrays, with the diagonals by name."""

    rows: np.ndarray
    paired: np.ndarray
    multi: np.ndarray
    exterior: np.ndarray
    contexts: np.ndarray


@cuda.jit(device=True)
def _one_sided(row, near, far, cost):
    """Cheapest loop of a size with fixed unpaired bases on one side: the pair lies near the 5' or the 3' end."""
    return np.int32(lower_of(np.int32(row[near]), np.int32(row[far])) + cost)


@cuda.jit(device=True)
def _best_loops(d, i, tables, rows):
    """Cheapest interior loop, 1xn, 2x3 and bulge of (i, i + d), without what this pair adds and without the small ones.

    The places that a pair of one diagonal can have within a loop share their middle: as the loop grows by a base on
    either side, two places are added, and the best of the others is in ``rows`` already.
    """
    interior, one_sided, two_three, bulge = (
        np.int32(FORBIDDEN),
        np.int32(FORBIDDEN),
        np.int32(FORBIDDEN),
        np.int32(FORBIDDEN),
    )
    for size in range(2, lower_of(MAX_LOOP, d - 2 - SHORTEST) + 1):
        inner = d - 2 - size
        ring = inner % _RING
        cost = _one_sided(rows[_BULGE + ring], i + 1, i + 1 + size, tables.bulge_size[size])
        bulge = lower_of(bulge, cost)
        if size > 3:
            cost = _one_sided(rows[_ONE_SIDED + ring], i + 2, i + size, tables.interior_1n_size[size])
            one_sided = lower_of(one_sided, cost)
            nested = rows[_PLACES + 2 * (inner % _NESTED) + size % 2]
            middle = (size >> 1) + i
            cost = _one_sided(rows[_INTERIOR + ring], i + 3, i + size - 1, tables.asymmetry[size - 4])
            if size > 5:
                cost = lower_of(cost, np.int32(nested[middle]))
                interior = lower_of(interior, np.int32(cost + tables.interior_size[size]))
            nested[middle] = cost
    if d >= 7 + SHORTEST:
        cost = np.int32(tables.interior_size[5] + tables.asymmetry[1])
        two_three = _one_sided(rows[_TWO_THREE + (d - 7) % _RING], i + 3, i + 4, cost)
    return interior, one_sided, two_three, bulge


@cuda.jit(device=True)
def _best_split(d, i, multi):
    """Best sum of two adjoining multiloop parts from i to i + d."""
    best = np.int32(FORBIDDEN)
    for first in range(SHORTEST, d - SHORTEST):
        best = lower_of(best, np.int32(multi[first, i] + multi[d - 1 - first, i + first + 1]))
    return best


@cuda.jit(device=True)
def _small_loop(d, left, right, i, outer, tables, own):
    """Loop with ``left`` and ``right`` unpaired bases between (i, i + d) and its place's pair, with its own energy."""
    inner = d - 2 - left - right
    k = i + 1 + left
    context = np.int64(own.contexts[inner % CONTEXT_ROWS, k])
    return np.int32(own.paired[inner, k] + interior_energy(left, right, outer, context, tables))


@cuda.jit(device=True)
def _close_pair(d, i, loops, codes, tables, own):
    """Best energy of (i, i + d), which can pair."""
    outer = context_of(1, 0, i, i + d, codes, tables)
    e = np.int32(lower_of(np.int64(FORBIDDEN), hairpin_energy(1, 0, i, i + d, outer, codes, tables)))
    for size in range(lower_of(4, d - 2 - SHORTEST) + 1):
        if size < 2:
            e = lower_of(e, _small_loop(d, 0, size, i, outer, tables, own))
            e = lower_of(e, _small_loop(d, size, 0, i, outer, tables, own))
        else:
            e = lower_of(e, _small_loop(d, size // 2, size - size // 2, i, outer, tables, own))
            e = lower_of(e, _small_loop(d, size - size // 2, size // 2, i, outer, tables, own))
    interior, one_sided, two_three, bulge = loops
    e = lower_of(e, np.int32(interior + tables.interior[outer]))
    e = lower_of(e, np.int32(one_sided + tables.interior_1n[outer]))
    e = lower_of(e, np.int32(two_three + tables.interior_23[outer]))
    e = lower_of(e, np.int32(bulge + tables.bulge[outer]))
    split = own.rows[_SPLIT + (d - 2) % _SPLITS, i + 1]
    return lower_of(e, np.int32(split + tables.multi[outer] + tables.ml_closing[0]))


@cuda.jit(device=True)
def _clear(d, i, own):
    """Nothing pairs on diagonal d until it is found able to."""
    ring = d % _RING
    own.paired[d, i] = own.multi[d, i] = own.exterior[d, i] = FORBIDDEN
    own.rows[_INTERIOR + ring, i] = own.rows[_ONE_SIDED + ring, i] = FORBIDDEN
    own.rows[_TWO_THREE + ring, i] = own.rows[_BULGE + ring, i] = FORBIDDEN
    own.rows[_SPLIT + d % _SPLITS, i] = FORBIDDEN
    own.contexts[d % CONTEXT_ROWS, i] = 0


@cuda.jit(device=True)
def _fill_segment(d, i, codes, tables, own):
    """All energies of the segment from i to i + d; shorter segments have theirs. Returns the lowest."""
    loops = _best_loops(d, i, tables, own.rows)
    _clear(d, i, own)
    multi = np.int32(FORBIDDEN)
    e = np.int32(FORBIDDEN)
    if tables.pair[6 * codes[i + 1] + codes[i + d + 1]]:
        e = _close_pair(d, i, loops, codes, tables, own)
        ring, c = d % _RING, context_of(1, 0, i + d, i, codes, tables)
        own.contexts[d % CONTEXT_ROWS, i] = c
        own.paired[d, i] = e
        own.rows[_INTERIOR + ring, i] = e + tables.interior[c]
        own.rows[_ONE_SIDED + ring, i] = e + tables.interior_1n[c]
        own.rows[_TWO_THREE + ring, i] = e + tables.interior_23[c]
        own.rows[_BULGE + ring, i] = e + tables.bulge[c]
        beside = 36 * np.int64(tables.pair[6 * codes[i + 1] + codes[i + d + 1]]) + 6 * codes[i] + codes[i + d + 2]
        own.exterior[d, i] = e + tables.exterior[beside]
        multi = np.int32(e + tables.multi[c])
    split = _best_split(d, i, own.multi)
    own.rows[_SPLIT + d % _SPLITS, i] = split
    shorter = lower_of(np.int32(own.multi[d - 1, i]), np.int32(own.multi[d - 1, i + 1]))
    multi = lower_of(lower_of(multi, split), np.int32(shorter + tables.ml_base[0]))
    own.multi[d, i] = multi
    return lower_of(e, multi)


@cuda.jit(device=True)
def _fill(n, codes, tables, own):
    """Energies of all segments; the lowest of this thread's."""
    i, lowest = cuda.threadIdx.x, np.int32(0)
    for d in range(n):
        if i < n - d:
            if d < SHORTEST:
                _clear(d, i, own)
            else:
                lowest = lower_of(lowest, _fill_segment(d, i, codes, tables, own))
        cuda.syncthreads()
    return lowest


@cuda.jit(device=True)
def _stem(i, j, first, last, codes, tables, own):
    """Energy of the pair (i, j) in the exterior loop of the part from ``first`` to ``last``: nothing lies beyond."""
    if i > first and j < last:
        return np.int32(own.exterior[j - i, i])
    pair = np.int64(tables.pair[6 * codes[i + 1] + codes[j + 1]])
    if pair == 0:
        return np.int32(FORBIDDEN)
    before = np.int64(END if i == first else codes[i])
    after = np.int64(END if j == last else codes[j + 2])
    return np.int32(own.paired[j - i, i] + tables.exterior[36 * pair + 6 * before + after])


@cuda.jit(device=True)
def _fill_prefix(first, n, codes, tables, own, prefix):
    """Best energy of each prefix of the part; thread j has the best with a stem that ends with the part's base j."""
    j, best = cuda.threadIdx.x, np.int32(FORBIDDEN)
    if j == 0:
        prefix[0] = 0
    for i in range(n):
        cuda.syncthreads()
        if i + SHORTEST <= j < n:
            stem = _stem(first + i, first + j, first, first + n - 1, codes, tables, own)
            best = lower_of(best, np.int32(prefix[i] + stem))
        if j == i:
            prefix[i + 1] = lower_of(prefix[i], best)
    cuda.syncthreads()


@cuda.jit(device=True)
def _least_of(value, cell):
    """The least value of the block's threads."""
    cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        cell[0] = value
    cuda.syncthreads()
    cuda.atomic.min(cell, 0, value)
    cuda.syncthreads()
    return cell[0]


@cuda.jit(device=True)
def _find_enclosed(i, j, energy, outer, codes, tables, paired, cell):
    """First pair that (i, j) encloses without a branch at this energy, by its place: 31 * left + right, or _NOWHERE."""
    found = np.int32(_NOWHERE)
    for place in range(cuda.threadIdx.x, _SIDES * _SIDES, cuda.blockDim.x):
        left, right = place // _SIDES, place % _SIDES
        p, q = i + 1 + left, j - 1 - right
        if found == _NOWHERE and left + right <= MAX_LOOP and q - p >= SHORTEST:
            loop = energy - paired[q - p, p]
            if loop >= tables.least[left + right]:
                inner = context_of(1, 0, q, p, codes, tables)
                if loop == interior_energy(left, right, outer, inner, tables):
                    found = np.int32(place)
    return _least_of(found, cell)


@cuda.jit(device=True)
def _find_split(i, j, energy, multi, cell):
    """First position after which the multiloop part from i to j splits in two at this energy."""
    found = np.int32(_NOWHERE)
    for u in range(i + SHORTEST + cuda.threadIdx.x, j - SHORTEST, cuda.blockDim.x):
        if found == _NOWHERE and energy == multi[u - i, i] + multi[j - u - 1, u + 1]:
            found = np.int32(u)
    return _least_of(found, cell)


@cuda.jit(device=True)
def _find_stem(end, first, last, codes, tables, own, prefix, cell):
    """Last base from which a stem to base ``end - 1`` gives the part's bases up to there their energy, or _NOWHERE."""
    found, energy = np.int32(_NOWHERE), prefix[end - first]
    for i in range(first + cuda.threadIdx.x, end - SHORTEST, cuda.blockDim.x):
        if energy == prefix[i - first] + _stem(i, end - 1, first, last, codes, tables, own):
            found = np.int32(end - i)  # the least is the last; a thread's own come in ascending order
    least = _least_of(found, cell)
    return end - least if least < _NOWHERE else _NOWHERE


@cuda.jit(device=True)
def _push(stack, top, i, j, kind):
    if cuda.threadIdx.x == 0:
        stack[top, 0] = i
        stack[top, 1] = j
        stack[top, 2] = kind
    return top + 1


@cuda.jit(device=True)
def _trace_prefix(end, first, last, codes, tables, own, prefix, stack, top, cell):
    """Take the last stem off the part's bases up to ``end``; an empty prefix leaves nothing on the stack."""
    while end > first and prefix[end - first] == prefix[end - first - 1]:
        end -= 1
    i = _find_stem(end, first, last, codes, tables, own, prefix, cell)
    if i < _NOWHERE:
        top = _push(stack, top, first, i, PREFIX)
        top = _push(stack, top, i, end - 1, PAIRED)
    return top


@cuda.jit(device=True)
def _trace_pair(i, j, codes, tables, own, stack, top, cell):
    """Put on the stack what the pair (i, j) encloses: nothing, a pair, or the two parts of a multiloop."""
    energy = np.int64(own.paired[j - i, i])
    outer = context_of(1, 0, i, j, codes, tables)
    if energy == hairpin_energy(1, 0, i, j, outer, codes, tables):
        return top
    place = _find_enclosed(i, j, energy, outer, codes, tables, own.paired, cell)
    if place < _NOWHERE:
        return _push(stack, top, i + 1 + place // _SIDES, j - 1 - place % _SIDES, PAIRED)
    energy -= tables.ml_closing[0] + tables.multi[outer]
    u = _find_split(i + 1, j - 1, energy, own.multi, cell)
    top = _push(stack, top, i + 1, u, _MULTI)
    return _push(stack, top, u + 1, j - 1, _MULTI)


@cuda.jit(device=True)
def _trace_multi(i, j, codes, tables, own, stack, top, cell):
    """Put on the stack the stem or the two parts of a multiloop part, without the unpaired bases at its ends."""
    multi, ml_base = own.multi, tables.ml_base[0]
    while multi[j - i, i] == multi[j - i - 1, i] + ml_base:
        j -= 1
    while multi[j - i, i] == multi[j - i - 1, i + 1] + ml_base:
        i += 1
    energy = multi[j - i, i]
    if energy == own.paired[j - i, i] + tables.multi[context_of(1, 0, j, i, codes, tables)]:
        return _push(stack, top, i, j, PAIRED)
    u = _find_split(i, j, energy, multi, cell)
    top = _push(stack, top, i, u, _MULTI)
    return _push(stack, top, u + 1, j, _MULTI)


@cuda.jit(device=True)
def _trace(first, n, codes, tables, own, prefix, stack, structure, cell):
    """Dot-bracket string of the part of n bases from ``first`` on; all threads take each step together."""
    for k in range(cuda.threadIdx.x, n, cuda.blockDim.x):
        structure[k] = _UNPAIRED
    top = _push(stack, 0, first, first + n, PREFIX)
    while top > 0:
        cuda.syncthreads()
        top -= 1
        i, j, kind = stack[top, 0], stack[top, 1], stack[top, 2]
        cuda.syncthreads()
        if kind == PREFIX:
            top = _trace_prefix(j, first, first + n - 1, codes, tables, own, prefix, stack, top, cell)
        elif kind == PAIRED:
            if cuda.threadIdx.x == 0:
                structure[i - first] = _OPEN
                structure[j - first] = _CLOSE
            top = _trace_pair(i, j, codes, tables, own, stack, top, cell)
        else:
            top = _trace_multi(i, j, codes, tables, own, stack, top, cell)


@kept_kernel
def fold_sequences(codes, starts, lengths, order, parts, tables, work, structures, energies):
    """Fold the sequences in ``order`` and their parts; block b takes the numbers b, b + blocks, ... of these.

    There are as many threads a block as the longest of them has bases, or more.

    Parameters
    ----------
    codes
        Base codes of all sequences one after the other, uint8.
    starts, lengths
        Where each sequence starts, and its length; int64, shape (sequences,).
    order
        Numbers of the sequences whose tables are to be filled, int32.
    parts
        ``Parts`` on the device.
    tables
        ``FoldTables`` on the device.
    work
        ``Work`` of as many blocks.
    structures
        Receives the structures, in ASCII, where the codes of their sequences are; uint8.
    energies
        Receives the energies, int32, shape (sequences,); FORBIDDEN where 16 bits may have overflowed.
    """
    block, thread = cuda.blockIdx.x, cuda.threadIdx.x
    cell = cuda.shared.array(1, np.int32)
    rows, prefix = work.energies[block], work.prefix[block]
    longest = (rows.shape[0] - _FULL) // 3
    own = _Own(
        rows,
        rows[_FULL : _FULL + longest],
        rows[_FULL + longest : _FULL + 2 * longest],
        rows[_FULL + 2 * longest :],
        work.contexts[block],
    )
    own_codes, stack = work.codes[block], work.stack[block]
    for k in range(block, order.size, cuda.gridDim.x):
        number = order[k]
        n, start = lengths[number], starts[number]
        for i in range(thread, n + 2, cuda.blockDim.x):
            own_codes[i] = END if i == 0 or i > n else codes[start + i - 1]
        cuda.syncthreads()
        least = _least_of(_fill(n, own_codes, tables, own), cell)
        is_overflowing = work.energies.itemsize == 2 and least < LOWEST_16_BIT
        for place in range(parts.bounds[number], parts.bounds[number + 1]):
            part, first = parts.numbers[place], parts.firsts[place]
            n, start = lengths[part], starts[part]
            if not is_overflowing:
                _fill_prefix(first, n, own_codes, tables, own, prefix)
                _trace(first, n, own_codes, tables, own, prefix, stack, structures[start : start + n], cell)
            if thread == 0:
                energies[part] = FORBIDDEN if is_overflowing else prefix[n]
            cuda.syncthreads()
