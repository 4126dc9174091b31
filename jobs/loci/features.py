"""What is said of a locus beside its score: who competes for its place, its copies, known ones like it, neighbours."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mirsweep.cores import n_cores
from mirsweep.jobs.loci.clusters import MAX_GAP_NT
from mirsweep.jobs.loci.compete import Places, compete
from mirsweep.jobs.loci.known_arms import KnownArms, find_similar, read_known_arms
from mirsweep.jobs.loci.likeness import LociPlaces, find_likeness
from mirsweep.jobs.results.loci_schema import spans_of
from mirsweep.scanner.alphabet import BREAK, encode
from mirsweep.scanner.fasta import Genome
from mirsweep.scanner.kmers import BaseCounts, KmerCounts, chance_counts, kmer_nt, list_kmers
from mirsweep.texts import Texts

__all__ = [
    "NO_NEIGHBOUR",
    "Evidence",
    "Survey",
    "count_copies",
    "log_odds_of",
    "survey",
    "triplet_entropies",
]

_CERTAIN = 3.0
"""Worth from which on a neighbour is as good as certain: more would say nothing of what lies beside it."""
_CLOSE_NT, _FADING = 200, 1.5
"""A neighbour so near counts in full, nt; one that is e times as far counts 1.5 less, so that at 10 kb next to nothing
is left. Clustered precursors lie mostly some hundred nt apart."""
NO_NEIGHBOUR = -8.0
"""Stands for no neighbour at all; lower than any neighbour's log odds that matter."""
_SMALLEST_ODDS = 1e-7
_CHUNK_NT = 1 << 24
_AT_ONCE = 4096


class Evidence(NamedTuple):
    """Of each locus; float64, shape (n,).

    Attributes
    ----------
    log_odds
        Of the score of its best candidate.
    antisense
        Highest log odds of a candidate on the other strand that overlaps it by half; ``NO_RIVAL`` for none.
    copies
        Geometric mean of the counts of its k-mers in the genome, both strands, less what chance brings; near 1 for
        a hairpin that is unique.
    neighbour
        Best other locus within ``MAX_GAP_NT`` on its strand: log odds and likeness, less the binary logarithm of its
        copies, 3 at most, and less the farther it lies beyond 200 nt; ``NO_NEIGHBOUR`` for none.
    complexity
        Entropy of its overlapping triplets of bases, bits: 0 for one base repeated, at most 6.
    similarity
        To the known arm most like it, in bases (:func:`~mirsweep.jobs.loci.known_arms.find_similar`).
    similar_family, n_similar, likeness, known_antisense
        That arm's family, the loci of the genome that are similar to it, what the similarity counts, and how likely a
        locus on the other strand is that is more like a known precursor
        (:class:`~mirsweep.jobs.loci.likeness.Likeness`); the first two int64.
    """

    log_odds: np.ndarray
    antisense: np.ndarray
    copies: np.ndarray
    neighbour: np.ndarray
    complexity: np.ndarray
    similarity: np.ndarray
    similar_family: np.ndarray
    n_similar: np.ndarray
    likeness: np.ndarray
    known_antisense: np.ndarray


class Survey(NamedTuple):
    """Loci: their rows, the number of competitors of each (int64), and the evidence."""

    rows: pa.Table
    n_competing: np.ndarray
    evidence: Evidence


def log_odds_of(scores: np.ndarray) -> np.ndarray:
    """Natural logarithm of the odds of probabilities, float64; finite at 0 and 1."""
    shares = np.clip(scores.astype(np.float64), _SMALLEST_ODDS, 1 - _SMALLEST_ODDS)
    return np.log(shares / (1 - shares))


def survey(rows: pa.Table, genomes: Sequence[Genome], known: KnownArms | None = None) -> Survey:
    """The loci among candidates, and what the genome and known precursors say of each.

    Parameters
    ----------
    rows
        Candidates in the order of a scan, by genome, contig and start.
    genomes
        Open genomes in which copies are counted.
    known
        Arms of known precursors; by default those that come with mirsweep.
    """
    found = [_compete(rows, first, last) for first, last in _contigs(rows)]
    chosen, n_competing, antisense = (
        (np.concatenate(columns) for columns in zip(*found, strict=True)) if found else _NONE
    )
    loci = rows.take(pa.array(chosen, pa.int64()))
    log_odds = log_odds_of(loci["score"].to_numpy())
    texts = Texts.from_arrow(loci["sequence"])
    codes = encode(texts.letters)
    sequences = [codes[first:end] for first, end in pairwise(texts.offsets.tolist())]
    copies = _copies_by_genome(sequences, loci["genome"].to_pylist(), genomes)
    middles = (loci["loop_start"].to_numpy() + loci["loop_end"].to_numpy()) / 2
    similar = find_similar(
        codes, texts.offsets, middles, _begins_of(loci), read_known_arms() if known is None else known
    )
    genome, contig = (_codes_of(loci, name) for name in ("genome", "contig"))
    starts, ends = (loci[name].to_numpy() for name in ("start", "end"))
    places = LociPlaces(genome, contig, starts, ends, _is_forward(loci))
    alike = find_likeness(places, similar, log_odds, copies)
    worth = log_odds - np.log2(copies) + alike.value
    neighbour = np.full(len(chosen), NO_NEIGHBOUR)
    for first, last in _contigs(loci):
        neighbour[first:last] = _best_neighbours(loci.slice(first, last - first), worth[first:last])
    complexity = triplet_entropies(codes, texts.offsets)
    evidence = Evidence(log_odds, antisense, copies, neighbour, complexity, similar.value, *alike)
    return Survey(loci, n_competing, evidence)


_NONE = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))


def _contigs(rows: pa.Table) -> Iterator[tuple[int, int]]:
    """First row and end of each run of rows of one contig of one genome."""
    if not rows.num_rows:
        return
    codes = [_codes_of(rows, name) for name in ("genome", "contig")]
    is_first = np.ones(rows.num_rows, bool)
    is_first[1:] = np.any([np.diff(column) != 0 for column in codes], axis=0)
    yield from pairwise([*np.flatnonzero(is_first).tolist(), rows.num_rows])


def _codes_of(rows: pa.Table, name: str) -> np.ndarray:
    """Numbers of the words of a dictionary column, shape (n,)."""
    return np.asarray(rows[name].combine_chunks().indices.to_numpy()) if rows.num_rows else np.empty(0, np.int32)


def _compete(rows: pa.Table, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    part = rows.slice(first, last - first)
    places = Places(
        part["start"].to_numpy(), part["end"].to_numpy(), _is_forward(part), log_odds_of(part["score"].to_numpy())
    )
    winners = compete(places)
    return first + winners.rows, winners.n_competing, winners.antisense


def _is_forward(rows: pa.Table) -> np.ndarray:
    return np.array([strand == "+" for strand in rows["strand"].to_pylist()], bool)


def _begins_of(loci: pa.Table) -> np.ndarray:
    """Where the sequences of the 5' and of the 3' arm begin, -1 where none is predicted; int64, shape (n, 2)."""
    spans = spans_of(loci)
    return np.column_stack(
        [pc.fill_null(spans[name], -1).to_numpy().astype(np.int64) for name in ("arm_5p_start", "arm_3p_start")]
    )


def _copies_by_genome(sequences: list[np.ndarray], owners: list[str], genomes: Sequence[Genome]) -> np.ndarray:
    """Copies of each hairpin in its own genome, which is named; float64, shape (n,)."""
    copies = np.ones(len(sequences))
    of_genomes: dict[str, list[int]] = {}
    for k, owner in enumerate(owners):
        of_genomes.setdefault(owner, []).append(k)
    for genome in genomes:
        own = of_genomes.get(genome.name)
        if own:
            copies[own] = count_copies([sequences[k] for k in own], genome)
    return copies


def count_copies(sequences: list[np.ndarray], genome: Genome) -> np.ndarray:
    """How often hairpins stand in a genome: the geometric mean of the counts of their k-mers, each at least 1.

    14-mers, and longer ones in genomes above 27 Mb (:func:`mirsweep.scanner.kmers.kmer_nt`). From each count is taken
    what chance brings to a genome of such composition. A repeat that has decayed shares no whole hairpin with its
    copies, but some k-mers, and the mean tells it from a hairpin of its own. Memory follows the hairpins, not the
    genome.

    Parameters
    ----------
    sequences
        Base codes, uint8, as they stand in the genome, either strand.
    genome
        Open; every base is read once.

    Returns
    -------
    float64, shape (n,).
    """
    nt = kmer_nt(sum(contig.length for contig in genome.contigs))
    wanted = list_kmers(sequences, nt)
    counts = KmerCounts(wanted.kmers, nt)
    n_weak = n_strong = 0
    with ThreadPoolExecutor(n_cores()) as pool:
        for letters in _stretches(genome, nt):
            codes = encode(letters)
            counts.add(codes, pool)
            n_of = [int(np.count_nonzero(codes == code)) for code in range(BREAK)]
            n_weak, n_strong = n_weak + n_of[0] + n_of[3], n_strong + n_of[1] + n_of[2]
    beyond_chance = counts.of(wanted.kmers) - chance_counts(wanted.kmers, nt, BaseCounts(n_weak, n_strong))
    return _geometric_means(np.maximum(1.0, beyond_chance), wanted.owners, len(sequences))


def _stretches(genome: Genome, nt: int) -> Iterator[bytes]:
    """All letters of a genome, some 16 Mb at a time: small contigs together, with a break between them, parts of a
    large one overlapping so that each k-mer lies in exactly one."""
    waiting: list[bytes] = []
    n_waiting = 0
    for contig in genome.contigs:
        for start in range(0, contig.length, _CHUNK_NT):
            end = min(start + _CHUNK_NT + nt - 1, contig.length)
            waiting.append(genome.fetch(contig.name, start, end))
            n_waiting += end - start
            if n_waiting >= _CHUNK_NT:
                yield b"N".join(waiting)
                waiting, n_waiting = [], 0
    if waiting:
        yield b"N".join(waiting)


def triplet_entropies(codes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Entropy of the overlapping triplets of each sequence's bases, in bits; 0 below 3 nt.

    Simple repeats fold into long hairpins, and are made of few triplets.

    Parameters
    ----------
    codes, offsets
        Base codes of all sequences end to end, uint8, and where each begins, and the end; int64, shape (n + 1,).

    Returns
    -------
    float64, shape (n,).
    """
    found = np.zeros(len(offsets) - 1)
    for first in range(0, len(found), _AT_ONCE):
        own = offsets[first : first + _AT_ONCE + 1]
        found[first : first + _AT_ONCE] = _entropies(_triplet_counts(codes[own[0] : own[-1]], own - own[0]))
    return found


def _triplet_counts(codes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """How often each triplet stands in each sequence; int64, shape (n, 125)."""
    n = len(offsets) - 1
    wide, owners = codes.astype(np.int64), np.repeat(np.arange(n), np.diff(offsets))
    triplets = 125 * owners[:-2] + 25 * wide[:-2] + 5 * wide[1:-1] + wide[2:]
    is_whole = owners[:-2] == owners[2:]
    return np.bincount(triplets[is_whole], minlength=125 * n).reshape(n, 125)


def _entropies(counts: np.ndarray) -> np.ndarray:
    """Entropy of the shares in each row, bits; 0 for a row of zeros."""
    shares = counts / np.maximum(1, counts.sum(1, keepdims=True))
    return -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(1) + 0.0


def _geometric_means(values: np.ndarray, owners: np.ndarray, n: int) -> np.ndarray:
    """Geometric mean of each sequence's values, float64, shape (n,); 1 for a sequence without any."""
    sums = np.bincount(owners, np.log2(values), minlength=n)
    return np.asarray(2 ** (sums / np.maximum(1, np.bincount(owners, minlength=n))))


def _best_neighbours(loci: pa.Table, worth: np.ndarray) -> np.ndarray:
    """Highest worth of another locus of the strand within ``MAX_GAP_NT``, ``_CERTAIN`` at most, less for one that is
    not close; loci are those of one contig, by start."""
    starts, ends, is_forward = loci["start"].to_numpy(), loci["end"].to_numpy(), _is_forward(loci)
    best = np.full(len(starts), NO_NEIGHBOUR)
    for strand in (True, False):
        own = np.flatnonzero(is_forward == strand)
        longest = int((ends[own] - starts[own]).max(initial=0))
        firsts = np.searchsorted(starts[own], starts[own] - MAX_GAP_NT - longest)
        lasts = np.searchsorted(starts[own], ends[own] + MAX_GAP_NT, side="right")
        for k, (first, last) in enumerate(zip(firsts.tolist(), lasts.tolist(), strict=True)):
            near = own[first:last]
            gaps = np.maximum(starts[near] - ends[own[k]], starts[own[k]] - ends[near])
            is_near = (gaps >= 0) & (gaps <= MAX_GAP_NT)
            lost = _FADING * np.log(np.maximum(gaps[is_near], _CLOSE_NT) / _CLOSE_NT)
            best[own[k]] = (np.minimum(worth[near[is_near]], _CERTAIN) - lost).max(initial=NO_NEIGHBOUR)
    return best
