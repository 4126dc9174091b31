"""Loops of the stem filter: what a folded hairpin's stem looks like, and its score."""

import numpy as np

from mirsweep.scanner._numba import inner_kernel, kernel

N_FEATURES = 16
WINDOW = 22
"""Length of a mature microRNA, nt."""

_OPEN, _CLOSE = ord("("), ord(")")


@inner_kernel
def _partners(structure, stack, partner):
    """Partner of each base, -1 for an unpaired one; returns the number of hairpin loops."""
    depth, n_loops, is_opening = 0, 0, False
    for i in range(structure.size):
        partner[i] = -1
        if structure[i] == _OPEN:
            stack[depth] = i
            depth += 1
            is_opening = True
        elif structure[i] == _CLOSE:
            depth -= 1
            partner[i] = stack[depth]
            partner[stack[depth]] = i
            n_loops += is_opening
            is_opening = False
    return n_loops


@inner_kernel
def low_complexity(codes, counts):
    """Pairs of equal triplets per triplet (the score of DUST), 0 for fewer than four bases."""
    n = codes.size
    counts[:] = 0
    total = 0.0
    for i in range(n - 2):
        triplet = 16 * codes[i] + 4 * codes[i + 1] + codes[i + 2]
        total += counts[triplet]
        counts[triplet] += 1
    return total / (n - 3) if n > 3 else 0.0


@inner_kernel
def _stem(codes, partner, loop_start, loop_end, out):
    """Features 3 to 9, 11 and 15 of ``_describe_stem``, going outwards from the terminal loop."""
    n_pairs, n_wobbles, run, longest = 0, 0, 0, 0
    n_loops, largest, asymmetry, unpaired = 0, 0, 0, 0
    last_i, last_j = loop_start, loop_end - 1
    for i in range(loop_start - 1, -1, -1):
        j = partner[i]
        if j < loop_end:
            continue
        left, right = last_i - i - 1, j - last_j - 1
        if left + right > 0 and n_pairs > 0:
            n_loops += 1
            largest = max(largest, left + right)
            asymmetry += abs(left - right)
            unpaired += left + right
            run = 0
        run += 1
        longest = max(longest, run)
        n_pairs += 1
        n_wobbles += (codes[i] + codes[j]) == 5
        last_i, last_j = i, j
    best = 0
    for start in range(max(0, loop_start - 2 * WINDOW), loop_start):
        paired = 0
        for i in range(start, min(start + WINDOW, loop_start)):
            paired += partner[i] >= loop_end
        best = max(best, paired)
    out[3], out[4], out[5], out[6] = n_pairs, longest, loop_end - loop_start, largest
    out[7], out[8], out[9] = n_loops, asymmetry, unpaired
    out[11] = n_wobbles / max(n_pairs, 1)
    out[15] = best


@inner_kernel
def _describe_stem(codes, structure, loop_start, loop_end, mfe, penalised, stack, partner, counts, out):
    """Features of one folded hairpin.

    Parameters
    ----------
    codes, structure
        Base codes 0-3 and ASCII dot-bracket; uint8, shape (n,).
    loop_start, loop_end
        Terminal loop, 0-based half-open.
    mfe, penalised
        Minimum free energy and length-penalised energy of the single stem-loop, kcal/mol.
    stack, partner
        Workspace, int64, shape (n,) or longer.
    counts
        Workspace, int64, shape (64,).
    out
        Output, float64, shape (N_FEATURES,): length; mfe per nt; penalised energy; pairs of the stem, that is those
        that enclose the terminal loop; longest run of stacked pairs; terminal loop; largest interior loop or bulge;
        number of these; sum of their asymmetries; their unpaired bases; G+C share; share of wobble pairs; hairpin
        loops beside the terminal one; low complexity; distance of the loop's centre from the middle per nt; most
        paired bases in a window of 22 nt of the 5' arm beside the loop.
    """
    n = structure.size
    out[12] = max(_partners(structure, stack, partner[:n]) - 1, 0)
    out[0], out[1], out[2] = n, mfe / n, penalised
    n_gc = 0
    for i in range(n):
        n_gc += (codes[i] == 1) | (codes[i] == 2)
    out[10] = n_gc / n
    out[13] = low_complexity(codes, counts)
    out[14] = abs(loop_start + loop_end - n) / (2 * n)
    _stem(codes, partner, loop_start, loop_end, out)


@kernel
def describe_stems(codes, symbols, offsets, loops, energies, penalised, out):
    """Features of folded hairpins, end to end. Shapes (t),(t),(n+1),(n,2),(n),(n)->(n,N_FEATURES)."""
    longest = 0
    for k in range(out.shape[0]):
        longest = max(longest, offsets[k + 1] - offsets[k])
    stack, partner, counts = np.empty(longest, np.int64), np.empty(longest, np.int64), np.empty(64, np.int64)
    for k in range(out.shape[0]):
        own = slice(offsets[k], offsets[k + 1])
        _describe_stem(
            codes[own],
            symbols[own],
            loops[k, 0],
            loops[k, 1],
            energies[k],
            penalised[k],
            stack,
            partner,
            counts,
            out[k],
        )


@kernel
def score_stems(features, centre, scale, linear, square, bias, out):
    """Log odds of an additive model: each feature standardised, cut to -4 to 4, with a linear and a square term.

    Sums run in one order, row by row, so that a row's score does not depend on the others.

    Parameters
    ----------
    features
        float64, shape (m, N_FEATURES).
    centre, scale, linear, square
        float64, shape (N_FEATURES,).
    out
        Output, float64, shape (m,).
    """
    for row in range(features.shape[0]):
        total = bias
        for k in range(features.shape[1]):
            z = min(max((features[row, k] - centre[k]) / scale[k], -4.0), 4.0)
            total += linear[k] * z + square[k] * z * z
        out[row] = total
