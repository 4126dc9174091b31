"""Where sequences stand in genomes: exact matches of many at once, on either strand."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mirsweep.scanner.alphabet import BREAK, reverse_complement

__all__ = ["Place", "find_places"]

_WORD_NT = 12
_KEY_NT = 2 * _WORD_NT
"""Bases by which a sequence is looked for: chance seldom brings them to a genome. A table of all words of half as many
takes 16 MB."""
_AT_ONCE = 1 << 22


class Place(NamedTuple):
    """Contig by its number, start and end on its forward strand, 0-based half-open, and the strand of the sequence."""

    contig: int
    start: int
    end: int
    is_forward: bool


def find_places(pieces: Sequence[np.ndarray], contigs: Sequence[np.ndarray]) -> list[Place | None]:
    """The first place of each sequence, by contig, start and strand; None where it stands nowhere, or has less than 24
    nt.

    Parameters
    ----------
    pieces, contigs
        Base codes, uint8.
    """
    wanted: defaultdict[bytes, list[tuple[int, np.ndarray, bool]]] = defaultdict(list)
    for owner, piece in enumerate(pieces):
        if piece.size >= _KEY_NT:
            for codes, is_forward in ((piece, True), (reverse_complement(piece), False)):
                wanted[codes[:_KEY_NT].tobytes()].append((owner, codes, is_forward))
    begins, goes_on = (np.zeros(4**_WORD_NT + 1, bool) for _ in range(2))
    for key in wanted:
        first, *_, second = _words(np.frombuffer(key, np.uint8))
        begins[first] = goes_on[second] = True
    begins[-1] = goes_on[-1] = False
    found: list[Place | None] = [None] * len(pieces)
    for number, codes in enumerate(contigs):
        for at in _likely(codes, begins, goes_on):
            for owner, piece, is_forward in wanted.get(codes[at : at + _KEY_NT].tobytes(), ()):
                if found[owner] is None and np.array_equal(codes[at : at + piece.size], piece):
                    found[owner] = Place(number, at, at + piece.size, is_forward)
    return found


def _likely(codes: np.ndarray, begins: np.ndarray, goes_on: np.ndarray) -> Iterator[int]:
    """Where a word that begins a sequence is followed by one that goes on, ascending."""
    for start in range(0, codes.size, _AT_ONCE):
        words = _words(codes[start : start + _AT_ONCE + _KEY_NT - 1])
        is_likely = begins[words[:-_WORD_NT]] & goes_on[words[_WORD_NT:]]
        yield from (start + np.flatnonzero(is_likely)).tolist()


def _words(codes: np.ndarray) -> np.ndarray:
    """The word that begins at each base, as a number, int32, shape (n - 11,); 4**12 where it holds a break."""
    n = max(codes.size - _WORD_NT + 1, 0)
    words, is_broken = np.zeros(n, np.int32), np.zeros(n, bool)
    for k in range(_WORD_NT):
        own = codes[k : k + n]
        words = words << 2 | own & 3
        is_broken |= own == BREAK
    words[is_broken] = 4**_WORD_NT
    return words
