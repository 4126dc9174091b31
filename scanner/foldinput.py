"""What the fold engines take and give: sequences as base codes, structures as strings."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mirsweep._shown import shown
from mirsweep.scanner.errors import InputError
from mirsweep.texts import Texts, texts_of

__all__ = [
    "CODES",
    "MAX_LENGTH",
    "UNKNOWN",
    "FoldInput",
    "Folded",
    "FoldedSoFar",
    "FoldedTexts",
    "Nesting",
    "by_length",
    "checked_lengths",
    "read_input",
]

MAX_LENGTH = 400
"""Longest sequence that the batched engines fold, nt."""

UNKNOWN = 255
"""Code of what is no letter."""
CODES = np.full(256, UNKNOWN, np.uint8)
"""Base code of each character: 0-4 = N A C G U."""
CODES[np.frombuffer(b"BDEFHIJKLMNOPQRSVWXYZbdefhijklmnopqrsvwxyz", np.uint8)] = 0
for _code, _letters in enumerate((b"Aa", b"Cc", b"Gg", b"UuTt"), start=1):
    CODES[np.frombuffer(_letters, np.uint8)] = _code


@shown("structures", "energies")
class Folded(NamedTuple):
    """Result of folding n sequences.

    Attributes
    ----------
    structures
        Dot-bracket strings, each as long as its sequence.
    energies
        Minimum free energies in kcal/mol, float32, shape (n,).
    """

    structures: list[str]
    energies: np.ndarray


class FoldInput(NamedTuple):
    """Sequences of a batch.

    Attributes
    ----------
    codes
        Base codes of all sequences one after the other, uint8: 0-4 = N A C G U.
    starts, lengths
        Where each sequence starts, and its length; int64, shape (n,).
    """

    codes: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    def by_length(self) -> np.ndarray:
        """Numbers of the sequences that are not empty, shortest first."""
        return by_length(self.lengths)


def by_length(lengths: np.ndarray) -> np.ndarray:
    """Numbers of the sequences that are not empty, shortest first."""
    order = np.argsort(lengths, kind="stable")
    return order[np.count_nonzero(lengths == 0) :]


def read_input(sequences: Sequence[str]) -> FoldInput:
    """Base codes of sequences.

    Raises
    ------
    InputError
        If a sequence is longer than 400 nt or holds something else than letters.
    """
    texts = texts_of(sequences)
    lengths = checked_lengths(texts)
    codes = CODES[texts.letters]
    if codes.max(initial=0) == UNKNOWN:
        place = int(np.argmax(codes == UNKNOWN))
        number = int(np.searchsorted(texts.offsets, place, side="right")) - 1
        letter = sequences[number][place - texts.offsets[number]]
        raise InputError(f"sequence {number + 1} of the batch holds {letter!r}: only letters can be folded.")
    return FoldInput(codes, texts.offsets[:-1], lengths)


def checked_lengths(texts: Texts) -> np.ndarray:
    """Lengths of sequences that can be folded by what they are.

    Raises
    ------
    InputError
        If a sequence is longer than 400 nt.
    """
    lengths = texts.lengths
    if lengths.max(initial=0) > MAX_LENGTH:
        number = int(np.argmax(lengths > MAX_LENGTH))
        raise InputError(
            f"sequence {number + 1} of the batch has {lengths[number]} nt, more than {MAX_LENGTH}: "
            "shorten it, or fold it with the engine 'vienna'."
        )
    return lengths


class Nesting(NamedTuple):
    """Which of n sequences are parts of others.

    Attributes
    ----------
    owners
        Number of the sequence that each is a part of; its own for those that are folded whole, as owners are. Int64,
        shape (n,).
    firsts
        Where it begins there, int64, shape (n,).
    """

    owners: np.ndarray
    firsts: np.ndarray


class FoldedTexts(NamedTuple):
    """As :class:`Folded`, without a Python string for each structure."""

    structures: Texts
    energies: np.ndarray

    def as_folded(self) -> Folded:
        """The same with strings."""
        return Folded(list(self.structures), self.energies)


class FoldedSoFar:
    """Results of a batch that come group by group, and find their places.

    Parameters
    ----------
    batch
        All sequences.
    """

    def __init__(self, batch: FoldInput):
        self._batch = batch
        self._structures = np.empty(len(batch.codes), np.uint8)
        self._energies = np.zeros(len(batch.lengths), np.float32)

    def put(self, group: np.ndarray, structures: np.ndarray, dcal: np.ndarray) -> None:
        """Structures in ASCII, uint8 (k, longest), and energies (0.01 kcal/mol) of the sequences in ``group``."""
        self._energies[group] = dcal / 100
        starts, lengths = self._batch.starts[group], self._batch.lengths[group]
        for row, start, length in zip(structures, starts.tolist(), lengths.tolist(), strict=True):
            self._structures[start : start + length] = row[:length]

    def result(self) -> FoldedTexts:
        """All of them, in the order of the sequences."""
        offsets = np.append(self._batch.starts, len(self._structures))
        return FoldedTexts(Texts(self._structures, offsets), self._energies)
