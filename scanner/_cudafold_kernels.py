"""The batched fold engine on a GPU: one sequence a block of threads, one base a thread, one diagonal after another.

Thread i fills the segments from base i on, diagonal by diagonal, by the CPU's recursion (``_batchfold_fill_kernels``,
with one lane); then the threads of a block look together for each step of the backtracking, in the order of the CPU's
(``_batchfold_trace_kernels``), first of the sequence, then of those that are parts of it
(``_batchfold_nested_kernels``). Energies are kept in int16 or int32, 0.01 kcal/mol, and computed in int32; places in
arrays are unsigned, of which the compiler asks no negative ones.
"""

from typing import NamedTuple

import numpy as np
from numba import cuda, int16, int32, uint8

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
from mirsweep.scanner._cudablock_kernels import least_of
from mirsweep.scanner.foldinput import MAX_LENGTH, UNKNOWN
from mirsweep.scanner.foldtables import END
from mirsweep.scanner.turner import FORBIDDEN, MAX_LOOP

__all__ = ["RING_ROWS", "Parts", "Results", "Sequences", "Work", "fold_in_shared_memory", "fold_sequences", "n_rows"]

_RING = MAX_LOOP + 3
"""Diagonals that are kept of what interior loops read: they reach back over 32, and one is written meanwhile."""
_RING_PARTS = 4
"""Of each of these: inner pairs of interior loops, of 1xn loops, and the best places of even and of odd loops."""
RING_ROWS = _RING * _RING_PARTS
"""Rows of energies of the rings."""
_BEFORE = 3
"""Empty diagonals before the first: loops looked up by both contexts reach back over 7, and pairs begin on number 4."""
_CODES, _PREFIXES = MAX_LENGTH + 2, MAX_LENGTH + 1
_MULTI = 2
_SIDES = MAX_LOOP + 1
_NOWHERE = 1 << 20
_OPEN, _CLOSE, _UNPAIRED = np.uint8(40), np.uint8(41), np.uint8(46)


def n_rows(n: int) -> int:
    """Rows of each kind of energies that a block needs for sequences of up to ``n`` nt."""
    return _BEFORE + n


class Work(NamedTuple):
    """Work arrays, each of as many equal pieces as there are blocks, for up to n bases; energies are int16 or int32.

    Attributes
    ----------
    paired
        Best energy of the segment if its ends pair, n_rows(n) * n each; diagonal d has row ``_BEFORE + d``.
    bulges
        The same with what the enclosed pair adds to a bulge.
    multi
        Best energy of the segment as part of a multiloop with at least one pair; likewise.
    splits
        Best sum of two multiloop parts; likewise.
    contexts
        Context of the pair as the enclosed one, 0 where none can form; uint8, likewise.
    rings
        ``RING_ROWS`` * n; none for the kernel that has them in shared memory.
    stack
        Segments that backtracking has left; int32, shape (blocks, n + 2, 3).
    """

    paired: np.ndarray
    bulges: np.ndarray
    multi: np.ndarray
    splits: np.ndarray
    contexts: np.ndarray
    rings: np.ndarray
    stack: np.ndarray


class Sequences(NamedTuple):
    """Sequences to be folded.

    Attributes
    ----------
    letters
        Of all sequences one after the other, ASCII, uint8.
    codes
        Base code of each letter or UNKNOWN, uint8, shape (256,).
    starts, lengths
        Where each sequence starts, and its length; int64, shape (sequences,).
    """

    letters: np.ndarray
    codes: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray


class Results(NamedTuple):
    """What folding gives.

    Attributes
    ----------
    structures
        In ASCII, where the letters of their sequences are; uint8.
    energies
        0.01 kcal/mol, int32, shape (sequences,); FORBIDDEN where 16 bits may have overflowed.
    is_unknown
        Set to 1 where a letter has no code; int32, shape (1,).
    """

    structures: np.ndarray
    energies: np.ndarray
    is_unknown: np.ndarray


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
    """What a block works with.

    Attributes
    ----------
    origin, width
        Where its pieces of the work arrays begin, and the length of a row of these.
    rings
        In shared memory or a piece of the work array.
    codes
        Base codes with END before the first and after the last, uint8; in shared memory.
    prefix
        Best energy of the first j bases, int32; in shared memory.
    cell
        For what all threads agree on, int32; in shared memory.
    """

    origin: int
    width: int
    paired: np.ndarray
    bulges: np.ndarray
    multi: np.ndarray
    splits: np.ndarray
    contexts: np.ndarray
    rings: np.ndarray
    codes: np.ndarray
    prefix: np.ndarray
    cell: np.ndarray


@cuda.jit(device=True)
def _at(d, i, own):
    """Where the segment from i to i + d has its place."""
    return np.uint32(own.origin + (d + _BEFORE) * own.width + i)


@cuda.jit(device=True)
def _lower_end(row, near, apart, cost):
    """A cost and the lower of two energies so far apart: the pair lies near the 5' or the 3' end of a loop."""
    far = np.uint32(near + apart)
    return np.int32(lower_of(np.int32(row[near]), np.int32(row[far])) + cost)


@cuda.jit(device=True)
def _best_loops(d, i, sizes, own):
    """Cheapest interior loop, 1xn and bulge of (i, i + d), without what this pair adds and without the small ones.

    The places that a pair of one diagonal can have within a loop share their middle: as the loop grows by a base on
    either side, two places are added, and the best of the others is in the ring already.
    """
    interior, one_sided, bulge = np.int32(FORBIDDEN), np.int32(FORBIDDEN), np.int32(FORBIDDEN)
    width, rings = own.width, own.rings
    most = np.int32(lower_of(MAX_LOOP, d - 2 - SHORTEST))
    place = np.uint32(_at(d - 4, i, own) + 1)
    size = np.int32(2)
    while size <= lower_of(most, 3):
        bulge = lower_of(bulge, _lower_end(own.bulges, place, size, sizes[np.uint32(4 * size)]))
        place = np.uint32(place - width)
        size = np.int32(size + 1)
    row = np.uint32(np.uint32(d - 6) % np.uint32(_RING))
    while size <= most:
        costs = np.uint64(4 * size)
        bulge = lower_of(bulge, _lower_end(own.bulges, place, size, sizes[costs]))
        ring = np.uint32(row * _RING_PARTS * width + i)
        cost = _lower_end(rings, np.uint32(ring + width + 2), size - 2, sizes[costs + np.uint64(1)])
        one_sided = lower_of(one_sided, cost)
        cost = _lower_end(rings, np.uint32(ring + 3), size - 4, sizes[costs + np.uint64(2)])
        nested = np.uint32(ring + (2 + (size & 1)) * width + (size >> 1))
        if size > 5:
            cost = lower_of(cost, np.int32(rings[nested]))
            interior = lower_of(interior, np.int32(cost + sizes[costs + np.uint64(3)]))
        rings[nested] = cost
        place = np.uint32(place - width)
        row = np.uint32(row - 1 if row > 0 else _RING - 1)
        size = np.int32(size + 1)
    return interior, one_sided, bulge


@cuda.jit(device=True)
def _best_split(d, i, own):
    """Best sum of two adjoining multiloop parts from i to i + d."""
    best = np.int32(FORBIDDEN)
    multi, width = own.multi, own.width
    left, right = _at(SHORTEST, i, own), _at(d - 1 - SHORTEST, i + SHORTEST + 1, own)
    for _ in range(np.int32(d - 2 * SHORTEST)):
        best = lower_of(best, np.int32(np.int32(multi[left]) + np.int32(multi[right])))
        left = np.uint32(left + width)
        right = np.uint32(right - width + 1)
    return best


@cuda.jit(device=True)
def _small_loops(place, outer, tables, own):
    """Cheapest of the loops within the pair at this place that are looked up by both contexts, with the pair inside."""
    paired, contexts, width = own.paired, own.contexts, own.width
    kind, first = np.uint32(outer // 25), np.uint32(outer // 5)
    place = np.uint32(place - 2 * width + 1)
    stack = np.uint32(7 * kind + contexts[place] // 25)
    e = np.int32(np.int32(paired[place]) + tables.stack[stack])
    place = np.uint32(place - width)
    for k in range(2):
        k_place = np.uint32(place + k)
        stack = np.uint32(7 * kind + contexts[k_place] // 25)
        e = lower_of(e, np.int32(np.int32(paired[k_place]) + tables.bulge_size[1] + tables.stack[stack]))
    place = np.uint32(place - width + 1)
    one_by_one = np.uint32(7 * outer + contexts[place] // 25)
    e = lower_of(e, np.int32(np.int32(paired[place]) + tables.int11[one_by_one]))
    place = np.uint32(place - width)
    after = np.uint32(place + 1)
    one_by_two = np.uint32(35 * outer + contexts[place] // 5)
    e = lower_of(e, np.int32(np.int32(paired[place]) + tables.int21[one_by_two]))
    two_by_one = np.uint32(35 * np.uint32(contexts[after]) + first)
    e = lower_of(e, np.int32(np.int32(paired[after]) + tables.int21[two_by_one]))
    place = np.uint32(place - width + 1)
    two_by_two = np.uint32(175 * outer + contexts[place])
    e = lower_of(e, np.int32(np.int32(paired[place]) + tables.int22[two_by_two]))
    place = np.uint32(place - width)
    after = np.uint32(place + 1)
    two_by_three = lower_of(
        np.int32(np.int32(paired[place]) + tables.interior_23[contexts[place]]),
        np.int32(np.int32(paired[after]) + tables.interior_23[contexts[after]]),
    )
    cost = np.int32(tables.interior_size[5] + tables.asymmetry[1] + tables.interior_23[outer])
    return lower_of(e, np.int32(two_by_three + cost))


@cuda.jit(device=True)
def _fill_segment(d, i, sizes, tables, own):
    """All energies of the segment from i to i + d; shorter segments have theirs. Returns the lowest."""
    codes, width, place = own.codes, own.width, _at(d, i, own)
    interior, one_sided, bulge = _best_loops(d, i, sizes, own)
    begin, end = np.uint64(i), np.uint64(i + d)
    before, first, second = codes[begin], codes[begin + np.uint64(1)], codes[begin + np.uint64(2)]
    third, last, after = codes[end], codes[end + np.uint64(1)], codes[end + np.uint64(2)]
    kind = np.uint32(tables.pair[np.uint32(6 * first + last)])
    split = _best_split(d, i, own)
    e, ring_interior, ring_one_sided, ring_bulge, multi = (
        np.int32(FORBIDDEN),
        np.int32(FORBIDDEN),
        np.int32(FORBIDDEN),
        np.int32(FORBIDDEN),
        np.int32(FORBIDDEN),
    )
    c = np.uint32(0)
    if kind:
        outer = np.uint32(25 * kind + 5 * second + third)  # within the sequence: no END
        e = lower_of(e, np.int32(hairpin_energy(1, 0, i, i + d, outer, codes, tables)))
        e = lower_of(e, _small_loops(place, outer, tables, own))
        e = lower_of(e, np.int32(interior + tables.interior[outer]))
        e = lower_of(e, np.int32(one_sided + tables.interior_1n[outer]))
        e = lower_of(e, np.int32(bulge + tables.bulge[outer]))
        within = np.int32(own.splits[np.uint32(place - 2 * width + 1)])
        e = lower_of(e, np.int32(within + tables.multi[outer] + tables.ml_closing[0]))
        c = np.uint32(25 * np.uint32(tables.pair[np.uint32(6 * last + first)]) + 5 * (after % 5) + before % 5)
        ring_interior = np.int32(e + tables.interior[c])
        ring_one_sided = np.int32(e + tables.interior_1n[c])
        ring_bulge = np.int32(e + tables.bulge[c])
        multi = np.int32(e + tables.multi[c])
    ring = np.uint32(np.uint32(d) % np.uint32(_RING) * _RING_PARTS * width + i)
    own.rings[ring] = ring_interior
    own.rings[np.uint32(ring + width)] = ring_one_sided
    own.paired[place] = e
    own.bulges[place] = ring_bulge
    own.contexts[place] = c
    own.splits[place] = split
    shorter = np.uint32(place - width)
    beside = lower_of(np.int32(own.multi[shorter]), np.int32(own.multi[np.uint32(shorter + 1)]))
    multi = lower_of(lower_of(multi, split), np.int32(beside + tables.ml_base[0]))
    own.multi[place] = multi
    return lower_of(e, multi)


@cuda.jit(device=True)
def _clear(own):
    """Nothing pairs on the first diagonals, of any sequence."""
    for k in range(cuda.threadIdx.x, (_BEFORE + SHORTEST) * own.width, cuda.blockDim.x):
        place = np.uint32(own.origin + k)
        own.paired[place] = own.multi[place] = own.splits[place] = FORBIDDEN
        own.contexts[place] = 0
    cuda.syncthreads()


@cuda.jit(device=True)
def _fill(n, sizes, tables, own):
    """Energies of all segments; the lowest of this thread's."""
    i, lowest = np.int32(cuda.threadIdx.x), np.int32(0)
    d = np.int32(SHORTEST)
    while d < n:
        if i < n - d:
            lowest = lower_of(lowest, _fill_segment(d, i, sizes, tables, own))
        cuda.syncthreads()
        d = np.int32(d + 1)
    return lowest


@cuda.jit(device=True)
def _stem(i, j, first, last, tables, own):
    """Energy of the pair (i, j) in the exterior loop of the part from ``first`` to ``last``: nothing lies beyond."""
    codes = own.codes
    pair = np.uint32(tables.pair[np.uint32(6 * codes[np.uint32(i + 1)] + codes[np.uint32(j + 1)])])
    if pair == 0:
        return np.int32(FORBIDDEN)
    before = np.uint32(END if i == first else codes[np.uint32(i)])
    after = np.uint32(END if j == last else codes[np.uint32(j + 2)])
    cost = tables.exterior[np.uint32(36 * pair + 6 * before + after)]
    return np.int32(own.paired[_at(j - i, i, own)] + cost)


@cuda.jit(device=True)
def _fill_prefix(first, n, tables, own):
    """Best energy of each prefix of the part; thread j has the best with a stem that ends with the part's base j."""
    j, best, prefix = np.int32(cuda.threadIdx.x), np.int32(FORBIDDEN), own.prefix
    if j == 0:
        prefix[0] = 0
    for i in range(n):
        cuda.syncthreads()
        if i + SHORTEST <= j < n:
            stem = _stem(first + i, first + j, first, first + n - 1, tables, own)
            best = lower_of(best, np.int32(prefix[i] + stem))
        if j == i:
            prefix[i + 1] = lower_of(prefix[i], best)
    cuda.syncthreads()


@cuda.jit(device=True)
def _is_loop(left, right, i, j, energy, outer, tables, own):
    """Whether (i, j) has this energy by the loop with so many unpaired bases between it and the pair within."""
    p, q = i + 1 + left, j - 1 - right
    if left + right > MAX_LOOP or q - p < SHORTEST:
        return False
    loop = energy - own.paired[_at(q - p, p, own)]
    if loop < tables.least[left + right]:
        return False
    return loop == interior_energy(left, right, outer, context_of(1, 0, q, p, own.codes, tables), tables)


@cuda.jit(device=True)
def _find_enclosed(i, j, energy, outer, tables, own):
    """First pair that (i, j) encloses without a branch at this energy, by its place: 31 * left + right, or _NOWHERE."""
    found = np.int32(_NOWHERE)
    for place in range(cuda.threadIdx.x, _SIDES * _SIDES, cuda.blockDim.x):
        left, right = place // _SIDES, place % _SIDES
        if found == _NOWHERE and _is_loop(left, right, i, j, energy, outer, tables, own):
            found = np.int32(place)
    return least_of(found, own.cell)


@cuda.jit(device=True)
def _find_split(i, j, energy, own):
    """First position after which the multiloop part from i to j splits in two at this energy."""
    found = np.int32(_NOWHERE)
    for u in range(i + SHORTEST + cuda.threadIdx.x, j - SHORTEST, cuda.blockDim.x):
        parts = np.int32(own.multi[_at(u - i, i, own)]) + own.multi[_at(j - u - 1, u + 1, own)]
        if found == _NOWHERE and energy == parts:
            found = np.int32(u)
    return least_of(found, own.cell)


@cuda.jit(device=True)
def _find_stem(end, first, last, tables, own):
    """Last base from which a stem to base ``end - 1`` gives the part's bases up to there their energy, or _NOWHERE."""
    prefix = own.prefix
    found, energy = np.int32(_NOWHERE), prefix[end - first]
    for i in range(first + cuda.threadIdx.x, end - SHORTEST, cuda.blockDim.x):
        if energy == prefix[i - first] + _stem(i, end - 1, first, last, tables, own):
            found = np.int32(end - i)  # the least is the last; a thread's own come in ascending order
    least = least_of(found, own.cell)
    return end - least if least < _NOWHERE else _NOWHERE


@cuda.jit(device=True)
def _push(stack, top, i, j, kind):
    if cuda.threadIdx.x == 0:
        stack[top, 0] = i
        stack[top, 1] = j
        stack[top, 2] = kind
    return top + 1


@cuda.jit(device=True)
def _trace_prefix(end, first, last, tables, own, stack, top):
    """Take the last stem off the part's bases up to ``end``; an empty prefix leaves nothing on the stack."""
    prefix = own.prefix
    while end > first and prefix[end - first] == prefix[end - first - 1]:
        end -= 1
    i = _find_stem(end, first, last, tables, own)
    if i < _NOWHERE:
        top = _push(stack, top, first, i, PREFIX)
        top = _push(stack, top, i, end - 1, PAIRED)
    return top


@cuda.jit(device=True)
def _trace_pair(i, j, tables, own, stack, top):
    """Put on the stack what the pair (i, j) encloses: nothing, a pair, or the two parts of a multiloop."""
    energy = np.int64(own.paired[_at(j - i, i, own)])
    outer = context_of(1, 0, i, j, own.codes, tables)
    if energy == hairpin_energy(1, 0, i, j, outer, own.codes, tables):
        return top
    if _is_loop(0, 0, i, j, energy, outer, tables, own):  # most pairs stack on another; it is the first place
        return _push(stack, top, i + 1, j - 1, PAIRED)
    place = _find_enclosed(i, j, energy, outer, tables, own)
    if place < _NOWHERE:
        return _push(stack, top, i + 1 + place // _SIDES, j - 1 - place % _SIDES, PAIRED)
    energy -= tables.ml_closing[0] + tables.multi[outer]
    u = _find_split(i + 1, j - 1, energy, own)
    top = _push(stack, top, i + 1, u, _MULTI)
    return _push(stack, top, u + 1, j - 1, _MULTI)


@cuda.jit(device=True)
def _trace_multi(i, j, tables, own, stack, top):
    """Put on the stack the stem or the two parts of a multiloop part, without the unpaired bases at its ends."""
    multi, ml_base = own.multi, tables.ml_base[0]
    while multi[_at(j - i, i, own)] == multi[_at(j - i - 1, i, own)] + ml_base:
        j -= 1
    while multi[_at(j - i, i, own)] == multi[_at(j - i - 1, i + 1, own)] + ml_base:
        i += 1
    place = _at(j - i, i, own)
    energy = multi[place]
    if energy == own.paired[place] + tables.multi[context_of(1, 0, j, i, own.codes, tables)]:
        return _push(stack, top, i, j, PAIRED)
    u = _find_split(i, j, energy, own)
    top = _push(stack, top, i, u, _MULTI)
    return _push(stack, top, u + 1, j, _MULTI)


@cuda.jit(device=True)
def _trace(first, n, tables, own, stack, structure):
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
            top = _trace_prefix(j, first, first + n - 1, tables, own, stack, top)
        elif kind == PAIRED:
            if cuda.threadIdx.x == 0:
                structure[i - first] = _OPEN
                structure[j - first] = _CLOSE
            top = _trace_pair(i, j, tables, own, stack, top)
        else:
            top = _trace_multi(i, j, tables, own, stack, top)


@cuda.jit(device=True)
def _next(queue, cell):
    """The next of the sequences in ``order``, for all threads of this block."""
    cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        cell[0] = cuda.atomic.add(queue, 0, 1)
    cuda.syncthreads()
    return cell[0]


@cuda.jit(device=True)
def _read(number, sequences, codes, is_unknown):
    """The codes of a sequence; its length."""
    n, start = np.int32(sequences.lengths[number]), sequences.starts[number]
    for i in range(cuda.threadIdx.x, n + 2, cuda.blockDim.x):
        code = np.uint8(END if i == 0 or i > n else sequences.codes[sequences.letters[start + i - 1]])
        if code == UNKNOWN:
            code = np.uint8(0)
            is_unknown[0] = 1
        codes[i] = code
    cuda.syncthreads()
    return n


@cuda.jit(device=True)
def _fold(sequences, order, queue, parts, sizes, tables, work, results, rings, codes, prefix, cell):
    """Fold the sequences in ``order`` and their parts, this block the next one that none has begun."""
    stack, width = work.stack[cuda.blockIdx.x], np.int32(work.stack.shape[1] - 2)
    own = _Own(
        np.uint32(cuda.blockIdx.x * (_BEFORE + width) * width),
        width,
        work.paired,
        work.bulges,
        work.multi,
        work.splits,
        work.contexts,
        rings,
        codes,
        prefix,
        cell,
    )
    _clear(own)
    k = _next(queue, cell)
    while k < order.size:
        number = order[k]
        n = _read(number, sequences, codes, results.is_unknown)
        least = least_of(_fill(n, sizes, tables, own), cell)
        is_overflowing = work.paired.itemsize == 2 and least < LOWEST_16_BIT
        for place in range(parts.bounds[number], parts.bounds[number + 1]):
            part, first = parts.numbers[place], parts.firsts[place]
            n, start = np.int32(sequences.lengths[part]), sequences.starts[part]
            if not is_overflowing:
                _fill_prefix(first, n, tables, own)
                _trace(first, n, tables, own, stack, results.structures[start : start + n])
            if cuda.threadIdx.x == 0:
                results.energies[part] = FORBIDDEN if is_overflowing else prefix[n]
            cuda.syncthreads()
        k = _next(queue, cell)


@kept_kernel
def fold_sequences(sequences, order, queue, parts, sizes, tables, work, results):
    """Fold the sequences in ``order`` and their parts; a block takes the next one that none has begun.

    There are as many threads a block as the longest of them has bases, or more.

    Parameters
    ----------
    sequences
        ``Sequences`` on the device.
    order
        Numbers of those whose tables are to be filled, int32.
    queue
        How many of them have been begun, int32, shape (1,): 0.
    parts
        ``Parts`` on the device.
    sizes
        Energies of loops by size: of bulges, of 1xn and of other interior loops, the second of these in column 3; in
        column 2 the asymmetry of one whose pair lies as near to an end as such loops have it; int16, rows of four.
    tables
        ``FoldTables`` on the device.
    work
        ``Work`` of as many blocks.
    results
        ``Results`` on the device.
    """
    codes = cuda.shared.array(_CODES, uint8)
    prefix = cuda.shared.array(_PREFIXES, int32)
    cell = cuda.shared.array(1, int32)
    rings = work.rings[cuda.blockIdx.x * RING_ROWS * (work.stack.shape[1] - 2) :]
    _fold(sequences, order, queue, parts, sizes, tables, work, results, rings, codes, prefix, cell)


@kept_kernel
def fold_in_shared_memory(sequences, order, queue, parts, sizes, tables, work, results):
    """The same with the rings in shared memory, for energies in int16; ``RING_ROWS`` rows are given dynamically."""
    codes = cuda.shared.array(_CODES, uint8)
    prefix = cuda.shared.array(_PREFIXES, int32)
    cell = cuda.shared.array(1, int32)
    rings = cuda.shared.array(0, int16)
    _fold(sequences, order, queue, parts, sizes, tables, work, results, rings, codes, prefix, cell)
