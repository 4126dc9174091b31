"""Features by hand, baselines that learn, and bootstrap intervals around scikit-learn's measures."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from mirsweep.model import token_features
from mirsweep.model.baselines import BASELINES, fit_baseline, out_of_fold
from mirsweep.model.bootstrap import MEASURES, HeldOut, intervals, weighted_measures
from mirsweep.model.data import Dataset
from mirsweep.model.encode import encode
from mirsweep.model.errors import ModelError
from mirsweep.model.features import CLASSICAL, TRIPLETS, classical_features, triplet_features
from mirsweep.model.metrics import evaluate
from mirsweep.model.token_features import STATISTICS, token_stabilities, token_statistics
from mirsweep.scanner.fold import fold
from mirsweep.scanner.turner import default_turner
from reference_model import stabilities_reference
from strategies import hairpins


def test_triplets_by_hand():
    """GCAAAGC paired ((...)): the five inner bases."""
    (row,) = triplet_features(["GCAAAGC"], ["((...))"])
    named = dict(zip(TRIPLETS, row, strict=True))
    expected = {"C((.": 0.2, "A(..": 0.2, "A...": 0.2, "A..(": 0.2, "G.((": 0.2}
    assert {name: value for name, value in named.items() if value} == pytest.approx(expected)
    assert triplet_features(["AC", "A"], ["..", "."]).sum() == 0


def test_classical_features_by_hand():
    sequence, structure = "AAGGCUAAAAAGGCCUU", "..((.((....)).))."
    (row,) = classical_features([sequence], [structure], [-3.4])
    named = dict(zip(CLASSICAL, row, strict=True))
    expected = {
        "length": 17,
        "mfe": -3.4,
        "mfe_per_nt": -0.2,
        "pairs": 4,
        "pairs_per_nt": 4 / 17,
        "hairpin_loops": 1,
        "terminal_loop": 4,
        "loops_in_stem": 1,
        "largest_loop_in_stem": 2,
        "unpaired_in_stem": 2,
        "asymmetry": 0,
        "longest_run_of_pairs": 2,
        "flank_5": 2,
        "flank_3": 1,
        "A": 7 / 17,
        "gc": 7 / 17,
        "AA": 5 / 16,
    }
    assert {name: named[name] for name in expected} == pytest.approx(expected)
    assert len(CLASSICAL) == 72


def test_features_of_what_does_not_fold():
    features = classical_features(["ACGU", "A"], ["....", "."], [0, 0])
    assert np.isfinite(features).all()
    assert features[:, CLASSICAL.index("longest_run_of_pairs")].tolist() == [0, 0]
    assert classical_features([], [], []).shape == (0, 72)


@given(st.lists(hairpins(), min_size=1, max_size=6), st.booleans())
def test_statistics_from_tokens_are_the_classical_features(batch, partner):
    sequences, structures = [s.upper().replace("T", "U") for s, _ in batch if s], [d for s, d in batch if s]
    tokens = encode(sequences, structures, partner=partner)
    found = token_statistics(torch.from_numpy(np.pad(tokens, ((0, 0), (3, 0))))).numpy()
    columns = [CLASSICAL.index(name) for name in STATISTICS]
    expected = classical_features(sequences, structures, np.zeros(len(sequences)))[:, columns]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@given(st.lists(hairpins(), min_size=1, max_size=6), st.booleans())
def test_stabilities_from_tokens_are_those_loop_by_loop(batch, partner):
    sequences, structures = [s.upper().replace("T", "U") for s, _ in batch if s], [d for s, d in batch if s]
    tokens = encode(sequences, structures, partner=partner)
    found = token_stabilities(torch.from_numpy(np.pad(tokens, ((0, 0), (3, 0))))).numpy()
    expected = [stabilities_reference(*hairpin) for hairpin in zip(sequences, structures, strict=True)]
    np.testing.assert_allclose(found, np.reshape(expected, (-1, 6)), atol=2e-5)


def test_energies_of_stacks_and_loops_are_viennas():
    turner = default_turner()
    assert (np.round(100 * np.array(token_features._STACKS)) == turner.stack[1:, 1:]).all()
    for name, first in (("hairpin", 3), ("bulge", 1), ("interior", 2)):
        ours = np.round(100 * np.array(getattr(token_features, f"_{name.upper()}")))
        assert (ours[first:] == getattr(turner, name)[first:]).all()
        assert not ours[:first].any()


def test_stability_follows_the_folding_energy():
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGU"), 80)) for _ in range(200)]
    structures, energies = fold(sequences)
    found = token_stabilities(torch.from_numpy(encode(sequences, structures)))[:, 0].numpy()
    assert np.corrcoef(found, -energies)[0, 1] > 0.85


def toy(n: int, seed: int) -> tuple[Dataset, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 3 == 0).astype(np.uint8)
    stems = np.where(labels, 10, 6) + rng.integers(-1, 2, n)
    sequences = ["".join(rng.choice(list("ACGU"), 30)) for _ in range(n)]
    structures = ["(" * s + "." * (30 - 2 * s) + ")" * s for s in stems]
    return Dataset(sequences, structures, labels), -stems.astype(np.float32)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_learn_and_repeat(name):
    score, again = (fit_baseline(name, *toy(150, 0), seed=1) for _ in range(2))
    test_set, energies = toy(90, 1)
    scores = score(test_set, energies)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert evaluate(scores, test_set.labels).AUROC > 0.95
    np.testing.assert_array_equal(scores, again(test_set, energies))


def test_triplet_svm_sets_hairpins_of_several_loops_aside():
    data, energies = toy(150, 0)
    branched = "((((....))))..((((....))))...."
    labels = np.concatenate([data.labels, np.ones(150, np.uint8)])
    mislabelled = Dataset([*data.sequences] * 2, [*data.structures, *[branched] * 150], labels)
    alone, mixed = (fit_baseline("triplet-SVM", each, energies) for each in (data, mislabelled))
    test_set = Dataset([*data.sequences[:2], data.sequences[0]], [*data.structures[:2], branched], [1, 0, 1])
    np.testing.assert_array_equal(alone(test_set, energies), mixed(test_set, energies))
    assert mixed(test_set, energies)[2] == 0
    with pytest.raises(ModelError, match="3 hairpins of one terminal loop"):
        fit_baseline("triplet-SVM", Dataset(data.sequences, [branched] * 150, data.labels), energies)


def test_out_of_fold_scores_have_not_seen_the_label():
    data, energies = toy(150, 0)
    data = Dataset(data.sequences, data.structures, np.random.default_rng(5).permutation(data.labels))
    seen = fit_baseline("gradient boosting", data, energies)(data, energies)
    unseen = out_of_fold("gradient boosting", data, energies)
    assert evaluate(seen, data.labels).AUROC > 0.95
    assert 0.3 < evaluate(unseen, data.labels).AUROC < 0.7


def test_unknown_baseline_is_refused():
    with pytest.raises(ModelError, match="baseline 'oracle' is unknown"):
        fit_baseline("oracle", *toy(9, 0))


@given(st.integers(0, 2**31), st.integers(2, 60), st.integers(1, 12))
def test_measures_equal_scikit_learns(seed, n, n_scores):
    rng = np.random.default_rng(seed)
    labels = np.append([0, 1], rng.integers(0, 2, n))
    scores = rng.integers(0, n_scores, n + 2) / n_scores
    weights = rng.integers(0, 4, (3, n + 2)) + (np.arange(n + 2) < 2)
    for found, weight in zip(weighted_measures(labels, scores, weights), weights, strict=True):
        named = dict(zip(MEASURES, found, strict=True))
        assert named["AUROC"] == pytest.approx(roc_auc_score(labels, scores, sample_weight=weight))
        assert named["AUPR"] == pytest.approx(average_precision_score(labels, scores, sample_weight=weight))
        assert named["F"] == pytest.approx(f1_score(labels, scores >= 0.5, sample_weight=weight, zero_division=0))
    (whole,) = weighted_measures(labels, scores, np.ones((1, n + 2)))
    assert whole.tolist() == pytest.approx(list(evaluate(scores, labels)[2:]))


def test_interval_holds_the_mean_and_narrows_with_the_set():
    rng = np.random.default_rng(0)

    def held_out(n: int) -> HeldOut:
        labels = np.arange(n) % 4 == 0
        return HeldOut(labels.astype(np.uint8), rng.normal(labels * 1.0, 1, (2, n)))

    widths = []
    for n in (100, 10_000):
        found = intervals([held_out(n)], n_resamples=200)
        assert all(f.low <= f.mean <= f.high for f in found.values())
        assert all(f.seed_min <= f.mean <= f.seed_max for f in found.values())
        widths.append(found["AUROC"].high - found["AUROC"].low)
    assert widths[1] < widths[0] / 5


def test_folds_and_seeds_are_averaged():
    labels = np.array([1, 0, 1, 0])
    right, wrong = np.array([0.9, 0.1, 0.8, 0.2]), np.array([0.1, 0.9, 0.2, 0.8])
    sets = [HeldOut(labels, np.array([right, right])), HeldOut(labels, np.array([right, wrong]))]
    found = intervals(sets, n_resamples=10)["AUROC"]
    assert (found.mean, found.seed_min, found.seed_max) == (0.75, 0.5, 1.0)
    with pytest.raises(ModelError, match="both classes"):
        intervals([HeldOut(np.ones(3), np.ones((1, 3)))])
