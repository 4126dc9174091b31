"""Which libraries of reads there are: files as they are given, or by a table that names them."""

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mirsweep.scanner.errors import InputError
from mirsweep.scanner.text import open_text

__all__ = ["Library", "libraries_of"]

_COLUMNS = ("library", "file")
_TOTAL, _GENOME = "total_reads", "genome"
_SUFFIXES = (".bam", ".cram", ".sorted")


class Library(NamedTuple):
    """A library of small-RNA reads.

    Attributes
    ----------
    name
        Distinct among the libraries.
    path
        BAM or CRAM.
    total_reads
        Mapped reads, what reads per million are of; None if they are to be counted.
    genome
        Of a scan of several genomes the one that the reads were mapped to; None for any that has its contigs.
    """

    name: str
    path: Path
    total_reads: float | None = None
    genome: str | None = None

    def is_of(self, genome: str) -> bool:
        """Whether its reads count on a genome."""
        return self.genome in (None, genome)


def libraries_of(
    files: Sequence[str | os.PathLike], table: str | os.PathLike | None, genome: str | None = None
) -> list[Library]:
    """The libraries in the order given, those of files first.

    Parameters
    ----------
    files
        BAM or CRAM; a library is called as its file, without the ending.
    table
        TSV with the columns ``library`` and ``file``, a path relative to the table's folder, and, if the total is
        known, ``total_reads``; of a scan of several genomes ``genome``.
    genome
        What they were mapped to, where the table does not tell.

    Raises
    ------
    InputError
        If there is none, the table cannot be read, or two libraries have one name.
    """
    found = [Library(_stem(Path(path)), Path(path)) for path in files]
    if table is not None:
        found += _of_table(Path(table))
    found = [each._replace(genome=each.genome or genome) for each in found]
    if not found:
        raise InputError("no reads to count: give BAM or CRAM files, or a table of them with --libraries.")
    seen: dict[str, Path] = {}
    for library in found:
        if library.name in seen:
            raise InputError(
                f"{library.path} and {seen[library.name]} are both called {library.name!r}: give the libraries names "
                "in a table (--libraries)."
            )
        seen[library.name] = library.path
    return found


def _stem(path: Path) -> str:
    name = path.name
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name or path.name


def _of_table(path: Path) -> list[Library]:
    with open_text(path, wanted="a TSV of libraries") as stream:
        rows = csv.reader((line for line in stream if line.strip()), delimiter="\t", quoting=csv.QUOTE_NONE)
        header = [name.strip().lstrip("#") for name in next(rows, [])]
        missing = [name for name in _COLUMNS if name not in header]
        if missing:
            raise InputError(
                f"{path}: has no column {missing[0]!r}: the first line names the columns, library and file (and "
                f"{_TOTAL} if you know it), by tabs."
            )
        return list(_libraries(path, header, rows))


def _libraries(path: Path, header: list[str], rows: Iterable[list[str]]) -> Iterable[Library]:
    for number, fields in enumerate(rows, 2):
        row = dict(zip(header, (field.strip() for field in fields), strict=False))
        if not all(row.get(name) for name in _COLUMNS):
            raise InputError(f"{path}: record {number} has no library or no file: give both, by tabs.")
        total = _total(path, number, row.get(_TOTAL, ""))
        yield Library(row["library"], path.parent / row["file"], total, row.get(_GENOME) or None)


def _total(path: Path, number: int, text: str) -> float | None:
    if not text:
        return None
    if not (text.isdecimal() and text.isascii()) or len(text) > 15 or not int(text):
        raise InputError(f"{path}: record {number} has the {_TOTAL} {text[:20]!r}: give a number of reads, or nothing.")
    return float(text)
