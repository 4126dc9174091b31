"""Slow plain-Python oracle of the comparison: written from the definitions, sharing no code with it."""

from typing import NamedTuple


class Interval(NamedTuple):
    contig: str
    start: int
    end: int
    strand: str
    score: float = 0.0


def recovers(candidate: Interval, locus: Interval) -> bool:
    """On its strand, at least 70 % of the locus covered, at least 40 % of the candidate on it."""
    if (candidate.contig, candidate.strand) != (locus.contig, locus.strand):
        return False
    shared = len(set(range(candidate.start, candidate.end)) & set(range(locus.start, locus.end)))
    return 10 * shared >= 7 * (locus.end - locus.start) and 10 * shared >= 4 * (candidate.end - candidate.start)


def figures(candidates: list[Interval], loci: list[Interval], scanned_mb: float) -> dict:
    """All figures of ``mirsweep compare --json``, one candidate after the other."""
    ranked = sorted(candidates, key=lambda c: (-c.score, c[:4]))
    taken: dict[int, set[int]] = {}
    seen: set[int] = set()
    for i, candidate in enumerate(ranked):
        own = {j for j, locus in enumerate(loci) if recovers(candidate, locus)}
        if own and not own - seen:
            continue  # another candidate on loci that have their best one
        taken[i] = own - seen
        seen |= own
    kept = [(ranked[i].score, found) for i, found in taken.items()]
    return {
        "n_known": len(loci),
        "n_recovered": len(seen),
        "n_candidates": len(candidates),
        "average_precision": average_precision(kept, len(loci)),
        "top": {str(k): sum(len(found) for _, found in kept[:k]) for k in (50, 100, 200, 500)},
        "recall_at_fp_per_mb": {
            name: recall_at(kept, len(loci), rate * scanned_mb) for name, rate in (("0.1", 0.1), ("1", 1), ("10", 10))
        },
        "n_outside": 0,
        "trained_on": [],
    }


def cut_offs(kept):
    """For each score, what lies at or above it: recovered loci, hits, false ones."""
    for cut in sorted({score for score, _ in kept}, reverse=True):
        above = [found for score, found in kept if score >= cut]
        yield sum(map(len, above)), sum(1 for f in above if f), sum(1 for f in above if not f)


def average_precision(kept, n_known: int) -> float:
    total, before = 0.0, 0
    for n_loci, n_hits, n_false in cut_offs(kept):
        total += (n_loci - before) / n_known * n_hits / (n_hits + n_false)
        before = n_loci
    return total


def recall_at(kept, n_known: int, n_false_allowed: float) -> float:
    return max((n / n_known for n, _, n_false in cut_offs(kept) if n_false <= n_false_allowed), default=0.0)
