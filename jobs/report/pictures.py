"""A hairpin as a small SVG, whose colours the page's style sheet gives."""

from collections.abc import Iterable

import numpy as np
from markupsafe import Markup, escape

from mirsweep.jobs.report.hairpin import ARMS, Hairpin

__all__ = ["N_SHADES", "picture"]

N_SHADES = 5
"""Steps of attention: more cannot be told apart."""
_STEP = 20
"""Units from one base to the next: coordinates are whole numbers, which takes half the space of decimals."""
_MARGIN = 36
_LEAST_SHADE = 0.02
_LONG = 1600
"""A wider picture is not made to fit the page, where its letters would be too small."""


def picture(hairpin: Hairpin, label: str) -> Markup:
    """Draw a hairpin: letters, pairs, both arms, attention as discs behind the letters.

    Bases of one look are one path, each a stroke of length 0 with round ends; a hairpin of 100 nt takes 3 kB.

    Parameters
    ----------
    label
        What a screen reader says.
    """
    spots = _spots(hairpin)
    width, height = (spots.max(axis=0) + _MARGIN).tolist()
    parts = [
        _path("chain", "m" + "l".join(_steps(spots))),
        _path("pairs", _pairs(hairpin, spots)),
        *_shades(hairpin, spots),
        *_arms(hairpin, spots),
        *_letters(hairpin, spots),
        *_numbers(hairpin, spots),
    ]
    looks = "hairpin long" if width > _LONG else "hairpin"
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    opening = f'<svg class="{looks}" {size} role="img" aria-label="{escape(label)}">'
    return Markup(f"{opening}{''.join(parts)}</svg>")


def _spots(hairpin: Hairpin) -> np.ndarray:
    """Where the bases lie, whole units to the right and downwards; int64, shape (n, 2)."""
    places = hairpin.places * [1, -1]
    return np.asarray(np.rint((places - places.min(axis=0)) * _STEP).astype(np.int64) + _MARGIN)


def _path(name: str, way: str) -> str:
    return f'<path class="{name}" d="{way}"/>' if way else ""  # both are ours


def _steps(spots: np.ndarray) -> list[str]:
    """From each point to the next, from the origin to the first: half as long as where they lie."""
    steps = spots.copy()
    steps[1:] -= spots[:-1]
    return [f"{x}{y}" if y < 0 else f"{x} {y}" for x, y in steps.tolist()]


def _discs(spots: np.ndarray) -> str:
    return f"m{'h0m'.join(_steps(spots))}h0" if len(spots) else ""


def _pairs(hairpin: Hairpin, spots: np.ndarray) -> str:
    opening = np.flatnonzero(hairpin.partners > np.arange(len(spots)))
    ends = np.stack([spots[opening], spots[hairpin.partners[opening]]], axis=1).reshape(-1, 2)
    return "".join(f"{letter}{step}" for letter, step in zip("ml" * len(opening), _steps(ends), strict=True))


def _shades(hairpin: Hairpin, spots: np.ndarray) -> Iterable[str]:
    """Discs of attention, one path a step."""
    if hairpin.attention is None:
        return
    steps = np.ceil(hairpin.attention * N_SHADES).astype(int) * (hairpin.attention > _LEAST_SHADE)
    for step in range(1, N_SHADES + 1):
        yield _path(f"look look{step}", _discs(spots[steps == step]))


def _arms(hairpin: Hairpin, spots: np.ndarray) -> Iterable[str]:
    yield _path("base", _discs(spots[hairpin.arms < 0]))
    for index, arm in enumerate(ARMS):
        yield _path(f"arm{arm} {_role(hairpin, arm)}", _discs(spots[hairpin.arms == index]))


def _role(hairpin: Hairpin, arm: str) -> str:
    return "mature" if hairpin.mature == arm else "star"


def _letters(hairpin: Hairpin, spots: np.ndarray) -> Iterable[str]:
    """All letters of a colour as one text: it gives each its place."""
    index = ARMS.index(hairpin.mature) if hairpin.mature in ARMS else len(ARMS)
    is_mature = hairpin.arms == index
    for name, chosen in (("letters", np.flatnonzero(~is_mature)), ("letters on", np.flatnonzero(is_mature))):
        letters = "".join(hairpin.sequence[i] for i in chosen)
        if letters:
            yield _text(name, spots[chosen], letters)


def _text(name: str, spots: np.ndarray, letters: str) -> str:
    xs, ys = (" ".join(map(str, column)) for column in spots.T.tolist())
    return f'<text class="{name}" x="{xs}" y="{ys}">{escape(letters)}</text>'


def _numbers(hairpin: Hairpin, spots: np.ndarray) -> Iterable[str]:
    """Each tenth base's number, and the ends."""
    ticks = hairpin.ticks()
    outward = hairpin.outward(ticks) * [1, -1] * _STEP * 1.15
    places = np.rint(spots[ticks] + outward).astype(np.int64)
    for number, base in enumerate(ticks):
        yield _text("tick", places[number : number + 1], str(base + 1))
    for base, name in ((0, "5\u2032"), (-1, "3\u2032")):
        yield _text("end", spots[[base]] - [22, 0], name)
