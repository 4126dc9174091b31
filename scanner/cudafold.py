"""Minimum-free-energy folding on an NVIDIA GPU, with the same answers as the batched fold engine of the CPU."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numba import cuda

from mirsweep.cuda_kernels import few_are_few
from mirsweep.scanner._cudafold_kernels import CONTEXT_ROWS, Parts, Work, fold_sequences, n_rows
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.foldinput import MAX_LENGTH, Folded, FoldedTexts, FoldInput, Nesting, read_input
from mirsweep.scanner.foldtables import FoldTables, fold_tables
from mirsweep.scanner.turner import FORBIDDEN, Turner, default_turner
from mirsweep.texts import Texts

__all__ = ["fold_cuda", "fold_cuda_texts"]

WARP = 32
"""Threads that step together: sequences share a launch whose lengths round up to the same number of warps."""
BLOCKS = 1024
"""Most sequences in work at once: several for each multiprocessor."""
_WORK_BYTES = 2**31
"""Most memory for work arrays."""


def fold_cuda(sequences: Sequence[str], *, parameters: Turner | None = None) -> Folded:
    """Fold each sequence on its own on the GPU; as ``mirsweep.scanner.batchfold.fold_batch``, which see.

    Raises
    ------
    InputError
        If there is no usable GPU, or a sequence is longer than 400 nt or holds something else than letters.
    """
    return fold_cuda_texts(sequences, parameters=parameters).as_folded()


def fold_cuda_texts(
    sequences: Sequence[str], *, parameters: Turner | None = None, nesting: Nesting | None = None
) -> FoldedTexts:
    """The same, without a Python string for each sequence and structure.

    Parameters
    ----------
    nesting
        Which sequences are parts of others: these are folded with less work. The results are the same.
    """
    batch = read_input(sequences)
    if not cuda.is_available():
        raise InputError("the fold engine 'cuda' needs an NVIDIA GPU with its driver: choose 'batch' here.")
    if not len(batch.codes):
        return FoldedTexts(
            Texts(np.empty(0, np.uint8), np.append(batch.starts, 0)), np.zeros(len(batch.lengths), np.float32)
        )
    owners = np.arange(len(batch.lengths)) if nesting is None else nesting.owners
    folder = _Folder(batch, _parts(owners, nesting, batch.lengths), _tables(parameters or default_turner()))
    whole = batch.by_length()[::-1]
    whole = whole[owners[whole] == whole]
    for numbers in _by_warps(whole, batch.lengths):
        folder.fold(numbers, np.int16)
    energies = folder.energies()
    if (is_overflowing := energies == FORBIDDEN).any():
        for numbers in _by_warps(whole[is_overflowing[whole]], batch.lengths):
            folder.fold(numbers, np.int32)
        energies = folder.energies()
    structures = Texts(folder.structures(), np.append(batch.starts, len(batch.codes)))
    return FoldedTexts(structures, (energies / 100).astype(np.float32))


@lru_cache(maxsize=4)
def _tables(turner: Turner) -> FoldTables:
    return FoldTables(*map(cuda.to_device, fold_tables(turner, max_length=MAX_LENGTH)))


def _parts(owners: np.ndarray, nesting: Nesting | None, lengths: np.ndarray) -> Parts:
    """Those of each sequence: itself, unless it is empty, and all that lie within it."""
    numbers = np.argsort(owners, kind="stable")
    numbers = numbers[lengths[numbers] > 0]
    counts = np.bincount(owners[numbers], minlength=len(owners))
    firsts = np.zeros(len(numbers), np.int32) if nesting is None else nesting.firsts[numbers]
    return Parts(*(array.astype(np.int32) for array in (np.append(0, np.cumsum(counts)), numbers, firsts)))


def _by_warps(order: np.ndarray, lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Sequences, sorted by length, in groups of as many warps."""
    bounds = np.flatnonzero(np.diff(-(-lengths[order] // WARP))) + 1
    yield from (part for part in np.split(order, bounds) if len(part))


class _Folder:
    """A batch on the GPU, with its results so far."""

    def __init__(self, batch: FoldInput, parts: Parts, tables: FoldTables):
        self._batch, self._tables = batch, tables
        self._input = tuple(map(cuda.to_device, (batch.codes, batch.starts, batch.lengths)))
        self._parts = Parts(*map(cuda.to_device, parts))
        self._structures = cuda.device_array(len(batch.codes), np.uint8)
        self._energies = cuda.to_device(np.zeros(len(batch.lengths), np.int32))

    def fold(self, numbers: np.ndarray, dtype: type) -> None:
        """Fold some sequences and their parts, with energies of this type; where it cannot hold these, all get
        FORBIDDEN."""
        n = int(self._batch.lengths[numbers].max())
        of_block = n * (n_rows(n) * np.dtype(dtype).itemsize + CONTEXT_ROWS)
        blocks = max(1, min(len(numbers), BLOCKS, _WORK_BYTES // of_block))
        work = Work(
            cuda.device_array((blocks, n_rows(n), n), dtype),
            cuda.device_array((blocks, CONTEXT_ROWS, n), np.uint8),
            cuda.device_array((blocks, n + 1), np.int32),
            cuda.device_array((blocks, n + 2), np.uint8),
            cuda.device_array((blocks, n + 2, 3), np.int32),
        )
        order = cuda.to_device(numbers.astype(np.int32))
        threads = -(-n // WARP) * WARP
        with few_are_few():
            fold_sequences[blocks, threads](
                *self._input, order, self._parts, self._tables, work, self._structures, self._energies
            )

    def structures(self) -> np.ndarray:
        """ASCII, uint8, where the codes of their sequences are."""
        return self._structures.copy_to_host()

    def energies(self) -> np.ndarray:
        """Of all sequences, 0.01 kcal/mol, int32."""
        return self._energies.copy_to_host()
