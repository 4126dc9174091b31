"""Candidates of a scan into a file or onto a stream, in any format."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from mirsweep.jobs.results.dataset import Output
from mirsweep.jobs.results.formats import table
from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.results.nothing import why_nothing
from mirsweep.jobs.results.query import Filters, check_columns, contigs_found, select
from mirsweep.jobs.results.sql import run_sql
from mirsweep.jobs.results.tabix import check_name, open_indexed
from mirsweep.jobs.results.writers import FORMATS, check_schema, sorted_by_position, write
from mirsweep.scanner.errors import InputError

__all__ = ["Selection", "export", "open_compressed"]


@dataclass(frozen=True)
class Selection:
    """Which rows and columns are written, and in which order; options as in :func:`mirsweep.jobs.query`."""

    filters: Filters = field(default_factory=Filters)
    distinct: bool = False
    limit: int | None = None
    sort: str = "position"
    columns: Sequence[str] | None = None
    sql: str | None = None

    @property
    def is_by_position(self) -> bool:
        """Whether rows come by contig and position as they are read."""
        return self.sql is None and self.sort == "position"


def export(output: Output, stream: BinaryIO, file_format: str, selection: Selection) -> None:
    """Write candidates.

    GFF3 and BED are by contig and position, whatever the order asked for, which then says which rows a limit keeps.

    Parameters
    ----------
    stream
        Open for writing bytes.
    file_format
        One of ``FORMATS``.

    Raises
    ------
    InputError
        If the selection is bad, or the format cannot hold the rows.
    """
    chosen = FORMATS[file_format]
    if selection.columns is not None and not chosen.takes_any_columns:
        raise InputError(f"format {file_format} has its own columns: choose tsv, csv, json, jsonl, parquet or table.")
    reader = _reader(output, file_format, selection)
    check_schema(reader.schema, file_format)
    lengths: Mapping[str, int] = {}
    if chosen.tabix:
        found, reader = _by_position(output, reader, selection)
        _check_one_genome(output, found, selection.filters)
        known = output.contigs.lengths_of(selection.filters.genome)
        lengths = {name: known[name] for name in found if name in known}
    write(reader, stream, file_format, lengths=lengths)


def _check_one_genome(output: Output, found: Sequence[str], filters: Filters) -> None:
    """Formats that know contigs by name only cannot hold two that are called the same."""
    contigs = output.contigs
    if len(contigs) == len(contigs.names):
        return
    shared = next((name for name in found if len(contigs.ranks(name, filters.genome)) > 1), None)
    if shared is not None:
        raise InputError(
            f"{output.path}: contig {shared!r} is in several genomes, which this format cannot tell apart: name one "
            "with --genome."
        )


def open_compressed(output: Output, path: Path, file_format: str) -> AbstractContextManager[BinaryIO]:
    """Open a bgzip file for candidates; it and its index appear when they are whole.

    Raises
    ------
    InputError
        If the format is none that tabix knows, or the name does not fit.
    """
    preset = FORMATS[file_format].tabix
    if preset is None:
        known = ", ".join(name for name, chosen in FORMATS.items() if chosen.tabix)
        raise InputError(f"format {file_format} has no tabix index: only {known} can be compressed so.")
    check_name(path)
    return open_indexed(path, preset, longest_nt=_longest_contig(output))


def _longest_contig(output: Output) -> int:
    """Length (nt) of the longest contig; of a scan that is not complete, as far as there are candidates."""
    lengths = output.contigs.lengths_of()
    if lengths:
        return max(lengths.values())
    batches = output.dataset().to_batches(columns=["end"])
    with output.intact():
        return max((pc.max(batch.column("end")).as_py() for batch in batches if batch.num_rows), default=0)


def _reader(output: Output, file_format: str, selection: Selection) -> pa.RecordBatchReader:
    if selection.sql is not None:
        return run_sql(output, selection.sql)
    columns = selection.columns
    if columns is None and file_format == "table":
        shown = table.LOCI_COLUMNS if output.is_loci else table.COLUMNS
        columns = [*(["genome"] if len(output.contigs.genomes) > 1 else []), *shown]
    schema = output.schema if columns is None else check_columns(columns, output.schema)
    batches = select(output, selection.filters, distinct=selection.distinct, limit=selection.limit, sort=selection.sort)
    told = _told(batches, output, selection)
    told = told if FORMATS[file_format].takes_any_columns else _ranked(told, output)
    return pa.RecordBatchReader.from_batches(schema, _narrowed(told, schema))


def _narrowed(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    return (batch.select(schema.names) for batch in batches)


def _ranked(batches: Iterator[pa.RecordBatch], output: Output) -> Iterator[pa.RecordBatch]:
    """The batches, the score of loci where that of their best candidate was: formats with one score show it."""
    for batch in batches:
        index = batch.schema.get_field_index("score")
        yield batch.set_column(index, "score", batch.column(output.score_column))


def _told(batches: Iterator[pa.RecordBatch], output: Output, selection: Selection) -> Iterator[pa.RecordBatch]:
    """The batches; says at their end if there was no row though one was asked for."""
    n_rows = 0
    for batch in batches:
        n_rows += batch.num_rows
        yield batch
    if not n_rows and selection.limit != 0:
        warn(why_nothing(output, selection.filters))


def _by_position(
    output: Output, reader: pa.RecordBatchReader, selection: Selection
) -> tuple[list[str], pa.RecordBatchReader]:
    """The contigs that have rows, and the rows by position; only rows that come in another order are held."""
    if selection.is_by_position:
        limit = None if selection.distinct else selection.limit  # how many rows make the distinct ones is not known
        return contigs_found(output, selection.filters, limit=limit), reader
    rows = sorted_by_position(reader.read_all(), output.contigs.names)
    return rows["contig"].cast(pa.string()).unique().to_pylist(), rows.to_reader()
