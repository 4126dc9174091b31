"""Plain-Python oracle of folding: the energy of a structure loop by loop, and the best of all structures."""

import math
from collections.abc import Iterator

from mirsweep.scanner.turner import Turner

_TYPES = {"CG": 1, "GC": 2, "GU": 3, "UG": 4, "AU": 5, "UA": 6}
_BASE = {base: code for code, base in enumerate("NACGU")}


def pair_table(structure: str) -> list[int]:
    """Partner of every position, -1 for unpaired ones."""
    partner, opened = [-1] * len(structure), []
    for position, symbol in enumerate(structure):
        if symbol == "(":
            opened.append(position)
        elif symbol == ")":
            partner[position] = opened.pop()
            partner[partner[position]] = position
    return partner


class Evaluator:
    """Energies (0.01 kcal/mol) of the structures of one sequence under RNAfold's -d2 model."""

    def __init__(self, sequence: str, turner: Turner):
        self.sequence = sequence
        self.codes = [_BASE.get(base, 0) for base in sequence]
        self.turner = turner

    def type(self, i: int, j: int) -> int:
        return _TYPES.get(self.sequence[i] + self.sequence[j], 0)

    def _end(self, i: int, j: int) -> int:
        return self.turner.terminal_au if self.type(i, j) > 2 else 0

    def _size(self, table, size: int) -> int:
        if size <= 30:
            return int(table[size])
        return int(table[30]) + int(self.turner.log_loop * math.log(size / 30))

    def hairpin(self, i: int, j: int) -> int:
        t, codes, word = self.turner, self.codes, self.sequence[i : j + 1]
        for special in (t.triloops, t.tetraloops, t.hexaloops):
            if word in special:
                return special[word]
        energy = self._size(t.hairpin, j - i - 1)
        if j - i - 1 == 3:
            return energy + self._end(i, j)
        return energy + t.mismatch_hairpin[self.type(i, j), codes[i + 1], codes[j - 1]]

    def interior(self, i: int, j: int, p: int, q: int) -> int:
        t, codes = self.turner, self.codes
        outer, inner = self.type(i, j), self.type(q, p)
        a, b = p - i - 1, j - q - 1
        small, large = sorted((a, b))
        if small == 0:
            energy = self._size(t.bulge, large) if large else 0
            return energy + (t.stack[outer, inner] if large < 2 else self._end(i, j) + self._end(p, q))
        si, sj, sp, sq = codes[i + 1], codes[j - 1], codes[p - 1], codes[q + 1]
        if (small, large) == (1, 1):
            return t.int11[outer, inner, si, sj]
        if (a, b) == (1, 2):
            return t.int21[outer, inner, si, sq, sj]
        if (a, b) == (2, 1):
            return t.int21[inner, outer, sq, si, sp]
        if (small, large) == (2, 2):
            return t.int22[outer, inner, si, sp, sq, sj]
        mismatch = t.mismatch_interior
        if small == 1:
            mismatch = t.mismatch_interior_1n
        elif (small, large) == (2, 3):
            mismatch = t.mismatch_interior_23
        energy = self._size(t.interior, a + b) + min(t.max_asymmetry, (large - small) * t.asymmetry)
        return energy + mismatch[outer, si, sj] + mismatch[inner, sq, sp]

    def multi_stem(self, i: int, j: int) -> int:
        """What a pair adds to the multiloop outside it; (j, i) swapped: to the multiloop that it closes."""
        mismatch = self.turner.mismatch_multi[self.type(i, j), self.codes[i - 1], self.codes[j + 1]]
        return mismatch + self._end(i, j) + self.turner.ml_stem

    def exterior_stem(self, i: int, j: int) -> int:
        t, codes, kind = self.turner, self.codes, self.type(i, j)
        has_before, has_after = i > 0, j + 1 < len(codes)
        energy = self._end(i, j)
        if has_before and has_after:
            return energy + t.mismatch_exterior[kind, codes[i - 1], codes[j + 1]]
        if has_before:
            return energy + t.dangle5[kind, codes[i - 1]]
        return energy + (t.dangle3[kind, codes[j + 1]] if has_after else 0)

    def _loop(self, i: int, j: int, partner: list[int]) -> int:
        """Energy of everything that the pair (i, j) encloses."""
        stems, unpaired, k = [], 0, i + 1
        while k < j:
            if partner[k] > k:
                stems.append((k, partner[k]))
                k = partner[k]
            else:
                unpaired += 1
            k += 1
        inside = sum(self._loop(p, q, partner) for p, q in stems)
        if not stems:
            return self.hairpin(i, j)
        if len(stems) == 1:
            return inside + self.interior(i, j, *stems[0])
        t = self.turner
        energy = t.ml_closing + unpaired * t.ml_base + self.multi_stem(j, i)
        return inside + energy + sum(self.multi_stem(p, q) for p, q in stems)

    def energy(self, structure: str) -> int:
        partner = pair_table(structure)
        total, k = 0, 0
        while k < len(partner):
            if partner[k] > k:
                total += self.exterior_stem(k, partner[k]) + self._loop(k, partner[k], partner)
                k = partner[k]
            k += 1
        return int(total)


def structures(sequence: str) -> Iterator[str]:
    """Every structure of canonical pairs with hairpin loops of at least three bases."""
    if not sequence:
        yield ""
        return
    for rest in structures(sequence[1:]):
        yield "." + rest
    for j in range(4, len(sequence)):
        if sequence[0] + sequence[j] in _TYPES:
            for inside in structures(sequence[1:j]):
                for rest in structures(sequence[j + 1 :]):
                    yield f"({inside}){rest}"


def best_energy(sequence: str, turner: Turner) -> int:
    """Least energy over all structures, 0.01 kcal/mol."""
    evaluator = Evaluator(sequence, turner)
    return min(evaluator.energy(structure) for structure in structures(sequence))


def terminal_loop(structure: str) -> tuple[int, int]:
    """Terminal loop of a structure: of its hairpin loops, the one that most pairs enclose, the first if they tie.

    A structure without pairs has the empty loop (0, 0).
    """
    best, best_depth, depth, last_open = (0, 0), 0, 0, -1
    for position, symbol in enumerate(structure):
        if symbol == "(":
            depth += 1
            last_open = position
        elif symbol == ")":
            if last_open >= 0 and depth > best_depth:
                best, best_depth = (last_open + 1, position), depth
            last_open = -1
            depth -= 1
    return best
