"""Loops that fill the energy tables of one group of sequences, side by side, one diagonal (span) at a time.

Rows are laid out as ``_batchfold_arrays`` says. Shifting i is shifting by whole lanes, so a diagonal is combined
with earlier ones by sums and minima of vectors (``_vectors``), or of plain loops that LLVM turns into such; what
depends on the bases of a pair is looked up one pair at a time, for the pairs that can form. Whole vectors are worked
off: what a row holds beyond its last segment means nothing. Energies are int16 or int32, in 0.01 kcal/mol;
FORBIDDEN = 15000 stands for infinity, and two of them still fit into 16 bits.

The model is RNAfold's: Turner 2004, ``-d2``, interior loops of at most 30 unpaired bases, hairpin loops of at
least 3.
"""

import numpy as np

from mirsweep.scanner._bare_kernel import bare_inner_kernel, bare_kernel
from mirsweep.scanner._batchfold_arrays import CONTEXT_RING, RING, SHORTEST
from mirsweep.scanner._vectors import WIDTH, load, lower, offer, spread, store
from mirsweep.scanner.foldtables import END
from mirsweep.scanner.turner import FORBIDDEN, MAX_LOOP

__all__ = ["arrange", "fill_group"]

_BASE = np.array([0, 1, 2, 3, 4, 0], np.uint8)
"""Base code of a neighbour: an end of the sequence is as good as an N where it cannot matter."""


@bare_inner_kernel
def _lower(a, b):
    """The lower of two int64 without a branch: what is least is hard to predict, and LLVM would turn min() into one."""
    difference = a - b
    return b + (difference & (difference >> 63))


@bare_inner_kernel
def _beside(row, k, near, far, cost):
    """Energies of the loops of one kind and size: the better of two places of the pair inside, and a cost."""
    return lower(load(row, k + near), load(row, k + far)) + cost


@bare_inner_kernel
def _offer_smallest(m, lanes, d, tables, scratch):
    """Bulges of 2 to 5 bases and loops of 4 and 5, of which the interior ones only begin to grow here: those of 2x2 and
    2x3 have tables of their own."""
    as_energy = scratch.best.dtype.type
    for size in range(2, min(5, d - 2 - SHORTEST) + 1):
        ring = (d - 2 - size) % RING
        row, best, cost = scratch.bulge[ring], scratch.best[3], spread(as_energy(tables.bulge_size[size]))
        for k in range(0, m, WIDTH):
            offer(best, k, _beside(row, k, lanes, (size + 1) * lanes, cost))
        if size < 4:
            continue
        row, best, cost = scratch.interior_1n[ring], scratch.best[1], spread(as_energy(tables.interior_1n_size[size]))
        for k in range(0, m, WIDTH):
            offer(best, k, _beside(row, k, 2 * lanes, size * lanes, cost))
        row, nested = scratch.interior[ring], scratch.nested[2 * ring + size % 2, (size >> 1) * lanes :]
        cost = spread(as_energy(tables.asymmetry[size - 4]))
        for k in range(0, m, WIDTH):
            store(nested, k, _beside(row, k, 3 * lanes, (size - 1) * lanes, cost))


@bare_inner_kernel
def _offer_size(m, lanes, d, size, tables, scratch):
    """Bulges and interior loops of one size of 6 and more."""
    as_energy = scratch.best.dtype.type
    ring = (d - 2 - size) % RING
    bulge, one_sided, interior = scratch.bulge[ring], scratch.interior_1n[ring], scratch.interior[ring]
    nested, middle = scratch.nested[2 * ring + size % 2], (size >> 1) * lanes
    best_0, best_1, best_3 = scratch.best[0], scratch.best[1], scratch.best[3]
    of_bulge, of_one = spread(as_energy(tables.bulge_size[size])), spread(as_energy(tables.interior_1n_size[size]))
    of_size, asymmetry = spread(as_energy(tables.interior_size[size])), spread(as_energy(tables.asymmetry[size - 4]))
    one, two, three, last = lanes, 2 * lanes, 3 * lanes, size * lanes
    for k in range(0, m, WIDTH):
        offer(best_3, k, _beside(bulge, k, one, last + one, of_bulge))
        offer(best_1, k, _beside(one_sided, k, two, last, of_one))
        grown = offer(nested, middle + k, _beside(interior, k, three, last - one, asymmetry))
        offer(best_0, k, grown + of_size)


@bare_inner_kernel
def _best_loops(lanes, n, d, tables, scratch):
    """Interior loops and bulges of diagonal d but for those that have tables of their own."""
    m = (n - d) * lanes
    scratch.best[:, :m] = FORBIDDEN
    _offer_smallest(m, lanes, d, tables, scratch)
    for size in range(6, min(MAX_LOOP, d - 2 - SHORTEST) + 1):
        _offer_size(m, lanes, d, size, tables, scratch)
    if d >= 7 + SHORTEST:
        as_energy = scratch.best.dtype.type
        row, best = scratch.interior_23[(d - 7) % RING], scratch.best[2]
        cost = spread(as_energy(tables.interior_size[5] + tables.asymmetry[1]))
        for k in range(0, m, WIDTH):
            store(best, k, _beside(row, k, 3 * lanes, 4 * lanes, cost))


@bare_inner_kernel
def _best_split(lanes, n, d, multi, best):
    """Best sum of two adjoining multiloop parts of every segment of diagonal d."""
    as_energy = best.dtype.type
    for k in range(0, (n - d) * lanes, WIDTH):
        lowest = spread(as_energy(FORBIDDEN))
        for first in range(SHORTEST, d - SHORTEST):
            lowest = lower(lowest, load(multi[first], k) + load(multi[d - 1 - first], k + (first + 1) * lanes))
        store(best, k, lowest)


@bare_inner_kernel
def _find_pairs(lanes, n, d, codes, tables, scratch):
    """List the elements of diagonal d whose ends can pair, with their two contexts; their number."""
    able, outer, context = scratch.able, scratch.outer, scratch.context[d % CONTEXT_RING]
    pair = tables.pair
    before, first, inside = codes, codes[lanes:], codes[2 * lanes :]
    within, last, after = codes[d * lanes :], codes[(d + 1) * lanes :], codes[(d + 2) * lanes :]
    m = (n - d) * lanes
    context[:m] = 0
    found = np.uint32(0)
    for k in range(m):
        able[found] = k
        found = np.uint32(found + (pair[6 * first[k] + last[k]] != 0))
    for index in range(found):
        k = np.int64(able[index])
        outer[k] = 25 * pair[6 * first[k] + last[k]] + 5 * inside[k] + within[k]
        context[k] = 25 * pair[6 * last[k] + first[k]] + 5 * _BASE[after[k]] + _BASE[before[k]]
    return np.int64(found)


@bare_inner_kernel
def _close_hairpins(lanes, d, found, codes, tables, scratch):
    """Hairpin loops of the listed pairs."""
    hairpin, outer = scratch.hairpin, scratch.outer
    size_cost = np.int32(tables.hairpin_size[d - 1])
    by_context = tables.triloop if d == SHORTEST else tables.hairpin
    for index in range(found):
        k = scratch.able[index]
        hairpin[k] = size_cost + by_context[outer[k]]
    for row in range(tables.special.shape[0]):
        word = tables.special[row]
        if word[0] != d + 1:
            continue
        for index in range(found):
            k = scratch.able[index]
            m = 0
            while m <= d and codes[k + (m + 1) * lanes] == word[m + 1]:
                m += 1
            if m > d:
                hairpin[k] = tables.special_energy[row]


@bare_inner_kernel
def _close_pairs(lanes, d, found, codes, tables, scratch, energies):
    """Best energy of each listed pair of diagonal d, and the rows derived from it; the lowest of them."""
    as_energy = energies.paired.dtype.type
    ring = d % RING
    paired, exterior = energies.paired[d], energies.exterior[d]
    interior, interior_1n = scratch.interior[ring], scratch.interior_1n[ring]
    interior_23, bulge = scratch.interior_23[ring], scratch.bulge[ring]
    best, split = scratch.best, scratch.split[(d - 2) % 4]
    multi = energies.multi[d]
    own = scratch.context[d % CONTEXT_RING]
    v2, c2 = energies.paired[d - 2], scratch.context[(d - 2) % CONTEXT_RING]
    v3, c3 = energies.paired[d - 3], scratch.context[(d - 3) % CONTEXT_RING]
    v4, c4 = energies.paired[d - 4], scratch.context[(d - 4) % CONTEXT_RING]
    v5, c5 = energies.paired[max(d - 5, 0)], scratch.context[(d - 5) % CONTEXT_RING]
    v6, c6 = energies.paired[max(d - 6, 0)], scratch.context[(d - 6) % CONTEXT_RING]
    after = codes[(d + 2) * lanes :]
    able = scratch.able
    step = np.int64(np.uint32(lanes))  # known to be positive, so that indexing is not checked for wrapping
    bulge_one = np.int64(tables.bulge_size[1])
    lowest = np.int64(0)
    ml_closing = np.int64(tables.ml_closing[0])
    for index in range(found):
        k0 = np.int64(able[index])
        k1, k2, k3 = k0 + step, k0 + 2 * step, k0 + 3 * step
        o = np.int64(scratch.outer[k0])
        stack = 7 * (o // 25)
        e = _lower(np.int64(FORBIDDEN), np.int64(scratch.hairpin[k0]))
        e = _lower(e, v2[k1] + tables.stack[stack + c2[k1] // 25])
        x = _lower(v3[k1] + tables.stack[stack + c3[k1] // 25], v3[k2] + tables.stack[stack + c3[k2] // 25])
        e = _lower(e, x + bulge_one)
        e = _lower(e, v4[k2] + tables.int11[7 * o + c4[k2] // 25])
        e = _lower(e, v5[k2] + tables.int21[35 * o + c5[k2] // 5])
        e = _lower(e, v5[k3] + tables.int21[35 * np.int64(c5[k3]) + o // 5])
        e = _lower(e, v6[k3] + tables.int22[175 * o + c6[k3]])
        e = _lower(e, best[0, k0] + tables.interior[o])
        e = _lower(e, best[1, k0] + tables.interior_1n[o])
        e = _lower(e, best[2, k0] + tables.interior_23[o])
        e = _lower(e, best[3, k0] + tables.bulge[o])
        e = _lower(e, split[k1] + tables.multi[o] + ml_closing)
        lowest = _lower(lowest, e)
        c = np.int64(own[k0])
        paired[k0] = as_energy(e)
        interior[k0] = as_energy(e + tables.interior[c])
        interior_1n[k0] = as_energy(e + tables.interior_1n[c])
        interior_23[k0] = as_energy(e + tables.interior_23[c])
        bulge[k0] = as_energy(e + tables.bulge[c])
        multi[k0] = as_energy(e + tables.multi[c])
        beside = 36 * (o // 25) + 6 * codes[k0] + after[k0]
        exterior[k0] = as_energy(e + tables.exterior[beside])
    return lowest


@bare_inner_kernel
def _extend_multi(shorter, shifted, split, ml_base, multi):
    """Multiloop parts of a diagonal: one pair (there already), an unpaired base at either end, two parts."""
    as_energy = multi.dtype.type
    for k in range(multi.size):
        x = shorter[k] if shorter[k] < shifted[k] else shifted[k]
        x = as_energy(x + ml_base)
        y = split[k]
        x = x if x < y else y
        y = multi[k]
        multi[k] = x if x < y else y


@bare_inner_kernel
def _lowest(energies):
    """The lowest of these energies and 0."""
    low = energies.dtype.type(0)
    for k in range(energies.size):
        low = energies[k] if energies[k] < low else low
    return np.int64(low)


@bare_inner_kernel
def _clear(m, d, scratch, energies):
    """Nothing can pair on diagonal d until it is found able to."""
    ring = d % RING
    energies.paired[d, :m] = FORBIDDEN
    energies.multi[d, :m] = FORBIDDEN
    energies.exterior[d, :m] = FORBIDDEN
    scratch.interior[ring, :m] = FORBIDDEN
    scratch.interior_1n[ring, :m] = FORBIDDEN
    scratch.interior_23[ring, :m] = FORBIDDEN
    scratch.bulge[ring, :m] = FORBIDDEN
    scratch.split[d % 4, :m] = FORBIDDEN


@bare_inner_kernel
def _fill_prefix(lanes, n, exterior, prefix):
    """Best energy of each prefix: the last base unpaired, or paired with the start of the last stem."""
    as_energy = prefix.dtype.type
    prefix[0, :lanes] = 0
    for j in range(n):
        best = prefix[j + 1]
        for lane in range(lanes):
            best[lane] = prefix[j, lane]
        for i in range(j - SHORTEST + 1):
            before = prefix[i]
            stem = exterior[j - i, i * lanes : (i + 1) * lanes]
            for lane in range(lanes):
                x = as_energy(before[lane] + stem[lane])
                y = best[lane]
                best[lane] = x if x < y else y


@bare_kernel
def arrange(group, starts, lengths, codes, n, arranged):
    """Base codes of a group as ``fill_group`` takes them; ``arranged`` has shape ((n + 2) * lanes,).

    Sequence number g of the batch has its codes from ``starts[g]`` on; ``group`` holds the numbers of the lanes.
    """
    lanes = group.size
    for k in range((n + 2) * lanes):
        arranged[k] = END
    for lane in range(lanes):
        start = starts[group[lane]]
        for i in range(lengths[group[lane]]):
            arranged[(i + 1) * lanes + lane] = codes[start + i]


@bare_kernel
def fill_group(lanes, n, codes, tables, scratch, energies):
    """Fill the energy tables of ``lanes`` sequences of up to ``n`` bases.

    ``codes`` holds base codes, uint8, shape ((n + 2) * lanes,): element ``(i + 1) * lanes + lane`` is base i of
    a sequence, END (5) before its first and after its last base. Returns the lowest energy of any segment:
    below -16000, int16 may have overflowed.
    """
    lowest = np.int64(0)
    for d in range(min(SHORTEST, n)):
        _clear((n - d) * lanes, d, scratch, energies)
    for d in range(SHORTEST, n):
        m = (n - d) * lanes
        _best_loops(lanes, n, d, tables, scratch)
        _clear(m, d, scratch, energies)
        found = _find_pairs(lanes, n, d, codes, tables, scratch)
        _close_hairpins(lanes, d, found, codes, tables, scratch)
        lowest = min(lowest, _close_pairs(lanes, d, found, codes, tables, scratch, energies))
        split = scratch.split[d % 4]
        _best_split(lanes, n, d, energies.multi, split)
        shorter = energies.multi[d - 1]
        _extend_multi(shorter[:m], shorter[lanes : lanes + m], split[:m], tables.ml_base[0], energies.multi[d, :m])
        lowest = min(lowest, _lowest(energies.multi[d, :m]))
    _fill_prefix(lanes, n, energies.exterior, energies.prefix)
    return min(lowest, _lowest(energies.prefix[n, :lanes]))
