"""The GPU folder answers as RNAfold: on a GPU where there is one, and in any case in numba's CUDA simulator."""

import numpy as np
import pytest
import RNA
from numba import cuda

from helpers_cuda import simulated
from mirsweep.scanner import InputError
from mirsweep.scanner.batchfold import fold_batch
from mirsweep.scanner.cudafold import fold_cuda, fold_cuda_texts
from mirsweep.scanner.foldinput import Nesting

SIMULATED = """
import numpy as np
from mirsweep.scanner import InputError, _cudafold_kernels, cudafold
from mirsweep.scanner.fold import fold_texts
from mirsweep.scanner.foldinput import Nesting
from mirsweep.texts import texts_of
cudafold.WARPS, cudafold.WARP, cudafold.SHARED_BYTES = 12, 4, 132 * 2 * 20
rng = np.random.default_rng(0)
sequences = ["".join(rng.choice(list("ACGU"), length)) for length in (1, 4, 5, 13, 18, 24)]
sequences += ["GGGGAAAACCCC", "GGGCAGGAAACCAGCGAAAGCAGCCC", "", "GGNGCUUCGGCNCC", "GGCACGAAAGGCACC", "CCUCGGAUACGAGAGG"]
sequences += ["GGGGCCCCGAAAGGGGCCCC"]
folded = cudafold.fold_cuda(sequences)
_cudafold_kernels.LOWEST_16_BIT = -500
again, used = cudafold._Folder.fold, []
def fold(folder, numbers, dtype):
    used.append((dtype, len(numbers)))
    again(folder, numbers, dtype)
cudafold._Folder.fold = fold
in_32_bits = cudafold.fold_cuda(sequences)
assert in_32_bits.structures == folded.structures and np.array_equal(in_32_bits.energies, folded.energies)
assert {dtype for dtype, _ in used} == {np.int16, np.int32}

try:
    cudafold.fold_cuda(["", "GGGAAACCC", "GGGA1ACCC"])
    assert False, "folded"
except InputError as error:
    assert "sequence 3 of the batch holds '1'" in str(error)

whole = ["GGCACGAAAGGCACC", "GGGGCCCCGAAAGGGGCCCC", "GGNGCUUCGGCNCC", "", "AGGCAGGAAACCAGCGAAAGCAGCCCA"]
places = [(2, 0, 14), (0, 3, 12), (0, 0, 15), (1, 4, 19), (0, 15, 15), (3, 0, 0), (2, 3, 11), (1, 0, 16), (1, 1, 20)]
places += [(4, 1, 26), (4, 4, 23), (4, 5, 14), (2, 2, 4)]
sequences += whole[:2] + [whole[owner][first:end] for owner, first, end in places] + whole[2:]
place = lambda owner: len(folded.structures) + owner + (len(places) if owner > 1 else 0)
owners = np.arange(len(sequences))
firsts = np.zeros(len(sequences), int)
owners[place(1) + 1 : place(2)] = [place(owner) for owner, _, _ in places]
firsts[place(1) + 1 : place(2)] = [first for _, first, _ in places]
texts, nesting = texts_of(sequences), Nesting(owners, firsts)
used.clear()
in_32_bits = fold_texts(texts, engine="cuda", nesting=nesting)
assert sum(n for dtype, n in used if dtype is np.int16) == np.count_nonzero(texts.lengths) - len(places) + 2, used
assert 0 < sum(n for dtype, n in used if dtype is np.int32) < 10, used
_cudafold_kernels.LOWEST_16_BIT = -16000
used.clear()
folded = fold_texts(texts, engine="cuda", nesting=nesting)
assert {dtype for dtype, _ in used} == {np.int16}
assert list(in_32_bits.structures) == list(folded.structures)
assert np.array_equal(in_32_bits.energies, folded.energies)
print(*folded.structures, sep=",")
print(*np.rint(100 * folded.energies).astype(int), sep=",")
print(*sequences, sep=",")
"""


def test_simulated_gpu():
    """In the simulator each GPU thread is a thread of Python, so few and short sequences have to do."""
    structures, energies, sequences = (line.split(",") for line in simulated(SIMULATED, compiles=False).splitlines())
    assert len(sequences) == 31
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


@pytest.mark.skipif(not cuda.is_available(), reason="no NVIDIA GPU with driver and NVVM here")
def test_parts_of_others_on_the_gpu():
    rng = np.random.default_rng(2)
    whole = [
        "".join(rng.choice(list("ACGUN"), length, p=[0.2, 0.29, 0.29, 0.2, 0.02])) for length in [100, 33, 250] * 99
    ]
    whole += ["".join(rng.choice(list("GC"), 400)) for _ in range(20)] + [""]
    owners = rng.integers(0, len(whole), 5 * len(whole))
    firsts = np.array([rng.integers(0, len(whole[owner]) + 1) for owner in owners])
    ends = np.array([rng.integers(first, len(whole[owner]) + 1) for owner, first in zip(owners, firsts, strict=True)])
    firsts[::9], ends[::9] = 0, [len(whole[owner]) for owner in owners[::9]]
    parts = [whole[owner][first:end] for owner, first, end in zip(owners, firsts, ends, strict=True)]
    nesting = Nesting(np.append(np.arange(len(whole)), owners), np.append(np.zeros(len(whole), np.int64), firsts))
    folded, expected = fold_cuda_texts(whole + parts, nesting=nesting), fold_batch(whole + parts)
    assert list(folded.structures) == expected.structures
    assert np.array_equal(folded.energies, expected.energies)
    assert expected.energies[owners[np.array(list(map(len, parts))) > 100]].min() < -160, "beyond 16 bits"


@pytest.mark.skipif(cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_another_folder_is_named():
    with pytest.raises(InputError, match="choose 'batch'"):
        fold_cuda(["GGGGAAAACCCC"])
