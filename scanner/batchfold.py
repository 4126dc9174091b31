"""Minimum-free-energy folding of many short sequences side by side, with RNAfold's answers.

One sequence a lane: every step of the dynamic programme is a vector operation over the sequences of a group and
the starts of a diagonal. Sequences are grouped by length; a sequence's result never depends on its group.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mirsweep.scanner._batchfold_arrays import new_arrays
from mirsweep.scanner._batchfold_fill_kernels import arrange, fill_group
from mirsweep.scanner._batchfold_trace_kernels import trace_group
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.foldtables import FoldTables, fold_tables
from mirsweep.scanner.turner import Turner, default_turner

__all__ = ["MAX_LENGTH", "BatchFolded", "fold_batch"]

MAX_LENGTH = 400
"""Longest sequence, nt."""
LANES = 16
"""Sequences side by side. Of 8, 16, 32 and 64, 16 was fastest or within a tenth of it at 60 to 400 nt (Zen 5)."""
_LOWEST_16_BIT = -16_000
"""Lowest energy (0.01 kcal/mol) with which 16 bits are safe: the sum of two such still fits."""

_UNKNOWN = 255
_CODES = np.full(256, _UNKNOWN, np.uint8)
_CODES[np.frombuffer(b"BDEFHIJKLMNOPQRSVWXYZbdefhijklmnopqrsvwxyz", np.uint8)] = 0
for _code, _letters in enumerate((b"Aa", b"Cc", b"Gg", b"UuTt"), start=1):
    _CODES[np.frombuffer(_letters, np.uint8)] = _code


class BatchFolded(NamedTuple):
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


def fold_batch(sequences: Sequence[str], *, parameters: Turner | None = None) -> BatchFolded:
    """Fold each sequence on its own, as ``RNA.fold`` does (by default Turner 2004, 37 degrees C, -d2).

    Energies are those of ``RNA.fold``; each structure has exactly that energy, and where several have it, it is
    the one that RNAfold's order of backtracking finds first.

    Parameters
    ----------
    sequences
        RNA or DNA letters, upper or lower case, up to 400 nt; letters other than A C G U T stay unpaired.
    parameters
        Energies; None takes those that ViennaRNA held when they were first needed. To follow a later change of
        ViennaRNA's parameters or temperature, pass ``mirsweep.scanner.turner.read_turner()``.

    Returns
    -------
    Structures and energies in the order of the sequences, whatever the grouping.

    Raises
    ------
    InputError
        If a sequence is longer than 400 nt or holds something else than letters.
    """
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    _check_lengths(lengths)
    batch = _Batch(_encode(sequences, lengths), np.cumsum(lengths) - lengths, lengths)
    structures = [""] * len(lengths)
    energies = np.zeros(len(lengths), np.float32)
    order = np.argsort(lengths, kind="stable")[np.count_nonzero(lengths == 0) :]
    folders = _Folders(parameters or default_turner(), longest=int(lengths.max(initial=1)), lanes=LANES)
    for start in range(0, len(order), LANES):
        group = order[start : start + LANES]
        texts, dcal = folders.fold(batch, group)
        energies[group] = dcal / 100
        for k, text in zip(group.tolist(), texts, strict=True):
            structures[k] = text
    return BatchFolded(structures, energies)


class _Batch(NamedTuple):
    """Base codes of all sequences one after the other, where each starts, and its length."""

    codes: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray


def _check_lengths(lengths: np.ndarray) -> None:
    if lengths.max(initial=0) > MAX_LENGTH:
        number = int(np.argmax(lengths > MAX_LENGTH))
        raise InputError(
            f"sequence {number + 1} of the batch has {lengths[number]} nt, more than {MAX_LENGTH}: "
            "cut it, or fold it with the folder 'vienna'."
        )


def _encode(sequences: Sequence[str], lengths: np.ndarray) -> np.ndarray:
    """Codes of all sequences, uint8: 0-4 = N A C G U."""
    letters = np.frombuffer("".join(sequences).encode("ascii", "replace"), np.uint8)
    codes = _CODES[letters]
    if codes.max(initial=0) == _UNKNOWN:
        place = int(np.argmax(codes == _UNKNOWN))
        number = int(np.searchsorted(np.cumsum(lengths), place, side="right"))
        letter = "".join(sequences)[place]
        raise InputError(f"sequence {number + 1} of the batch holds {letter!r}: only letters can be folded.")
    return codes


class _Folder:
    """Folds groups with one number type; its arrays serve every group of a batch."""

    def __init__(self, tables: FoldTables, *, longest: int, lanes: int, dtype: type):
        self._tables = tables
        self._energies, self._scratch = new_arrays(longest, lanes, dtype)
        self._is_narrow = dtype is np.int16
        self._stack = np.empty((longest + 2, 3), np.int64)

    def fold(self, batch: _Batch, group: np.ndarray) -> tuple[list[str], np.ndarray, int]:
        """Structures and energies (0.01 kcal/mol) of the sequences numbered in ``group``.

        Also the lowest energy of any segment: below -16000, the others mean nothing in 16 bits.
        """
        lengths, lanes = batch.lengths[group], len(group)
        n = int(lengths.max())
        codes = np.empty((n + 2) * lanes, np.uint8)
        arrange(group, batch.starts, batch.lengths, batch.codes, n, codes)
        lowest = fill_group(lanes, n, codes, self._tables, self._scratch, self._energies)
        if self._is_narrow and lowest < _LOWEST_16_BIT:
            return [], lengths, lowest
        structures = np.empty((lanes, n), np.uint8)
        trace_group(lanes, lengths, codes, self._tables, self._energies, self._stack, structures)
        text = structures.tobytes().decode("ascii")
        texts = [text[lane * n : lane * n + length] for lane, length in enumerate(lengths.tolist())]
        return texts, self._energies.prefix[lengths, np.arange(lanes)], lowest


class _Folders:
    """A folder in 16 bits and, made when first needed, one in 32 bits for energies that 16 bits cannot hold."""

    def __init__(self, turner: Turner, *, longest: int, lanes: int):
        self._tables = fold_tables(turner, max_length=MAX_LENGTH)
        self._size = {"longest": longest, "lanes": lanes}
        self._narrow = _Folder(self._tables, **self._size, dtype=np.int16)
        self._wide: _Folder | None = None

    def fold(self, batch: _Batch, group: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Structures and energies (0.01 kcal/mol) of the sequences numbered in ``group``."""
        texts, energies, lowest = self._narrow.fold(batch, group)
        if lowest < _LOWEST_16_BIT:
            self._wide = self._wide or _Folder(self._tables, **self._size, dtype=np.int32)
            texts, energies, _ = self._wide.fold(batch, group)
        return texts, energies
