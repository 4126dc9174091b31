"""Why no candidate passes: the filter that removed all, and what the candidates have instead."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pyarrow.compute as pc

from mirsweep.jobs.results.dataset import Output
from mirsweep.jobs.results.query import Filters, fp_limit, scanner_of

__all__ = ["why_nothing"]

_AT_LEAST, _AT_MOST = "of at least", "of at most"
_LIMITS = {
    "min_score": ("a score", _AT_LEAST, "scores", "score"),
    "max_fp_per_mb": ("an expected_fp_per_mb", _AT_MOST, "they", "expected_fp_per_mb"),
    "max_q": ("a q_value", _AT_MOST, "they", "q_value"),
    "max_mfe": ("a minimum free energy", _AT_MOST, "energies", "mfe"),
    "min_length": ("a length", _AT_LEAST, "lengths", None),
    "max_length": ("a length", _AT_MOST, "lengths", None),
}
"""Filters on numbers: what a candidate lacks, which way, and the word and the column of what candidates have."""


def why_nothing(output: Output, filters: Filters) -> str:
    """A sentence about a query without rows.

    Names the first filter that alone leaves no candidate (of those in the region, if one was given); otherwise that
    only all of them together leave none.
    """
    if not _n_rows(output, Filters()):
        return f"{output.path}: the scan has no candidates."
    place = Filters(contig=filters.contig, region=filters.region, genome=filters.genome)
    name = place.contig or place.region or place.genome
    if not _n_rows(output, place):
        return f"{output.path}: no candidate lies on {name}."
    where = f" on {name}" if name else ""
    for name, value in _given(filters):
        if not _n_rows(output, replace(place, **{name: value})):
            return f"{output.path}: no candidate{where} {_lacks(output, place, name, value)}."
    asked = ", ".join(f"{name.replace('_', '-')} {value}" for name, value in _given(filters))
    return f"{output.path}: no candidate{where} passes all of the filters together ({asked})."


def _given(filters: Filters) -> Iterator[tuple[str, Any]]:
    """Filters but for those on the place."""
    for field in fields(filters):
        value = getattr(filters, field.name)
        if value is not None and field.name not in ("contig", "region", "genome"):
            yield field.name, value


def _n_rows(output: Output, filters: Filters) -> int:
    return scanner_of(output, filters).count_rows()


def _lacks(output: Output, place: Filters, name: str, value: Any) -> str:
    if name not in _LIMITS:
        return f"is on strand {value}"
    what, way, they, column = _LIMITS[name]
    if name == "max_fp_per_mb":
        column, value = fp_limit(output, value)
        what = f"{'a' if column == 'q_value' else 'an'} {column}"
    elif name == "min_score":
        column = output.score_column
    asked = pc.field("end") - pc.field("start") if column is None else pc.field(column)
    with output.intact():
        table = scanner_of(output, place, columns={"x": asked}).to_table()
    ends = pc.min_max(table["x"]).as_py()
    return f"has {what} {way} {value:g}: {they} go from {ends['min']:.4g} to {ends['max']:.4g}"
