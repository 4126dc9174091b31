"""Small pictures as SVG text, without a plotting library."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

import numpy as np

__all__ = ["Bar", "Line", "bar_chart", "document", "line_chart", "profile", "text"]

COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7d5ba6", "#b8860b", "#4f5d75", "#a23b72", "#2a9d8f")
"""Colours of the series, told apart on white."""
_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 300, 56, 16, 34, 46


class Line(NamedTuple):
    """A curve with its name: x and y, shape (n,)."""

    name: str
    x: np.ndarray
    y: np.ndarray


class Bar(NamedTuple):
    """A bar with its name, and its interval if it has one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


def document(parts: Sequence[str], *, width: float, height: float) -> str:
    """A whole SVG file of the parts, on white."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" font-size="12">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>"]) + "\n"


def text(x: float, y: float, content: str, *, anchor: str = "start", size: int = 12, style: str = "") -> str:
    """Text at a place; markup in it is escaped."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" {style}>{escape(content)}</text>'


def line_chart(
    lines: Sequence[Line], *, title: str, x_label: str, y_label: str, band: tuple[float, float] | None
) -> str:
    """Curves over a common axis; ``band`` shades a part of it."""
    width = 640
    xs, ys = np.concatenate([line.x for line in lines]), np.concatenate([line.y for line in lines])
    x_of = _scale((xs.min(), xs.max()), _LEFT, width - _RIGHT)
    y_range = _widened(min(ys.min(), 0), max(ys.max(), 0))
    y_of = _scale(y_range, _HEIGHT - _BOTTOM, _TOP)
    parts = [text(_LEFT, 20, title, size=14)]
    if band:
        left, right = x_of(band[0]), x_of(band[1])
        height = _HEIGHT - _BOTTOM - _TOP
        parts.append(f'<rect x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" height="{height}" fill="#eeeeee"/>')
    parts += _y_axis(y_range, y_of, width, y_label)
    ticks = _ticks((xs.min(), xs.max()))
    parts += [
        text(x_of(x), _HEIGHT - 28, label, anchor="middle") for x, label in zip(ticks, _labels(ticks, 6), strict=True)
    ]
    parts.append(text((width + _LEFT) / 2, _HEIGHT - 8, x_label, anchor="middle"))
    for i, line in enumerate(lines):
        points = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in zip(line.x, line.y, strict=True))
        colour = COLOURS[i % len(COLOURS)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        parts.append(text(width - _RIGHT, _TOP + 14 * i, line.name, anchor="end", style=f'fill="{colour}"'))
    return document(parts, width=width, height=_HEIGHT)


def bar_chart(bars: Sequence[Bar], *, title: str, y_label: str) -> str:
    """Bars with intervals; the axis begins a little below the lowest, and says so by its numbers."""
    width = _LEFT + _RIGHT + 84 * len(bars)
    values = [v for bar in bars for v in (bar.value, bar.low, bar.high) if v is not None]
    y_range = _widened(min(values), max(values))
    y_of = _scale(y_range, _HEIGHT - _BOTTOM, _TOP)
    parts = [text(_LEFT, 20, title, size=14), *_y_axis(y_range, y_of, width, y_label)]
    for i, bar in enumerate(bars):
        x, y = _LEFT + 84 * i + 12, y_of(bar.value)
        height = _HEIGHT - _BOTTOM - y
        parts.append(f'<rect x="{x}" y="{y:.1f}" width="60" height="{height:.1f}" fill="{COLOURS[0]}"/>')
        if bar.low is not None and bar.high is not None:
            ends = f'y1="{y_of(bar.low):.1f}" y2="{y_of(bar.high):.1f}"'
            parts.append(f'<line x1="{x + 30}" x2="{x + 30}" {ends} stroke="black"/>')
        top = y if bar.high is None else y_of(bar.high)
        parts.append(text(x + 30, top - 5, f"{bar.value:.3f}", anchor="middle", size=10))
        parts += _two_lines(x + 30, bar.name)
    return document(parts, width=width, height=_HEIGHT)


def profile(values: np.ndarray, *, x: float, y: float, height: float, step: float, colour: str) -> list[str]:
    """Bars of one position each, upwards or downwards from y; the tallest is ``height``."""
    tallest = float(np.abs(values).max(initial=0)) or 1.0
    parts = []
    for i, value in enumerate(values.tolist()):
        size = abs(value) / tallest * height
        top = y - size if value >= 0 else y
        parts.append(
            f'<rect x="{x + i * step:.1f}" y="{top:.1f}" width="{step - 1:.1f}" height="{size:.1f}" fill="{colour}"/>'
        )
    return parts


def _two_lines(x: float, name: str) -> list[str]:
    """A bar's name below it, broken where it is long."""
    cut = name.rfind(" ", 0, 14) if len(name) > 13 and " " in name else name.find("+", 5)
    halves = (name, "") if len(name) <= 13 or cut < 0 else (name[:cut], name[cut:].strip())
    return [text(x, _HEIGHT - 28 + 13 * i, half, anchor="middle", size=10) for i, half in enumerate(halves) if half]


def _scale(values: tuple[float, float], start: float, end: float) -> Callable[[float], float]:
    low, high = values
    return lambda value: start + (value - low) / ((high - low) or 1.0) * (end - start)


def _widened(low: float, high: float) -> tuple[float, float]:
    margin = 0.08 * (high - low) or 0.01
    return (low - margin if low else 0.0), high + margin


def _ticks(values: tuple[float, float]) -> list[float]:
    """Four to eleven round numbers within a range."""
    low, high = map(float, values)
    tens = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = max(factor * tens for factor in (1, 2, 5) if factor * tens <= (high - low) / 4)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 10) for k in range(first, last + 1)]


def _labels(ticks: Sequence[float], n_digits: int) -> list[str]:
    """Ticks as numbers of at least so many significant digits, and of as many as tell them apart."""
    for digits in range(n_digits, 17):
        labels = [f"{tick:.{digits}g}" for tick in ticks]
        if len(set(labels)) == len(labels):
            break
    return labels


def _y_axis(y_range: tuple[float, float], y_of: Callable[[float], float], width: float, label: str) -> list[str]:
    parts = [text(14, _HEIGHT / 2, label, anchor="middle", style=f'transform="rotate(-90 14 {_HEIGHT / 2})"')]
    ticks = _ticks(y_range)
    for value, number in zip(ticks, _labels(ticks, 3), strict=True):
        y = y_of(value)
        parts.append(f'<line x1="{_LEFT}" x2="{width - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(text(_LEFT - 6, y + 4, number, anchor="end", size=10))
    return parts
