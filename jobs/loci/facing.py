"""Which decoys are a locus of the genome read backwards: a hairpin is one in either direction."""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

from mirsweep.jobs.results.overlap import SortedIntervals, share_half

__all__ = ["Contig", "best_facing", "read_forwards"]

_PLACE = ["genome", "contig", "start", "end", "strand"]
Contig = tuple[str, str]
"""Names of a genome and of one of its contigs."""


def read_forwards(rows: pa.Table, lengths: Mapping[Contig, int]) -> pa.Table:
    """Where loci of the genomes read backwards lie in the genomes: genome, contig, start, end, strand, row by row.

    The strand stays: backwards, but not complemented, the forward strand is the forward one.
    """
    names = zip(rows["genome"].to_pylist(), rows["contig"].to_pylist(), strict=True)
    of_row = np.array([lengths[contig] for contig in names], np.int64)
    starts, ends = (pa.array(of_row - rows[name].to_numpy()) for name in ("end", "start"))
    return pa.table([rows["genome"], rows["contig"], starts, ends, rows["strand"]], names=_PLACE)


def best_facing(decoys: pa.Table, loci: pa.Table, scores: np.ndarray) -> np.ndarray:
    """Highest score of the loci that share half of the shorter one with each decoy's place, on its strand.

    Parameters
    ----------
    decoys, loci
        Columns genome, contig, start, end, strand, in any order of rows.
    scores
        Of the loci, float64, shape (n,).

    Returns
    -------
    float64, shape (m,); -inf where there is no such locus.
    """
    best = np.full(decoys.num_rows, -np.inf)
    starts, ends = (decoys[name].to_numpy() for name in ("start", "end"))
    loci_starts, loci_ends = (loci[name].to_numpy() for name in ("start", "end"))
    of_strand = {key: SortedIntervals.of(loci_starts, loci_ends, rows) for key, rows in _rows_by_strand(loci)}
    for key, rows in _rows_by_strand(decoys):
        if key not in of_strand:
            continue
        intervals = of_strand[key]
        for row in rows.tolist():
            about = intervals.about(starts[row], ends[row])
            shares = share_half(intervals.starts[about], intervals.ends[about], starts[row], ends[row])
            best[row] = scores[intervals.rows[about][shares]].max(initial=-np.inf)
    return best


def _rows_by_strand(rows: pa.Table) -> Iterable[tuple[tuple[str, str, str], np.ndarray]]:
    """Rows of each strand of each contig."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for row, key in enumerate(zip(*(rows[name].to_pylist() for name in ("genome", "contig", "strand")), strict=True)):
        found.setdefault(key, []).append(row)
    return ((key, np.array(own)) for key, own in found.items())
