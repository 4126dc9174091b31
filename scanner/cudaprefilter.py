"""The prefilter on an NVIDIA GPU, with the same hairpins as the CPU's."""

from functools import cache

import numpy as np
from numba import cuda

from mirsweep.cuda_kernels import few_are_few
from mirsweep.scanner import _cudaprefilter_kernels as kernels
from mirsweep.scanner._cudarecursion_kernels import Costs, costs_of
from mirsweep.scanner.energy import StemLoopEnergies, stem_loop_energies
from mirsweep.scanner.params import LONGEST_SPAN, WINDOW, HairpinParams
from mirsweep.scanner.prefilter import Hairpins, Minima, choose_hairpins
from mirsweep.scanner.units import to_units

__all__ = ["recursion_tables", "strand_hairpins_cuda"]

_MINIMA_THREADS = 256


def strand_hairpins_cuda(codes: np.ndarray, params: HairpinParams) -> Hairpins:
    """Hairpins of a strand, as ``mirsweep.scanner.prefilter.strand_hairpins``, which see.

    The GPU finds the best stem-loop from each start and the starts that are better than those around them; which of
    these compete is the CPU's work, a hundredth of it.
    """
    if not codes.size:
        return choose_hairpins([Minima(*np.empty((3, 0), np.int64))] * 2, params)
    n, own = codes.size, cuda.to_device(codes)
    best, spans = (cuda.device_array((2, n), np.int16) for _ in range(2))
    energies, costs = recursion_tables()
    limits = params.min_span, params.last_short, params.max_span
    blocks = -(-n // (kernels.THREADS - params.max_span))
    grid = -(-n // _MINIMA_THREADS), 2
    n_found = cuda.to_device(np.zeros(2, np.int32))
    found = tuple(cuda.device_array((2, n // (WINDOW + 1) + 1), np.int32) for _ in range(3))
    with few_are_few():
        kernels.best_stem_loops[blocks, kernels.THREADS](
            own, energies.stack, energies.hairpin, costs, limits, cuda.to_device(params.penalties()), best, spans
        )
        kernels.local_minima[grid, _MINIMA_THREADS](best, spans, to_units(params.threshold), WINDOW, n_found, *found)
    counts = n_found.copy_to_host().tolist()
    return choose_hairpins([_by_start(row, count, found) for row, count in enumerate(counts)], params)


@cache
def recursion_tables() -> tuple[StemLoopEnergies, Costs]:
    """What the recursion needs for stem-loops of any span: energies on the GPU, and the costs of loops."""
    energies = stem_loop_energies(LONGEST_SPAN)
    return StemLoopEnergies(*map(cuda.to_device, energies)), costs_of(energies)


def _by_start(row: int, count: int, found: tuple) -> Minima:
    """The minima that the GPU wrote in any order, by start."""
    starts, spans, energies = (column[row, :count].copy_to_host().astype(np.int64) for column in found)
    order = np.argsort(starts)
    return Minima(starts[order], (starts + spans)[order], energies[order])
