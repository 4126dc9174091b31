"""Parquet files that were read from a disk."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mirsweep.regular import check_regular

__all__ = ["open_parquet", "read_as"]


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a Parquet file.

    Raises
    ------
    OSError
        If it cannot be read, or is a pipe or a device.
    pyarrow.ArrowException
        If it is damaged.
    """
    check_regular(path)
    try:
        return pq.ParquetFile(path)
    except UnicodeDecodeError as error:
        raise pa.ArrowInvalid("names of columns that are no text") from error


def read_as(path: Path, schema: pa.Schema, *, whole: Sequence[str]) -> pa.Table:
    """The columns of a schema, checked.

    Parameters
    ----------
    whole
        Columns that must have no gaps.

    Raises
    ------
    OSError, pyarrow.ArrowException
        As :func:`open_parquet`; the latter also if a column is missing, of another kind or has gaps.
    """
    table = open_parquet(path).read(schema.names)
    missing = [name for name in schema.names if table.column_names.count(name) != 1]
    if missing:
        raise pa.ArrowInvalid(f"no column {missing[0]}, or several")
    table = table.select(schema.names).cast(schema)
    table.validate(full=True)
    gaps = [name for name in whole if table[name].null_count]
    if gaps:
        raise pa.ArrowInvalid(f"rows without {gaps[0]}")
    return table
