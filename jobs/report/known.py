"""Known precursors beside the loci: which were found, at which rank, and why the others were not."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.jobs.results.compare import Comparison, compare, match
from mirsweep.jobs.results.dataset import Output, open_output
from mirsweep.jobs.results.known import Locus
from mirsweep.jobs.results.overlap import recovers
from mirsweep.jobs.results.query import Filters, scanner_of
from mirsweep.jobs.results.sound_rows import sound

__all__ = ["REASONS", "Known", "KnownLocus", "compare_known"]

REASONS = {
    "found": "found",
    "hairpin": "no hairpin: none there passed the search and its filters",
    "score": "score: a candidate is there, with too low a score for a locus",
    "strand": "strand: the candidates are on the other strand",
    "boundaries": "boundaries: the hairpin there begins or ends elsewhere",
    "contig": "contig: it was not scanned",
}
"""What became of a known precursor, in words."""
_COLUMNS = ["contig", "start", "end", "strand"]


class KnownLocus(NamedTuple):
    """A known precursor, and what became of it.

    Attributes
    ----------
    reason
        One of ``REASONS``.
    rank, score, q_value
        Of the best locus that recovers it, rank from 1; None if none does.
    candidate_score
        Highest score of a candidate that recovers it where no locus does; None for none.
    """

    locus: Locus
    reason: str
    rank: int | None = None
    score: float | None = None
    q_value: float | None = None
    candidate_score: float | None = None


class Known(NamedTuple):
    """Known precursors of a file.

    Attributes
    ----------
    comparison
        As ``mirsweep compare --loci`` has it.
    rows
        Found ones by rank, then the others by place.
    counts
        How many there are of each of ``REASONS`` that occurs.
    names
        By genome and locus, names of those that a locus recovers.
    """

    comparison: Comparison
    rows: Sequence[KnownLocus]
    counts: Mapping[str, int]
    names: Mapping[tuple[str, str], str]


def compare_known(opened: Output, known: str | os.PathLike, genome: str | None = None) -> Known:
    """Compare the loci of a scan with known precursors.

    Parameters
    ----------
    opened
        The loci of a complete scan.
    known
        GFF3 or BED, as :func:`mirsweep.jobs.compare` takes it.
    genome
        Of a scan of several genomes, the one that they belong to.

    Raises
    ------
    InputError
        As ``compare``.
    """
    comparison = compare(opened.path, known, loci=True, genome=genome)
    columns = ["genome", "locus", *_COLUMNS, "locus_score", "q_value"]
    with opened.intact():
        loci = sound(opened.dataset().to_table(columns=columns)).unify_dictionaries()
    order = np.argsort(-loci["locus_score"].to_numpy(), kind="stable")
    loci = loci.take(order)  # a row's rank is its place now
    rank_of, pairs = _ranks(loci, comparison.recovered, genome)
    scores, q_values = (loci[name].to_numpy() for name in ("locus_score", "q_value"))
    found = [
        KnownLocus(each, "found", rank + 1, float(scores[rank]), float(q_values[rank]))
        for each, rank in zip(comparison.recovered, rank_of, strict=True)
    ]
    missed = _missed(opened, comparison.missed, genome)
    rows = [*sorted(found, key=lambda each: each.rank or 0), *missed]
    counts = Counter(each.reason for each in rows)
    names: dict[tuple[str, str], list[str]] = {}
    keys = list(zip(loci["genome"].to_pylist(), loci["locus"].to_pylist(), strict=True))
    for row, index in pairs.tolist():
        names.setdefault(keys[row], []).append(comparison.recovered[index].name)
    return Known(
        comparison,
        rows,
        {reason: counts[reason] for reason in REASONS if counts[reason]},
        {key: ", ".join(dict.fromkeys(own)) for key, own in names.items()},
    )


def _ranks(loci: pa.Table, known: Sequence[Locus], genome: str | None) -> tuple[list[int], np.ndarray]:
    """Lowest rank of a locus that recovers each, and all pairs of rank and index."""
    own = np.arange(loci.num_rows)
    if genome is not None:
        own = own[loci["genome"].cast(pa.string()).to_numpy(zero_copy_only=False) == genome]
    pairs = match(loci.take(own), known)
    pairs = np.column_stack([own[pairs[:, 0]], pairs[:, 1]])
    lowest = np.full(len(known), loci.num_rows)
    np.minimum.at(lowest, pairs[:, 1], pairs[:, 0])
    return lowest.tolist(), pairs


class _About(NamedTuple):
    """Rows that overlap a known precursor; int64 and bool, shape (n,)."""

    starts: np.ndarray
    ends: np.ndarray
    is_own: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, opened: Output, locus: Locus, genome: str | None) -> "_About":
        region = f"{{{locus.contig}}}:{locus.start + 1}-{locus.end}"
        columns = [*_COLUMNS, opened.score_column]
        with opened.intact():
            table = scanner_of(opened, Filters(genome=genome, region=region), columns=columns).to_table()
        strands = table["strand"].cast(pa.string()).to_numpy(zero_copy_only=False)
        return cls(
            table["start"].to_numpy(),
            table["end"].to_numpy(),
            np.asarray(strands == locus.strand, bool),
            table[opened.score_column].to_numpy(),
        )


def _missed(opened: Output, missed: Sequence[Locus], genome: str | None) -> list[KnownLocus]:
    """Known precursors that no locus recovers, with the reason."""
    scanned, candidates = set(opened.contigs.names), open_output(opened.path)
    found = []
    for locus in missed:
        if locus.contig not in scanned:
            found.append(KnownLocus(locus, "contig"))
            continue
        about = _About.of(candidates, locus, genome)
        there = recovers(about.starts, about.ends, locus.start, locus.end)
        own = there & about.is_own
        if own.any():
            has_locus = _About.of(opened, locus, genome).is_own.any()
            reason = "boundaries" if has_locus else "score"
            found.append(KnownLocus(locus, reason, candidate_score=float(about.scores[own].max())))
        else:
            found.append(KnownLocus(locus, _without_candidate(about, there)))
    return found


def _without_candidate(about: _About, there: np.ndarray) -> str:
    """Why no candidate of its strand recovers a known precursor.

    Parameters
    ----------
    there
        Which of the candidates would recover it if they were on its strand; bool, shape (n,).
    """
    if there.any():
        return "strand"
    if about.is_own.any():
        return "boundaries"
    return "strand" if len(about.is_own) else "hairpin"
