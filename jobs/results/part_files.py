"""The part files of a scan in the genome's order, and which of them a place is in."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.jobs.results.contig_folders import has_contig_folders, old_parts
from mirsweep.jobs.results.contigs import Contigs
from mirsweep.jobs.results.copies import sizes_elsewhere
from mirsweep.jobs.results.layout import CANDIDATES, INDEX
from mirsweep.jobs.results.parquet import read_as
from mirsweep.jobs.results.records import part_of, read_records
from mirsweep.scanner.errors import InputError

__all__ = [
    "PART_SCHEMA",
    "PartFiles",
    "Place",
    "index_of",
    "part_sizes",
    "read_part_files",
]

PART_SCHEMA = pa.schema(
    [
        ("part", pa.string()),
        ("rows", pa.int64()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("first_contig", pa.int64()),
        ("first_start", pa.int64()),
        ("last_contig", pa.int64()),
        ("last_end", pa.int64()),
    ]
)
"""Columns of the index, one row a part file in the genome's order: its name, rows, size and digest; rank (row of
contigs.parquet) of the first contig that it has rows of and the lowest start on that; the same of the last contig, and
the highest end on that. Null is what is not known."""
_ENDING = ".parquet"
_FAR = np.iinfo(np.int64).max


class Place(NamedTuple):
    """Contigs by rank, first to last; and of a single one an interval, 0-based half-open (``end`` None: to its end)."""

    first: int
    last: int
    start: int = 0
    end: int | None = None


@dataclass(frozen=True)
class PartFiles:
    """Part files.

    Attributes
    ----------
    folder
        Where they lie.
    table
        ``PART_SCHEMA``.
    """

    folder: Path
    table: pa.Table

    @property
    def n_rows(self) -> int | None:
        """Rows of all parts; None if that is not known."""
        rows = self.table["rows"]
        return None if rows.null_count else int(rows.to_numpy().sum())

    @cached_property
    def told_rows(self) -> dict[str, int | None]:
        """By file name the rows of each part; None where that is not known."""
        return dict(zip(self.table["part"].to_pylist(), self.table["rows"].to_pylist(), strict=True))

    def paths(self, place: Place | None = None) -> list[str]:
        """Paths of the parts that can have rows of a place, in order; of all parts without a place."""
        names = self.table["part"]
        if place is not None:
            names = names.filter(pa.array(self._may_hold(place)))
        return [str(self.folder / name) for name in names.to_pylist()]

    def _may_hold(self, place: Place) -> np.ndarray:
        """Which parts can have rows of a place; bool, shape (p,)."""
        first, last = self._column("first_contig", -1), self._column("last_contig", _FAR)
        start, end = self._column("first_start", 0), self._column("last_end", _FAR)
        begins_in_time = (first < place.last) | (start < (_FAR if place.end is None else place.end))
        ends_late = (last > place.first) | (end > place.start)
        return (first <= place.last) & (last >= place.first) & begins_in_time & ends_late

    def _column(self, name: str, unknown: int) -> np.ndarray:
        return self.table[name].fill_null(unknown).to_numpy()


def index_of(records: Mapping[str, Mapping[str, Any]], contigs: Contigs) -> pa.Table:
    """The index of the parts that commit records (by shard id) tell of."""
    ranks = {(genome, contig): rank for rank, (genome, contig, _) in enumerate(contigs)}
    return _table(
        _row(name, record["part"], ranks)
        for _, record in sorted(records.items())
        if (name := part_of(record)) is not None
    )


def _row(name: str, part: Mapping[str, Any], ranks: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    *first, start = part["first"]
    *last, end = part["last"]
    row = {column: part[column] for column in ("rows", "bytes", "sha256")}
    row |= {"first_contig": ranks.get(tuple(first)), "last_contig": ranks.get(tuple(last))}
    return row | {"part": name, "first_start": start, "last_end": end}


def _table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=PART_SCHEMA)


def read_part_files(output: Path, contigs: Contigs | None, *, is_complete: bool) -> PartFiles:
    """The parts of a scan: from the index, or without one from the commit records and the folder.

    Parameters
    ----------
    contigs
        Those of the scan; None if they are not known, and then no part is left out for its place.
    is_complete
        Of a scan that is not, only parts with a commit record are read.

    Raises
    ------
    InputError
        If the index is damaged, or a part is missing.
    """
    folder = output / CANDIDATES
    if has_contig_folders(output):
        names = None if contigs is None else contigs.table["contig"].to_pylist()
        ranked = old_parts(output, names)
        rows = [{"part": str(p.relative_to(folder)), "first_contig": r, "last_contig": r} for p, r in ranked]
        return PartFiles(folder, _table(rows))
    present = part_sizes(folder)
    index = _read_index(output) if is_complete and contigs is not None else None
    if index is not None:
        _check_present(output, zip(index["part"].to_pylist(), index["bytes"].to_pylist(), strict=True), present)
        return PartFiles(folder, index)
    known = index_of(read_records(output).by_shard, contigs or Contigs.of(())).to_pylist()
    told = {row["part"]: row for row in known if is_complete or row["part"] in present}
    _check_present(output, ((name, row["bytes"]) for name, row in told.items()), present)
    named = sorted(present if is_complete else told)
    return PartFiles(folder, _table(told.get(name, {"part": name}) for name in named))


def _read_index(output: Path) -> pa.Table | None:
    path = output / INDEX
    try:
        return read_as(path, PART_SCHEMA, whole=("part", "rows", "bytes"))
    except FileNotFoundError:
        return None
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{path}: damaged or not readable ({error}): delete it; queries are slower then.") from error


def part_sizes(folder: Path) -> dict[str, int]:
    """By name the sizes of the part files in a folder, bytes."""
    found = {name: size for name, size in sizes_elsewhere(folder).items() if _is_part(name)}
    try:
        with os.scandir(folder) as entries:
            parts = [each for each in entries if _is_part(each.name)]
            return found | {each.name: each.stat().st_size for each in parts if Path(each.path).is_file()}
    except (FileNotFoundError, NotADirectoryError):
        return found


def _is_part(name: str) -> bool:
    return name.startswith("part-") and name.endswith(_ENDING)


def _check_present(output: Path, told: Iterable[tuple[str, int | None]], present: Mapping[str, int]) -> None:
    """Make sure that parts are there and have the sizes that are told of them."""
    bad = [(name, size) for name, size in told if name not in present or size not in (None, present[name])]
    if bad:
        name = bad[0][0]
        others = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        what = "damaged (another size)" if name in present else "missing"
        raise InputError(
            f"{output / CANDIDATES / name}{others}: {what}, so candidates are lost: run the scan again, or mirsweep "
            f"check {output} --repair, which makes anew what is missing."
        )
