"""The prefilter on a GPU finds what the CPU's finds: on a GPU where there is one, in any case in numba's simulator."""

import numpy as np
import pytest
from numba import cuda

from helpers_cuda import simulated
from mirsweep.scanner.cudaprefilter import strand_hairpins_cuda
from mirsweep.scanner.params import PRESETS, HairpinParams, preset_params
from mirsweep.scanner.prefilter import strand_hairpins

SIMULATED = """
import numpy as np
from mirsweep.scanner import _cudaprefilter_kernels as kernels
from mirsweep.scanner import cudaprefilter
from mirsweep.scanner.params import HairpinParams
from mirsweep.scanner.prefilter import strand_hairpins
from test_cudaprefilter import crowded
kernels.THREADS = 48
kernels._COLUMNS = 48 + kernels.REACH
kernels._RINGS_SIZE = kernels.ROWS * kernels._COLUMNS
cudaprefilter._MINIMA_THREADS = 16
options = {"min_span": 10, "max_span": 38, "per_nt": 0.15, "threshold": -1.0, "long_penalty": 1.0, "long_span": 22}
n_found = 0
for seed, n_stems, nested in ((1, 3, True), (2, 2, False)):
    codes, params = crowded(seed, n_stems), HairpinParams(**options, nested=nested)
    if seed == 1:
        codes[[5, 40]] = 4
    expected, found = strand_hairpins(codes, params), cudaprefilter.strand_hairpins_cuda(codes, params)
    assert all(np.array_equal(*columns) for columns in zip(expected, found, strict=True)), seed
    n_found += len(found.starts)
print(n_found)
"""


def crowded(seed, n_stems):
    """Codes of stems one after another, with bulges, loops of all kinds, or nothing between them."""
    rng = np.random.default_rng(seed)
    pieces = []
    for n_pairs in rng.integers(5, 16, n_stems):
        arm = rng.integers(0, 4, n_pairs)
        other = list(3 - arm[::-1])
        for _ in range(rng.integers(0, 3)):
            at = rng.integers(1, len(other))
            other[at:at] = rng.integers(0, 4, rng.integers(1, 5))
        pieces += [arm, rng.integers(0, 4, rng.integers(3, 9)), other, rng.integers(0, 4, rng.integers(0, 9))]
    return np.concatenate(pieces).astype(np.uint8)


def test_simulated_gpu():
    """In the simulator each GPU thread is a thread of Python, so few and short strands have to do."""
    assert int(simulated(SIMULATED)) >= 4


@pytest.mark.skipif(not cuda.is_available(), reason="no NVIDIA GPU with driver and NVVM here")
@pytest.mark.parametrize("preset", PRESETS)
def test_gpu_is_as_the_cpu(preset):
    params = preset_params(preset)
    rng = np.random.default_rng(1)
    random = rng.integers(0, 4, 300_000).astype(np.uint8)
    random[rng.integers(0, random.size, 30)] = 4
    for codes in (random, crowded(2, 3000), random[:100], random[:1], random[:0]):
        expected, found = strand_hairpins(codes, params), strand_hairpins_cuda(codes, params)
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)


def test_nothing_is_found_in_nothing():
    assert not len(strand_hairpins_cuda(np.empty(0, np.uint8), HairpinParams()).starts)
