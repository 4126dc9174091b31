"""Pictures of hairpins for papers, as SVG, PDF or PNG."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mirsweep.jobs.report.chosen import attention_of, best_loci, named_loci
from mirsweep.jobs.report.hairpin import ARMS, Hairpin, hairpin_of, shown_arms
from mirsweep.jobs.results.figures import INK, check_picture, new_figure, save
from mirsweep.scanner.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MOST_DRAWN", "draw"]

MOST_DRAWN = 100
"""Hairpins in one picture: an SVG of more is slow to open."""
_ARM_COLOURS = ("#0072b2", "#d55e00")
"""Of both arms; told apart by the colour-blind too (Okabe and Ito)."""
_ARM_TINTS = ("#b3d5ea", "#f4c9a8")
_PLAIN, _HALO = "#f1f1f1", "#f0b429"
_LEAST_SHADE = 0.02
_INCH = 0.165
"""Distance of neighbouring bases."""
_LEFT, _RIGHT, _ABOVE, _BELOW = 0.45, 0.35, 0.72, 0.62
"""Margins of a hairpin, inches; title above, legend below."""


def draw(
    output: str | os.PathLike,
    picture: str | os.PathLike,
    *,
    locus: str | Sequence[str] = (),
    top: int | None = None,
    genome: str | None = None,
    attention: bool = True,
) -> Path:
    """Draw loci of a scan: each hairpin with the sequences of its arms and where the network looks.

    Parameters
    ----------
    output
        Output folder of a scan.
    picture
        File to write; its ending says the format: ``.svg``, ``.pdf`` or ``.png``. A PDF has a page a hairpin.
    locus
        Names of loci, as in the column ``locus``: ``chrX:101-190:+``.
    top
        The best so many loci instead, 100 at most; 1 if neither is given.
    genome
        Of a scan of several genomes, loci of this one only.
    attention
        Shade the bases by the attention of the model that scored them; left out, with a warning, where that model has
        none or its weights are not at hand.

    Returns
    -------
    The file.

    Raises
    ------
    InputError
        If the scan has no loci, or not the one that is named; the ending is none of these; or the place cannot be
        written.
    """
    names = [locus] if isinstance(locus, str) else list(locus)
    if names and top is not None:
        raise InputError("--locus and --top cannot go together: name the loci, or say how many of the best.")
    n_drawn = len(names) or (1 if top is None else top)
    if not 1 <= n_drawn <= MOST_DRAWN:
        raise InputError(f"{n_drawn} hairpins cannot be drawn: choose from 1 to {MOST_DRAWN}.")
    path = check_picture(picture)
    rows = named_loci(output, names, genome=genome) if names else best_loci(output, n_drawn, genome=genome)
    if not rows.num_rows:
        raise InputError(f"{output}: has no loci to draw.")
    shades = attention_of(output, rows) if attention else None
    drawn = [(row, hairpin_of(row, None if shades is None else shades[i])) for i, row in enumerate(rows.to_pylist())]
    pages = [[each] for each in drawn] if path.suffix == ".pdf" else [drawn]
    save(path, (_page(page) for page in pages))
    return path


def _page(drawn: Sequence[tuple[Mapping[str, Any], Hairpin]]) -> "Figure":
    """Hairpins one below the other, all to the same scale."""
    heights = [hairpin.size[1] * _INCH + _ABOVE + _BELOW for _, hairpin in drawn]
    width = max(7.0, max(hairpin.size[0] for _, hairpin in drawn) * _INCH + _LEFT + _RIGHT)
    figure = new_figure(width, sum(heights))
    top = sum(heights)
    for (row, hairpin), height in zip(drawn, heights, strict=True):
        top -= height
        axes = figure.add_axes((0, top / sum(heights), 1, height / sum(heights)), frameon=False)
        axes.set(xlim=(-_LEFT / _INCH, (width - _LEFT) / _INCH), xticks=[], yticks=[])
        axes.set_ylim(-_BELOW / _INCH, hairpin.size[1] + _ABOVE / _INCH)
        _title(axes, row, hairpin)
        _bases(axes, hairpin)
        _legend(axes, row, hairpin)
    return figure


def _title(axes: "Axes", row: Mapping[str, Any], hairpin: Hairpin) -> None:
    left, top = -0.25 / _INCH, hairpin.size[1] + _ABOVE / _INCH
    place = f"{row['contig']}:{row['start'] + 1:,}-{row['end']:,} ({row['strand']})"
    axes.text(left, top - 1.0, place, size=10, weight="bold", va="center", color=INK, parse_math=False)
    rate = "" if row["q_value"] is None else f"   q {row['q_value']:.2g}"
    figures = f"score {row['locus_score']:.3f}{rate}   {row['mfe']:.1f} kcal/mol   {len(hairpin.sequence)} nt"
    line = f"{row['genome']}   {figures}   {row['model']}"
    axes.text(left, top - 2.2, line, size=7.5, va="center", color="#555555", parse_math=False)


def _bases(axes: "Axes", hairpin: Hairpin) -> None:
    from matplotlib.collections import LineCollection

    places = hairpin.places
    axes.plot(*places.T, color="#9a9a9a", lw=1.0, zorder=1)
    opening = np.flatnonzero(hairpin.partners > np.arange(len(places)))
    pairs = [(places[i], places[hairpin.partners[i]]) for i in opening.tolist()]
    axes.add_collection(LineCollection(pairs, colors="#555555", linewidths=1.3, zorder=1))
    if hairpin.attention is not None:
        seen = np.flatnonzero(hairpin.attention > _LEAST_SHADE)
        _discs(axes, places[seen], 1.5, facecolors=_HALO, alpha=hairpin.attention[seen], linewidths=0, zorder=2)
    fills = [_fill(hairpin, i) for i in range(len(places))]
    _discs(axes, places, 0.86, facecolors=fills, edgecolors="white", linewidths=0.4, zorder=3)
    _letters(axes, hairpin, ["white" if fill in _ARM_COLOURS else INK for fill in fills])


def _discs(axes: "Axes", places: np.ndarray, size: float, **look: Any) -> None:
    from matplotlib.collections import EllipseCollection

    sizes = np.full(len(places), size)
    axes.add_collection(
        EllipseCollection(
            sizes, sizes, np.zeros(len(places)), units="x", offsets=places, offset_transform=axes.transData, **look
        )
    )


def _letters(axes: "Axes", hairpin: Hairpin, inks: Sequence[str]) -> None:
    for base, (x, y), ink in zip(hairpin.sequence, hairpin.places.tolist(), inks, strict=True):
        axes.text(x, y, base, size=6, color=ink, ha="center", va="center_baseline", zorder=4)
    for i in hairpin.ticks():
        x, y = hairpin.places[i] + 1.05 * hairpin.outward(i)
        axes.text(x, y, str(i + 1), size=5, color="#777777", ha="center", va="center", zorder=4)
    for (x, y), name in zip(hairpin.places[[0, -1]].tolist(), ("5'", "3'"), strict=True):
        axes.text(x - 0.95, y, name, size=7, color=INK, ha="center", va="center")


def _fill(hairpin: Hairpin, base: int) -> str:
    """Colour of a base: an arm's, full where its sequence is said to be the mature one."""
    arm = int(hairpin.arms[base])
    if arm < 0:
        return _PLAIN
    return (_ARM_COLOURS if ARMS[arm] == hairpin.mature else _ARM_TINTS)[arm]


def _legend(axes: "Axes", row: Mapping[str, Any], hairpin: Hairpin) -> None:
    x, y = -0.25 / _INCH, -0.36 / _INCH
    for arm, name in enumerate(ARMS):
        if not (hairpin.arms == arm).any():
            continue
        is_mature = hairpin.mature == name
        colour = (_ARM_COLOURS if is_mature else _ARM_TINTS)[arm]
        axes.scatter([x + 0.4], [y], s=42, color=colour, linewidths=0, zorder=3)
        role = "" if hairpin.mature is None else (" (mature)" if is_mature else " (star)")
        sequence = hairpin.sequence[slice(*shown_arms(row)[name])]
        axes.text(x + 1.2, y, f"{name}{role} {sequence}", size=7, va="center", color=INK)
        x += 17.5
    if hairpin.attention is not None:
        axes.scatter([x + 0.4], [y], s=60, color=_HALO, linewidths=0)
        axes.text(x + 1.2, y, "attention", size=7, va="center", color=INK)
