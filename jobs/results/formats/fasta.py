"""FASTA of hairpins, and of the mature sequences of their arms: RNA of the candidate's own strand."""

from typing import BinaryIO

import pyarrow as pa

from mirsweep.jobs.results.formats.rows import ARMS, PLACE, Arm, Row, arms_of, candidate_id, placed_rows
from mirsweep.jobs.results.messages import warn

__all__ = ["ARM_COLUMNS", "COLUMNS", "write_arms", "write_fasta", "write_mature", "write_star"]

COLUMNS = (*PLACE, "score", "mfe", "sequence")
ARM_COLUMNS = (*COLUMNS, *ARMS)


def write_fasta(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """The hairpins."""
    for row in placed_rows(reader, COLUMNS):
        stream.write(f">{candidate_id(row)} score={row['score']} mfe={row['mfe']}\n{row['sequence']}\n".encode())


def write_arms(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """The sequences of both arms, 5' arm first; hairpins without are left out."""
    _write_arms(reader, stream, ("mature", "star"))


def write_mature(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """The mature sequences, as the model guesses the arm; hairpins without one are left out."""
    _write_arms(reader, stream, ("mature",))


def write_star(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """The star sequences, as the model guesses the arm; hairpins without one are left out."""
    _write_arms(reader, stream, ("star",))


def _write_arms(reader: pa.RecordBatchReader, stream: BinaryIO, roles: tuple[str, ...]) -> None:
    n_rows, n_found = 0, 0
    for row in placed_rows(reader, ARM_COLUMNS):
        n_rows += 1
        for arm in arms_of(row):
            if arm.role in roles:
                n_found += 1
                stream.write(_record(row, arm).encode())
    if n_rows and not n_found:
        warn(f"no {roles[0]} sequence is predicted for any of the rows: a model that predicts them is needed.")


def _record(row: Row, arm: Arm) -> str:
    start, end = arm.on_contig
    told = {"role": arm.stated_role, "arm": arm.arm or ".", "confidence": arm.confidence, "score": row["score"]}
    told |= {"ends": "reads"} if arm.is_read else {}
    words = [f"{name}={value}" for name, value in told.items() if value is not None or name == "score"]
    place = f"{row['contig']}:{start + 1}-{end}:{row['strand']}"
    return " ".join([f">{candidate_id(row)}{arm.suffix}", place, *words]) + f"\n{row['sequence'][slice(*arm.within)]}\n"
