"""Which decoys are a locus of the genome read backwards: a hairpin is one in either direction."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from mirsweep.jobs.results.overlap import share_half, sorted_by

__all__ = ["Contig", "best_facing", "read_forwards"]

_STRAND = ("genome", "contig", "strand")
Contig = tuple[str, str]
"""Names of a genome and of one of its contigs."""


def read_forwards(rows: pa.Table, lengths: Mapping[Contig, int]) -> pa.Table:
    """Where loci of the genomes read backwards lie in the genomes: genome, contig, strand, start, end, row by row.

    The strand stays: backwards, but not complemented, the forward strand is the forward one.
    """
    names = zip(rows["genome"].to_pylist(), rows["contig"].to_pylist(), strict=True)
    of_row = np.array([lengths[contig] for contig in names], np.int64)
    starts, ends = (pa.array(of_row - rows[name].to_numpy()) for name in ("end", "start"))
    return rows.select(_STRAND).append_column("start", starts).append_column("end", ends)


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
    loci_by_strand = sorted_by(loci, *_STRAND)
    for strand, own in sorted_by(decoys, *_STRAND).items():
        there = loci_by_strand.get(strand)
        if there is None:
            continue
        for row, start, end in zip(own.rows.tolist(), own.starts.tolist(), own.ends.tolist(), strict=True):
            about = there.about(start, end)
            shares = share_half(there.starts[about], there.ends[about], start, end)
            best[row] = scores[there.rows[about][shares]].max(initial=-np.inf)
    return best
