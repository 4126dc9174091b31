"""Overlaps of loci with genes, repeats and other features of files of any size."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from mirsweep.jobs.annotate.feature_lines import REPEAT, Feature, Span, features_of, read_spans
from mirsweep.jobs.annotate.places import LociByPlace, shared_contigs
from mirsweep.jobs.results.dataset import Output
from mirsweep.jobs.results.overlap import SortedIntervals

__all__ = ["CLASSES", "Overlaps", "find_overlaps", "overlaps_any"]

CLASSES = ("miRNA", "tRNA", "rRNA", "snoRNA", "snRNA", "exon", "intron", "antisense", "other", "intergenic")
"""Classes of overlap; of several the first counts."""
_GENIC = ("miRNA", "tRNA", "rRNA", "snoRNA", "snRNA", "exon", "intron")
_MIN_SHARE = 0.5
"""Share of the locus that a feature must cover."""
_SPANS_AT_ONCE = 50_000


class Overlaps(NamedTuple):
    """What a locus overlaps: class, name there, and repeat; None for nothing, or if no file tells."""

    feature: str | None
    feature_name: str | None
    repeat: str | None


def find_overlaps(output: Output, loci: LociByPlace, n_loci: int, files: Iterable[str | os.PathLike]) -> list[Overlaps]:
    """What each locus overlaps by half or more.

    Parameters
    ----------
    n_loci
        Number of the loci.
    files
        GFF3, GTF or BED. One record is held at a time, and of each locus the best.

    Returns
    -------
    In the order of the loci. ``intergenic`` is what no feature covers, if there are genes or exons in the files at all.
    """
    best: dict[int, tuple[int, int, str]] = {}
    repeats: dict[int, tuple[int, str]] = {}
    has_genes = False
    for pairs, is_genic in _pairs(output, loci, files):
        has_genes |= is_genic
        for row, shared, strand, feature in pairs:
            if feature.kind == REPEAT:
                repeats[row] = max(repeats.get(row, (0, "")), (shared, feature.name))
                continue
            is_opposite = feature.kind in _GENIC and {strand, feature.strand} == {"+", "-"}
            rank = CLASSES.index("antisense" if is_opposite else feature.kind)
            best[row] = min(best.get(row, (len(CLASSES), 0, "")), (rank, -shared, feature.name))
    nothing = "intergenic" if has_genes else None
    return [
        Overlaps(
            CLASSES[best[row][0]] if row in best else nothing,
            (best[row][2] or None) if row in best else None,
            repeats[row][1] or REPEAT if row in repeats else None,
        )
        for row in range(n_loci)
    ]


def overlaps_any(output: Output, loci: LociByPlace, n_loci: int, files: Iterable[str | os.PathLike]) -> np.ndarray:
    """Whether each locus overlaps a record of the files by half or more, on either strand; bool, shape (n,)."""
    found = np.zeros(n_loci, bool)
    for pairs, _ in _pairs(output, loci, files):
        for row, *_ in pairs:
            found[row] = True
    return found


def _pairs(
    output: Output, loci: LociByPlace, files: Iterable[str | os.PathLike]
) -> Iterator[tuple[list[tuple[int, int, str, Feature]], bool]]:
    """Some records at a time: row of a locus, bases shared, its strand, and the feature that covers it by half; and
    whether genes are among the records, as the first ones of a file tell."""
    lengths, shared = output.contigs.lengths_of(), shared_contigs(output)
    by_contig, strands = _by_contig(loci)
    for path in files:
        spans = read_spans(path, lengths, shared, with_loci=frozenset(by_contig))
        is_genic = None
        while some := list(islice(spans, _SPANS_AT_ONCE)):
            if is_genic is None:
                is_genic = any(feature.kind in _GENIC for span in some for feature in features_of(span))
            touching = ((feature, rows) for span, rows in _touching(some, by_contig) for feature in features_of(span))
            yield [pair for feature, rows in touching for pair in _covered(feature, rows, loci, strands)], is_genic


def _covered(
    feature: Feature, rows: np.ndarray, loci: LociByPlace, strands: dict[int, str]
) -> Iterator[tuple[int, int, str, Feature]]:
    starts, ends = loci.starts[rows], loci.ends[rows]
    shared = np.minimum(ends, feature.end) - np.maximum(starts, feature.start)
    for k in np.flatnonzero(shared >= _MIN_SHARE * (ends - starts)):
        yield int(rows[k]), int(shared[k]), strands[int(rows[k])], feature


def _by_contig(loci: LociByPlace) -> tuple[dict[str, SortedIntervals], dict[int, str]]:
    """Loci of both strands of each contig, and the strand of each."""
    rows: dict[str, list[int]] = {}
    strands: dict[int, str] = {}
    for (contig, strand), own in loci.by_strand.items():
        rows.setdefault(contig, []).extend(own.rows.tolist())
        strands |= dict.fromkeys(own.rows.tolist(), strand)
    return {name: SortedIntervals.of(loci.starts, loci.ends, np.array(own)) for name, own in rows.items()}, strands


def _touching(spans: list[Span], by_contig: dict[str, SortedIntervals]) -> Iterator[tuple[Span, np.ndarray]]:
    """Spans with loci on them, and the rows of these and perhaps of some nearby."""
    own: dict[str, list[Span]] = {}
    for span in spans:
        own.setdefault(span.contig, []).append(span)
    for contig, there in own.items():
        here = by_contig[contig]
        places = np.array([(span.start, span.end) for span in there], np.int64)
        firsts = np.searchsorted(here.starts, places[:, 0] - here.longest)
        lasts = np.searchsorted(here.starts, places[:, 1])
        for k in np.flatnonzero(lasts > firsts):
            yield there[k], here.rows[firsts[k] : lasts[k]]
