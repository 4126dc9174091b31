"""A hairpin as it is drawn: where its bases lie, which belong to the sequence of an arm, where the network looks."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mirsweep.jobs.results.read_arms import arms_by_reads, mature_by_reads
from mirsweep.scanner.plane import paired_with, place_bases

__all__ = ["ARMS", "Hairpin", "hairpin_of", "mature_arm", "shown_arms"]

ARMS = ("5p", "3p")


class Hairpin(NamedTuple):
    """What is drawn of a row.

    Attributes
    ----------
    sequence
        RNA, 5' to 3'.
    places
        Coordinates of its bases (:func:`mirsweep.scanner.plane.place_bases`), float64, shape (n, 2).
    partners
        Of each base the one that it pairs with, -1 for none; int64, shape (n,).
    arms
        Of each base the index in ``ARMS`` of the sequence that it belongs to, -1 for neither; int64, shape (n,).
    mature
        The arm of the mature sequence, of ``ARMS``; None where it is a mere guess.
    attention
        Attention of each base by that of the highest, 0 to 1, float64, shape (n,); None if it is not known.
    """

    sequence: str
    places: np.ndarray
    partners: np.ndarray
    arms: np.ndarray
    mature: str | None
    attention: np.ndarray | None

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, in distances of neighbouring bases of a stem."""
        width, height = self.places.max(axis=0).tolist()
        return width, height

    def ticks(self, every: int = 10) -> list[int]:
        """Bases whose number is shown: each tenth."""
        return list(range(every - 1, len(self.sequence), every))

    def outward(self, bases: int | Sequence[int]) -> np.ndarray:
        """Unit vectors from the inside of the hairpin to the outside at a base, shape (2,), or at m, shape (m, 2)."""
        at = np.asarray(bases, np.int64)
        along = self.places[np.minimum(at + 1, len(self.sequence) - 1)] - self.places[np.maximum(at - 1, 0)]
        lengths = np.hypot(along[..., 0], along[..., 1])[..., None]
        return np.stack((-along[..., 1], along[..., 0]), axis=-1) / np.where(lengths > 0, lengths, 1.0)


def shown_arms(row: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Where the sequence of each arm lies within the hairpin, 0-based half-open: as reads tell, else as predicted."""
    places = {arm: (row[f"arm_{arm}_start"], row[f"arm_{arm}_end"]) for arm in ARMS}
    predicted = {arm: place for arm, place in places.items() if None not in place}
    return dict(sorted((predicted | arms_by_reads(row)).items(), key=lambda item: ARMS.index(item[0])))


def mature_arm(row: Mapping[str, Any]) -> str | None:
    """The arm of the mature sequence, of ``ARMS``; None where neither reads tell nor the model more than guesses."""
    return mature_by_reads(row) or row["mature"]


def hairpin_of(row: Mapping[str, Any], attention: np.ndarray | None = None) -> Hairpin:
    """The hairpin of a locus.

    Parameters
    ----------
    row
        A row of the loci.
    attention
        Attention of each of its bases, shape (n,).

    Raises
    ------
    InputError
        If the structure is no balanced dot-bracket string.
    """
    arms = np.full(len(row["sequence"]), -1)
    for arm, (start, end) in shown_arms(row).items():
        arms[max(start, 0) : end] = ARMS.index(arm)
    highest = 0.0 if attention is None else float(np.max(attention, initial=0.0))
    return Hairpin(
        sequence=row["sequence"],
        places=place_bases(row["structure"]),
        partners=paired_with(row["structure"]),
        arms=arms,
        mature=mature_arm(row),
        attention=None if attention is None or not highest else np.asarray(attention, float) / highest,
    )
