"""Known precursors from GFF3 or BED."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from mirsweep.scanner.errors import InputError
from mirsweep.scanner.text import open_text

__all__ = ["LARGEST", "PRECURSOR_TYPES", "Line", "Locus", "read_known", "read_lines"]

PRECURSOR_TYPES = ("miRNA_primary_transcript", "pre_miRNA")
"""Feature types that mean a precursor: miRBase's and MirGeneDB's."""


LARGEST = 2**63 - 1
"""The largest coordinate that a row can have."""
_NUMBER = re.compile(r"[0-9]+")
_MOST_DIGITS = 30
_MOST_TYPES, _LONGEST_TYPE = 10, 60
"""What a message names of the types of an annotation."""


class Locus(NamedTuple):
    """A known precursor, 0-based half-open, and its name in the annotation."""

    contig: str
    start: int
    end: int
    strand: str
    name: str


class Line(NamedTuple):
    """A line of the file, split at tabs, with what an error message needs."""

    path: Path
    number: int
    fields: list[str]

    def wrong(self, what: str) -> InputError:
        """The sentence for this line."""
        return InputError(f"{self.path}: line {self.number} {what}.")


def read_known(path: str | os.PathLike, *, types: tuple[str, ...] = PRECURSOR_TYPES) -> list[Locus]:
    """Loci of a GFF3 or BED file (BED6 or more), plain or packed, or of standard input (``-``).

    Every record is a locus, as the annotation has it: two names at one place are two, and only a record that repeats
    place, strand and name is not counted again. Mature sequences and other features of a GFF3 are left out.

    Parameters
    ----------
    types
        GFF3 feature types that are loci; BED records all are.

    Returns
    -------
    Distinct loci by contig, start, end, strand, name.

    Raises
    ------
    InputError
        If the file cannot be read, a line is malformed, a strand is missing, or there is no locus.
    """
    path = Path(path)
    found: set[Locus] = set()
    skipped: set[str] = set()
    for line in read_lines(path):
        is_gff = len(line.fields) == 9 and all(_NUMBER.fullmatch(text) for text in line.fields[3:5])
        locus = _of_gff3(line, types, skipped) if is_gff else _of_bed(line)
        if locus:
            found.add(locus)
    if not found:
        there = f"it has {_listed(skipped)}: name them by --type" if skipped else "give GFF3 or BED6"
        raise InputError(f"{path}: holds no known precursor ({' or '.join(types)} in GFF3); {there}.")
    return sorted(found)


def _listed(types: set[str]) -> str:
    """Feature types in words, not more than can be read."""
    first = sorted(types)[:_MOST_TYPES]
    more = f" and {len(types) - len(first)} more" if len(types) > len(first) else ""
    return ", ".join(name if len(name) <= _LONGEST_TYPE else f"{name[:_LONGEST_TYPE]}..." for name in first) + more


def read_lines(path: Path) -> Iterator[Line]:
    """Records of the file, without comments and headers; a FASTA section ends it."""
    with open_text(path, wanted="GFF3 or BED") as stream:
        for number, text in enumerate(stream, 1):
            text = text.rstrip("\n")
            if text.startswith(("##FASTA", ">")):
                return
            if text.strip() and not _is_header(text):
                yield Line(path, number, text.split("\t"))


def _is_header(text: str) -> bool:
    """Whether a line is a comment or one of BED's headers; a contig may be called ``track_1``, and even ``track``."""
    is_header_word = text.split(maxsplit=1)[:1] in (["track"], ["browser"])
    return text.startswith("#") or (is_header_word and text.count("\t") < 5)


def _of_gff3(line: Line, types: tuple[str, ...], skipped: set[str]) -> Locus | None:
    seqid, _, kind, start, end, _, strand, _, attributes = line.fields
    if kind not in types:
        skipped.add(kind)
        return None
    tags = dict(tag.strip().split("=", 1) for tag in attributes.split(";") if "=" in tag)
    name = tags.get("Name") or tags.get("ID") or f"line {line.number}"
    return _checked(line, Locus(unquote(seqid), _number(line, start) - 1, _number(line, end), strand, unquote(name)))


def _of_bed(line: Line) -> Locus:
    if len(line.fields) < 6:
        raise line.wrong("is neither GFF3 (nine columns, by tabs) nor BED with a strand (six columns, by tabs)")
    contig, start, end, name, _, strand = line.fields[:6]
    return _checked(line, Locus(contig, _number(line, start), _number(line, end), strand, name))


def _number(line: Line, text: str) -> int:
    """A coordinate; Python would also take other scripts' digits, underscores and numbers of any length."""
    if not _NUMBER.fullmatch(text):
        raise line.wrong("has a start or end that is no number")
    if len(text) > _MOST_DIGITS or int(text) > LARGEST:
        raise line.wrong(f"has a coordinate beyond any contig, {text[:_MOST_DIGITS]}")
    return int(text)


def _checked(line: Line, locus: Locus) -> Locus:
    if not 0 <= locus.start < locus.end:
        raise line.wrong(f"has an empty interval, {locus.start} to {locus.end} (0-based half-open)")
    if locus.strand not in ("+", "-"):
        raise line.wrong(f"has the strand {locus.strand[:20]!r}; a known precursor needs + or -")
    return locus
