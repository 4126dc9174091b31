"""The page's charts, as Vega-Lite; colours are variables of the page's style sheet, so that they follow its theme."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mirsweep.jobs.report.trust import Trust
from mirsweep.jobs.results.loci_schema import SCORE_BINS

__all__ = ["Chart", "histogram", "precision_recall", "scores", "shares"]

INK, FAINT, BLUE, ORANGE, GREY = (f"var(--{name})" for name in ("ink", "faint", "blue", "orange", "grey"))
_MOST_POINTS = 400
_HEIGHT = 220
_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_UNIT = {"domain": [0, 1]}
_PERCENT = {"format": "%"}

Spec = dict[str, Any]


class Chart(NamedTuple):
    """A chart: its id in the page, what a screen reader says of it, and its Vega-Lite specification."""

    id: str
    label: str
    spec: Mapping[str, Any]


def shares(q_values: np.ndarray, trust: Trust) -> Chart:
    """Expected share of false loci in lists of the best so many.

    Parameters
    ----------
    q_values
        Of the loci, best first; shape (n,).
    """
    n_shown = min(len(q_values), max(_MOST_POINTS // 2, 2 * trust.levels[-1].n_loci))
    ranks = np.unique(np.rint(np.linspace(1, max(n_shown, 1), min(_MOST_POINTS, max(n_shown, 1)))).astype(int))
    points = [{"n": int(rank), "share": float(f"{q_values[rank - 1]:.4g}")} for rank in ranks if rank <= len(q_values)]
    curve = layer(
        {"type": "line", "interpolate": "step-before", "color": BLUE, "strokeWidth": 2},
        x=number("n", title="best loci taken", scale={"nice": False}),
        y=number("share", title="expected to be false", axis=_PERCENT, scale=_UNIT),
    )
    spots = layer(
        {"type": "point", "opacity": 0, "size": 120, "filled": True, "color": BLUE},
        x=number("n"),
        y=number("share"),
        tooltip=[number("n", title="loci", format=","), number("share", title="false", format=".2%")],
    )
    dots = layer(
        {"type": "point", "color": ORANGE, "filled": True, "opacity": 1, "size": 70},
        x=number("n"),
        y=number("share"),
    )
    label = "Expected share of false loci, by how many of the best are taken."
    names = (_names(is_first) for is_first in (True, False))
    layers = [over(points, curve, spots), over(_marked(q_values[:n_shown], trust), dots, *names)]
    return _chart("shares", label, {"layer": layers})


def _marked(q_values: np.ndarray, trust: Trust) -> list[Spec]:
    """The lists of the presets; those of the same length together."""
    names_of: dict[int, list[str]] = {}
    for each in trust.levels:
        if 0 < each.n_loci <= len(q_values):
            names_of.setdefault(each.n_loci, []).append(each.name)
    return [
        {
            "n": n,
            "share": float(q_values[n - 1]),
            "name": f"{', '.join(of_it)}: {n}",
            "is_first": not number,  # its name stands to the left, out of the way of the next
        }
        for number, (n, of_it) in enumerate(names_of.items())
    ]


def _names(is_first: bool) -> Spec:
    place = {"align": "right", "dx": -8, "dy": -8} if is_first else {"align": "left", "dx": 9, "dy": 0}
    names = layer(
        {"type": "text", "fontSize": 12, **place},
        x=number("n"),
        y=number("share"),
        text=word("name"),
        color={"value": INK},
    )
    return names | {"transform": [{"filter": f"datum.is_first == {str(is_first).lower()}"}]}


def scores(by_score: np.ndarray, trust: Trust) -> Chart:
    """How many loci have which score, and how many decoys would have it in as many bases.

    Parameters
    ----------
    by_score
        Number of loci in each of ``SCORE_BINS`` equal bins of ``locus_score``.
    """
    of_decoys = None if trust.decoys is None else trust.decoys.get("by_score")
    data = [
        {"low": i / SCORE_BINS, "high": (i + 1) / SCORE_BINS, "n": int(n)}
        | ({"decoys": round(of_decoys[i] * trust.scale, 1)} if of_decoys else {})
        for i, n in enumerate(by_score.tolist())
    ]
    tooltip = [number("low", title="from"), number("high", title="to"), number("n", title="loci")]
    bars = layer(
        {"type": "bar", "color": BLUE, "binSpacing": 1},
        x=number("low", title="score of the locus", scale=_UNIT),
        x2={"field": "high"},
        y=number("n", title="loci", scale={"type": "symlog"}, axis=_counts(by_score.max(initial=0))),
        y2={"datum": 0},
        tooltip=[*tooltip, number("decoys", title="decoys")] if of_decoys else tooltip,
    )
    layers = [bars]
    if of_decoys:
        steps = {"type": "line", "interpolate": "step-after", "color": ORANGE, "strokeWidth": 2.5}
        layers.append(layer(steps, x=number("low"), y=number("decoys")))
    label = "Number of loci by score" + (", with decoys beside them." if of_decoys else ".")
    return _chart("scores", label, over(data, *layers))


def histogram(name: str, values: np.ndarray, is_likely: np.ndarray, *, title: str, width: float, likely: str) -> Chart:
    """Shares of all loci and of the likely ones in bins of equal width.

    Parameters
    ----------
    name
        Id of the chart.
    values, is_likely
        Of each locus its value, and whether it is a likely one; shape (n,).
    title
        Of the axis.
    width
        Of a bin.
    likely
        What the likely ones are called.
    """
    data = _bins(values, width, "all loci") + _bins(values[is_likely], width, likely)
    lines = layer(
        {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        x=number("low", title=title, scale={"zero": False, "nice": False}),
        y=number("share", title="share", axis=_PERCENT),
        color=colours(["all loci", likely], [GREY, BLUE], symbolType="stroke"),
        tooltip=[
            word("of", title="of"),
            number("low", title="from"),
            number("high", title="to"),
            number("n", title="loci", format=","),
            number("share", title="share", format=".1%"),
        ],
    )
    return _chart(name, f"{title} of all loci and of {likely}.", over(data, lines))


def precision_recall(curve: Sequence[tuple[float, float]]) -> Chart:
    """Precision by recall of the known loci."""
    spots = {"color": BLUE, "size": 24}
    points = [{"recall": round(recall, 4), "precision": round(precision, 4)} for recall, precision in curve]
    line = layer(
        {"type": "line", "interpolate": "step-before", "color": BLUE, "strokeWidth": 2, "point": spots},
        x=number("recall", title="known loci found (recall)", axis=_PERCENT, scale=_UNIT),
        y=number("precision", title="known among the list", axis=_PERCENT, scale=_UNIT),
        tooltip=[number("recall", format=".0%"), number("precision", format=".0%")],
    )
    label = "Share of known loci in the list by the share of known loci found."
    return _chart("precision_recall", label, over(points, line))


def _bins(values: np.ndarray, width: float, name: str) -> list[dict[str, Any]]:
    if not len(values):
        return []
    first, last = math.floor(values.min() / width) - 1, math.floor(values.max() / width)
    counts = np.bincount(np.floor(values / width).astype(int) - first, minlength=last - first + 2)
    return [
        {"of": name, "low": (first + i) * width, "high": (first + i + 1) * width, "n": int(n), "share": n / len(values)}
        for i, n in enumerate(counts.tolist())
    ]


def _counts(most: int) -> Spec:
    """An axis of counts that rise by tens: 0, 1, 10, 100."""
    powers = [10**i for i in range(len(str(max(int(most), 1))) + 1) if 10**i <= most] or [1]
    return {"values": [0, *powers], "format": ",d"}


def layer(mark: Spec, **encoding: Any) -> Spec:
    """A mark, and what of the data decides its looks."""
    return {"mark": mark, "encoding": encoding}


def over(values: Sequence[Spec], *layers: Spec) -> Spec:
    """Layers with their data."""
    return {"data": {"values": list(values)}, "layer": list(layers)}


def number(name: str, **how: Any) -> Spec:
    """A column of numbers."""
    return {"field": name, "type": "quantitative", **how}


def word(name: str, **how: Any) -> Spec:
    """A column of names."""
    return {"field": name, "type": "nominal", **how}


def colours(names: Sequence[str], values: Sequence[str], **legend: Any) -> Spec:
    """Colours by the column ``of``, told above the chart."""
    return word(
        "of",
        scale={"domain": list(names), "range": list(values)},
        legend={"orient": "top", "title": None, "columnPadding": 18, **legend},
    )


def _chart(name: str, label: str, chart: Spec) -> Chart:
    return Chart(name, label, spec_of(chart))


def spec_of(chart: Spec, height: int | Mapping[str, int] = _HEIGHT) -> Spec:
    """A chart of the page's width, without a colour of its own."""
    return {
        "$schema": _SCHEMA,
        **chart,
        "width": "container",
        "height": height,
        "background": "transparent",
        "config": {
            "font": "inherit",
            "autosize": {"type": "fit-x", "contains": "padding"},
            "view": {"stroke": None},
            "aria": False,
            "axis": {
                "labelColor": FAINT,
                "titleColor": FAINT,
                "titleFontWeight": "normal",
                "labelFontSize": 12,
                "titleFontSize": 12,
                "titlePadding": 8,
                "gridColor": "var(--line)",
                "domainColor": "var(--line)",
                "tickColor": "var(--line)",
                "tickCount": 5,
                "labelOverlap": True,
            },
            "legend": {"labelColor": INK, "labelFontSize": 12, "labelOffset": 6, "padding": 0, "offset": 8},
        },
    }
