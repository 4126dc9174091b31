"""The paper's tables and figures, trained and measured anew; resumable."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mirsweep._shown import shown
from mirsweep.cores import n_cores
from mirsweep.jobs.paper.benchmark import FOLDS, find_benchmark
from mirsweep.jobs.results.outputs import check_folder
from mirsweep.scanner.errors import InputError

if TYPE_CHECKING:
    from mirsweep.jobs.paper.experiments import Extent, Row, TrainingRun
    from mirsweep.jobs.paper.training_runs import FailedRun, Finished

__all__ = ["FIGURES", "TABLES", "PlannedRun", "ReproduceParams", "ReproduceReport", "planned_runs", "reproduce"]

TABLES = ("2", "3", "4", "variants", "hyperparameters", "best")
FIGURES = ("3", "4")
N_FINALISTS = 4
"""Candidates of each species that are trained on all folds: the best on the first."""


@shown("output", "failures")
class ReproduceReport(NamedTuple):
    """Folder of the report, its content as JSON values, and the training runs that failed."""

    output: Path
    document: dict[str, Any]
    failures: "list[FailedRun]"


class PlannedRun(NamedTuple):
    """A training run, how many of its epochs are done, and the minutes it took if it is finished."""

    run: "TrainingRun"
    epochs_done: int
    minutes: float | None


@dataclass(frozen=True)
class ReproduceParams:
    """What of the paper is made anew, and how much is trained for it.

    Attributes
    ----------
    tables
        Of ``TABLES``; ``"variants"`` are the differences between the paper and its authors' code,
        ``"hyperparameters"`` the paper's appendix C, ``"best"`` the candidates, the validation's choice among them and
        its tests.
    figures
        Of ``FIGURES``. Without tables and figures, all are made.
    seeds, fold_seeds
        Training runs of each network for the tests, and for each fold.
    epochs, candidate_epochs
        Epochs, fixed beforehand: of the paper's networks, and of the candidates.
    folds
        Which of the authors' five folds.
    quick
        One seed, one fold, 20 epochs, tables 2 and 3 and figure 4: a look within minutes.

    Raises
    ------
    InputError
        If a table or figure is unknown, or a number is out of its range.
    """

    tables: Sequence[str] = ()
    figures: Sequence[str] = ()
    seeds: int = 5
    fold_seeds: int = 1
    epochs: int = 150
    candidate_epochs: int = 25
    folds: Sequence[int] = FOLDS
    quick: bool = False

    def __post_init__(self) -> None:
        if min(self.seeds, self.fold_seeds, self.epochs, self.candidate_epochs) < 1:
            raise InputError("numbers of seeds and epochs must be at least 1.")
        if not self.folds or not set(self.folds) <= set(FOLDS):
            asked = ", ".join(map(str, self.folds)) or "none"
            raise InputError(f"folds must be of {', '.join(map(str, FOLDS))}, not {asked}.")
        for asked_for, known, name in ((self.tables, TABLES, "table"), (self.figures, FIGURES, "figure")):
            if odd := [each for each in asked_for if each not in known]:
                raise InputError(f"{name} {odd[0]!r} is unknown: choose of {', '.join(known)}.")

    @property
    def parts(self) -> set[str]:
        """Names of the parts that are made, as :mod:`mirsweep.jobs.paper.experiments` has them."""
        tables, figures = self.tables, self.figures
        if not tables and not figures:
            tables, figures = (("2", "3"), ("4",)) if self.quick else (TABLES, FIGURES)
        named = {"2": "table 2", "3": "table 3", "4": "table 4"}
        return {named.get(table, table) for table in tables} | {f"figure {figure}" for figure in figures}

    @property
    def extent(self) -> "Extent":
        """How much is trained."""
        from mirsweep.jobs.paper.experiments import Extent

        if self.quick:
            return Extent(seeds=1, fold_seeds=1, epochs=20, candidate_epochs=20, folds=(1,))
        folds = tuple(sorted(set(self.folds)))
        return Extent(self.seeds, self.fold_seeds, self.epochs, self.candidate_epochs, folds)


def reproduce(
    *,
    output: str | os.PathLike,
    data: str | os.PathLike | None = None,
    report_only: bool = False,
    workers: int | None = None,
    device: str = "cpu",
    quiet: bool = False,
    **what: Any,
) -> ReproduceReport:
    """Train what the paper's tables and figures need, and write them with the published figures beside.

    Finished training runs in ``output`` are kept, interrupted ones go on; the report is written at the end, of all
    that is there.

    Parameters
    ----------
    output
        Folder for training runs and report.
    data
        Folder of the benchmark; the environment variable ``MIRSWEEP_DATA`` by default.
    report_only
        Train nothing; report what is there.
    workers
        Training runs at once; as many as there are cores by default.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``: where networks train.
    quiet
        No progress on standard error.
    **what
        ``tables``, ``figures``, ``seeds``, ``fold_seeds``, ``epochs``, ``candidate_epochs``, ``folds`` and ``quick``:
        see :class:`ReproduceParams`.

    Raises
    ------
    InputError
        If the benchmark is not there, an option is bad, or the output cannot be written.
    """
    from mirsweep.jobs.paper.accuracy import at_validation_thresholds, by_validation, measure
    from mirsweep.jobs.paper.experiments import (
        beside_table_4,
        choice_rows,
        finalist_rows,
        on_validation_folds,
        paper_rows,
        runs_of,
    )
    from mirsweep.jobs.paper.training_runs import execute

    params = ReproduceParams(**what)
    parts, extent = params.parts, params.extent
    rows = paper_rows(parts, extent)
    workers = _checked_workers(workers)
    output, folder = check_folder(output), find_benchmark(data)
    tell = _silent if quiet else _say
    find = _Found(output)
    failures: list[FailedRun] = []

    def finish(rows: "list[Row]") -> None:
        if rows and not report_only:
            failures.extend(
                execute(runs_of(rows), output=output, data=folder, workers=workers, device=device, progress=tell)
            )

    finish(rows)
    first = by_validation(measure(rows, find, n_resamples=1), "first fold")
    finalists = finalist_rows({species: list(by_name)[:N_FINALISTS] for species, by_name in first.items()}, extent)
    finish(finalists)
    choices = by_validation(measure(finalists, find, n_resamples=1), "candidates")
    final = choice_rows({species: next(iter(by_name)) for species, by_name in choices.items()}, extent)
    finish(final)
    finish([on_validation_folds(row, extent) for row in final])
    final += at_validation_thresholds(final, extent, find)
    tell("measuring")
    beside = beside_table_4(finalists) if "table 4" in parts else []
    document = _report(output, folder, [*rows, *beside, *finalists, *final], choices, extent, parts, find)
    return ReproduceReport(output, document, failures)


def planned_runs(*, output: str | os.PathLike, **what: Any) -> list[PlannedRun]:
    """What :func:`reproduce` would train, in its order, and how far each is.

    Of ``"best"`` it knows the first fold; finalists and tests come on top.

    Parameters
    ----------
    output
        Folder of :func:`reproduce`.
    **what
        See :class:`ReproduceParams`.
    """
    from mirsweep.jobs.paper.experiments import paper_rows, runs_of
    from mirsweep.jobs.paper.training_runs import finished_epochs, read_finished

    params = ReproduceParams(**what)
    planned = []
    for run in runs_of(paper_rows(params.parts, params.extent)):
        finished = read_finished(Path(output), run)
        n_epochs = run.recipe.params.n_epochs if run.recipe else 0
        done = n_epochs if finished else finished_epochs(Path(output), run)
        planned.append(PlannedRun(run, done, finished.record["seconds"] / 60 if finished else None))
    return planned


def _checked_workers(workers: int | None) -> int:
    if workers is not None and workers < 1:
        raise InputError(f"--workers must be at least 1, not {workers}.")
    return workers or n_cores()


def _report(
    output: Path,
    folder: Path,
    rows: "list[Row]",
    choices: dict[str, dict[str, float]],
    extent: "Extent",
    parts: set[str],
    find: "_Found",
) -> dict[str, Any]:
    from mirsweep.jobs.paper.accuracy import compare_distributions, measure, on_shared_folds
    from mirsweep.jobs.paper.accuracy_report import as_json, write_report
    from mirsweep.jobs.paper.experiments import runs_of
    from mirsweep.jobs.paper.figure_4 import maps_of

    shared = on_shared_folds(rows, find)
    measured = measure(shared, find)
    runs = runs_of(rows)
    mapped = [find(run) for run in runs_of([row for row in rows if row.part == "figure 4"])]
    maps = maps_of([each for each in mapped if each], folder)
    settings = {
        "command": _command(extent, parts),
        "seeds": extent.seeds,
        "fold_seeds": extent.fold_seeds,
        "epochs": extent.epochs,
        "candidate_epochs": extent.candidate_epochs,
        "folds": list(extent.folds),
    }
    document = as_json(
        measured,
        settings=settings,
        choices=choices,
        ks_tests=compare_distributions(shared, find),
        maps=maps,
        missing=[run for run in runs if find(run) is None],
    )
    write_report(output, document, rows, find, maps)
    return document


def _command(extent: "Extent", parts: set[str]) -> str:
    asked = []
    for part in sorted(parts):
        kind, _, number = part.partition(" ")
        asked.append(f"--{kind} {number}" if number else f"--table {part}")
    folds = ",".join(map(str, extent.folds))
    numbers = f"--seeds {extent.seeds} --fold-seeds {extent.fold_seeds} --epochs {extent.epochs} --folds {folds}"
    if "best" in parts:
        numbers += f" --candidate-epochs {extent.candidate_epochs}"
    return f"mirsweep reproduce {' '.join(asked)} {numbers} -o OUT"


class _Found:
    """Finished training runs, each read once."""

    def __init__(self, output: Path):
        self._output = output
        self._read: dict[str, Finished] = {}

    def __call__(self, run: "TrainingRun") -> "Finished | None":
        from mirsweep.jobs.paper.training_runs import read_finished

        if run.id not in self._read:
            finished = read_finished(self._output, run)
            if finished is None:
                return None
            self._read[run.id] = finished
        return self._read[run.id]._replace(run=run)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    """No progress."""
