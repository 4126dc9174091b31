"""Heat maps as SVG, their cells an embedded PNG, without a plotting library."""

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mirsweep.jobs.sequences.svg import document, text

__all__ = ["Panel", "heat_map", "png"]

_WIDTH, _LEFT, _RIGHT, _TOP, _GAP, _HEIGHT = 640, 56, 16, 54, 30, 190
_SHARES = np.linspace(-1, 1, 65)[:, None]
_ENDS = np.where(_SHARES < 0, (27, 108, 168), (200, 85, 61))
_COLOURS = (255 + np.abs(_SHARES) * (_ENDS - 255)).round().astype(np.uint8)
"""From blue, -1, over white, 0, to red, 1; RGB, shape (65, 3)."""


class Panel(NamedTuple):
    """A named block of rows: values in [-1, 1], shape (rows, columns)."""

    name: str
    values: np.ndarray


def heat_map(panels: Sequence[Panel], *, title: str, x_label: str, band: tuple[float, float]) -> str:
    """Panels one below the other over an axis from 0 to 100, all of one height; ``band`` is marked on the axis.

    Blue is -1, white 0 and red 1. A panel without rows is left white.
    """
    width = _WIDTH - _LEFT - _RIGHT
    parts = [text(_LEFT, 20, title, size=14)]
    for i, panel in enumerate(panels):
        top = _TOP + i * (_HEIGHT + _GAP)
        parts.append(text(_LEFT, top - 6, panel.name))
        place = f'x="{_LEFT}" y="{top}" width="{width}" height="{_HEIGHT}"'
        if len(panel.values):
            data = base64.b64encode(png(_levels(panel.values), _COLOURS)).decode()
            style = 'preserveAspectRatio="none" style="image-rendering:pixelated"'
            parts.append(f'<image {place} {style} href="data:image/png;base64,{data}"/>')
        parts.append(f'<rect {place} fill="none" stroke="#4f5d75"/>')
        for percent in band:
            x = f"{_LEFT + percent / 100 * width:.1f}"
            ends = f'y1="{top}" y2="{top + _HEIGHT}"'
            parts.append(f'<line x1="{x}" x2="{x}" {ends} stroke="black" stroke-dasharray="4 3"/>')
    bottom = _TOP + len(panels) * (_HEIGHT + _GAP) - _GAP
    for percent in range(0, 101, 10):
        parts.append(text(_LEFT + percent / 100 * width, bottom + 16, f"{percent}", anchor="middle", size=10))
    parts.append(text(_LEFT + width / 2, bottom + 34, x_label, anchor="middle"))
    return document(parts, width=_WIDTH, height=bottom + 44)


def _levels(values: np.ndarray) -> np.ndarray:
    """Values in [-1, 1], shape (r, c), to indices of ``_COLOURS``, uint8."""
    middle = len(_COLOURS) // 2
    return (np.clip(values, -1, 1) * middle + middle).round().astype(np.uint8)


def png(levels: np.ndarray, colours: np.ndarray) -> bytes:
    """A PNG file of a palette's colours.

    Parameters
    ----------
    levels
        Index of each pixel's colour, uint8, shape (rows, columns).
    colours
        RGB, uint8, shape (k, 3), k at most 256.
    """
    n_rows, n_columns = levels.shape
    lines = np.zeros((n_rows, 1 + n_columns), np.uint8)  # each begins with its filter: 0, none
    lines[:, 1:] = levels
    header = struct.pack(">IIBBBBB", n_columns, n_rows, 8, 3, 0, 0, 0)
    content = ((b"IHDR", header), (b"PLTE", colours.tobytes()), (b"IDAT", zlib.compress(lines.tobytes(), 9)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in (*content, (b"IEND", b"")))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
