"""Loops of the gate before folding: what a hairpin's best stem-loop looks like, and a small network's verdict."""

import numpy as np

from mirsweep.scanner._numba import inner_kernel, kernel
from mirsweep.scanner._stemfilter_kernels import WINDOW, low_complexity

N_WINDOWS, WINDOW_COLUMNS = 12, 5
"""Stretches of the stem, from the terminal loop outwards, that are told apart; the last one goes on to the end."""
N_WHOLE = 20
"""Features of the whole stem-loop."""
N_FEATURES = N_WHOLE + 4 * N_WINDOWS
_LIMIT = np.float32(4.0)


@inner_kernel
def _weight(codes, partners, i, weights):
    """Of an unpaired base, a wobble, A-U, C-G."""
    if partners[i] < 0:
        return weights[0]
    if codes[i] + codes[partners[i]] == 5:
        return weights[1]
    return weights[2] if (codes[i] == 0) | (codes[i] == 3) else weights[3]


@inner_kernel
def _most_in_window(codes, partners, loop_start, weights):
    """Highest sum of weights over a mature sequence's length of the 5' arm, begun within twice that of the loop."""
    best, total = 0, 0
    for start in range(loop_start - 1, max(0, loop_start - 2 * WINDOW) - 1, -1):
        total += _weight(codes, partners, start, weights)
        if start + WINDOW < loop_start:
            total -= _weight(codes, partners, start + WINDOW, weights)
        best = max(best, total)
    return best


@inner_kernel
def _describe_loops(codes, partners, loop_start, loop_end, out):
    """Features 7 to 16 and those by window, going outwards from the terminal loop."""
    n = codes.size
    n_pairs, n_wobbles, run, longest = 0, 0, 0, 0
    n_loops, n_large, largest, asymmetry, unpaired = 0, 0, 0, 0, 0
    column = 0
    i, j = loop_start - 1, loop_end
    while i >= 0:
        window = N_WHOLE + min(column // WINDOW_COLUMNS, N_WINDOWS - 1)
        out[window] += 1
        if codes[i] + codes[j] == 5:
            n_wobbles += 1
            out[window + N_WINDOWS] += 1
        elif (codes[i] == 0) | (codes[i] == 3):
            out[window + 2 * N_WINDOWS] += 1
        n_pairs += 1
        run += 1
        longest = max(longest, run)
        column += 1
        next_i, next_j = i - 1, j + 1
        while next_i >= 0 and partners[next_i] < 0:
            next_i -= 1
        while next_j < n and partners[next_j] < 0:
            next_j += 1
        left, right = i - next_i - 1, next_j - j - 1
        if (next_i >= 0) & (left + right > 0):
            n_loops += 1
            n_large += left + right > 4
            largest = max(largest, left + right)
            asymmetry += abs(left - right)
            unpaired += left + right
            run = 0
            out[N_WHOLE + 3 * N_WINDOWS + min(column // WINDOW_COLUMNS, N_WINDOWS - 1)] += abs(left - right)
            column += max(left, right)
        i, j = next_i, next_j
    out[7], out[8], out[9], out[10] = n_pairs, longest, n_loops, largest
    out[11], out[12], out[13] = asymmetry, unpaired, n_wobbles / n_pairs
    out[14], out[15], out[16] = column, n_pairs / column, n_large


@inner_kernel
def _describe(codes, partners, energy, penalised, counts, out):
    """Features of one stem-loop.

    Parameters
    ----------
    codes, partners
        Base codes 0-3, uint8, and partners, -1 for none, int16; shape (n,), of a single stem-loop whose ends pair.
    energy, penalised
        Of the stem-loop, kcal/mol.
    counts
        Workspace, int64, shape (64,).
    out
        Output, float32, shape (N_FEATURES,): length; energy per nt; penalised energy; terminal loop; distance of its
        centre from the middle per nt; G+C share; low complexity; pairs; longest run of stacked pairs; number of
        interior loops and bulges, largest, sum of asymmetries, unpaired bases; share of wobble pairs; columns of the
        stem, pairs per column; loops of more than four bases; in the best 22 nt of the 5' arm beside the loop, paired
        bases, and these weighted 1 (wobble), 2 (A-U), 3 (C-G); energy; and by window of five columns from the loop
        outwards pairs, wobbles, A-U pairs, asymmetry of the loops.
    """
    n = codes.size
    loop_start = 0
    for i in range(n):
        if partners[i] > i:
            loop_start = i + 1
    loop_end = partners[loop_start - 1]
    out[:] = 0
    n_gc = 0
    for i in range(n):
        n_gc += (codes[i] == 1) | (codes[i] == 2)
    out[0], out[1], out[2], out[3] = n, energy / n, penalised, loop_end - loop_start
    out[4] = abs(loop_start + loop_end - n) / (2 * n)
    out[5], out[6] = n_gc / n, low_complexity(codes, counts)
    _describe_loops(codes, partners, loop_start, loop_end, out)
    out[17] = _most_in_window(codes, partners, loop_start, (0, 1, 1, 1))
    out[18] = _most_in_window(codes, partners, loop_start, (0, 1, 2, 3))
    out[19] = energy


@kernel
def describe_stem_loops(codes, starts, ends, partners, offsets, energies, penalised, out):
    """Features of stem-loops. Shapes (t),(n),(n),(s),(n),(n),(n)->(n,N_FEATURES), see ``_describe``."""
    counts = np.empty(64, np.int64)
    for k in range(starts.size):
        own, size = codes[starts[k] : ends[k]], ends[k] - starts[k]
        _describe(own, partners[offsets[k] : offsets[k] + size], energies[k], penalised[k], counts, out[k])


@kernel
def score_stem_loops(features, centre, scale, hidden, hidden_bias, last, last_bias, out):
    """Log odds by a network of one hidden layer, from features standardised and cut to -4 to 4.

    Sums run in one order, hairpin by hairpin, so that a score does not depend on the others.

    Parameters
    ----------
    features, centre, scale
        float32, shapes (n, N_FEATURES), (N_FEATURES,), (N_FEATURES,).
    hidden, hidden_bias, last, last_bias
        float32, shapes (N_FEATURES, h), (h,), (h,), (1,).
    out
        Output, float32, shape (n,).
    """
    units = np.empty(hidden_bias.size, np.float32)
    for row in range(features.shape[0]):
        for h in range(units.size):
            units[h] = hidden_bias[h]
        for k in range(features.shape[1]):
            z = min(max((features[row, k] - centre[k]) / scale[k], -_LIMIT), _LIMIT)
            for h in range(units.size):
                units[h] += z * hidden[k, h]
        total = last_bias[0]
        for h in range(units.size):
            total += max(units[h], np.float32(0)) * last[h]
        out[row] = total
