"""Minimum-free-energy folding of many short sequences side by side, with RNAfold's answers.

One sequence a lane: every step of the dynamic programme is a vector operation over the sequences of a group and
the starts of a diagonal. Sequences are grouped by length; a sequence's result never depends on its group.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mirsweep.scanner._batchfold_fill_kernels import CONTEXT_RING, RING, Energies, Scratch, fill_group
from mirsweep.scanner._batchfold_trace_kernels import trace_group
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.foldtables import END, FoldTables, fold_tables
from mirsweep.scanner.turner import Turner, default_turner

__all__ = ["MAX_LENGTH", "BatchFolded", "fold_batch"]

MAX_LENGTH = 400
"""Longest sequence, nt."""
LANES = 32
_CACHE_LINE = 64
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
    codes = [_encode(sequence, number) for number, sequence in enumerate(sequences)]
    lengths = np.array([len(code) for code in codes], np.int64)
    structures = [""] * len(codes)
    energies = np.zeros(len(codes), np.float32)
    order = np.argsort(lengths, kind="stable")[np.count_nonzero(lengths == 0) :]
    if not len(order):
        return BatchFolded(structures, energies)
    folders = _Folders(parameters or default_turner(), longest=int(lengths.max()), lanes=min(LANES, len(order)))
    for start in range(0, len(order), LANES):
        group = order[start : start + LANES]
        rows, dcal = folders.fold(_stacked([codes[k] for k in group]), lengths[group])
        energies[group] = dcal / 100
        for k, row in zip(group, rows, strict=True):
            structures[k] = row[: lengths[k]].tobytes().decode("ascii")
    return BatchFolded(structures, energies)


def _encode(sequence: str, number: int) -> np.ndarray:
    """Codes of a sequence, uint8: 0-4 = N A C G U."""
    if len(sequence) > MAX_LENGTH:
        raise InputError(
            f"sequence {number + 1} of the batch has {len(sequence)} nt, more than {MAX_LENGTH}: "
            "cut it, or fold it with the folder 'vienna'."
        )
    codes = _CODES[np.frombuffer(sequence.encode("ascii", "replace"), np.uint8)]
    if _UNKNOWN in codes:
        letter = sequence[int(np.argmax(codes == _UNKNOWN))]
        raise InputError(f"sequence {number + 1} of the batch holds {letter!r}: only letters can be folded.")
    return codes


class _Folder:
    """Folds groups with one number type; its arrays serve every group of a batch."""

    def __init__(self, tables: FoldTables, *, longest: int, lanes: int, dtype: type):
        self._tables = tables
        per_line = _CACHE_LINE // np.dtype(dtype).itemsize
        # An odd number of cache lines a row: rows read side by side then never fall on the same cache sets.
        width = (-(-(longest + 2) * lanes // per_line) | 1) * per_line

        def rows(count: int) -> np.ndarray:
            return np.empty((count, width), dtype)

        self._energies = Energies(rows(longest), rows(longest), rows(longest), np.empty((longest + 1, lanes), dtype))
        self._scratch = Scratch(
            interior=rows(RING),
            interior_1n=rows(RING),
            interior_23=rows(RING),
            bulge=rows(RING),
            nested=rows(2 * RING),
            context=np.zeros((CONTEXT_RING, width), np.uint8),
            split=rows(4),
            best=rows(4),
            hairpin=np.empty(width, dtype),
            outer=np.empty(width, np.uint8),
            able=np.empty(width, np.int32),
        )
        self._stack = np.empty((longest + 2, 3), np.int64)

    def fold(self, codes: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Structures (ASCII, shape (lanes, n)), energies (0.01 kcal/mol), and the lowest energy of any segment.

        ``codes`` has shape (n + 2, lanes), with END around each sequence.
        """
        n, lanes = len(codes) - 2, codes.shape[1]
        flat = codes.ravel()
        lowest = fill_group(lanes, n, flat, self._tables, self._scratch, self._energies)
        structures = np.empty((lanes, n), np.uint8)
        if np.iinfo(self._energies.paired.dtype).bits > 16 or lowest >= _LOWEST_16_BIT:
            trace_group(lanes, lengths, flat, self._tables, self._energies, self._stack, structures)
        return structures, self._energies.prefix[lengths, np.arange(lanes)].astype(np.int64), lowest


class _Folders:
    """A folder in 16 bits and, made when first needed, one in 32 bits for energies that 16 bits cannot hold."""

    def __init__(self, turner: Turner, *, longest: int, lanes: int):
        self._tables = fold_tables(turner, max_length=longest)
        self._size = {"longest": longest, "lanes": lanes}
        self._narrow = _Folder(self._tables, **self._size, dtype=np.int16)
        self._wide: _Folder | None = None

    def fold(self, codes: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Structures and energies of a group, as ``_Folder.fold`` returns them."""
        structures, energies, lowest = self._narrow.fold(codes, lengths)
        if lowest < _LOWEST_16_BIT:
            self._wide = self._wide or _Folder(self._tables, **self._size, dtype=np.int32)
            structures, energies, _ = self._wide.fold(codes, lengths)
        return structures, energies


def _stacked(codes: list[np.ndarray]) -> np.ndarray:
    """Codes of a group base by base, uint8, shape (longest + 2, lanes), END where a sequence has no base."""
    table = np.full((max(map(len, codes)) + 2, len(codes)), END, np.uint8)
    for lane, code in enumerate(codes):
        table[1 : 1 + len(code), lane] = code
    return table
