"""Candidates that the scan made no locus of, and that reads support all the same."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from mirsweep.jobs.evidence.hairpins import Reads, columns_of, rows_of
from mirsweep.jobs.evidence.schema import EVIDENCE_SCHEMA
from mirsweep.jobs.results.dataset import Output
from mirsweep.jobs.results.formats.rows import candidate_id
from mirsweep.jobs.results.overlap import SortedIntervals, overlaps_by_half, sorted_by
from mirsweep.jobs.results.sound_rows import sound
from mirsweep.scanner.candidates import SCHEMA

__all__ = ["find_rescued"]

_STRAND = ("genome", "contig", "strand")
_BATCH_ROWS = 20_000
_LEAST_READS = 4
"""Two on each arm: with fewer no criterion of both arms can be met."""
_NOT_OF_LOCI = ("genome", "locus", "posterior")
_ADDED = pa.schema([field for field in EVIDENCE_SCHEMA if field.name not in _NOT_OF_LOCI])
_RESCUED_SCHEMA = pa.schema([*SCHEMA, pa.field("locus", pa.string()), *_ADDED])


def find_rescued(output: Output, loci: pa.Table, reads: Reads) -> pa.Table:
    """The supported candidates away from all loci of their strand, best-scored first; of nested ones the best.

    Parameters
    ----------
    output
        The scan.
    loci
        Its loci.
    reads
        What is counted, and how it is judged.

    Returns
    -------
    Columns of a candidate, ``locus`` (its name), and those of evidence.parquet but for ``posterior``.
    """
    candidates = replace(output, is_loci=False, is_joined=False)
    taken = sorted_by(loci, *_STRAND)
    found: list[pa.Table] = []
    with candidates.intact():
        for batch in candidates.dataset().to_batches(batch_size=_BATCH_ROWS):
            table = sound(pa.Table.from_batches([batch])).unify_dictionaries()
            free = table.filter(_is_free(table, taken))
            rows = rows_of(free, reads, least=_LEAST_READS)
            kept = [number for number, row in enumerate(rows) if row.get("evidence") == "supported"]
            if kept:
                found.append(_table(free.take(kept), [rows[number] for number in kept]))
    return _distinct(pa.concat_tables(found).unify_dictionaries()) if found else _RESCUED_SCHEMA.empty_table()


def _strands_of(table: pa.Table) -> Iterator[tuple[str, str, str]]:
    return zip(*(table[name].to_pylist() for name in _STRAND), strict=True)


def _is_free(table: pa.Table, taken: dict[tuple[str, ...], SortedIntervals]) -> pa.Array:
    """Whether each candidate shares less than half of the shorter one with every locus of its strand."""
    places = zip(table["start"].to_pylist(), table["end"].to_pylist(), strict=True)
    free = []
    for key, (start, end) in zip(_strands_of(table), places, strict=True):
        loci = taken.get(key)
        near = range(0) if loci is None else range(*loci.about(start, end).indices(len(loci.starts)))
        free.append(loci is None or not any(_shares(loci, k, start, end) for k in near))
    return pa.array(free)


def _shares(loci: SortedIntervals, k: int, start: int, end: int) -> bool:
    return overlaps_by_half(start, end, int(loci.starts[k]), int(loci.ends[k]))


def _table(candidates: pa.Table, rows: list[dict]) -> pa.Table:
    names = pa.array([candidate_id(row) for row in candidates.to_pylist()], pa.string())
    return pa.Table.from_arrays([*candidates.columns, names, *columns_of(rows, _ADDED)], schema=_RESCUED_SCHEMA)


def _distinct(table: pa.Table) -> pa.Table:
    """Best-scored first, without those that overlap a better one of their strand by half."""
    order = np.argsort(-table["score"].to_numpy(), kind="stable").tolist()
    keys, starts, ends = list(_strands_of(table)), table["start"].to_pylist(), table["end"].to_pylist()
    kept: list[int] = []
    for row in order:
        own = (k for k in kept if keys[k] == keys[row])
        if not any(overlaps_by_half(starts[row], ends[row], starts[k], ends[k]) for k in own):
            kept.append(row)
    return table.take(kept)
