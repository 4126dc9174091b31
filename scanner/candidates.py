"""The table that a scan writes: one row a candidate (Arrow schema, column order)."""

import pyarrow as pa

__all__ = ["SCHEMA", "UNSCORED_SCHEMA"]

_NAME = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
    [
        ("genome", _NAME),
        ("contig", _NAME),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("strand", _NAME),
        ("score", pa.float32()),
        ("mfe", pa.float32()),
        ("sequence", pa.string()),
        ("structure", pa.string()),
        ("n_pairs", pa.int16()),
        ("loop_start", pa.int16()),
        ("loop_end", pa.int16()),
        ("gc", pa.float32()),
        ("masked", pa.float32()),
        ("penalised", pa.float32()),
        ("model", _NAME),
    ]
)
"""Columns of a finished part file. ``penalised`` is the prefilter's length-penalised energy, kcal/mol."""

UNSCORED_SCHEMA = pa.schema([f for f in SCHEMA if f.name not in ("genome", "contig", "score", "model")])
"""What the scanner knows of a candidate before a model has seen it."""
