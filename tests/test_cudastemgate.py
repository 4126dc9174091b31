"""Stem-loops that a GPU finds are those of the CPU: on a GPU where there is one, in any case in numba's simulator."""

import numpy as np
import pytest
from numba import cuda

from helpers_cuda import simulated
from mirsweep.scanner.cudastemgate import find_stem_loops_cuda
from mirsweep.scanner.params import HairpinParams
from mirsweep.scanner.prefilter import strand_hairpins
from mirsweep.scanner.stemgate import find_stem_loops
from test_cudaprefilter import crowded

SIMULATED = """
import sys
import numpy as np
from mirsweep.scanner import _cudastemloop_kernels, cudastemgate
_cudastemloop_kernels.WARP = cudastemgate.WARP = 4
cudastemgate.BLOCKS = 2
given = np.load(sys.argv[1])
found = cudastemgate.find_stem_loops_cuda(given["codes"], given["starts"], given["ends"])
np.savez(sys.argv[2], **found._asdict())
"""


def hairpins_of(seed, n_stems, **limits):
    codes = crowded(seed, n_stems)
    options = {"min_span": 12, "per_nt": 0.05, "threshold": 4.0, "long_span": 30, "nested": True} | limits
    found = strand_hairpins(codes, HairpinParams(**options))
    return codes, found.starts, found.ends


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_simulated_gpu(tmp_path):
    """In the simulator each GPU thread is a thread of Python, so few and short hairpins have to do."""
    codes, starts, ends = hairpins_of(3, 6, max_span=48)
    few = np.random.default_rng(0).permutation(starts.size)[:6]
    starts, ends = starts[few], ends[few]
    np.savez(tmp_path / "given.npz", codes=codes, starts=starts, ends=ends)
    simulated(SIMULATED, tmp_path / "given.npz", tmp_path / "found.npz", compiles=False)
    expected = find_stem_loops(codes, starts, ends)
    assert (expected.partners >= 0).sum() > 60
    assert_same(np.load(tmp_path / "found.npz").values(), expected)


@pytest.mark.skipif(not cuda.is_available(), reason="no NVIDIA GPU with driver and NVVM here")
@pytest.mark.parametrize("max_span", [40, 150, 400])
def test_gpu_is_as_the_cpu(max_span):
    codes, starts, ends = hairpins_of(max_span, 4000, max_span=max_span)
    assert starts.size > 1000
    assert_same(find_stem_loops_cuda(codes, starts, ends), find_stem_loops(codes, starts, ends))


def test_no_hairpin_has_no_stem_loop():
    none = np.empty(0, np.int64)
    assert not find_stem_loops_cuda(np.empty(0, np.uint8), none, none).energies.size
