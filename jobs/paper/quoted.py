"""Figures of others, each with its source; nothing here was measured by mirsweep."""

from collections.abc import Mapping
from typing import NamedTuple

from mirsweep.model.recipes import AUTHORS_NAME, PAPER_NAME

__all__ = ["QUOTED", "Quoted", "kind_of"]


class Quoted(NamedTuple):
    """Measures of a method on a held-out set, as published.

    Attributes
    ----------
    parts
        Of the report, in which they stand.
    task
        ``human-test``, ``cross-test``, ``new``, ``human folds`` or ``cross folds``, the mean of all five.
    method, source
        Whose, and where it stands.
    beside
        Row of the report under which they stand; none: after all.
    measures
        By name; what the source does not give is absent.
    """

    parts: tuple[str, ...]
    task: str
    method: str
    beside: str
    measures: dict[str, float]
    source: str


def kind_of(task: str) -> str:
    """A test's name; of a fold ``human folds`` or ``cross folds``."""
    species, _, rest = task.partition("-")
    return f"{species} folds" if rest.startswith("f") else task


_MEASURES = ("SE", "SP", "PPV", "F", "g_mean", "AUROC", "AUPR")
_TABLE_2 = {
    "human folds": {
        "miRBoost": (0.803, 0.988, 0.887, 0.843, 0.891),
        "CSHMM": (0.713, 0.777, 0.559, 0.570, 0.673),
        "triplet-SVM": (0.669, 0.986, 0.851, 0.749, 0.812, 0.957, 0.854),
        "microPred": (0.763, 0.989, 0.888, 0.820, 0.869, 0.974, 0.890),
        "MIReNA": (0.818, 0.943, 0.624, 0.708, 0.878),
        PAPER_NAME: (0.799, 0.988, 0.885, 0.839, 0.888, 0.984, 0.915),
    },
    "cross folds": {
        "miRBoost": (0.861, 0.977, 0.884, 0.872, 0.917),
        "CSHMM": (0.826, 0.576, 0.533, 0.564, 0.524),
        "triplet-SVM": (0.735, 0.967, 0.819, 0.775, 0.843, 0.943, 0.869),
        "microPred": (0.825, 0.975, 0.875, 0.848, 0.897, 0.970, 0.873),
        "MIReNA": (0.766, 0.952, 0.765, 0.765, 0.854),
        PAPER_NAME: (0.886, 0.982, 0.911, 0.898, 0.933, 0.985, 0.927),
    },
    "human-test": {
        "miRBoost": (0.884, 0.969, 0.768, 0.822, 0.925),
        "CSHMM": (0.616, 0.978, 0.768, 0.684, 0.777),
        "triplet-SVM": (0.744, 0.992, 0.914, 0.821, 0.859, 0.947, 0.830),
        "microPred": (0.779, 0.988, 0.882, 0.827, 0.877, 0.980, 0.892),
        "MIReNA": (0.826, 0.941, 0.617, 0.706, 0.881),
        PAPER_NAME: (0.822, 0.992, 0.919, 0.868, 0.903, 0.981, 0.918),
    },
    "cross-test": {
        "miRBoost": (0.856, 0.844, 0.526, 0.651, 0.850),
        "CSHMM": (0.749, 0.960, 0.791, 0.769, 0.848),
        "triplet-SVM": (0.760, 0.977, 0.870, 0.812, 0.862, 0.952, 0.908),
        "microPred": (0.814, 0.985, 0.919, 0.863, 0.896, 0.963, 0.906),
        "MIReNA": (0.796, 0.950, 0.764, 0.780, 0.870),
        PAPER_NAME: (0.900, 0.983, 0.913, 0.906, 0.940, 0.984, 0.955),
    },
}
_TABLE_3 = {
    "new": {
        "miRBoost": (0.921, 0.936, 0.609, 0.733, 0.928),
        "CSHMM": (0.536, 0.069, 0.046, 0.085, 0.192),
        "triplet-SVM": (0.721, 0.981, 0.759, 0.740, 0.841, 0.934, 0.766),
        "microPred": (0.728, 0.970, 0.672, 0.699, 0.840, 0.940, 0.756),
        "MIReNA": (0.450, 0.941, 0.392, 0.419, 0.650),
        PAPER_NAME: (0.917, 0.964, 0.682, 0.782, 0.941, 0.981, 0.808),
    },
}
_FIGURE_3 = {"both": (0.988, 0.839), "sequence only": (0.987, 0.649), "structure only": (0.978, 0.795)}
_TABLE_4 = {
    "1D-CNN(2)": (0.745, 0.978, 0.771, 0.853),
    "CNN(2)+LSTM(2)": (0.707, 0.976, 0.738, 0.830),
    "CNN(2)+LSTM(2)+ATT": (0.691, 0.979, 0.739, 0.822),
    "LSTM(2)": (0.666, 0.988, 0.751, 0.810),
    "LSTM(1)+ATT": (0.781, 0.987, 0.824, 0.878),
    PAPER_NAME: (0.799, 0.988, 0.839, 0.888),
    "BiLSTM(1)+ATT": (0.783, 0.987, 0.827, 0.879),
    "BiLSTM(2)+ATT": (0.795, 0.987, 0.834, 0.886),
}
_LOGS = "github.com/eleventh83/deepMiRGene, reproduce/results/"
_AUTHORS = "the authors' code, last epoch of its log"
_AUTHORS_LOGS = (
    ("human folds", (0.797, 0.987, 0.874, 0.833, 0.886, 0.985, 0.908), "cv/human_cv.rst, epoch 300, mean of the folds"),
    ("human-test", (0.814, 0.985, 0.864, 0.838, 0.895, 0.979, 0.906), "test/human_test.rst, epoch 300"),
    ("cross-test", (0.928, 0.978, 0.896, 0.912, 0.953, 0.986, 0.956), "test/whole_test.rst, epoch 300"),
    ("new", (0.891, 0.980, 0.792, 0.838, 0.935, 0.984, 0.802), "test_new/new_test.rst, epoch 100"),
)
_BEST = {
    "human-test": (0.899, 0.957, 0.986, 0.946),
    "cross-test": (0.912, 0.953, 0.986, 0.956),
    "new": (0.838, 0.942, 0.984, 0.864),
}
_BEST_FROM = "the best of the paper, Do et al. 2018 (2-D CNN, its logs) and the authors' logs, measure by measure"


def _paper(part: str, task: str, values: Mapping[str, tuple[float, ...]], names: tuple[str, ...]) -> list[Quoted]:
    """Rows of one of the paper's tables; of its own network in ``best`` too."""
    rows = []
    for method, figures in values.items():
        parts = (part, "best") if method == PAPER_NAME and part in ("table 2", "table 3") else (part,)
        measures = dict(zip(names, figures, strict=False))
        rows.append(Quoted(parts, task, method, method, measures, f"Park et al. 2017, {part}"))
    return rows


QUOTED = (
    *(row for task, values in _TABLE_2.items() for row in _paper("table 2", task, values, _MEASURES)),
    *(row for task, values in _TABLE_3.items() for row in _paper("table 3", task, values, _MEASURES)),
    *_paper("figure 3", "human folds", _FIGURE_3, ("SP", "F")),
    *_paper("table 4", "human folds", _TABLE_4, ("SE", "SP", "F", "g_mean")),
    *(
        Quoted(
            ("table 3" if task == "new" else "table 2", "variants", "best"),
            task,
            _AUTHORS,
            AUTHORS_NAME,
            dict(zip(_MEASURES, figures, strict=True)),
            f"{_LOGS}{place}",
        )
        for task, figures, place in _AUTHORS_LOGS
    ),
    *(
        Quoted(
            ("table 3" if task == "new" else "table 2", "best", "thresholds"),
            task,
            "best published",
            "",
            dict(zip(("F", "g_mean", "AUROC", "AUPR"), figures, strict=True)),
            _BEST_FROM,
        )
        for task, figures in _BEST.items()
    ),
)
"""By part and held-out set."""
