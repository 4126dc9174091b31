"""The search of ``_arms_kernels`` on a GPU, a hairpin a thread: the same sums in the same order, so the same arms."""

import math

import numpy as np
from numba import cuda

from mirsweep.cuda_kernels import kept_kernel
from mirsweep.model._arms_kernels import OVERHANG_NT
from mirsweep.model._stem_kernels import NOWHERE

__all__ = ["decode_hairpins"]


@cuda.jit(device=True)
def _overhang(table, n):
    """Log weight of an overhang of n columns; beyond the table that of its nearest end."""
    return table[min(max(n - OVERHANG_NT + table.size // 2, 0), table.size - 1)]


@cuda.jit(device=True)
def _n_lengths(arm_end, start, shortest, lengths):
    """How many of the lengths fit between a base and the end of its arm."""
    return min(lengths.size, arm_end - start - shortest + 1)


@cuda.jit(device=True)
def _sequence(firsts, lasts, columns, start, last, length):
    """Log weight of a mature sequence, by its ends and the log weight of its length."""
    return np.float64(firsts[columns[start]]) + np.float64(lasts[columns[last]]) + length


@cuda.jit(device=True)
def _best_by_start(firsts, lasts, columns, arm, shortest, lengths, best):
    """Highest log weight of a mature sequence that starts at each base of an arm."""
    for start in range(arm[0], arm[1]):
        highest = np.float64(2 * NOWHERE)
        for k in range(_n_lengths(arm[1], start, shortest, lengths)):
            value = _sequence(firsts, lasts, columns, start, start + shortest + k - 1, lengths[k])
            highest = max(highest, value)
        best[start] = highest


@cuda.jit(device=True)
def _first_best(best, first, last):
    """Where the highest of these is, the first one of several."""
    found = first
    for k in range(first + 1, last):
        if best[k] > best[found]:
            found = k
    return found


@cuda.jit(device=True)
def _alone(firsts, lasts, columns, arm, shortest, lengths, best, span):
    """The best mature sequence of one arm, if it has room."""
    if arm[1] - arm[0] < shortest:
        return
    start = _first_best(best, arm[0], arm[1])
    for k in range(_n_lengths(arm[1], start, shortest, lengths)):
        if _sequence(firsts, lasts, columns, start, start + shortest + k - 1, lengths[k]) == best[start]:
            span[0], span[1] = start, start + shortest + k
            return


@cuda.jit(device=True)
def _together(ends, columns, five, three, shortest, lengths, overhangs, best, span):
    """The best pair of mature sequences, one on each arm, if both hold one; see ``_arms_kernels._together``."""
    most = overhangs[0]
    for k in range(1, overhangs.size):
        most = max(most, overhangs[k])
    most3 = best[_first_best(best, three[0], three[1])]
    found = np.float64(4 * NOWHERE)
    for _ in range(five[1] - five[0]):
        start5 = _first_best(best, five[0], five[1])
        if best[start5] + most3 + 2 * most <= found:
            return
        best[start5] = 4 * NOWHERE
        for k in range(_n_lengths(five[1], start5, shortest, lengths)):
            last5 = start5 + shortest + k - 1
            left = _sequence(ends[0], ends[1], columns, start5, last5, lengths[k])
            if left + most3 + 2 * most <= found:
                continue
            for start3 in range(three[0], three[1] - shortest + 1):
                inner = left + _overhang(overhangs, columns[start3] - columns[last5])
                if inner + best[start3] + most <= found:
                    continue
                for m in range(_n_lengths(three[1], start3, shortest, lengths)):
                    last3 = start3 + shortest + m - 1
                    right = _sequence(ends[2], ends[3], columns, start3, last3, lengths[m])
                    value = inner + right + _overhang(overhangs, columns[last3] - columns[start5])
                    if value > found:
                        found = value
                        span[0], span[1], span[2], span[3] = start5, last5 + 1, start3, last3 + 1


@cuda.jit(device=True)
def _probability_near(weights, columns, i, arm, within):
    """Probability that a head gives to the bases of an arm near one of them."""
    total = 0.0
    for k in range(max(arm[0], i - within), min(arm[1], i + within + 1)):
        total += math.exp(np.float64(weights[columns[k]]))
    return total


@kept_kernel
def decode_hairpins(rows, facts, base_firsts, base_columns, ends, terms, within, best, spans, near):
    """Mature sequences of hairpins, and the probability that the heads give to the bases near each of their ends.

    Parameters
    ----------
    rows, facts
        Number of each hairpin, int64, shape (B,), and its columns, start and end of the loop, and length, int64, shape
        (B, 4).
    base_firsts, base_columns
        First base of each hairpin, by number, and column of each base; int64.
    ends
        Log weights of the columns, float32, shape (B, 4, c).
    terms
        Shortest length, log weights of the lengths from it on and of overhangs.
    within
        How far from an end is near, nt.
    best
        Room for the highest log weight from each base, float64, shape (B, bases of the longest).
    spans, near
        Output, int16, filled with -1, and float32, filled with 0; shape (B, 4).
    """
    b = cuda.grid(1)
    if b >= rows.size:
        return
    shortest, lengths, overhangs = terms
    first, n = base_firsts[rows[b]], facts[b, 3]
    columns = base_columns[first : first + n]
    five, three = (np.int64(0), facts[b, 1]), (facts[b, 2], n)
    own, highest, span = ends[b], best[b], spans[b]
    _best_by_start(own[0], own[1], columns, five, shortest, lengths, highest)
    _best_by_start(own[2], own[3], columns, three, shortest, lengths, highest)
    if min(five[1], n - three[0]) >= shortest:
        _together(own, columns, five, three, shortest, lengths, overhangs, highest, span)
    else:
        _alone(own[0], own[1], columns, five, shortest, lengths, highest, span[:2])
        _alone(own[2], own[3], columns, three, shortest, lengths, highest, span[2:])
    for k in range(4):
        if span[k] >= 0:
            arm = five if k < 2 else three
            near[b, k] = _probability_near(own[k], columns, span[k] - k % 2, arm, within)
