"""Mature sequences that the GPU's kernel decodes are those of the CPU's; here in numba's simulator.

``test_genome_on_device`` compares them where there is a GPU.
"""

from helpers_cuda import simulated

SIMULATED = """
import numpy as np
from mirsweep.model import _cudaarms_kernels as kernels
from mirsweep.model.arms import LENGTHS_NT, WITHIN_NT, decode_ends
from test_arms import random_arm, random_weights
n_found = 0
for seed in range(12):
    rng = np.random.default_rng(seed)
    n, width, weights = 4, 50, random_weights(rng)
    n_bases = rng.integers(12 if seed % 2 else 0, 45, (n, 2))
    n_bases[:, 0] += n_bases.sum(1) == 0
    ends = rng.normal(scale=rng.choice([0.1, 1, 4]), size=(n, 4, width)).astype(np.float32)
    ends -= np.logaddexp.reduce(ends, axis=2, keepdims=True)
    if seed == 3:
        ends[:] = ends[0, 0, 0]  # all sums tie
    places = np.full((n, width, 2), -1, np.int16)
    columns = []
    for k, (n5, n3) in enumerate(n_bases.tolist()):
        for row, (size, first) in enumerate(((n5, 0), (n3, n5))):
            places[k, :, row] = random_arm(rng, width, size, first, is_5p=row == 0)
        where, rows = np.nonzero(places[k] >= 0)
        columns.append(where[np.argsort(places[k][where, rows])])
    expected = decode_ends(places, np.zeros(n, np.int64), ends, weights)
    order = rng.permutation(n)
    sizes = n_bases.sum(1)
    facts = np.column_stack([np.full(n, width), n_bases[:, 0], n_bases[:, 0], sizes])[order]
    firsts = np.cumsum(sizes) - sizes
    spans, near = np.full((n, 4), -1, np.int16), np.zeros((n, 4), np.float32)
    kernels.decode_hairpins[2, 3](
        order, facts, firsts, np.concatenate(columns), ends[order],
        (LENGTHS_NT[0], weights.lengths, weights.overhangs), WITHIN_NT, np.empty((n, sizes.max())), spans, near,
    )
    assert np.array_equal(spans, expected.spans[order]), seed
    assert np.allclose(near, expected.near[order], rtol=1e-6), seed
    n_found += (spans >= 0).sum()
print(n_found)
"""


def test_arms_are_those_of_the_cpu():
    assert int(simulated(SIMULATED)) > 80
