"""Loops of k-mer counting: canonical k-mers of base codes, and a hash table that counts those that it holds.

``nt`` is the length of the k-mers, 31 at most.
"""

from mirsweep.scanner._numba import kernel

_FACTOR = 0x9E3779B1  # 2^32 divided by the golden ratio: neighbouring k-mers lie far apart in the table
EMPTY = -1


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
def fill_table(kmers, table, sieve):
    """Put k-mers into an empty table (t), t a power of two, and into the sieve (b): one byte a group of slots."""
    for kmer in kmers:
        slot = kmer * _FACTOR & (table.size - 1)
        while table[slot] != EMPTY and table[slot] != kmer:
            slot = slot + 1 & (table.size - 1)
        table[slot] = kmer
        sieve[kmer * _FACTOR & (sieve.size - 1)] = 1


@kernel
def count_kmers(codes, nt, table, sieve, counts):
    """Add to the counts (t) of the table's k-mers how often each stands in the sequence, on either strand."""
    mask, top = (1 << 2 * nt) - 1, 2 * (nt - 1)
    forward, backward, n_valid = 0, 0, 0
    for code in codes:
        if code > 3:
            n_valid = 0
            continue
        forward = (forward << 2 | code) & mask
        backward = backward >> 2 | (3 - code) << top
        n_valid += 1
        if n_valid < nt:
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
