"""Where on a strand a hairpin stands: the best single stem-loop from each start, one kept per neighbourhood.

A dynamic programme over (start, span) finds the lowest energy of a single stem-loop: one hairpin loop,
stacked pairs, bulges and interior loops of up to eight unpaired bases (``energy.StemLoopEnergies``). The span
from each start, and then the hairpin among its neighbours, is chosen by the energy plus a penalty per nt and,
for long hairpins, a step, so that the ends are cut where the stem stops paying, near a precursor's length.
Long hairpins can be chosen among themselves, so that short ones nested in them are kept, too.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.scanner import _prefilter_kernels as kernels
from mirsweep.scanner.alphabet import encode
from mirsweep.scanner.energy import stem_loop_energies
from mirsweep.scanner.params import ROUNDS, WINDOW, HairpinParams
from mirsweep.scanner.units import FORBIDDEN, UNITS_PER_KCAL, to_units

__all__ = ["Hairpins", "Minima", "choose_hairpins", "find_hairpins", "strand_hairpins"]

PIECE = 16 * kernels.BLOCK
"""Starts whose bases are described at once."""


class Hairpins(NamedTuple):
    """Hairpins of one strand, by start and end: 0-based half-open on it (int64), energies in kcal/mol (float32)."""

    starts: np.ndarray
    ends: np.ndarray
    energies: np.ndarray
    penalised: np.ndarray


class Minima(NamedTuple):
    """Hairpins whose start is better than those around it, by start: 0-based half-open, penalised energies in units.

    All int64, shape (n,).
    """

    starts: np.ndarray
    ends: np.ndarray
    penalised: np.ndarray


def _best_from_each_start(codes: np.ndarray, params: HairpinParams) -> tuple[np.ndarray, np.ndarray]:
    """Lowest penalised energy (units) and its span from each start, short and long; int16, shape (2, n) both."""
    size = min(PIECE, -(-max(codes.size, 1) // kernels.BLOCK) * kernels.BLOCK)
    n_pieces = -(-codes.size // size)
    width = size + params.max_span + 2 * kernels.PAD
    energies = stem_loop_energies(params.max_span)
    x, is_au, room = (np.empty(width, np.int16) for _ in range(3))
    near, far = (np.empty((4, width), np.int16) for _ in range(2))
    rings = tuple(np.empty((n_rows, kernels.ROOM + 2 * kernels.PAD), np.int16) for n_rows in kernels.RINGS)
    rows = np.empty((3, kernels.ROOM + 2 * kernels.PAD), np.int16)
    edges = np.full((params.max_span + 1, 4, kernels.EDGE), FORBIDDEN, np.int16)
    penalties = params.penalties()
    limits = params.min_span, params.last_short, params.max_span
    best, spans = (np.full((2, n_pieces * size), nothing, np.int16) for nothing in (FORBIDDEN, 0))
    for start in range((n_pieces - 1) * size, -1, -size):
        kernels.describe_bases(codes[start : start + width], energies.stack, x, is_au, near, far, room)
        kernels.best_stem_loops(
            start, size, (x, is_au, near, far), room, energies[1:], limits, penalties, rings, rows, edges, best, spans,
        )  # fmt: skip
    return best[:, : codes.size], spans[:, : codes.size]


def _minima(best: np.ndarray, spans: np.ndarray, params: HairpinParams) -> Minima:
    starts = np.empty(best.size, np.int64)
    starts = starts[: kernels.local_minima(best, to_units(params.threshold), WINDOW, starts)].copy()
    return Minima(starts, starts + spans[starts], best[starts].astype(np.int64))


def _without_competitors(found: Minima, params: HairpinParams) -> Minima:
    """The best of those that compete."""
    state = np.empty(found.starts.size, np.uint8)
    kernels.keep_best(*found, params.max_span, ROUNDS, state)
    return Minima(*(column[state == kernels.KEPT] for column in found))


def strand_hairpins(codes: np.ndarray, params: HairpinParams) -> Hairpins:
    """Hairpins of a strand: local minima of the penalised energy, the best of those that compete, short and long.

    Parameters
    ----------
    codes
        Base codes, uint8, shape (n,), 5' to 3'; 4 breaks: no hairpin contains one.
    """
    best, spans = _best_from_each_start(codes, params)
    return choose_hairpins([_minima(*rows, params) for rows in zip(best, spans, strict=True)], params)


def choose_hairpins(minima: Sequence[Minima], params: HairpinParams) -> Hairpins:
    """The hairpins of a strand: the best of those that compete, of the short ones and of the long ones."""
    short, long = (_without_competitors(found, params) for found in minima)
    short_kept, long_kept = np.empty(short[0].size, bool), np.empty(long[0].size, bool)
    kernels.keep_different(*short, *long, params.max_span, short_kept, long_kept)
    both = zip(short, long, strict=True)
    starts, ends, penalised = (np.concatenate([one[short_kept], other[long_kept]]) for one, other in both)
    order = np.lexsort((ends, starts))
    starts, ends, penalised = starts[order], ends[order], penalised[order]
    energies = penalised - params.penalties()[ends - starts]
    kcal, penalised_kcal = ((e / UNITS_PER_KCAL).astype(np.float32) for e in (energies, penalised))
    return Hairpins(starts, ends, kcal, penalised_kcal)


def find_hairpins(
    sequence: str | bytes,
    *,
    min_span: int = 40,
    max_span: int = 130,
    per_nt: float = 0.25,
    threshold: float = -2.9,
    long_span: int = 95,
    long_penalty: float = 0.0,
    nested: bool = False,
) -> pa.Table:
    """Find the hairpins of one strand of a sequence.

    Parameters
    ----------
    sequence
        DNA or RNA, 5' to 3', either case; any letter but A, C, G, T and U breaks hairpins.
    min_span, max_span, per_nt, threshold, long_span, long_penalty, nested
        As in ``HairpinParams``. The defaults cut by length alone; a scan's cut is ``min_span=45, max_span=150,
        per_nt=0.15, threshold=-7.5, long_penalty=8.0, nested=True``, and its candidates pass a filter after
        folding besides.

    Returns
    -------
    Arrow table, by start and end: start, end (int64, 0-based half-open), energy of the single stem-loop, and
    penalised (= energy + per_nt * length, + long_penalty if longer than long_span), both float32, kcal/mol.

    Raises
    ------
    InputError
        If a parameter is out of range.
    """
    params = HairpinParams(
        min_span=min_span,
        max_span=max_span,
        per_nt=per_nt,
        threshold=threshold,
        long_span=long_span,
        long_penalty=long_penalty,
        nested=nested,
    )
    ascii_codes = sequence.encode("ascii", "replace") if isinstance(sequence, str) else sequence
    hairpins = strand_hairpins(encode(ascii_codes), params)
    return pa.table(dict(zip(("start", "end", "energy", "penalised"), hairpins, strict=True)))
