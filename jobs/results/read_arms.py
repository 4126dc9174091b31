"""Which sequences of a locus's arms are shown: those that reads tell, else those that the model predicts."""

from collections.abc import Mapping
from typing import Any

__all__ = ["READ_ARMS", "TRUSTED", "arms_by_reads", "mature_by_reads"]

READ_ARMS = ("evidence", "mature_by_reads", "read_5p_start", "read_5p_end", "read_3p_start", "read_3p_end")
"""Columns of evidence.parquet that tell it."""
TRUSTED = ("supported", "expressed")
"""Verdicts of loci whose reads are those of a miRNA, as far as they go."""


def arms_by_reads(row: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """The commonest sequence of each arm (``5p``, ``3p``) within the hairpin, 0-based half-open, as far as it was read.

    Empty for rows without evidence, and where reads are few or speak against a miRNA.
    """
    if row.get("evidence") not in TRUSTED:
        return {}
    found = {}
    for arm in ("5p", "3p"):
        start, end = row.get(f"read_{arm}_start"), row.get(f"read_{arm}_end")
        if start is not None and end is not None:
            found[arm] = (start, end)
    return found


def mature_by_reads(row: Mapping[str, Any]) -> str | None:
    """The arm with more reads; None where reads do not tell."""
    return row.get("mature_by_reads") if arms_by_reads(row) else None
