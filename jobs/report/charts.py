"""The page's charts, as Vega-Lite; colours are variables of the page's style sheet, so that they follow its theme."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mirsweep.jobs.report.trust import Trust
from mirsweep.jobs.results.loci_schema import SCORE_BINS

if TYPE_CHECKING:
    import altair as alt

__all__ = ["Chart", "histogram", "precision_recall", "scores", "shares"]

INK, FAINT, BLUE, ORANGE, GREY = (f"var(--{name})" for name in ("ink", "faint", "blue", "orange", "grey"))
_MOST_POINTS = 400
_HEIGHT = 220


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
    import altair as alt

    n_shown = min(len(q_values), max(_MOST_POINTS // 2, 2 * trust.levels[-1].n_loci))
    ranks = np.unique(np.rint(np.linspace(1, max(n_shown, 1), min(_MOST_POINTS, max(n_shown, 1)))).astype(int))
    points = [{"n": int(rank), "share": float(f"{q_values[rank - 1]:.4g}")} for rank in ranks if rank <= len(q_values)]
    curve = (
        alt.Chart(alt.Data(values=points))
        .mark_line(interpolate="step-before", color=BLUE, strokeWidth=2)
        .encode(
            x=alt.X("n:Q", title="best loci taken", scale=alt.Scale(nice=False)),
            y=alt.Y("share:Q", title="expected to be false", axis=alt.Axis(format="%"), scale=_unit()),
        )
    )
    spots = (
        alt.Chart(alt.Data(values=points))
        .mark_point(opacity=0, size=120, filled=True, color=BLUE)
        .encode(
            x="n:Q",
            y="share:Q",
            tooltip=[alt.Tooltip("n:Q", title="loci", format=","), alt.Tooltip("share:Q", title="false", format=".2%")],
        )
    )
    names_of: dict[int, list[str]] = {}
    for each in trust.levels:
        if 0 < each.n_loci <= n_shown:
            names_of.setdefault(each.n_loci, []).append(each.name)
    marked = [
        {
            "n": n,
            "share": float(q_values[n - 1]),
            "name": f"{', '.join(of_it)}: {n}",
            "is_first": not number,  # its name stands to the left, out of the way of the next
        }
        for number, (n, of_it) in enumerate(names_of.items())
    ]
    lists = alt.Chart(alt.Data(values=marked)).encode(x="n:Q", y="share:Q")
    dots = lists.mark_point(color=ORANGE, filled=True, opacity=1, size=70)
    names = [
        lists.transform_filter(f"datum.is_first == {str(is_first).lower()}")
        .mark_text(
            align="right" if is_first else "left", dx=-8 if is_first else 9, dy=-8 if is_first else 0, fontSize=12
        )
        .encode(text="name:N", color=alt.value(INK))
        for is_first in (True, False)
    ]
    label = "Expected share of false loci, by how many of the best are taken."
    return _chart("shares", label, alt.layer(curve, spots, dots, *names))


def scores(by_score: np.ndarray, trust: Trust) -> Chart:
    """How many loci have which score, and how many decoys would have it in as many bases.

    Parameters
    ----------
    by_score
        Number of loci in each of ``SCORE_BINS`` equal bins of ``locus_score``.
    """
    import altair as alt

    of_decoys = None if trust.decoys is None else trust.decoys.get("by_score")
    data = [
        {"low": i / SCORE_BINS, "high": (i + 1) / SCORE_BINS, "n": int(n)}
        | ({"decoys": round(of_decoys[i] * trust.scale, 1)} if of_decoys else {})
        for i, n in enumerate(by_score.tolist())
    ]
    y = alt.Y("n:Q", title="loci", scale=alt.Scale(type="symlog"), axis=_counts(by_score.max(initial=0)))
    x = alt.X("low:Q", title="score of the locus", scale=_unit())
    tooltip = [alt.Tooltip("low:Q", title="from"), alt.Tooltip("high:Q", title="to"), alt.Tooltip("n:Q", title="loci")]
    if of_decoys:
        tooltip.append(alt.Tooltip("decoys:Q", title="decoys"))
    base = alt.Chart(alt.Data(values=data))
    bars = base.mark_bar(color=BLUE, binSpacing=1)
    layers = [bars.encode(x=x, x2="high:Q", y=y, y2=alt.Y2Datum(0), tooltip=tooltip)]
    if of_decoys:
        steps = base.mark_line(interpolate="step-after", color=ORANGE, strokeWidth=2.5)
        layers.append(steps.encode(x="low:Q", y="decoys:Q"))
    label = "Number of loci by score" + (", with decoys beside them." if of_decoys else ".")
    return _chart("scores", label, alt.layer(*layers))


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
    import altair as alt

    data = _bins(values, width, "all loci") + _bins(values[is_likely], width, likely)
    chart = (
        alt.Chart(alt.Data(values=data))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X("low:Q", title=title, scale=alt.Scale(zero=False, nice=False)),
            y=alt.Y("share:Q", title="share", axis=alt.Axis(format="%")),
            color=_colours(["all loci", likely], [GREY, BLUE]),
            tooltip=[
                alt.Tooltip("of:N", title="of"),
                alt.Tooltip("low:Q", title="from"),
                alt.Tooltip("high:Q", title="to"),
                alt.Tooltip("n:Q", title="loci", format=","),
                alt.Tooltip("share:Q", title="share", format=".1%"),
            ],
        )
    )
    return _chart(name, f"{title} of all loci and of {likely}.", chart)


def precision_recall(curve: Sequence[tuple[float, float]]) -> Chart:
    """Precision by recall of the known loci."""
    import altair as alt

    points = [{"recall": round(recall, 4), "precision": round(precision, 4)} for recall, precision in curve]
    chart = (
        alt.Chart(alt.Data(values=points))
        .mark_line(interpolate="step-before", color=BLUE, strokeWidth=2, point=alt.OverlayMarkDef(color=BLUE, size=24))
        .encode(
            x=alt.X("recall:Q", title="known loci found (recall)", axis=alt.Axis(format="%"), scale=_unit()),
            y=alt.Y("precision:Q", title="known among the list", axis=alt.Axis(format="%"), scale=_unit()),
            tooltip=[alt.Tooltip("recall:Q", format=".0%"), alt.Tooltip("precision:Q", format=".0%")],
        )
    )
    return _chart("precision_recall", "Share of known loci in the list by the share of known loci found.", chart)


def _bins(values: np.ndarray, width: float, name: str) -> list[dict[str, Any]]:
    if not len(values):
        return []
    first, last = math.floor(values.min() / width) - 1, math.floor(values.max() / width)
    counts = np.bincount(np.floor(values / width).astype(int) - first, minlength=last - first + 2)
    return [
        {"of": name, "low": (first + i) * width, "high": (first + i + 1) * width, "n": int(n), "share": n / len(values)}
        for i, n in enumerate(counts.tolist())
    ]


def _unit() -> "alt.Scale":
    import altair as alt

    return alt.Scale(domain=[0, 1])


def _counts(most: int) -> "alt.Axis":
    """An axis of counts that rise by tens: 0, 1, 10, 100."""
    import altair as alt

    powers = [10**i for i in range(len(str(max(int(most), 1))) + 1) if 10**i <= most] or [1]
    return alt.Axis(values=[0, *powers], format=",d")


def _colours(names: Sequence[str], colours: Sequence[str]) -> "alt.Color":
    import altair as alt

    scale = alt.Scale(domain=list(names), range=list(colours))
    return alt.Color(
        "of:N", scale=scale, legend=alt.Legend(orient="top", title=None, symbolType="stroke", columnPadding=18)
    )


def _chart(name: str, label: str, chart: Any) -> Chart:
    return Chart(name, label, spec_of(chart))


def spec_of(chart: Any, height: int | Mapping[str, int] = _HEIGHT) -> Mapping[str, Any]:
    """Vega-Lite of a chart of the page's width, without a colour of its own."""
    whole = chart.properties(width="container", height=height, background="transparent")
    return whole.configure(
        font="inherit",
        autosize={"type": "fit-x", "contains": "padding"},
        view={"stroke": None},
        aria=False,
        axis={
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
        legend={"labelColor": INK, "labelFontSize": 12, "labelOffset": 6, "padding": 0, "offset": 8},
    ).to_dict(validate=False)  # which takes half a second for the charts of a page, and finds no fault in ours
