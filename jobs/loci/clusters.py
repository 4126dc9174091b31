"""Loci that lie close together on a strand: microRNAs are often transcribed several at once."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

__all__ = ["MAX_FP_PER_MB", "MAX_GAP_NT", "Clusters", "find_clusters"]

MAX_GAP_NT = 10_000
"""Most bases between neighbours of a cluster, as miRBase counts them."""
MAX_FP_PER_MB = 10.0
"""Loci with a higher expected rate are left out: among them chance makes clusters."""


class Clusters(NamedTuple):
    """Of each locus the number of its cluster, from 0 on, and its size; -1 and 0 for one in none; int64, shape (n,)."""

    number: np.ndarray
    size: np.ndarray


def find_clusters(loci: pa.Table, fp_per_mb: np.ndarray) -> Clusters:
    """Clusters of two loci or more.

    Parameters
    ----------
    loci
        Columns genome, contig, start, end and strand, sorted by genome, contig and start.
    fp_per_mb
        Expected false positives per Mb at the score of each, shape (n,).
    """
    number, size = np.full(loci.num_rows, -1, np.int64), np.zeros(loci.num_rows, np.int64)
    for members in sorted(_runs(loci, fp_per_mb)):
        if len(members) > 1:
            number[members], size[members] = number.max() + 1, len(members)
    return Clusters(number, size)


def _runs(loci: pa.Table, fp_per_mb: np.ndarray) -> list[list[int]]:
    """Rows of the loci of a strand of which each lies near the next; those alone too."""
    names = (loci[name].to_pylist() for name in ("genome", "contig", "strand", "start", "end"))
    places = list(zip(*names, strict=True))
    open_runs: dict[tuple[str, str, str], tuple[list[int], int]] = {}
    runs: list[list[int]] = []
    for row in np.flatnonzero(fp_per_mb <= MAX_FP_PER_MB).tolist():
        genome, contig, strand, start, end = places[row]
        run, reach = open_runs.get((genome, contig, strand), ([], start - MAX_GAP_NT - 1))
        if start - reach > MAX_GAP_NT:
            run = []
            runs.append(run)
        run.append(row)
        open_runs[genome, contig, strand] = run, max(reach, end)
    return runs
