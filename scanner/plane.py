"""Where the bases of a folded hairpin lie when it is drawn."""

import math
from functools import lru_cache

import numpy as np
import RNA

from mirsweep.scanner.errors import InputError

__all__ = ["paired_with", "place_bases"]

_PUZZLER_STEP = 25.0
"""RNApuzzler's distance between neighbouring bases."""
_PAIR = 1.4
"""Distance of paired bases, that of RNApuzzler, steps."""
_BOW = 0.93
"""An interior loop is so much shorter than its bases in a row, so that both of its sides bow outwards."""
_ROOM, _MOST_ROOM = 0.2, 1.3
"""A side longer than the other by n bases stretches the loop by 0.2 (n - 1) steps, 1.3 at most: its foot does not touch
the stem."""
_CHORD_DIGITS = 9
"""Of the distance that an arc spans, steps: what sums leave beyond them is no other arc."""
_TAIL_SLOPE = 0.35
"""How far unpaired ends lean away from the stem's axis, per base."""


def paired_with(structure: str) -> np.ndarray:
    """Partner of each base, int64, shape (n,); -1 for an unpaired one.

    Raises
    ------
    InputError
        If the structure is no balanced dot-bracket string.
    """
    partners = [-1] * len(structure)
    opened: list[int] = []
    for place, symbol in enumerate(structure):
        if symbol == "(":
            opened.append(place)
        elif symbol == ")" and opened:
            first = opened.pop()
            partners[first], partners[place] = place, first
        elif symbol != ".":
            raise InputError(f"structure {structure!r} is no dot-bracket: {symbol!r} at {place + 1} fits nowhere.")
    if opened:
        raise InputError(f"structure {structure!r} is no dot-bracket: {opened[-1] + 1} is never closed.")
    return np.array(partners, np.int64)


def place_bases(structure: str) -> np.ndarray:
    """Coordinates of the bases of a hairpin in the plane.

    The stem lies level: it opens to the left and closes by its terminal loop at the right, the 5' arm above. Neighbours
    are one step apart, so that letters do not run into each other. The shorter side of an interior loop or bulge says
    how long it is, and may be stretched; the longer side bows outwards. ViennaRNA's layouts bend a hairpin at each
    bulge, or, as naview does, crowd the bases of a shorter side. A structure that branches is laid out by its
    RNApuzzler (Wiegreffe et al. 2019), which lets no parts overlap.

    Parameters
    ----------
    structure
        Dot-bracket.

    Returns
    -------
    float64, shape (n, 2): x to the right and y upwards, in steps. The lowest of each is 0.

    Raises
    ------
    InputError
        If the structure is no balanced dot-bracket string.
    """
    partners = paired_with(structure)
    paired = np.flatnonzero(partners >= 0)
    if not len(paired):
        return np.column_stack([np.arange(len(structure), dtype=float), np.zeros(len(structure))])
    first, last = int(paired[0]), int(paired[-1])
    if partners[first] != last:
        return _from_origin(_puzzler(structure))
    core = _core(structure[first : last + 1], partners[first : last + 1] - first)
    n_after = len(structure) - 1 - last
    return _from_origin(np.concatenate([_tail(core[0], first, 1)[::-1], core, _tail(core[-1], n_after, -1)]))


def _from_origin(places: np.ndarray) -> np.ndarray:
    return np.asarray(places - places.min(axis=0))


def _core(structure: str, partners: np.ndarray) -> np.ndarray:
    """Places from the first paired base to its partner."""
    opening = np.flatnonzero(partners > np.arange(len(partners)))
    closing = partners[opening]
    return _stem(opening, closing) if (np.diff(closing) < 0).all() else _level(_puzzler(structure))


def _stem(opening: np.ndarray, closing: np.ndarray) -> np.ndarray:
    """Places of a stem with its terminal loop; its pairs from the outermost on."""
    places = np.zeros((closing[0] + 1, 2))
    n_5p, n_3p = np.diff(opening) - 1, -np.diff(closing) - 1
    advances = [0.0, *map(_advance, n_5p.tolist(), n_3p.tolist())]
    places[opening] = np.column_stack((np.cumsum(advances), np.full(len(opening), _PAIR)))
    places[closing, 0] = places[opening, 0]
    for k in np.flatnonzero(n_5p).tolist():
        left, right = int(opening[k]), int(opening[k + 1])
        places[left + 1 : right] = _arc(places[left], places[right], right - left - 1)
    for k in np.flatnonzero(n_3p).tolist():
        left, right = int(closing[k + 1]), int(closing[k])
        places[left + 1 : right] = _arc(places[left], places[right], right - left - 1)
    left, right = int(opening[-1]), int(closing[-1])
    places[left + 1 : right] = _arc(places[left], places[right], right - left - 1)
    return places


def _advance(n_5p: int, n_3p: int) -> float:
    """Distance along the stem of one pair to the next, with so many unpaired bases on either side between them."""
    if not n_5p and not n_3p:
        return 1.0
    shorter, longer = sorted((n_5p, n_3p))
    return (shorter + 1) * _BOW + min(_MOST_ROOM, _ROOM * (longer - shorter - 1 if longer > shorter else 0))


def _arc(start: np.ndarray, end: np.ndarray, n: int) -> np.ndarray:
    """Places of n bases on a circle between two, a step apart from each other, to the left of the way from one to the
    other, or on a line where steps do not reach; shape (n, 2)."""
    (x, y), chord = (end - start).tolist(), math.hypot(*(end - start).tolist())
    level = _level_arc(round(chord, _CHORD_DIGITS), n)
    return np.asarray(start + level @ (np.array([[x, y], [-y, x]]) / chord))


@lru_cache(4096)
def _level_arc(chord: float, n: int) -> np.ndarray:
    """Places of n bases on a circle from the origin to (chord, 0); hairpins share a few hundred such."""
    if chord > round((n + 1) * _BOW, _CHORD_DIGITS):  # the way is longer than steps of 1: hardly an arc
        return np.column_stack((chord * np.arange(1, n + 1) / (n + 1), np.zeros(n)))
    half = _half_angle(chord, n + 1)
    turns = (np.arange(1, n + 1) * 2 - (n + 1)) * half
    radius, height = 0.5 / math.sin(half), math.cos((n + 1) * half)
    return np.column_stack((chord / 2 + radius * np.sin(turns), radius * (np.cos(turns) - height)))


def _half_angle(chord: float, n_steps: int) -> float:
    """Half of the angle under which each of n equal steps on a circle is seen whose ends are ``chord`` steps apart.

    The solution of chord = sin(n a) / sin(a), which falls from n to 0 between 0 and pi / n, by bisection.
    """
    low, high = 1e-9, math.pi / n_steps
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if math.sin(n_steps * middle) > chord * math.sin(middle) else (low, middle)
    return (low + high) / 2


def _puzzler(structure: str) -> np.ndarray:
    """RNApuzzler's layout: of stems side by side each stands upright on a line."""
    kept, RNA.cvar.rna_plot_type = RNA.cvar.rna_plot_type, RNA.PLOT_TYPE_PUZZLER
    try:
        found = RNA.get_xy_coordinates(structure)
    finally:
        RNA.cvar.rna_plot_type = kept
    return np.array([[found.get(i).X, found.get(i).Y] for i in range(len(structure))]) / _PUZZLER_STEP


def _level(places: np.ndarray) -> np.ndarray:
    """A layout whose ends pair, turned so that they lie at its left, the 5' end above."""
    base = (places[0] + places[-1]) / 2
    axis = places.mean(axis=0) - base
    turn = np.array([[axis[0], axis[1]], [-axis[1], axis[0]]]) / (float(np.hypot(*axis)) or 1.0)
    level = (places - base) @ turn.T
    return level * [1, -1] if level[0, 1] < level[-1, 1] else level


def _tail(end: np.ndarray, n: int, side: int) -> np.ndarray:
    """Places of n unpaired bases beyond the stem's end, outwards; ``side`` is 1 above and -1 below."""
    steps = np.arange(1, n + 1)[:, None]
    lean = np.array([-1.0, side * _TAIL_SLOPE])
    return np.asarray(end + steps * lean / np.hypot(*lean))
