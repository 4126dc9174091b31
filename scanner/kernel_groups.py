"""The kernels of this package in groups that are compiled side by side, see ``mirsweep.first_run``."""

from functools import partial

import numpy as np

from mirsweep.first_run import KernelGroup
from mirsweep.scanner import _candidate_kernels as kernels
from mirsweep.scanner import stemgate
from mirsweep.scanner.alphabet import LETTERS, encode
from mirsweep.scanner.batchfold import fill_nothing, trace_nothing
from mirsweep.scanner.fold import terminal_loops
from mirsweep.scanner.kmers import KMER_NT, BaseCounts, KmerCounts, chance_counts, list_kmers
from mirsweep.scanner.params import HairpinParams, ScanParams
from mirsweep.scanner.prefilter import Minima, choose_hairpins, strand_hairpins
from mirsweep.scanner.stemfilter import describe_stems, passes
from mirsweep.texts import Texts

__all__ = ["GROUPS", "counting_kernels", "folding_kernels", "scanning_kernels"]

_WIDE_NT = 250
"""Longer sequences often have energies that 16 bits cannot hold (below -160 kcal/mol). Shorter ones hardly ever do; the
kernels for 32 bits are then compiled in the middle of a scan."""


def _find_hairpins() -> None:
    strand_hairpins(encode(b"ACGT" * 20), HairpinParams(max_span=60))


def _choose_hairpins() -> None:
    choose_hairpins([Minima(*np.empty((3, 0), np.int64))] * 2, HairpinParams())


def _cut_out() -> None:
    one, offsets = np.zeros(1, np.int64), np.array([0, 9])
    letters, symbols = np.full(9, ord("G"), np.uint8), np.full(9, ord("."), np.uint8)
    kernels.cut_out(np.zeros(9, np.uint8), one, one + 9, np.zeros(1, bool), LETTERS, offsets, letters)
    kernels.count_pairs_and_gc(letters, symbols, offsets, one, one.copy())
    terminal_loops(Texts(symbols, offsets))


def _filter_stems() -> None:
    energies = np.zeros(1, np.float32)
    features = describe_stems(["GGGAAACCC"], ["(((...)))"], [(3, 6)], energies, energies)
    passes("animal", features)


_SMALLEST = encode(b"GGGAAACCC"), np.array([0]), np.array([9])


def _find_stem_loops() -> None:
    stemgate.find_stem_loops(*_SMALLEST)


def _gate_stem_loops() -> None:
    nothing = np.empty(0, np.float32)
    found = stemgate.StemLoops(np.empty(0, np.int16), np.empty(0, np.int64), nothing)
    codes, starts, ends = _SMALLEST
    features = stemgate.describe_stem_loops(codes, starts[:0], ends[:0], found, nothing)
    stemgate.score_stem_loops(features, next(iter(stemgate.read_gates().values())))


def _count_kmers() -> None:
    codes = encode(b"ACGT" * 20)
    wanted = list_kmers([codes])
    counts = KmerCounts(wanted.kmers)
    counts.add(codes)
    counts.of(wanted.kmers)
    chance_counts(wanted.kmers, KMER_NT, BaseCounts(40, 40))


GROUPS = {
    "prefilter": KernelGroup(3.8, _find_hairpins),
    "choice": KernelGroup(1.0, _choose_hairpins),
    "fill": KernelGroup(4.5, partial(fill_nothing, np.int16)),
    "fill32": KernelGroup(4.5, partial(fill_nothing, np.int32)),
    "trace": KernelGroup(1.7, partial(trace_nothing, np.int16)),
    "trace32": KernelGroup(1.7, partial(trace_nothing, np.int32)),
    "candidates": KernelGroup(0.6, _cut_out),
    "stemloops": KernelGroup(4.5, _find_stem_loops),
    "gate": KernelGroup(1.4, _gate_stem_loops),
    "stems": KernelGroup(0.6, _filter_stems),
    "kmers": KernelGroup(1.0, _count_kmers),
}


def folding_kernels(engine: str, *, longest_nt: int) -> list[str]:
    """Names of the groups that folding needs."""
    if engine != "batch":
        return []
    return _named("fill", "trace", *(("fill32", "trace32") if longest_nt > _WIDE_NT else ()))


def counting_kernels() -> list[str]:
    """Names of the groups that counting k-mers needs."""
    return _named("kmers")


def scanning_kernels(params: ScanParams) -> list[str]:
    """Names of the groups that scanning a tile needs."""
    search, pairs = ("choice", ()) if params.fold_engine == "cuda" else ("prefilter", ("stemloops",))
    stems = () if params.stem_filter == "none" else (*pairs, "gate", "stems")
    longest_nt = params.max_span + 2 * params.flank
    return [*_named(search, "candidates", *stems), *folding_kernels(params.fold_engine, longest_nt=longest_nt)]


def _named(*groups: str) -> list[str]:
    return [f"{__name__}:{group}" for group in groups]
