"""GFF3 as miRBase writes it: hairpins, and the mature sequences of their arms as children."""

import heapq
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, BinaryIO
from urllib.parse import quote

import pyarrow as pa

from mirsweep.jobs.results.formats.rows import (
    ARMS,
    NAME,
    PLACE,
    Row,
    arms_of,
    candidate_id,
    further_columns,
    placed_rows,
    shown_name,
    warn_of_header_words,
)

__all__ = ["COLUMNS", "MATURE_SO_TERM", "SO_TERM", "write_gff3"]

SO_TERM = "miRNA_primary_transcript"
"""Sequence Ontology term of the rows, the one miRBase uses for its hairpins."""
MATURE_SO_TERM = "miRNA"
"""Term of the mature and the star sequences, which has no term of its own."""
_LOCUS_ATTRIBUTES = (
    *("locus_score", "locus_fp_per_mb", "q_value", "fp_per_mb", "copies", "similarity", "similar_to"),
    *("cluster", "cluster_size"),
)
COLUMNS = (*PLACE, "score", NAME, "genome", "mfe", "expected_fp_per_mb", "model", *_LOCUS_ATTRIBUTES, *ARMS)
"""What of a row is written, as far as it is there."""
_HAIRPIN_ATTRIBUTES = ("genome", "mfe", "expected_fp_per_mb", "model", *_LOCUS_ATTRIBUTES)
_SEQID_SAFE = ".:^*$@!+_?-|"
"""What the GFF3 specification lets stand unescaped in a sequence id, besides letters and digits."""
_ATTRIBUTE_SAFE = _SEQID_SAFE + " ()/~<>[]{}'\\"
"""The same for attribute values: all but control characters, percent, semicolon, equals, ampersand and comma, and but
for ``#``: pyranges and bioframe (pandas' ``comment="#"``) leave out what follows it on a line."""


class _Sorted:
    """Lines in order of their starts, a hairpin before what begins where it does.

    Hairpins come in order, but a mature sequence may begin after the next hairpin: a line is held until no hairpin that
    is still to come can begin before it. Little more than the hairpins that overlap is held.
    """

    def __init__(self) -> None:
        self._held: list[tuple[int, bool, int, str]] = []
        self._numbers = count()

    def add(self, start: int, line: str, *, is_child: bool) -> None:
        heapq.heappush(self._held, (start, is_child, next(self._numbers), line))

    def before(self, start: float) -> Iterator[str]:
        """Take out the lines of features that begin before ``start``."""
        while self._held and self._held[0][0] < start:
            yield heapq.heappop(self._held)[-1]


def write_gff3(reader: pa.RecordBatchReader, stream: BinaryIO, lengths: Mapping[str, int]) -> None:
    """Features sorted by contig and start, as tabix needs them; the rows must come so.

    Parameters
    ----------
    lengths
        Contigs (nt) that get a line ``##sequence-region``. All these stand at the top: some versions of tabix stumble
        over headers further down.
    """
    stream.write(b"##gff-version 3\n")
    for contig, length in lengths.items():
        stream.write(f"##sequence-region {_seqid(contig)} 1 {length}\n".encode())
    shown_elsewhere = {NAME, *ARMS} - {"evidence", "mature_by_reads"}  # as Name, and as the mature sequences
    further = tuple(name for name in further_columns(reader.schema) if name not in shown_elsewhere)
    for line in _lines(placed_rows(reader, (*COLUMNS, *further)), further):
        stream.write(line.encode())


def _lines(rows: Iterator[Row], further: tuple[str, ...]) -> Iterator[str]:
    held, contig = _Sorted(), None
    for row in rows:
        if row["contig"] != contig:
            yield from held.before(float("inf"))
            contig = row["contig"]
            warn_of_header_words(contig)
        yield from held.before(row["start"])
        for number, (start, line) in enumerate(_features(row, further)):
            held.add(start, line, is_child=number > 0)
    yield from held.before(float("inf"))


def _features(row: Row, further: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Start and line of the hairpin, then of the sequence of each arm."""
    own = candidate_id(row)
    called = shown_name(row)
    values = {"ID": own, "Name": called} | {name: row.get(name) for name in (*_HAIRPIN_ATTRIBUTES, *further)}
    yield row["start"], _line(row, SO_TERM, (row["start"], row["end"]), row["score"], values)
    for arm in arms_of(row):
        name = own + arm.suffix
        values = {"ID": name, "Name": called + arm.suffix, "Parent": own, "Derives_from": own}
        values |= {"role": arm.stated_role, "arm": arm.arm, "confidence": arm.confidence}
        values["ends"] = "reads" if arm.is_read else None
        yield arm.on_contig[0], _line(row, MATURE_SO_TERM, arm.on_contig, None, values)


def _line(row: Row, term: str, place: tuple[int, int], score: float | None, values: dict[str, Any]) -> str:
    """A feature at a place, 0-based half-open; values of None are no attributes."""
    attributes = ";".join(
        f"{name}={quote(_text(value), safe=_ATTRIBUTE_SAFE)}" for name, value in values.items() if value is not None
    )
    text = "." if score is None else score
    fields = (_seqid(row["contig"]), "mirsweep", term, place[0] + 1, place[1], text, row["strand"], ".", attributes)
    return "\t".join(map(str, fields)) + "\n"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _seqid(contig: str) -> str:
    return quote(contig, safe=_SEQID_SAFE)
