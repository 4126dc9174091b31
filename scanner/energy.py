"""Energies of the single stem-loop model, taken from ViennaRNA's current parameters.

The prefilter works in integer units of 0.05 kcal/mol, so that 16 bits hold any stem of 300 nt and length
penalties in steps of 0.05 kcal/mol per nt are exact.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from mirsweep.scanner.turner import FORBIDDEN as _FORBIDDEN_DCAL
from mirsweep.scanner.turner import Turner, default_turner
from mirsweep.scanner.units import FORBIDDEN, to_units

__all__ = ["MAX_STEM_LOOP", "StemLoopEnergies", "stem_loop_energies"]

MAX_STEM_LOOP = 8
"""Most unpaired bases in an interior loop of the stem-loop model, nt."""
_LAST_OF_BULGES = 6
"""Up to here RNAfold's energy of a bulge grows by the same for each base, nt."""

_PAIR_TYPES = {(1, 2): 1, (2, 1): 2, (2, 3): 3, (3, 2): 4, (0, 3): 5, (3, 0): 6}  # CG GC GU UG AU UA
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
        A bulge of one base, of two, and what each further one adds; shape (3,).
    interior, interior_1n
        By number of unpaired bases, without the asymmetry, shape (MAX_STEM_LOOP + 1,): 1x1 and those with two and
        more on both sides; those with one on one side and more on the other.
    asymmetry
        By difference of the two sides of an interior loop, shape (MAX_STEM_LOOP + 1,).
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


def _from_dcal(dcal: float) -> int:
    """Energy in units of 0.05 kcal/mol from one in 0.01 kcal/mol."""
    return to_units(dcal / 100)


def _loop_table(by_size: np.ndarray, log_loop: float, size: int) -> np.ndarray:
    """Initiation energies by loop size; beyond the table's 30 nt by the logarithmic law that RNAfold uses."""
    last = len(by_size) - 1
    values = by_size.tolist() + [by_size[last] + int(log_loop * math.log(n / last)) for n in range(last + 1, size)]
    units = [FORBIDDEN if dcal >= _FORBIDDEN_DCAL else _from_dcal(dcal) for dcal in values[:size]]
    return np.array(units, np.int16)


def _stack_table(stack: np.ndarray) -> np.ndarray:
    def energy(left: tuple[int, int], outer_wobble: bool, inner_wobble: bool) -> int:
        outer, inner = left
        outer_partner = (_WOBBLE if outer_wobble else _WATSON_CRICK).get(outer)
        inner_partner = (_WOBBLE if inner_wobble else _WATSON_CRICK).get(inner)
        if outer_partner is None or inner_partner is None:
            return 0
        return _from_dcal(stack[_PAIR_TYPES[outer, outer_partner], _PAIR_TYPES[inner_partner, inner]])

    table = np.zeros((4, 16), np.int16)
    for code in range(16):
        left = divmod(code, 4)
        plain, outer = energy(left, False, False), energy(left, True, False)
        inner, both = energy(left, False, True), energy(left, True, True)
        table[:, code] = plain, outer - plain, inner - plain, both - outer - inner + plain
    return table


_CAN_PAIR = np.array([[a + b in (3, 5) for b in range(4)] for a in range(4)])
_STRONG, _WEAK = slice(1, 3), slice(3, 7)  # CG GC; GU UG AU UA


def _mean_mismatch(mismatch: np.ndarray, pairs: slice) -> float:
    """Mean over the closing pairs and over the 5' and 3' neighbours that cannot pair with each other."""
    return float(mismatch[pairs, 1:, 1:][:, ~_CAN_PAIR].mean())


def _interior_tables(tables: Turner, asymmetry: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means for loops closed by C-G pairs: (two and more on both sides, or 1x1; one on one side)."""
    initiation = _loop_table(tables.interior, tables.log_loop, MAX_STEM_LOOP + 1)
    generic, one_sided = initiation.copy(), initiation.copy()
    one_sided += 2 * _from_dcal(_mean_mismatch(tables.mismatch_interior_1n, _STRONG))
    generic[4:] += _from_dcal(2 * _mean_mismatch(tables.mismatch_interior, _STRONG))
    generic[2] = _from_dcal(tables.int11[_STRONG, _STRONG, 1:, 1:][:, :, ~_CAN_PAIR].mean())
    two_two = tables.int22[_STRONG, _STRONG, 1:, 1:, 1:, 1:].transpose(0, 1, 2, 5, 3, 4)  # the mismatches side by side
    generic[4] = _from_dcal(two_two[:, :, ~_CAN_PAIR][..., ~_CAN_PAIR].mean())
    generic[5] = initiation[5] + _from_dcal(2 * _mean_mismatch(tables.mismatch_interior_23, _STRONG))
    one_sided[3] = _from_dcal(tables.int21[_STRONG, _STRONG, 1:, 1:, 1:].mean()) - asymmetry[1]
    return generic, one_sided


def _bulge_terms(tables: Turner) -> np.ndarray:
    by_size = _loop_table(tables.bulge, tables.log_loop, _LAST_OF_BULGES + 1).astype(int)
    further = round((by_size[_LAST_OF_BULGES] - by_size[2]) / (_LAST_OF_BULGES - 2))
    return np.array([by_size[1], by_size[2], further], np.int16)


def _hairpin_table(tables: Turner, size: int) -> np.ndarray:
    hairpin = _loop_table(tables.hairpin, tables.log_loop, size)
    hairpin[4:] += _from_dcal(_mean_mismatch(tables.mismatch_hairpin, _STRONG))
    return hairpin


def _closures(tables: Turner) -> np.ndarray:
    def weakness(mismatch: np.ndarray) -> float:
        return _mean_mismatch(mismatch, _WEAK) - _mean_mismatch(mismatch, _STRONG)

    costs = weakness(tables.mismatch_interior), tables.terminal_au, weakness(tables.mismatch_hairpin)
    return np.array([_from_dcal(cost) for cost in costs], np.int16)


@cache
def stem_loop_energies(max_span: int) -> StemLoopEnergies:
    """Tables for stem-loops of up to ``max_span`` nt, from the parameters that ViennaRNA holds at first use."""
    tables = default_turner()
    by_difference = [min(tables.max_asymmetry, tables.asymmetry * n) for n in range(MAX_STEM_LOOP + 1)]
    asymmetry = np.array([_from_dcal(dcal) for dcal in by_difference], np.int16)
    interior, interior_1n = _interior_tables(tables, asymmetry)
    return StemLoopEnergies(
        stack=_stack_table(tables.stack),
        hairpin=_hairpin_table(tables, max_span + 1),
        bulge=_bulge_terms(tables),
        interior=interior,
        interior_1n=interior_1n,
        asymmetry=asymmetry,
        closures=_closures(tables),
    )
