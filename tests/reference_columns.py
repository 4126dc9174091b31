"""Slow plain-Python twin of model/stem.py."""

BASES = "ACGU"


def partners_of(structure: str) -> list[int]:
    """Partner of each position, -1 for none."""
    out, stack = [-1] * len(structure), []
    for i, symbol in enumerate(structure):
        if symbol == "(":
            stack.append(i)
        elif symbol == ")":
            out[i] = stack.pop()
            out[out[i]] = i
    return out


def terminal_loop(structure: str) -> tuple[int, int]:
    """The hairpin loop that most pairs enclose, the first if they tie; the middle if there is none."""
    partners = partners_of(structure)
    loops = []
    for i, j in enumerate(partners):
        if j > i and all(partners[k] < 0 for k in range(i + 1, j)):
            depth = sum(partners[a] >= j for a in range(i + 1))
            loops.append((-depth, i + 1, j))
    return min(loops)[1:] if loops else (len(structure) // 2,) * 2


def columns_of(sequence: str, structure: str) -> list[tuple[int, int]]:
    """Indices of the bases of each column, (5' arm, 3' arm), -1 for none."""
    partners = partners_of(structure)
    start, end = terminal_loop(structure)
    loop = list(range(start, end))
    half = (len(loop) + 1) // 2
    left, right = loop[:half][::-1], loop[half:]
    if len(loop) % 2:
        right = [-1, *right]
    columns = list(zip(left, right, strict=True))
    stem = [(i, partners[i]) for i in range(start - 1, -1, -1) if partners[i] >= end]
    inner = (start, end - 1)
    for i, j in [*stem, (-1, len(sequence))]:
        left, right = list(range(inner[0] - 1, i, -1)), list(range(inner[1] + 1, j))
        for k in range(max(len(left), len(right))):
            columns.append((left[k] if k < len(left) else -1, right[k] if k < len(right) else -1))
        if i >= 0:
            columns.append((i, j))
        inner = (i, j)
    return columns


def tokens_of(sequence: str, structure: str) -> list[tuple[int, int]]:
    """Tokens of each column."""
    partners, (start, end) = partners_of(structure), terminal_loop(structure)

    def token(i: int) -> int:
        if i < 0:
            return 0
        base = BASES.index(sequence[i])
        if start <= i < end:
            return 9 + base
        if partners[i] < 0:
            return 1 + base
        outer = min(i, partners[i]) < start and max(i, partners[i]) >= end
        return (5 if outer else 13) + base

    return [(token(i), token(j)) for i, j in columns_of(sequence, structure)]


def matched(sequence: str, words: set[str], length: int) -> list[bool]:
    """Which bases lie in one of the words."""
    out = [False] * len(sequence)
    for i in range(len(sequence) - length + 1):
        if sequence[i : i + length] in words:
            out[i : i + length] = [True] * length
    return out
