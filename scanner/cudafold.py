"""Minimum-free-energy folding on an NVIDIA GPU, with the same answers as the batched fold engine of the CPU."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numba import cuda

from mirsweep.cuda_kernels import few_are_few
from mirsweep.scanner._cudafold_kernels import RING_ROWS, Parts, Work, fold_in_shared_memory, fold_sequences, n_rows
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.foldinput import MAX_LENGTH, Folded, FoldedTexts, FoldInput, Nesting, read_input
from mirsweep.scanner.foldtables import FoldTables, fold_tables
from mirsweep.scanner.turner import FORBIDDEN, Turner, default_turner
from mirsweep.texts import Texts

__all__ = ["fold_cuda", "fold_cuda_texts"]

WARP = 32
"""Threads that step together: sequences share a launch whose lengths round up to the same number of warps."""
WARPS = 32 * 132
"""Most warps in work at once: more than the registers of the largest GPUs hold."""
SHARED_BYTES = 48 * 1024 - 64
"""Shared memory that a block may have on any GPU, less what the kernel needs beside the rings."""
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
def _tables(turner: Turner) -> tuple[np.ndarray, FoldTables]:
    """Energies of loops by size, as ``fold_sequences`` takes them, and all tables, on the device."""
    tables = fold_tables(turner, max_length=MAX_LENGTH)
    asymmetry = np.append(np.zeros(4, np.int16), tables.asymmetry[:-4])
    sizes = np.stack((tables.bulge_size, tables.interior_1n_size, asymmetry, tables.interior_size), axis=1).ravel()
    return cuda.to_device(sizes), FoldTables(*map(cuda.to_device, tables))


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

    def __init__(self, batch: FoldInput, parts: Parts, tables: tuple[np.ndarray, FoldTables]):
        self._batch, self._tables = batch, tables
        self._input = tuple(map(cuda.to_device, (batch.codes, batch.starts, batch.lengths)))
        self._parts = Parts(*map(cuda.to_device, parts))
        self._structures = cuda.device_array(len(batch.codes), np.uint8)
        self._energies = cuda.to_device(np.zeros(len(batch.lengths), np.int32))

    def fold(self, numbers: np.ndarray, dtype: type) -> None:
        """Fold some sequences and their parts, with energies of this type; where it cannot hold these, all get
        FORBIDDEN."""
        n = int(self._batch.lengths[numbers].max())
        warps = -(-n // WARP)
        rings = RING_ROWS * n * np.dtype(dtype).itemsize
        is_shared = dtype is np.int16 and rings <= SHARED_BYTES
        of_block = n_rows(n) * n * (4 * np.dtype(dtype).itemsize + 1) + (0 if is_shared else rings)
        blocks = max(1, min(len(numbers), WARPS // warps, _WORK_BYTES // of_block))
        cells = blocks * n_rows(n) * n
        work = Work(
            cuda.device_array(cells, dtype),
            cuda.device_array(cells, dtype),
            cuda.device_array(cells, dtype),
            cuda.device_array(cells, dtype),
            cuda.device_array(cells, np.uint8),
            cuda.device_array(1 if is_shared else blocks * RING_ROWS * n, dtype),
            cuda.device_array((blocks, n + 1), np.int32),
            cuda.device_array((blocks, n + 2), np.uint8),
            cuda.device_array((blocks, n + 2, 3), np.int32),
        )
        order, queue = cuda.to_device(numbers.astype(np.int32)), cuda.to_device(np.zeros(1, np.int32))
        kernel = fold_in_shared_memory if is_shared else fold_sequences
        with few_are_few():
            kernel[blocks, warps * WARP, 0, rings if is_shared else 0](
                *self._input, order, queue, self._parts, *self._tables, work, self._structures, self._energies
            )

    def structures(self) -> np.ndarray:
        """ASCII, uint8, where the codes of their sequences are."""
        return self._structures.copy_to_host()

    def energies(self) -> np.ndarray:
        """Of all sequences, 0.01 kcal/mol, int32."""
        return self._energies.copy_to_host()
