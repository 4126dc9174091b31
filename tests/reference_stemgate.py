"""Slow oracle of the gate's features, from what each of them is said to be."""

from collections import Counter
from itertools import chain, pairwise

WOBBLE, A_U = {(2, 3), (3, 2)}, {(0, 3), (3, 0)}


def features(codes, partners, energy, penalised):
    x, n = [int(c) for c in codes], len(codes)
    pairs = sorted((i, j) for i, j in enumerate(partners) if j > i)[::-1]  # from the loop outwards
    gaps = [(a[0] - b[0] - 1, b[1] - a[1] - 1) for a, b in pairwise(pairs)]
    columns = [0]
    for gap in gaps:
        columns.append(columns[-1] + 1 + max(gap))
    loops = [(column + 1, *gap) for column, gap in zip(columns, gaps, strict=False) if sum(gap)]
    runs = "".join("|" if sum(gap) else "=" for gap in gaps).split("|")
    i, j = pairs[0]
    end = columns[-1] + 1
    triplets = Counter(tuple(x[k : k + 3]) for k in range(n - 2))
    wobbles = [(x[a], x[b]) in WOBBLE for a, b in pairs]
    weak = [(x[a], x[b]) in A_U for a, b in pairs]
    sizes = [left + right for _, left, right in loops]
    whole = [
        n, energy / n, penalised, j - i - 1, abs(i + 1 + j - n) / (2 * n), sum(c in (1, 2) for c in x) / n,
        sum(m * (m - 1) / 2 for m in triplets.values()) / max(n - 3, 1), len(pairs), max(map(len, runs)) + 1,
        len(loops), max(sizes, default=0), sum(abs(left - right) for _, left, right in loops), sum(sizes),
        sum(wobbles) / len(pairs), end, len(pairs) / end, sum(size > 4 for size in sizes),
    ]  # fmt: skip
    kinds = list(zip(columns, wobbles, weak, strict=True))
    strength = {
        a: 1 if wobble else 2 if is_weak else 3 for (a, _), (_, wobble, is_weak) in zip(pairs, kinds, strict=True)
    }
    windows = [range(start, min(start + 22, i + 1)) for start in range(max(0, i + 1 - 44), i + 1)]
    whole += [max(sum(k in strength for k in w) for w in windows)]
    whole += [max(sum(strength.get(k, 0) for k in w) for w in windows), energy]
    by_window = [[0] * 12 for _ in range(4)]
    for column, *counted in kinds:
        for row, counts in zip(by_window, (True, *counted), strict=False):
            row[min(column // 5, 11)] += counts
    for column, left, right in loops:
        by_window[3][min(column // 5, 11)] += abs(left - right)
    return [*whole, *chain.from_iterable(by_window)]
