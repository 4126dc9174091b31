"""The GPU folder answers as RNAfold: on a GPU where there is one, and in any case in numba's CUDA simulator."""

import os
import subprocess
import sys

import numpy as np
import pytest
import RNA
from numba import cuda

from mirsweep.scanner import InputError
from mirsweep.scanner.batchfold import fold_batch
from mirsweep.scanner.cudafold import fold_cuda

SIMULATED = """
import numpy as np
from mirsweep.scanner import _cudafold_kernels, cudafold
cudafold.BLOCKS, cudafold.WARP = 2, 4
rng = np.random.default_rng(0)
sequences = ["".join(rng.choice(list("ACGU"), length)) for length in (1, 4, 5, 13, 18, 24)]
sequences += ["GGGGAAAACCCC", "GGGCAGGAAACCAGCGAAAGCAGCCC", "", "GGNGCUUCGGCNCC", "GGCACGAAAGGCACC", "CCUCGGAUACGAGAGG"]
sequences += ["GGGGCCCCGAAAGGGGCCCC"]
folded = cudafold.fold_cuda(sequences)
_cudafold_kernels.LOWEST_16_BIT = -500
again, used = cudafold._Folder.fold, set()
def fold(folder, numbers, dtype):
    used.add(dtype)
    again(folder, numbers, dtype)
cudafold._Folder.fold = fold
in_32_bits = cudafold.fold_cuda(sequences)
assert in_32_bits.structures == folded.structures and np.array_equal(in_32_bits.energies, folded.energies)
assert used == {np.int16, np.int32}
print(*folded.structures, sep=",")
print(*np.rint(100 * folded.energies).astype(int), sep=",")
print(*sequences, sep=",")
"""


def test_simulated_gpu():
    """In the simulator each GPU thread is a thread of Python, so few and short sequences have to do."""
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SIMULATED], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    structures, energies, sequences = (line.split(",") for line in done.stdout.splitlines())
    assert len(sequences) == 13
    for sequence, structure, energy in zip(sequences, structures, energies, strict=True):
        expected = RNA.fold(sequence) if sequence else ("", 0.0)
        assert (structure, int(energy)) == (expected[0], round(100 * expected[1])), sequence


@pytest.mark.skipif(not cuda.is_available(), reason="no NVIDIA GPU with driver and NVVM here")
def test_gpu_is_as_the_cpu():
    rng = np.random.default_rng(1)
    sequences = ["".join(rng.choice(list("ACGU"), length)) for length in rng.integers(0, 200, 3000)]
    sequences += ["".join(rng.choice(list("GC"), 400)) for _ in range(20)]
    expected, folded = fold_batch(sequences), fold_cuda(sequences)
    assert folded.structures == expected.structures
    assert np.array_equal(folded.energies, expected.energies)


@pytest.mark.skipif(cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_another_folder_is_named():
    with pytest.raises(InputError, match="choose 'batch'"):
        fold_cuda(["GGGGAAAACCCC"])
