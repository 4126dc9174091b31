"""A scan beside known precursors: what it recovered, and how well the scores rank."""

import os
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mirsweep._shown import shown
from mirsweep.jobs.results.compare_plot import Curves, plot_curves
from mirsweep.jobs.results.dataset import Output, open_loci, open_output
from mirsweep.jobs.results.figures import check_picture
from mirsweep.jobs.results.fit import read_fitting_loci
from mirsweep.jobs.results.known import PRECURSOR_TYPES, Locus
from mirsweep.jobs.results.layout import CONTIGS
from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.results.nothing import why_nothing
from mirsweep.jobs.results.overlap import sorted_by
from mirsweep.jobs.results.query import Filters, scanner_of
from mirsweep.jobs.results.sound_rows import sound
from mirsweep.jobs.results.trained_on import contigs_trained_on
from mirsweep.scanner.errors import InputError

__all__ = ["Comparison", "compare", "compare_candidates", "match"]

_COLUMNS = ("contig", "start", "end", "strand", "score")
TOP = (50, 100, 200, 500)
FP_PER_MB = (0.1, 1, 10)


@shown("n_known", "n_recovered", "n_candidates", "average_precision", "recall_at_fp_per_mb", "missed", "model")
@dataclass(frozen=True)
class Comparison:
    """Known loci and the candidates of a run.

    Attributes
    ----------
    n_known, n_recovered, n_candidates
        Known loci; those that a candidate recovers; candidates that were ranked.
    average_precision
        Mean precision over the known loci in the order of score, an unrecovered one counting 0.
    top
        For each k, the number of loci that the k best-ranked candidates recover.
    recall_at_fp_per_mb
        For each limit, the highest share of all loci recovered at a score cut-off with at most so many candidates
        that recover nothing, per Mb of genome scanned (both strands of it: 1 Mb of genome is 1 Mb).
    scanned_mb
        Mb of genome scanned: without letters other than ACGT and runs too short for a hairpin.
    recovered, missed
        The loci themselves.
    curve
        (recall, precision) at each score at which another locus is recovered, recall rising.
    false_curve
        (candidates that recover nothing per Mb, recall) at the same scores.
    model
        Name and start of the digest of the model that scored the scan; None of candidates that come from no scan.
    n_outside
        Known loci that start outside of the parts that were scanned; they are in no other figure.
    trained_on
        Contigs of the scan that the model was trained on: the figures tell how well it knows them, not what it finds
        elsewhere.
    """

    n_known: int
    n_recovered: int
    n_candidates: int
    average_precision: float
    top: dict[int, int]
    recall_at_fp_per_mb: dict[float, float]
    scanned_mb: float
    recovered: tuple[Locus, ...]
    missed: tuple[Locus, ...]
    curve: tuple[tuple[float, float], ...] = ()
    false_curve: tuple[tuple[float, float], ...] = ()
    model: str | None = None
    n_outside: int = 0
    trained_on: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The figures, with the keys of ``mirsweep compare --json``."""
        return {
            "n_known": self.n_known,
            "n_recovered": self.n_recovered,
            "n_candidates": self.n_candidates,
            "average_precision": self.average_precision,
            "top": {str(k): n for k, n in self.top.items()},
            "recall_at_fp_per_mb": {f"{rate:g}": recall for rate, recall in self.recall_at_fp_per_mb.items()},
            "n_outside": self.n_outside,
            "trained_on": list(self.trained_on),
        } | ({} if self.model is None else {"model": self.model})


class _Ranking(NamedTuple):
    """Candidates that count, best first, and running sums at the end of each group of equal scores.

    Attributes
    ----------
    new_loci
        Loci whose best candidate this is, by candidate, int64, shape (n,).
    group_ends
        Number of candidates with a score at least that of each group, int64, shape (g,).
    """

    new_loci: np.ndarray
    group_ends: np.ndarray


def compare(
    output: str | os.PathLike,
    known: str | os.PathLike,
    *,
    genome: str | None = None,
    min_score: float | None = None,
    max_fp_per_mb: float | str | None = None,
    types: Sequence[str] = PRECURSOR_TYPES,
    loci: bool = False,
    plot: str | os.PathLike | None = None,
) -> Comparison:
    """Compare the candidates of a scan, or its loci, with known precursors.

    A known precursor is recovered when a candidate on its strand covers at least 70 % of it and at least 40 % of the
    candidate lies on it. For the ranking only the best-scored candidate of a locus counts as a hit; other candidates
    on it are left out.

    Parameters
    ----------
    output
        Output folder of a scan.
    known
        GFF3 or BED, plain or packed. Every record is a locus, even if two share a place; exact repeats are one.
    genome
        Of a scan of several genomes, compare this one only.
    min_score
        Leave out candidates with a lower score.
    max_fp_per_mb
        Leave out candidates with a higher ``expected_fp_per_mb``, see :func:`mirsweep.jobs.query`.
    types
        GFF3 feature types that are precursors.
    loci
        The loci rather than the candidates, ranked by their own score, which the limits then mean too.
    plot
        Also draw precision by recall, recall by false positives per Mb, and of loci with q-values these, into this
        file: ``.svg``, ``.pdf`` or ``.png``.

    Raises
    ------
    InputError
        If an input is bad, the scan is not complete or has no loci, the known loci do not fit its contigs, two of its
        genomes have a contig of theirs and none is named, or false positives are limited and the scan's model has no
        calibration.
    """
    picture = None if plot is None else check_picture(plot)
    opened = replace(open_loci(output), is_joined=False) if loci else open_output(output)
    if opened.run is None:
        raise InputError(f"{opened.path}: the scan is not complete; run it again to finish, then compare.")
    where = "the scan" if genome is None else f"the scan's genome {genome!r}"
    lengths = opened.contigs.lengths_of(genome)
    known_loci = read_fitting_loci(known, lengths, where=where, consequence="they count as missed", types=types)
    owners = _owners(opened, known_loci, known, genome)
    within = _within_parts(opened, known_loci, known, owners)
    filters = Filters(genome=genome, min_score=min_score, max_fp_per_mb=max_fp_per_mb)
    columns = {name: pc.field(opened.score_column if name == "score" else name) for name in _COLUMNS}
    columns |= {"q_value": pc.field("q_value")} if loci else {}
    with opened.intact():
        candidates = sound(scanner_of(opened, filters, columns=columns).to_table())
    if not candidates.num_rows:
        warn(why_nothing(opened, filters))
    result = compare_candidates(candidates, within, _n_scanned(opened.run, genome) / 1e6)
    model = opened.run.get("model", {}).get("label")
    trained_on = tuple(contigs_trained_on(opened, genome))
    result = replace(result, model=model, n_outside=len(known_loci) - len(within), trained_on=trained_on)
    if picture is not None:
        drawn = Curves(**{name: getattr(result, name) for name in Curves._fields})
        plot_curves(drawn, picture, q_values=_q_values(candidates))
    return result


def _q_values(candidates: pa.Table) -> np.ndarray | None:
    """Of loci, best first, shape (n,); None of candidates, and of loci without decoys."""
    if "q_value" not in candidates.column_names or candidates["q_value"].null_count:
        return None
    return candidates.sort_by([("score", "descending")])["q_value"].to_numpy()


def compare_candidates(
    candidates: pa.Table, loci: Sequence[Locus], scanned_mb: float, *, top: Sequence[int] = TOP
) -> Comparison:
    """Compare scored candidates with known precursors, as ``compare`` does.

    Parameters
    ----------
    candidates
        Columns contig, start, end, strand, score.
    scanned_mb
        Mb of genome that they come from.
    top
        The k of ``Comparison.top``.
    """
    candidates = _plain(candidates)
    pairs = match(candidates, loci)
    ranking = _rank(candidates["score"].to_numpy(), _order(candidates), pairs, len(loci))
    hit = np.zeros(len(loci), bool)
    hit[pairs[:, 1]] = True
    return Comparison(
        n_known=len(loci),
        n_recovered=int(hit.sum()),
        n_candidates=candidates.num_rows,
        average_precision=_average_precision(ranking, len(loci)),
        top={k: int(ranking.new_loci[:k].sum()) for k in top},
        recall_at_fp_per_mb={rate: _recall_at(ranking, rate * scanned_mb, len(loci)) for rate in FP_PER_MB},
        scanned_mb=scanned_mb,
        recovered=tuple(locus for locus, is_hit in zip(loci, hit, strict=True) if is_hit),
        missed=tuple(locus for locus, is_hit in zip(loci, hit, strict=True) if not is_hit),
        curve=_curve(ranking, len(loci)),
        false_curve=_false_curve(ranking, scanned_mb, len(loci)),
    )


def match(candidates: pa.Table, loci: Sequence[Locus]) -> np.ndarray:
    """All pairs of a candidate that recovers a locus.

    Parameters
    ----------
    candidates
        Columns contig, start, end, strand, in any order of rows.

    Returns
    -------
    int64, shape (m, 2): row of the candidate, index of the locus.
    """
    pairs = [np.empty((0, 2), np.int64)]
    groups = sorted_by(candidates, "contig", "strand")
    for index, locus in enumerate(loci):
        if (locus.contig, locus.strand) in groups:
            rows = groups[locus.contig, locus.strand].recovering(locus.start, locus.end)
            pairs.append(np.column_stack([rows, np.full(len(rows), index)]))
    return np.concatenate(pairs)


def _order(candidates: pa.Table) -> np.ndarray:
    """Rows by falling score, equals by place; shape (n,)."""
    keys = [("score", "descending"), *((name, "ascending") for name in ("contig", "start", "end", "strand"))]
    return pc.sort_indices(candidates, keys).to_numpy()


def _rank(scores: np.ndarray, order: np.ndarray, pairs: np.ndarray, n_loci: int) -> _Ranking:
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    best = np.full(n_loci, len(order))
    np.minimum.at(best, pairs[:, 1], rank[pairs[:, 0]])
    new_loci = np.bincount(best[best < len(order)], minlength=len(order))
    counts = np.ones(len(order), bool)
    counts[rank[pairs[:, 0]]] = False  # on a locus: left out
    counts |= new_loci > 0  # unless it is the best one there
    kept = scores[order][counts]
    ends = np.flatnonzero(np.append(kept[1:] != kept[:-1], True)) + 1 if len(kept) else np.empty(0, np.int64)
    return _Ranking(new_loci[counts], ends)


def _average_precision(ranking: _Ranking, n_known: int) -> float:
    """Sum over the scores of precision times gain in recall; precision is the share of hits among candidates."""
    n_hits = np.cumsum(ranking.new_loci > 0)[ranking.group_ends - 1]
    n_loci = np.cumsum(ranking.new_loci)[ranking.group_ends - 1]
    precision = n_hits / np.maximum(ranking.group_ends, 1)
    return float((np.diff(n_loci, prepend=0) * precision).sum() / n_known)


def _curve(ranking: _Ranking, n_known: int) -> tuple[tuple[float, float], ...]:
    """(recall, precision) at the end of each group of equal scores that recovers another locus."""
    n_hits = np.cumsum(ranking.new_loci > 0)[ranking.group_ends - 1]
    n_loci = np.cumsum(ranking.new_loci)[ranking.group_ends - 1]
    gains = np.flatnonzero(np.diff(n_loci, prepend=0))
    return tuple(zip((n_loci[gains] / n_known).tolist(), (n_hits / ranking.group_ends)[gains].tolist(), strict=True))


def _false_curve(ranking: _Ranking, scanned_mb: float, n_known: int) -> tuple[tuple[float, float], ...]:
    """(false positives per Mb, recall) at the end of each group of equal scores that recovers another locus."""
    n_false = np.cumsum(ranking.new_loci == 0)[ranking.group_ends - 1]
    n_loci = np.cumsum(ranking.new_loci)[ranking.group_ends - 1]
    gains = np.diff(n_loci, prepend=0) > 0
    rates = n_false[gains] / max(scanned_mb, 1e-9)
    return tuple(zip(rates.tolist(), (n_loci[gains] / n_known).tolist(), strict=True))


def _recall_at(ranking: _Ranking, n_false_allowed: float, n_known: int) -> float:
    n_false = np.cumsum(ranking.new_loci == 0)[ranking.group_ends - 1]
    n_loci = np.cumsum(ranking.new_loci)[ranking.group_ends - 1]
    return float(n_loci[n_false <= n_false_allowed].max(initial=0) / n_known)


def _n_scanned(run: Mapping[str, Any], genome: str | None) -> int:
    """Bases that were scanned, of one genome or of all, nt."""
    genomes = run["genomes"]
    if genome is None or len(genomes) == 1:
        return run["counts"]["n_scanned"]
    (own,) = (each for each in genomes if each["name"] == genome)
    if "counts" not in own:
        raise InputError(
            f"an older version of mirsweep wrote this scan, which does not tell how much of {genome!r} was scanned: "
            "scan it again, or compare all its genomes at once."
        )
    return own["counts"]["n_scanned"]


def _plain(candidates: pa.Table) -> pa.Table:
    """The columns that count; contig and strand as plain strings, since dictionaries cannot be sorted."""
    table = candidates.select(_COLUMNS)
    for name in ("contig", "strand"):
        table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.string()))
    return table


def _owners(
    output: Output, loci: Sequence[Locus], known: str | os.PathLike, genome: str | None
) -> dict[str, tuple[str, str]]:
    """By contig of the loci its (genome, contig) in the scan; contigs that the scan lacks are left out."""
    contigs = output.contigs
    ranks = {name: contigs.ranks(name, genome) for name in sorted({locus.contig for locus in loci})}
    shared = [name for name, found in ranks.items() if len(found) > 1]
    if shared:
        raise InputError(
            f"{known}: its contig {shared[0]!r} is in several genomes of the scan ({', '.join(contigs.genomes[:3])}): "
            "name the one that the loci belong to with --genome."
        )
    return {name: (contigs[found[0]].genome, name) for name, found in ranks.items() if found}


def _within_parts(
    output: Output, loci: Sequence[Locus], known: str | os.PathLike, owners: Mapping[str, tuple[str, str]]
) -> list[Locus]:
    """Loci that start in what was scanned, and those on contigs that the genome lacks: these count as missed."""
    parts = output.parts
    if parts is None:
        return list(loci)
    of_contig = {name: parts.get(owner, []) for name, owner in owners.items()}
    within = [locus for locus in loci if locus.contig not in owners or _covers(of_contig[locus.contig], locus)]
    if not any(locus.contig in owners for locus in within):
        raise InputError(
            f'{known}: all loci lie outside of the parts that were scanned ("scanned" in {output.path / CONTIGS}): '
            "scan more, or give loci of these parts."
        )
    return within


def _covers(intervals: Sequence[Sequence[int]], locus: Locus) -> bool:
    """Whether the locus starts in an interval of its contig; the intervals are in order and apart."""
    before = bisect_right(intervals, locus.start, key=lambda interval: interval[0])
    return before > 0 and locus.start < intervals[before - 1][1]
