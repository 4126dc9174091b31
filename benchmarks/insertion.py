"""Precursors inserted between flanks, the candidates that recover them, and the stem filter's view of candidates."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.jobs.results.overlap import MIN_OF_LOCUS, SortedIntervals
from mirsweep.scanner import ScanParams, scan_tile
from mirsweep.scanner.stemfilter import describe_stems

__all__ = ["Inserted", "features_of", "insert_between", "recovering", "rows_recovering", "scan_whole"]


class Inserted(NamedTuple):
    """Sequences between flanks, joined by breaks, and where each lies."""

    bases: bytes
    places: list[tuple[int, int]]


def insert_between(sequences: Sequence[str], flanks: Iterator[bytes]) -> Inserted:
    """Each sequence between two flanks."""
    pieces, places, offset = [], [], 0
    for sequence in sequences:
        left, right = next(flanks), next(flanks)
        pieces += [left, sequence.encode(), right, b"N"]
        places.append((offset + len(left), offset + len(left) + len(sequence)))
        offset += len(left) + len(sequence) + len(right) + 1
    return Inserted(b"".join(pieces), places)


def scan_whole(bases: bytes, params: ScanParams) -> pa.Table:
    """Candidates of a sequence, as one tile."""
    return scan_tile(bases, bases_start=0, core_start=0, core_end=len(bases), params=params).table


def rows_recovering(
    table: pa.Table, places: Sequence[tuple[int, int]], *, min_of_place: float = MIN_OF_LOCUS
) -> list[np.ndarray]:
    """The rows that recover each place, by default by the rule of ``compare``; the table is of one strand, by start."""
    candidates = SortedIntervals.of(table["start"].to_numpy(), table["end"].to_numpy())
    return [candidates.recovering(start, end, min_of_locus=min_of_place) for start, end in places]


def recovering(table: pa.Table, places: Sequence[tuple[int, int]], *, min_of_place: float = MIN_OF_LOCUS) -> np.ndarray:
    """The row of lowest penalised energy that recovers each place, see ``rows_recovering``; -1 for none."""
    penalised = table["penalised"].to_numpy()
    hits = rows_recovering(table, places, min_of_place=min_of_place)
    return np.array([rows[np.argmin(penalised[rows])] if rows.size else -1 for rows in hits], int)


def features_of(table: pa.Table) -> np.ndarray:
    """Features of the stem filter; float64, shape (n, 16)."""
    names = ("sequence", "structure", "loop_start", "loop_end")
    sequences, structures, starts, ends = (table[name].to_pylist() for name in names)
    loops = list(zip(starts, ends, strict=True))
    return describe_stems(sequences, structures, loops, table["mfe"].to_numpy(), table["penalised"].to_numpy())
