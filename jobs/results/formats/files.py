"""A table as a file of the format that its name tells."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mirsweep.jobs.results.files import open_atomically
from mirsweep.jobs.results.formats.text import write_tsv

__all__ = ["write_table"]


def write_table(table: pa.Table, path: str | os.PathLike) -> None:
    """Write a table, as Parquet if the name ends so, else as TSV.

    Raises
    ------
    InputError
        If the place cannot be written or is full.
    """
    path = Path(path)
    with open_atomically(path) as stream:
        if path.suffix == ".parquet":
            pq.write_table(table, stream, compression="zstd")
        else:
            write_tsv(table.to_reader(), stream)
