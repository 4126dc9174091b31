"""How alike hairpins are to known precursors: both arms of each, and the best match of a hairpin among them."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mirsweep.cores import n_cores
from mirsweep.expand import expanded
from mirsweep.scanner.alphabet import BREAK

__all__ = ["ARM_NT", "PATH", "KnownArms", "Similarity", "Words", "find_similar", "read_known_arms"]

PATH = Path(__file__).with_name("known_arms.safetensors")
"""Arms of miRBase's precursors of animals, plants and viruses (``benchmarks/make_known_arms.py``)."""
ARM_NT = 22
"""Bases of an arm that are looked at, from the 5' end of its mature sequence on."""
_SEED = slice(1, 8)
"""Bases 2 to 8, which are the same in a family: only arms that share all of them are compared."""
_SEED_NT = 7
_LEAST_NT = 18
"""A place needs so many bases of hairpin from it on."""
_PROMISING = 14
"""Bases of an arm that must be the same before the opposite arm is looked at: a hit by chance in 20 has so many."""
_LEAST_LOOP_NT, _LEAST_OPPOSITE_NT = -2, 14
"""The opposite arm begins so far after the first one's ``ARM_NT`` bases (arms may be shorter), and needs so many bases
of hairpin from its place on, or before the first one."""
_OPPOSITE_WEIGHT, _OPPOSITE_BY_CHANCE = 0.5, 10
"""What a base of the opposite arm that is the same counts, and how many are by chance, at the best of all places."""
_WRONG_SIDE = 2.0
_IN_PLACE, _IN_PLACE_NT = 1.0, 2
"""What is added where an arm begins within so many bases of the sequence that the model predicts, and taken off where
it does not: of what is similar by chance a fifth does, of true precursors nine in ten."""
_RARE = (1.0, 0.5, 0.0)
"""What is taken off for families that one species has, two to four, and five or more or MirGeneDB."""
_AT_ONCE = 512
_WORD_BYTES = 6
_LOW_BITS = np.uint64(int("01" * ARM_NT, 2))
"""The lower bit of each of ``ARM_NT`` bases."""
_SEED_BITS = np.uint64(int("01" * _SEED_NT, 2) << 2 * (ARM_NT - _SEED.stop))
"""The lower bit of each base of the seed."""


class Words(NamedTuple):
    """``ARM_NT`` bases each, two bits a base, the first one highest: so many are compared at once; uint64, shape (k,).

    Attributes
    ----------
    bases
        A C G U = 0 1 2 3; 0 where there is no such base.
    is_base
        The lower bit of each base that is one.
    """

    bases: np.ndarray
    is_base: np.ndarray

    @classmethod
    def of(cls, codes: np.ndarray) -> "Words":
        """Of base codes, uint8, shape (k, ARM_NT); 4 and above stand for no base."""
        return cls(_packed(np.where(codes < BREAK, codes, 0)), _packed(codes < BREAK))

    def take(self, rows: np.ndarray) -> "Words":
        """Some of them."""
        return Words(self.bases[rows], self.is_base[rows])

    def n_equal(self, other: "Words") -> np.ndarray:
        """Bases that each shares with the other one of its row, int64."""
        differ = self.bases ^ other.bases
        equal = ~(differ | differ >> np.uint64(1)) & self.is_base & other.is_base
        return np.bitwise_count(equal).astype(np.int64)


class KnownArms(NamedTuple):
    """Arms of known precursors, by the number of their seed (bases 2 to 8); all shape (k,) but for ``first``.

    Attributes
    ----------
    arms, opposite
        The arm from the 5' end of its mature sequence on, and the mature sequence of the other one, without a base if
        that is not known.
    is_3p
        Whether it is the 3' arm, bool.
    sureness
        0 for a family of one species, 1 for one of two to four, 2 for one of five or more or with a record of
        MirGeneDB; uint8.
    family
        Index into ``families``, int64.
    first
        First arm of each seed, and the number of arms; int64, shape (4^7 + 1,).
    families
        Names.
    """

    arms: Words
    opposite: Words
    is_3p: np.ndarray
    sureness: np.ndarray
    family: np.ndarray
    first: np.ndarray
    families: tuple[str, ...]

    @classmethod
    def of(
        cls,
        arms: Words,
        opposite: Words,
        is_3p: np.ndarray,
        sureness: np.ndarray,
        family: np.ndarray,
        families: Sequence[str],
    ) -> "KnownArms":
        """Of arms in any order."""
        seeds = _seeds_of(arms.bases)
        order = np.lexsort((family, sureness, is_3p, opposite.bases, arms.bases, seeds))
        first = np.searchsorted(seeds[order], np.arange(4**_SEED_NT + 1))
        columns = is_3p[order], sureness[order], family[order]
        return cls(arms.take(order), opposite.take(order), *columns, first, tuple(families))

    def save(self, path: Path) -> None:
        """Write them as safetensors."""
        from safetensors.numpy import save_file

        order = np.lexsort((self.arms.bases, self.is_3p, self.family))  # like ones side by side: the file packs well
        both = [words.take(order) for words in (self.arms, self.opposite)]
        tensors = {
            "arms": np.concatenate([_bytes(words.bases) for words in both], axis=1),
            "n_bases": np.stack([np.bitwise_count(words.is_base) for words in both], axis=1),
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
    packed, n_bases = np.split(tensors["arms"], 2, axis=1), tensors["n_bases"].T
    arms, opposite = (Words(_from_bytes(rows), _first_bases(n)) for rows, n in zip(packed, n_bases, strict=True))
    is_3p, family = tensors["is_3p"].astype(bool), tensors["family"].astype(np.int64)
    return KnownArms.of(arms, opposite, is_3p, tensors["sureness"], family, families)


def _packed(values: np.ndarray) -> np.ndarray:
    """Values of two bits, shape (k, n), side by side, the first one highest; uint64, shape (k,)."""
    words = np.zeros(len(values), np.uint64)
    for column in values.T:
        words = words << np.uint64(2) | column
    return words


def _bytes(words: np.ndarray) -> np.ndarray:
    """Highest first, uint8, shape (k, _WORD_BYTES)."""
    return words.astype(">u8").view(np.uint8).reshape(-1, 8)[:, -_WORD_BYTES:]


def _from_bytes(rows: np.ndarray) -> np.ndarray:
    words = np.zeros((len(rows), 8), np.uint8)
    words[:, -_WORD_BYTES:] = rows
    return words.view(">u8")[:, 0].astype(np.uint64)


def _first_bases(n: np.ndarray) -> np.ndarray:
    """The lower bits of so many bases, from the first one on; uint64, shape (k,)."""
    shifts = (2 * (ARM_NT - n.astype(np.uint64))).astype(np.uint64)
    return np.asarray((_LOW_BITS >> shifts) << shifts)


def _seeds_of(words: np.ndarray) -> np.ndarray:
    """Numbers of the seeds of words, int64."""
    return (words >> np.uint64(2 * (ARM_NT - _SEED.stop)) & np.uint64(4**_SEED_NT - 1)).astype(np.int64)


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


def find_similar(
    codes: np.ndarray, offsets: np.ndarray, middles: np.ndarray, begins: np.ndarray, known: KnownArms
) -> Similarity:
    """The known arm most like each hairpin.

    An arm is laid on each place of the hairpin where its bases 2 to 8 are the same, without gaps. Its equal bases are
    counted, up to ``ARM_NT``; half of the equal bases beyond ten that the opposite arm has at its best place are added
    once the first has 14; 2 are taken off if it lies on the other side of the terminal loop, and 1 or 0.5 for a family
    that one species has, or fewer than five. 1 is added if it begins within 2 nt of where the model predicts the
    sequence of that arm, and taken off if it does not.

    Parameters
    ----------
    codes, offsets
        Base codes of all hairpins end to end, uint8, and where each begins, and the end; int64, shape (n + 1,).
    middles
        Middle of each terminal loop, in bases from the hairpin's start, float64, shape (n,).
    begins
        Where the model predicts that the sequences of the 5' and of the 3' arm begin, in bases from the hairpin's
        start, -1 where it predicts none; int64, shape (n, 2).
    known
        Arms of known precursors.
    """
    firsts = range(0, len(middles), _AT_ONCE)

    def part(first: int) -> Similarity:
        own = offsets[first : first + _AT_ONCE + 1]
        rows = slice(first, first + _AT_ONCE)
        return _similar(codes[own[0] : own[-1]], own - own[0], middles[rows], begins[rows], known)

    with ThreadPoolExecutor(n_cores()) as pool:
        parts = list(pool.map(part, firsts))
    if not parts:
        return Similarity(np.empty(0), np.empty(0, np.int64))
    return Similarity(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class _Hairpins(NamedTuple):
    """Hairpins with ``ARM_NT`` breaks after each, so that no word reaches the next one: the word from each base on, and
    where each hairpin begins and how long it is; int64, shape (n,)."""

    words: Words
    starts: np.ndarray
    lengths: np.ndarray


class _Pairs(NamedTuple):
    """Places of hairpins and the known arms that share their seed; shape (p,)."""

    hairpin: np.ndarray
    place: np.ndarray
    arm: np.ndarray


def _similar(
    codes: np.ndarray, offsets: np.ndarray, middles: np.ndarray, begins: np.ndarray, known: KnownArms
) -> Similarity:
    hairpins = _spread(codes, offsets)
    pairs = _pairs(hairpins, known)
    n_equal = hairpins.words.take(hairpins.starts[pairs.hairpin] + pairs.place).n_equal(known.arms.take(pairs.arm))
    is_3p = pairs.place + ARM_NT / 2 >= middles[pairs.hairpin]
    value = n_equal - np.array(_RARE)[known.sureness[pairs.arm]] - _WRONG_SIDE * (known.is_3p[pairs.arm] != is_3p)
    begin = begins[pairs.hairpin, is_3p.astype(np.int64)]
    in_place = np.where(np.abs(pairs.place - begin) <= _IN_PLACE_NT, _IN_PLACE, -_IN_PLACE)
    value += np.where(begin >= 0, in_place, 0.0)
    promising = np.flatnonzero(n_equal >= _PROMISING)
    some = _Pairs(*(column[promising] for column in pairs))
    n_opposite = _opposite(hairpins, some, is_3p[promising], known)
    value[promising] += _OPPOSITE_WEIGHT * np.maximum(0, n_opposite - _OPPOSITE_BY_CHANCE)
    best = _best_of_each(pairs, value)
    found = Similarity(np.zeros(len(middles)), np.full(len(middles), -1, np.int64))
    found.value[pairs.hairpin[best]] = value[best]
    found.family[pairs.hairpin[best]] = known.family[pairs.arm[best]]
    return found


def _best_of_each(pairs: _Pairs, value: np.ndarray) -> np.ndarray:
    """The pair of the highest value of each hairpin that has one, of several that of the first arm; int64."""
    firsts = np.flatnonzero(np.diff(pairs.hairpin, prepend=-1))
    if not len(firsts):
        return firsts
    n_of_each = np.diff(firsts, append=len(value))
    highest = np.flatnonzero(value == np.repeat(np.maximum.reduceat(value, firsts), n_of_each))
    order = highest[np.lexsort((pairs.arm[highest], pairs.hairpin[highest]))]
    return np.asarray(order[np.flatnonzero(np.diff(pairs.hairpin[order], prepend=-1))])


def _spread(codes: np.ndarray, offsets: np.ndarray) -> _Hairpins:
    n = len(offsets) - 1
    gaps = ARM_NT * np.arange(n)
    padded = np.full(len(codes) + ARM_NT * (n + 1), BREAK, np.uint8)
    padded[np.arange(len(codes)) + np.repeat(gaps, np.diff(offsets))] = codes
    words = Words.of(np.lib.stride_tricks.sliding_window_view(padded, ARM_NT))
    return _Hairpins(words, offsets[:-1] + gaps, np.diff(offsets))


def _pairs(hairpins: _Hairpins, known: KnownArms) -> _Pairs:
    n_places = np.maximum(0, hairpins.lengths - _LEAST_NT + 1)
    hairpin, place = expanded(n_places)
    words = hairpins.words.take(hairpins.starts[hairpin] + place)
    is_plain = words.is_base & _SEED_BITS == _SEED_BITS
    hairpin, place, seeds = hairpin[is_plain], place[is_plain], _seeds_of(words.bases[is_plain])
    row, within = expanded(known.first[seeds + 1] - known.first[seeds])
    return _Pairs(hairpin[row], place[row], known.first[seeds][row] + within)


def _opposite(hairpins: _Hairpins, pairs: _Pairs, is_3p: np.ndarray, known: KnownArms) -> np.ndarray:
    """Equal bases of the opposite arms, each at its best place on the other side; int64, shape (p,)."""
    firsts = np.where(is_3p, 0, pairs.place + ARM_NT + _LEAST_LOOP_NT)
    lasts = np.where(is_3p, pairs.place, hairpins.lengths[pairs.hairpin]) - _LEAST_OPPOSITE_NT
    row, within = expanded(np.maximum(0, lasts - firsts))
    words = hairpins.words.take((hairpins.starts[pairs.hairpin] + firsts)[row] + within)
    best = np.zeros(len(firsts), np.int64)
    np.maximum.at(best, row, words.n_equal(known.opposite.take(pairs.arm[row])))
    return best
