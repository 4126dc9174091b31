"""Loops of k-mer counting: canonical k-mers of base codes, and a hash table that counts those that it holds."""

from mirsweep.scanner._numba import kernel

KMER_NT = 15
"""Length of a k-mer, nt: by chance one of these stands in 3 Gb of genome six times, in 100 Mb 0.2 times."""
_MASK = (1 << 2 * KMER_NT) - 1
_TOP = 2 * (KMER_NT - 1)
_FACTOR = 0x9E3779B1  # 2^32 divided by the golden ratio: neighbouring k-mers lie far apart in the table
EMPTY = -1


@kernel
def list_kmers(codes, offsets, kmers, owners):
    """Canonical k-mers (the smaller of the two strands') of sequences that lie one after the other.

    codes (n), offsets (s + 1) -> kmers (n), owners (n), of which the first as many as are returned are set; a k-mer
    that holds a break is left out.
    """
    n = 0
    for owner in range(offsets.size - 1):
        forward, backward, n_valid = 0, 0, 0
        for i in range(offsets[owner], offsets[owner + 1]):
            code = codes[i]
            if code > 3:
                n_valid = 0
                continue
            forward = (forward << 2 | code) & _MASK
            backward = backward >> 2 | (3 - code) << _TOP
            n_valid += 1
            if n_valid >= KMER_NT:
                kmers[n] = min(forward, backward)
                owners[n] = owner
                n += 1
    return n


@kernel
def fill_table(kmers, table, sieve):
    """Put k-mers into an empty table (t), t a power of two, and into the sieve (b): one byte a group of slots."""
    for kmer in kmers:
        slot = kmer * _FACTOR & (table.size - 1)
        while table[slot] != EMPTY and table[slot] != kmer:
            slot = slot + 1 & (table.size - 1)
        table[slot] = kmer
        sieve[kmer * _FACTOR & (sieve.size - 1)] = 1


@kernel
def count_kmers(codes, table, sieve, counts):
    """Add to the counts (t) of the table's k-mers how often each stands in the sequence, on either strand."""
    forward, backward, n_valid = 0, 0, 0
    for code in codes:
        if code > 3:
            n_valid = 0
            continue
        forward = (forward << 2 | code) & _MASK
        backward = backward >> 2 | (3 - code) << _TOP
        n_valid += 1
        if n_valid < KMER_NT:
            continue
        kmer = min(forward, backward)
        if not sieve[kmer * _FACTOR & (sieve.size - 1)]:
            continue
        slot = kmer * _FACTOR & (table.size - 1)
        while table[slot] != EMPTY:
            if table[slot] == kmer:
                counts[slot] += 1
                break
            slot = slot + 1 & (table.size - 1)


@kernel
def find_slots(kmers, table, slots):
    """Slot of each k-mer (m) in the table, -1 for one that it does not hold -> slots (m)."""
    for i in range(kmers.size):
        slot = kmers[i] * _FACTOR & (table.size - 1)
        while table[slot] != EMPTY and table[slot] != kmers[i]:
            slot = slot + 1 & (table.size - 1)
        slots[i] = slot if table[slot] == kmers[i] else -1
