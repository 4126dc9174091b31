"""Loci that lie where known precursors do."""

import os
from collections import Counter
from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.jobs.results.dataset import Output
from mirsweep.jobs.results.fit import read_fitting_loci
from mirsweep.jobs.results.overlap import SortedIntervals, shared_nt, sorted_by
from mirsweep.scanner.errors import InputError

__all__ = ["LociByPlace", "check_contig", "known_at", "shared_contigs"]


class LociByPlace(NamedTuple):
    """The loci of each contig and strand by start, and where each lies; int64 arrays of shape (n,)."""

    by_strand: dict[tuple[str, ...], SortedIntervals]
    starts: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, loci: pa.Table) -> "LociByPlace":
        """Sort the rows of a table of loci."""
        return cls(sorted_by(loci, "contig", "strand"), loci["start"].to_numpy(), loci["end"].to_numpy())


def known_at(output: Output, loci: LociByPlace, files: Iterable[str | os.PathLike]) -> dict[int, tuple[str, ...]]:
    """Names of the known precursors that each locus recovers, by row: the one that shares most with it first.

    Raises
    ------
    InputError
        If a file cannot be read or is of another assembly, or two genomes of the scan have one of its contigs.
    """
    found: dict[int, list[tuple[int, str]]] = {}
    shared = shared_contigs(output)
    for path in files:
        lengths = output.contigs.lengths_of()
        for known in read_fitting_loci(path, lengths, where="the scan", consequence="they name nothing"):
            check_contig(shared, known.contig, path)
            here = loci.by_strand.get((known.contig, known.strand))
            for row in [] if here is None else here.recovering(known.start, known.end).tolist():
                overlap = int(shared_nt(loci.starts[row], loci.ends[row], known.start, known.end))
                found.setdefault(row, []).append((-overlap, known.name))
    return {row: tuple(dict.fromkeys(name for _, name in sorted(names))) for row, names in found.items()}


def check_contig(shared: Collection[str], contig: str, path: str | os.PathLike) -> None:
    """Refuse a contig that two genomes of the scan have: the file does not tell which is meant."""
    if contig in shared:
        raise InputError(
            f"{path}: contig {contig!r} is in several genomes of the scan, and the file does not tell which is meant: "
            "scan the genomes one by one."
        )


def shared_contigs(output: Output) -> frozenset[str]:
    """Names of contigs that several genomes of a scan have."""
    counts = Counter(output.contigs.table["contig"].to_pylist())
    return frozenset(name for name, count in counts.items() if count > 1)
