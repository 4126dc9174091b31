"""The tables of the batched fold engine: Turner energies indexed by a pair together with the two bases inside its loop.

The *context* of a pair as seen from one of its loops is ``25 * type + 5 * first + second``: the pair type read
so that the loop lies between its two bases, the base after its first and the base before its second base.
One index then serves every table, whether the pair closes the loop or is enclosed by it.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mirsweep.scanner.turner import MAX_LOOP, Turner

__all__ = ["END", "FoldTables", "fold_tables"]

END = 5
"""Code of what lies beyond an end of the sequence; bases are N A C G U = 0-4."""
_CEILING = 5_000
"""Where a parameter set forbids a loop: out of reach, and three such terms with FORBIDDEN still fit into 16 bits."""

_PAIRS = ("CG", "GC", "GU", "UG", "AU", "UA")
_REVERSED = np.array([0, 2, 1, 4, 3, 6, 5])
_BASES = "NACGU"


class FoldTables(NamedTuple):
    """Energies in 0.01 kcal/mol, int16; contexts have 175 values.

    Attributes
    ----------
    pair
        Pair type of 6 * first + second base, uint8, shape (36,).
    hairpin_size, bulge_size, interior_size, interior_1n_size
        By number of unpaired bases; hairpins to the longest sequence, the others to 30. Loops with one base on
        one side with their asymmetry.
    asymmetry
        By difference of the sides of an interior loop, shape (31,).
    least
        Lower bound of the energy of an interior loop, bulge or stack by its unpaired bases, shape (31,).
    hairpin, triloop
        What the closing pair adds to a hairpin loop of four and more, and of three; by context.
    bulge, interior, interior_1n, interior_23
        What each of the two pairs adds to a loop; by context.
    multi
        What each pair adds to a multiloop; by context.
    exterior
        What each pair adds to the exterior loop, by 36 * type + 6 * (base 5' of it) + (base 3' of it), with END.
    stack
        By 7 * (type of the outer pair) + (type of the inner pair read backwards).
    int11, int21, int22
        By 7 * outer context + inner type; 35 * (context of the pair beside which the single base is first) + 5 *
        (other type) + (first base of the other context); 175 * outer context + inner context.
    special, special_energy
        Special hairpin loops: bases, uint8, shape (k, 9) with the length in column 0; energies, shape (k,).
    ml_base, ml_closing
        Multiloop: cost of an unpaired base, of the loop; arrays of shape (1,).
    """

    pair: np.ndarray
    hairpin_size: np.ndarray
    bulge_size: np.ndarray
    interior_size: np.ndarray
    interior_1n_size: np.ndarray
    asymmetry: np.ndarray
    least: np.ndarray
    hairpin: np.ndarray
    triloop: np.ndarray
    bulge: np.ndarray
    interior: np.ndarray
    interior_1n: np.ndarray
    interior_23: np.ndarray
    multi: np.ndarray
    exterior: np.ndarray
    stack: np.ndarray
    int11: np.ndarray
    int21: np.ndarray
    int22: np.ndarray
    special: np.ndarray
    special_energy: np.ndarray
    ml_base: np.ndarray
    ml_closing: np.ndarray


@lru_cache(maxsize=4)
def fold_tables(turner: Turner, *, max_length: int) -> FoldTables:
    """Tables for sequences of up to ``max_length`` nt."""
    end_cost = np.where(np.arange(7) > 2, turner.terminal_au, 0)
    by_context = np.broadcast_to(end_cost[:, None, None], (7, 5, 5))
    multi = turner.mismatch_multi[_REVERSED].transpose(0, 2, 1) + by_context + turner.ml_stem
    asymmetry = np.minimum(np.arange(MAX_LOOP + 1) * turner.asymmetry, turner.max_asymmetry)
    special, special_energy = _special_loops(turner)
    return FoldTables(
        pair=_pair_types(),
        hairpin_size=_flat(_hairpin_sizes(turner, max_length)),
        bulge_size=_flat(turner.bulge),
        interior_size=_flat(turner.interior),
        interior_1n_size=_flat(turner.interior + asymmetry[abs(np.arange(MAX_LOOP + 1) - 2)]),
        asymmetry=_flat(asymmetry),
        least=_flat(_least_loops(turner)),
        hairpin=_flat(turner.mismatch_hairpin),
        triloop=_flat(by_context),
        bulge=_flat(by_context),
        interior=_flat(turner.mismatch_interior),
        interior_1n=_flat(turner.mismatch_interior_1n),
        interior_23=_flat(turner.mismatch_interior_23),
        multi=_flat(multi),
        exterior=_flat(_exterior(turner) + end_cost[:, None, None]),
        stack=_flat(turner.stack),
        int11=_flat(turner.int11.transpose(0, 2, 3, 1)),
        int21=_flat(turner.int21.transpose(0, 2, 4, 1, 3)),
        int22=_flat(turner.int22.transpose(0, 2, 5, 1, 4, 3)),
        special=special,
        special_energy=special_energy,
        ml_base=np.array([turner.ml_base], np.int16),
        ml_closing=np.array([turner.ml_closing], np.int16),
    )


def _flat(table: np.ndarray) -> np.ndarray:
    return np.minimum(np.ascontiguousarray(table).ravel(), _CEILING).astype(np.int16)


def _pair_types() -> np.ndarray:
    types = np.zeros(36, np.uint8)
    for number, pair in enumerate(_PAIRS, start=1):
        first, second = map(_BASES.index, pair)
        types[6 * first + second] = number
    return types


def _hairpin_sizes(turner: Turner, max_length: int) -> np.ndarray:
    """Beyond 30 nt by the logarithmic law, cut to whole 0.01 kcal/mol."""
    longer = range(MAX_LOOP + 1, max_length + 1)
    beyond = [turner.hairpin[MAX_LOOP] + int(turner.log_loop * math.log(n / MAX_LOOP)) for n in longer]
    return np.concatenate([turner.hairpin, np.array(beyond, np.int32)])


def _least_loops(turner: Turner) -> np.ndarray:
    """Below or at every loop of that size between two pairs."""
    mismatches = turner.mismatch_interior, turner.mismatch_interior_1n, turner.mismatch_interior_23
    bulge = turner.bulge + 2 * min(turner.terminal_au, 0)
    interior = turner.interior + 2 * min(int(mismatch.min()) for mismatch in mismatches)
    least = np.minimum(bulge, interior)
    least[:2] = turner.stack.min() + np.array([0, turner.bulge[1]])
    for size, table in ((2, turner.int11), (3, turner.int21), (4, turner.int22)):
        least[size] = min(least[size], table.min())
    return least


def _exterior(turner: Turner) -> np.ndarray:
    """Mismatch, or the single dangle at an end of the sequence, or nothing; shape (7, 6, 6)."""
    table = np.zeros((7, 6, 6), np.int32)
    table[:, :END, :END] = turner.mismatch_exterior
    table[:, :END, END] = turner.dangle5
    table[:, END, :END] = turner.dangle3
    return table


def _special_loops(turner: Turner) -> tuple[np.ndarray, np.ndarray]:
    loops = turner.triloops | turner.tetraloops | turner.hexaloops
    rows = np.zeros((len(loops), 9), np.uint8)
    for row, word in zip(rows, loops, strict=True):
        row[0] = len(word)
        row[1 : 1 + len(word)] = [_BASES.index(base) for base in word]
    return rows, np.array(list(loops.values()), np.int16)
