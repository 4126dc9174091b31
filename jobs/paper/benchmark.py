"""The paper's benchmark on disk: which files make up a training and a held-out set."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mirsweep.jobs.sequences.score import checked_sequences
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import read_sequences
from mirsweep.scanner.fold import fold

if TYPE_CHECKING:
    from mirsweep.model import Dataset

__all__ = ["FOLDS", "TASKS", "LabelledHairpins", "Task", "TaskData", "find_benchmark", "read_task"]

FOLDS = (1, 2, 3, 4, 5)
_LONGEST = 400
_STEMS = {"human": "human", "cross": "whole"}


@dataclass(frozen=True)
class Task:
    """A training set and a set held out from it.

    Attributes
    ----------
    name
        ``human-f1`` to ``-f5`` and ``cross-f1`` to ``-f5``, the authors' folds; ``human-test``,
        ``cross-test``, ``new``.
    train, held_out
        Their files below the benchmark's folder, with ``{}`` for ``pos`` and ``neg``.
    """

    name: str
    train: str
    held_out: str


def _tasks() -> dict[str, Task]:
    tasks = []
    for species, stem in _STEMS.items():
        for k in FOLDS:
            files = (f"cv/{stem}/{part}/{stem}_{{}}_{part}_f{k}.fa" for part in ("train", "val"))
            tasks.append(Task(f"{species}-f{k}", *files))
        tasks.append(Task(f"{species}-test", f"cv/{stem}/{stem}_{{}}_all.fa", f"test/{stem}/{stem}_{{}}_test.fa"))
    tasks.append(Task("new", "sequences/whole_{}.fa", "sequences/new_{}.fa"))
    return {task.name: task for task in tasks}


TASKS = _tasks()
"""All tasks by name."""


class LabelledHairpins(NamedTuple):
    """Labelled hairpins and their minimum free energies, kcal/mol, shape (n,)."""

    dataset: "Dataset"
    energies: np.ndarray


class TaskData(NamedTuple):
    """What a task trains on and is measured on.

    Attributes
    ----------
    train
        Training set; each sequence once, and none that stands in both classes.
    held_out
        As published.
    is_clean
        Which held-out hairpins are neither in the training set (either class) nor in both classes of the held-out set,
        and share no 24 nt with a training hairpin of their own class; bool, shape (n,).
    n_repeats, n_conflicts
        Training sequences left out as repeats, and as standing in both classes.
    """

    train: LabelledHairpins
    held_out: LabelledHairpins
    is_clean: np.ndarray
    n_repeats: int
    n_conflicts: int


def find_benchmark(data: str | os.PathLike | None) -> Path:
    """Folder of the benchmark: the given one or the folder ``deepmirgene`` in it; by default in ``MIRSWEEP_DATA``.

    Raises
    ------
    InputError
        If it is not there.
    """
    asked = os.fspath(data) if data is not None else os.environ.get("MIRSWEEP_DATA", "")
    for folder in (Path(asked), Path(asked) / "deepmirgene"):
        if asked and (folder / "cv").is_dir() and (folder / "test").is_dir():
            return folder
    raise InputError(
        f"{asked or 'no data folder given'}: the paper's benchmark is not there (folders cv, test, sequences); get "
        "reproduce/dataset of github.com/eleventh83/deepMiRGene, and name its folder with --data or MIRSWEEP_DATA."
    )


def read_task(folder: Path, task: Task) -> TaskData:
    """Read and fold the files of a task.

    Raises
    ------
    InputError
        If a file is absent, is no FASTA, or holds what cannot be scored.
    """
    from mirsweep.model.data import deduplicate, is_known, pool, shares_kmer

    train, held_out = (_read(folder, pattern) for pattern in (task.train, task.held_out))
    unique = deduplicate(train.dataset)
    conflicts = set(deduplicate(pool(held_out.dataset)).conflicts)
    is_both = np.array([sequence in conflicts for sequence in held_out.dataset.sequences], bool)
    near = is_known(held_out.dataset, train.dataset) | shares_kmer(held_out.dataset, train.dataset)
    energy_of = dict(zip(train.dataset.sequences, train.energies.tolist(), strict=True))
    energies = np.array([energy_of[sequence] for sequence in unique.dataset.sequences], np.float32)
    return TaskData(
        train=LabelledHairpins(unique.dataset, energies),
        held_out=held_out,
        is_clean=~(near | is_both),
        n_repeats=unique.n_repeats,
        n_conflicts=len(unique.conflicts),
    )


def _read(folder: Path, pattern: str) -> LabelledHairpins:
    from mirsweep.model import Dataset

    by_class = []
    for kind in ("pos", "neg"):
        path = folder / pattern.format(kind)
        by_class.append(checked_sequences(path, read_sequences(path), longest=_LONGEST))
    sequences = by_class[0] + by_class[1]
    structures, energies = fold(sequences)
    labels = np.repeat([1, 0], [len(each) for each in by_class]).astype(np.uint8)
    return LabelledHairpins(Dataset(sequences, structures, labels), energies)
