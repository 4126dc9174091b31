"""How often given k-mers stand in a genome, on either strand: counted for these alone, so that memory follows them."""

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np

from mirsweep.scanner import _kmer_kernels as kernels

__all__ = ["KMER_NT", "BaseCounts", "KmerCounts", "Kmers", "chance_counts", "kmer_nt", "list_kmers"]

KMER_NT = 14
"""Least length of a k-mer, nt."""
_CHANCE = 0.2
"""How often a k-mer may stand in a genome by chance."""

_PIECE = 1 << 20
"""Bases whose k-mers are looked up at once."""
_SMALLEST_TABLE, _SMALLEST_SIEVE, _LARGEST_SIEVE = 1 << 10, 1 << 10, 1 << 21
"""Slots, and words of the sieve, a byte for each k-mer: it stays within a processor's cache, and of other k-mers one in
twenty gets past it to the table."""


class BaseCounts(NamedTuple):
    """Bases of a genome: ``weak``, A and U, and ``strong``, C and G."""

    weak: int
    strong: int


class Kmers(NamedTuple):
    """Canonical k-mers of sequences, and the index of the sequence that each comes from; int64, shape (m,) both."""

    kmers: np.ndarray
    owners: np.ndarray


def kmer_nt(n_bases: int) -> int:
    """Length of the k-mers that tell copies from chance in a genome of so many bases, nt.

    Both strands count, so a k-mer stands in it 2 n / 4^k times by chance.

    >>> [kmer_nt(n) for n in (100_000_000, 3_100_000_000, 32_000_000_000)]
    [15, 18, 20]
    """
    nt = KMER_NT
    while 2 * n_bases > _CHANCE * 4**nt:
        nt += 1
    return nt


def list_kmers(sequences: Sequence[np.ndarray], nt: int = KMER_NT) -> Kmers:
    """All k-mers of sequences, each as the smaller number of its two strands, in the order of the sequences.

    Parameters
    ----------
    sequences
        Base codes, uint8 (:mod:`mirsweep.scanner.alphabet`); a k-mer that holds a break is left out.
    nt
        Length of a k-mer.
    """
    offsets = np.concatenate([[0], np.cumsum([len(codes) for codes in sequences], dtype=np.int64)])
    codes = np.concatenate([np.empty(0, np.uint8), *sequences])
    kmers, owners = (np.empty(codes.size, np.int64) for _ in range(2))
    n = kernels.list_kmers(codes, offsets, nt, kmers, owners)
    return Kmers(kmers[:n].copy(), owners[:n].copy())


def chance_counts(kmers: np.ndarray, nt: int, bases: BaseCounts) -> np.ndarray:
    """How often chance brings each k-mer to a genome of these bases, on either strand; float64, shape (m,).

    Both strands together have as many A as U and as many C as G.

    Parameters
    ----------
    kmers
        Canonical k-mers, int64, shape (m,).
    nt
        Their length.
    """
    n_strong = np.empty(kmers.size, np.int8)
    kernels.count_strong(np.ascontiguousarray(kmers, np.int64), nt, n_strong)
    n_bases = max(1, bases.weak + bases.strong)
    weak, strong = bases.weak / n_bases / 2, bases.strong / n_bases / 2
    by_number = [2 * n_bases * weak ** (nt - n) * strong**n for n in range(nt + 1)]
    return np.array(by_number)[n_strong]


class KmerCounts:
    """Counts of given k-mers over stretches of genome; the counts of several stretches add up, in any order.

    Parameters
    ----------
    kmers
        Canonical k-mers (:func:`list_kmers`), int64, shape (m,); may repeat.
    nt
        Their length.
    """

    def __init__(self, kmers: np.ndarray, nt: int = KMER_NT):
        self._nt = nt
        ordered = np.sort(kmers)  # by a hash table, as numpy does, it takes ten times as long
        distinct = ordered[np.diff(ordered, prepend=-1) > 0]
        self._table = np.full(_power_of_two(2 * distinct.size, _SMALLEST_TABLE), kernels.EMPTY, np.int64)
        self._sieve = np.zeros(min(_power_of_two(distinct.size // 8, _SMALLEST_SIEVE), _LARGEST_SIEVE), np.uint64)
        self._counts = np.zeros(self._table.size, np.int32)
        kernels.fill_table(distinct, self._table, self._sieve)

    def add(self, codes: np.ndarray, pool: Executor | None = None) -> None:
        """Count the k-mers of a stretch of genome.

        Parameters
        ----------
        codes
            Base codes, uint8, shape (n,). Stretches of one contig must overlap by one base less than a k-mer has, so
            that each k-mer lies in exactly one.
        pool
            Threads that look the k-mers up, side by side.
        """
        pieces = (codes[first : first + _PIECE + self._nt - 1] for first in range(0, codes.size, _PIECE))
        for slots in map(self._find, pieces) if pool is None else pool.map(self._find, pieces):
            kernels.add_at(slots, self._counts)

    def _find(self, codes: np.ndarray) -> np.ndarray:
        """Where in the table each of the k-mers is that it holds."""
        slots = np.empty(codes.size, np.int64)
        return slots[: kernels.find_kmers(codes, self._nt, self._table, self._sieve, slots)]

    def of(self, kmers: np.ndarray) -> np.ndarray:
        """Counts so far of k-mers, 0 for those that are not counted; int32, shape (m,)."""
        slots = np.empty(kmers.size, np.int64)
        kernels.find_slots(np.ascontiguousarray(kmers, np.int64), self._table, slots)
        return np.where(slots >= 0, self._counts[slots], 0).astype(np.int32)


def _power_of_two(least: int, smallest: int) -> int:
    """The smallest power of two that is at least both."""
    return max(smallest, 1 << max(0, least - 1).bit_length())
