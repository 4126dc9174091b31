"""The seven measures against their formulas."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirsweep.model.errors import ModelError
from mirsweep.model.metrics import best_threshold, evaluate


def test_a_worked_example():
    """3 positives and 5 negatives; 2 hits, 1 miss, 1 false alarm."""
    measures = evaluate(np.array([0.9, 0.5, 0.2, 0.8, 0.4, 0.3, 0.1, 0.0]), np.array([1, 1, 1, 0, 0, 0, 0, 0]))
    assert measures.n_pos == 3
    assert measures.n_neg == 5
    assert pytest.approx(2 / 3) == measures.SE
    assert pytest.approx(4 / 5) == measures.SP
    assert pytest.approx(2 / 3) == measures.PPV
    assert pytest.approx(2 / 3) == measures.F
    assert measures.g_mean == pytest.approx((2 / 3 * 4 / 5) ** 0.5)
    assert pytest.approx((5 + 4 + 2) / 15) == measures.AUROC
    assert pytest.approx((1 / 1 + 2 / 3 + 3 / 6) / 3) == measures.AUPR


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.booleans()), min_size=2, max_size=30))
@settings(deadline=None)
def test_against_counting(pairs):
    scores, labels = np.array([s for s, _ in pairs]), np.array([label for _, label in pairs], int)
    if len(set(labels.tolist())) < 2:
        with pytest.raises(ModelError, match="both classes"):
            evaluate(scores, labels)
        return
    measures = evaluate(scores, labels)
    hits = sum(s >= 0.5 and label for s, label in pairs)
    called = sum(s >= 0.5 for s, _ in pairs)
    assert pytest.approx(hits / labels.sum()) == measures.SE
    assert pytest.approx(hits / called if called else 0) == measures.PPV
    assert pytest.approx(2 * hits / (labels.sum() + called)) == measures.F
    wins = [(p > n) + (p == n) / 2 for p in scores[labels == 1] for n in scores[labels == 0]]
    assert pytest.approx(np.mean(wins)) == measures.AUROC


def test_keys_of_the_json_output():
    measures = evaluate(np.array([0.1, 0.9]), np.array([0, 1]))
    keys = list(json.loads(json.dumps(measures._asdict())))
    assert keys == ["n_pos", "n_neg", "SE", "SP", "PPV", "F", "g_mean", "AUROC", "AUPR"]


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([0.1, 0.2], [1, 1], "both classes"),
        ([], [], "both classes"),
        ([0.1, np.nan], [0, 1], "not a finite number"),
        ([0.1, 0.2, 0.3], [0, 1], "equally long"),
    ],
)
def test_bad_input(scores, labels, message):
    with pytest.raises(ModelError, match=message):
        evaluate(np.array(scores), np.array(labels))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=40))
def test_the_best_threshold_has_the_highest_f(pairs):
    scores, labels = np.array([p[0] / 20 for p in pairs]), np.array([p[1] for p in pairs])
    if labels.all() or not labels.any():
        with pytest.raises(ModelError, match="both classes"):
            best_threshold(scores, labels)
        return
    found = best_threshold(scores, labels)
    of_all = [evaluate(scores, labels, threshold=t).F for t in np.arange(21) / 20]
    assert pytest.approx(max(of_all)) == evaluate(scores, labels, threshold=found).F
