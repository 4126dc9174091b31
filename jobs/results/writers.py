"""Candidates as text or Parquet, batch by batch."""

import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mirsweep.scanner.errors import InputError

__all__ = ["FORMATS", "candidate_id", "write"]

_SEQID_SAFE = ".:^*$@!+_?-|"
"""What the GFF3 specification lets stand unescaped in a sequence id, besides letters and digits."""
_ATTRIBUTE_SAFE = _SEQID_SAFE + " ()/#~<>[]{}'\\"
"""The same for attribute values: all but control characters, percent, semicolon, equals, ampersand and comma."""
SO_TERM = "miRNA_primary_transcript"
"""Sequence Ontology term of the rows, the one miRBase uses for its hairpins."""
MATURE_SO_TERM = "miRNA"
"""Term of the mature and the star sequences, which has no term of its own."""


class _Format(NamedTuple):
    write: Callable[[pa.RecordBatchReader, BinaryIO], None]
    needs: tuple[str, ...] = ()


def write(reader: pa.RecordBatchReader, stream: BinaryIO, file_format: str) -> None:
    """Write rows to a stream.

    Parameters
    ----------
    reader
        The rows; ``bed``, ``gff3`` and ``fasta`` need the columns of candidates, the others take any.
    stream
        Open for writing bytes.
    file_format
        One of ``FORMATS``.

    Raises
    ------
    InputError
        If the format is unknown or the rows lack a column that it needs.
    """
    if file_format not in FORMATS:
        raise InputError(f"format {file_format!r} is unknown: choose one of {', '.join(FORMATS)}.")
    chosen = FORMATS[file_format]
    missing = [name for name in chosen.needs if name not in reader.schema.names]
    if missing:
        raise InputError(
            f"format {file_format} needs the columns {', '.join(chosen.needs)}, but the rows have no "
            f"{', '.join(missing)}: select them, or choose tsv, json, jsonl or parquet."
        )
    chosen.write(reader, stream)


def candidate_id(row: dict[str, Any]) -> str:
    """Name of a candidate: contig, 1-based closed interval as ``--region`` takes it, strand."""
    return f"{row['contig']}:{row['start'] + 1}-{row['end']}:{row['strand']}"


def _write_tsv(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """A header and one line a row; nothing is quoted, and tabs and line ends in text become spaces."""
    stream.write(("\t".join(reader.schema.names) + "\n").encode())
    for batch in reader:
        lines = zip(*(_texts(column) for column in batch.columns), strict=True)
        stream.write("".join("\t".join(fields) + "\n" for fields in lines).encode())


def _texts(column: pa.Array) -> list[str]:
    if pa.types.is_nested(column.type):
        return [json.dumps(value, default=str) for value in column.to_pylist()]
    texts = pc.fill_null(column.cast(pa.string()), "")
    return pc.replace_substring_regex(texts, "[\t\r\n]", " ").to_pylist()


def _write_json(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """One array, one row a line."""
    before = "[\n"
    for row in _rows(reader):
        stream.write((before + json.dumps(row, default=str)).encode())
        before = ",\n"
    stream.write(b"[]\n" if before == "[\n" else b"\n]\n")


def _write_jsonl(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    for row in _rows(reader):
        stream.write((json.dumps(row, default=str) + "\n").encode())


def _write_bed(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """BED6 and more: score as it is, mfe, expected_fp_per_mb, and the mature and star intervals; ``.`` for none."""
    for row in _rows(reader):
        score = round(1000 * row["score"])
        fields = [row["contig"], row["start"], row["end"], candidate_id(row), score, row["strand"]]
        fields += [row["score"], row["mfe"], row.get("expected_fp_per_mb")]
        for name in ("mature", "star"):
            fields += _arm_interval(row, name) or (None, None)
        stream.write(("\t".join("." if field is None else str(field) for field in fields) + "\n").encode())


def _arm_interval(row: dict[str, Any], name: str) -> tuple[int, int] | None:
    """Where the mature or the star sequence lies on the contig, 0-based half-open; None if there is none."""
    start, end = row.get(f"{name}_start"), row.get(f"{name}_end")
    if start is None or end is None:
        return None
    if row["strand"] == "+":
        return row["start"] + start, row["start"] + end
    return row["end"] - end, row["end"] - start


def _write_gff3(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """A feature for the candidate, and one that belongs to it for each of its mature sequences."""
    stream.write(b"##gff-version 3\n")
    for row in _rows(reader):
        values = {"ID": candidate_id(row)} | {name: row.get(name) for name in _GFF3_ATTRIBUTES}
        lines = [_gff3_line(row, SO_TERM, (row["start"], row["end"]), row["score"], values)]
        for name in ("mature", "star"):
            place = _arm_interval(row, name)
            if place:
                own = {"ID": f"{values['ID']}:{name}", "Parent": values["ID"], "role": name, "arm": _arm(row, name)}
                lines.append(_gff3_line(row, MATURE_SO_TERM, place, ".", own))
        stream.write("".join(lines).encode())


def _arm(row: dict[str, Any], name: str) -> str | None:
    """Arm of the mature or the star sequence: the column tells the mature one's."""
    return row.get("arm") if name == "mature" else {"5p": "3p", "3p": "5p"}.get(str(row.get("arm")))


def _gff3_line(row: dict[str, Any], kind: str, place: tuple[int, int], score: Any, values: dict[str, Any]) -> str:
    """A feature at a place, 0-based half-open; values of None are no attributes."""
    attributes = ";".join(
        f"{name}={quote(str(value), safe=_ATTRIBUTE_SAFE)}" for name, value in values.items() if value is not None
    )
    seqid = quote(row["contig"], safe=_SEQID_SAFE)
    fields = (seqid, "mirsweep", kind, place[0] + 1, place[1], score, row["strand"], ".", attributes)
    return "\t".join(map(str, fields)) + "\n"


def _write_fasta(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """RNA of the candidate's own strand."""
    for row in _rows(reader):
        stream.write(f">{candidate_id(row)} score={row['score']} mfe={row['mfe']}\n{row['sequence']}\n".encode())


def _write_parquet(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    with pq.ParquetWriter(stream, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)


def _rows(reader: pa.RecordBatchReader) -> Iterator[dict[str, Any]]:
    """Rows as dictionaries; float32 with the few digits that it has."""
    for batch in reader:
        columns = [_values(column) for column in batch.columns]
        for values in zip(*columns, strict=True):
            yield dict(zip(batch.schema.names, values, strict=True))


def _values(column: pa.Array) -> list[Any]:
    if not pa.types.is_floating(column.type):
        return column.to_pylist()
    texts = column.cast(pa.string()).to_pylist()
    return [None if text is None or text in ("nan", "inf", "-inf") else float(text) for text in texts]


_GFF3_ATTRIBUTES = ("genome", "mfe", "expected_fp_per_mb", "model")
_PLACE = ("contig", "start", "end", "strand", "score", "mfe")
FORMATS = {
    "tsv": _Format(_write_tsv),
    "bed": _Format(_write_bed, _PLACE),
    "gff3": _Format(_write_gff3, _PLACE),
    "fasta": _Format(_write_fasta, (*_PLACE, "sequence")),
    "json": _Format(_write_json),
    "jsonl": _Format(_write_jsonl),
    "parquet": _Format(_write_parquet),
}
"""Output formats by name."""
