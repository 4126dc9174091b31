"""The best stem-loops of hairpins on an NVIDIA GPU, for the gate before folding: as on the CPU."""

import numpy as np
from numba import cuda

from mirsweep.cuda_kernels import WARP, few_are_few
from mirsweep.scanner._cudastemloop_kernels import pair_stem_loops
from mirsweep.scanner.cudaprefilter import recursion_tables
from mirsweep.scanner.stemgate import StemLoops
from mirsweep.scanner.units import UNITS_PER_KCAL

__all__ = ["find_stem_loops_cuda"]

BLOCKS = 1024
"""Most hairpins in work at once: several for each multiprocessor."""


def find_stem_loops_cuda(codes: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> StemLoops:
    """Best stem-loop of each hairpin, as ``mirsweep.scanner.stemgate.find_stem_loops``, which see."""
    lengths = ends - starts
    if not lengths.size:
        return StemLoops(np.empty(0, np.int16), np.empty(0, np.int64), np.empty(0, np.float32))
    offsets, longest = np.cumsum(lengths) - lengths, int(lengths.max())
    tables, costs = recursion_tables()
    blocks = min(BLOCKS, len(lengths))
    order = np.argsort(-lengths, kind="stable").astype(np.int32)
    given = tuple(map(cuda.to_device, (order, codes, starts, ends)))
    work = cuda.device_array((blocks, longest + 1, longest), np.int16)
    partners, energies = cuda.device_array(int(lengths.sum()), np.int16), cuda.device_array(len(lengths), np.int16)
    threads = -(-longest // WARP) * WARP
    with few_are_few():
        pair_stem_loops[blocks, threads](
            *given,
            tables.stack,
            tables.hairpin,
            costs,
            tuple(tables[1:]),
            work,
            partners,
            cuda.to_device(offsets),
            energies,
        )
    found = energies.copy_to_host()
    return StemLoops(partners.copy_to_host(), offsets, (found / UNITS_PER_KCAL).astype(np.float32))
