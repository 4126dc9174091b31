"""The table of the page: which columns it shows, what they are called, and how their values are written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from mirsweep.jobs.report import numbers
from mirsweep.jobs.results.loci_schema import LOCI_SCHEMA

__all__ = ["Column", "columns_of", "side_columns"]

Row = Mapping[str, Any]


class Column(NamedTuple):
    """A column of the table.

    Attributes
    ----------
    key
        Column of the loci that it is sorted by.
    label, help
        Its heading; what it means.
    is_number
        Sorted by value, largest first, and set flush right.
    is_spare
        Left out where there is little room.
    text
        What a cell shows of a row.
    """

    key: str
    label: str
    help: str
    is_number: bool
    is_spare: bool
    text: Callable[[Row], str]


def columns_of(schema: pa.Schema) -> list[Column]:
    """Columns of the table, those of side tables after the place."""
    return [_PLACE, *(_side(field) for field in side_columns(schema) if field.name in _SHOWN), *_COLUMNS]


def side_columns(schema: pa.Schema) -> list[pa.Field]:
    """Columns that other commands have added to the loci; the most telling first."""
    added = [field for field in schema if field.name not in LOCI_SCHEMA.names]
    order = {name: rank for rank, name in enumerate(_SHOWN)}
    return sorted(added, key=lambda field: order.get(field.name, len(order)))


def _side(field: pa.Field) -> Column:
    is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    label = _SHOWN.get(field.name) or field.name.replace("_", " ")
    return Column(field.name, label, f"column {field.name}", is_number, False, lambda row: told(row[field.name]))


def told(value: Any) -> str:
    """A value of any column in words."""
    if value is None:
        return numbers.DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return numbers.count(value)
    if isinstance(value, float):
        return numbers.minus(f"{value:,.4g}")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(told, value)) or numbers.DASH
    return str(value)


def _copies(row: Row) -> str:
    return numbers.small(row["copies"]) if row["copies"] and row["copies"] >= 1.05 else "1"


def _cluster(row: Row) -> str:
    return numbers.DASH if row["cluster"] is None else f"{row['cluster'] + 1} ({row['cluster_size']})"


_SHOWN = {
    "known": "Known",
    "name": "Name",
    "family": "Family",
    "verdict": "Verdict",
    "feature": "Overlaps",
    "repeat": "Repeat",
    "reads": "Reads",
    "n_reads": "Reads",
}
"""Columns of side tables that have one in the table; the others are told where a locus is opened."""
_PLACE = Column(
    "start",
    "Place",
    "contig, first and last base (1-based)",
    True,
    False,
    lambda row: numbers.place(row["contig"], row["start"], row["end"]),
)
_COLUMNS = [
    Column(
        "locus_score",
        "Score",
        "what the model, the copies, the neighbours and the complexity say together, 0 to 1",
        True,
        False,
        lambda row: numbers.decimals(row["locus_score"], 3),
    ),
    Column(
        "q_value",
        "q-value",
        "share of false loci expected in the list down to here",
        True,
        False,
        lambda row: numbers.share(row["q_value"]),
    ),
    Column(
        "strand",
        "Strand",
        "strand that the hairpin was found on",
        False,
        False,
        lambda row: numbers.minus(row["strand"]),
    ),
    Column(
        "mature",
        "Mature",
        "arm of the mature sequence, where it is more than a guess",
        False,
        True,
        lambda row: row["mature"] or numbers.DASH,
    ),
    Column("mfe", "Energy", "kcal/mol, as RNAfold", True, True, lambda row: numbers.decimals(row["mfe"], 1)),
    Column("length", "Length", "nt", True, True, lambda row: str(row["end"] - row["start"])),
    Column("copies", "Copies", "how often its 15-mers stand in the genome", True, True, _copies),
    Column("cluster", "Cluster", "number of its cluster, and loci in it", True, True, _cluster),
]
