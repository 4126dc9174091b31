"""Minimum-free-energy folding on an NVIDIA GPU, with the same answers as the batched fold engine of the CPU."""

from collections.abc import Iterator, Sequence

import numpy as np
from numba import cuda

from mirsweep.scanner._cudafold_kernels import SPLIT_ROWS, fold_sequences
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.foldinput import MAX_LENGTH, Folded, FoldedSoFar, FoldedTexts, FoldInput, read_input
from mirsweep.scanner.foldtables import END, FoldTables, fold_tables
from mirsweep.scanner.turner import Turner, default_turner

__all__ = ["fold_cuda", "fold_cuda_texts"]

THREADS = 64
"""Threads a block. This and BLOCKS are reckoned, not measured: windows of 100 nt have up to 96 segments a diagonal."""
BLOCKS = 2048
"""Most sequences in work at once: some 15 for each multiprocessor of a large GPU."""
_WORK_BYTES = 2**31
"""Most memory for work arrays."""
_BUCKET = 65_536
"""Sequences of nearly equal length that one launch folds."""


def fold_cuda(sequences: Sequence[str], *, parameters: Turner | None = None) -> Folded:
    """Fold each sequence on its own on the GPU; as ``mirsweep.scanner.batchfold.fold_batch``, which see.

    Raises
    ------
    InputError
        If there is no usable GPU, or a sequence is longer than 400 nt or holds something else than letters.
    """
    return fold_cuda_texts(sequences, parameters=parameters).as_folded()


def fold_cuda_texts(sequences: Sequence[str], *, parameters: Turner | None = None) -> FoldedTexts:
    """The same, without a Python string for each sequence and structure."""
    batch = read_input(sequences)
    if not cuda.is_available():
        raise InputError("the fold engine 'cuda' needs an NVIDIA GPU with its driver: choose 'batch' here.")
    done = FoldedSoFar(batch)
    tables = FoldTables(*map(cuda.to_device, fold_tables(parameters or default_turner(), max_length=MAX_LENGTH)))
    for group in _buckets(batch):
        done.put(group, *_fold_bucket(batch, group, tables))
    return done.result()


def _buckets(batch: FoldInput) -> Iterator[np.ndarray]:
    order = batch.by_length()
    for start in range(0, len(order), _BUCKET):
        yield order[start : start + _BUCKET]


def _with_ends(batch: FoldInput, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes of a group one after the other, END before and after each sequence; and where each of these starts."""
    sizes = batch.lengths[group] + 2
    starts = np.cumsum(sizes) - sizes
    codes = np.full(int(sizes.sum()), END, np.uint8)
    for start, number in zip(starts.tolist(), group.tolist(), strict=True):
        first, length = batch.starts[number], batch.lengths[number]
        codes[start + 1 : start + 1 + length] = batch.codes[first : first + length]
    return codes, starts


def _fold_bucket(batch: FoldInput, group: np.ndarray, tables: FoldTables) -> tuple[np.ndarray, np.ndarray]:
    """Structures (ASCII, uint8, shape (k, longest)) and energies (0.01 kcal/mol) of the sequences of a bucket."""
    lengths = batch.lengths[group]
    n = int(lengths.max())
    blocks = max(1, min(len(group), BLOCKS, _WORK_BYTES // (13 * n * n)))
    codes, starts = _with_ends(batch, group)
    structures = cuda.device_array((len(group), n), np.uint8)
    energies = cuda.device_array(len(group), np.int32)
    fold_sequences[blocks, THREADS](
        cuda.to_device(codes),
        cuda.to_device(starts),
        cuda.to_device(lengths),
        tables,
        *(cuda.device_array((blocks, n, n), np.int32) for _ in range(3)),
        cuda.device_array((blocks, n + 1, 1), np.int32),
        cuda.device_array((blocks, n, n), np.uint8),
        cuda.device_array((blocks, SPLIT_ROWS, n), np.int32),
        cuda.device_array((blocks, n + 2, 3), np.int64),
        structures,
        energies,
    )
    return structures.copy_to_host(), energies.copy_to_host()
