"""Where loci and clusters lie along the contigs: the longest ones drawn, the others counted."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.jobs.report.charts import BLUE, GREY, INK, Chart, Spec, colours, layer, number, over, spec_of, word
from mirsweep.jobs.results.contigs import Contigs

__all__ = ["MOST_CONTIGS", "ContigMap", "Drawn", "contig_map"]

MOST_CONTIGS = 25
"""Contigs that are drawn."""
_ROW = 32
_LIKELY, _OTHERS = "likely", "others of the table"
_KINDS = {_OTHERS: (1, 10), _LIKELY: (2, 22)}
"""Thickness and size of ticks, those on top last."""


class Drawn(NamedTuple):
    """A contig that is drawn: its name on the page, its length (nt), and how many loci and clusters of the table lie
    on it."""

    name: str
    length: int
    n_loci: int
    n_clusters: int


class ContigMap(NamedTuple):
    """The contigs.

    Attributes
    ----------
    drawn
        Those of the chart.
    n_others, others_nt, n_loci_on_others
        The others: how many, their length, and loci of the table on them.
    chart
        None if no contig has a known length.
    """

    drawn: tuple[Drawn, ...]
    n_others: int
    others_nt: int
    n_loci_on_others: int
    chart: Chart | None


def contig_map(contigs: Contigs, best: pa.Table, is_likely: np.ndarray) -> ContigMap:
    """Map of the loci of the table.

    Parameters
    ----------
    best
        The loci of the table, best first.
    is_likely
        Whether each is a likely one; shape (n,).
    """
    lengths = np.array([0 if n is None else n for n in contigs.table["length"].to_pylist()], np.int64)
    chosen = np.sort(np.argsort(-lengths, kind="stable")[:MOST_CONTIGS])
    labels = _labels(contigs, chosen)
    rows = best.select(["genome", "contig", "start", "end", "strand", "locus", "locus_score", "cluster"]).to_pylist()
    of_contig: dict[tuple[str, str], list[dict]] = {key: [] for key in labels}
    n_elsewhere = 0
    for rank, row in enumerate(rows):
        own = of_contig.get((row["genome"], row["contig"]))
        if own is None:
            n_elsewhere += 1
        else:
            own.append(row | {"rank": rank, "is_likely": bool(is_likely[rank])})
    drawn = tuple(
        Drawn(labels[key], int(lengths[i]), len(own), len({row["cluster"] for row in own} - {None}))
        for (key, own), i in zip(of_contig.items(), chosen.tolist(), strict=True)
    )
    others = int(lengths.sum()) - sum(each.length for each in drawn)
    chart = _chart(drawn, list(of_contig.values())) if any(each.length for each in drawn) else None
    return ContigMap(drawn, len(contigs) - len(drawn), others, n_elsewhere, chart)


def _labels(contigs: Contigs, chosen: np.ndarray) -> dict[tuple[str, str], str]:
    """By (genome, contig) what a contig is called on the page."""
    has_several = len(contigs.genomes) > 1
    picked = [contigs[i] for i in chosen.tolist()]
    return {(g, name): f"{g} · {name}" if has_several else name for g, name, _ in picked}


def _chart(drawn: Sequence[Drawn], loci: Sequence[Sequence[dict]]) -> Chart:
    names = [each.name for each in drawn]
    nt, unit = (1e6, "Mb") if max(each.length for each in drawn) >= 1e6 else (1e3, "kb")
    bars = [{"contig": each.name, "from": 0, "to": each.length / nt} for each in drawn]
    x = number("from", title=f"place on the contig, {unit}", scale={"nice": False, "zero": True})
    axis = {"labelLimit": 130, "grid": False}
    y = word("contig", sort=None, title=None, scale={"domain": names}, axis=axis)
    backbone = layer({"type": "bar", "color": "var(--band)", "height": 12}, x=x, x2={"field": "to"}, y=y)
    layers = [over(bars, backbone)]
    clusters = [each for name, own in zip(names, loci, strict=True) for each in _clusters(name, own, nt)]
    if clusters:
        rule = {"type": "rule", "color": INK, "strokeWidth": 3, "yOffset": 12, "strokeCap": "round"}
        tips = [word("what", title="cluster")]
        layers.append(over(clusters, layer(rule, x=number("from"), x2={"field": "to"}, y=y, tooltip=tips)))
    ticks = [each for name, own in zip(names, loci, strict=True) for each in _ticks(name, own, nt)]
    if ticks:
        layers += [_tick_marks(ticks, kind, y) for kind in _KINDS]
    label = f"Places of loci and clusters on {len(drawn)} contig{'s' if len(drawn) > 1 else ''}."
    return Chart("contigs", label, spec_of({"layer": layers}, height={"step": _ROW}))


def _tick_marks(ticks: Sequence[dict], kind: str, y: Spec) -> Spec:
    thickness, size = _KINDS[kind]
    marks = layer(
        {"type": "tick", "thickness": thickness, "size": size, "cursor": "pointer"},
        x=number("from"),
        y=y,
        color=colours(list(_KINDS)[::-1], [BLUE, GREY]),
        tooltip=[word("locus"), number("score"), number("rank")],
    )
    return over([tick for tick in ticks if tick["of"] == kind], marks)


def _ticks(name: str, loci: Sequence[dict], unit: float) -> list[dict]:
    return [
        {
            "contig": name,
            "from": round((row["start"] + row["end"]) / 2 / unit, 6),
            "locus": row["locus"],
            "score": round(row["locus_score"], 3),
            "rank": row["rank"] + 1,
            "of": _LIKELY if row["is_likely"] else _OTHERS,
        }
        for row in loci
    ]


def _clusters(name: str, loci: Sequence[dict], unit: float) -> list[dict]:
    members: dict[int, list[dict]] = {}
    for row in loci:
        if row["cluster"] is not None:
            members.setdefault(row["cluster"], []).append(row)
    return [
        {
            "contig": name,
            "from": min(row["start"] for row in own) / unit,
            "to": max(row["end"] for row in own) / unit,
            "what": f"{number + 1}: {len(own)} loci of the table",
        }
        for number, own in sorted(members.items())
        if len(own) > 1
    ]
