"""The training runs of an experiment, several at once; what is finished is kept, what was interrupted goes on."""

import json
import multiprocessing
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mirsweep.jobs.paper.benchmark import TASKS, TaskData, read_task
from mirsweep.jobs.paper.experiments import TrainingRun
from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.results.json_files import read_object
from mirsweep.model.threads import one_thread, one_torch_thread
from mirsweep.regular import check_regular
from mirsweep.scanner.errors import InputError

__all__ = ["FailedRun", "Finished", "execute", "finished_epochs", "read_finished", "run_folder"]

_RECORD, _SCORES, _STATE, _ERROR, _WEIGHTS = "run.json", "scores.tsv", "state", "error.txt", "weights"


class FailedRun(NamedTuple):
    """A training run that failed, and why."""

    run: TrainingRun
    reason: str


class Finished(NamedTuple):
    """A finished training run.

    Attributes
    ----------
    run
        What was trained.
    record
        Content of its run.json: settings, sizes, seconds.
    labels, is_clean, scores
        Of the held-out hairpins in the order of the files, positives first; shape (n,).
    weights
        Its weights file; None for a baseline.
    """

    run: TrainingRun
    record: dict[str, Any]
    labels: np.ndarray
    is_clean: np.ndarray
    scores: np.ndarray
    weights: Path | None


def run_folder(output: Path, run: TrainingRun) -> Path:
    """Where a training run keeps its files."""
    return output / "runs" / run.id


def read_finished(output: Path, run: TrainingRun) -> Finished | None:
    """A finished training run; None if it is not there yet.

    Raises
    ------
    InputError
        If its files are damaged.
    """
    folder = run_folder(output, run)
    if not (folder / _RECORD).is_file():
        return None
    try:
        record = read_object(folder / _RECORD)
        check_regular(folder / _SCORES)
        labels, is_clean, scores = _read_scores(folder / _SCORES)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: damaged ({error}); remove the folder and run the same command again.") from error
    weights = folder / f"{_WEIGHTS}.safetensors"
    return Finished(run, record, labels.astype(np.uint8), is_clean > 0, scores, weights if run.recipe else None)


def _read_scores(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label, whether it is clean, and score of each held-out hairpin; ValueError if these are none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a file without rows
        labels, is_clean, scores = np.loadtxt(path, skiprows=1, ndmin=2).T
    if not (np.isin(labels, (0, 1)).all() and np.isin(is_clean, (0, 1)).all() and np.isfinite(scores).all()):
        raise ValueError(f"{path.name} holds a label or score that is none")
    return labels, is_clean, scores


def finished_epochs(output: Path, run: TrainingRun) -> int:
    """Epochs of an unfinished training run that need not be repeated."""
    path = run_folder(output, run) / _STATE
    if not path.is_file():
        return 0
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            return len(json.loads((file.metadata() or {})["losses"]))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError):
        return 0


def execute(
    runs: Sequence[TrainingRun],
    *,
    output: Path,
    data: Path,
    workers: int,
    device: str = "cpu",
    progress: Callable[[str], None] = lambda line: None,
) -> list[FailedRun]:
    """Do the training runs that are not finished, each in a process of its own with one thread.

    Parameters
    ----------
    runs
        In the order in which they are begun.
    output
        Folder of the results.
    data
        Folder of the benchmark.
    workers
        Processes at once; 1 trains in this process.
    device
        Where networks train; on a GPU all processes share it.
    progress
        Told a line now and then.

    Returns
    -------
    The training runs that failed.
    """
    todo = [run for run in runs if read_finished(output, run) is None]
    say = _Progress(todo, len(runs), progress)
    failures: list[FailedRun] = []
    if workers == 1:
        for run in todo:
            _perform(run, output, data, device)
            say.ended(run, _failure(run, output, 0), failures)
        return failures
    running: dict[BaseProcess, TrainingRun] = {}
    context = multiprocessing.get_context("spawn")
    try:
        while todo or running:
            while todo and len(running) < workers:
                run = todo.pop(0)
                process = context.Process(target=_perform_alone, args=(run, output, data, device), daemon=True)
                process.start()
                running[process] = run
            wait([process.sentinel for process in running])
            for ended in [each for each in running if not each.is_alive()]:
                run = running.pop(ended)
                ended.join()
                say.ended(run, _failure(run, output, ended.exitcode), failures)
    finally:
        for left in running:
            left.terminate()
        for left in running:
            left.join()
    return failures


class _Progress:
    """Counts training runs and guesses the time that is left from those that ended."""

    def __init__(self, todo: Sequence[TrainingRun], n_runs: int, say: Callable[[str], None]):
        self._n_runs, self._n_done, self._say = n_runs, n_runs - len(todo), say
        self._n_todo, self._n_ended, self._started = len(todo), 0, time.monotonic()
        say(f"{self._n_done} of {n_runs} training runs are there already")

    def ended(self, run: TrainingRun, failure: FailedRun | None, failures: list[FailedRun]) -> None:
        self._n_ended += 1
        if failure:
            failures.append(failure)
        left = (time.monotonic() - self._started) / self._n_ended * (self._n_todo - self._n_ended)
        what = f"failed: {failure.reason}" if failure else "done"
        done = self._n_done + self._n_ended
        self._say(
            f"{done} of {self._n_runs}: {run.method}, {run.task}, seed {run.seed} {what}; {left / 60:.0f} min left"
        )


def _failure(run: TrainingRun, output: Path, exit_code: int | None) -> FailedRun | None:
    folder = run_folder(output, run)
    if (folder / _RECORD).is_file():
        return None
    error = folder / _ERROR
    reason = error.read_text().strip() if error.is_file() else f"its process ended with code {exit_code}"
    return FailedRun(run, reason.splitlines()[-1])


def _perform_alone(run: TrainingRun, output: Path, data: Path, device: str) -> None:
    """One training run in a process whose end the starting one decides: Ctrl-C reaches both, and is heeded there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _perform(run, output, data, device)


def _perform(run: TrainingRun, output: Path, data: Path, device: str) -> None:
    """One training run, its scores and its record; an error is left in a file."""
    folder = run_folder(output, run)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _ERROR).unlink(missing_ok=True)
    try:
        with one_torch_thread(), one_thread():
            _train_and_score(run, folder, read_task(data, TASKS[run.task]), device)
    except Exception:  # whatever it is, the others go on and the report names it
        (folder / _ERROR).write_text(traceback.format_exc())


def _train_and_score(run: TrainingRun, folder: Path, data: TaskData, device: str) -> None:
    started = time.perf_counter()
    if run.recipe is None:
        scores, facts = _baseline(run, data)
    else:
        scores, facts = _network(run, folder, data, device)
    lines = zip(data.held_out.dataset.labels.tolist(), data.is_clean.tolist(), scores.tolist(), strict=True)
    rows = "".join(f"{label}\t{int(clean)}\t{score:.9g}\n" for label, clean, score in lines)
    write_atomically(folder / _SCORES, f"label\tis_clean\tscore\n{rows}".encode())
    record = {
        "method": run.method,
        "task": run.task,
        "train": TASKS[run.task].train,
        "held_out": TASKS[run.task].held_out,
        "settings": run.settings,
        "n_train_pos": data.train.dataset.n_pos,
        "n_train_neg": data.train.dataset.n_neg,
        "n_train_repeats_left_out": data.n_repeats,
        "n_train_in_both_classes_left_out": data.n_conflicts,
        "n_held_out": len(scores),
        "n_held_out_clean": int(data.is_clean.sum()),
        "seconds": round(time.perf_counter() - started, 1),
    } | facts
    write_atomically(folder / _RECORD, (json.dumps(record, indent=1) + "\n").encode())
    (folder / _STATE).unlink(missing_ok=True)


def _baseline(run: TrainingRun, data: TaskData) -> tuple[np.ndarray, dict[str, Any]]:
    from mirsweep.model.baselines import fit_baseline

    return fit_baseline(run.method, *data.train, seed=run.seed)(*data.held_out), {}


def _network(run: TrainingRun, folder: Path, data: TaskData, device: str) -> tuple[np.ndarray, dict[str, Any]]:
    from mirsweep.model.baselines import out_of_fold
    from mirsweep.model.checkpoint import save
    from mirsweep.model.predict import Model
    from mirsweep.model.seen import describe_sequences
    from mirsweep.model.train import train

    recipe = run.recipe
    assert recipe is not None
    teacher = out_of_fold(recipe.teacher, *data.train, seed=run.seed) if recipe.teacher else None
    trained = train(
        data.train.dataset,
        teacher=teacher,
        config=recipe.config,
        params=recipe.params,
        device=device,
        state_path=folder / _STATE,
    )
    facts = {
        "losses": [round(loss, 5) for loss in trained.losses],
        "seconds_of_epochs": round(sum(trained.seconds), 1),
        "n_parameters": sum(parameter.numel() for parameter in trained.net.parameters()),
    }
    card = save(
        folder / _WEIGHTS,
        trained.net,
        data={
            "name": f"deepMiRGene benchmark, {TASKS[run.task].train}",
            "sequences": describe_sequences(data.train.dataset.sequences),
        },
        licence="data published without a licence statement",
        protocol=run.settings | facts,
        metrics={},
    )
    model = Model(trained.net, card, device=device)
    held_out = data.held_out.dataset
    return model.score(held_out.sequences, held_out.structures), facts | {"digest": card["digest"]}
