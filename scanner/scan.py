"""Scanning one tile: bases in, folded and annotated candidates out (no score yet)."""

import time
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.scanner.alphabet import BREAK, decode, encode, reverse_complement, soft_masked
from mirsweep.scanner.candidates import FLANK_NT, UNSCORED_SCHEMA
from mirsweep.scanner.fold import TerminalLoop, count_pairs, fold, terminal_loop
from mirsweep.scanner.params import ScanParams
from mirsweep.scanner.prefilter import Hairpins, strand_hairpins
from mirsweep.scanner.stemfilter import describe_stems, passes

__all__ = ["TileCounts", "TileResult", "scan_tile"]


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


class _Candidates(NamedTuple):
    """Hairpins on the forward strand; on their own strand their sequences and flanks; their soft-masked share."""

    starts: np.ndarray
    ends: np.ndarray
    strands: np.ndarray
    penalised: np.ndarray
    sequences: list[str]
    flanks_5p: list[str]
    flanks_3p: list[str]
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


def _forward(hairpins: Hairpins, strand: str, length: int) -> Hairpins:
    """Hairpins of a strand in forward-strand coordinates of a sequence of ``length`` nt."""
    if strand == "+":
        return hairpins
    return hairpins._replace(starts=length - hairpins.ends, ends=length - hairpins.starts)


def _with_flank(hairpins: Hairpins, codes: np.ndarray, flank: int) -> Hairpins:
    """Hairpins longer by ``flank`` on both sides, as far as no break is in the way."""
    breaks = np.concatenate(([-1], np.flatnonzero(codes == BREAK), [codes.size]))
    first = breaks[np.searchsorted(breaks, hairpins.starts) - 1] + 1
    last = breaks[np.searchsorted(breaks, hairpins.ends)]
    starts, ends = np.maximum(hairpins.starts - flank, first), np.minimum(hairpins.ends + flank, last)
    return hairpins._replace(starts=starts, ends=ends)


def _find(codes: np.ndarray, masked: np.ndarray, core: tuple[int, int], params: ScanParams) -> _Candidates:
    """Candidates whose start lies in ``core``, in coordinates of ``codes``, ordered by start, end, strand."""
    found, strands = [], []
    for strand in params.strands:
        own = codes if strand == "+" else reverse_complement(codes)
        hairpins = _with_flank(strand_hairpins(own, params), own, params.flank)
        hairpins = _forward(hairpins, strand, codes.size)
        inside = (hairpins.starts >= core[0]) & (hairpins.starts < core[1])
        found.append(Hairpins(*(column[inside] for column in hairpins)))
        strands.append(np.full(int(inside.sum()), strand))
    starts, ends, _, penalised = (np.concatenate(columns) for columns in zip(*found, strict=True))
    names = np.concatenate(strands)
    order = np.lexsort((names, ends, starts))
    starts, ends, names, penalised = starts[order], ends[order], names[order], penalised[order]
    n_masked = np.concatenate(([0], np.cumsum(masked)))
    share = (n_masked[ends] - n_masked[starts]) / np.maximum(ends - starts, 1)
    texts = [_with_surroundings(codes, *place) for place in zip(starts, ends, names, strict=True)]
    flanks_5p, sequences, flanks_3p = ([text[k] for text in texts] for k in range(3))
    return _Candidates(starts, ends, names, penalised, sequences, flanks_5p, flanks_3p, share)


def _with_surroundings(codes: np.ndarray, start: int, end: int, strand: str) -> tuple[str, str, str]:
    """What precedes an interval, the interval and what follows it, 5' to 3' on the strand."""
    first, last = max(0, start - FLANK_NT), min(codes.size, end + FLANK_NT)
    if strand == "+":
        text, n_before = decode(codes[first:last]), start - first
    else:
        text, n_before = decode(reverse_complement(codes[first:last])), last - end
    n_through = n_before + end - start
    return text[:n_before], text[n_before:n_through], text[n_through:]


class _FoldedCandidates(NamedTuple):
    """Candidates that passed the stem filter, with structures, energies and terminal loops."""

    found: _Candidates
    structures: list[str]
    energies: np.ndarray
    loops: list[TerminalLoop]


def _fold(found: _Candidates, params: ScanParams) -> _FoldedCandidates:
    structures, energies = fold(found.sequences, engine=params.folder)
    loops = [terminal_loop(structure) for structure in structures]
    if params.stem_filter == "none":
        return _FoldedCandidates(found, structures, energies, loops)
    features = describe_stems(found.sequences, structures, loops, energies, found.penalised)
    kept = np.flatnonzero(passes(params.stem_filter, features))
    chosen = _Candidates(*(_take(column, kept) for column in found))
    return _FoldedCandidates(chosen, _take(structures, kept), energies[kept], _take(loops, kept))


def _take(column: Any, rows: np.ndarray) -> Any:
    """Rows of an array, or of a list."""
    return column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows]


def _table(folded: _FoldedCandidates, offset: int) -> pa.Table:
    found, loops = folded.found, folded.loops
    gc = [(s.count("G") + s.count("C")) / len(s) for s in found.sequences]
    columns = {
        "start": found.starts + offset,
        "end": found.ends + offset,
        "strand": found.strands.tolist(),
        "mfe": folded.energies,
        "sequence": found.sequences,
        "structure": folded.structures,
        "n_pairs": [count_pairs(structure) for structure in folded.structures],
        "loop_start": [loop.start for loop in loops],
        "loop_end": [loop.end for loop in loops],
        "gc": gc,
        "masked": found.masked,
        "penalised": found.penalised,
        "flank_5p": found.flanks_5p,
        "flank_3p": found.flanks_3p,
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
    began = time.perf_counter()
    codes = encode(bases)
    core = core_start - bases_start, core_end - bases_start
    found = _find(codes, soft_masked(bases), core, params)
    counts = TileCounts(
        n_bases=core_end - core_start,
        n_invalid=int((codes[slice(*core)] == BREAK).sum()),
        n_too_short=int(_too_short(codes, params.min_span)[slice(*core)].sum()),
    )
    searched = time.perf_counter()
    table = _table(_fold(found, params), bases_start)
    seconds = {"prefilter": searched - began, "fold": time.perf_counter() - searched}
    return TileResult(table, counts, seconds)
