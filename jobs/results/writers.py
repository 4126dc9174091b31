"""Rows in the formats that other programs read, batch by batch."""

from collections.abc import Callable, Collection, Mapping
from typing import BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from mirsweep.jobs.results.formats import bed, fasta, gff3, table, text
from mirsweep.jobs.results.formats.rows import PLACE, candidate_id
from mirsweep.jobs.results.tabix import Preset
from mirsweep.scanner.errors import InputError

__all__ = ["FORMATS", "Format", "candidate_id", "check_schema", "sorted_by_position", "write"]

_ANY_COLUMNS = "tsv, csv, json, jsonl or parquet"
_BY_NAME = ("json", "jsonl", "table")
"""Formats whose rows have each name once."""
_TEXT = ("text", (pa.types.is_string, pa.types.is_large_string))
_WHOLE = ("whole numbers", (pa.types.is_integer,))
_NUMBER = ("numbers", (pa.types.is_floating, pa.types.is_integer))
_KINDS: dict[str, tuple[str, tuple[Callable[[pa.DataType], bool], ...]]] = {
    **dict.fromkeys(("contig", "strand", "sequence"), _TEXT),
    **dict.fromkeys(("start", "end"), _WHOLE),
    **dict.fromkeys(("score", "mfe"), _NUMBER),
}
"""What a column must hold where a format needs it."""


class Format(NamedTuple):
    """A format: how it is written, and what it asks of the rows.

    Attributes
    ----------
    write
        Takes the rows, a stream and the lengths of contigs.
    needs
        Columns that the rows must have; empty for formats that take any.
    tabix
        tabix's name of it, if bgzip and tabix take it; its rows must come by contig and position.
    is_binary
        Whether it is nothing for a terminal.
    """

    write: Callable[[pa.RecordBatchReader, BinaryIO, Mapping[str, int]], None]
    needs: tuple[str, ...] = ()
    tabix: Preset | None = None
    is_binary: bool = False

    @property
    def takes_any_columns(self) -> bool:
        """Whether the columns can be chosen."""
        return not self.needs


def write(
    reader: pa.RecordBatchReader, stream: BinaryIO, file_format: str, *, lengths: Mapping[str, int] | None = None
) -> None:
    """Write rows to a stream.

    Parameters
    ----------
    reader
        The rows. Formats with ``needs`` need the columns of candidates; formats with ``tabix`` need them by contig and
        position (:func:`sorted_by_position`).
    stream
        Open for writing bytes.
    file_format
        One of ``FORMATS``.
    lengths
        Contigs (nt) that ``gff3`` declares at its top, each by a line ``##sequence-region``.

    Raises
    ------
    InputError
        If the format is unknown, the rows lack a column that it needs, or hold a value that it cannot.
    """
    if file_format not in FORMATS:
        raise InputError(f"format {file_format!r} is unknown: choose one of {', '.join(FORMATS)}.")
    check_schema(reader.schema, file_format)
    try:
        FORMATS[file_format].write(reader, stream, lengths or {})
    except (pa.ArrowException, OverflowError) as error:
        cause = " ".join((str(error).splitlines() or ["no message"])[0].split())
        raise InputError(
            f"format {file_format} cannot hold a value of these rows ({cause}): cast it in the statement, as "
            "CAST(x AS VARCHAR), or choose another format."
        ) from error


def check_schema(schema: pa.Schema, file_format: str) -> None:
    """Check that rows have the columns that a format needs.

    Raises
    ------
    InputError
        If one is missing or of another type.
    """
    if file_format in _BY_NAME and len(set(schema.names)) < len(schema.names):
        twice = next(name for name in schema.names if schema.names.count(name) > 1)
        raise InputError(f"two columns are called {twice!r}: name each with AS.")
    needs = FORMATS[file_format].needs
    missing = [name for name in needs if name not in schema.names]
    if missing:
        raise InputError(
            f"format {file_format} needs the columns {', '.join(needs)}, but the rows have no "
            f"{', '.join(missing)}: select them, or choose {_ANY_COLUMNS}."
        )
    for name in needs:
        words, checks = _KINDS[name]
        kind = schema.field(name).type
        if not any(check(kind.value_type if pa.types.is_dictionary(kind) else kind) for check in checks):
            raise InputError(
                f"format {file_format} needs {words} in the column {name}, but the rows have {kind} there: select "
                f"another, or choose {_ANY_COLUMNS}."
            )


def sorted_by_position(rows: pa.Table, contigs: Collection[str] = ()) -> pa.Table:
    """Rows by contig, start, end and strand.

    Parameters
    ----------
    rows
        With the columns of a place.
    contigs
        Gives the order of contigs; those that it lacks come last, by name.
    """
    names = pc.cast(rows["contig"], pa.string())
    ranks = pc.fill_null(pc.index_in(names, pa.array(list(contigs), pa.string())), len(contigs))
    keys = pa.table([ranks, names, rows["start"], rows["end"], rows["strand"].cast(pa.string())], ["rank", *PLACE])
    return rows.take(pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names]))


def _plainly(
    write_rows: Callable[[pa.RecordBatchReader, BinaryIO], None],
) -> Callable[[pa.RecordBatchReader, BinaryIO, Mapping[str, int]], None]:
    """A writer that has no use for the lengths of contigs."""
    return lambda reader, stream, lengths: write_rows(reader, stream)


_BED_NEEDS = (*PLACE, "score")
_FASTA_NEEDS = (*_BED_NEEDS, "mfe", "sequence")
FORMATS = {
    "tsv": Format(_plainly(text.write_tsv)),
    "csv": Format(_plainly(text.write_csv)),
    "json": Format(_plainly(text.write_json)),
    "jsonl": Format(_plainly(text.write_jsonl)),
    "parquet": Format(_plainly(text.write_parquet), is_binary=True),
    "table": Format(_plainly(table.write_table)),
    "gff3": Format(gff3.write_gff3, (*_BED_NEEDS, "mfe"), tabix="gff"),
    "bed": Format(_plainly(bed.write_bed12), _BED_NEEDS, tabix="bed"),
    "bed6": Format(_plainly(bed.write_bed6), _BED_NEEDS, tabix="bed"),
    "bed6+": Format(_plainly(bed.write_bed6_plus), (*_BED_NEEDS, "mfe"), tabix="bed"),
    "autosql": Format(_plainly(bed.write_autosql)),
    "fasta": Format(_plainly(fasta.write_fasta), _FASTA_NEEDS),
    "arms-fasta": Format(_plainly(fasta.write_arms), _FASTA_NEEDS),
    "mature-fasta": Format(_plainly(fasta.write_mature), _FASTA_NEEDS),
    "star-fasta": Format(_plainly(fasta.write_star), _FASTA_NEEDS),
}
"""Output formats by name."""
