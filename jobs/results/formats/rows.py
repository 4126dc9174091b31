"""Rows of Arrow batches as Python values, and what each says of places on the contig."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from mirsweep.jobs.results.loci_schema import LOCI_SCHEMA
from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.results.read_arms import READ_ARMS, arms_by_reads, mature_by_reads
from mirsweep.scanner.errors import InputError

__all__ = [
    "ARMS",
    "NAME",
    "PLACE",
    "Arm",
    "Row",
    "arms_of",
    "candidate_id",
    "further_columns",
    "interval",
    "placed_rows",
    "plain_rows",
    "shown_name",
    "warn_of_header_words",
]

Row = dict[str, Any]
"""Values of a row by column."""
PLACE = ("contig", "start", "end", "strand")
ARMS = (
    *("mature_start", "mature_end", "star_start", "star_end", "arm", "mature"),
    *("arm_5p_confidence", "arm_3p_confidence"),
    *READ_ARMS,
)
"""Columns that tell where the mature and the star sequence lie; null if neither the model nor reads tell."""
NAME = "name"
"""Column of the name that was given to a locus, from annotation.parquet."""
_ATTRIBUTE_NAME = re.compile("[a-z][a-z0-9_]*")
"""GFF3 keeps names that begin with a capital for itself."""
_OTHER_ARM = {"5p": "3p", "3p": "5p"}
_HEADER_WORDS = ("track", "browser")


class Arm(NamedTuple):
    """The sequence of one arm of a candidate.

    Attributes
    ----------
    role
        ``mature`` or ``star``, as the model guesses.
    arm
        ``5p`` or ``3p``; None if the rows do not tell.
    within
        Interval within the candidate's sequence, 0-based half-open.
    on_contig
        Interval on the contig, 0-based half-open.
    stated_role
        The role if it is more than a guess, else None.
    confidence
        Probability that its 5' end is right; None if the rows do not tell, and for one that was read.
    is_read
        Whether it is what reads show, rather than what the model predicts.
    """

    role: str
    arm: str | None
    within: tuple[int, int]
    on_contig: tuple[int, int]
    stated_role: str | None
    confidence: float | None
    is_read: bool = False

    @property
    def suffix(self) -> str:
        """What miRBase appends to a precursor's name."""
        return f"-{self.arm or self.role}"


def candidate_id(row: Row) -> str:
    """Name of a candidate: contig, 1-based closed interval as ``--region`` takes it, strand."""
    return f"{row['contig']}:{row['start'] + 1}-{row['end']}:{row['strand']}"


def shown_name(row: Row) -> str:
    """What browsers show of a candidate: the name that was given to its locus, else its own id."""
    return row.get(NAME) or candidate_id(row)


def further_columns(schema: pa.Schema) -> tuple[str, ...]:
    """Columns that neither candidates nor loci have, with names that can be attributes: those of side tables."""
    return tuple(
        field.name
        for field in schema
        if field.name not in LOCI_SCHEMA.names
        and _ATTRIBUTE_NAME.fullmatch(field.name)
        and not pa.types.is_nested(field.type)
    )


def interval(row: Row, name: str) -> tuple[int, int] | None:
    """Where ``name`` (mature, star, loop) lies on the contig, 0-based half-open; None if there is none."""
    start, end = row.get(f"{name}_start"), row.get(f"{name}_end")
    return None if start is None or end is None else _on_contig(row, (start, end))


def _on_contig(row: Row, within: tuple[int, int]) -> tuple[int, int]:
    start, end = within
    if row["strand"] == "-":
        return row["end"] - end, row["end"] - start
    return row["start"] + start, row["start"] + end


def arms_of(row: Row) -> list[Arm]:
    """The sequence of the 5' arm and that of the 3' arm, in this order, as far as the row has them; the mature one and
    the star if the row does not tell which arm is which. What was read goes before what the model predicts."""
    predicted, read = _predicted_arms(row), arms_by_reads(row)
    if read:
        mature = mature_by_reads(row)
        roles = {name: "mature" if name == mature else "star" for name in _OTHER_ARM}
        kept = [arm for arm in predicted if arm.arm is not None and arm.arm not in read]
        predicted = [arm._replace(role=roles[arm.arm or ""], stated_role=roles[arm.arm or ""]) for arm in kept]
        for name, within in read.items():
            predicted.append(Arm(roles[name], name, within, _on_contig(row, within), roles[name], None, is_read=True))
    return sorted(predicted, key=lambda arm: arm.arm or "", reverse=True)


def _predicted_arms(row: Row) -> list[Arm]:
    mature_arm = row.get("arm")
    is_stated = row.get("mature", mature_arm) is not None or mature_arm is None
    found = []
    for role, arm in (("mature", mature_arm), ("star", _OTHER_ARM.get(mature_arm or ""))):
        place = interval(row, role)
        if place:
            within = (row[f"{role}_start"], row[f"{role}_end"])
            found.append(Arm(role, arm, within, place, role if is_stated else None, row.get(f"arm_{arm}_confidence")))
    return found


def plain_rows(reader: pa.RecordBatchReader) -> Iterator[Row]:
    """Rows as dictionaries; float32 with the few digits that it has."""
    for batch in reader:
        yield from _rows_of(batch, batch.schema.names)


def placed_rows(reader: pa.RecordBatchReader, columns: tuple[str, ...]) -> Iterator[Row]:
    """The same of some columns, those of a place among them, for formats that name contigs but not genomes.

    Parameters
    ----------
    columns
        What is needed; those that the rows lack are left out.

    Raises
    ------
    InputError
        If a place has a null, or one name of a contig stands for contigs of two genomes.
    """
    names = [name for name in (*columns, "genome") if name in reader.schema.names]
    genomes: dict[str, Any] = {}
    for batch in reader:
        _check_places(batch)
        for row in _rows_of(batch, names):
            _check_genome(row, genomes)
            yield row


def _check_places(batch: pa.RecordBatch) -> None:
    for name in PLACE:
        if batch.column(name).null_count:
            raise InputError(f"a row has no {name} (null): leave it out, or choose tsv, csv, json, jsonl or parquet.")


def _check_genome(row: Row, genomes: dict[str, Any]) -> None:
    contig, genome = row["contig"], row.get("genome")
    if contig not in genomes:
        genomes[contig] = genome
    elif genomes[contig] != genome:
        raise InputError(
            f"contig {contig!r} is in two genomes, {genomes[contig]} and {genome}, which this format cannot tell "
            "apart: name one with --genome, or choose tsv, csv, json, jsonl or parquet."
        )


def warn_of_header_words(contig: str) -> None:
    """Warn of a contig whose lines some programs take for headers, in a format whose lines begin with the contig."""
    if contig.startswith(_HEADER_WORDS):
        warn(
            f"contig {contig}: bedtools and other programs take lines that begin with "
            f"{' or '.join(_HEADER_WORDS)} for headers and leave them out; rename the contig if you need them."
        )


def _rows_of(batch: pa.RecordBatch, names: list[str]) -> Iterator[Row]:
    columns = [_values(batch.column(name)) for name in names]
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _values(column: pa.Array) -> list[Any]:
    if not pa.types.is_floating(column.type):
        return column.to_pylist()
    texts = column.cast(pa.string()).to_pylist()
    return [None if text is None or text in ("nan", "inf", "-inf") else float(text) for text in texts]
