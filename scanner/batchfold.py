"""Minimum-free-energy folding of many short sequences side by side, with RNAfold's answers.

One sequence a lane: every step of the dynamic programme is a vector operation over the sequences of a group and
the starts of a diagonal. Sequences are grouped by length; a sequence's result never depends on its group.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mirsweep.scanner._batchfold_arrays import LOWEST_16_BIT, new_arrays
from mirsweep.scanner._batchfold_fill_kernels import arrange, fill_group
from mirsweep.scanner._batchfold_nested_kernels import trace_nested
from mirsweep.scanner._batchfold_trace_kernels import trace_group
from mirsweep.scanner.foldinput import MAX_LENGTH, Folded, FoldedSoFar, FoldedTexts, FoldInput, Nesting, read_input
from mirsweep.scanner.foldtables import FoldTables, fold_tables
from mirsweep.scanner.turner import Turner, default_turner

__all__ = ["fill_nothing", "fold_batch", "fold_batch_texts", "trace_nothing"]

LANES = 16
"""Sequences side by side. Of 8, 16, 32 and 64, 16 was fastest or within a tenth of it at 60 to 400 nt (Zen 5)."""


def fold_batch(sequences: Sequence[str], *, parameters: Turner | None = None) -> Folded:
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
    return fold_batch_texts(sequences, parameters=parameters).as_folded()


def fold_batch_texts(
    sequences: Sequence[str], *, parameters: Turner | None = None, nesting: Nesting | None = None
) -> FoldedTexts:
    """The same, without a Python string for each sequence and structure.

    Parameters
    ----------
    nesting
        Which sequences are parts of others: these are folded with less work. The results are the same.
    """
    batch = read_input(sequences)
    done = FoldedSoFar(batch)
    inner = _Inner(nesting, batch.lengths)
    order = batch.by_length()
    order = order[inner.is_own[order]]
    folders = _Folders(parameters or default_turner(), longest=int(batch.lengths.max(initial=1)), lanes=LANES)
    for start in range(0, len(order), LANES):
        group = order[start : start + LANES]
        parts = inner.of(group)
        done.put(np.concatenate((group, parts.numbers)), *folders.fold(batch, group, parts))
    return done.result()


class _Parts(NamedTuple):
    """Sequences within those of a group: their numbers, the lanes of the others, and where they begin there."""

    numbers: np.ndarray
    lanes: np.ndarray
    firsts: np.ndarray


class _Inner:
    """Sequences within others, by these."""

    def __init__(self, nesting: Nesting | None, lengths: np.ndarray):
        numbers = np.arange(len(lengths))
        owners = numbers if nesting is None else nesting.owners
        self.is_own = owners == numbers
        inner = np.flatnonzero(~self.is_own & (lengths > 0))
        self._numbers = inner[np.argsort(owners[inner], kind="stable")]
        self._owners = owners[self._numbers]
        self._firsts = np.empty(0, np.int64) if nesting is None else nesting.firsts[self._numbers]

    def of(self, group: np.ndarray) -> _Parts:
        """Those within the sequences of a group."""
        bounds = np.searchsorted(self._owners, (group, group + 1))
        counts = bounds[1] - bounds[0]
        lanes = np.repeat(np.arange(len(group)), counts)
        rows = np.arange(len(lanes)) + np.repeat(bounds[0] - np.cumsum(counts) + counts, counts)
        return _Parts(self._numbers[rows], lanes, self._firsts[rows])


class _Folder:
    """Folds groups with one number type; its arrays serve every group of a batch."""

    def __init__(self, tables: FoldTables, *, longest: int, lanes: int, dtype: type):
        self._tables = tables
        self._energies, self._scratch = new_arrays(longest, lanes, dtype)
        self._is_narrow = dtype is np.int16
        self._stack = np.empty((longest + 2, 3), np.int64)
        self._prefix = np.empty(longest + 1, np.int64)

    def fold(self, batch: FoldInput, group: np.ndarray, parts: _Parts) -> tuple[np.ndarray, np.ndarray, int]:
        """Structures (ASCII, (k, longest)) and energies (0.01 kcal/mol) of the sequences numbered in ``group``.

        Those of the parts of these sequences follow. Also the lowest energy of any segment: below -16000, the others
        mean nothing in 16 bits.
        """
        lengths = batch.lengths[group]
        codes = self.arrange(batch, group)
        lowest = self.fill(codes, lengths)
        if self._is_narrow and lowest < LOWEST_16_BIT:
            return np.empty((0, 0), np.uint8), lengths, lowest
        structures, energies = self.trace(codes, lengths), self._energies.prefix[lengths, np.arange(len(group))]
        if len(parts.numbers):
            inner = self.trace_parts(codes, lengths, parts, batch.lengths[parts.numbers])
            structures, energies = np.concatenate((structures, inner[0])), np.concatenate((energies, inner[1]))
        return structures, energies, lowest

    @staticmethod
    def arrange(batch: FoldInput, group: np.ndarray) -> np.ndarray:
        """Base codes of a group as the kernels take them."""
        n = int(batch.lengths[group].max(initial=0))
        codes = np.empty((n + 2) * len(group), np.uint8)
        arrange(group, batch.starts, batch.lengths, batch.codes, n, codes)
        return codes

    def fill(self, codes: np.ndarray, lengths: np.ndarray) -> int:
        """Fill the energy tables; the lowest energy of any segment."""
        n = int(lengths.max(initial=0))
        return fill_group(len(lengths), n, codes, self._tables, self._scratch, self._energies)

    def trace(self, codes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Structures of the group that the tables are filled with; ASCII, uint8, shape (k, longest)."""
        structures = np.empty((len(lengths), int(lengths.max(initial=0))), np.uint8)
        trace_group(len(lengths), lengths, codes, self._tables, self._energies, self._stack, structures)
        return structures

    def trace_parts(
        self, codes: np.ndarray, lengths: np.ndarray, parts: _Parts, own_lengths: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Structures and energies of parts of the sequences that the tables are filled with."""
        structures = np.empty((len(own_lengths), int(lengths.max(initial=0))), np.uint8)
        energies = np.empty(len(own_lengths), np.int64)
        places = parts.lanes, parts.firsts, own_lengths
        scratch = self._prefix, self._stack
        trace_nested(len(lengths), *places, codes, self._tables, self._energies, *scratch, structures, energies)
        return structures, energies


class _Folders:
    """A fold engine in 16 bits and, made when first needed, one in 32 bits for energies that 16 bits cannot hold."""

    def __init__(self, turner: Turner, *, longest: int, lanes: int):
        self._tables = fold_tables(turner, max_length=MAX_LENGTH)
        self._size = {"longest": longest, "lanes": lanes}
        self._narrow = _Folder(self._tables, **self._size, dtype=np.int16)
        self._wide: _Folder | None = None

    def fold(self, batch: FoldInput, group: np.ndarray, parts: _Parts) -> tuple[np.ndarray, np.ndarray]:
        """Structures (ASCII, (k, longest)) and energies (0.01 kcal/mol) of the sequences numbered in ``group``, and of
        their parts."""
        found, energies, lowest = self._narrow.fold(batch, group, parts)
        if lowest < LOWEST_16_BIT:
            self._wide = self._wide or _Folder(self._tables, **self._size, dtype=np.int32)
            found, energies, _ = self._wide.fold(batch, group, parts)
        return found, energies


def fill_nothing(dtype: type) -> None:
    """Call the kernels that fill the tables in int16 or int32, with no sequence: they are compiled or loaded."""
    folder, batch = _smallest(dtype)
    folder.fill(folder.arrange(batch, batch.by_length()), batch.lengths)


def trace_nothing(dtype: type) -> None:
    """The same for the kernels that trace back."""
    folder, batch = _smallest(dtype)
    folder.trace(np.empty(0, np.uint8), batch.lengths)
    parts = _Inner(None, batch.lengths).of(batch.lengths)
    folder.trace_parts(np.empty(0, np.uint8), batch.lengths, parts, batch.lengths)


def _smallest(dtype: type) -> tuple[_Folder, FoldInput]:
    tables = fold_tables(default_turner(), max_length=MAX_LENGTH)
    return _Folder(tables, longest=1, lanes=1, dtype=dtype), read_input([])
