"""Measures of finished training runs: rows with intervals, validation's choice, score distributions, average maps."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import ks_2samp

from mirsweep.jobs.paper.benchmark import TASKS, read_task
from mirsweep.jobs.paper.experiments import Row, TrainingRun
from mirsweep.jobs.paper.training_runs import Finished
from mirsweep.model.bootstrap import HeldOut, intervals

__all__ = [
    "VARIANTS",
    "Measured",
    "average_maps",
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
    """The rows, those of a table on the same folds: the folds that every row has of which anything is finished."""
    by_table: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        finished = {task for task, runs in zip(row.tasks, row.runs, strict=True) if any(map(find, runs))}
        if finished:
            by_table.setdefault(_table_of(row), set(row.tasks)).intersection_update(finished)
    shared = []
    for row in rows:
        kept = [k for k, task in enumerate(row.tasks) if task in by_table.get(_table_of(row), ())]
        if kept:
            row = replace(row, tasks=tuple(row.tasks[k] for k in kept), runs=tuple(row.runs[k] for k in kept))
        shared.append(row)
    return shared


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
    sets = [_held_out([runs[seed] for seed in complete], variant, row.is_ensemble) for runs in by_task if complete]
    n_pos = sum(int(each.labels.sum()) for each in sets)
    n_all = sum(len(each.labels) for each in sets)
    found = intervals(sets, n_resamples=n_resamples) if sets else {}
    measures = {name: {k: round(v, 4) for k, v in each._asdict().items()} for name, each in found.items()}
    return Measured(row, variant, len(complete), n_pos, n_all - n_pos, measures)


def _held_out(runs: Sequence[Finished | None], variant: str, is_ensemble: bool) -> HeldOut:
    finished = [run for run in runs if run is not None]
    kept = finished[0].is_clean if variant == "cleaned" else np.ones(len(finished[0].labels), bool)
    scores = np.array([run.scores for run in finished])
    scores = scores.mean(axis=0, keepdims=True) if is_ensemble else scores
    return HeldOut(finished[0].labels[kept], scores[:, kept])


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
    """Two-sample Kolmogorov-Smirnov tests of the scores of the rows of table 2.

    Of each method and species: scores on the validation folds against those on the test, for pre-miRNAs and for
    others; and on the test, pre-miRNAs against others. First seeds only, so that scores are independent.
    """
    scores: dict[tuple[str, str, str], list[Finished]] = {}
    for row in rows:
        firsts = [find(runs[0]) for runs in row.runs]
        if row.part == "table 2" and all(firsts):
            species, kind = row.tasks[0].split("-")
            kind = "test" if kind == "test" else "folds"
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


def average_maps(runs: Iterable[Finished], data: Path) -> dict[str, Any] | None:
    """Attention and both class activation maps, mean over pre-miRNAs and over others (paper, figure 4).

    Each hairpin's map is put on the axis from 0 % (5' end) to 100 % and divided by its largest magnitude; the
    attention is times the hairpin's length, so that 1 is even attention. Mean over hairpins, then over seeds.

    Parameters
    ----------
    runs
        Finished training runs of a network with attention on one task.
    data
        Folder of the benchmark.

    Returns
    -------
    ``axis`` in percent and, by profile and class, 100 values; None where there is no training run.
    """
    found = [run for run in runs if run.weights is not None]
    if not found:
        return None
    held_out = read_task(data, TASKS[found[0].run.task]).held_out.dataset
    by_seed = [_maps_of_classes(run, held_out) for run in found]
    mean = {
        profile: {name: np.mean([maps[profile][name] for maps in by_seed], axis=0) for name in by_seed[0][profile]}
        for profile in by_seed[0]
    }
    axis = (np.arange(100) + 0.5).round(1)
    inside = (axis >= 20) & (axis <= 50)
    contrast = {
        profile: {
            "20-50 %": float((maps["pre-miRNAs"] - maps["others"])[inside].mean().round(4)),
            "elsewhere": float((maps["pre-miRNAs"] - maps["others"])[~inside].mean().round(4)),
        }
        for profile, maps in mean.items()
    }
    profiles = {p: {name: values.round(4).tolist() for name, values in maps.items()} for p, maps in mean.items()}
    facts = {"task": found[0].run.task, "n_seeds": len(found), "axis_percent": axis.tolist()}
    return facts | {"profiles": profiles, "pre-miRNAs_minus_others": contrast}


def _maps_of_classes(run: Finished, held_out: Any) -> dict[str, dict[str, np.ndarray]]:
    """By profile and class, mean over hairpins; shape (100,)."""
    from mirsweep.model import load_model
    from mirsweep.model.explain import MAPS, explain, on_common_axis

    assert run.weights is not None
    model = load_model(run.weights)
    maps: dict[str, dict[str, np.ndarray]] = {}
    for activation in MAPS:
        found = explain(model, held_out.sequences, held_out.structures, activation=activation)
        own = [e.activation / max(float(np.abs(e.activation).max()), 1e-30) for e in found]
        maps[activation] = _by_class(np.array([on_common_axis(each) for each in own]), held_out.labels)
        if "attention" not in maps:
            even = np.array([on_common_axis(e.attention * len(e.attention)) for e in found])
            maps["attention"] = _by_class(even, held_out.labels)
    return maps


def _by_class(profiles: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    return {"pre-miRNAs": profiles[labels == 1].mean(axis=0), "others": profiles[labels == 0].mean(axis=0)}
