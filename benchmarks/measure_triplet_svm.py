"""Which definition of triplet-SVM is the strongest baseline: AUPR on the first two validation folds of human.

    python benchmarks/measure_triplet_svm.py [--from-scores]

Triplets are counted over the whole hairpin, or over its stem alone (Xue et al. 2005: without what lies outside of the
outermost pair and without terminal loops); left as counts, or divided by their sum; classes are weighted or not; and
hairpins of several terminal loops, which triplet-SVM leaves aside, are used like others or left out of training and
called least likely. Penalty and width are chosen each time by three folds of the training set, on a finer grid than
the baseline's (``model/baselines.py``).

Beside it stands what the baseline's committed scores give on every held-out set if hairpins of several terminal loops
count as not called, as in the tables, and if they are not counted at all: a publication may mean either.
"""

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from harness import ROOT, commit, find_data, machine, versions, write_result
from mirsweep.jobs.paper.benchmark import FOLDS, TASKS, TaskData, find_benchmark, read_task
from mirsweep.model.data import Dataset
from mirsweep.model.features import triplet_counts
from mirsweep.model.metrics import evaluate

TASK_NAMES = ("human-f1", "human-f2")
GRID = {"svc__C": [1, 3, 10, 30], "svc__gamma": [0.003, 0.01, 0.03, 0.06]}
Features = Callable[[Dataset], np.ndarray]
RESULTS = ROOT / "benchmarks" / "results"
HELD_OUT = {
    "human, five folds": [f"human-f{k}" for k in FOLDS],
    "human test": ["human-test"],
    "cross-species, five folds": [f"cross-f{k}" for k in FOLDS],
    "cross-species test": ["cross-test"],
    "new": ["new"],
}
SEVERAL_LOOPS = "baseline_and_several_loops"
MEASURES = ("SE", "SP", "F", "AUROC", "AUPR")


def whole(dataset: Dataset) -> np.ndarray:
    return triplet_counts(dataset.sequences, dataset.structures)


def stem(dataset: Dataset) -> np.ndarray:
    """Counts of the triplets whose middle lies in the stem; float64, shape (n, 32)."""
    counts = np.zeros((len(dataset), 32))
    for row, (sequence, structure) in enumerate(zip(dataset.sequences, dataset.structures, strict=True)):
        is_free = np.frombuffer(structure.encode(), np.uint8) == ord(".")
        middles = middles_in_stem(structure)
        bases = np.array(["ACGU".index(sequence[i]) for i in middles], np.int64)
        triplets = 8 * bases + 4 * is_free[middles - 1] + 2 * is_free[middles] + is_free[middles + 1]
        counts[row] = np.bincount(triplets, minlength=32)
    return counts


def middles_in_stem(structure: str) -> np.ndarray:
    """Positions from the outermost pair inwards that are in no terminal loop and have two neighbours."""
    is_in = np.zeros(len(structure), bool)
    is_in[max(structure.find("("), 0) : structure.rfind(")") + 1] = True
    for loop in re.finditer(r"\((\.+)(?=\))", structure):
        is_in[loop.start(1) : loop.end(1)] = False
    return np.flatnonzero(is_in[1:-1]) + 1


def shares(features: Features) -> Features:
    def divided(dataset: Dataset) -> np.ndarray:
        counts = features(dataset)
        return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    return divided


def has_one_loop(dataset: Dataset) -> np.ndarray:
    return np.array([len(re.findall(r"\(\.+\)", structure)) == 1 for structure in dataset.structures])


def measure(data: TaskData, features: Features, *, weight: str | None, one_loop: bool) -> dict[str, Any]:
    train_set, held_out = data.train.dataset, data.held_out.dataset
    if one_loop:
        train_set = train_set.take(has_one_loop(train_set))
    machine = make_pipeline(StandardScaler(), SVC(cache_size=500, class_weight=weight))
    search = GridSearchCV(machine, GRID, scoring="average_precision", cv=3).fit(features(train_set), train_set.labels)
    margins = search.decision_function(features(held_out))
    if one_loop:
        margins = np.where(has_one_loop(held_out), margins, margins.min() - 1)
    found = evaluate(1 / (1 + np.exp(-margins)), held_out.labels)._asdict()
    figures = {name: round(float(found[name]), 4) for name in MEASURES}
    return figures | {"C": search.best_params_["svc__C"], "gamma": search.best_params_["svc__gamma"]}


def committed(task: str, trainings: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and the baseline's scores of a held-out set; 0 is what it sets aside."""
    path = RESULTS / "accuracy_scores" / f"{task}.tsv.gz"
    names = np.loadtxt(path, dtype=str, max_rows=1, comments=None).tolist()
    ours = [i for i, name in enumerate(names) if trainings.get(name, {}).get("method") == "triplet-SVM"]
    labels, scores = np.loadtxt(path, skiprows=1, usecols=(0, ours[-1])).T
    return labels, scores


def of_several_loops(tasks: list[str], trainings: dict[str, Any]) -> dict[str, Any]:
    """Measures, means over the sets, with hairpins of several terminal loops as not called and without them."""
    sets = [committed(task, trainings) for task in tasks]
    found = {
        "as_not_called": [evaluate(scores, labels)._asdict() for labels, scores in sets],
        "not_counted": [evaluate(scores[scores > 0], labels[scores > 0])._asdict() for labels, scores in sets],
    }
    labels, scores = (np.concatenate(each) for each in zip(*sets, strict=True))
    counts = {"n_pos": labels > 0, "n_neg": labels == 0}
    return {
        f"several_{name}": f"{int((rows & (scores == 0)).sum())} of {int(rows.sum())}" for name, rows in counts.items()
    } | {
        way: {name: round(float(np.mean([each[name] for each in rows])), 4) for name in MEASURES}
        for way, rows in found.items()
    }


DEFINITIONS: dict[str, tuple[Features, str | None, bool]] = {
    "whole hairpin, counts": (whole, None, False),
    "whole hairpin, shares": (shares(whole), None, False),
    "stem, counts": (stem, None, False),
    "stem, shares": (shares(stem), None, False),
    "whole hairpin, counts, balanced classes": (whole, "balanced", False),
    "whole hairpin, shares, balanced classes": (shares(whole), "balanced", False),
    "stem, shares, balanced classes": (shares(stem), "balanced", False),
    "whole hairpin, counts, one terminal loop": (whole, None, True),
    "stem, shares, one terminal loop": (shares(stem), None, True),
}


def by_definition(definitions: dict[str, tuple[Features, str | None, bool]]) -> dict[str, Any]:
    """What each definition reaches on the validation folds."""
    folder = find_benchmark(find_data())
    tasks = {name: read_task(folder, TASKS[name]) for name in TASK_NAMES}
    with threadpool_limits(1):
        rows = {
            name: {task: measure(data, given[0], weight=given[1], one_loop=given[2]) for task, data in tasks.items()}
            for name, given in definitions.items()
        }
    for name, row in rows.items():
        print(f"{name}: {', '.join(str(each['AUPR']) for each in row.values())}")
    several = {name: int((~has_one_loop(data.held_out.dataset)).sum()) for name, data in tasks.items()}
    return {"held_out_of_several_loops": several, "definitions": rows}


def with_and_without_several_loops() -> dict[str, Any]:
    """What the baseline's committed scores give, by held-out set."""
    trainings = json.loads((RESULTS / "accuracy.json").read_text())["trainings"]
    rows = {name: of_several_loops(tasks, trainings) for name, tasks in HELD_OUT.items()}
    for name, row in rows.items():
        print(f"{name}: {row['as_not_called']['AUPR']}, without hairpins of several loops {row['not_counted']['AUPR']}")
    return rows


def renew(path: Path, rows: dict[str, Any]) -> None:
    """Put what the committed scores give into the known results, and say what made it."""
    made_by = {"machine": machine(), "versions": versions(), "commit": commit()}
    document = json.loads(path.read_text()) | {SEVERAL_LOOPS: rows}
    document["renewed"] = document.get("renewed", {}) | {SEVERAL_LOOPS: made_by}
    path.write_text(json.dumps(document, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-scores", action="store_true", help="renew only what the committed scores give")
    if parser.parse_args().from_scores:
        renew(RESULTS / "triplet_svm.json", with_and_without_several_loops())
        return
    document = {"command": "python benchmarks/measure_triplet_svm.py"} | by_definition(DEFINITIONS)
    print(write_result("triplet_svm", document | {SEVERAL_LOOPS: with_and_without_several_loops()}))


if __name__ == "__main__":
    main()
