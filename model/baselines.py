"""What the network is compared with: classical features and classical learners, trained here on the same data."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from mirsweep.model.data import Dataset
from mirsweep.model.errors import ModelError
from mirsweep.model.features import classical_features, triplet_counts

__all__ = ["BASELINES", "Classifier", "fit_baseline", "new_boosting", "out_of_fold"]

Classifier = Callable[[Dataset, np.ndarray], np.ndarray]
"""Scores, float64 in [0, 1], shape (n,), of hairpins and their minimum free energies, kcal/mol; threshold 0.5."""

BASELINES: dict[str, dict[str, Any]] = {
    "triplet-SVM": {"features": "counts", "terminal_loops": 1},
    "gradient boosting": {},
}
"""Names of the baselines, and what tells a training run of today's from one of another definition."""
_N_PARTS = 3
"""Folds of the training set by which triplet-SVM's penalty and width are chosen."""
_TERMINAL_LOOP = re.compile(r"\(\.*\)")


def fit_baseline(name: str, train_set: Dataset, energies: np.ndarray, *, seed: int = 0) -> Classifier:
    """Train a baseline.

    Parameters
    ----------
    name
        ``"triplet-SVM"``: counts of the 32 triplets of Xue et al. 2005 with a support vector machine (RBF kernel),
        whose penalty and width are chosen by three folds of the training set, trained on hairpins of one terminal
        loop; as in triplet-SVM, those of several are set aside, and have a score of 0; ``"gradient boosting"``:
        scikit-learn's histogram gradient boosting on 72 classical features, balanced classes.
    train_set
        Labelled hairpins.
    energies
        Their minimum free energies, kcal/mol, shape (n,).
    seed
        Of the boosting.

    Returns
    -------
    What scores hairpins. Training and scoring use one thread.

    Raises
    ------
    ModelError
        If there is no such baseline, or triplet-SVM has too few hairpins of one terminal loop in a class.
    """
    if name not in BASELINES:
        raise ModelError(f"baseline {name!r} is unknown: choose one of {', '.join(BASELINES)}.")
    with threadpool_limits(1):
        return _fit_triplet_svm(train_set) if name == "triplet-SVM" else _fit_boosting(train_set, energies, seed)


def out_of_fold(name: str, train_set: Dataset, energies: np.ndarray, *, n_folds: int = 5, seed: int = 0) -> np.ndarray:
    """A baseline's scores of its own training set, each hairpin scored by a machine that has not seen it.

    Parameters
    ----------
    name, train_set, energies, seed
        As in :func:`fit_baseline`.
    n_folds
        Parts, of the same share of each class, that are left out in turn.

    Returns
    -------
    float64 in [0, 1], shape (n,).
    """
    scores = np.empty(len(train_set))
    parts = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for seen, left_out in parts.split(np.zeros(len(train_set)), train_set.labels):
        score = fit_baseline(name, train_set.take(seen), energies[seen], seed=seed)
        scores[left_out] = score(train_set.take(left_out), energies[left_out])
    return scores


def _fit_triplet_svm(train_set: Dataset) -> Classifier:
    machine = make_pipeline(StandardScaler(), SVC(cache_size=500))
    choices = {"svc__C": [1, 10, 100], "svc__gamma": [0.003, 0.01, 0.03]}
    search = GridSearchCV(machine, choices, scoring="average_precision", cv=_N_PARTS)
    train_set = train_set.take(_has_one_loop(train_set))
    if min(train_set.n_pos, train_set.n_neg) < _N_PARTS:
        raise ModelError(f"triplet-SVM needs at least {_N_PARTS} hairpins of one terminal loop in each class.")
    search.fit(triplet_counts(train_set.sequences, train_set.structures), train_set.labels)

    def score(dataset: Dataset, energies: np.ndarray) -> np.ndarray:
        margins = search.decision_function(triplet_counts(dataset.sequences, dataset.structures))
        return np.where(_has_one_loop(dataset), 1 / (1 + np.exp(-margins)), 0.0)

    return score


def _has_one_loop(dataset: Dataset) -> np.ndarray:
    """Which hairpins have a single terminal loop; bool, shape (n,)."""
    return np.array([len(_TERMINAL_LOOP.findall(structure)) == 1 for structure in dataset.structures], bool)


def new_boosting(seed: int) -> HistGradientBoostingClassifier:
    """The untrained learner of "gradient boosting"."""
    return HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=300,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        max_features=0.5,
        class_weight="balanced",
        early_stopping=False,
        random_state=seed,
    )


def _fit_boosting(train_set: Dataset, energies: np.ndarray, seed: int) -> Classifier:
    learner: Any = new_boosting(seed)
    learner.fit(classical_features(train_set.sequences, train_set.structures, energies), train_set.labels)

    def score(dataset: Dataset, energies: np.ndarray) -> np.ndarray:
        features = classical_features(dataset.sequences, dataset.structures, energies)
        with threadpool_limits(1):
            return learner.predict_proba(features)[:, 1]

    return score
