"""Error rates of loci by decoys: against plain Python, and what they promise on simulated genomes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gamma

from mirsweep.jobs.loci.combination import Rates
from mirsweep.jobs.loci.error_rate import (
    ENOUGH,
    NO_DECOYS,
    PRIOR,
    SURE,
    DecoyScores,
    error_rates,
    without_precursors,
)

RATES = Rates(np.array([0.0, 0.2, 0.5, 0.9]), np.array([60.0, 20.0, 1.0, 0.01]))
FEW_SCORES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.6, 0.75, 0.9, 0.95])
SCORES = st.lists(FEW_SCORES | st.floats(0, 1), max_size=40)


def plain(scores, mb, decoys, decoy_mb):
    """Rate, interval and share of false loci at each score, one after the other."""
    anchor = sorted(decoys, reverse=True)[ENOUGH - 1] if len(decoys) >= ENOUGH else math.inf
    found = []
    for score in scores:
        fixed = RATES.at(score)
        n = sum(decoy >= score for decoy in decoys)
        n_there = sum(decoy >= min(score, anchor) for decoy in decoys)
        n_expected = decoy_mb * RATES.at(min(score, anchor))
        posterior = gamma(PRIOR + n_there, scale=fixed / (PRIOR + n_expected))
        rate = max(posterior.mean(), n / decoy_mb, fixed if len(decoys) < ENOUGH else 0)
        alone = gamma(n + 1, scale=1 / decoy_mb).ppf(0.95)
        share = min(1, rate * mb / sum(other >= score for other in scores))
        found.append((rate, min(posterior.ppf(0.05), rate), max(posterior.ppf(0.95), alone, rate), share))
    return found


@given(SCORES, st.floats(0.1, 100), SCORES, st.floats(0.1, 100))
@settings(max_examples=60)
def test_rates_equal_the_plain_ones(scores, mb, decoys, decoy_mb):
    found = error_rates(np.array(scores), mb, DecoyScores(np.array(decoys), decoy_mb), RATES)
    expected = plain(scores, mb, decoys, decoy_mb)
    for name, column in zip(("fp_per_mb", "low", "high"), zip(*expected, strict=True), strict=False):
        assert getattr(found, name) == pytest.approx(column, rel=1e-6)
    q_values = [min(row[3] for row, other in zip(expected, scores, strict=True) if other <= score) for score in scores]
    assert found.q_value == pytest.approx(q_values)


@given(SCORES, SCORES, st.just(0.0) | st.floats(1e-4, 100))
@settings(max_examples=60)
def test_a_better_score_never_has_a_higher_error_rate(scores, decoys, decoy_mb):
    scores = np.sort(scores)
    found = error_rates(scores, 10.0, DecoyScores(np.array(decoys if decoy_mb else []), decoy_mb), RATES)
    for values in (found.fp_per_mb, found.q_value, found.low, found.high):
        assert not (np.diff(values) > 1e-9 * np.abs(values[1:])).any()
    assert ((found.q_value >= 0) & (found.q_value <= 1)).all()
    if decoy_mb:
        assert (found.low <= found.fp_per_mb).all()
        assert (found.fp_per_mb <= found.high).all()


def test_without_decoys_the_fixed_rates_stand():
    found = error_rates(np.array([0.5, 0.5, 0.9]), 2.0, NO_DECOYS, RATES)
    assert found.fp_per_mb == pytest.approx([1.0, 1.0, 0.01])
    assert found.q_value == pytest.approx([2 / 3, 2 / 3, 0.02])
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()


def test_a_small_genome_without_a_decoy_falls_back_on_the_fixed_rates():
    scores = np.array([0.3, 0.5, 0.9])
    found = error_rates(scores, 0.2, DecoyScores(np.empty(0), 0.2), RATES)
    assert found.fp_per_mb == pytest.approx(RATES.at(scores))
    assert (found.high > 10).all()


def test_one_decoy_of_a_small_genome_is_not_outvoted():
    """On 0.2 Mb it shows 5 loci per Mb, and one false locus is to be expected among the targets."""
    found = error_rates(np.array([0.9, 0.95]), 0.2, DecoyScores(np.array([0.92]), 0.2), RATES)
    assert found.fp_per_mb.tolist() == pytest.approx([5.0, 0.01])
    assert found.q_value[0] == pytest.approx(0.5)


def simulated(rng, mb, factor):
    """Scores of false loci: of a Poisson process with the fixed rates times a factor."""
    highest = factor * RATES.fp_per_mb[0]
    rates = rng.uniform(0, highest, rng.poisson(highest * mb)) / factor
    return np.interp(np.log(rates), np.log(RATES.fp_per_mb[::-1]), RATES.score[::-1])


@pytest.mark.parametrize("factor", [0.2, 1.0, 5.0])
@pytest.mark.parametrize(("mb", "decoy_mb"), [(1.0, 1.0), (20.0, 20.0), (60.0, 20.0)])
def test_the_promised_share_of_false_loci_holds(mb, decoy_mb, factor):
    """Whether the genome has fewer or more false loci than those of the fixed rates; on 1 Mb they are few to say."""
    shares = {0.05: [], 0.1: [], 0.5: []}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        true, false = rng.beta(2, 1.5, 40), simulated(rng, mb, factor)
        decoys = DecoyScores(simulated(rng, decoy_mb, factor), decoy_mb)
        q_values = error_rates(np.concatenate([true, false]), mb, decoys, RATES).q_value
        for limit, found in shares.items():
            passed = q_values <= limit
            found.append(passed[len(true) :].sum() / max(1, passed.sum()))
    for limit, found in shares.items():
        promised = limit * (1.0 if mb > 1 else 1.3)
        assert np.mean(found) <= promised + 2.5 * np.std(found) / np.sqrt(len(found)) + 0.005


def test_a_genome_without_any_true_locus_gives_hardly_any():
    n_strict = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = error_rates(simulated(rng, 10.0, 2.0), 10.0, DecoyScores(simulated(rng, 10.0, 2.0), 10.0), RATES)
        n_strict += int((found.q_value <= 0.05).any())
    assert n_strict <= 4


@given(SCORES, st.lists(st.tuples(FEW_SCORES, FEW_SCORES | st.just(-math.inf)), max_size=40), st.floats(0.1, 100))
@settings(max_examples=60)
def test_decoys_that_face_a_sure_locus_do_not_count(scores, decoys, mb):
    scores, own, facing = np.array(scores), *np.array(decoys, float).reshape(-1, 2).T
    every = DecoyScores(own, mb, facing)
    q_values = error_rates(scores, mb, every, RATES).q_value
    sure = [score for score, q_value in zip(scores, q_values, strict=True) if q_value <= SURE]
    counted = without_precursors(scores, mb, every, RATES)
    assert counted.scores.tolist() == [score for score, other in decoys if not any(other >= each for each in sure)]
    assert (counted.facing.tolist(), counted.mb) == ([other for _, other in decoys if other in counted.facing], mb)
    assert without_precursors(scores, mb, every._replace(facing=None), RATES).scores is own


@pytest.mark.parametrize("likeness", [0.0, 0.5, 1.0])
def test_the_promise_holds_where_decoys_are_the_genomes_own_hairpins(likeness):
    """Every hairpin is one backwards, a precursor, too: that of a false locus scores as it does (likeness 1), or as any
    other (0); that of a true one somewhat less than itself."""
    shares, n_true = {0.05: [], 0.1: [], 0.5: []}, np.zeros(2)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        true, false = rng.beta(4, 1.2, 40), simulated(rng, 20.0, 1.0)
        like = rng.random(len(false)) < likeness
        of_false = np.where(like, false, rng.permutation(false))
        scores = np.concatenate([true, false])
        every = DecoyScores(np.concatenate([true * rng.uniform(0.3, 1, 40), of_false]), 20.0, scores)
        for k, decoys in enumerate((every, without_precursors(scores, 20.0, every, RATES))):
            passed = error_rates(scores, 20.0, decoys, RATES).q_value <= 0.1
            n_true[k] += passed[:40].sum()
        q_values = error_rates(scores, 20.0, decoys, RATES).q_value
        for limit, found in shares.items():
            passed = q_values <= limit
            found.append(passed[40:].sum() / max(1, passed.sum()))
    for limit, found in shares.items():
        assert np.mean(found) <= limit * 1.1 + 2.5 * np.std(found) / np.sqrt(len(found))
    assert n_true[1] > 1.05 * n_true[0]
