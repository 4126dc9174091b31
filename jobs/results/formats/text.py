"""Rows of any columns as tsv, csv, json, jsonl or Parquet."""

import csv
import io
import json
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mirsweep.jobs.results.formats.rows import plain_rows

__all__ = ["write_csv", "write_json", "write_jsonl", "write_parquet", "write_tsv"]


def write_tsv(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """A header and one line a row; nothing is quoted, and tabs and line ends in text become spaces."""
    stream.write(("\t".join(reader.schema.names) + "\n").encode())
    for batch in reader:
        columns = [pc.replace_substring_regex(_texts(column), "[\t\r\n]", " ").to_pylist() for column in batch.columns]
        lines = zip(*columns, strict=True)
        stream.write("".join("\t".join(fields) + "\n" for fields in lines).encode())


def write_csv(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """A header and one record a row, by RFC 4180: commas, CRLF, quotes where a field needs them."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(reader.schema.names)
    for batch in reader:
        writer.writerows(zip(*(_texts(column).to_pylist() for column in batch.columns), strict=True))
        stream.write(text.getvalue().encode())
        text.seek(0)
        text.truncate()
    stream.write(text.getvalue().encode())


def _texts(column: pa.Array) -> pa.Array:
    """Values as text; nothing for null."""
    if pa.types.is_nested(column.type):
        return pa.array([json.dumps(value, default=str) for value in column.to_pylist()], pa.string())
    return pc.fill_null(column.cast(pa.string()), "")


def write_json(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """One array, one row a line."""
    before = "[\n"
    for row in plain_rows(reader):
        stream.write((before + _json(row)).encode())
        before = ",\n"
    stream.write(b"[]\n" if before == "[\n" else b"\n]\n")


def write_jsonl(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """One object a line."""
    for row in plain_rows(reader):
        stream.write((_json(row) + "\n").encode())


def _json(row: dict[str, Any]) -> str:
    return json.dumps(row, default=str)


def write_parquet(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """The rows as they are."""
    with pq.ParquetWriter(stream, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
