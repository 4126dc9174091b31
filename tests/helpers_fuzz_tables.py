"""Parquet files nearly as mirsweep writes them: columns and rows of other kinds, numbers and texts that cannot be."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from hypothesis import strategies as st

from helpers_fuzz import mutated

__all__ = ["mutated_parquet", "mutated_table", "parquet_bytes"]

_OTHER_TYPES = (
    pa.string(), pa.large_string(), pa.binary(), pa.int8(), pa.int64(), pa.uint64(), pa.float64(), pa.bool_(),
    pa.null(), pa.dictionary(pa.int8(), pa.string()), pa.list_(pa.string()), pa.struct([("a", pa.int64())]),
    pa.timestamp("ns"), pa.decimal128(38, 2),
)  # fmt: skip
_INTEGERS = (-1, 0, 1, 127, 2**15 - 1, 2**31, 2**62, 2**63 - 1, -(2**63))
_FLOATS = (float("nan"), float("inf"), -float("inf"), -1.0, 2.0, 1e30, -0.0)
_TEXTS = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"x",
    b"../x",
    b"+",
    b"-",
    b"(((",
    b"))((",
    b"ACGU" * 500,
    b"N",
    b"\n>",
    b"\x1b[2J",
)


def parquet_bytes(table: pa.Table, **options: Any) -> bytes:
    """A table as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


@st.composite
def mutated_parquet(draw: st.DrawFn, table: pa.Table) -> bytes:
    """A file with the table changed, or whose bytes are damaged."""
    if draw(st.integers(0, 3)) == 0:
        return draw(mutated(parquet_bytes(table, compression="zstd")))
    changed = draw(mutated_table(table))
    options = draw(
        st.fixed_dictionaries(
            {
                "compression": st.sampled_from(("zstd", "none", "gzip", "snappy")),
                "row_group_size": st.sampled_from((1, 7, 100_000)),
                "use_dictionary": st.booleans(),
                "write_statistics": st.booleans(),
                "store_schema": st.booleans(),
            }
        )
    )
    try:
        return parquet_bytes(changed, **options)
    except pa.ArrowException:  # a type that Parquet lacks
        return parquet_bytes(table)


@st.composite
def mutated_table(draw: st.DrawFn, table: pa.Table, *, most: int = 3) -> pa.Table:
    """The table with columns or rows changed."""
    for _ in range(draw(st.integers(1, most))):
        table = _changed(draw, table)
    return table


def _changed(draw: st.DrawFn, table: pa.Table) -> pa.Table:
    how = draw(
        st.sampled_from(
            ("drop", "rename", "type", "value", "value", "value", "nulls", "rows", "order", "add", "metadata")
        )
    )
    if not table.num_columns:
        return table
    place = draw(st.integers(0, table.num_columns - 1))
    field, column = table.schema.field(place), table.column(place)
    if how == "drop":
        return table.remove_column(place)
    if how == "rename":
        names = list(table.column_names)
        names[place] = draw(st.sampled_from((*names, "x", "", "START")))
        return table.rename_columns(names)
    if how == "type":
        return table.set_column(place, field.name, _as(column, draw(st.sampled_from(_OTHER_TYPES))))
    if how == "nulls":
        return table.set_column(place, field.name, pa.nulls(table.num_rows, field.type))
    if how == "rows" and table.num_rows:
        rows = st.lists(st.integers(0, table.num_rows - 1), max_size=2 * min(table.num_rows, 10))
        return table.take(pa.array(draw(rows), pa.int64()))
    if how == "order":
        return table.select(draw(st.permutations(range(table.num_columns)))) if _is_distinct(table) else table
    if how == "add":
        return table.append_column("more", pa.nulls(table.num_rows, pa.string()))
    if how == "metadata":
        return table.replace_schema_metadata(
            {b"mirsweep.scanned_mb": draw(st.sampled_from((b"x", b"nan", b"-1", b"", b"1e999")))}
        )
    return _with_value(draw, table, place) if table.num_rows else table


def _is_distinct(table: pa.Table) -> bool:
    return len(set(table.column_names)) == table.num_columns


def _as(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | pa.Array:
    try:
        return column.cast(kind, safe=False)
    except pa.ArrowException:
        return pa.nulls(len(column), kind)


def _with_value(draw: st.DrawFn, table: pa.Table, place: int) -> pa.Table:
    """One cell, or a whole column, set to something odd; texts may be no UTF-8."""
    field = table.schema.field(place)
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_integer(kind):
        least = -(2 ** (kind.bit_width - 1)) if pa.types.is_signed_integer(kind) else 0
        fitting = [v for v in _INTEGERS if least <= v < 2 ** (kind.bit_width - 1)]
        value = pa.array([draw(st.sampled_from((*fitting, None)))], kind)
    elif pa.types.is_floating(kind):
        value = pa.array([draw(st.sampled_from((*_FLOATS, None)))], kind)
    elif pa.types.is_string(kind):
        value = pa.array([draw(st.sampled_from((*_TEXTS, None)))], pa.binary()).view(pa.string())
    else:
        return table
    column = table.column(place).cast(kind) if kind != field.type else table.column(place)
    rows = np.zeros(table.num_rows, bool)
    rows[draw(st.integers(0, table.num_rows - 1)) :: draw(st.sampled_from((1, 3, table.num_rows)))] = True
    changed = pc.if_else(pa.array(rows), value[0], column)
    return table.set_column(place, field.name, changed.dictionary_encode() if kind != field.type else changed)
