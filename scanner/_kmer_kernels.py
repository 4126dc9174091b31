"""Loops of k-mer counting: canonical k-mers of base codes, and a hash table that counts those that it holds.

``nt`` is the length of the k-mers, 31 at most.
"""

import numpy as np

from mirsweep.scanner._numba import inner_kernel, kernel

_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio: neighbouring k-mers lie far apart
EMPTY = -1
_BLOCK = 2048
"""K-mers that are held against the sieve before any is looked up: reads of the memory then overlap."""


@inner_kernel
def _hash(kmer):
    return np.uint64(kmer) * _FACTOR


@inner_kernel
def _shift_of(size):
    """By how much a hash is shifted right to be a place among so many, a power of two."""
    shift = 64
    while size > 1:
        size >>= 1
        shift -= 1
    return np.uint64(shift)


@inner_kernel
def _bits(hashed):
    """The two bits that a k-mer sets in its word of the sieve."""
    one, within = np.uint64(1), np.uint64(63)
    return one << (hashed >> np.uint64(20) & within) | one << (hashed >> np.uint64(26) & within)


@kernel
def list_kmers(codes, offsets, nt, kmers, owners):
    """Canonical k-mers (the smaller of the two strands') of sequences that lie one after the other.

    codes (n), offsets (s + 1), nt -> kmers (n), owners (n), of which the first as many as are returned are set; a k-mer
    that holds a break is left out.
    """
    mask, top = (1 << 2 * nt) - 1, 2 * (nt - 1)
    n = 0
    for owner in range(offsets.size - 1):
        forward, backward, n_valid = 0, 0, 0
        for i in range(offsets[owner], offsets[owner + 1]):
            code = codes[i]
            if code > 3:
                n_valid = 0
                continue
            forward = (forward << 2 | code) & mask
            backward = backward >> 2 | (3 - code) << top
            n_valid += 1
            if n_valid >= nt:
                kmers[n] = min(forward, backward)
                owners[n] = owner
                n += 1
    return n


@kernel
def count_strong(kmers, nt, found):
    """How many bases of each k-mer (m) are C or G -> found (m)."""
    for i in range(kmers.size):
        bits = kmers[i] ^ kmers[i] >> 1  # the lower bit of each base is now 1 for C and G, 01 and 10
        n = 0
        for _ in range(nt):
            n += bits & 1
            bits >>= 2
        found[i] = n


@kernel
def fill_table(kmers, table, sieve):
    """Put k-mers into an empty table (t) and into the sieve, words (b) in which each has two bits; powers of two."""
    shift, sieve_shift = _shift_of(table.size), _shift_of(sieve.size)
    for kmer in kmers:
        hashed = _hash(kmer)
        slot = np.int64(hashed >> shift)
        while table[slot] != EMPTY and table[slot] != kmer:
            slot = slot + 1 & (table.size - 1)
        table[slot] = kmer
        sieve[np.int64(hashed >> sieve_shift)] |= _bits(hashed)


@kernel
def find_kmers(codes, nt, table, sieve, slots):
    """Slots in the table (t) of the k-mers of a sequence (n), on either strand, that it holds.

    Output slots (n), of which the first as many as are returned are set, each as often as the k-mer stands there.
    """
    mask, top = (1 << 2 * nt) - 1, 2 * (nt - 1)
    forward, backward, n_valid, n_found = 0, 0, 0, 0
    kmers = np.empty(_BLOCK, np.int64)
    for first in range(0, codes.size, _BLOCK):
        n = 0
        for i in range(first, min(first + _BLOCK, codes.size)):
            code = np.int64(codes[i])
            if code > 3:
                n_valid = 0
                continue
            forward = (forward << 2 | code) & mask
            backward = backward >> 2 | (3 - code) << top
            n_valid += 1
            kmers[n] = min(forward, backward)
            n += n_valid >= nt
        n_found += _look_up(kmers[: _sift(kmers[:n], sieve)], table, slots[n_found:])
    return n_found


@kernel
def add_at(slots, counts):
    """Add one to the count of each of these slots, once for each time that it is named."""
    for slot in slots:
        counts[slot] += 1


@inner_kernel
def _sift(kmers, sieve):
    """Move the k-mers (m) that may be in the table to the front; returns how many they are."""
    shift = _shift_of(sieve.size)
    n = 0
    for kmer in kmers:
        hashed = _hash(kmer)
        bits = _bits(hashed)
        kmers[n] = kmer
        n += sieve[np.int64(hashed >> shift)] & bits == bits
    return n


@inner_kernel
def _look_up(kmers, table, slots):
    """Slots of those k-mers (m) that the table holds; returns how many they are."""
    shift = _shift_of(table.size)
    n = 0
    for kmer in kmers:
        slot = np.int64(_hash(kmer) >> shift)
        while table[slot] != EMPTY and table[slot] != kmer:
            slot = slot + 1 & (table.size - 1)
        slots[n] = slot
        n += table[slot] == kmer
    return n


@kernel
def find_slots(kmers, table, slots):
    """Slot of each k-mer (m) in the table, -1 for one that it does not hold -> slots (m)."""
    shift = _shift_of(table.size)
    for i in range(kmers.size):
        slot = np.int64(_hash(kmers[i]) >> shift)
        while table[slot] != EMPTY and table[slot] != kmers[i]:
            slot = slot + 1 & (table.size - 1)
        slots[i] = slot if table[slot] == kmers[i] else -1
