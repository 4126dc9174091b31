"""Slow plain-Python oracles of the scanner's kernels: definitions, not algorithms."""

from functools import cache

from mirsweep.scanner.energy import MAX_STEM_LOOP, stem_loop_energies
from mirsweep.scanner.units import FORBIDDEN

WATSON_CRICK = {(0, 3), (3, 0), (1, 2), (2, 1)}
WOBBLE = {(2, 3), (3, 2)}


def can_pair(a, b):
    return (a, b) in WATSON_CRICK or (a, b) in WOBBLE


def is_weak(a, b):
    """A pair other than C-G and G-C."""
    return {a, b} != {1, 2}


def stack_energy(tables, outer, inner):
    """Stacking of the pair outer = (x_i, x_j) on inner = (x_p, x_q)."""
    terms = tables.stack[:, 4 * outer[0] + inner[0]]
    a, b = outer in WOBBLE, inner in WOBBLE
    return int(terms[0] + a * terms[1] + b * terms[2] + (a and b) * terms[3])


def loop_energy(tables, outer, inner, left, right):
    """A stack, bulge or interior loop with ``left`` and ``right`` unpaired bases between two pairs."""
    interior_closure, terminal_closure, _ = (int(c) for c in tables.closures)
    unpaired, weak = left + right, is_weak(*outer) + is_weak(*inner)
    if unpaired == 0:
        return stack_energy(tables, outer, inner)
    if not left or not right:
        if unpaired == 1:
            return int(tables.bulge[0]) + stack_energy(tables, outer, inner)
        return int(tables.bulge[1] + (unpaired - 2) * tables.bulge[2]) + weak * terminal_closure
    one_sided = min(left, right) == 1 and unpaired > 2
    initiation = (tables.interior_1n if one_sided else tables.interior)[unpaired]
    return int(initiation + tables.asymmetry[abs(left - right)]) + weak * interior_closure


def loops(room):
    """Unpaired bases on both sides of all stacks, bulges and interior loops with at most ``room`` of them."""
    interior = min(room, MAX_STEM_LOOP)
    sides = {(left, n - left) for n in range(interior + 1) for left in range(n + 1)}
    return sorted(sides | {(0, n) for n in range(room + 1)} | {(n, 0) for n in range(room + 1)})


def best_stem_loops(codes, *, min_span, max_span, per_nt, long_span=400, long_penalty=0.0):
    """(penalised energy in units, span) of the best stem-loop from each start, by trying every stem-loop."""
    tables = stem_loop_energies(max_span)
    x = [int(c) for c in codes]

    @cache
    def closed(i, j):
        """Lowest energy of the stem-loop that the pair (i, j) ends."""
        if j - i < 4 or not can_pair(x[i], x[j]):
            return FORBIDDEN
        pair = x[i], x[j]
        best = int(tables.hairpin[j - i - 1]) + is_weak(*pair) * int(tables.closures[2])
        for left, right in loops(j - i - 6):
            p, q = i + 1 + left, j - 1 - right
            if closed(p, q) < FORBIDDEN:
                best = min(best, closed(p, q) + loop_energy(tables, pair, (x[p], x[q]), left, right))
        return best

    out = []
    for i in range(len(x)):
        best = FORBIDDEN, 0
        for span in range(min_span, min(max_span, len(x) - i) + 1):
            j = i + span - 1
            if max(x[i : j + 1]) > 3:
                break
            if closed(i, j) < FORBIDDEN:
                end = is_weak(x[i], x[j]) * int(tables.closures[1])
                energy = closed(i, j) + end + round(per_nt * 20) * span + round(long_penalty * 20) * (span > long_span)
                best = min(best, (energy, span))
        out.append(best)
    return out


def local_minima(best, *, threshold, window):
    """Starts with the lowest (energy, start) within ``window`` on both sides, of those at most ``threshold``."""
    return [
        i
        for i, energy in enumerate(best)
        if energy <= threshold
        and all((energy, i) <= (best[k], k) for k in range(max(0, i - window), min(len(best), i + window + 1)))
    ]


def keep_best(hairpins, *, rounds):
    """Indices of (start, end, energy) that survive the competition of those that share enough of both."""

    def compete(a, b):
        overlap = min(a[1], b[1]) - max(a[0], b[0])
        spans = a[1] - a[0], b[1] - b[0]
        return 10 * overlap >= 7 * min(spans) and 2 * overlap >= max(spans)

    def better(k, m):
        return (hairpins[k][2], k) < (hairpins[m][2], m)

    everyone = range(len(hairpins))
    rivals = {k: [m for m in everyone if m != k and compete(hairpins[k], hairpins[m])] for k in everyone}
    alive, kept = set(everyone), set()
    for _ in range(rounds):
        kept |= {k for k in alive if not any(m in alive and better(m, k) for m in rivals[k])}
        alive -= {m for k in kept for m in rivals[k]} - kept
    return sorted(kept)


def keep_different(hairpins, others):
    """(start, end, energy) of both lists without the worse one of two that share 85 % of the longer one."""

    def is_same(a, b):
        overlap = min(a[1], b[1]) - max(a[0], b[0])
        return 20 * overlap >= 17 * max(a[1] - a[0], b[1] - b[0])

    kept = [a for a in hairpins if not any(is_same(a, b) and b[2] < a[2] for b in others)]
    kept += [b for b in others if not any(is_same(a, b) and a[2] <= b[2] for a in hairpins)]
    return sorted(kept)


def strand_hairpins(codes, *, threshold, nested, min_span, max_span, long_span, window, rounds, **penalties):
    """(start, end, penalised energy in units) of the hairpins of a strand, with or without nested ones."""
    limits = [(min_span, max_span)]
    if nested:
        limits = [(min_span, min(long_span, max_span)), (max(min_span, long_span + 1), max_span)]
    found = []
    for shortest, longest in limits:
        best = best_stem_loops(codes, min_span=shortest, max_span=longest, long_span=long_span, **penalties)
        starts = local_minima([energy for energy, _ in best], threshold=threshold * 20, window=window)
        rows = [(i, i + best[i][1], best[i][0]) for i in starts]
        found.append([rows[k] for k in keep_best(rows, rounds=rounds)])
    return keep_different(*found) if nested else found[0]


def stem_loop_partners(codes):
    """Partner of each base, -1 for none, in the best stem-loop that the first and last base end.

    Of several enclosed pairs the one with the fewest unpaired bases between, then with the fewest on the 5' side.
    """
    tables = stem_loop_energies(len(codes))
    x = [int(c) for c in codes]

    @cache
    def best(i, j):
        """Lowest energy of the stem-loop that (i, j) ends, and its next pair, None at the hairpin loop."""
        if j - i < 4 or not can_pair(x[i], x[j]):
            return FORBIDDEN, None
        pair = x[i], x[j]
        found = []
        for left, right in loops(j - i - 6):
            p, q = i + 1 + left, j - 1 - right
            if best(p, q)[0] < FORBIDDEN:
                energy = best(p, q)[0] + loop_energy(tables, pair, (x[p], x[q]), left, right)
                found.append((energy, left + right, left, (p, q)))
        found.append((int(tables.hairpin[j - i - 1]) + is_weak(*pair) * int(tables.closures[2]), FORBIDDEN, 0, None))
        return min(found)[0], min(found)[3]

    partners, pair = [-1] * len(x), (0, len(x) - 1)
    while pair is not None:
        partners[pair[0]], partners[pair[1]] = pair[1], pair[0]
        pair = best(*pair)[1]
    return partners
