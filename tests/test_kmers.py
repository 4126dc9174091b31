"""Counts of k-mers against plain Python."""

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirsweep.scanner import kmers as kmers_module
from mirsweep.scanner.alphabet import decode, encode, reverse_complement
from mirsweep.scanner.kmers import KMER_NT, BaseCounts, KmerCounts, chance_counts, kmer_nt, list_kmers

texts = st.text("ACGTNacgt", max_size=60)
COMPLEMENT = str.maketrans("ACGU", "UGCA")


lengths = st.sampled_from([KMER_NT, 18, 31])


def reference_kmers(codes, nt):
    """Canonical k-mers as text, with U for T."""
    text = decode(codes)
    windows = (text[i : i + nt] for i in range(len(text) - nt + 1))
    return [min(w, w.translate(COMPLEMENT)[::-1]) for w in windows if "N" not in w]


def as_number(kmer):
    number = 0
    for letter in kmer:
        number = 4 * number + "ACGU".index(letter)
    return number


@given(st.lists(texts, max_size=4), lengths)
def test_kmers_equal_the_plain_ones(given_texts, nt):
    sequences = [encode(text.encode()) for text in given_texts]
    found = list_kmers(sequences, nt)
    expected = [
        (as_number(kmer), owner) for owner, codes in enumerate(sequences) for kmer in reference_kmers(codes, nt)
    ]
    assert list(zip(found.kmers.tolist(), found.owners.tolist(), strict=True)) == expected


@given(texts, texts, st.integers(0, 60), lengths)
def test_counts_equal_the_plain_ones_and_add_up(wanted, genome, cut, nt):
    unit = genome * 3  # repeats, so that counts beyond 1 occur
    codes = encode((unit + wanted + unit).encode())
    kmers = list_kmers([encode(wanted.encode())], nt).kmers
    counts = KmerCounts(kmers, nt)
    cut = min(cut, codes.size)
    counts.add(codes[:cut])
    counts.add(codes[max(0, cut - nt + 1) :])
    plain = Counter(as_number(kmer) for kmer in reference_kmers(codes, nt))
    assert counts.of(kmers).tolist() == [plain[kmer] for kmer in kmers.tolist()]


@pytest.mark.parametrize("nt", [15, 18])
def test_pieces_and_threads_do_not_change_counts(nt, monkeypatch):
    codes = np.tile(np.random.default_rng(1).integers(0, 4, 700).astype(np.uint8), 4)
    codes[::301] = 4
    kmers = list_kmers([codes[:900]], nt).kmers
    whole = KmerCounts(kmers, nt)
    whole.add(codes)
    expected = whole.of(kmers)
    assert expected.max() == 4
    for piece in (1, 37, 1000):
        monkeypatch.setattr(kmers_module, "_PIECE", piece)
        counts = KmerCounts(kmers, nt)
        with ThreadPoolExecutor(3) as pool:
            counts.add(codes, pool)
        assert np.array_equal(counts.of(kmers), expected)


def test_both_strands_count_as_one():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, 500).astype(np.uint8)
    kmers = list_kmers([codes]).kmers
    forward, backward = KmerCounts(kmers), KmerCounts(kmers)
    forward.add(codes)
    backward.add(reverse_complement(codes))
    assert forward.of(kmers).tolist() == backward.of(kmers).tolist()


def test_what_is_not_counted_is_zero():
    counts = KmerCounts(np.array([5, 7], np.int64))
    assert counts.of(np.array([5, 6, 7], np.int64)).tolist() == [0, 0, 0]
    assert KmerCounts(np.empty(0, np.int64)).of(np.array([1], np.int64)).tolist() == [0]


@given(st.integers(1, 40_000_000_000))
def test_kmers_are_long_enough_to_be_rare_by_chance(n_bases):
    nt = kmer_nt(n_bases)
    assert KMER_NT <= nt <= 31
    assert 2 * n_bases / 4**nt <= 0.2
    assert nt == KMER_NT or 2 * n_bases / 4 ** (nt - 1) > 0.2


@given(st.text("ACGU", min_size=31, max_size=60), lengths, st.integers(0, 10**10), st.integers(0, 10**10))
def test_chance_follows_the_composition(text, nt, weak, strong):
    kmers = list_kmers([encode(text.encode())], nt).kmers
    n = max(1, weak + strong)
    shares = {"A": weak / n / 2, "U": weak / n / 2, "C": strong / n / 2, "G": strong / n / 2}
    expected = [
        2 * n * math.prod(shares[letter] for letter in kmer) for kmer in reference_kmers(encode(text.encode()), nt)
    ]
    assert chance_counts(kmers, nt, BaseCounts(weak, strong)) == pytest.approx(expected)


def test_chance_is_what_random_sequences_have():
    """In a megabase of random bases, two thirds of them A or U."""
    rng = np.random.default_rng(0)
    codes = rng.choice(4, 1_000_000, p=(0.33, 0.17, 0.17, 0.33)).astype(np.uint8)
    kmers = list_kmers([rng.choice(4, 20_000, p=(0.33, 0.17, 0.17, 0.33)).astype(np.uint8)], 9).kmers
    counts = KmerCounts(kmers, 9)
    counts.add(codes)
    chance = chance_counts(kmers, 9, BaseCounts(660_000, 340_000))
    found = counts.of(kmers)
    for low, high in ((0, 3), (3, 10), (10, 40), (40, np.inf)):
        own = (chance >= low) & (chance < high)
        assert found[own].mean() == pytest.approx(chance[own].mean(), rel=0.1)
