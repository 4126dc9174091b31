"""BED: twelve columns to look at, six for every program, six and more for all numbers."""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pyarrow as pa

from mirsweep.jobs.results.formats.rows import (
    ARMS,
    NAME,
    PLACE,
    Row,
    arms_of,
    candidate_id,
    interval,
    placed_rows,
    shown_name,
    warn_of_header_words,
)
from mirsweep.scanner.errors import InputError

__all__ = ["COLUMNS", "PLUS_COLUMNS", "check_contig", "write_autosql", "write_bed6", "write_bed6_plus", "write_bed12"]

COLUMNS = (*PLACE, "score", NAME, *ARMS)
"""What of a row is written in twelve columns or six."""
_NONE = -1
"""A number that is not known, as in ENCODE's narrowPeak: BED has no empty fields."""
_PALE, _DARK = (198, 219, 239), (8, 48, 107)
"""Colours (RGB) of the scores 0 and 1."""
_AUTOSQL = (
    ("string", "chrom", "Contig"),
    ("uint", "chromStart", "Start of the hairpin, 0-based"),
    ("uint", "chromEnd", "End of the hairpin, half-open"),
    ("string", "name", "Name of the locus, or contig, 1-based closed interval and strand"),
    ("uint", "score", "1000 x probability"),
    ("char[1]", "strand", "+ or -"),
    ("float", "probability", "Probability of being a pre-miRNA, as the model has it"),
    ("float", "mfe", "Minimum free energy, kcal/mol"),
    ("float", "penalised", "Energy by which the hairpin was found, penalties included, kcal/mol"),
    ("float", "expectedFpPerMb", "Expected false positives per Mb with such a score; -1 if not known"),
    ("int", "nPairs", "Base pairs"),
    ("float", "gc", "Share of G and C"),
    ("float", "masked", "Share of soft-masked bases"),
    ("int", "loopStart", "Start of the terminal loop on the contig, 0-based; -1 if not known"),
    ("int", "loopEnd", "End of the terminal loop on the contig, half-open; -1 if not known"),
    ("int", "matureStart", "Start of the mature sequence on the contig, 0-based; -1 if none"),
    ("int", "matureEnd", "End of the mature sequence on the contig, half-open; -1 if none"),
    ("int", "starStart", "Start of the star sequence on the contig, 0-based; -1 if none"),
    ("int", "starEnd", "End of the star sequence on the contig, half-open; -1 if none"),
    ("string", "arm", "Arm of the mature sequence, 5p or 3p, perhaps a mere guess; . if none"),
    ("string", "mature", "The same where it is more than a guess; else ."),
    ("float", "armConfidence", "Probability that the arm is right; -1 if not known"),
    ("float", "arm5pConfidence", "Probability that the 5' end on the 5' arm is right; -1 if not known"),
    ("float", "arm3pConfidence", "Probability that the 5' end on the 3' arm is right; -1 if not known"),
    ("string", "genome", "Assembly"),
    ("string", "model", "Name and digest of the weights"),
    ("lstring", "sequence", "RNA, 5' to 3' on its own strand"),
    ("lstring", "structure", "Dot-bracket, of the same length"),
)
"""Type, name and meaning of the columns with all numbers."""
_NUMBERS = ("mfe", "penalised", "expected_fp_per_mb", "n_pairs", "gc", "masked")
_CONFIDENCES = ("arm_confidence", "arm_5p_confidence", "arm_3p_confidence")
_TEXTS = ("genome", "model", "sequence", "structure")
PLUS_COLUMNS = (*PLACE, "score", NAME, *_NUMBERS, "loop_start", "loop_end", *ARMS, "arm_confidence", *_TEXTS)
"""What of a row is written in six columns and more."""


def write_bed12(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """The hairpin as the line, the sequences of its arms as blocks, thick the mature one or both, colour by score."""
    _write(placed_rows(reader, COLUMNS), stream, _bed12)


def write_bed6(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """Contig, start, end, name or id, 1000 x score, strand."""
    _write(placed_rows(reader, (*PLACE, "score", NAME)), stream, _bed6)


def write_bed6_plus(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """The same six, and all numbers and strings; :func:`write_autosql` describes them."""
    _write(placed_rows(reader, PLUS_COLUMNS), stream, _bed6_plus)


def write_autosql(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """The columns of :func:`write_bed6_plus` as bedToBigBed's ``-as`` takes them; no row is read."""
    width = max(len(kind) + len(name) for kind, name, _ in _AUTOSQL) + 2
    lines = ["table mirsweep", '"Candidate pre-miRNA hairpins"', "    ("]
    lines += [f'    {kind} {name + ";":<{width - len(kind)}} "{meaning}"' for kind, name, meaning in _AUTOSQL]
    stream.write(("\n".join([*lines, "    )"]) + "\n").encode())


def _write(rows: Iterator[Row], stream: BinaryIO, fields_of: Callable[[Row], list[Any]]) -> None:
    contig = None
    for row in rows:
        if row["contig"] != contig:
            contig = row["contig"]
            check_contig(contig)
        stream.write(("\t".join(map(str, fields_of(row))) + "\n").encode())


def check_contig(contig: str) -> None:
    """Check that a line that begins with this contig is read as a line of BED.

    Raises
    ------
    InputError
        If it would be a comment.
    """
    if contig.startswith("#"):
        raise InputError(
            f"contig {contig}: BED cannot hold it, for a line that begins with # is a comment; choose gff3, or rename "
            "the contig in the FASTA."
        )
    warn_of_header_words(contig)


def _bed6(row: Row) -> list[Any]:
    score = 0 if row["score"] is None else min(max(round(1000 * row["score"]), 0), 1000)
    name = "_".join(shown_name(row).split()) or candidate_id(row)
    return [row["contig"], row["start"], row["end"], name, score, row["strand"]]


def _bed12(row: Row) -> list[Any]:
    found = arms_of(row)
    arms = [arm.on_contig for arm in found]
    thick = [arm.on_contig for arm in found if arm.stated_role == "mature"] or arms or [(row["start"], row["start"])]
    blocks = _blocks(row["start"], row["end"], arms)
    sizes = ",".join(str(end - start) for start, end in blocks)
    starts = ",".join(str(start - row["start"]) for start, _ in blocks)
    bounds = min(start for start, _ in thick), max(end for _, end in thick)
    return [*_bed6(row), *bounds, _colour(row["score"] or 0.0), len(blocks), sizes, starts]


def _blocks(start: int, end: int, arms: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The arms as blocks; where they do not reach the hairpin's ends, a block of 1 nt does, as BED demands.

    BED's first block begins where the line does and the last one ends there; blocks are sorted and do not overlap.
    Mature and star sequence may overlap in a prediction: they are one block then.
    """
    if not arms:
        return [(start, end)]
    merged: list[tuple[int, int]] = []
    for first, last in sorted(arms):
        if merged and first < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    if merged[0][0] > start:
        merged.insert(0, (start, start + 1))
    if merged[-1][1] < end:
        merged.append((end - 1, end))
    return merged


def _colour(score: float) -> str:
    return ",".join(str(round(pale + score * (dark - pale))) for pale, dark in zip(_PALE, _DARK, strict=True))


def _bed6_plus(row: Row) -> list[Any]:
    places: list[int] = []
    for name in ("loop", "mature", "star"):
        places += interval(row, name) or (_NONE, _NONE)
    numbers = [_number(row, name) for name in ("score", *_NUMBERS)]
    confidences = [_number(row, name) for name in _CONFIDENCES]
    arm, mature, *texts = (row.get(name) or "." for name in ("arm", "mature", *_TEXTS))
    return [*_bed6(row), *numbers, *places, arm, mature, *confidences, *texts]


def _number(row: Row, name: str) -> float:
    value = row.get(name)
    return _NONE if value is None else value
