"""Measures of finished training runs: rows with intervals, validation's choice and thresholds, score distributions."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import ks_2samp

from mirsweep.jobs.paper.experiments import Extent, Row, TrainingRun, on_validation_folds
from mirsweep.jobs.paper.training_runs import Finished
from mirsweep.model.bootstrap import HeldOut, intervals
from mirsweep.model.metrics import THRESHOLD, best_threshold

__all__ = [
    "VARIANTS",
    "Measured",
    "at_validation_thresholds",
    "by_validation",
    "compare_distributions",
    "measure",
    "on_shared_folds",
]

VARIANTS = ("published", "cleaned")
"""All held-out hairpins, or those without the same sequence or close homologues in the training set."""

Find = Callable[[TrainingRun], Finished | None]


class Measured(NamedTuple):
    """A row with its measures.

    Attributes
    ----------
    row
        What was trained.
    variant
        One of ``VARIANTS``.
    n_seeds
        Seeds that are there for every task.
    n_pos, n_neg
        Held-out hairpins, over all tasks.
    measures
        By name: mean, low, high, seed_min, seed_max; empty while no seed is complete.
    """

    row: Row
    variant: str
    n_seeds: int
    n_pos: int
    n_neg: int
    measures: dict[str, dict[str, float]]


def on_shared_folds(rows: Sequence[Row], find: Find) -> list[Row]:
    """The rows, those of a table on the same folds: the folds that every row has of which anything is finished.

    In table 2 a row that lacks folds is left out where another has them all: the paper's network is not measured on
    fewer because its authors' code has been trained on a few.
    """
    by_table: dict[tuple[str, str], set[str]] = {}
    whole = [row for row in rows if row.part == "table 2" and len(_finished(row, find)) == len(row.tasks)]
    tables_of_whole = {_table_of(row) for row in whole}
    for row in rows:
        finished = _finished(row, find)
        if finished and (_table_of(row) not in tables_of_whole or row in whole):
            by_table.setdefault(_table_of(row), set(row.tasks)).intersection_update(finished)
    shared = []
    for row in rows:
        kept = [k for k, task in enumerate(row.tasks) if task in by_table.get(_table_of(row), ())]
        if kept:
            row = replace(row, tasks=tuple(row.tasks[k] for k in kept), runs=tuple(row.runs[k] for k in kept))
        shared.append(row)
    return shared


def _finished(row: Row, find: Find) -> set[str]:
    return {task for task, runs in zip(row.tasks, row.runs, strict=True) if any(map(find, runs))}


def _table_of(row: Row) -> tuple[str, str]:
    return row.part, "folds of " + row.tasks[0].split("-f")[0] if len(row.tasks) > 1 else row.tasks[0]


def measure(rows: Iterable[Row], find: Find, *, n_resamples: int = 1000) -> list[Measured]:
    """Each row in both variants.

    Parameters
    ----------
    rows
        Rows of the tables.
    find
        Gives a finished training run, or None.
    n_resamples
        Draws of the bootstrap (:func:`mirsweep.model.bootstrap.intervals`).
    """
    return [_measure(row, variant, find, n_resamples) for row in rows for variant in VARIANTS]


def _measure(row: Row, variant: str, find: Find, n_resamples: int) -> Measured:
    by_task = [[find(run) for run in runs] for runs in row.runs]
    complete = [seed for seed in range(len(by_task[0])) if all(runs[seed] is not None for runs in by_task)]
    sets = [_held_out([runs[seed] for seed in complete], variant, row) for runs in by_task if complete]
    n_pos = sum(int(each.labels.sum()) for each in sets)
    n_all = sum(len(each.labels) for each in sets)
    found = intervals(sets, n_resamples=n_resamples) if sets else {}
    measures = {name: {k: round(v, 4) for k, v in each._asdict().items()} for name, each in found.items()}
    return Measured(row, variant, len(complete), n_pos, n_all - n_pos, measures)


def _held_out(runs: Sequence[Finished | None], variant: str, row: Row) -> HeldOut:
    finished = [run for run in runs if run is not None]
    kept = finished[0].is_clean if variant == "cleaned" else np.ones(len(finished[0].labels), bool)
    scores = np.array([run.scores for run in finished])
    scores = scores.mean(axis=0, keepdims=True) if row.is_ensemble else scores
    return HeldOut(finished[0].labels[kept], scores[:, kept] + (THRESHOLD - row.threshold))


def at_validation_thresholds(rows: Iterable[Row], extent: Extent, find: Find) -> list[Row]:
    """The rows of ``best`` once more, each at the decision threshold of the highest F on its validation folds.

    The folds are pooled, and scored as the test is: by the same recipe, with boosting where the test is. The tests
    themselves are not looked at. A row of which a fold is missing is left out.
    """
    found = []
    for row in rows:
        folds = [[find(run) for run in runs] for runs in on_validation_folds(row, extent).runs]
        finished = [[run for run in runs if run is not None] for runs in folds]
        if all(map(all, folds)):
            labels = np.concatenate([runs[0].labels for runs in finished])
            scores = np.concatenate([np.mean([run.scores for run in runs], axis=0) for runs in finished])
            found.append(replace(row, part="thresholds", threshold=round(best_threshold(scores, labels), 4)))
    return found


def by_validation(measured: Iterable[Measured], part: str) -> dict[str, dict[str, float]]:
    """Mean AUPR on the published validation folds of the rows of a part, best first, by species and method.

    Tests are not looked at. A species of which a training run is missing is absent.
    """
    found: dict[str, dict[str, float]] = {}
    incomplete = set()
    for each in measured:
        if each.row.part == part and each.variant == "published":
            species = each.row.tasks[0].split("-")[0]
            if each.n_seeds == len(each.row.runs[0]):
                found.setdefault(species, {})[each.row.method] = each.measures["AUPR"]["mean"]
            else:
                incomplete.add(species)
    return {
        species: dict(sorted(values.items(), key=lambda item: -item[1]))
        for species, values in found.items()
        if species not in incomplete
    }


def compare_distributions(rows: Iterable[Row], find: Find) -> list[dict[str, Any]]:
    """Two-sample Kolmogorov-Smirnov tests of the scores of the rows of tables 2 and 3.

    Of each method and test, ``new`` included: pre-miRNAs against others. Of each method and species: scores on the
    validation folds against those on the test, for pre-miRNAs and for others. First seeds only, so that scores are
    independent.
    """
    scores: dict[tuple[str, str, str], list[Finished]] = {}
    for row in rows:
        firsts = [find(runs[0]) for runs in row.runs]
        if row.part in ("table 2", "table 3") and all(firsts):
            species, _, rest = row.tasks[0].partition("-")
            kind = "folds" if rest.startswith("f") else "test"
            scores[row.method, species, kind] = [each for each in firsts if each is not None]
    found = []
    for (method, species, kind), runs in scores.items():
        if kind != "test":
            continue
        held_out = [_of_class(runs, label) for label in (1, 0)]
        found.append(_ks(method, species, "pre-miRNAs against others, test", *held_out))
        if folds := scores.get((method, species, "folds")):
            for name, label in (("pre-miRNAs", 1), ("others", 0)):
                pair = (_of_class(folds, label), held_out[1 - label])
                found.append(_ks(method, species, f"{name}, folds against test", *pair))
    return found


def _of_class(runs: Sequence[Finished], label: int) -> np.ndarray:
    return np.concatenate([run.scores[run.labels == label] for run in runs])


def _ks(method: str, species: str, what: str, first: np.ndarray, second: np.ndarray) -> dict[str, Any]:
    result = ks_2samp(first, second, method="asymp")
    sizes = {"n_first": len(first), "n_second": len(second)}
    values = {"statistic": round(float(result.statistic), 4), "p": float(f"{result.pvalue:.3g}")}
    return {"method": method, "species": species, "what": what} | sizes | values
