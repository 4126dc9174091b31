"""Minimum-free-energy folding on an NVIDIA GPU, with the same answers as the batched fold engine of the CPU."""

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import pairwise
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from mirsweep.cuda_kernels import WARP, few_are_few
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

WARPS = 32 * 132
"""Most warps in work at once: more than the registers of the largest GPUs hold."""
SHARED_BYTES = 46 * 1024
"""Shared memory for the rings of a block: any GPU gives it 48 KiB, and the kernel needs 2 beside the rings."""
_WORK_BYTES = 2**29
"""Most memory for the work arrays of a launch."""
_LAUNCHES = 4
"""Kernels that run at once: while the last sequences of one are folded, those of the next fill the GPU."""

_AT_WORK = Lock()
"""Held while a batch is folded: threads share the work arrays."""


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
    with _AT_WORK:
        folder = _Folder(texts, nesting, parameters or default_turner())
        folder.fold(whole, np.int16)
        structures = np.full(len(texts.letters), ord("."), np.uint8)  # the host gets its memory ready meanwhile
        folder.wait()
        energies = folder.energies()
        if folder.has_met_unknown():
            read_input(sequences)  # says what it is
        if (is_overflowing := energies == FORBIDDEN).any():
            folder.fold(whole[is_overflowing[whole]], np.int32)
            folder.wait()
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


class _Launch(NamedTuple):
    """Sequences of as many warps that are folded by one kernel: which of the sorted ones, and how.

    Attributes
    ----------
    part
        Which.
    n, warps, blocks
        Bases of the longest; warps of a block, and blocks.
    is_shared
        Whether the rings have room in shared memory.
    """

    part: slice
    n: int
    warps: int
    blocks: int
    is_shared: bool

    def sizes(self) -> dict[str, int]:
        """Elements of each array of ``Work``."""
        cells = self.blocks * n_rows(self.n) * self.n
        rings = 1 if self.is_shared else self.blocks * RING_ROWS * self.n
        stack = self.blocks * (self.n + 2) * 3
        return {field: {"rings": rings, "stack": stack}.get(field, cells) for field in Work._fields}


def _launches(lengths: np.ndarray, dtype: type) -> list[_Launch]:
    """Launches for sequences of such lengths, sorted."""
    bounds = np.flatnonzero(np.diff(-(-lengths // WARP))) + 1
    found, size = [], np.dtype(dtype).itemsize
    for first, last in pairwise((0, *bounds.tolist(), len(lengths))):
        n = int(lengths[first:last].max())
        warps, rings = -(-n // WARP), RING_ROWS * n * size
        is_shared = dtype is np.int16 and rings <= SHARED_BYTES
        of_block = n_rows(n) * n * (4 * size + 1) + (0 if is_shared else rings)
        blocks = max(1, min(last - first, WARPS // warps, _WORK_BYTES // of_block))
        found.append(_Launch(slice(first, last), n, warps, blocks, is_shared))
    return found


class _Room:
    """A stream, and work arrays for what is launched there, kept from batch to batch: getting them takes long."""

    def __init__(self) -> None:
        self.stream = cuda.stream()
        self._arrays: dict[tuple[str, type], Any] = {}

    def make(self, launches: Sequence[_Launch], dtype: type) -> None:
        """Have room for each of these; nothing is at work here."""
        for field in Work._fields:
            size = max(launch.sizes()[field] for launch in launches)
            key = field, _dtype_of(field, dtype)
            if key not in self._arrays or self._arrays[key].size < size:
                self._arrays.pop(key, None)
                self._arrays[key] = cuda.device_array(size, key[1])

    def work(self, launch: _Launch, dtype: type) -> Work:
        """Work arrays of a launch."""
        arrays = {field: self._arrays[field, _dtype_of(field, dtype)][:size] for field, size in launch.sizes().items()}
        return Work(**arrays | {"stack": arrays["stack"].reshape(launch.blocks, launch.n + 2, 3)})


def _dtype_of(field: str, dtype: type) -> type:
    return {"contexts": np.uint8, "stack": np.int32}.get(field, dtype)


@cache
def _rooms() -> tuple[_Room, ...]:
    return tuple(_Room() for _ in range(_LAUNCHES))


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
        """Fold sequences, sorted by length, and their parts, with energies of this type; where it cannot hold these,
        all get FORBIDDEN."""
        launches = _launches(self._lengths[numbers], dtype)
        order = cuda.to_device(numbers.astype(np.int32))
        queues = cuda.to_device(np.zeros(len(launches), np.int32))
        results = Results(self._structures, self._energies, self._is_unknown)
        rooms = _rooms()
        for k, room in enumerate(rooms[: len(launches)]):
            room.make(launches[k::_LAUNCHES], dtype)
        cuda.synchronize()  # what was sent is there for all streams
        with few_are_few():
            for k, launch in enumerate(launches):
                room = rooms[k % _LAUNCHES]
                kernel = fold_in_shared_memory if launch.is_shared else fold_sequences
                rings = RING_ROWS * launch.n * np.dtype(dtype).itemsize if launch.is_shared else 0
                kernel[launch.blocks, launch.warps * WARP, room.stream, rings](
                    self._sequences, order[launch.part], queues[k : k + 1], self._parts, *self._tables,
                    room.work(launch, dtype), results,
                )  # fmt: skip

    def wait(self) -> None:
        """Until all is folded."""
        for room in _rooms():
            room.stream.synchronize()

    def structures(self, into: np.ndarray) -> None:
        """Copy them, ASCII, uint8, to where the letters of their sequences are."""
        self._structures.copy_to_host(into)

    def energies(self) -> np.ndarray:
        """Of all sequences, 0.01 kcal/mol, int32."""
        return self._energies.copy_to_host()

    def has_met_unknown(self) -> bool:
        """Whether a sequence holds something else than letters, or several do."""
        return bool(self._is_unknown.copy_to_host()[0])
