"""Mature sequences of both arms: the kernel beside a search of all pairs, what never happens, confidences."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers_model import random_examples
from mirsweep.model import arms as arms_module
from mirsweep.model import load_model
from mirsweep.model.arms import LENGTHS_NT, WITHIN_NT, ArmWeights, decode_arms, decode_ends, read_arm_weights
from mirsweep.model.genome_config import GenomeConfig
from mirsweep.model.genome_model import GenomeModel
from mirsweep.model.genome_net import GenomeNet, weights_of

LET7 = "UGGGAUGAGGUAGUAGGUUGUAUAGUUUUAGGGUCACACCCACCACUGGGAGAUAACUAUACAAUCUACUGUCUUUCCUA"
LET7_STRUCTURE = "(((((.(((((((((((((((((((((.....(((...((((....)))).)))))))))))))))))))))))))))))"
N_FAR = 2
NO_CONFIDENCE = (np.zeros(5), 1.0, 0.5, 0.8)
UNMATCHED = np.zeros(1, bool)


def random_arm(rng, n_columns, n_bases, first, *, is_5p):
    """Index of the base in each column of an arm, -1 for none; bases lie in order, with gaps."""
    places = np.full(n_columns, -1, np.int16)
    columns = np.sort(rng.choice(n_columns, n_bases, replace=False))
    bases = np.arange(first, first + n_bases)
    places[columns] = bases[::-1] if is_5p else bases
    return places


def random_heads(rng, n5, n3, n_loop):
    """Places, log probabilities and columns of the loop of a hairpin with arms of such lengths."""
    n_columns = max(n5, n3) + int(rng.integers(0, 4))
    arms = [random_arm(rng, n_columns, n5, 0, is_5p=True), random_arm(rng, n_columns, n3, n5, is_5p=False)]
    ends = rng.normal(scale=rng.choice([0.1, 1, 4]), size=(1, 4, n_columns)).astype(np.float32)
    ends -= np.logaddexp.reduce(ends, axis=2, keepdims=True)
    return np.stack(arms, axis=1)[None], ends, np.array([min(n_loop, n_columns)])


def random_weights(rng):
    overhangs = -np.abs(rng.normal(scale=2, size=2 * int(rng.integers(0, 7)) + 1))
    overhangs[overhangs.size // 2] = 0
    return ArmWeights(-np.abs(rng.normal(scale=2, size=9)), overhangs, *NO_CONFIDENCE)


def spans_of(places, ends, n_loop, weights, row):
    """All mature sequences that fit on an arm: start, end, columns of the first and the last base, log weight."""
    own = {int(place): column for column, place in enumerate(places[0, :, row]) if place >= 0 and column >= n_loop[0]}
    for first, size in product(own, range(LENGTHS_NT[0], LENGTHS_NT[1] + 1)):
        last = first + size - 1
        if last in own:
            by_ends = float(ends[0, 2 * row, own[first]]) + float(ends[0, 2 * row + 1, own[last]])
            yield first, last + 1, own[first], own[last], by_ends + weights.lengths[size - LENGTHS_NT[0]]


def weight_of(table, overhang):
    at = overhang - 2 + table.size // 2
    return table[min(max(at, 0), table.size - 1)]


def best_plainly(places, ends, n_loop, weights):
    """Highest log weight of a pair, and the pairs that have it; of single sequences where one arm holds none."""
    fives, threes = (list(spans_of(places, ends, n_loop, weights, row)) for row in range(2))
    if not fives or not threes:
        every = [(*s[:2], -1, -1, s[4]) for s in fives] + [(-1, -1, *s[:2], s[4]) for s in threes]
        pairs = [(pair[-1], pair[:4]) for pair in every] or [(0.0, (-1,) * 4)]
    else:
        pairs = [
            (
                five[4]
                + three[4]
                + weight_of(weights.overhangs, three[2] - five[3])
                + weight_of(weights.overhangs, three[3] - five[2]),
                (*five[:2], *three[:2]),
            )
            for five, three in product(fives, threes)
        ]
    best = max(value for value, _ in pairs)
    return [pair for value, pair in pairs if value >= best - 1e-9]


@given(st.integers(0, 2**31), st.integers(0, 34), st.integers(0, 34), st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_the_pair_is_that_of_a_search_of_all_pairs(seed, n5, n3, n_loop):
    rng = np.random.default_rng(seed)
    if n5 + n3 == 0:
        return
    places, ends, loop = random_heads(rng, n5, n3, n_loop)
    weights = random_weights(rng)
    found = decode_ends(places, loop, ends, weights)
    assert tuple(found.spans[0].tolist()) in best_plainly(places, ends, loop, weights)


@given(st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_probabilities_near_the_ends_are_sums_of_the_heads(seed):
    rng = np.random.default_rng(seed)
    places, ends, loop = random_heads(rng, 30, 30, 3)
    found = decode_ends(places, loop, ends, random_weights(rng))
    for k, at in enumerate(found.spans[0] - [0, 1, 0, 1]):
        row = k // 2
        near = [
            np.exp(ends[0, k, column])
            for column, place in enumerate(places[0, :, row])
            if place >= 0 and column >= loop[0] and abs(int(place) - int(at)) <= WITHIN_NT
        ]
        assert found.near[0, k] == (pytest.approx(sum(near), rel=1e-4) if found.spans[0, k] >= 0 else 0)


@given(st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_mature_sequences_lie_on_their_arm_outside_the_loop(seed):
    """Of any hairpin and any network: 18 to 26 nt, within the hairpin, none in the terminal loop."""
    rng = np.random.default_rng(seed)
    examples = random_examples(rng, 30, 1)
    torch.manual_seed(seed)
    net = GenomeNet(GenomeConfig(n_channels=8, n_hidden=8, dilations=(1, 2))).eval()
    arms = (
        GenomeModel(weights_of(net), {"name": "small", "digest": "0" * 64})
        .predict(examples.sequences, examples.structures)
        .arms
    )
    for k, structure in enumerate(examples.structures):
        loop_start, loop_end = terminal_loop(structure)
        mature, star = (arms.mature_start[k], arms.mature_end[k]), (arms.star_start[k], arms.star_end[k])
        five, three = (mature, star) if arms.is_5p[k] else (star, mature)
        assert (five[0] < 0) == (loop_start < LENGTHS_NT[0])
        assert (three[0] < 0) == (len(structure) - loop_end < LENGTHS_NT[0])
        if five[0] >= 0:
            assert five[1] <= loop_start
            assert 18 <= five[1] - five[0] <= 26
        if three[0] >= 0:
            assert loop_end <= three[0] < three[1] <= len(structure)
            assert 18 <= three[1] - three[0] <= 26
        assert np.isnan(arms.confidence_5p[k]) == (five[0] < 0)
        assert np.isnan(arms.confidence_3p[k]) == (three[0] < 0)
        assert not arms.is_stated[k] or (five[0] >= 0 and three[0] >= 0)


def terminal_loop(structure):
    """The loop that most pairs enclose, of two that tie the first; the middle where nothing pairs."""
    best, found, depth, last_open = 0, (len(structure) // 2,) * 2, 0, None
    for i, symbol in enumerate(structure):
        if symbol == "(":
            depth, last_open = depth + 1, i
        elif symbol == ")":
            if last_open is not None and depth > best:
                best, found = depth, (last_open + 1, i)
            last_open, depth = None, depth - 1
    return found


def perfect_stem(n):
    """Places of n pairs and no loop, and heads that know nothing."""
    column = np.arange(n)
    return np.stack([n - 1 - column, n + column], axis=1).astype(np.int16)[None], np.full((1, 4, n), -np.log(n), "f4")


def test_without_any_other_hint_both_cuts_overhang_by_two():
    places, ends = perfect_stem(30)
    decoded = decode_ends(places, np.zeros(1, np.int64), ends, read_arm_weights())
    start5, end5, start3, end3 = decoded.spans[0].tolist()
    assert (end5 - start5, end3 - start3) == (22, 22)
    partner = dict(zip(places[0, :, 0].tolist(), places[0, :, 1].tolist(), strict=True))
    assert partner[start5] + N_FAR == end3 - 1  # Drosha's cut
    assert partner[end5 - 1 - N_FAR] == start3  # Dicer's


def test_sure_heads_are_sure_and_flat_ones_are_not():
    places, flat = perfect_stem(40)
    sure = np.full_like(flat, -20.0)
    for k, column in enumerate((30, 9, 11, 32)):
        sure[0, k, column] = 0.0
    known, unknown = (decode_arms(places, np.zeros(1, np.int64), e, np.zeros(1, "f4"), UNMATCHED) for e in (sure, flat))
    assert min(known.confidence_5p[0], known.confidence_3p[0]) > 0.9
    assert max(unknown.confidence_5p[0], unknown.confidence_3p[0]) < 0.5
    places5 = dict(zip(range(40), places[0, :, 0].tolist(), strict=True))
    fives = (known.mature_start[0], known.mature_end[0]) if known.is_5p[0] else (known.star_start[0], known.star_end[0])
    assert fives == (places5[30], places5[9] + 1)


def test_the_mature_arm_is_stated_where_the_network_is_sure():
    places, ends = perfect_stem(40)
    logits = np.array([-9, -0.01, 0.01, 9, -2, -2], np.float32)
    many = [np.repeat(part, 6, axis=0) for part in (places, ends)]
    is_matched = np.array([1, 1, 1, 1, 1, 0], bool)
    arms = decode_arms(many[0], np.zeros(6, np.int64), many[1], logits, is_matched)
    assert arms.is_5p.tolist() == [False, False, True, True, False, False]
    assert arms.is_stated.tolist() == [True, False, False, True, True, False]
    assert (arms.arm_confidence[[0, 3]] > 0.95).all()
    assert (abs(arms.arm_confidence[1:3] - 0.5) < 0.1).all()
    assert arms.arm_confidence[5] < arms.arm_confidence[4]


def test_an_arm_too_short_for_one_is_not_the_mature_one():
    places, ends = perfect_stem(22)
    places[0, :, 0] -= 10  # the 5' arm begins 10 nt later
    places[0, 12:, 0] = -1
    arms = decode_arms(places, np.zeros(1, np.int64), ends, np.array([9.0], np.float32), UNMATCHED)
    assert not arms.is_5p[0]
    assert not arms.is_stated[0]
    assert arms.mature_start[0] > 0 > arms.star_start[0]


def test_let_7_has_both_of_its_mature_sequences():
    arms = load_model("genome").predict([LET7], [LET7_STRUCTURE]).arms
    ends = [(arms.mature_start[0], arms.mature_end[0]), (arms.star_start[0], arms.star_end[0])]
    known = [(LET7.find(m), LET7.find(m) + len(m)) for m in ("UGAGGUAGUAGGUUGUAUAGUU", "CUAUACAAUCUACUGUCUUUC")]
    assert np.abs(np.array(sorted(ends)) - known).max() <= 2
    assert min(arms.confidence_5p[0], arms.confidence_3p[0]) > 0.8


def test_the_weights_are_those_that_a_command_wrote():
    content = json.loads(Path(arms_module.__file__).with_name("arms.json").read_text())
    weights = read_arm_weights()
    assert content["command"] == "python benchmarks/make_arms.py"
    assert weights.lengths.shape == (9,)
    assert weights.confidence.shape == (5,)
    assert weights.overhangs.argmax() == weights.overhangs.size // 2
