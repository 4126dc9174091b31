"""Energies of the single stem-loop model, taken from ViennaRNA's current parameters.

The prefilter works in integer units of 0.05 kcal/mol, so that 16 bits hold any stem of 300 nt and length
penalties in steps of 0.05 kcal/mol per nt are exact.
"""

import math
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import RNA

__all__ = ["FORBIDDEN", "MAX_LOOP", "UNITS_PER_KCAL", "StemLoopEnergies", "stem_loop_energies", "to_units"]

UNITS_PER_KCAL = 20
MAX_LOOP = 8
"""Most unpaired bases in a bulge or interior loop of the stem-loop model, nt."""
FORBIDDEN = 16000
"""Energy (units) of what cannot form: above any real energy, far enough from the int16 limit to add loops."""

_PAIR_ROWS = {(1, 2): 0, (2, 1): 1, (2, 3): 2, (3, 2): 3, (0, 3): 4, (3, 0): 5}  # CG GC GU UG AU UA
_WATSON_CRICK = {0: 3, 1: 2, 2: 1, 3: 0}
_WOBBLE = {2: 3, 3: 2}


class StemLoopEnergies(NamedTuple):
    """Tables of the stem-loop model; int16, in units of 0.05 kcal/mol.

    The model knows pairs, not the unpaired bases beside them: where RNAfold's energy depends on those, the
    tables hold its mean over the mismatches that cannot pair.

    Attributes
    ----------
    stack
        Shape (4, 16), by the 5' dinucleotide 4 * x[i] + x[p] of an outer pair (i, j) on an inner pair (p, q):
        row 0 for two Watson-Crick pairs; to be added row 1 if the outer pair is a wobble, row 2 if the inner
        is, row 3 if both are. (The partner of a base is known once one knows whether the pair is a wobble.)
    hairpin
        By number of unpaired bases, closed by C-G, shape (max_span + 1,).
    bulge
        By number of unpaired bases, shape (MAX_LOOP + 1,).
    interior, interior_1n
        By number of unpaired bases, without the asymmetry, shape (MAX_LOOP + 1,): 1x1 and those with two and
        more on both sides; those with one on one side and more on the other.
    asymmetry
        By difference of the two sides of an interior loop, shape (MAX_LOOP + 1,).
    closures
        What each AU, UA, GU or UG pair adds that closes an interior loop; that closes a bulge of two and more
        or ends the stem; that closes a hairpin loop.
    """

    stack: np.ndarray
    hairpin: np.ndarray
    bulge: np.ndarray
    interior: np.ndarray
    interior_1n: np.ndarray
    asymmetry: np.ndarray
    closures: np.ndarray


def to_units(kcal: float) -> int:
    """Energy in units of 0.05 kcal/mol."""
    return round(kcal * UNITS_PER_KCAL)


def _from_dcal(dcal: float) -> int:
    return min(to_units(dcal / 100), FORBIDDEN)


@cache
def _saved_parameters() -> dict[str, list[list[str]]]:
    """Sections of ViennaRNA's parameter file as rows of words, comments dropped."""
    handle, path = tempfile.mkstemp(suffix=".par")
    os.close(handle)
    try:
        RNA.params_save(path)
        text = Path(path).read_text()
    finally:
        os.unlink(path)
    sections: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("# "):
            rows = sections.setdefault(line[2:].strip(), [])
        elif line.strip() and not line.startswith(("#", "/*")):
            rows.append(line.split())
    return sections


def _loop_table(section: str, size: int) -> np.ndarray:
    """Initiation energies by loop size; beyond the table's 30 nt by the logarithmic law that RNAfold uses."""
    words = [word for row in _saved_parameters()[section] for word in row]
    lxc = float(_saved_parameters()["Misc"][0][4])
    last = len(words) - 1
    values = [1e7 if w == "INF" else float(w) for w in words]
    values += [values[last] + int(lxc * math.log(n / last)) for n in range(last + 1, size)]
    return np.array([_from_dcal(v) for v in values[:size]], np.int16)


def _stack_table() -> np.ndarray:
    rows = _saved_parameters()["stack"]

    def energy(left: tuple[int, int], outer_wobble: bool, inner_wobble: bool) -> int:
        outer, inner = left
        outer_partner = (_WOBBLE if outer_wobble else _WATSON_CRICK).get(outer)
        inner_partner = (_WOBBLE if inner_wobble else _WATSON_CRICK).get(inner)
        if outer_partner is None or inner_partner is None:
            return 0
        word = rows[_PAIR_ROWS[outer, outer_partner]][_PAIR_ROWS[inner_partner, inner]]
        return _from_dcal(-50 if word == "DEF" else float(word))

    table = np.zeros((4, 16), np.int16)
    for code in range(16):
        left = divmod(code, 4)
        plain, outer = energy(left, False, False), energy(left, True, False)
        inner, both = energy(left, False, True), energy(left, True, True)
        table[:, code] = plain, outer - plain, inner - plain, both - outer - inner + plain
    return table


_CAN_PAIR = np.array([[a + b in (3, 5) for b in range(4)] for a in range(4)])
_STRONG, _WEAK = slice(0, 2), slice(2, 6)  # CG GC; GU UG AU UA


def _table(section: str, shape: tuple[int, ...]) -> np.ndarray:
    words = [word for row in _saved_parameters()[section] for word in row]
    return np.array([-50.0 if w == "DEF" else float(w) for w in words]).reshape(shape)


def _mean_mismatch(section: str, pairs: slice) -> float:
    """Mean over the closing pairs and over the 5' and 3' neighbours that cannot pair with each other."""
    return float(_table(section, (7, 5, 5))[pairs, 1:, 1:][:, ~_CAN_PAIR].mean())


def _interior_tables() -> tuple[np.ndarray, np.ndarray]:
    """Means for loops closed by C-G pairs: (two and more on both sides, or 1x1; one on one side)."""
    generic = _loop_table("internal", MAX_LOOP + 1)
    one_sided = generic + 2 * to_units(_mean_mismatch("mismatch_internal_1n", _STRONG) / 100)
    generic[4:] += to_units(2 * _mean_mismatch("mismatch_internal", _STRONG) / 100)
    one_one = _table("int11", (7, 7, 5, 5))[_STRONG, _STRONG, 1:, 1:][:, :, ~_CAN_PAIR]
    two_one = _table("int21", (7, 7, 5, 5, 5))[_STRONG, _STRONG, 1:, 1:, 1:]
    two_two = _table("int22", (6, 6, 4, 4, 4, 4))[_STRONG, _STRONG].transpose(0, 1, 2, 5, 3, 4)
    two_three = 2 * _mean_mismatch("mismatch_internal_23", _STRONG)
    generic[2] = _from_dcal(one_one.mean())
    generic[4] = _from_dcal(two_two[:, :, ~_CAN_PAIR][..., ~_CAN_PAIR].mean())
    generic[5] = _loop_table("internal", MAX_LOOP + 1)[5] + to_units(two_three / 100)
    one_sided[3] = _from_dcal(two_one.mean()) - _asymmetry_table()[1]
    return generic.astype(np.int16), one_sided.astype(np.int16)


def _asymmetry_table() -> np.ndarray:
    per_nt, _, most = (float(word) for word in _saved_parameters()["NINIO"][0])
    return np.array([_from_dcal(min(most, per_nt * n)) for n in range(MAX_LOOP + 1)], np.int16)


def _hairpin_table(size: int) -> np.ndarray:
    table = _loop_table("hairpin", size)
    table[4:] += to_units(_mean_mismatch("mismatch_hairpin", _STRONG) / 100)
    return table


def _closures() -> np.ndarray:
    def weakness(section: str) -> float:
        return _mean_mismatch(section, _WEAK) - _mean_mismatch(section, _STRONG)

    terminal = float(_saved_parameters()["Misc"][0][2])
    costs = weakness("mismatch_internal"), terminal, weakness("mismatch_hairpin")
    return np.array([_from_dcal(cost) for cost in costs], np.int16)


@cache
def stem_loop_energies(max_span: int) -> StemLoopEnergies:
    """Tables for stem-loops of up to ``max_span`` nt, from the parameters that ViennaRNA holds at first use."""
    interior, interior_1n = _interior_tables()
    return StemLoopEnergies(
        stack=_stack_table(),
        hairpin=_hairpin_table(max_span + 1),
        bulge=_loop_table("bulge", MAX_LOOP + 1),
        interior=interior,
        interior_1n=interior_1n,
        asymmetry=_asymmetry_table(),
        closures=_closures(),
    )
