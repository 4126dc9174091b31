"""Minimum-free-energy folding on an NVIDIA GPU, with the same answers as the batched fold engine of the CPU."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numba import cuda

from mirsweep.cuda_kernels import few_are_few
from mirsweep.scanner._cudafold_kernels import (
    RING_ROWS,
    Parts,
    Results,
    Sequences,
    Work,
    fold_in_shared_memory,
    fold_sequences,
    n_rows,
)
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.foldinput import (
    CODES,
    MAX_LENGTH,
    Folded,
    FoldedTexts,
    Nesting,
    by_length,
    checked_lengths,
    read_input,
)
from mirsweep.scanner.foldtables import FoldTables, fold_tables
from mirsweep.scanner.turner import FORBIDDEN, Turner, default_turner
from mirsweep.texts import Texts, texts_of

__all__ = ["fold_cuda", "fold_cuda_texts"]

WARP = 32
"""Threads that step together: sequences share a launch whose lengths round up to the same number of warps."""
WARPS = 32 * 132
"""Most warps in work at once: more than the registers of the largest GPUs hold."""
SHARED_BYTES = 46 * 1024
"""Shared memory for the rings of a block: any GPU gives it 48 KiB, and the kernel needs 2 beside the rings."""
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
    texts = texts_of(sequences)
    lengths = checked_lengths(texts)
    if not cuda.is_available():
        raise InputError("the fold engine 'cuda' needs an NVIDIA GPU with its driver: choose 'batch' here.")
    if not len(texts.letters):
        return FoldedTexts(texts, np.zeros(len(lengths), np.float32))
    whole = by_length(lengths)[::-1]
    if nesting is not None:
        whole = whole[nesting.owners[whole] == whole]
    folder = _Folder(texts, nesting, parameters or default_turner())
    for numbers in _by_warps(whole, lengths):
        folder.fold(numbers, np.int16)
    structures = np.full(len(texts.letters), ord("."), np.uint8)  # while the GPU works, the host gets its memory ready
    energies = folder.energies()
    if folder.has_met_unknown():
        read_input(sequences)  # says what it is
    if (is_overflowing := energies == FORBIDDEN).any():
        for numbers in _by_warps(whole[is_overflowing[whole]], lengths):
            folder.fold(numbers, np.int32)
        energies = folder.energies()
    folder.structures(structures)
    return FoldedTexts(Texts(structures, texts.offsets), (energies / 100).astype(np.float32))


@lru_cache(maxsize=4)
def _tables(turner: Turner) -> tuple[np.ndarray, FoldTables]:
    """Energies of loops by size, as ``fold_sequences`` takes them, and all tables, on the device."""
    tables = fold_tables(turner, max_length=MAX_LENGTH)
    asymmetry = np.append(np.zeros(4, np.int16), tables.asymmetry[:-4])
    sizes = np.stack((tables.bulge_size, tables.interior_1n_size, asymmetry, tables.interior_size), axis=1).ravel()
    return cuda.to_device(sizes), FoldTables(*map(cuda.to_device, tables))


def _parts(nesting: Nesting | None, lengths: np.ndarray) -> Parts:
    """Those of each sequence: itself, unless it is empty, and all that lie within it."""
    if nesting is None:
        numbers, counts = np.flatnonzero(lengths), np.minimum(lengths, 1)
        firsts = np.zeros(len(numbers))
    else:
        numbers = np.argsort(nesting.owners, kind="stable")
        numbers = numbers[lengths[numbers] > 0]
        counts = np.bincount(nesting.owners[numbers], minlength=len(lengths))
        firsts = nesting.firsts[numbers]
    return Parts(*(array.astype(np.int32) for array in (np.append(0, np.cumsum(counts)), numbers, firsts)))


def _by_warps(order: np.ndarray, lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Sequences, sorted by length, in groups of as many warps."""
    bounds = np.flatnonzero(np.diff(-(-lengths[order] // WARP))) + 1
    yield from (part for part in np.split(order, bounds) if len(part))


class _Folder:
    """A batch on the GPU, with its results so far."""

    def __init__(self, texts: Texts, nesting: Nesting | None, turner: Turner):
        self._lengths, self._tables = texts.lengths, _tables(turner)
        arrays = np.ascontiguousarray(texts.letters), CODES, np.ascontiguousarray(texts.offsets[:-1]), self._lengths
        self._sequences = Sequences(*map(cuda.to_device, arrays))
        self._parts = Parts(*map(cuda.to_device, _parts(nesting, self._lengths)))
        self._structures = cuda.device_array(len(texts.letters), np.uint8)
        self._energies = cuda.to_device(np.zeros(len(self._lengths), np.int32))
        self._is_unknown = cuda.to_device(np.zeros(1, np.int32))

    def fold(self, numbers: np.ndarray, dtype: type) -> None:
        """Fold some sequences and their parts, with energies of this type; where it cannot hold these, all get
        FORBIDDEN."""
        n = int(self._lengths[numbers].max())
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
            cuda.device_array((blocks, n + 2, 3), np.int32),
        )
        results = Results(self._structures, self._energies, self._is_unknown)
        order, queue = cuda.to_device(numbers.astype(np.int32)), cuda.to_device(np.zeros(1, np.int32))
        kernel = fold_in_shared_memory if is_shared else fold_sequences
        with few_are_few():
            kernel[blocks, warps * WARP, 0, rings if is_shared else 0](
                self._sequences, order, queue, self._parts, *self._tables, work, results
            )

    def structures(self, into: np.ndarray) -> None:
        """Copy them, ASCII, uint8, to where the letters of their sequences are."""
        self._structures.copy_to_host(into)

    def energies(self) -> np.ndarray:
        """Of all sequences, 0.01 kcal/mol, int32."""
        return self._energies.copy_to_host()

    def has_met_unknown(self) -> bool:
        """Whether a sequence holds something else than letters, or several do."""
        return bool(self._is_unknown.copy_to_host()[0])
