"""Figures of others, each with its source; nothing here was measured by mirsweep."""

from typing import NamedTuple

__all__ = ["QUOTED", "TARGETS", "Quoted"]


class Quoted(NamedTuple):
    """Measures of a method on a held-out set, as published.

    Attributes
    ----------
    task
        ``human-test``, ``cross-test`` or ``new``.
    method, source
        Whose, and where it stands.
    measures
        By name; what the source does not give is absent.
    """

    task: str
    method: str
    measures: dict[str, float]
    source: str


_LOGS = "github.com/eleventh83/deepMiRGene, reproduce/results/"
_ALL = ("SE", "SP", "F", "PPV", "g_mean", "AUROC", "AUPR")
_BEST = ("F", "g_mean", "AUROC", "AUPR")
_ISSUE = "the best of the paper, Do et al. 2018 (2-D CNN, its logs) and the authors' logs, measure by measure"


def _quoted(task: str, method: str, names: tuple[str, ...], values: tuple[float, ...], source: str) -> Quoted:
    return Quoted(task, method, dict(zip(names, values, strict=True)), source)


_AUTHORS = "the authors' code, last epoch of its log"
_PUBLISHED = "best published"
QUOTED = (
    _quoted("new", "the paper", ("F", "AUROC", "AUPR"), (0.782, 0.981, 0.808), "Park et al. 2017, table 3"),
    _quoted(
        "human-test",
        _AUTHORS,
        _ALL,
        (0.814, 0.985, 0.838, 0.864, 0.895, 0.979, 0.906),
        f"{_LOGS}test/human_test.rst, epoch 300",
    ),
    _quoted(
        "cross-test",
        _AUTHORS,
        _ALL,
        (0.928, 0.978, 0.912, 0.896, 0.953, 0.986, 0.956),
        f"{_LOGS}test/whole_test.rst, epoch 300",
    ),
    _quoted(
        "new",
        _AUTHORS,
        _ALL,
        (0.891, 0.980, 0.838, 0.792, 0.935, 0.984, 0.802),
        f"{_LOGS}test_new/new_test.rst, epoch 100",
    ),
    _quoted("human-test", _PUBLISHED, _BEST, (0.899, 0.957, 0.986, 0.946), _ISSUE),
    _quoted("cross-test", _PUBLISHED, _BEST, (0.912, 0.953, 0.986, 0.956), _ISSUE),
    _quoted("new", _PUBLISHED, _BEST, (0.838, 0.942, 0.984, 0.864), _ISSUE),
)
"""By held-out set."""

TARGETS = {
    "human-test": {"F": 0.905, "AUROC": 0.987, "AUPR": 0.950},
    "cross-test": {"F": 0.915, "AUROC": 0.988, "AUPR": 0.962},
    "new": {"F": 0.845, "AUROC": 0.986, "AUPR": 0.880},
}
"""What ``best`` is to reach."""
