"""Hairpins that are changed keep their structure, and only as much is changed as asked for."""

import numpy as np
import pytest
import torch

from helpers_model import random_examples
from mirsweep.model.genome_examples import lay_out_examples
from mirsweep.model.mutation import mutate
from mirsweep.model.stem import EMPTY

PAIRS = {"AU", "UA", "CG", "GC", "GU", "UG"}


@pytest.fixture(scope="module")
def rows():
    examples = random_examples(np.random.default_rng(3), 400, 1)
    tokens = lay_out_examples(examples, EMPTY, {}, np.ones(400, bool)).tokens
    return [torch.from_numpy(tokens[..., k].astype(np.int64)) for k in (0, 1)]


def kinds(row):
    return torch.where((row > 0) & (row <= 16), (row - 1) // 4, row)


def bases(row):
    return (row - 1) % 4


def is_pair(left, right):
    return (kinds(left) == 1) & (kinds(right) == 1) & (left > 0) & (right > 0) & (left <= 16) & (right <= 16)


def test_kinds_flanks_and_pairing_stay(rows):
    left, right = rows
    torch.manual_seed(1)
    found = mutate(left, right, torch.ones(len(left)))
    for before, after in zip(rows, found, strict=True):
        assert torch.equal(kinds(before), kinds(after))
        beyond = (before == 0) | (before > 16)
        assert torch.equal(before[beyond], after[beyond])
    paired = is_pair(left, right)
    both = {"ACGU"[a] + "ACGU"[b] for a, b in zip(*(bases(row)[paired].tolist() for row in found), strict=True)}
    assert both == PAIRS


def test_each_hairpin_is_changed_by_its_share(rows):
    left, right = rows
    torch.manual_seed(2)
    shares = torch.linspace(0, 1, 5).repeat(len(left) // 5)
    found = mutate(left, right, shares)
    paired = is_pair(left, right)
    differs = ((found[0] != left) | (found[1] != right)) & paired
    rates = [float(differs[k::5].sum() / paired[k::5].sum()) for k in range(5)]
    assert rates[0] == 0
    assert rates[4] == pytest.approx(0.9, abs=0.05)  # a pair may become what it was
    assert np.diff(rates) == pytest.approx(np.full(4, rates[4] / 4), abs=0.03)


def test_half_of_the_changed_pairs_are_turned_round():
    left, right = torch.full((1, 20000), 5 + 1), torch.full((1, 20000), 5 + 2)  # C and G
    torch.manual_seed(3)
    found = mutate(left, right, torch.ones(1))
    is_turned = (bases(found[0]) == 2) & (bases(found[1]) == 1)
    assert float(is_turned.float().mean()) == pytest.approx(0.5 + 0.5 * 0.24, abs=0.02)


def test_a_generator_decides_and_types_are_kept(rows):
    left, right = (row.to(torch.uint8) for row in rows)
    several = (torch.stack([each, each], 2) for each in (left, right))
    made = [
        mutate(*(each.clone() for each in pair), torch.full((len(left), 2), 0.3), torch.Generator().manual_seed(4))
        for pair in [tuple(several)] * 2
    ]
    assert made[0][0].dtype == torch.uint8
    assert made[0][0].shape == (*left.shape, 2)
    assert all(torch.equal(a, b) for a, b in zip(*made, strict=True))
    assert not torch.equal(made[0][0][..., 0], made[0][0][..., 1])
