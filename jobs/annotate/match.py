"""Matches of loci with known miRNAs: shared k-mers first, then scores along the diagonals that these lie on.

Scores are those of nucleotide alignments without gaps, +5 for a match and -4 for a mismatch.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mirsweep.expand import expanded
from mirsweep.jobs.annotate.known_sequences import Sequences, join_sequences

__all__ = ["FLANK_NT", "HairpinIndex", "Hits", "MatureIndex", "Queries", "hairpin_hits", "is_repetitive", "mature_hits"]

FLANK_NT = 8
"""Bases before and after a hairpin that are searched too: candidates may be cut short."""
MATCH, MISMATCH = 5, 4
SEED_BONUS = 15
"""For a seed (bases 2 to 8) without a mismatch: it is what a family has in common."""
PLACE_BONUS = 10
"""For a 5' end within ``NEAR_END_NT`` of one that the model predicts: a match by chance is there 1 time in 9."""
NEAR_END_NT = 2
SEED = slice(1, 8)
_SEED_NT, _WORD_NT, _HAIRPIN_WORD_NT = 7, 9, 10
_KEPT, _SCORED_HAIRPINS = 12, 30
_MOST_ANCHORS = 1 << 18
_LOCI_AT_ONCE = 500
_OUTSIDE = -(10**6)
_SIMPLE = 0.5
"""A k-mer with fewer distinct triplets than this share of its triplets is a simple repeat, and no seed of a match; a
mature sequence that is one is not searched for. By chance repeats match what is repetitive, however long."""


class Queries(NamedTuple):
    """Hairpins that are searched.

    Attributes
    ----------
    sequences
        RNA with up to ``FLANK_NT`` bases on either side.
    leads
        Number of these before each hairpin, int64, shape (n,).
    arm_starts
        Predicted first base of the mature sequence of the 5' and of the 3' arm within the hairpin, -1 for none; int64,
        shape (n, 2).
    """

    sequences: list[str]
    leads: np.ndarray
    arm_starts: np.ndarray

    def __len__(self) -> int:
        return len(self.sequences)

    def part(self, first: int, last: int) -> "Queries":
        """Some of them."""
        return Queries(self.sequences[first:last], self.leads[first:last], self.arm_starts[first:last])


class Hits(NamedTuple):
    """The best matches of each query, by query and then best first; all shape (n,).

    Attributes
    ----------
    query, target
        Indices, int64.
    score
        int64.
    start
        First base of the target within the hairpin of the query (flanks are negative), int64.
    has_seed
        Whether bases 2 to 8 of the target match, bool; False for hairpins.
    """

    query: np.ndarray
    target: np.ndarray
    score: np.ndarray
    start: np.ndarray
    has_seed: np.ndarray

    def best_of(self, n: int) -> np.ndarray:
        """Row of the best hit of each of ``n`` queries, -1 for none; int64, shape (n,)."""
        rows = np.full(n, -1, np.int64)
        firsts = np.flatnonzero(np.diff(self.query, prepend=-1))
        rows[self.query[firsts]] = firsts
        return rows


class _Words(NamedTuple):
    """k-mers of targets, by value: those of value v are entries bounds[v] to bounds[v + 1]."""

    size: int
    bounds: np.ndarray
    target: np.ndarray
    offset: np.ndarray

    @classmethod
    def of(cls, size: int, values: np.ndarray, targets: np.ndarray, offsets: np.ndarray) -> "_Words":
        order = np.argsort(values, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(np.bincount(values, minlength=4**size))])
        return cls(size, bounds, targets[order], offsets[order])

    def look_up(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Place in ``codes``, target and offset in it of every k-mer that they share."""
        values, places = _kmers(codes, self.size)
        firsts, counts = self.bounds[values], self.bounds[values + 1] - self.bounds[values]
        row, within = expanded(counts)
        entries = firsts[row] + within
        return places[row], self.target[entries], self.offset[entries]


def _kmers(codes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and places of the k-mers of A, C, G and U."""
    n = len(codes) - size + 1
    if n < 1:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    values, is_plain = np.zeros(n, np.int64), np.ones(n, bool)
    for k in range(size):
        here = codes[k : k + n]
        values = 4 * values + here
        is_plain &= here < 4
    places = np.flatnonzero(is_plain)
    return values[places], places


def _is_simple(codes: np.ndarray, size: int) -> np.ndarray:
    """Whether each k-mer is a simple repeat; bool, shape (number of k-mers,)."""
    n = len(codes) - size + 1
    triplets = 16 * codes[:-2].astype(np.int64) + 4 * codes[1:-1] + codes[2:]
    rows = np.sort(triplets[np.arange(n)[:, None] + np.arange(size - 2)], axis=1)
    return 1 + (np.diff(rows, axis=1) > 0).sum(axis=1) <= _SIMPLE * (size - 2)


def _words_of(sequences: Sequences, size: int) -> _Words:
    """All k-mers of sequences but simple repeats."""
    values, places = _kmers(sequences.codes, size)
    is_kept = ~_is_simple(sequences.codes, size)[places] if len(places) else np.zeros(0, bool)
    values, places = values[is_kept], places[is_kept]
    targets = np.searchsorted(sequences.starts, places, side="right") - 1
    return _Words.of(size, values, targets, places - sequences.starts[targets])


class MatureIndex:
    """Mature sequences, by seed and by 9-mers.

    Parameters
    ----------
    sequences
        Distinct RNA of at least 8 nt.
    """

    def __init__(self, sequences: Sequence[str]):
        self._joined = join_sequences(sequences)
        self.lengths = self._joined.ends - self._joined.starts
        width = int(self.lengths.max(initial=8))
        self.codes = np.full((len(sequences), width), 5, np.uint8)
        for row, (start, end) in enumerate(zip(self._joined.starts, self._joined.ends, strict=True)):
            self.codes[row, : end - start] = self._joined.codes[start:end]
        seeds = self.codes[:, SEED].astype(np.int64) @ (4 ** np.arange(_SEED_NT - 1, -1, -1))
        ids = np.flatnonzero(~np.array([is_repetitive(each) for each in sequences], bool))
        seeds = seeds[ids]
        self._seeds = _Words.of(_SEED_NT, seeds, ids, np.full(len(ids), SEED.start))
        self._words = _words_of(self._joined, _WORD_NT)

    def anchors(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where (first base) which mature sequence may lie; each pair once."""
        found = [words.look_up(codes) for words in (self._seeds, self._words)]
        keys = np.concatenate([(place - offset) * len(self.codes) + target for place, target, offset in found])
        keys = np.unique(keys)
        return keys // len(self.codes), keys % len(self.codes)


class HairpinIndex:
    """Precursors, by 10-mers.

    Parameters
    ----------
    sequences
        Distinct RNA.
    """

    def __init__(self, sequences: Sequence[str]):
        self.joined = join_sequences(sequences)
        self.words = _words_of(self.joined, _HAIRPIN_WORD_NT)


def is_repetitive(sequence: str) -> bool:
    """Whether a mature sequence is a simple repeat, such as UGUGUGUG...; it is no target of a search then.

    >>> is_repetitive("UGUGUGUGUGUGUGUGUGUG"), is_repetitive("UGAGGUAGUAGGUUGUAUAGUU")
    (True, False)
    """
    n = len(sequence) - 2
    return len({sequence[i : i + 3] for i in range(n)}) <= _SIMPLE * n


def mature_hits(queries: Queries, index: MatureIndex) -> Hits:
    """The mature sequences that fit best into each hairpin, at most 12."""
    return _joined(_mature_hits(part, index) for part in _parts(queries))


def hairpin_hits(queries: Queries, index: HairpinIndex) -> Hits:
    """The precursors that share the best stretches with each hairpin: at most 12, of the 30 with most 10-mers in it."""
    return _joined(_hairpin_hits(part, index) for part in _parts(queries))


def _parts(queries: Queries) -> Iterator[Queries]:
    for first in range(0, max(len(queries), 1), _LOCI_AT_ONCE):
        yield queries.part(first, first + _LOCI_AT_ONCE)


def _joined(parts: Iterator[Hits]) -> Hits:
    moved = [part._replace(query=part.query + k * _LOCI_AT_ONCE) for k, part in enumerate(parts)]
    return Hits(*(np.concatenate(columns) for columns in zip(*moved, strict=True)))


def _mature_hits(queries: Queries, index: MatureIndex) -> Hits:
    width = index.codes.shape[1]
    joined = join_sequences(queries.sequences, gap=width)
    places, targets = index.anchors(joined.codes)
    owner = np.searchsorted(joined.starts, places + SEED.stop - 1, side="right") - 1
    scores, has_seed = np.empty(len(places), np.int64), np.empty(len(places), bool)
    for first in range(0, len(places), _MOST_ANCHORS):
        now = slice(first, first + _MOST_ANCHORS)
        rows = joined.codes[places[now, None] + np.arange(width)]
        matches = rows == index.codes[targets[now]]
        scores[now] = (MATCH + MISMATCH) * matches.sum(axis=1) - MISMATCH * index.lengths[targets[now]]
        has_seed[now] = matches[:, SEED].all(axis=1)
    starts = places - joined.starts[owner] - queries.leads[owner]
    arms = queries.arm_starts[owner]
    is_near = ((np.abs(starts[:, None] - arms) <= NEAR_END_NT) & (arms >= 0)).any(axis=1)
    scores += SEED_BONUS * has_seed + PLACE_BONUS * is_near
    return _best(Hits(owner, targets, scores, starts, has_seed), _KEPT)


def _hairpin_hits(queries: Queries, index: HairpinIndex) -> Hits:
    joined = join_sequences(queries.sequences)
    n_targets = max(len(index.joined.starts), 1)
    places, targets, offsets = index.words.look_up(joined.codes)
    owner = np.searchsorted(joined.starts, places, side="right") - 1
    starts = places - joined.starts[owner] - offsets  # of the target within the query
    reach = 4096
    keys = (owner * n_targets + targets) * reach + starts + reach // 2
    keys, counts = np.unique(keys, return_counts=True)
    rows = Hits(keys // reach // n_targets, keys // reach % n_targets, counts, keys % reach - reach // 2, counts < 0)
    rows = _best(rows, _SCORED_HAIRPINS)
    scores = _segment_scores(joined, index.joined, rows)
    starts = rows.start - queries.leads[rows.query]
    return _best(rows._replace(score=scores, start=starts), _KEPT)


def _segment_scores(queries: Sequences, targets: Sequences, rows: Hits) -> np.ndarray:
    """Highest score of a stretch on the diagonal of each row."""
    if not len(rows.query):
        return np.zeros(0, np.int64)
    lengths = queries.ends - queries.starts
    columns = np.arange(int(lengths.max()))
    scores = np.empty(len(rows.query), np.int64)
    for first in range(0, len(scores), 1 << 14):
        now = slice(first, first + (1 << 14))
        query, target = rows.query[now], rows.target[now]
        other = columns - rows.start[now, None]
        is_inside = (columns < lengths[query, None]) & (other >= 0)
        is_inside &= other < (targets.ends - targets.starts)[target, None]
        ours = queries.codes[np.where(is_inside, queries.starts[query, None] + columns, 0)]
        theirs = targets.codes[np.where(is_inside, targets.starts[target, None] + other, 0)]
        steps = np.where(is_inside, np.where(ours == theirs, MATCH, -MISMATCH), _OUTSIDE)
        sums = np.cumsum(steps, axis=1)
        before = np.minimum.accumulate(np.pad(sums, ((0, 0), (1, 0)))[:, :-1], axis=1)
        scores[now] = (sums - before).max(axis=1)
    return scores


def _best(hits: Hits, most: int) -> Hits:
    """The best hit of each query and target, and of these the best of each query."""
    order = np.lexsort((hits.target, -hits.score, hits.query))
    hits = Hits(*(column[order] for column in hits))
    _, firsts = np.unique(hits.query * (hits.target.max(initial=0) + 1) + hits.target, return_index=True)
    hits = Hits(*(column[np.sort(firsts)] for column in hits))
    rank = np.arange(len(hits.query)) - np.searchsorted(hits.query, hits.query)
    return Hits(*(column[rank < most] for column in hits))
