"""Pictures of where a model looks: attention and activation along each hairpin, and attention on its two arms."""

from typing import Any

import numpy as np
import pyarrow as pa

from mirsweep.jobs.sequences import svg

__all__ = ["draw"]

_STEP, _BLOCK, _LEFT = 9.0, 270, 90
"""Width of a position, height of a hairpin's block, and where the positions begin, pixels."""
_RADIUS = 6.0
"""Of a base of the hairpin, pixels; its columns stand at most two positions wide."""
_MONO = 'font-family="monospace"'


def draw(table: pa.Table) -> str:
    """One SVG picture of the rows of ``explain``, a block a hairpin.

    A block holds the hairpin with its arms one above the other, the terminal loop to the right, each base as dark as
    its attention; and below it attention and activation along the sequence.
    """
    rows = table.to_pylist()
    longest = max((len(row["sequence"]) for row in rows), default=0)
    parts: list[str] = []
    for i, row in enumerate(rows):
        parts += _block(row, top=_BLOCK * i)
    return svg.document(parts, width=_LEFT + _STEP * max(longest, 60) + 20, height=_BLOCK * len(rows) + 10)


def _block(row: dict[str, Any], *, top: float) -> list[str]:
    title = f"{row['id']}  score {row['score']:.4f}  {row['mfe']:.1f} kcal/mol  {row['model']}"
    if row["flank_attention"] is not None:
        title += f"  flanks {100 * row['flank_attention']:.0f} % of the attention"
    parts = [svg.text(10, top + 20, title, size=13)]
    for name, y in (("attention", top + 160), ("activation", top + 230)):
        values, colour = np.array(row[name], np.float32), svg.COLOURS[0 if name == "attention" else 1]
        height = 50 if name == "attention" else 30
        parts.append(svg.text(10, y, name, size=11))
        parts += svg.profile(values, x=_LEFT, y=y, height=height, step=_STEP, colour=colour)
    for i, (base, symbol) in enumerate(zip(row["sequence"], row["structure"], strict=True)):
        x = _LEFT + i * _STEP + _STEP / 2 - 0.5
        parts.append(svg.text(x, top + 174, base, anchor="middle", size=10, style=_MONO))
        parts.append(svg.text(x, top + 186, symbol, anchor="middle", size=10, style=_MONO))
    return parts + _hairpin(row, top=top + 50)


def _hairpin(row: dict[str, Any], *, top: float) -> list[str]:
    """The two arms, column by column as a genome model reads them."""
    from mirsweep.model.stem import lay_out  # brings numba

    sequence, structure = row["sequence"], row["structure"]
    (places,) = lay_out([sequence], [structure]).places
    partners = _partners(structure)
    shades = np.array(row["attention"]) / (max(row["attention"], default=0) or 1)
    parts = [svg.text(_LEFT - 12, top + 34 * k + 4, end, anchor="end", size=11) for k, end in enumerate(("5'", "3'"))]
    step = min(2.0, len(sequence) / len(places)) * _STEP
    for x, (left, right) in zip(_LEFT + step * (np.arange(len(places))[::-1] + 0.5), places.tolist(), strict=True):
        if left >= 0 and partners.get(left) == right:
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top + _RADIUS}" y2="{top + 34 - _RADIUS}" stroke="#888888"/>'
            )
        for place, y in ((left, top), (right, top + 34)):
            if place >= 0:
                parts += _base(sequence[place], x, y, shade=float(shades[place]))
    return parts


def _base(base: str, x: float, y: float, *, shade: float) -> list[str]:
    """A base on a disc: white for a shade of 0, the first colour for 1."""
    ink = "white" if shade > 0.6 else "black"
    return [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}" fill="{svg.COLOURS[0]}" fill-opacity="{shade:.3f}"/>',
        svg.text(x, y + 3.5, base, anchor="middle", size=10, style=f'{_MONO} fill="{ink}"'),
    ]


def _partners(structure: str) -> dict[int, int]:
    """Closing place of each opening one."""
    opened: list[int] = []
    partners = {}
    for i, symbol in enumerate(structure):
        if symbol == "(":
            opened.append(i)
        elif symbol == ")":
            partners[opened.pop()] = i
    return partners
