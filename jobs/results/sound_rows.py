"""Rows of candidates or loci that were read from a disk: text that is text, and no gaps where a scan leaves none."""

from typing import TypeVar

import pyarrow as pa

__all__ = ["sound"]

_CANDIDATES = ("genome", "contig", "start", "end", "strand", "score", "mfe", "sequence", "structure", "model")
_LOCI = ("locus", "locus_score", "locus_fp_per_mb", "q_value", "fp_per_mb")
_NEVER_NULL = frozenset((*_CANDIDATES, *_LOCI))
"""Columns without gaps in all that any version has written; others may be older than a scan, and null then."""

Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)


def sound(rows: Rows) -> Rows:
    """The rows, if they can be those of a scan.

    Raises
    ------
    pyarrow.ArrowInvalid
        If a text is no UTF-8, a name points beyond its dictionary, or a column has a gap that must not have one.
    """
    rows.validate(full=True)
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if name in _NEVER_NULL and column.null_count:
            raise pa.ArrowInvalid(f"{column.null_count} rows without {name}")
    return rows
