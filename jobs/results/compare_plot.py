"""Pictures of a comparison with known loci: precision by recall, recall by false positives, error rates."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mirsweep.jobs.results.figures import INK, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Curves", "plot_curves"]

_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#8a8a8a"
_WIDTH, _HEIGHT = 3.4, 3.1
"""Of a picture, inches: two fill a page of a journal."""
_LEVELS = (0.05, 0.1, 0.5)
"""The q-values of strict, balanced and sensitive loci."""


class Curves(NamedTuple):
    """What is drawn of a comparison; its fields are those of :class:`mirsweep.jobs.Comparison`."""

    n_known: int
    n_recovered: int
    average_precision: float
    scanned_mb: float
    curve: Sequence[tuple[float, float]]
    false_curve: Sequence[tuple[float, float]]


def plot_curves(curves: Curves, path: Path, *, q_values: np.ndarray | None = None) -> None:
    """Draw a comparison, side by side: precision by recall; recall by false positives per Mb; with q-values, these too.

    Parameters
    ----------
    path
        File to write, checked.
    q_values
        Of the loci that were compared, best first, shape (n,); None where there are none.

    Raises
    ------
    InputError
        If the place cannot be written.
    """
    n_pictures = 2 if q_values is None else 3
    figure = new_figure(_WIDTH * n_pictures, _HEIGHT)
    axes = [figure.add_axes(_place(i, n_pictures)) for i in range(n_pictures)]
    _precision_by_recall(axes[0], curves)
    _recall_by_false(axes[1], curves)
    if q_values is not None:
        _shares(axes[2], q_values)
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=7, color=INK)
        panel.grid(color="#e8e8e8", linewidth=0.5)
        panel.set_axisbelow(True)
    save(path, [figure])


def _place(index: int, n_pictures: int) -> tuple[float, float, float, float]:
    left, bottom = 0.55 / _WIDTH, 0.5 / _HEIGHT
    return (index + left) / n_pictures, bottom, (0.95 - left) / n_pictures, 0.88 - bottom


def _label(axes: "Axes", title: str, x: str, y: str) -> None:
    axes.set_title(title, size=8, color=INK, loc="left")
    axes.set_xlabel(x, size=8, color=INK)
    axes.set_ylabel(y, size=8, color=INK)


def _precision_by_recall(axes: "Axes", curves: Curves) -> None:
    """A step falls where the next known locus is found: precision holds up to its recall."""
    recalls, precisions = np.array([*curves.curve]).reshape(-1, 2).T
    axes.step(
        [0, *recalls],
        [*precisions[:1], *precisions] if len(precisions) else [0],
        where="pre",
        color=_BLUE,
        linewidth=1.5,
    )
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    title = f"average precision {curves.average_precision:.3f}"
    _label(axes, title, f"recall of {curves.n_known} known loci", "precision")


def _recall_by_false(axes: "Axes", curves: Curves) -> None:
    rates, recalls = np.array([*curves.false_curve]).reshape(-1, 2).T
    least = 1 / max(curves.scanned_mb, 1e-9) / 2
    axes.step([least, *np.maximum(rates, least)], [0, *recalls], where="post", color=_BLUE, linewidth=1.5)
    axes.axhline(curves.n_recovered / curves.n_known, color=_GREY, linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda rate, _: f"{rate:g}")
    axes.xaxis.set_minor_formatter(lambda *_: "")
    axes.set(xlim=(least, max(rates.max(initial=least), 10 * least)), ylim=(0, 1.02))
    _label(axes, f"{curves.n_recovered} recovered", "false positives per Mb", "recall")


def _shares(axes: "Axes", q_values: np.ndarray) -> None:
    """Expected share of false loci by how many of the best are taken, up to the sensitive limit."""
    n_shown = max(10, min(len(q_values), 2 * int((q_values <= _LEVELS[-1]).sum())))
    shown = q_values[:n_shown]
    axes.step(np.arange(1, len(shown) + 1), shown, where="post", color=_BLUE, linewidth=1.5)
    for level in _LEVELS:
        n = int((q_values <= level).sum())
        axes.axhline(level, color=_GREY, linewidth=0.8, linestyle=":")
        if n:
            axes.plot([n], [level], "o", color=_ORANGE, markersize=4)
            axes.annotate(str(n), (n, level), (-3, 3), textcoords="offset points", size=7, color=INK, ha="right")
    axes.set(xlim=(0, max(len(shown), 1)), ylim=(0, 1.02))
    _label(axes, "loci of this scan", "best loci taken", "expected to be false (q-value)")
