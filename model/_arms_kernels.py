"""Loops of arms.py: the best pair of mature sequences, one on each arm, by a search that is cut short by bounds."""

import numpy as np

from mirsweep.model._numba import inner_kernel, kernel
from mirsweep.model._stem_kernels import LEFT, NOWHERE

OVERHANG_NT = 2
"""What the 3' ends of Drosha's and Dicer's products overhang, nt; it stands in the middle of a table of overhangs."""


@inner_kernel
def _gather(places, ends, n_loop, columns, weights):
    """Columns and log weights of the bases of a hairpin, those of the terminal loop left out.

    Shapes (c,2),(4,c),()->(n),(4,n). Returns the end of the 5' arm and the start of the 3' arm.
    """
    weights[:] = NOWHERE
    end5, start3 = 0, columns.size
    for column in range(n_loop, places.shape[0]):
        for row in range(2):
            i = places[column, row]
            if i < 0:
                continue
            columns[i] = column
            weights[2 * row, i] = ends[2 * row, column]
            weights[2 * row + 1, i] = ends[2 * row + 1, column]
            if row == LEFT:
                end5 = max(end5, i + 1)
            else:
                start3 = min(start3, i)
    return end5, start3


@inner_kernel
def _overhang(table, n):
    """Log weight of an overhang of n columns; beyond the table that of its nearest end. Shapes (o),()."""
    return table[min(max(n - OVERHANG_NT + table.size // 2, 0), table.size - 1)]


@inner_kernel
def _n_lengths(arm, start, shortest, lengths):
    """How many of the lengths fit between a base and the end of its arm. Shapes 2,(),(),(l)."""
    return min(lengths.size, arm[1] - start - shortest + 1)


@inner_kernel
def _best_by_start(weights, arm, shortest, lengths, best):
    """Highest log weight of a mature sequence that starts at each base of an arm. Shapes (2,n),2,(),(l)->(n)."""
    for start in range(arm[0], arm[1]):
        best[start] = 2 * NOWHERE
        for k in range(_n_lengths(arm, start, shortest, lengths)):
            value = weights[0, start] + weights[1, start + shortest + k - 1] + lengths[k]
            best[start] = max(best[start], value)


@inner_kernel
def _alone(weights, best, arm, shortest, lengths, span):
    """The best mature sequence of one arm. Shapes (2,n),(n),2,(),(l)->(2), left as it is where none fits."""
    if arm[1] - arm[0] < shortest:
        return
    start = arm[0] + np.argmax(best[arm[0] : arm[1]])
    for k in range(_n_lengths(arm, start, shortest, lengths)):
        if weights[0, start] + weights[1, start + shortest + k - 1] + lengths[k] == best[start]:
            span[0], span[1] = start, start + shortest + k
            return


@inner_kernel
def _together(columns, weights, best, arms, shortest, lengths, overhangs, span):
    """The best pair, if both arms hold one. Shapes (n),(4,n),(2,n),(2,2),(),(l),(o)->(4).

    The 5' arm's sequences come best first, and are struck out of ``best``. What cannot be better than the best pair so
    far, were all that is still open at its best, is left out.
    """
    arm5, arm3 = arms
    most = overhangs.max()
    most3 = best[1, arm3[0] : arm3[1]].max()
    found = 4 * NOWHERE
    for _ in range(arm5[1] - arm5[0]):
        start5 = arm5[0] + np.argmax(best[0, arm5[0] : arm5[1]])
        if best[0, start5] + most3 + 2 * most <= found:
            return
        best[0, start5] = 4 * NOWHERE
        for k in range(_n_lengths(arm5, start5, shortest, lengths)):
            last5 = start5 + shortest + k - 1
            left = weights[0, start5] + weights[1, last5] + lengths[k]
            if left + most3 + 2 * most <= found:
                continue
            for start3 in range(arm3[0], arm3[1] - shortest + 1):
                inner = left + _overhang(overhangs, columns[start3] - columns[last5])
                if inner + best[1, start3] + most <= found:
                    continue
                for m in range(_n_lengths(arm3, start3, shortest, lengths)):
                    last3 = start3 + shortest + m - 1
                    right = weights[2, start3] + weights[3, last3] + lengths[m]
                    value = inner + right + _overhang(overhangs, columns[last3] - columns[start5])
                    if value > found:
                        found = value
                        span[0], span[1], span[2], span[3] = start5, last5 + 1, start3, last3 + 1


@inner_kernel
def _probability_near(weights, i, arm, within):
    """Probability that a head gives to the bases of an arm near one of them. Shapes (n),(),2,()."""
    total = 0.0
    for k in range(max(arm[0], i - within), min(arm[1], i + within + 1)):
        total += np.exp(weights[k])
    return total


@inner_kernel
def _decode(places, n_loop, ends, terms, within, columns, weights, best, span, near):
    """One hairpin; shapes as of ``decode_batch``, and buffers (n), (4,n) and (2,n) of its length."""
    shortest, lengths, overhangs = terms
    end5, start3 = _gather(places, ends, n_loop, columns, weights)
    arms = ((0, end5), (start3, columns.size))
    for row in range(2):
        _best_by_start(weights[2 * row : 2 * row + 2], arms[row], shortest, lengths, best[row])
    if min(end5, columns.size - start3) >= shortest:
        _together(columns, weights, best, arms, shortest, lengths, overhangs, span)
    else:
        for row in range(2):
            half = slice(2 * row, 2 * row + 2)
            _alone(weights[half], best[row], arms[row], shortest, lengths, span[half])
    for k in range(4):
        if span[k] >= 0:
            near[k] = _probability_near(weights[k], span[k] - k % 2, arms[k // 2], within)


@kernel
def decode_batch(places, n_loop, ends, terms, within, spans, near):
    """Mature sequences of a batch, and the probability that the heads give to the bases near each of their ends.

    Shapes (n,c,2),(n),(n,4,c),((),(l),(o)),()->(n,4),(n,4): places int16, -1 for none; number of columns of the
    terminal loop; log weights of the columns, float32; shortest length, log weights of the lengths from it on and of
    overhangs; spans int16, start and end on the 5' arm, then on the 3' arm, filled with -1; near float32, filled
    with 0.
    """
    longest = places.max() + 1 if places.size else 0
    columns = np.empty(longest, np.int64)
    weights, best = np.empty((4, longest)), np.empty((2, longest))
    for k in range(places.shape[0]):
        n = places[k].max() + 1
        _decode(
            places[k], n_loop[k], ends[k], terms, within, columns[:n], weights[:, :n], best[:, :n], spans[k], near[k]
        )
