"""What reproducing the paper consists of: training runs with stable ids, and the rows of its tables and figures."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mirsweep.jobs.paper.benchmark import FOLDS, TASKS
from mirsweep.model.baselines import BASELINES
from mirsweep.model.metrics import THRESHOLD
from mirsweep.model.recipes import (
    ARCHITECTURES,
    AUTHORS_NAME,
    CANDIDATES,
    COMBINATIONS,
    HYPERPARAMETERS,
    INPUT_KINDS,
    PAPER,
    PAPER_NAME,
    SHORTER,
    VARIANTS,
    Recipe,
)

__all__ = [
    "Extent",
    "Row",
    "TrainingRun",
    "beside_table_4",
    "choice_rows",
    "finalist_rows",
    "on_validation_folds",
    "paper_rows",
    "runs_of",
]


GRID_SHARE, N_GRID_FOLDS = 3, 2
"""Hyperparameters are compared after a third of the epochs, on the first two folds of human."""


@dataclass(frozen=True)
class Extent:
    """How much is trained.

    Attributes
    ----------
    seeds, fold_seeds
        Training runs of each network on a test's training set and on each fold.
    epochs, candidate_epochs
        Epochs, of the paper's networks and of the candidates, which learn faster.
    folds
        Which of the authors' five folds.
    """

    seeds: int = 5
    fold_seeds: int = 1
    epochs: int = 150
    candidate_epochs: int = 25
    folds: tuple[int, ...] = FOLDS


@dataclass(frozen=True)
class TrainingRun:
    """One training run and the scores of its held-out set.

    Attributes
    ----------
    method
        Name of the recipe or baseline.
    task
        Name of the task (:data:`mirsweep.jobs.paper.benchmark.TASKS`).
    recipe
        Network and training, with seed and number of epochs; None for a baseline.
    seed
        Of a baseline.
    """

    method: str
    task: str
    recipe: Recipe | None = None
    seed: int = 0

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides the result, but for the data."""
        if self.recipe is None:
            return {"baseline": self.method, "seed": self.seed} | BASELINES.get(self.method, {})
        settings = asdict(self.recipe)
        del settings["params"]["save_every"]
        return settings

    @property
    def id(self) -> str:
        """Task, seed and digest of the settings: the same training run has the same id in every table.

        Settings that are the paper's do not count, so that a new one leaves the ids of old runs as they are.
        """
        own = self.settings
        if self.recipe is not None:
            default = asdict(PAPER)
            own = {part: _different(own[part], default[part]) for part in ("config", "params")}
            own |= {"teacher": self.recipe.teacher, "n_epochs": self.recipe.params.n_epochs}
        digest = hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:10]
        return f"{self.task}-s{self.seed}-{digest}"


def _different(own: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in own.items() if value != default[name]}


@dataclass(frozen=True)
class Row:
    """A row of a table: a method on one or more tasks of the same kind.

    Attributes
    ----------
    part
        ``table 2``, ``table 3``, ``table 4``, ``figure 3``, ``figure 4``, ``variants``, ``hyperparameters``, ``first
        fold`` (of the candidates), ``candidates``, ``best`` or ``thresholds`` (of what stands in ``best``).
    method
        Name of the row.
    tasks
        Held-out sets; measures are means over them.
    runs
        Training runs, by task and then by seed.
    is_ensemble
        Whether the seeds' scores are averaged into one.
    threshold
        Score from which on a hairpin is called a pre-miRNA.
    """

    part: str
    method: str
    tasks: tuple[str, ...]
    runs: tuple[tuple[TrainingRun, ...], ...]
    is_ensemble: bool = False
    threshold: float = THRESHOLD


def paper_rows(parts: Iterable[str], extent: Extent) -> list[Row]:
    """Rows of the paper's tables and figures, those of most worth first; ``parts`` as in :class:`Row`."""
    parts, rows = set(parts), []
    if "table 2" in parts:
        rows += _compared("table 2", [("cross-test",), ("human-test",)], extent)
    if "figure 4" in parts:
        rows += [_row("figure 4", PAPER_NAME, (task,), extent) for task in ("human-test", "cross-test")]
    if "table 3" in parts:
        rows += _compared("table 3", [("new",)], extent)
    if "table 2" in parts:
        rows += _compared("table 2", [_folds("cross", extent), _folds("human", extent)], extent)
    on_folds = {"figure 3": INPUT_KINDS, "table 4": ARCHITECTURES, "variants": _with_paper(VARIANTS)}
    for part, recipes in on_folds.items():
        for species in ("human", "cross") if part in parts else ():  # the paper's are on human
            more = _OF_ONE_SPECIES.get((part, species), {})
            rows += [_row(part, name, _folds(species, extent), extent) for name in recipes | more]
    if "hyperparameters" in parts:
        coarse = replace(extent, epochs=max(1, extent.epochs // GRID_SHARE))
        folds = _folds("human", extent)[:N_GRID_FOLDS]
        rows += [_row("hyperparameters", name, folds, coarse) for name in _with_paper(HYPERPARAMETERS)]
    if "best" in parts:
        for species in ("cross", "human"):
            rows += [_row("first fold", name, _folds(species, extent)[:1], extent) for name in _with_paper(CANDIDATES)]
    return rows


def finalist_rows(finalists: dict[str, Sequence[str]], extent: Extent) -> list[Row]:
    """Rows of all folds for the candidates that were best on the first, ``{"cross": names, "human": names}``."""
    return [
        _row("candidates", name, _folds(species, extent), extent)
        for species, names in finalists.items()
        for name in names
    ]


def beside_table_4(finalists: Sequence[Row]) -> list[Row]:
    """The finalists as rows of table 4, but for those that it has; their training runs are the same."""
    ours = [row for row in finalists if row.method not in ARCHITECTURES]
    return [replace(row, part="table 4") for row in ours]


def choice_rows(chosen: dict[str, str], extent: Extent) -> list[Row]:
    """Rows of the tests for the candidates that the folds chose, ``{"cross": name, "human": name}``."""
    rows = []
    for species, tasks in (("cross", ("cross-test", "new")), ("human", ("human-test",))):
        for task in tasks if species in chosen else ():
            row = _row("best", chosen[species], (task,), extent)
            with_boosting = (row.runs[0] + _row("best", "gradient boosting", (task,), extent).runs[0],)
            rows += [
                row,
                replace(row, method=f"{row.method}, ensemble", is_ensemble=True),
                replace(row, method=f"{row.method}, ensemble with boosting", runs=with_boosting, is_ensemble=True),
            ]
    return rows


def on_validation_folds(row: Row, extent: Extent) -> Row:
    """What a row of ``best`` scores a test with, on the validation folds of the same species: one score a hairpin."""
    species = "human" if row.tasks[0].startswith("human-") else "cross"
    methods = dict.fromkeys(run.method for run in row.runs[0])
    tasks = _folds(species, extent)
    by_method = [_row("thresholds", method, tasks, extent).runs for method in methods]
    runs = tuple(tuple(run for runs in by_task for run in runs) for by_task in zip(*by_method, strict=True))
    return Row("thresholds", row.method, tasks, runs, is_ensemble=True)


def runs_of(rows: Sequence[Row]) -> list[TrainingRun]:
    """Each training run once, in the order of the rows and, among the seeds of a row, seed by seed."""
    runs: dict[str, TrainingRun] = {}
    for row in rows:
        for by_seed in row.runs:
            for run in by_seed:
                runs.setdefault(run.id, run)
    return list(runs.values())


def _compared(part: str, groups: Sequence[tuple[str, ...]], extent: Extent) -> list[Row]:
    """The paper's network, trained as its text and as its authors' code says, and the baselines."""
    return [_row(part, name, tasks, extent) for tasks in groups for name in (PAPER_NAME, AUTHORS_NAME, *BASELINES)]


def _with_paper(recipes: dict[str, Recipe]) -> dict[str, Recipe]:
    return {PAPER_NAME: PAPER} | recipes


def _folds(species: str, extent: Extent) -> tuple[str, ...]:
    return tuple(f"{species}-f{k}" for k in extent.folds)


_OF_ONE_SPECIES = {("table 4", "cross"): SHORTER, ("variants", "human"): COMBINATIONS}
_RECIPES = ARCHITECTURES | SHORTER | INPUT_KINDS | VARIANTS | COMBINATIONS | HYPERPARAMETERS | CANDIDATES


def _row(part: str, method: str, tasks: tuple[str, ...], extent: Extent) -> Row:
    is_fold = "-f" in tasks[0]
    n_seeds = extent.fold_seeds if is_fold else extent.seeds
    if method == "triplet-SVM":
        n_seeds = 1  # nothing in it is drawn
    epochs = extent.candidate_epochs if method in CANDIDATES else extent.epochs * (1 + (method == AUTHORS_NAME))
    runs = tuple(tuple(_run(method, task, seed, epochs) for seed in range(n_seeds)) for task in tasks)
    return Row(part, method, tasks, runs)


def _run(method: str, task: str, seed: int, epochs: int) -> TrainingRun:
    if task not in TASKS:
        raise KeyError(task)
    if method in BASELINES:
        return TrainingRun(method, task, None, seed)
    recipe = _RECIPES[method]
    return TrainingRun(method, task, replace(recipe, params=replace(recipe.params, n_epochs=epochs, seed=seed)), seed)
