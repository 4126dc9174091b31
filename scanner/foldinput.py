"""What the fold engines take and give: sequences as base codes, structures as strings."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mirsweep._shown import shown
from mirsweep.scanner.errors import InputError

__all__ = ["MAX_LENGTH", "FoldInput", "Folded", "read_input", "texts"]

MAX_LENGTH = 400
"""Longest sequence that the batched engines fold, nt."""

_UNKNOWN = 255
_CODES = np.full(256, _UNKNOWN, np.uint8)
_CODES[np.frombuffer(b"BDEFHIJKLMNOPQRSVWXYZbdefhijklmnopqrsvwxyz", np.uint8)] = 0
for _code, _letters in enumerate((b"Aa", b"Cc", b"Gg", b"UuTt"), start=1):
    _CODES[np.frombuffer(_letters, np.uint8)] = _code


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
        order = np.argsort(self.lengths, kind="stable")
        return order[np.count_nonzero(self.lengths == 0) :]


def read_input(sequences: Sequence[str]) -> FoldInput:
    """Base codes of sequences.

    Raises
    ------
    InputError
        If a sequence is longer than 400 nt or holds something else than letters.
    """
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    if lengths.max(initial=0) > MAX_LENGTH:
        number = int(np.argmax(lengths > MAX_LENGTH))
        raise InputError(
            f"sequence {number + 1} of the batch has {lengths[number]} nt, more than {MAX_LENGTH}: "
            "shorten it, or fold it with the engine 'vienna'."
        )
    return FoldInput(_encode(sequences, lengths), np.cumsum(lengths) - lengths, lengths)


def _encode(sequences: Sequence[str], lengths: np.ndarray) -> np.ndarray:
    letters = "".join(sequences)
    codes = _CODES[np.frombuffer(letters.encode("ascii", "replace"), np.uint8)]
    if codes.max(initial=0) == _UNKNOWN:
        place = int(np.argmax(codes == _UNKNOWN))
        number = int(np.searchsorted(np.cumsum(lengths), place, side="right"))
        raise InputError(f"sequence {number + 1} of the batch holds {letters[place]!r}: only letters can be folded.")
    return codes


def texts(structures: np.ndarray, lengths: np.ndarray) -> list[str]:
    """Strings of structures in ASCII, uint8, shape (k, longest)."""
    text, width = structures.tobytes().decode("ascii"), structures.shape[1]
    return [text[row * width : row * width + length] for row, length in enumerate(lengths.tolist())]
