"""Pictures, sentences and tables of ``docs/scaling.md``, from ``results/scaling.json`` and ``results/peers.json``.

    python benchmarks/make_scaling_page.py

After ``measure_scaling.py --json`` and ``bench_peers.py --json``. Whatever stands in the page between markers is
written anew, ``docs/scaling_*.png`` are drawn.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from harness import ROOT
from scaling_laws import DECOYS_MB, GENOME_MB, STAGES, animal, human_row, values
from scaling_page import WHAT, blocks

DOCS, RESULTS = ROOT / "docs", ROOT / "benchmarks" / "results"
_COLOURS = {name: f"C{number}" for number, name in enumerate((*STAGES, "page"))}
_SHOWN = ("prefilter", "fold", "score", "second pass", "rest")
Figures = Mapping[str, Any]


def draw_size(scaling: Figures) -> None:
    """Seconds by stage and memory against the size of the genome, with the fitted laws."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    rows, laws = scaling["sizes"], scaling["laws"]
    mb = values(rows, "mb")
    along = np.geomspace(mb.min(), mb.max(), 50)
    for name in ("all", *_SHOWN):
        law, colour = laws["size"][name], _COLOURS.get(name, "black")
        left.plot(mb, values(rows, name), "o", color=colour, markersize=4)
        left.plot(along, law["fixed"] + law["per_unit"] * along, color=colour, label=WHAT.get(name, "whole"))
    left.set(xscale="log", yscale="log", xlabel="genome, Mb", ylabel="core seconds")
    left.legend(fontsize=7)
    scanning = np.array([row["peaks_mb"]["driver"] for row in rows])
    parts = (("with second pass", values(rows, "peak_mb"), "memory"), ("until then", scanning, "memory_of_scan"))
    for label, measured, name in parts:
        (drawn,) = right.plot(mb, measured, "o", markersize=4)
        right.plot(along, laws[name]["fixed"] + laws[name]["per_unit"] * along, color=drawn.get_color(), label=label)
    right.set(xlabel="genome, Mb", ylabel="memory of the process, MB", ylim=(0, 1.1 * values(rows, "peak_mb").max()))
    right.legend(fontsize=7)
    save(figure, "size")


def draw_sequence(scaling: Figures) -> None:
    """Core seconds a Mb by longest span, G+C and number of contigs."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    spans = animal(scaling["spans"])
    stack(axes[0], values(spans, "span"), {name: values(spans, name) / values(spans, "mb") for name in _SHOWN})
    plant = next(row for row in scaling["spans"] if row["preset"] == "plant")
    axes[0].plot(plant["span"], plant["all"] / plant["mb"], "k*", label="plants' preset, whole")
    axes[0].set(xlabel="longest span, nt", ylabel="core seconds a Mb")
    axes[0].legend(fontsize=7)
    for name, marker in (("random", "o-"), ("real", "s")):
        rows = scaling["gc"][name]
        label = "random" if name == "random" else "slices of chromosomes"
        axes[1].plot(values(rows, "gc"), values(rows, "all") / values(rows, "mb"), marker, label=label, markersize=4)
    axes[1].set(xlabel="share of G+C", ylabel="core seconds a Mb", yscale="log")
    axes[1].legend(fontsize=7)
    contigs = scaling["contigs"]
    stack(axes[2], values(contigs, "n_contigs"), {name: values(contigs, name) for name in _SHOWN})
    axes[2].set(xscale="log", xlabel=f"contigs ({contigs[0]['mb']:.2g} Mb in all)", ylabel="core seconds")
    save(figure, "sequence")


def stack(axis: Axes, x: np.ndarray, by_stage: Mapping[str, np.ndarray]) -> None:
    """Stages one above the other."""
    colours = [_COLOURS[name] for name in by_stage]
    axis.stackplot(x, *by_stage.values(), labels=[WHAT[name] for name in by_stage], colors=colours)


def draw_human(scaling: Figures) -> None:
    """The profile of a human genome, and its time against the number of cores."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", width_ratios=(1, 2))
    human, bottom = scaling["human_genome"], 0.0
    for name, seconds in human["core_seconds"].items():
        left.bar(0, seconds / 60, bottom=bottom / 60, color=_COLOURS[name], label=WHAT[name])
        bottom += seconds
    left.set(xlim=(-0.5, 3.5), xticks=[], ylabel="core minutes")
    left.legend(fontsize=7, loc="upper right")
    feeding = human["rows"][-1]["feeding"]
    n_cores = 2 ** np.arange(11)
    most_shards = (GENOME_MB + DECOYS_MB) / feeding
    rows = [human_row(int(n), human["core_seconds"], scaling["laws"]["cores"], most_shards) for n in n_cores]
    right.plot(n_cores, [row["seconds"] / 60 for row in rows], "k-", label="whole")
    measured = [row for row in rows if row["rate_is_measured"]]
    at = [row["cores"] for row in measured], [row["seconds"] / 60 for row in measured]
    right.plot(*at, "ko", label="whole, rate measured")
    right.axhline(rows[-1]["alone"] / 60, color=_COLOURS["second pass"], linestyle="--", label="one core alone")
    right.axhline(feeding / 60, color="grey", linestyle=":", label="driver's commits, shards of 1 Mb")
    right.set(xscale="log", yscale="log", xlabel="cores", ylabel="minutes by the clock")
    right.set_xticks(n_cores[::2], [str(n) for n in n_cores[::2]])
    right.legend(fontsize=7)
    save(figure, "human")


def save(figure: Any, name: str) -> None:
    figure.savefig(DOCS / f"scaling_{name}.png", dpi=110)
    plt.close(figure)


def renewed(page: str, contents: Mapping[str, str]) -> str:
    """The page with what stands between its markers replaced.

    Raises
    ------
    SystemExit
        If a content has no markers in the page, or markers have no content.
    """
    pattern = re.compile(r"(<!-- (?P<name>[a-z ]+) -->\n).*?(<!-- end -->)", re.S)
    marked = {match["name"] for match in pattern.finditer(page)}
    if marked != set(contents):
        raise SystemExit(f"docs/scaling.md: markers and contents differ: {sorted(marked ^ set(contents))}")
    return pattern.sub(lambda match: f"{match[1]}{contents[match['name']]}\n{match[3]}", page)


def main() -> None:
    """Draw and write."""
    scaling, peers = (json.loads((RESULTS / f"{name}.json").read_text()) for name in ("scaling", "peers"))
    page = DOCS / "scaling.md"
    page.write_text(renewed(page.read_text(), blocks(scaling, peers)))
    draw_size(scaling)
    draw_sequence(scaling)
    draw_human(scaling)


if __name__ == "__main__":
    main()
