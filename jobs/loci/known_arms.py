"""How alike hairpins are to known precursors: both arms of each, and the best match of a hairpin among them."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mirsweep.cores import n_cores
from mirsweep.scanner.alphabet import BREAK

__all__ = ["ARM_NT", "PATH", "KnownArms", "Similarity", "find_similar", "read_known_arms"]

PATH = Path(__file__).with_name("known_arms.safetensors")
"""Arms of the known precursors of animals, plants and viruses (``benchmarks/make_known_arms.py``)."""
ARM_NT = 22
"""Bases of an arm that are looked at, from the 5' end of its mature sequence on."""
_SEED = slice(1, 8)
"""Bases 2 to 8, which are the same in a family: only arms that share all of them are compared."""
_SEED_NT = 7
_LEAST_NT = 18
"""A place needs so many bases of hairpin from it on."""
_PROMISING = 14
"""Bases of an arm that must be the same before the opposite arm is looked at: a hit by chance in 20 has so many."""
_OPPOSITE_WEIGHT, _OPPOSITE_BY_CHANCE = 0.5, 10
"""What a base of the opposite arm that is the same counts, and how many are by chance, at the best of all places."""
_WRONG_SIDE = 2.0
_RARE = (1.0, 0.5, 0.0)
"""What is taken off for families that one species has, two to four, and five or more or MirGeneDB."""
_AT_ONCE = 512
_WORD_BYTES = 6
_NO_BASE = 5
"""Stands where a known arm has ended; unlike any letter of a hairpin."""


class KnownArms(NamedTuple):
    """Arms of known precursors, by the number of their seed (bases 2 to 8); all shape (k,) but for the letters.

    Attributes
    ----------
    letters, opposite
        Base codes of the arm and of the mature sequence of the other one, uint8, shape (k, ARM_NT); ``_NO_BASE`` beyond
        their ends, and everywhere if the other one is not known.
    is_3p
        Whether it is the 3' arm, bool.
    sureness
        0 for a family of one species, 1 for one of two to four, 2 for one of five or more or a record of MirGeneDB;
        uint8.
    family
        Index into ``families``, int64.
    first
        First arm of each seed, and the number of arms; int64, shape (4^7 + 1,).
    families
        Names.
    """

    letters: np.ndarray
    opposite: np.ndarray
    is_3p: np.ndarray
    sureness: np.ndarray
    family: np.ndarray
    first: np.ndarray
    families: tuple[str, ...]

    @classmethod
    def of(
        cls,
        letters: np.ndarray,
        opposite: np.ndarray,
        is_3p: np.ndarray,
        sureness: np.ndarray,
        family: np.ndarray,
        families: Sequence[str],
    ) -> "KnownArms":
        """Of arms in any order."""
        seeds = _seed_numbers(letters[:, _SEED])
        order = np.lexsort((family, is_3p, *opposite.T[::-1], *letters.T[::-1], seeds))
        first = np.searchsorted(seeds[order], np.arange(4**_SEED_NT + 1))
        return cls(
            letters[order], opposite[order], is_3p[order], sureness[order], family[order], first, tuple(families)
        )

    def save(self, path: Path) -> None:
        """Write them as safetensors."""
        from safetensors.numpy import save_file

        words = _words(self.letters), _words(self.opposite)
        order = np.lexsort((words[0], self.is_3p, self.family))  # like ones side by side: the file packs well
        tensors = {
            "arms": np.concatenate([_bytes(word[order]) for word in words], axis=1),
            "n_letters": np.stack([(letters[order] != _NO_BASE).sum(1) for letters in self[:2]], 1).astype(np.uint8),
            "is_3p": self.is_3p[order].astype(np.uint8),
            "sureness": self.sureness[order],
            "family": self.family[order].astype(np.uint16),
        }
        save_file(tensors, path, {"families": json.dumps(self.families)})


@cache
def read_known_arms(path: Path = PATH) -> KnownArms:
    """Those of a file, by default the one that comes with mirsweep."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
        families = json.loads(file.metadata()["families"])
    letters, opposite = (
        _letters(tensors["arms"][:, _WORD_BYTES * k : _WORD_BYTES * (k + 1)], tensors["n_letters"][:, k])
        for k in (0, 1)
    )
    is_3p, family = tensors["is_3p"].astype(bool), tensors["family"].astype(np.int64)
    return KnownArms.of(letters, opposite, is_3p, tensors["sureness"], family, families)


def _words(letters: np.ndarray) -> np.ndarray:
    """Two bits a base, the first one highest; int64, shape (k,)."""
    return np.asarray(np.where(letters < BREAK, letters, 0).astype(np.int64) @ (4 ** np.arange(ARM_NT - 1, -1, -1)))


def _bytes(words: np.ndarray) -> np.ndarray:
    """Highest first, uint8, shape (k, _WORD_BYTES)."""
    return (words[:, None] >> (8 * np.arange(_WORD_BYTES - 1, -1, -1)) & 255).astype(np.uint8)


def _letters(packed: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Base codes of bytes and lengths, uint8, shape (k, ARM_NT)."""
    words = packed.astype(np.int64) @ (256 ** np.arange(_WORD_BYTES - 1, -1, -1))
    letters = (words[:, None] >> (2 * np.arange(ARM_NT - 1, -1, -1)) & 3).astype(np.uint8)
    return np.where(np.arange(ARM_NT) < n[:, None], letters, np.uint8(_NO_BASE))


class Similarity(NamedTuple):
    """The known arm most like each hairpin; shape (n,).

    Attributes
    ----------
    value
        How alike they are, in bases, float64; 0 where no arm shares a seed.
    family
        Index into the families, int64; -1 where no arm shares a seed.
    """

    value: np.ndarray
    family: np.ndarray


def find_similar(codes: np.ndarray, offsets: np.ndarray, middles: np.ndarray, known: KnownArms) -> Similarity:
    """The known arm most like each hairpin.

    An arm is laid on each place of the hairpin where its bases 2 to 8 are the same, without gaps. Its equal bases are
    counted, up to ``ARM_NT``; half of the equal bases beyond ten that the opposite arm has at its best place are added
    once the first has 14; 2 are taken off if it lies on the other side of the terminal loop, and 1 or 0.5 for a family
    that one species has, or fewer than five.

    Parameters
    ----------
    codes, offsets
        Base codes of all hairpins end to end, uint8, and where each begins, and the end; int64, shape (n + 1,).
    middles
        Middle of each terminal loop, in bases from the hairpin's start, float64, shape (n,).
    known
        Arms of known precursors.
    """
    firsts = range(0, len(middles), _AT_ONCE)

    def part(first: int) -> Similarity:
        own = offsets[first : first + _AT_ONCE + 1]
        return _similar(codes[own[0] : own[-1]], own - own[0], middles[first : first + _AT_ONCE], known)

    with ThreadPoolExecutor(n_cores()) as pool:
        parts = list(pool.map(part, firsts))
    if not parts:
        return Similarity(np.empty(0), np.empty(0, np.int64))
    return Similarity(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class _Pairs(NamedTuple):
    """Places of hairpins and the known arms that share their seed; shape (p,)."""

    hairpin: np.ndarray
    place: np.ndarray
    arm: np.ndarray


def _similar(codes: np.ndarray, offsets: np.ndarray, middles: np.ndarray, known: KnownArms) -> Similarity:
    n, lengths = len(middles), np.diff(offsets)
    starts = offsets[:-1] + ARM_NT * np.arange(n)  # after each hairpin come breaks: no window reaches the next one
    padded = np.full(len(codes) + ARM_NT * n, BREAK, np.uint8)
    padded[np.arange(len(codes)) + np.repeat(ARM_NT * np.arange(n), lengths)] = codes
    pairs = _pairs(padded, starts, lengths, known)
    windows = np.lib.stride_tricks.sliding_window_view(padded, ARM_NT) if len(padded) >= ARM_NT else padded[:0]
    n_equal = _n_equal(windows, starts[pairs.hairpin] + pairs.place, known.letters, pairs.arm)
    is_3p = pairs.place + ARM_NT / 2 >= middles[pairs.hairpin]
    value = n_equal - np.array(_RARE)[known.sureness[pairs.arm]] - _WRONG_SIDE * (known.is_3p[pairs.arm] != is_3p)
    promising = np.flatnonzero(n_equal >= _PROMISING)
    some = _Pairs(*(column[promising] for column in pairs))
    n_opposite = _opposite(windows, starts, lengths, some, is_3p[promising], known)
    value[promising] += _OPPOSITE_WEIGHT * np.maximum(0, n_opposite - _OPPOSITE_BY_CHANCE)
    order = np.lexsort((pairs.arm, -value, pairs.hairpin))
    best = order[np.flatnonzero(np.diff(pairs.hairpin[order], prepend=-1))]
    found = Similarity(np.zeros(n), np.full(n, -1, np.int64))
    found.value[pairs.hairpin[best]] = value[best]
    found.family[pairs.hairpin[best]] = known.family[pairs.arm[best]]
    return found


def _pairs(padded: np.ndarray, starts: np.ndarray, lengths: np.ndarray, known: KnownArms) -> _Pairs:
    n_places = np.maximum(0, lengths - _LEAST_NT + 1)
    hairpin = np.repeat(np.arange(len(starts)), n_places)
    place = np.arange(len(hairpin)) - np.repeat(np.cumsum(n_places) - n_places, n_places)
    seed_letters = padded[(starts[hairpin] + place)[:, None] + np.arange(_SEED.start, _SEED.stop)]
    is_plain = (seed_letters < BREAK).all(1)
    hairpin, place = hairpin[is_plain], place[is_plain]
    seeds = _seed_numbers(seed_letters[is_plain])
    counts = known.first[seeds + 1] - known.first[seeds]
    row, within = _expanded(counts)
    return _Pairs(hairpin[row], place[row], known.first[seeds][row] + within)


def _opposite(
    windows: np.ndarray, starts: np.ndarray, lengths: np.ndarray, pairs: _Pairs, is_3p: np.ndarray, known: KnownArms
) -> np.ndarray:
    """Equal bases of the opposite arms, each at its best place on the other side; int64, shape (p,)."""
    firsts = np.where(is_3p, 0, pairs.place + ARM_NT - 2)
    lasts = np.where(is_3p, pairs.place - 14, lengths[pairs.hairpin] - 14)
    counts = np.maximum(0, lasts - firsts)
    row, within = _expanded(counts)
    equal = _n_equal(windows, (starts[pairs.hairpin] + firsts)[row] + within, known.opposite, pairs.arm[row])
    best = np.zeros(len(counts), np.int64)
    np.maximum.at(best, row, equal)
    return best


def _expanded(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row as often as it is to be, and the number of the time; int64."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)


def _n_equal(windows: np.ndarray, places: np.ndarray, letters: np.ndarray, arms: np.ndarray) -> np.ndarray:
    """Bases that windows and arms share, int64, shape (p,)."""
    if not len(places):
        return np.zeros(0, np.int64)
    return np.count_nonzero(windows[places] == letters[arms], axis=1)


def _seed_numbers(letters: np.ndarray) -> np.ndarray:
    """Numbers of seeds of plain bases, uint8, shape (k, 7); int64."""
    return np.asarray(letters.astype(np.int64) @ (4 ** np.arange(_SEED_NT - 1, -1, -1)))
