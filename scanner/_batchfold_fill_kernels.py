"""Loops that fill the energy tables of one group of sequences, side by side, one diagonal (span) at a time.

A row holds one diagonal d = j - i: element ``i * lanes + lane`` belongs to the segment from i to j = i + d
(both included, from 0) of sequence ``lane``. Shifting i is shifting by whole lanes, so a diagonal is combined
with earlier ones by plain ``x = a + b; y = x if x < y else y`` over contiguous numbers, which LLVM turns into
full-width vector instructions; what depends on the bases of a pair is looked up one pair at a time, for the
pairs that can form. Energies are int16 or int32, in 0.01 kcal/mol; FORBIDDEN = 15000 stands for infinity, and
two of them still fit into 16 bits.

The model is RNAfold's: Turner 2004, ``-d2``, interior loops of at most 30 unpaired bases, hairpin loops of at
least 3.
"""

from typing import NamedTuple

import numpy as np

from mirsweep.scanner._bare_kernel import bare_kernel
from mirsweep.scanner.foldtables import END

RING = 32
"""Diagonals that interior loops reach back over: 30 unpaired bases and the two of the pair."""
CONTEXT_RING = 8
SHORTEST = 4
"""Smallest j - i of a pair."""
_NONE = 15000
_BASE = np.array([0, 1, 2, 3, 4, 0], np.uint8)
"""Base code of a neighbour: an end of the sequence is as good as an N where it cannot matter."""


class Energies(NamedTuple):
    """Energies of one group; int16 or int32, 0.01 kcal/mol.

    Attributes
    ----------
    paired
        Best energy of the segment if its ends pair; shape (n, width), row d.
    multi
        Best energy of the segment as part of a multiloop with at least one pair; shape (n, width).
    exterior
        ``paired`` with what the pair adds to the exterior loop; shape (n, width).
    prefix
        Best energy of the first j bases; shape (n + 1, lanes).
    """

    paired: np.ndarray
    multi: np.ndarray
    exterior: np.ndarray
    prefix: np.ndarray


class Scratch(NamedTuple):
    """Rows that only the filling needs.

    Attributes
    ----------
    interior, interior_1n, interior_23, bulge
        ``paired`` with what the enclosed pair adds to such a loop; shape (RING, width), row d modulo RING.
    nested
        Best ``interior`` of one diagonal over the ways to place it within a loop, asymmetry included; element
        by the middle of the loop, so that it grows in place; shape (2 * RING, width), loops of odd size apart.
    context
        Context of the pair as the enclosed one; uint8, shape (CONTEXT_RING, width).
    split
        Best sum of two multiloop parts; shape (4, width), row d modulo 4.
    best
        Interior, 1xn, 2x3 and bulge loops of this diagonal without what its pair adds; shape (4, width).
    hairpin
        Hairpin loops of this diagonal; shape (width,).
    outer
        Context of the pair as the closing one; uint8, shape (width,).
    able
        Elements whose ends can pair; int32, shape (width,).
    """

    interior: np.ndarray
    interior_1n: np.ndarray
    interior_23: np.ndarray
    bulge: np.ndarray
    nested: np.ndarray
    context: np.ndarray
    split: np.ndarray
    best: np.ndarray
    hairpin: np.ndarray
    outer: np.ndarray
    able: np.ndarray


@bare_kernel
def _lower(a, b):
    """The lower of two int64 without a branch: what is least is hard to predict, and LLVM would turn min() into one."""
    difference = a - b
    return b + (difference & (difference >> 63))


@bare_kernel
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


@bare_kernel
def _place(left, right, asymmetry, nested):
    """The smallest loop of a middle, not offered itself: 2x2 and 2x3 loops have energies of their own."""
    as_energy = nested.dtype.type
    for k in range(nested.size):
        x = left[k] if left[k] < right[k] else right[k]
        nested[k] = as_energy(x + asymmetry)


@bare_kernel
def _offer_two(left, right, cost, best):
    """``best`` = min(best, min(left, right) + cost)."""
    as_energy = best.dtype.type
    for k in range(best.size):
        x = left[k] if left[k] < right[k] else right[k]
        x = as_energy(x + cost)
        y = best[k]
        best[k] = x if x < y else y


@bare_kernel
def _offer_sum(a, b, best):
    """``best`` = min(best, a + b)."""
    as_energy = best.dtype.type
    for k in range(best.size):
        x = as_energy(a[k] + b[k])
        y = best[k]
        best[k] = x if x < y else y


@bare_kernel
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


@bare_kernel
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


@bare_kernel
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


@bare_kernel
def _best_loops(lanes, n, d, tables, scratch):
    """Interior loops and bulges of diagonal d that no base but the pairs' own contexts decides."""
    m = (n - d) * lanes
    best = scratch.best
    best[:, :m] = _NONE
    for size in range(2, min(30, d - 2 - SHORTEST) + 1):
        ring = (d - 2 - size) % RING
        row = scratch.bulge[ring]
        last = (size + 1) * lanes
        _offer_two(row[lanes : lanes + m], row[last : last + m], tables.bulge_size[size], best[3, :m])
        if size < 4:
            continue
        row = scratch.interior_1n[ring]
        first, last = 2 * lanes, size * lanes
        cost = tables.interior_size[size] + tables.asymmetry[size - 2]
        _offer_two(row[first : first + m], row[last : last + m], cost, best[1, :m])
        row = scratch.interior[ring]
        middle = (size >> 1) * lanes
        nested = scratch.nested[2 * ring + size % 2, middle : middle + m]
        first, last = 3 * lanes, (size - 1) * lanes
        left, right = row[first : first + m], row[last : last + m]
        asymmetry = tables.asymmetry[size - 4]
        if size > 5:
            _widen(left, right, asymmetry, tables.interior_size[size], nested, best[0, :m])
        elif size == 4:
            _place(left, left, asymmetry, nested)
        else:
            _place(left, right, asymmetry, nested)
            row = scratch.interior_23[ring]
            cost = tables.interior_size[5] + tables.asymmetry[1]
            _offer_two(row[first : first + m], row[last : last + m], cost, best[2, :m])


@bare_kernel
def _best_split(lanes, n, d, multi, best):
    """Best sum of two adjoining multiloop parts of every segment of diagonal d."""
    m = (n - d) * lanes
    best[:m] = _NONE
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


@bare_kernel
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
        e = np.int64(scratch.hairpin[k0])
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


@bare_kernel
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


@bare_kernel
def _lowest(energies):
    low = energies.dtype.type(0)
    for k in range(energies.size):
        low = energies[k] if energies[k] < low else low
    return np.int64(low)


@bare_kernel
def _clear(m, d, scratch, energies):
    """Nothing can pair on diagonal d until it is found able to."""
    ring = d % RING
    energies.paired[d, :m] = _NONE
    energies.multi[d, :m] = _NONE
    energies.exterior[d, :m] = _NONE
    scratch.interior[ring, :m] = _NONE
    scratch.interior_1n[ring, :m] = _NONE
    scratch.interior_23[ring, :m] = _NONE
    scratch.bulge[ring, :m] = _NONE
    scratch.split[d % 4, :m] = _NONE


@bare_kernel
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
