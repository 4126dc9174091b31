"""Slow plain-Python oracle of the stem filter's features, from the dot-bracket string alone."""

from itertools import pairwise


def pairs_of(structure):
    """All base pairs (i, j), i < j."""
    opened, pairs = [], []
    for position, symbol in enumerate(structure):
        if symbol == "(":
            opened.append(position)
        elif symbol == ")":
            pairs.append((opened.pop(), position))
    return pairs


def features(sequence, structure, loop, mfe, penalised):
    """The sixteen features, in the order of ``describe_stem``."""
    n, pairs = len(sequence), pairs_of(structure)
    stem = sorted((p for p in pairs if p[0] < loop[0] and p[1] >= loop[1]), reverse=True)
    gaps = [(p[0] - q[0] - 1, q[1] - p[1] - 1) for p, q in pairwise(stem)]
    loops = [gap for gap in gaps if sum(gap)]
    runs = "".join("|" if sum(gap) else "=" for gap in gaps).split("|")
    n_hairpins = sum(not any(i < a and b < j for a, b in pairs) for i, j in pairs)
    triplets = [sequence[k : k + 3] for k in range(n - 2)]
    equal = sum(triplets.count(t) * (triplets.count(t) - 1) / 2 for t in set(triplets))
    openings = {i for i, _ in stem}
    windows = [range(k, min(k + 22, loop[0])) for k in range(max(0, loop[0] - 44), loop[0])]
    return [
        n,
        mfe / n,
        penalised,
        len(stem),
        max(map(len, runs)) + 1 if stem else 0,
        loop[1] - loop[0],
        max((sum(gap) for gap in loops), default=0),
        len(loops),
        sum(abs(left - right) for left, right in loops),
        sum(map(sum, loops)),
        sum(letter in "GC" for letter in sequence) / n,
        sum({sequence[i], sequence[j]} == {"G", "U"} for i, j in stem) / max(len(stem), 1),
        max(n_hairpins - 1, 0),
        equal / (n - 3) if n > 3 else 0.0,
        abs(sum(loop) - n) / (2 * n),
        max((sum(k in openings for k in window) for window in windows), default=0),
    ]
