"""Published criteria of miRNA annotation, each with its figure, and the verdict that follows from them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mirsweep.jobs.evidence.pattern import Pattern

__all__ = ["CRITERIA", "ENOUGH_READS", "VERDICTS", "Criterion", "Judged", "Verdict", "judge"]

VERDICTS = ("supported", "expressed", "contradicted", "not expressed")
ENOUGH_READS = 10
"""Reads from which on a pattern can be told: miRBase asks for so many (Kozomara and Griffiths-Jones 2014)."""
_FROMM = "Fromm et al. 2015, 2020"
_MIRBASE = "Kozomara and Griffiths-Jones 2014"
_AXTELL = "Axtell and Meyers 2018"
_SHORTSTACK = "Axtell 2013"
_MIRDEEP = "Friedländer et al. 2008"
_TWICE = 2


class Judged(NamedTuple):
    """What a criterion says of a hairpin.

    Attributes
    ----------
    is_met
        Whether the reads meet it.
    figure
        What was measured.
    is_against
        Where it is not met: whether reads speak against a miRNA, rather than that reads or pairs are missing.
    lacking
        What is lacking, in words; empty where it is met.
    """

    is_met: bool
    figure: str
    is_against: bool = False
    lacking: str = ""


class Criterion(NamedTuple):
    """A criterion: name, what it asks, who published it, and how it is judged from the reads of all libraries and the
    number of libraries that meet the others."""

    name: str
    asks: str
    source: str
    judge: Callable[[Pattern, int], Judged]


class Verdict(NamedTuple):
    """Verdict on a hairpin, what is lacking (None for nothing), and what each criterion says."""

    verdict: str
    lacking: str | None
    judged: Sequence[tuple[Criterion, Judged]]


def judge(pattern: Pattern, criteria: Sequence[Criterion], n_libraries: int = 1) -> Verdict:
    """The verdict of a set of criteria.

    ``supported`` meets all; else ``not expressed`` has fewer than ``ENOUGH_READS``, ``contradicted`` has reads that
    speak against a miRNA, and ``expressed`` lacks something.

    Parameters
    ----------
    n_libraries
        Libraries whose reads alone meet the criteria that need no second library.
    """
    judged = [(each, each.judge(pattern, n_libraries)) for each in criteria]
    missed = [found for _, found in judged if not found.is_met]
    if not missed:
        return Verdict("supported", None, judged)
    if pattern.reads < ENOUGH_READS:
        return Verdict("not expressed", _few(pattern), judged)
    verdict = "contradicted" if any(found.is_against for found in missed) else "expressed"
    return Verdict(verdict, "; ".join(found.lacking for found in missed), judged)


def _n(reads: float) -> str:
    """Reads in words: those with several places count in parts."""
    return f"{reads:,.0f}" if reads >= ENOUGH_READS else f"{reads:.3g}"


def _few(pattern: Pattern) -> str:
    few = f"{_n(pattern.reads)} reads of {ENOUGH_READS}" if pattern.reads else "no read"
    return few if pattern.antisense < ENOUGH_READS else f"{few} (on the other strand there are {_n(pattern.antisense)})"


def _both_arms(pattern: Pattern, _: int) -> Judged:
    """Reads of the loop stand for those of the star, as in miRDeep: both tell where Dicer cut."""
    on_arms = [0.0 if arm is None else arm.of_mature_length for arm in (pattern.arm_5p, pattern.arm_3p)]
    figure = f"{_n(on_arms[0])} and {_n(on_arms[1])}"
    if min(on_arms) >= _TWICE:
        return Judged(True, figure)
    if max(on_arms) < _TWICE:
        return Judged(False, figure, True, "reads of 20 to 26 nt")
    if pattern.at_loop >= _TWICE:
        return Judged(True, f"{figure}, {_n(pattern.at_loop)} of the loop")
    missing = "5p" if on_arms[0] < _TWICE else "3p"
    return Judged(False, figure, False, f"two reads of 20 to 26 nt on the {missing} arm")


def _offset(pattern: Pattern, _: int) -> Judged:
    """Overhangs of the commonest sequences, or by reads of the loop; with miRBase's tolerance, as structures are
    predicted."""
    if pattern.duplex is None or not (pattern.has_star or pattern.at_loop >= _TWICE):
        return Judged(False, "", False, "the star, to see the overhangs of 2 nt")
    base, loop = pattern.duplex.overhang_base, pattern.duplex.overhang_loop
    figure = f"{base} and {loop} nt"
    if not pattern.has_star:
        return Judged(True, f"{loop} nt by the loop")
    is_met = 0 <= base <= 4 and 0 <= loop <= 4
    is_told = pattern.star_arm is not None and pattern.star_arm.at_start >= ENOUGH_READS
    return Judged(is_met, figure, is_told, "" if is_met else f"overhangs of 2 nt (they are {figure})")


def _homogeneity(pattern: Pattern, _: int) -> Judged:
    arm = pattern.mature_arm
    if arm is None:
        return Judged(False, "", False, "reads on an arm")
    figure = f"{arm.homogeneity:.0%}"
    is_met = arm.homogeneity >= 0.5
    return Judged(is_met, figure, True, "" if is_met else f"one 5' end (the commonest has {figure} of the arm's reads)")


def _pairs(pattern: Pattern, _: int) -> Judged:
    n_pairs = 0 if pattern.duplex is None else pattern.duplex.n_pairs
    is_met = n_pairs >= 16
    return Judged(is_met, str(n_pairs), False, "" if is_met else f"16 pairs between the arms (there are {n_pairs})")


def _loop(pattern: Pattern, _: int) -> Judged:
    if pattern.duplex is None:
        return Judged(False, "", False, "reads on an arm that pairs, to see the loop")
    loop = pattern.duplex.loop_nt
    return Judged(loop >= 8, f"{loop} nt", False, "" if loop >= 8 else f"8 nt between the arms (there are {loop})")


def _strand(pattern: Pattern, _: int) -> Judged:
    both = pattern.reads + pattern.antisense
    share = pattern.reads / both if both else 0.0
    figure = f"{share:.0%}"
    return Judged(
        share >= 0.8, figure, True, "" if share >= 0.8 else f"one strand ({figure} of the reads are on its own)"
    )


def _by_dicer(pattern: Pattern, _: int) -> Judged:
    figure = f"{pattern.by_dicer:.0%}"
    is_met = pattern.by_dicer >= 0.9
    lacking = "" if is_met else f"ends that Dicer makes (mature, star and loop are {figure} of the reads)"
    return Judged(is_met, figure, True, lacking)


def _star_read(pattern: Pattern, _: int) -> Judged:
    is_met = pattern.at_star >= 1
    return Judged(
        is_met, f"{_n(pattern.at_star)}", False, "" if is_met else "a read of the star, with overhangs of 2 nt"
    )


def _mismatches(pattern: Pattern, _: int) -> Judged:
    duplex = pattern.duplex
    if duplex is None:
        return Judged(False, "", False, "reads on an arm that pairs, to see the duplex")
    figure = f"{duplex.n_mismatched}, {duplex.n_bulged} in bulges"
    is_met = duplex.n_mismatched <= 5 and duplex.n_bulged <= 3
    return Judged(is_met, figure, False, "" if is_met else f"at most 5 mismatches, 3 in bulges (there are {figure})")


def _precision(pattern: Pattern, _: int) -> Judged:
    figure = f"{pattern.precise:.0%}"
    is_met = pattern.precise >= 0.75
    return Judged(is_met, figure, True, "" if is_met else f"precise ends (mature and star are {figure} of the reads)")


def _mature_length(pattern: Pattern, _: int) -> Judged:
    arm = pattern.mature_arm
    if arm is None:
        return Judged(False, "", False, "reads on an arm")
    length = arm.end - arm.start
    is_met = 20 <= length <= 22
    is_against = not 20 <= length <= 24
    return Judged(
        is_met, f"{length} nt", is_against, "" if is_met else f"a mature sequence of 20 to 22 nt (it has {length})"
    )


def _replicated(pattern: Pattern, n_libraries: int) -> Judged:
    is_met = n_libraries >= 2
    return Judged(is_met, str(n_libraries), False, "" if is_met else f"two libraries that say so ({n_libraries} does)")


CRITERIA: dict[str, tuple[Criterion, ...]] = {
    "animal": (
        Criterion(
            "both arms", "two reads of 20 to 26 nt on each arm, or of the loop", f"{_FROMM}; {_MIRDEEP}", _both_arms
        ),
        Criterion("offset", "3' overhangs of 2 nt at both ends, from 0 to 4", f"{_FROMM}; {_MIRBASE}", _offset),
        Criterion(
            "5' homogeneity", "half of the mature arm's reads have one 5' end", f"{_FROMM}; {_MIRBASE}", _homogeneity
        ),
        Criterion("pairs", "at least 16 pairs between the arms", _FROMM, _pairs),
        Criterion("loop", "at least 8 nt between the arms", _FROMM, _loop),
        Criterion("products of Dicer", "mature, star and loop are 90 % of the reads", _MIRDEEP, _by_dicer),
    ),
    "plant": (
        Criterion("star", "a read of the star, with 3' overhangs of 2 nt", _AXTELL, _star_read),
        Criterion("mismatches", "at most 5 in the duplex, at most 3 of them in bulges", _AXTELL, _mismatches),
        Criterion("precision", "mature and star, ends within 1 nt, are 75 % of the reads", _AXTELL, _precision),
        Criterion("length", "a mature sequence of 20 to 22 nt", _AXTELL, _mature_length),
        Criterion("one strand", "at least 80 % of the reads on its strand", _SHORTSTACK, _strand),
        Criterion("replication", "two libraries that meet all this", _AXTELL, _replicated),
    ),
}
"""Sets of criteria by name; the last one of plants needs libraries that meet the others."""
