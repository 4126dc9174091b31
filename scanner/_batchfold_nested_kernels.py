"""Folding of sequences that lie within one of a filled group: the pairs' energies are there, the exterior loop is not.

What a pair encloses does not depend on what lies beyond it. So a part of a sequence has the same pairs and multiloop
parts with the same energies; other is what its pairs add to the exterior loop where they close its ends, since nothing
lies beyond, and with this the best energy of each prefix.
"""

import numpy as np

from mirsweep.scanner._bare_kernel import bare_inner_kernel, bare_kernel
from mirsweep.scanner._batchfold_arrays import SHORTEST
from mirsweep.scanner._batchfold_trace_kernels import PAIRED, PREFIX, push, trace_inside
from mirsweep.scanner.foldtables import END
from mirsweep.scanner.turner import FORBIDDEN

__all__ = ["trace_nested"]


@bare_inner_kernel
def _stem(lanes, lane, i, j, first, last, codes, tables, energies):
    """Energy of the pair (i, j) in the exterior loop of the part from ``first`` to ``last``."""
    k = i * lanes + lane
    if i > first and j < last:
        return np.int64(energies.exterior[j - i, k])
    pair = np.int64(tables.pair[6 * codes[k + lanes] + codes[(j + 1) * lanes + lane]])
    if pair == 0:
        return np.int64(FORBIDDEN)
    before = END if i == first else np.int64(codes[k])
    after = END if j == last else np.int64(codes[(j + 2) * lanes + lane])
    return np.int64(energies.paired[j - i, k]) + tables.exterior[36 * pair + 6 * before + after]


@bare_inner_kernel
def _fill_prefix(lanes, lane, first, last, codes, tables, energies, prefix):
    """Best energy of each prefix of the part, int64, shape (its length + 1,)."""
    exterior = energies.exterior
    prefix[0] = 0
    for j in range(first, last + 1):
        best = prefix[j - first]
        if j - first >= SHORTEST:
            best = min(best, _stem(lanes, lane, first, j, first, last, codes, tables, energies))
        if j < last:
            for i in range(first + 1, j - SHORTEST + 1):
                best = min(best, prefix[i - first] + np.int64(exterior[j - i, i * lanes + lane]))
        else:
            for i in range(first + 1, j - SHORTEST + 1):
                stem = _stem(lanes, lane, i, j, first, last, codes, tables, energies)
                best = min(best, prefix[i - first] + stem)
        prefix[j - first + 1] = best


@bare_inner_kernel
def _trace_prefix(lanes, lane, end, first, last, codes, tables, energies, prefix, stack, top):
    """Take the last stem off the bases from ``first`` up to ``end``; nothing is left on the stack if there is none."""
    while end > first and prefix[end - first] == prefix[end - first - 1]:
        end -= 1
    energy = prefix[end - first]
    for i in range(end - 1 - SHORTEST, first - 1, -1):
        stem = _stem(lanes, lane, i, end - 1, first, last, codes, tables, energies)
        if energy == prefix[i - first] + stem:
            top = push(stack, top, first, i, PREFIX)
            return push(stack, top, i, end - 1, PAIRED)
    return top


@bare_kernel
def trace_nested(lanes, owners, firsts, lengths, codes, tables, energies, prefix, stack, structures, found):
    """Structures and energies of parts of the sequences of a group that ``fill_group`` has filled.

    Part number s is the ``lengths[s]`` bases from ``firsts[s]`` on of lane ``owners[s]``. ``structures`` (ASCII, uint8,
    (s, n)) and ``found`` (0.01 kcal/mol, int64, (s,)) are filled; ``prefix`` has room for n + 1 energies, int64.
    """
    for s in range(owners.size):
        lane, first, last = owners[s], firsts[s], firsts[s] + lengths[s] - 1
        _fill_prefix(lanes, lane, first, last, codes, tables, energies, prefix)
        found[s] = prefix[lengths[s]]
        structure = structures[s]
        top = push(stack, 0, first, last + 1, PREFIX)
        for k in range(structure.size):
            structure[k] = 46  # unpaired
        while top > 0:
            top -= 1
            i, j, kind = stack[top, 0], stack[top, 1], stack[top, 2]
            if kind == PREFIX:
                top = _trace_prefix(lanes, lane, j, first, last, codes, tables, energies, prefix, stack, top)
            else:
                top = trace_inside(lanes, lane, i, j, kind, first, codes, tables, energies, stack, top, structure)
