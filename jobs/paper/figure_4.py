"""Figure 4 of the paper: class activation maps of what the network calls pre-miRNAs and of what it does not."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mirsweep.jobs.paper.benchmark import TASKS, read_task
from mirsweep.jobs.paper.training_runs import Finished
from mirsweep.jobs.sequences.heat_map import Panel, heat_map

__all__ = ["CLASSES", "REGION", "Maps", "average_maps", "heat_map_of", "maps_of"]

CLASSES = ("predicted pre-miRNAs", "predicted others")
REGION = (20, 50)
"""Percent of the hairpin, from the 5' end, that the paper's section 4.4 singles out."""
_HEAT_MAP_OF = "cam"


class Maps(NamedTuple):
    """Maps of the held-out hairpins of one training run, on the axis from 0 % (5' end) to 100 %.

    Attributes
    ----------
    task
        Of the training run.
    scores
        Probabilities of pre-miRNA, shape (n,).
    profiles
        By name (``attention``, ``cam``, ``gradient``), float32, shape (n, 100): the attention times the hairpin's
        length, so that 1 is even attention; each class activation map divided by its largest magnitude.
    """

    task: str
    scores: np.ndarray
    profiles: dict[str, np.ndarray]

    def of_class(self, profile: str, name: str) -> np.ndarray:
        """The profile of what is predicted to be of a class, highest scores first; shape (k, 100)."""
        is_called = self.scores >= 0.5
        rows = np.flatnonzero(is_called if name == CLASSES[0] else ~is_called)
        return self.profiles[profile][rows[np.argsort(-self.scores[rows], kind="stable")]]


def maps_of(runs: Iterable[Finished], data: Path) -> list[Maps]:
    """Maps of the runs whose weights are there, in their order.

    Parameters
    ----------
    runs
        Finished training runs of a network with attention.
    data
        Folder of the benchmark.
    """
    return [_maps(run, data) for run in runs if run.weights is not None and run.weights.is_file()]


def _maps(run: Finished, data: Path) -> Maps:
    from mirsweep.model import load_model
    from mirsweep.model.explain import MAPS, explain, on_common_axis

    assert run.weights is not None
    model, held_out = load_model(run.weights), read_task(data, TASKS[run.run.task]).held_out.dataset
    profiles: dict[str, np.ndarray] = {}
    for activation in MAPS:
        found = explain(model, held_out.sequences, held_out.structures, activation=activation)
        own = (e.activation / max(float(np.abs(e.activation).max()), 1e-30) for e in found)
        profiles[activation] = np.array([on_common_axis(each) for each in own], np.float32)
    even = [on_common_axis(e.attention * len(e.attention)) for e in found]
    return Maps(run.run.task, np.array([e.score for e in found]), {"attention": np.array(even, np.float32)} | profiles)


def average_maps(maps: Iterable[Maps]) -> dict[str, dict[str, Any]]:
    """Mean profiles over the hairpins predicted to be of each class, then over the training runs; by task.

    Returns
    -------
    By task ``axis_percent`` and, by profile and class, 100 values; and how far the classes differ within ``REGION``
    and elsewhere.
    """
    by_task: dict[str, list[Maps]] = {}
    for each in maps:
        by_task.setdefault(each.task, []).append(each)
    return {task: _averages(group) for task, group in by_task.items()}


def _averages(group: list[Maps]) -> dict[str, Any]:
    axis = (np.arange(100) + 0.5).round(1)
    inside = (axis >= REGION[0]) & (axis <= REGION[1])
    profiles, contrast = {}, {}
    for profile in group[0].profiles:
        mean = {name: _mean([each.of_class(profile, name) for each in group]) for name in CLASSES}
        difference = mean[CLASSES[0]] - mean[CLASSES[1]]
        places = {f"{REGION[0]}-{REGION[1]} %": inside, "elsewhere": ~inside}
        profiles[profile] = {name: values.round(4).tolist() for name, values in mean.items()}
        contrast[profile] = {place: round(float(difference[rows].mean()), 4) for place, rows in places.items()}
    counts = {name: [len(each.of_class("attention", name)) for each in group] for name in CLASSES}
    facts = {"n_seeds": len(group), "n_hairpins": counts, "axis_percent": axis.tolist()}
    return facts | {"profiles": profiles, "difference": contrast}


def _mean(by_seed: list[np.ndarray]) -> np.ndarray:
    """Mean over hairpins, then over seeds; zeros where a seed predicts none; (k, 100) each to (100,)."""
    return np.mean([each.mean(axis=0) if len(each) else np.zeros(each.shape[1]) for each in by_seed], axis=0)


def heat_map_of(maps: Maps) -> str:
    """The class activation maps of one training run as a picture, a line a hairpin (SVG)."""
    panels = []
    for name in CLASSES:
        values = maps.of_class(_HEAT_MAP_OF, name)
        panels.append(Panel(f"{name} ({len(values)})", values))
    return heat_map(
        panels, title=f"Class activation maps, {maps.task}", x_label="% of the hairpin, from the 5' end", band=REGION
    )
