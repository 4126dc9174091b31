"""Training examples of the genome model: candidates as a scan leaves them, with label, weight, origin and arms."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mirsweep.model.errors import ModelError

__all__ = ["Examples", "concatenate"]


@dataclass(frozen=True)
class Examples:
    """Candidates with label; every field has one entry an example.

    Attributes
    ----------
    sequences, structures
        RNA and dot-bracket.
    flanks_5p, flanks_3p
        What precedes and follows the sequence on its own strand.
    labels
        1 = pre-miRNA, 0 = not; uint8, shape (n,).
    weights
        How often to draw each, relative to the others of its label; float32, shape (n,), positive.
    species, families
        Of a pre-miRNA; empty strings otherwise.
    arms
        Start and end of the 5' arm's mature sequence, then of the 3' arm's, 0-based half-open within the
        sequence, -1 if unknown; int16, shape (n, 4).
    """

    sequences: Sequence[str]
    structures: Sequence[str]
    flanks_5p: Sequence[str]
    flanks_3p: Sequence[str]
    labels: np.ndarray
    weights: np.ndarray
    species: Sequence[str]
    families: Sequence[str]
    arms: np.ndarray

    def __post_init__(self) -> None:
        lengths = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        if len(set(lengths.values())) > 1:
            raise ModelError(f"examples need one entry each in every field, not {lengths}.")

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, rows: np.ndarray) -> "Examples":
        """The examples at these indices, or where this mask is true; shape (m,) or bool (n,)."""
        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows, np.int64)
        taken: list[Any] = []
        for field in fields(self):
            values = getattr(self, field.name)
            taken.append(values[rows] if isinstance(values, np.ndarray) else [values[i] for i in rows])
        return Examples(*taken)


def concatenate(parts: Sequence[Examples]) -> Examples:
    """All examples, in order."""
    joined: list[Any] = []
    for field in fields(Examples):
        column = [getattr(part, field.name) for part in parts]
        is_array = isinstance(column[0], np.ndarray)
        joined.append(np.concatenate(column) if is_array else [item for part in column for item in part])
    return Examples(*joined)
