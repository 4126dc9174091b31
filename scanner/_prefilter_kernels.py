"""Loops of the stem-loop prefilter: one diagonal (span) at a time, 16-bit lanes over the starts.

Row r of a ring holds the diagonal whose span is r modulo the ring's length; element ``PAD + i`` belongs to start i.
Each loop is a plain ``x = a + b; y = x if x < y else y`` over contiguous int16, which LLVM turns into
full-width vector instructions; ``min()`` or a branch would stop it. Sums cannot overflow: an energy is
never above FORBIDDEN = 16000 before a loop is added, and no loop costs more than a few hundred units.
"""

import numpy as np

from mirsweep.scanner._bare_kernel import bare_inner_kernel, bare_kernel
from mirsweep.scanner._numba import inner_kernel, kernel

PAD = 16
STRIDE = 128
"""Diagonals are worked off in multiples of so many elements, so that no loop has a rest that is not vectorised. What is
computed beyond the last start serves none before it."""
RINGS = (4, 4, 16, 8)
"""Rows of the rings (energy, wobble mask, best over an interior loop, energy with the closure of a bulge): powers of
two, no more than what is looked back on, so that all stay in the second-level cache."""
SHORTEST_SPAN = 5
"""A pair that closes a hairpin loop of three."""
UNPAIRABLE = 16
"""Code of a letter that pairs with nothing. A C G U are 0-3: a Watson-Crick pair adds up to 3, a wobble to 5."""

_i16 = np.int16
_NONE = _i16(16000)


@bare_inner_kernel
def _pair_row(n, left, right, is_au, wobble, closure):
    """Masks (0 or -1) of one diagonal: is the pair a wobble; does it pay the AU/GU closure."""
    for k in range(n):
        gu = _i16(-1) if _i16(left[k] + right[k]) == 5 else _i16(0)
        wobble[k] = gu
        closure[k] = _i16(is_au[k] | gu)


@bare_inner_kernel
def _stacked_row(n, step, near, far, wobble, v2, wobble2, v3, wobble3, bulge1, out):
    """Best energy of a pair on the next one, directly or over a bulge of one base on either side."""
    for k in range(n):
        gu = wobble[k]
        outer = _i16(near[0, k] + (gu & near[1, k]))
        inner = _i16(near[2, k] + (gu & near[3, k]))
        stack = _i16(_i16(v2[k] + outer) + (wobble2[k] & inner))
        right = _i16(_i16(v3[k] + outer) + (wobble3[k] & inner))
        outer = _i16(far[0, k] + (gu & far[1, k]))
        inner = _i16(far[2, k] + (gu & far[3, k]))
        left = _i16(_i16(v3[k + step] + outer) + (wobble3[k + step] & inner))
        bulge = _i16((left if left < right else right) + bulge1)
        out[k] = stack if stack < bulge else bulge


@bare_inner_kernel
def _close_row(n, left, right, closure, interior, bulge_left, bulge_right, hairpin, closures, v, open_i, open_b):
    """Best energy closed by each pair of the diagonal (``v`` holds the stacked ones), and with its closures added."""
    interior_cost, terminal_cost, hairpin_cost = closures[0], closures[1], closures[2]
    for k in range(n):
        pair = _i16(left[k] + right[k])
        ci = _i16(closure[k] & interior_cost)
        cb = _i16(closure[k] & terminal_cost)
        best = v[k]
        t = _i16(hairpin + (closure[k] & hairpin_cost))
        best = t if t < best else best
        t = _i16(interior[k] + ci)
        best = t if t < best else best
        t = bulge_left[k] if bulge_left[k] < bulge_right[k] else bulge_right[k]
        t = _i16(t + cb)
        best = t if t < best else best
        best = best if (pair == 3) | (pair == 5) else _NONE
        v[k] = best
        open_i[k] = _i16(best + ci)
        open_b[k] = _i16(best + cb)


@bare_inner_kernel
def _even_interior(n, step, w, a2, a4, a6, a8, cost, cost_1n, asymmetry):
    """Offer the pairs of a diagonal, w[k + 3 * step] centred, to outer pairs across interior loops of 2, 4, 6 and 8.

    The running minimum ``best`` holds what is two and more bases away on both sides; a loop with a single
    base on one side (its ``t``) has a cost of its own, and joins the minimum for the next larger loop.
    """
    c2, c4, c6, c8 = cost[2], cost[4], cost[6], cost[8]
    s4, s6, s8 = cost_1n[4], cost_1n[6], cost_1n[8]
    y2, y4, y6 = asymmetry[2], asymmetry[4], asymmetry[6]
    for k in range(n):
        best = w[k + 3 * step]
        e = _i16(best + c2)
        a2[k] = e if e < a2[k] else a2[k]
        t = _i16((w[k + 2 * step] if w[k + 2 * step] < w[k + 4 * step] else w[k + 4 * step]) + y2)
        e = _i16(best + c4)
        o = _i16(t + s4)
        e = o if o < e else e
        a4[k] = e if e < a4[k] else a4[k]
        best = t if t < best else best
        t = _i16((w[k + step] if w[k + step] < w[k + 5 * step] else w[k + 5 * step]) + y4)
        e = _i16(best + c6)
        o = _i16(t + s6)
        e = o if o < e else e
        a6[k] = e if e < a6[k] else a6[k]
        best = t if t < best else best
        t = _i16((w[k] if w[k] < w[k + 6 * step] else w[k + 6 * step]) + y6)
        e = _i16(best + c8)
        o = _i16(t + s8)
        a8[k] = o if o < e else e  # the first to reach that diagonal: replaces what the ring held


@bare_inner_kernel
def _odd_interior(n, step, w, a3, a5, a7, cost, cost_1n, asymmetry):
    """The same for interior loops of 3, 5 and 7, centred between w[k + 2 * step] and w[k + 3 * step]."""
    c5, c7 = cost[5], cost[7]
    s3, s5, s7 = cost_1n[3], cost_1n[5], cost_1n[7]
    y1, y3, y5 = asymmetry[1], asymmetry[3], asymmetry[5]
    for k in range(n):
        best = _i16((w[k + 2 * step] if w[k + 2 * step] < w[k + 3 * step] else w[k + 3 * step]) + y1)
        e = _i16(best + s3)
        a3[k] = e if e < a3[k] else a3[k]
        t = _i16((w[k + step] if w[k + step] < w[k + 4 * step] else w[k + 4 * step]) + y3)
        e = _i16(best + c5)
        o = _i16(t + s5)
        e = o if o < e else e
        a5[k] = e if e < a5[k] else a5[k]
        best = t if t < best else best
        t = _i16((w[k] if w[k] < w[k + 5 * step] else w[k + 5 * step]) + y5)
        e = _i16(best + c7)
        o = _i16(t + s7)
        e = o if o < e else e
        a7[k] = e if e < a7[k] else a7[k]


@bare_inner_kernel
def _bulges(n, step, w, first, longer, left, right):
    """Best energy over bulges of two and more, on either side: each is one of two, or one of a base less.

    ``w`` holds the pairs four spans shorter, from the next start on; ``left`` and ``right`` those of the diagonal
    before, and then of this one.
    """
    for k in range(n):
        t = _i16(left[k + step] + longer)
        e = _i16(w[k + 2 * step] + first)
        left[k] = e if e < t else t
    for k in range(n):
        t = _i16(right[k] + longer)
        e = _i16(w[k] + first)
        right[k] = e if e < t else t


@bare_inner_kernel
def _select(n, w, penalty, span, room, best, best_span):
    """Keep, for each start, the lowest penalised energy and its span (the shorter one if two tie).

    ``room`` is the number of bases before the next break (N, end of the strand).
    """
    for k in range(n):
        t = _i16(w[k] + penalty)
        is_better = (t < best[k]) & (span <= room[k])
        best[k] = t if is_better else best[k]
        best_span[k] = span if is_better else best_span[k]


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
    energy, wobble, via_interior, open_b = rings
    energy[:] = _NONE
    wobble[:] = 0
    via_interior[:] = _NONE
    open_b[:] = _NONE
    rows[2:] = _NONE


@bare_inner_kernel
def next_diagonal(span, n, step, bases, tables, rings, rows):
    """All stem-loops of one span, from the diagonals of the shorter ones.

    Parameters
    ----------
    n
        Elements of the diagonal.
    step
        Elements from one start to the next: 1 for a strand, the number of sequences where these stand side by side.
    bases
        (x, is_au, near, far) of ``describe_bases`` from the first start on.
    tables
        (hairpin, bulge, interior, interior_1n, asymmetry, closures) of StemLoopEnergies.
    rings
        Energy, wobble mask, best over an interior loop, and energy with the closure of a bulge or of the stem's end;
        int16, shapes (r, m + 2 * PAD * step), r as in ``RINGS``.
    rows
        Workspace, int16, shape (4, m + 2 * PAD * step).
    """
    n = (n + STRIDE - 1) // STRIDE * STRIDE
    x, is_au, near, far = bases
    hairpin, bulge, interior, interior_1n, asymmetry, closures = tables
    energy, wobble, via_interior, open_b = rings
    closure, open_i, bulge_left, bulge_right = rows[0], rows[1], rows[2], rows[3]
    mask = RINGS[2] - 1
    now, two, three = span & (RINGS[0] - 1), (span - 2) & (RINGS[0] - 1), (span - 3) & (RINGS[0] - 1)
    ended, ended_four = span & (RINGS[3] - 1), (span - 4) & (RINGS[3] - 1)
    right = x[(span - 1) * step :]
    at, next_at = PAD * step, (PAD + 1) * step
    _pair_row(n, x, right, is_au, wobble[now, at:], closure[at:])
    _stacked_row(
        n, step, near, far, wobble[now, at:], energy[two, next_at:], wobble[two, next_at:],
        energy[three, next_at:], wobble[three, next_at:], bulge[0], energy[now, at:],
    )  # fmt: skip
    _bulges(n, step, open_b[ended_four, next_at:], bulge[1], bulge[2], bulge_left[at:], bulge_right[at:])
    _close_row(
        n, x, right, closure[at:], via_interior[span & mask, at:], bulge_left[at:], bulge_right[at:],
        hairpin[span - 2], closures, energy[now, at:], open_i[at:], open_b[ended, at:],
    )  # fmt: skip
    _even_interior(
        n, step, open_i[at - 3 * step :], via_interior[(span + 4) & mask, at - 2 * step :],
        via_interior[(span + 6) & mask, at - 3 * step :], via_interior[(span + 8) & mask, at - 4 * step :],
        via_interior[(span + 10) & mask, at - 5 * step :], interior, interior_1n, asymmetry,
    )  # fmt: skip
    _odd_interior(
        n, step, open_i[at - 2 * step :], via_interior[(span + 5) & mask, at - 2 * step :],
        via_interior[(span + 7) & mask, at - 3 * step :], via_interior[(span + 9) & mask, at - 4 * step :],
        interior, interior_1n, asymmetry,
    )  # fmt: skip


@bare_kernel
def best_stem_loops(bases, room, tables, spans, penalties, rings, rows, best, best_span):
    """Best stem-loop from each start of one block of a strand.

    Parameters
    ----------
    bases, tables, rings, rows
        As in ``next_diagonal``, for n_starts + max_span bases and ``STRIDE`` more.
    room
        Bases from here to the next break; int16.
    spans
        (min_span, last_short, max_span), nt: hairpins up to last_short are short, longer ones long.
    penalties
        By span, int16, shape (max_span + 1,).
    best, best_span
        Output, int16, shape (2, n_starts), of the short ones and of the long ones: penalised energy in units, and
        span; FORBIDDEN and 0 where there is none.
    """
    n_starts = best.shape[1]
    min_span, last_short, max_span = spans
    reset(rings, rows)
    best[:] = _NONE
    best_span[:] = 0
    for span in range(SHORTEST_SPAN, max_span + 1):
        next_diagonal(span, n_starts + max_span - span, 1, bases, tables, rings, rows)
        if span >= min_span:
            row = 1 if span > last_short else 0
            _select(
                n_starts,
                rings[3][span & (RINGS[3] - 1), PAD:],
                penalties[span],
                _i16(span),
                room,
                best[row],
                best_span[row],
            )


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
