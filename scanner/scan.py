"""Scanning one tile: bases in, folded and annotated candidates out (no score yet)."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.scanner import _candidate_kernels as kernels
from mirsweep.scanner import stemgate
from mirsweep.scanner.alphabet import BREAK, LETTERS, encode, reverse_complement, soft_masked
from mirsweep.scanner.candidates import FLANK_NT, UNSCORED_SCHEMA
from mirsweep.scanner.fold import fold_texts, terminal_loops
from mirsweep.scanner.foldinput import Nesting
from mirsweep.scanner.params import WINDOW, ScanParams
from mirsweep.scanner.prefilter import Hairpins, strand_hairpins
from mirsweep.scanner.stemfilter import describe_stems, passes
from mirsweep.texts import Texts

__all__ = ["TileBases", "TileCounts", "TileResult", "TilesResult", "scan_tile", "scan_tiles"]


class TileCounts(NamedTuple):
    """Account of a tile's bases (both strands share them), nt.

    Attributes
    ----------
    n_bases
        Bases of the tile.
    n_invalid
        Of these, letters other than A, C, G, T and U.
    n_too_short
        Of these, bases in runs of valid letters too short for any hairpin.
    """

    n_bases: int
    n_invalid: int
    n_too_short: int


class TileResult(NamedTuple):
    """Candidates of a tile (``UNSCORED_SCHEMA``, by start, end, strand), its account, seconds by stage."""

    table: pa.Table
    counts: TileCounts
    seconds: dict[str, float]


class TileBases(NamedTuple):
    """A tile [core_start, core_end) of a contig, 0-based half-open, and its letters (ASCII).

    ``bases`` are those of the contig from ``start`` on: the tile and ``params.context_nt`` on both sides, fewer only at
    the contig's ends.
    """

    bases: bytes
    start: int
    core_start: int
    core_end: int


class TilesResult(NamedTuple):
    """Candidates of several tiles (``UNSCORED_SCHEMA``), tile after tile, each by start, end, strand.

    Attributes
    ----------
    n_rows
        Candidates of each tile, int64, shape (t,).
    counts
        Account of each tile.
    seconds
        By stage, of all tiles together.
    """

    table: pa.Table
    n_rows: np.ndarray
    counts: tuple[TileCounts, ...]
    seconds: dict[str, float]


_GAP = b"N" * (WINDOW + 1)
"""Between the letters of two tiles: wider than the neighbourhood in which hairpins compete for a start."""


class _Joined(NamedTuple):
    """Letters of several tiles in one row, with gaps between them, so that small contigs are searched at once.

    Attributes
    ----------
    codes, masked, is_core
        Base codes; soft-masked bases; bases of the tiles themselves, without their context. Shape (n,).
    firsts, lasts
        Where the letters of each tile begin and end in the row, int64, shape (t,).
    shifts
        What turns a position in the row into one on the contig, int64, shape (t,).
    """

    codes: np.ndarray
    masked: np.ndarray
    is_core: np.ndarray
    firsts: np.ndarray
    lasts: np.ndarray
    shifts: np.ndarray


def _join(tiles: Sequence[TileBases]) -> _Joined:
    letters = _GAP.join(tile.bases for tile in tiles)
    sizes = np.array([len(tile.bases) for tile in tiles], np.int64)
    firsts = np.concatenate(([0], np.cumsum(sizes[:-1] + len(_GAP))))
    shifts = np.array([tile.start for tile in tiles], np.int64) - firsts
    is_core = np.zeros(len(letters), bool)
    for tile, shift in zip(tiles, shifts.tolist(), strict=True):
        is_core[tile.core_start - shift : tile.core_end - shift] = True
    return _Joined(encode(letters), soft_masked(letters), is_core, firsts, firsts + sizes, shifts)


def _accounts(joined: _Joined, min_span: int) -> tuple[TileCounts, ...]:
    """Account of each tile."""
    is_invalid = (joined.codes == BREAK) & joined.is_core
    is_too_short = _too_short(joined.codes, min_span) & joined.is_core
    tiles = (slice(*bounds) for bounds in zip(joined.firsts.tolist(), joined.lasts.tolist(), strict=True))
    kinds = (joined.is_core, is_invalid, is_too_short)
    return tuple(TileCounts(*(int(np.count_nonzero(kind[tile])) for kind in kinds)) for tile in tiles)


class _Candidates(NamedTuple):
    """Hairpins on the forward strand; on their own strand their sequences and flanks; their soft-masked share.

    ``stem_starts`` and ``stem_ends`` are where the stem-loop lies in the sequence, without what ``flank`` adds.
    """

    starts: np.ndarray
    ends: np.ndarray
    strands: np.ndarray
    penalised: np.ndarray
    stem_starts: np.ndarray
    stem_ends: np.ndarray
    sequences: Texts
    flanks_5p: Texts
    flanks_3p: Texts
    masked: np.ndarray


def _too_short(codes: np.ndarray, min_span: int) -> np.ndarray:
    """Which bases lie in a run of valid letters shorter than ``min_span``; bool, shape (n,)."""
    is_valid = np.concatenate(([False], codes != BREAK, [False]))
    edges = np.flatnonzero(is_valid[1:] != is_valid[:-1])
    out = np.zeros(codes.size, bool)
    for start, end in edges.reshape(-1, 2):
        if end - start < min_span:
            out[start:end] = True
    return out


def _with_flank(hairpins: Hairpins, codes: np.ndarray, flank: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of hairpins longer by ``flank`` on both sides, as far as no break is in the way."""
    breaks = np.concatenate(([-1], np.flatnonzero(codes == BREAK), [codes.size]))
    first = breaks[np.searchsorted(breaks, hairpins.starts) - 1] + 1
    last = breaks[np.searchsorted(breaks, hairpins.ends)]
    return np.maximum(hairpins.starts - flank, first), np.minimum(hairpins.ends + flank, last)


def _search(codes: np.ndarray, params: ScanParams) -> Hairpins:
    """Hairpins of a strand, found where hairpins are folded."""
    if params.fold_engine == "cuda":
        from mirsweep.scanner.cudaprefilter import strand_hairpins_cuda  # brings numba's CUDA target

        return strand_hairpins_cuda(codes, params)
    return strand_hairpins(codes, params)


def _of_strand(joined: _Joined, strand: str, params: ScanParams) -> tuple[np.ndarray, ...]:
    """Hairpins of a strand whose start lies in a tile: start, end, strand, penalised energy, stem-loop's start, end."""
    own = joined.codes if strand == "+" else reverse_complement(joined.codes)
    hairpins = _search(own, params)
    starts, ends = _with_flank(hairpins, own, params.flank)
    first, last = (starts, ends) if strand == "+" else (own.size - ends, own.size - starts)
    names = np.full(first.size, strand)
    columns = first, last, names, hairpins.penalised, hairpins.starts - starts, hairpins.ends - starts
    inside = joined.is_core[first]
    return tuple(column[inside] for column in columns)


def _find(joined: _Joined, params: ScanParams) -> _Candidates:
    """Candidates whose start lies in a tile, in positions of the row, ordered by start, end, strand."""
    codes = joined.codes
    found = [_of_strand(joined, strand, params) for strand in params.strands]
    starts, ends, names, penalised, stem_starts, stem_ends = map(np.concatenate, zip(*found, strict=True))
    order = np.lexsort((names, ends, starts))
    starts, ends, names, penalised, stem_starts, stem_ends = (
        column[order] for column in (starts, ends, names, penalised, stem_starts, stem_ends)
    )
    n_masked = np.zeros(joined.masked.size + 1, np.int32)
    np.cumsum(joined.masked, out=n_masked[1:])
    share = (n_masked[ends] - n_masked[starts]) / np.maximum(ends - starts, 1)
    tiles = _tile_of(joined, starts)
    firsts, lasts = (
        np.maximum(starts - FLANK_NT, joined.firsts[tiles]),
        np.minimum(ends + FLANK_NT, joined.lasts[tiles]),
    )
    is_minus = names == "-"
    first_5p, end_5p = np.where(is_minus, ends, firsts), np.where(is_minus, lasts, starts)
    first_3p, end_3p = np.where(is_minus, firsts, ends), np.where(is_minus, starts, lasts)
    sequences = _cut_out(codes, starts, ends, is_minus)
    flanks_5p, flanks_3p = (
        _cut_out(codes, first, end, is_minus) for first, end in ((first_5p, end_5p), (first_3p, end_3p))
    )
    return _Candidates(starts, ends, names, penalised, stem_starts, stem_ends, sequences, flanks_5p, flanks_3p, share)


def _tile_of(joined: _Joined, positions: np.ndarray) -> np.ndarray:
    """Tile in whose letters each position of the row lies; int64, shape (n,)."""
    return np.searchsorted(joined.firsts, positions, side="right") - 1


def _cut_out(codes: np.ndarray, starts: np.ndarray, ends: np.ndarray, is_minus: np.ndarray) -> Texts:
    """RNA letters of intervals, 5' to 3' on their strands."""
    offsets = np.concatenate(([0], np.cumsum(ends - starts)))
    letters = np.empty(offsets[-1], np.uint8)
    kernels.cut_out(codes, starts, ends, is_minus, LETTERS, offsets, letters)
    return Texts(letters, offsets)


class _FoldedCandidates(NamedTuple):
    """Candidates that passed the stem filter, with structures, energies and terminal loops (n, 2)."""

    found: _Candidates
    structures: Texts
    energies: np.ndarray
    loops: np.ndarray


def _finder(params: ScanParams) -> Callable[[np.ndarray, np.ndarray, np.ndarray], stemgate.StemLoops]:
    """What finds stem-loops where hairpins are folded."""
    if params.fold_engine == "cuda":
        from mirsweep.scanner.cudastemgate import find_stem_loops_cuda  # brings numba's CUDA target

        return find_stem_loops_cuda
    return stemgate.find_stem_loops


def _chosen(found: _Candidates, params: ScanParams) -> _Candidates:
    """The candidates that pass the gate before folding."""
    if params.stem_filter == "none":
        return found
    codes, begins = encode(found.sequences.letters), found.sequences.offsets[:-1]
    bounds = begins + found.stem_starts, begins + found.stem_ends
    passed = stemgate.passes(params.stem_filter, codes, *bounds, found.penalised, find=_finder(params))
    return _rows(found, np.flatnonzero(passed))


def _fold(found: _Candidates, params: ScanParams) -> _FoldedCandidates:
    structures, energies = fold_texts(found.sequences, engine=params.fold_engine, nesting=_nesting(found))
    loops = terminal_loops(structures)
    if params.stem_filter == "none":
        return _FoldedCandidates(found, structures, energies, loops)
    features = describe_stems(found.sequences, structures, loops, energies, found.penalised)
    kept = np.flatnonzero(passes(params.stem_filter, features))
    return _FoldedCandidates(_rows(found, kept), structures.take(kept), energies[kept], loops[kept])


def _nesting(found: _Candidates) -> Nesting:
    """Which candidates lie within others of their strand."""
    owners, is_minus = np.arange(len(found.starts)), found.strands == "-"
    for strand in (False, True):
        own = np.flatnonzero(is_minus == strand)
        own = own[np.lexsort((-found.ends[own], found.starts[own]))]  # who lies within another comes after it
        farthest = np.maximum.accumulate(found.ends[own])
        is_whole = np.diff(farthest, prepend=-1) > 0
        owners[own] = own[np.maximum.accumulate(np.where(is_whole, np.arange(len(own)), 0))]
    firsts = np.where(is_minus, found.ends[owners] - found.ends, found.starts - found.starts[owners])
    return Nesting(owners, firsts)


def _rows(found: _Candidates, rows: np.ndarray) -> _Candidates:
    """Some of the candidates, by index."""
    return _Candidates(*(_take(column, rows) for column in found))


def _take(column: Any, rows: np.ndarray) -> Any:
    """Rows of an array, or of texts."""
    return column.take(rows)


def _table(folded: _FoldedCandidates, shifts: np.ndarray) -> pa.Table:
    """The candidates' table; ``shifts`` turn their positions in the row into those on their contigs."""
    found, loops = folded.found, folded.loops
    n_pairs, n_gc = np.empty(len(loops), np.int64), np.empty(len(loops), np.int64)
    texts = found.sequences
    kernels.count_pairs_and_gc(texts.letters, folded.structures.letters, texts.offsets, n_pairs, n_gc)
    columns = {
        "start": found.starts + shifts,
        "end": found.ends + shifts,
        "strand": found.strands.tolist(),
        "mfe": folded.energies,
        "sequence": found.sequences.to_arrow(),
        "structure": folded.structures.to_arrow(),
        "n_pairs": n_pairs,
        "loop_start": loops[:, 0],
        "loop_end": loops[:, 1],
        "gc": n_gc / np.maximum(texts.lengths, 1),
        "masked": found.masked,
        "penalised": found.penalised,
        "flank_5p": found.flanks_5p.to_arrow(),
        "flank_3p": found.flanks_3p.to_arrow(),
    }
    arrays = [
        pa.array(columns[f.name], pa.string()).dictionary_encode()
        if pa.types.is_dictionary(f.type)
        else pa.array(columns[f.name], f.type)
        for f in UNSCORED_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=UNSCORED_SCHEMA)


def scan_tile(bases: bytes, *, bases_start: int, core_start: int, core_end: int, params: ScanParams) -> TileResult:
    """Candidates whose forward-strand start lies in the tile [core_start, core_end) of a contig.

    Parameters
    ----------
    bases
        ASCII letters of the contig from ``bases_start`` on: the tile and ``params.context_nt`` on both sides,
        fewer only at the contig's ends.
    core_start, core_end
        The tile, 0-based half-open on the contig.
    """
    table, _, (counts,), seconds = scan_tiles([TileBases(bases, bases_start, core_start, core_end)], params=params)
    return TileResult(table, counts, seconds)


def scan_tiles(tiles: Sequence[TileBases], *, params: ScanParams) -> TilesResult:
    """Candidates of several tiles at once: the same as one by one, and much faster where they are small.

    Parameters
    ----------
    tiles
        One or more, of any contigs.
    """
    began = time.perf_counter()
    joined = _join(tiles)
    found = _find(joined, params)
    counts = _accounts(joined, params.min_span)
    searched = time.perf_counter()
    folded = _fold(_chosen(found, params), params)
    owners = _tile_of(joined, folded.found.starts)
    table = _table(folded, joined.shifts[owners])
    seconds = {"prefilter": searched - began, "fold": time.perf_counter() - searched}
    return TilesResult(table, np.bincount(owners, minlength=len(tiles)), counts, seconds)
