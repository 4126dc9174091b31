"""Labelled hairpins: pooling them, and finding what two sets share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mirsweep.model.encode import lengths_of
from mirsweep.model.errors import ModelError

__all__ = ["Dataset", "Deduplicated", "deduplicate", "is_known", "pool", "shares_kmer"]


@dataclass(frozen=True)
class Dataset:
    """Hairpins with structure and label; order is kept by every function here.

    Attributes
    ----------
    sequences
        n sequences, kept as upper-case RNA.
    structures
        Their dot-bracket structures.
    labels
        1 = pre-miRNA, 0 = not; uint8, shape (n,).

    Raises
    ------
    ModelError
        If the three are not equally long or a label is neither 0 nor 1.
    """

    sequences: Sequence[str]
    structures: Sequence[str]
    labels: np.ndarray

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        if not len(self.sequences) == len(self.structures) == len(labels):
            raise ModelError(
                f"{len(self.sequences)} sequences, {len(self.structures)} structures and {len(labels)} labels: "
                "give one of each for every hairpin."
            )
        if not np.isin(labels, (0, 1)).all():
            raise ModelError("labels must be 1 (pre-miRNA) or 0 (not).")
        object.__setattr__(self, "sequences", [s.upper().replace("T", "U") for s in self.sequences])
        object.__setattr__(self, "structures", list(self.structures))
        object.__setattr__(self, "labels", labels.astype(np.uint8))

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def n_pos(self) -> int:
        """Number of pre-miRNAs."""
        return int(self.labels.sum())

    @property
    def n_neg(self) -> int:
        """Number of the others."""
        return len(self) - self.n_pos

    def take(self, rows: np.ndarray) -> "Dataset":
        """The hairpins at these indices, or where this mask is true; shape (m,) or bool (n,)."""
        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows, np.int64)
        return Dataset(
            [self.sequences[i] for i in rows.tolist()], [self.structures[i] for i in rows.tolist()], self.labels[rows]
        )


class Deduplicated(NamedTuple):
    """A set without repeats.

    Attributes
    ----------
    dataset
        First occurrence of each sequence that has one label only.
    n_repeats
        Later occurrences left out.
    conflicts
        Sequences that stood in both classes; left out of both.
    """

    dataset: Dataset
    n_repeats: int
    conflicts: list[str]


def pool(*sets: Dataset) -> Dataset:
    """Several sets one after the other."""
    return Dataset(
        [s for each in sets for s in each.sequences],
        [s for each in sets for s in each.structures],
        np.concatenate([each.labels for each in sets]),
    )


def deduplicate(dataset: Dataset) -> Deduplicated:
    """Keep each sequence once, and none that carries both labels."""
    labels_of: dict[str, set[int]] = {}
    first: dict[str, int] = {}
    for row, (sequence, label) in enumerate(zip(dataset.sequences, dataset.labels.tolist(), strict=True)):
        labels_of.setdefault(sequence, set()).add(label)
        first.setdefault(sequence, row)
    conflicts = [sequence for sequence, labels in labels_of.items() if len(labels) > 1]
    n_conflicting = sum(len(labels_of[sequence]) > 1 for sequence in dataset.sequences)
    kept = np.array([row for sequence, row in first.items() if len(labels_of[sequence]) == 1], np.int64)
    return Deduplicated(dataset.take(kept), len(dataset) - n_conflicting - len(kept), conflicts)


def is_known(dataset: Dataset, reference: Dataset) -> np.ndarray:
    """Which hairpins have a sequence that stands in the reference, whatever the labels; bool, shape (n,)."""
    known = set(reference.sequences)
    return np.array([sequence in known for sequence in dataset.sequences], bool)


def shares_kmer(dataset: Dataset, reference: Dataset, *, k: int = 24) -> np.ndarray:
    """Which hairpins share a stretch of k nt with a reference hairpin of their own class.

    Pre-miRNAs are compared with pre-miRNAs and others with others: homologues on both sides of a split make a
    test easier. A sequence shorter than k shares nothing.

    Parameters
    ----------
    k
        Length of the stretch, nt, at most 31.

    Returns
    -------
    bool, shape (n,).
    """
    shared = np.zeros(len(dataset), bool)
    for label in (0, 1):
        rows = np.flatnonzero(dataset.labels == label)
        kmers, owner = _kmers([dataset.sequences[i] for i in rows.tolist()], k)
        theirs, _ = _kmers(reference.take(reference.labels == label).sequences, k)
        shared[rows[owner[np.isin(kmers, theirs)]]] = True
    return shared


_DIGITS = np.zeros(256, np.uint64)
_DIGITS[[ord(base) for base in "ACGU"]] = [0, 1, 2, 3]


def _kmers(sequences: Sequence[str], k: int) -> tuple[np.ndarray, np.ndarray]:
    """All stretches of k nt as base-4 numbers, uint64 (m,), and the sequence that each comes from, int64 (m,)."""
    if not 1 <= k <= 31:
        raise ModelError(f"stretches of 1 to 31 nt can be compared, not of {k}.")
    lengths = lengths_of(sequences)
    digits = _DIGITS[np.frombuffer("".join(sequences).encode("ascii", errors="replace"), np.uint8)]
    n_starts = max(len(digits) - k + 1, 0)
    kmers = np.zeros(n_starts, np.uint64)
    for i in range(k):
        kmers = kmers * np.uint64(4) + digits[i : i + n_starts]
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(digits))  # nt up to the end of the sequence
    is_whole = left[:n_starts] >= k
    owner = np.repeat(np.arange(len(sequences)), lengths)[:n_starts]
    return kmers[is_whole], owner[is_whole]
