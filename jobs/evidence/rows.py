"""A row of evidence.parquet from the reads on a hairpin."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from mirsweep.jobs.evidence.count import Spans, pooled
from mirsweep.jobs.evidence.criteria import ENOUGH_READS, Criterion, Verdict, judge
from mirsweep.jobs.evidence.pattern import NOTHING, ArmReads, Pattern, Shape, pattern_of

__all__ = ["MOST_STACKS", "Counted", "row_of"]

MOST_STACKS = 40
"""Reads, by their ends, that are kept of a locus to be drawn."""
_PER = 1e6


class Counted(NamedTuple):
    """A hairpin's dot-bracket, its terminal loop, and the reads by library, in the order of the libraries."""

    structure: str
    loop: tuple[int, int]
    by_library: Sequence[Spans]


def row_of(counted: Counted, totals: Mapping[str, float], criteria: Sequence[Criterion]) -> dict[str, Any]:
    """Columns of a locus.

    Parameters
    ----------
    counted
        Its reads.
    totals
        Mapped reads of each library, by name.
    criteria
        By which it is judged.
    """
    if not any(counted.by_library):
        return _nothing(tuple(criteria))
    names, shape = list(totals), Shape.of(counted.structure, *counted.loop)
    alone = {name: pattern_of(shape, spans) for name, spans in zip(names, counted.by_library, strict=True) if spans}
    verdicts = {name: judge(pattern, criteria, n_libraries=2) for name, pattern in alone.items()}
    n_supporting = sum(each.verdict == "supported" for each in verdicts.values())
    spans = pooled(counted.by_library)
    pattern = next(iter(alone.values())) if len(names) == len(alone) == 1 else pattern_of(shape, spans)
    found = judge(pattern, criteria, n_supporting)
    row = _judged(pattern, found, sum(totals.values()))
    return row | {
        "n_libraries": sum(each.reads >= ENOUGH_READS for each in alone.values()),
        "libraries": [_library(name, alone[name], verdicts[name], totals[name]) for name in alone],
        "stacks": _stacks(spans),
    }


@cache
def _nothing(criteria: tuple[Criterion, ...]) -> dict[str, Any]:
    """Columns of a locus without reads."""
    row = _judged(NOTHING, judge(NOTHING, criteria, 0), 1.0)
    return row | {"n_libraries": 0, "libraries": [], "stacks": []}


def _judged(pattern: Pattern, found: Verdict, total: float) -> dict[str, Any]:
    return {
        "evidence": found.verdict,
        "lacking": found.lacking,
        "rpm": _rpm(pattern.reads, total),
        "criteria": [
            {"criterion": criterion.name, "met": judged.is_met, "figure": judged.figure}
            for criterion, judged in found.judged
        ],
        **_counts(pattern),
        **_ends(pattern),
    }


def _rpm(reads: float, total: float) -> float | None:
    return reads / total * _PER if total else None


def _counts(pattern: Pattern) -> dict[str, Any]:
    lengths, reads = pattern.lengths, pattern.reads
    return {
        "reads": reads,
        "reads_5p": pattern.on_5p,
        "reads_3p": pattern.on_3p,
        "reads_loop": pattern.on_loop,
        "reads_antisense": pattern.antisense,
        "reads_across": pattern.across,
        "precise_share": pattern.precise if reads else None,
        "dicer_share": pattern.by_dicer if reads else None,
        "share_20_24": sum(n for length, n in lengths.items() if 20 <= length <= 24) / reads if reads else None,
        "common_length": min(lengths, key=lambda length: (-lengths[length], length)) if reads else None,
    }


def _ends(pattern: Pattern) -> dict[str, Any]:
    """The columns about the commonest sequence of each arm, and how both pair."""
    row: dict[str, Any] = {"mature_by_reads": pattern.mature}
    for arm, found in (("5p", pattern.arm_5p), ("3p", pattern.arm_3p)):
        if found is not None and found.is_seen:
            row |= {f"read_{arm}_start": found.start, f"read_{arm}_end": found.end}
        if found is not None:
            row[f"homogeneity_{arm}"] = found.homogeneity
    if pattern.mature is not None:
        row |= {"mature_reads": _reads(pattern.mature_arm), "star_reads": _reads(pattern.star_arm)}
    duplex = pattern.duplex
    if duplex is not None:
        row |= {"overhang_base": duplex.overhang_base, "overhang_loop": duplex.overhang_loop}
        row |= {"duplex_pairs": duplex.n_pairs, "duplex_mismatches": duplex.n_mismatched}
    return row


def _reads(arm: ArmReads | None) -> float:
    return 0.0 if arm is None else arm.reads


def _library(name: str, pattern: Pattern, verdict: Verdict, total: float) -> dict[str, Any]:
    mature = pattern.mature_arm
    return {
        "library": name,
        "reads": pattern.reads,
        "rpm": _rpm(pattern.reads, total),
        "reads_5p": pattern.on_5p,
        "reads_3p": pattern.on_3p,
        "reads_loop": pattern.on_loop,
        "reads_antisense": pattern.antisense,
        "homogeneity": None if mature is None else mature.homogeneity,
        "mature_reads": _reads(mature),
        "star_reads": _reads(pattern.star_arm),
        "verdict": verdict.verdict,
    }


def _stacks(spans: Spans) -> list[dict[str, Any]]:
    """The commonest reads of the hairpin's strand within its ends, by start and end."""
    sense = [(start, end, n) for (start, end, is_sense), n in spans.items() if is_sense and start >= 0]
    chosen = sorted(sense, key=lambda each: (-each[2], each))[:MOST_STACKS]
    return [{"start": start, "end": end, "reads": n} for start, end, n in sorted(chosen)]
