"""Loops of the stem-loop prefilter: one diagonal (span) at a time, a vector of 16-bit energies over the starts.

Row r of a ring holds the diagonal whose span is r modulo the ring's length; element ``PAD + i`` belongs to start i.
Sums cannot overflow: an energy is never above FORBIDDEN = 16000 before a loop is added, and no loop costs more than a
few hundred units.
"""

import numpy as np

from mirsweep.scanner._bare_kernel import bare_inner_kernel, bare_kernel
from mirsweep.scanner._numba import inner_kernel, kernel
from mirsweep.scanner._vectors import WIDTH, choose, equal, less, load, lower, offer, spread, store

PAD = 16
BLOCK = 512
"""Starts that are worked off together, through all spans, so that their rows stay in the first-level cache; a whole
number of vectors."""
EDGE = WIDTH
"""Starts of the block to the right that a block knows; loops reach 8."""
ROOM = BLOCK + 2 * WIDTH
"""Elements of a row beside its padding: a block, its edge, and what a vector takes along."""
RINGS = (4, 11, 5)
"""Rows of the rings (energy, best over an interior loop, energy with the closure of a bulge): what is looked back on or
offered to, and this diagonal."""
SHORTEST_SPAN = 5
"""A pair that closes a hairpin loop of three."""
UNPAIRABLE = 16
"""Code of a letter that pairs with nothing. A C G U are 0-3: a Watson-Crick pair adds up to 3, a wobble to 5."""

_i16 = np.int16
_NONE = _i16(16000)
_WATSON_CRICK, _WOBBLE = _i16(3), _i16(5)


@bare_inner_kernel
def _close_pairs(
    n, step, first, span, bases, tables, two, three, ended_four, via_interior, energy, open_i, open_b, bulge_left,
    bulge_right,
):  # fmt: skip
    """Best energy that each pair of a diagonal closes, also with the closure of an interior loop and of a bulge.

    ``two`` and ``three`` hold the energies of the spans shorter by so many, ``ended_four`` those of four with the
    closure of a bulge; all from the next start on. ``bulge_left`` and ``bulge_right`` hold the best over a bulge of two
    and more on either side, which is one of two, or one of a base less: those of the diagonal before, then of this one.
    """
    x, is_au, near, far = bases
    hairpin, bulge, _, _, _, closures = tables
    near_0, near_1, near_2, near_3 = near[0], near[1], near[2], near[3]
    far_0, far_1, far_2, far_3 = far[0], far[1], far[2], far[3]
    wobble, watson_crick, none = spread(_WOBBLE), spread(_WATSON_CRICK), spread(_NONE)
    of_hairpin = spread(hairpin[span - 2])
    of_one, of_two, of_further = spread(bulge[0]), spread(bulge[1]), spread(bulge[2])
    closes_interior, closes_bulge, closes_hairpin = spread(closures[0]), spread(closures[1]), spread(closures[2])
    for k in range(0, n, WIDTH):
        i = first + k
        j = i + (span - 1) * step
        pair = load(x, i) + load(x, j)
        is_wobble = equal(pair, wobble)
        is_weak = load(is_au, i) | is_wobble
        outer = load(near_0, i) + (is_wobble & load(near_1, i))
        inner = load(near_2, i) + (is_wobble & load(near_3, i))
        i_1, j_1 = load(x, i + step), load(x, j - step)
        best = load(two, k) + outer + (equal(i_1 + j_1, wobble) & inner)
        right = load(three, k) + outer + (equal(i_1 + load(x, j - 2 * step), wobble) & inner)
        outer = load(far_0, i) + (is_wobble & load(far_1, i))
        inner = load(far_2, i) + (is_wobble & load(far_3, i))
        left = load(three, k + step) + outer + (equal(load(x, i + 2 * step) + j_1, wobble) & inner)
        best = lower(best, lower(left, right) + of_one)
        left = lower(load(bulge_left, k + step) + of_further, load(ended_four, k + 2 * step) + of_two)
        right = lower(load(bulge_right, k) + of_further, load(ended_four, k) + of_two)
        store(bulge_left, k, left)
        store(bulge_right, k, right)
        of_interior, of_bulge = is_weak & closes_interior, is_weak & closes_bulge
        best = lower(best, of_hairpin + (is_weak & closes_hairpin))
        best = lower(best, load(via_interior, k) + of_interior)
        best = lower(best, lower(left, right) + of_bulge)
        best = choose(is_wobble | equal(pair, watson_crick), best, none)
        store(energy, k, best)
        store(open_i, k, best + of_interior)
        store(open_b, k, best + of_bulge)


@bare_inner_kernel
def _offer_interiors(n, step, w, a2, a3, a4, a5, a6, a7, a8, cost, cost_1n, asymmetry):
    """Offer the pairs of a diagonal to outer pairs, across interior loops of 2 to 8 bases.

    Those of an even number are centred at w[k + 3 * step], those of an odd one between that and its left neighbour.
    The running minimum ``best`` holds what is two and more bases away on both sides; a loop with a single base on one
    side (its ``t``) has a cost of its own, and joins the minimum for the next larger loop.
    """
    c2, c4, c5, c6 = spread(cost[2]), spread(cost[4]), spread(cost[5]), spread(cost[6])
    c7, c8 = spread(cost[7]), spread(cost[8])
    s3, s4, s5 = spread(cost_1n[3]), spread(cost_1n[4]), spread(cost_1n[5])
    s6, s7, s8 = spread(cost_1n[6]), spread(cost_1n[7]), spread(cost_1n[8])
    y1, y2, y3 = spread(asymmetry[1]), spread(asymmetry[2]), spread(asymmetry[3])
    y4, y5, y6 = spread(asymmetry[4]), spread(asymmetry[5]), spread(asymmetry[6])
    for k in range(0, n, WIDTH):
        w0, w1, w2, w3 = load(w, k), load(w, k + step), load(w, k + 2 * step), load(w, k + 3 * step)
        w4, w5, w6 = load(w, k + 4 * step), load(w, k + 5 * step), load(w, k + 6 * step)
        offer(a2, k, w3 + c2)
        t = lower(w2, w4) + y2
        offer(a4, k, lower(w3 + c4, t + s4))
        best = lower(w3, t)
        t = lower(w1, w5) + y4
        offer(a6, k, lower(best + c6, t + s6))
        best = lower(best, t)
        t = lower(w0, w6) + y6
        store(a8, k, lower(best + c8, t + s8))  # the first to reach that diagonal: replaces what the ring held
        best = lower(w2, w3) + y1
        offer(a3, k, best + s3)
        t = lower(w1, w4) + y3
        offer(a5, k, lower(best + c5, t + s5))
        best = lower(best, t)
        t = lower(w0, w5) + y5
        offer(a7, k, lower(best + c7, t + s7))


@bare_inner_kernel
def _select(n, w, penalty, span, first, room, at, best, best_span):
    """Keep, for each start, the lowest penalised energy and its span (the shorter one if two tie).

    ``room`` is the number of bases before the next break (N, end of the strand); ``first`` and ``at`` are the first
    start's elements of it and of the output.
    """
    own, own_less_one, added = spread(span), spread(_i16(span - 1)), spread(penalty)
    for k in range(0, n, WIDTH):
        energy, former = load(w, k) + added, load(best, at + k)
        is_better = less(energy, former) & less(own_less_one, load(room, first + k))
        store(best, at + k, choose(is_better, energy, former))
        store(best_span, at + k, choose(is_better, own, load(best_span, at + k)))


@kernel
def describe_bases(codes, table, x, is_au, near, far, room):
    """Per-base inputs of ``best_stem_loops`` for the strand ``codes``, which the arrays may outrun (padding).

    Parameters
    ----------
    codes
        Base codes, uint8, shape (n,); 4 and more break.
    table
        Stacking table, int16, shape (4, 16).
    x, is_au, near, far, room
        Output, int16, shape (m,), (m,), (4, m), (4, m), (m,), m >= n. ``near`` and ``far`` are the stacking
        terms of x[i] on x[i + 1] and on x[i + 2]; ``is_au`` is -1 where x is A or U, else 0; ``room`` counts the
        bases from here to the next break.
    """
    m = x.size
    free = 0
    for i in range(m - 1, -1, -1):
        code = codes[i] if i < codes.size else 4
        free = min(free + 1, 32000) if code < 4 else 0
        room[i] = free
        x[i] = code if code < 4 else UNPAIRABLE
        is_au[i] = -1 if (code == 0) | (code == 3) else 0
    for step, out in ((1, near), (2, far)):
        out[:] = 0
        for i in range(m - step):
            if (x[i] < 4) & (x[i + step] < 4):
                pair = 4 * x[i] + x[i + step]
                for row in range(4):
                    out[row, i] = table[row, pair]


@bare_inner_kernel
def reset(rings, rows):
    """Clear what the first diagonals look back on; the rest is overwritten before it is read."""
    for ring in rings:
        ring[:] = _NONE
    rows[:] = _NONE


@bare_inner_kernel
def close_pairs(span, n, step, first, bases, tables, rings, rows):
    """Energies of all stem-loops of one span, from the diagonals of the shorter ones.

    Parameters
    ----------
    n
        Elements of the diagonal; whole vectors are computed.
    step
        Elements from one start to the next: 1 for a strand, the number of sequences where these stand side by side.
    first
        The first start's element of ``bases``.
    bases
        (x, is_au, near, far) of ``describe_bases``.
    tables
        (hairpin, bulge, interior, interior_1n, asymmetry, closures) of StemLoopEnergies.
    rings
        Energy, best over an interior loop, and energy with the closure of a bulge or of the stem's end; int16, shapes
        (r, m + 2 * PAD * step), r as in ``RINGS``; a span's row is the span modulo r.
    rows
        Energy with the closure of an interior loop, best over a bulge on the left, on the right; int16, shape
        (3, m + 2 * PAD * step).
    """
    energy, via_interior, open_b = rings
    at, next_at = PAD * step, (PAD + 1) * step
    _close_pairs(
        n, step, first, span, bases, tables, energy[(span - 2) % RINGS[0], next_at:],
        energy[(span - 3) % RINGS[0], next_at:], open_b[(span - 4) % RINGS[2], next_at:],
        via_interior[span % RINGS[1], at:], energy[span % RINGS[0], at:], rows[0, at:],
        open_b[span % RINGS[2], at:], rows[1, at:], rows[2, at:],
    )  # fmt: skip


@bare_inner_kernel
def offer_interiors(span, n, step, tables, rings, rows):
    """Offer the stem-loops of one span, and of ``n`` elements, to the pairs that enclose them with an interior loop."""
    interior, interior_1n, asymmetry = tables[2], tables[3], tables[4]
    via_interior, length, at = rings[1], RINGS[1], PAD * step
    _offer_interiors(
        n, step, rows[0, at - 3 * step :], via_interior[(span + 4) % length, at - 2 * step :],
        via_interior[(span + 5) % length, at - 3 * step :], via_interior[(span + 6) % length, at - 3 * step :],
        via_interior[(span + 7) % length, at - 4 * step :], via_interior[(span + 8) % length, at - 4 * step :],
        via_interior[(span + 9) % length, at - 5 * step :], via_interior[(span + 10) % length, at - 5 * step :],
        interior, interior_1n, asymmetry,
    )  # fmt: skip


@bare_inner_kernel
def _exchange(row, edge):
    """Take over what the block to the right has at its first starts, and leave the own ones to that on the left."""
    own, given = load(row, PAD), load(edge, 0)
    store(row, PAD + BLOCK, given)
    store(edge, 0, own)


@bare_kernel
def best_stem_loops(start, n_starts, bases, room, tables, spans, penalties, rings, rows, edges, best, best_span):
    """Best stem-loop from each start of a piece of a strand, block by block from the right.

    Parameters
    ----------
    start, n_starts
        The piece; a multiple of ``BLOCK``.
    bases, tables, rings, rows
        As in ``close_pairs``; bases for n_starts + max_span starts and ``PAD`` more, rings and rows for ``ROOM``.
    room
        Bases from here to the next break; int16.
    spans
        (min_span, last_short, max_span), nt: hairpins up to last_short are short, longer ones long.
    penalties
        By span, int16, shape (max_span + 1,).
    edges
        What the first starts of the piece to the right have, and then those of this one; int16, shape
        (max_span + 1, 4, EDGE), FORBIDDEN at the strand's end.
    best, best_span
        In and out, int16, one row for the short ones and one for the long ones, by start: penalised energy in units,
        and span; FORBIDDEN and 0 where there is none.
    """
    min_span, last_short, max_span = spans
    energy, _, open_b = rings
    for first in range(n_starts - BLOCK, -1, -BLOCK):
        reset(rings, rows)
        for span in range(SHORTEST_SPAN, max_span + 1):
            close_pairs(span, BLOCK, 1, first, bases, tables, rings, rows)
            ended = open_b[span % RINGS[2]]
            _exchange(energy[span % RINGS[0]], edges[span, 0])
            _exchange(ended, edges[span, 1])
            _exchange(rows[0], edges[span, 2])
            _exchange(rows[1], edges[span, 3])
            offer_interiors(span, BLOCK + WIDTH, 1, tables, rings, rows)
            if span >= min_span:
                row = 1 if span > last_short else 0
                _select(
                    BLOCK, ended[PAD:], penalties[span], _i16(span), first, room, start + first, best[row],
                    best_span[row],
                )  # fmt: skip


@kernel
def local_minima(best, threshold, window, out):
    """Starts whose energy is at most ``threshold`` and lowest within ``window`` on both sides (leftmost if tied).

    Parameters
    ----------
    best
        Penalised energies in units, int16, shape (n,).
    out
        Output, int64, shape (n,): the starts, ascending.

    Returns
    -------
    How many there are.
    """
    count = 0
    n = best.size
    for i in range(n):
        energy = best[i]
        if energy > threshold:
            continue
        is_lowest = True
        for k in range(max(0, i - window), i):
            if best[k] <= energy:
                is_lowest = False
                break
        if is_lowest:
            for k in range(i + 1, min(n, i + window + 1)):
                if best[k] < energy:
                    is_lowest = False
                    break
        if is_lowest:
            out[count] = i
            count += 1
    return count


@inner_kernel
def _compete(a_start, a_end, b_start, b_end):
    """Do two hairpins share 70 % of the shorter one and half of the longer one, or more."""
    overlap = min(a_end, b_end) - max(a_start, b_start)
    a_span, b_span = a_end - a_start, b_end - b_start
    return (10 * overlap >= 7 * min(a_span, b_span)) & (2 * overlap >= max(a_span, b_span))


UNDECIDED, KEPT, DROPPED = 0, 1, 2


@kernel
def keep_best(starts, ends, energies, max_span, rounds, state):
    """Of competing hairpins keep the best, in a fixed number of rounds.

    In each round a hairpin that no better undecided one competes with is kept, and what competes with a
    kept one is dropped. What lies ``2 * rounds * max_span`` away cannot matter, so tiles agree.

    Parameters
    ----------
    starts, ends
        Ascending starts, int64, shape (n,).
    energies
        Penalised energies; of two equal ones the leftmost is better. Shape (n,).
    state
        Output, uint8, shape (n,): KEPT or not.
    """
    n = starts.size
    state[:] = UNDECIDED
    for _ in range(rounds):
        for k in range(n):
            if state[k] != UNDECIDED:
                continue
            is_best = True
            m = k - 1
            while is_best and m >= 0 and starts[m] > starts[k] - max_span:
                if state[m] != DROPPED and energies[m] <= energies[k]:
                    is_best = not _compete(starts[m], ends[m], starts[k], ends[k])
                m -= 1
            m = k + 1
            while is_best and m < n and starts[m] < ends[k]:
                if state[m] != DROPPED and energies[m] < energies[k]:
                    is_best = not _compete(starts[m], ends[m], starts[k], ends[k])
                m += 1
            if is_best:
                state[k] = KEPT
        for k in range(n):
            if state[k] != KEPT:
                continue
            m = k - 1
            while m >= 0 and starts[m] > starts[k] - max_span:
                if state[m] == UNDECIDED and _compete(starts[m], ends[m], starts[k], ends[k]):
                    state[m] = DROPPED
                m -= 1
            m = k + 1
            while m < n and starts[m] < ends[k]:
                if state[m] == UNDECIDED and _compete(starts[m], ends[m], starts[k], ends[k]):
                    state[m] = DROPPED
                m += 1


@inner_kernel
def _is_same(a_start, a_end, b_start, b_end):
    """Do two hairpins share 85 % of the longer one, or more."""
    overlap = min(a_end, b_end) - max(a_start, b_start)
    return 20 * overlap >= 17 * max(a_end - a_start, b_end - b_start)


@kernel
def keep_different(starts, ends, energies, other_starts, other_ends, other_energies, max_span, kept, other_kept):
    """Of a short and a long hairpin that are nearly the same keep the better one (of two equal ones the short one).

    All pairs are judged at once. A hairpin that loses to a loser of another pair would compete with that pair's winner
    in ``keep_best``, so there is none.

    Parameters
    ----------
    starts, ends, energies
        The short ones: ascending starts, int64, and penalised energies; shape (n,).
    other_starts, other_ends, other_energies
        The same of the long ones, shape (m,).
    max_span
        No hairpin is longer.
    kept, other_kept
        Output, bool, shapes (n,) and (m,).
    """
    kept[:] = True
    other_kept[:] = True
    first = 0
    for k in range(starts.size):
        while first < other_starts.size and other_starts[first] <= starts[k] - max_span:
            first += 1
        m = first
        while m < other_starts.size and other_starts[m] < ends[k]:
            if _is_same(starts[k], ends[k], other_starts[m], other_ends[m]):
                is_better = energies[k] <= other_energies[m]
                other_kept[m] &= not is_better
                kept[k] &= is_better
            m += 1
