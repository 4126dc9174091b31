"""Rows of loci or candidates that draw themselves in a notebook."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import pyarrow as pa
from markupsafe import Markup

from mirsweep.jobs.report.hairpin import ARMS, hairpin_of
from mirsweep.jobs.report.pictures import picture
from mirsweep.scanner.errors import InputError

__all__ = ["Hairpins", "show"]

_NEEDED = ("sequence", "structure", "contig", "start", "end", "strand")
_FIGURES = (("name", "{}"), ("locus_score", "score {:.3f}"), ("score", "score {:.3f}"), ("q_value", "q {:.2g}"))
"""What stands above a hairpin, of what the row has."""


class Hairpins:
    """Hairpins of a scan, each drawn in a notebook, with both arms' sequences.

    Attributes
    ----------
    rows
        The rows, as dictionaries.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]):
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> "Hairpins":
        return Hairpins([self.rows[index]])

    def __iter__(self) -> Iterator["Hairpins"]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        places = ", ".join(_place(row) for row in self.rows[:3])
        return f"Hairpins({places}{f', ... {len(self)} in all' if len(self) > 3 else ''})"

    def _repr_html_(self) -> str:
        figures = Markup("").join(_figure(row) for row in self.rows)
        return Markup('<div class="mirsweep"><style>{}</style>{}</div>').format(Markup(_style()), figures)


def show(rows: pa.Table | Mapping[str, Any], *, limit: int = 10) -> Hairpins:
    """Hairpins of a scan to look at in a notebook.

    Parameters
    ----------
    rows
        What :func:`mirsweep.jobs.query`, ``read_loci`` or ``read_candidates`` return, or a row of it as a dictionary.
    limit
        Of a table, the first so many are drawn.

    Raises
    ------
    InputError
        If columns that are needed to draw them are missing, or a structure is none.
    """
    names = rows.column_names if isinstance(rows, pa.Table) else list(rows)
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise InputError(f"a hairpin cannot be drawn without {', '.join(missing)}: ask the query for all columns.")
    listed = rows.slice(0, limit).to_pylist() if isinstance(rows, pa.Table) else [rows]
    return Hairpins([_with_arms(row) for row in listed])


def _with_arms(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with where the sequence of each arm lies, which candidates have as mature and star."""
    found: dict[str, Any] = dict.fromkeys(f"arm_{arm}_{end}" for arm in ARMS for end in ("start", "end"))
    found["mature"] = None
    if row.get("arm") in ARMS:
        other = ARMS[1 - ARMS.index(row["arm"])]
        for arm, role in ((row["arm"], "mature"), (other, "star")):
            found |= {f"arm_{arm}_{end}": row.get(f"{role}_{end}") for end in ("start", "end")}
    return found | dict(row)


def _place(row: Mapping[str, Any]) -> str:
    return f"{row['contig']}:{row['start'] + 1}-{row['end']}:{row['strand']}"


def _figure(row: Mapping[str, Any]) -> Markup:
    own = _FIGURES if row.get("locus_score") is None else [each for each in _FIGURES if each[0] != "score"]
    told = "   ".join(form.format(row[name]) for name, form in own if row.get(name) is not None)
    drawn = picture(hairpin_of(row), f"hairpin {_place(row)}")
    return Markup("<figure><figcaption>{} <span>{}</span></figcaption>{}</figure>").format(_place(row), told, drawn)


@cache
def _style() -> str:
    return files("mirsweep.jobs.report").joinpath("templates/notebook.css").read_text("utf-8")
