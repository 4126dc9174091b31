"""The table of the page: which columns it shows, what they are called, and how their values are written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from mirsweep.jobs.report import numbers
from mirsweep.jobs.results.loci_schema import LOCI_SCHEMA
from mirsweep.jobs.results.read_arms import mature_by_reads
from mirsweep.jobs.results.side_tables import EXCLUDED

__all__ = ["Column", "columns_of", "is_table", "side_columns", "told"]

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


def columns_of(loci: pa.Table) -> list[Column]:
    """Columns of the table of loci: names first, and no column of a side table that is empty."""
    shown = [_side(field) for field in side_columns(loci) if _label(field.name)]
    names = [column for column in shown if column.key in _NAMES]
    return [_PLACE, *names, *_RANKING, *(column for column in shown if column not in names), *_COLUMNS]


def side_columns(loci: pa.Table) -> list[pa.Field]:
    """Columns that other commands have added to the loci, without empty ones; the most telling first."""
    added = [field for field in loci.schema if field.name not in LOCI_SCHEMA.names and field.name != EXCLUDED]
    added = [field for field in added if not is_table(field.type)]
    order = {name: rank for rank, name in enumerate(_SHOWN)}
    told_ones = [field for field in added if loci[field.name].null_count < loci.num_rows]
    return sorted(told_ones, key=lambda field: order.get(field.name, len(order)))


def is_table(kind: pa.DataType) -> bool:
    """Whether a column holds tables, such as the reads of each library, which neither a cell nor a fact can show."""
    return pa.types.is_struct(kind) or (pa.types.is_list(kind) and pa.types.is_struct(kind.value_type))


def _side(field: pa.Field) -> Column:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    words = f"column {field.name} of the loci"
    return Column(field.name, _label(field.name) or "", words, is_number, False, lambda row: told(row[field.name]))


def _label(name: str) -> str | None:
    """Heading of a column of a side table; None where it has none in the table."""
    return _SHOWN.get(name) or ("Reads" if name in ("reads", "n_reads") else None)


def told(value: Any) -> str:
    """A value of any column in words."""
    if value is None:
        return numbers.DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return numbers.count(value)
    if isinstance(value, float):
        return numbers.minus(f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(told, value)) or numbers.DASH
    return str(value)


def _copies(row: Row) -> str:
    return numbers.small(row["copies"]) if row["copies"] and row["copies"] >= 1.05 else "1"


def _similar_to(row: Row) -> str:
    return row["similar_to"] or numbers.DASH


def _cluster(row: Row) -> str:
    return numbers.DASH if row["cluster"] is None else f"{row['cluster'] + 1} ({row['cluster_size']})"


_NAMES = ("known", "name")
_SHOWN = {
    "known": "Known",
    "name": "Name",
    "family": "Family",
    "verdict": "Verdict",
    "posterior": "Posterior",
    "evidence": "Reads say",
    "feature": "Overlaps",
    "repeat": "Repeat",
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
_RANKING = [
    Column(
        "locus_score",
        "Score",
        "what the model, the genome and known precursors say together, 0 to 1",
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
]
_COLUMNS = [
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
        "arm of the mature sequence, where reads or the model tell",
        False,
        True,
        lambda row: mature_by_reads(row) or row["mature"] or numbers.DASH,
    ),
    Column("mfe", "Energy", "kcal/mol, as RNAfold", True, True, lambda row: numbers.decimals(row["mfe"], 1)),
    Column("length", "Length", "nt", True, True, lambda row: str(row["end"] - row["start"])),
    Column("copies", "Copies", "how often its k-mers stand in the genome", True, True, _copies),
    Column("similar_to", "Like", "family of the known precursor most like it", False, True, _similar_to),
    Column("cluster", "Cluster", "number of its cluster, and loci in it", True, True, _cluster),
]
