"""Loops that fill the energy tables of one group of sequences, side by side, one diagonal (span) at a time.

Rows are laid out as ``_batchfold_arrays`` says. Shifting i is shifting by whole lanes, so a diagonal is combined
with earlier ones by plain ``x = a + b; y = x if x < y else y`` over contiguous numbers, which LLVM turns into
full-width vector instructions; what depends on the bases of a pair is looked up one pair at a time, for the
pairs that can form. Energies are int16 or int32, in 0.01 kcal/mol; FORBIDDEN = 15000 stands for infinity, and
two of them still fit into 16 bits.

The model is RNAfold's: Turner 2004, ``-d2``, interior loops of at most 30 unpaired bases, hairpin loops of at
least 3.
"""

import numpy as np

from mirsweep.scanner._bare_kernel import bare_inner_kernel, bare_kernel
from mirsweep.scanner._batchfold_arrays import CONTEXT_RING, RING, SHORTEST
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
def _widen(left, right, asymmetry, cost, nested, best):
    """Let a loop grow by one base on either side, and offer it with the cost of its size."""
    as_energy = best.dtype.type
    for k in range(best.size):
        x = left[k] if left[k] < right[k] else right[k]
        x = as_energy(x + asymmetry)
        y = nested[k]
        y = x if x < y else y
        nested[k] = y
        x = as_energy(y + cost)
        y = best[k]
        best[k] = x if x < y else y


@bare_inner_kernel
def _place(left, right, asymmetry, nested):
    """The smallest loop of a middle, not offered itself: 2x2 and 2x3 loops have energies of their own."""
    as_energy = nested.dtype.type
    for k in range(nested.size):
        x = left[k] if left[k] < right[k] else right[k]
        nested[k] = as_energy(x + asymmetry)


@bare_inner_kernel
def _offer_two(left, right, cost, best):
    """``best`` = min(best, min(left, right) + cost)."""
    as_energy = best.dtype.type
    for k in range(best.size):
        x = left[k] if left[k] < right[k] else right[k]
        x = as_energy(x + cost)
        y = best[k]
        best[k] = x if x < y else y


@bare_inner_kernel
def _offer_eight(left0, right0, cost0, left1, right1, cost1, left2, right2, cost2, left3, right3, cost3, best):
    """``best`` = min(best, min(left0, right0) + cost0, ..., min(left3, right3) + cost3)."""
    as_energy = best.dtype.type
    for k in range(best.size):
        x = left0[k] if left0[k] < right0[k] else right0[k]
        x = as_energy(x + cost0)
        y = left1[k] if left1[k] < right1[k] else right1[k]
        y = as_energy(y + cost1)
        x = x if x < y else y
        y = left2[k] if left2[k] < right2[k] else right2[k]
        y = as_energy(y + cost2)
        z = left3[k] if left3[k] < right3[k] else right3[k]
        z = as_energy(z + cost3)
        y = y if y < z else z
        x = x if x < y else y
        y = best[k]
        best[k] = x if x < y else y


@bare_inner_kernel
def _one_sided(lanes, m, d, size, near, far, rows, costs, best):
    """Offer the loops with a fixed number of bases on one side and the rest of ``size`` on the other.

    ``near`` and ``far`` are the steps from the outer to the inner pair's first base for the two sides; four
    sizes at a time, the last of them possibly without any pair inside.
    """
    last = min(MAX_LOOP, d - 2 - SHORTEST)
    while size <= last and (MAX_LOOP - size) % 4 != 3:
        row, k, q = rows[(d - 2 - size) % RING], near * lanes, (size + far) * lanes
        _offer_two(row[k : k + m], row[q : q + m], costs[size], best)
        size += 1
    while size <= last:
        r0, r1 = rows[(d - 2 - size) % RING], rows[(d - 3 - size) % RING]
        r2, r3 = rows[(d - 4 - size) % RING], rows[(d - 5 - size) % RING]
        k, q = near * lanes, (size + far) * lanes
        _offer_eight(
            r0[k : k + m],
            r0[q : q + m],
            costs[size],
            r1[k : k + m],
            r1[q + lanes : q + lanes + m],
            costs[size + 1],
            r2[k : k + m],
            r2[q + 2 * lanes : q + 2 * lanes + m],
            costs[size + 2],
            r3[k : k + m],
            r3[q + 3 * lanes : q + 3 * lanes + m],
            costs[size + 3],
            best,
        )
        size += 4


@bare_inner_kernel
def _offer_sum(a, b, best):
    """``best`` = min(best, a + b)."""
    as_energy = best.dtype.type
    for k in range(best.size):
        x = as_energy(a[k] + b[k])
        y = best[k]
        best[k] = x if x < y else y


@bare_inner_kernel
def _offer_four_sums(a0, b0, a1, b1, a2, b2, a3, b3, best):
    """``best`` = min(best, a0 + b0, a1 + b1, a2 + b2, a3 + b3)."""
    as_energy = best.dtype.type
    for k in range(best.size):
        x = as_energy(a0[k] + b0[k])
        y = as_energy(a1[k] + b1[k])
        x = x if x < y else y
        y = as_energy(a2[k] + b2[k])
        z = as_energy(a3[k] + b3[k])
        y = y if y < z else z
        x = x if x < y else y
        y = best[k]
        best[k] = x if x < y else y


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
def _best_loops(lanes, n, d, tables, scratch):
    """Interior loops and bulges of diagonal d but for those that have tables of their own."""
    m = (n - d) * lanes
    scratch.best[:, :m] = FORBIDDEN
    _one_sided(lanes, m, d, 2, 1, 1, scratch.bulge, tables.bulge_size, scratch.best[3, :m])
    _one_sided(lanes, m, d, 4, 2, 0, scratch.interior_1n, tables.interior_1n_size, scratch.best[1, :m])
    best = scratch.best[0, :m]
    for size in range(4, min(MAX_LOOP, d - 2 - SHORTEST) + 1):
        ring = (d - 2 - size) % RING
        row = scratch.interior[ring]
        middle = (size >> 1) * lanes
        nested = scratch.nested[2 * ring + size % 2, middle : middle + m]
        first, last = 3 * lanes, (size - 1) * lanes
        left, right = row[first : first + m], row[last : last + m]
        if size > 5:
            _widen(left, right, tables.asymmetry[size - 4], tables.interior_size[size], nested, best)
        else:
            _place(left, right, tables.asymmetry[size - 4], nested)
    if d >= 7 + SHORTEST:
        row = scratch.interior_23[(d - 7) % RING]
        first, last = 3 * lanes, 4 * lanes
        cost = tables.interior_size[5] + tables.asymmetry[1]
        _offer_two(row[first : first + m], row[last : last + m], cost, scratch.best[2, :m])


@bare_inner_kernel
def _best_split(lanes, n, d, multi, best):
    """Best sum of two adjoining multiloop parts of every segment of diagonal d."""
    m = (n - d) * lanes
    best[:m] = FORBIDDEN
    first, last = SHORTEST, d - 1 - SHORTEST
    while first + 3 <= last:
        k0, k1, k2, k3 = (first + 1) * lanes, (first + 2) * lanes, (first + 3) * lanes, (first + 4) * lanes
        _offer_four_sums(
            multi[first, :m],
            multi[d - 1 - first, k0 : k0 + m],
            multi[first + 1, :m],
            multi[d - 2 - first, k1 : k1 + m],
            multi[first + 2, :m],
            multi[d - 3 - first, k2 : k2 + m],
            multi[first + 3, :m],
            multi[d - 4 - first, k3 : k3 + m],
            best[:m],
        )
        first += 4
    while first <= last:
        k = (first + 1) * lanes
        _offer_sum(multi[first, :m], multi[d - 1 - first, k : k + m], best[:m])
        first += 1


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
