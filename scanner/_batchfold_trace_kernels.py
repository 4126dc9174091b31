"""Backtracking of one sequence of a group, in the order in which RNAfold looks for the parts of its structure.

Several structures may share the least energy. RNAfold's choice follows from its search order: exterior loop
from the 3' end, the pairing partner searched towards the 5' end; for a pair first the hairpin loop, then the
enclosed pairs by ascending first base and descending second, then multiloop splits by ascending position; in a
multiloop first unpaired bases at the 3' end, then at the 5' end, then a single stem, then splits.
"""

import numpy as np

from mirsweep.scanner._bare_kernel import bare_inner_kernel, bare_kernel
from mirsweep.scanner._batchfold_arrays import SHORTEST
from mirsweep.scanner.turner import MAX_LOOP

__all__ = [
    "PAIRED",
    "PREFIX",
    "context_of",
    "hairpin_energy",
    "interior_energy",
    "lower_of",
    "push",
    "trace_group",
    "trace_inside",
    "trace_one",
]

PREFIX, PAIRED, _MULTI = 0, 1, 2
_OPEN, _CLOSE, _UNPAIRED = np.uint8(40), np.uint8(41), np.uint8(46)


@bare_inner_kernel
def lower_of(a, b):
    """The lower of two numbers; ``min`` itself does not compile for the GPU, which shares these functions."""
    return a if a < b else b


@bare_inner_kernel
def context_of(lanes, lane, i, j, codes, tables):
    """Context of the pair (i, j) as the one that closes the loop inside; (j, i) swapped, as the enclosed one."""
    first, last = codes[(i + 1) * lanes + lane], codes[(j + 1) * lanes + lane]
    inside, within = codes[(i + 2) * lanes + lane] % 5, codes[j * lanes + lane] % 5
    return 25 * np.int64(tables.pair[6 * first + last]) + 5 * inside + within


@bare_inner_kernel
def hairpin_energy(lanes, lane, i, j, outer, codes, tables):
    """Energy of the hairpin loop closed by (i, j)."""
    span = j - i + 1
    n_special = tables.special.shape[0] if span < tables.special.shape[1] else 0
    for row in range(n_special):
        word = tables.special[row]
        if word[0] != span:
            continue
        m = 0
        while m < span and codes[(i + m + 1) * lanes + lane] == word[m + 1]:
            m += 1
        if m == span:
            return np.int64(tables.special_energy[row])
    by_context = tables.triloop if span == SHORTEST + 1 else tables.hairpin
    return np.int64(tables.hairpin_size[span - 2]) + by_context[outer]


@bare_inner_kernel
def interior_energy(left, right, outer, inner, tables):
    """Energy of the loop with ``left`` and ``right`` unpaired bases between two pairs with these contexts."""
    size = left + right
    small = lower_of(left, right)
    if size == 0:
        return np.int64(tables.stack[7 * (outer // 25) + inner // 25])
    if size == 1:
        return np.int64(tables.bulge_size[1]) + tables.stack[7 * (outer // 25) + inner // 25]
    if small == 0:
        return np.int64(tables.bulge_size[size]) + tables.bulge[outer] + tables.bulge[inner]
    if size == 2:
        return np.int64(tables.int11[7 * outer + inner // 25])
    if size == 3:
        if left == 1:
            return np.int64(tables.int21[35 * outer + inner // 5])
        return np.int64(tables.int21[35 * inner + outer // 5])
    if size == 4 and small == 2:
        return np.int64(tables.int22[175 * outer + inner])
    e = np.int64(tables.interior_size[size]) + tables.asymmetry[size - 2 * small]
    if small == 1:
        return e + tables.interior_1n[outer] + tables.interior_1n[inner]
    if size == 5:
        return e + tables.interior_23[outer] + tables.interior_23[inner]
    return e + tables.interior[outer] + tables.interior[inner]


@bare_inner_kernel
def _find_enclosed(lanes, lane, i, j, energy, outer, codes, tables, paired):
    """First pair (p, q) that (i, j) encloses without a branch at this energy, or (-1, -1)."""
    least = tables.least
    for p in range(i + 1, lower_of(j - SHORTEST, i + MAX_LOOP + 2)):
        left = p - i - 1
        least_q = j - lower_of(j - p - SHORTEST, MAX_LOOP + 1 - left)
        for q in range(j - 1, least_q - 1, -1):
            loop = energy - paired[q - p, p * lanes + lane]
            if loop < least[left + j - q - 1]:
                continue
            inner = context_of(lanes, lane, q, p, codes, tables)
            if loop == interior_energy(left, j - q - 1, outer, inner, tables):
                return p, q
    return -1, -1


@bare_inner_kernel
def _find_split(lanes, lane, i, j, energy, multi):
    """First position after which the multiloop part from i to j splits in two at this energy, or -1."""
    for u in range(i + SHORTEST, j - SHORTEST):
        if energy == np.int64(multi[u - i, i * lanes + lane]) + multi[j - u - 1, (u + 1) * lanes + lane]:
            return u
    return -1


@bare_inner_kernel
def _trim_multi(lanes, lane, i, j, ml_base, multi):
    """Leave out the unpaired bases of a multiloop part, first at its 3' end, then at its 5' end."""
    k = i * lanes + lane
    while np.int64(multi[j - i, k]) == np.int64(multi[j - i - 1, k]) + ml_base:
        j -= 1
    while np.int64(multi[j - i, k]) == np.int64(multi[j - i - 1, k + lanes]) + ml_base:
        i += 1
        k += lanes
    return i, j


@bare_inner_kernel
def push(stack, top, i, j, kind):
    stack[top, 0] = i
    stack[top, 1] = j
    stack[top, 2] = kind
    return top + 1


@bare_inner_kernel
def _trace_prefix(lanes, lane, j, energies, stack, top):
    """Take the last stem off the first j bases; an empty prefix leaves nothing on the stack."""
    prefix = energies.prefix
    while j > 0 and prefix[j, lane] == prefix[j - 1, lane]:
        j -= 1
    energy = np.int64(prefix[j, lane])
    for i in range(j - 1 - SHORTEST, -1, -1):
        if energy == np.int64(prefix[i, lane]) + energies.exterior[j - 1 - i, i * lanes + lane]:
            top = push(stack, top, 0, i, PREFIX)
            return push(stack, top, i, j - 1, PAIRED)
    return top


@bare_inner_kernel
def _trace_pair(lanes, lane, i, j, codes, tables, energies, stack, top):
    """Put on the stack what the pair (i, j) encloses: nothing, a pair, or the two parts of a multiloop."""
    energy = np.int64(energies.paired[j - i, i * lanes + lane])
    outer = context_of(lanes, lane, i, j, codes, tables)
    if energy == hairpin_energy(lanes, lane, i, j, outer, codes, tables):
        return top
    p, q = _find_enclosed(lanes, lane, i, j, energy, outer, codes, tables, energies.paired)
    if p >= 0:
        return push(stack, top, p, q, PAIRED)
    energy -= np.int64(tables.ml_closing[0]) + tables.multi[outer]
    u = _find_split(lanes, lane, i + 1, j - 1, energy, energies.multi)
    top = push(stack, top, i + 1, u, _MULTI)
    return push(stack, top, u + 1, j - 1, _MULTI)


@bare_inner_kernel
def _trace_multi(lanes, lane, i, j, codes, tables, energies, stack, top):
    """Put on the stack the stem or the two parts of a multiloop part."""
    i, j = _trim_multi(lanes, lane, i, j, tables.ml_base[0], energies.multi)
    energy = np.int64(energies.multi[j - i, i * lanes + lane])
    stem = np.int64(energies.paired[j - i, i * lanes + lane])
    if energy == stem + tables.multi[context_of(lanes, lane, j, i, codes, tables)]:
        return push(stack, top, i, j, PAIRED)
    u = _find_split(lanes, lane, i, j, energy, energies.multi)
    top = push(stack, top, i, u, _MULTI)
    return push(stack, top, u + 1, j, _MULTI)


@bare_inner_kernel
def trace_inside(lanes, lane, i, j, kind, first, codes, tables, energies, stack, top, structure):
    """Go on with a pair, which is drawn, or a multiloop part; ``structure`` begins at base ``first``."""
    if kind == PAIRED:
        structure[i - first] = _OPEN
        structure[j - first] = _CLOSE
        return _trace_pair(lanes, lane, i, j, codes, tables, energies, stack, top)
    return _trace_multi(lanes, lane, i, j, codes, tables, energies, stack, top)


@bare_inner_kernel
def trace_one(lanes, lane, length, codes, tables, energies, stack, structure):
    """Dot-bracket string (ASCII, uint8, shape (n,)) of one sequence of a filled group.

    ``stack`` has room for n + 2 segments, shape (n + 2, 3).
    """
    for k in range(structure.size):
        structure[k] = _UNPAIRED
    top = push(stack, 0, 0, length, PREFIX)
    while top > 0:
        top -= 1
        i, j, kind = stack[top, 0], stack[top, 1], stack[top, 2]
        if kind == PREFIX:
            top = _trace_prefix(lanes, lane, j, energies, stack, top)
        else:
            top = trace_inside(lanes, lane, i, j, kind, 0, codes, tables, energies, stack, top, structure)


@bare_kernel
def trace_group(lanes, lengths, codes, tables, energies, stack, structures):
    """Dot-bracket strings of a group that ``fill_group`` has filled; ASCII, uint8, shape (lanes, n)."""
    for lane in range(lanes):
        trace_one(lanes, lane, lengths[lane], codes, tables, energies, stack, structures[lane])
