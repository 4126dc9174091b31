"""What the reads on a hairpin look like: which arm they lie on, how precise their ends are, how both arms pair."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from mirsweep.jobs.evidence.count import Spans
from mirsweep.scanner.plane import paired_with

__all__ = ["MATURE_NT", "NOTHING", "SEEN", "ArmReads", "Duplex", "Pattern", "Shape", "pattern_of"]

MATURE_NT = (20, 26)
"""Shortest and longest mature sequence of animals (Fromm et al. 2015), nt."""
_ACROSS_LOOP = 4
"""A read that reaches so far beyond the middle of the terminal loop on both sides is of the loop, nt."""
_OVERHANG = 2
"""Dicer and Drosha leave so many nt unpaired at 3' ends."""
SEEN = 2
"""A sequence whose 5' end has fewer reads is not seen: one stray read among many is no star."""
_DICER_START, _DICER_END = 2, 5
"""A read that begins and ends so near to where the mature sequence, the star or the loop does is a product of Dicer;
the allowances are miRDeep's (Friedländer et al. 2008), nt."""
_LOOP_ENDS = 2
"""A read of the loop that Dicer cut out begins and ends where the sequences of the arms do, nt."""
_VARIANT = 1
"""Ends that differ by so much are variants of a mature or star sequence (Axtell and Meyers 2018), nt."""


class Shape(NamedTuple):
    """A hairpin as reads meet it.

    Attributes
    ----------
    length
        nt.
    partners
        Of each base the one that it pairs with, -1 for none; int64, shape (n,).
    loop
        Terminal loop, 0-based half-open.
    """

    length: int
    partners: np.ndarray
    loop: tuple[int, int]

    @classmethod
    def of(cls, structure: str, loop_start: int, loop_end: int) -> "Shape":
        """The shape of a dot-bracket string."""
        return cls(len(structure), paired_with(structure), (loop_start, loop_end))

    def opposite(self, base: int) -> int | None:
        """The base across: its partner, or where that would be by the nearest pair; None if there is no pair."""
        paired = np.flatnonzero(self.partners >= 0)
        if not len(paired):
            return None
        nearest = int(paired[np.argmin(np.abs(paired - base))])
        return int(self.partners[nearest]) + nearest - base


class ArmReads(NamedTuple):
    """The commonest sequence of an arm.

    Attributes
    ----------
    start, end
        Within the hairpin, 0-based half-open: the commonest 5' end, and of the reads that have it the commonest 3' end.
    reads
        Reads with both these ends.
    at_start
        Reads with this 5' end.
    homogeneity
        Share of the arm's reads that have the 5' end.
    of_mature_length
        Reads of the arm of 20 to 26 nt.
    """

    start: int
    end: int
    reads: float
    at_start: float
    homogeneity: float
    of_mature_length: float

    @property
    def is_seen(self) -> bool:
        """Whether its 5' end has two reads."""
        return self.at_start >= SEEN


class Duplex(NamedTuple):
    """How the mature and the star sequence pair.

    Attributes
    ----------
    overhang_base, overhang_loop
        nt that the 3' end reaches beyond the 5' end across, at the base of the hairpin (Drosha) and at its loop
        (Dicer).
    n_pairs
        Pairs between the two.
    n_mismatched, n_bulged
        Bases without a pair, those of the longer side of each gap, and how many of them are in asymmetric bulges.
    loop_nt
        From one to the other.
    """

    overhang_base: int
    overhang_loop: int
    n_pairs: int
    n_mismatched: int
    n_bulged: int
    loop_nt: int


class Pattern(NamedTuple):
    """The reads on a hairpin.

    Attributes
    ----------
    reads
        On it, within its ends and on its strand; those of the two arms and of the loop are the parts.
    antisense
        Within its ends, on the other strand.
    across
        On its strand, across one of its ends.
    arm_5p, arm_3p
        None for an arm without a read.
    mature
        ``5p`` or ``3p``, the arm with more reads; None without a read on either.
    star
        Where the star should be, two nt shifted; None if the mature sequence has no pair.
    at_star, at_loop
        Reads there, ends within 1 nt; reads of what lies between it and the mature sequence, ends within 2 nt.
    duplex
        Of the commonest sequences of both arms, or, where that of the other arm is not seen, of the mature one and
        where the star should be; None if there is no place for one.
    precise
        Share of the reads that are the mature sequence or the star, ends within 1 nt.
    by_dicer
        Share of the reads that begin and end about where the mature sequence, the star or the loop does.
    lengths
        Reads by their length, nt.
    """

    reads: float
    on_5p: float
    on_3p: float
    on_loop: float
    antisense: float
    across: float
    arm_5p: ArmReads | None
    arm_3p: ArmReads | None
    mature: str | None
    star: tuple[int, int] | None
    at_star: float
    at_loop: float
    duplex: Duplex | None
    precise: float
    by_dicer: float
    lengths: dict[int, float]

    @property
    def mature_arm(self) -> ArmReads | None:
        """The commonest sequence of the mature arm."""
        return self.arm_5p if self.mature == "5p" else self.arm_3p

    @property
    def star_arm(self) -> ArmReads | None:
        """The commonest sequence of the other arm."""
        return self.arm_3p if self.mature == "5p" else self.arm_5p

    @property
    def has_star(self) -> bool:
        """Whether the other arm has a sequence that is seen."""
        return self.star_arm is not None and self.star_arm.is_seen


NOTHING = Pattern(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, None, None, None, None, 0.0, 0.0, None, 0.0, 0.0, {})
"""Of a hairpin without reads."""


def pattern_of(shape: Shape, spans: Spans) -> Pattern:
    """What the reads on a hairpin look like."""
    if not spans:
        return NOTHING
    within = {key: n for key, n in spans.items() if key[0] >= 0 and key[1] <= shape.length}
    sense = {(start, end): n for (start, end, is_sense), n in sorted(within.items()) if is_sense}
    across = sum(n for key, n in spans.items() if key[2] and key not in within)
    antisense = sum(n for key, n in within.items() if not key[2])
    sides: dict[str, dict[tuple[int, int], float]] = {"5p": {}, "3p": {}, "loop": {}}
    for span, n in sense.items():
        sides[_side(shape, *span)][span] = n
    arm_5p, arm_3p = _commonest(sides["5p"]), _commonest(sides["3p"])
    on_5p, on_3p, on_loop = (sum(reads.values()) for reads in sides.values())
    mature = None if arm_5p is arm_3p else ("5p" if on_5p >= on_3p else "3p")
    chosen, other = (arm_5p, arm_3p) if mature == "5p" else (arm_3p, arm_5p)
    star = None if chosen is None else _expected_star(shape, chosen)
    duplex = None
    products: list[tuple[int, int]] = []
    if chosen is not None:
        partner = (other.start, other.end) if other is not None and other.is_seen else star
        duplex = _duplex(shape, (chosen.start, chosen.end), partner)
        products = _products((chosen.start, chosen.end), partner)
    loops = [] if chosen is None or star is None else _products((chosen.start, chosen.end), star)[2:]
    total = sum(sense.values())
    at_star = _near(sense, star)
    at_mature = _near(sense, None if chosen is None else (chosen.start, chosen.end))
    lengths: dict[int, float] = {}
    for (start, end), n in sense.items():
        lengths[end - start] = lengths.get(end - start, 0.0) + n
    return Pattern(
        reads=total,
        on_5p=on_5p,
        on_3p=on_3p,
        on_loop=on_loop,
        antisense=antisense,
        across=across,
        arm_5p=arm_5p,
        arm_3p=arm_3p,
        mature=mature,
        star=star,
        at_star=at_star,
        at_loop=sum(_near(sense, loop, _LOOP_ENDS) for loop in loops),
        duplex=duplex,
        precise=min(1.0, (at_mature + at_star) / total) if total else 0.0,
        by_dicer=_by_dicer(sense, products) / total if total else 0.0,
        lengths=lengths,
    )


def _side(shape: Shape, start: int, end: int) -> str:
    middle = (shape.loop[0] + shape.loop[1]) / 2
    if start <= middle - _ACROSS_LOOP and end >= middle + _ACROSS_LOOP:
        return "loop"
    return "5p" if (start + end) / 2 < middle else "3p"


def _commonest(reads: dict[tuple[int, int], float]) -> ArmReads | None:
    """The commonest sequence; of equal ones the first, and the longer one."""
    if not reads:
        return None
    starts: dict[int, float] = {}
    for (start, _), n in reads.items():
        starts[start] = starts.get(start, 0.0) + n
    first = min(starts, key=lambda start: (-starts[start], start))
    end = min((span[1] for span in reads if span[0] == first), key=lambda end: (-reads[first, end], -end))
    shortest, longest = MATURE_NT
    fitting = sum(n for (start, last), n in reads.items() if shortest <= last - start <= longest)
    return ArmReads(first, end, reads[first, end], starts[first], starts[first] / sum(starts.values()), fitting)


def _expected_star(shape: Shape, mature: ArmReads) -> tuple[int, int] | None:
    """What pairs with the mature sequence, shifted by an overhang of 2 nt at both ends."""
    start, end = shape.opposite(mature.end - 1 - _OVERHANG), shape.opposite(mature.start)
    if start is None or end is None:
        return None
    end += 1 + _OVERHANG
    return (start, end) if start < end else None


def _products(mature: tuple[int, int], star: tuple[int, int] | None) -> list[tuple[int, int]]:
    """The mature sequence, and, as far as there is place for them, the star and the loop between both."""
    if star is None:
        return [mature]
    first, second = sorted((mature, star))
    return [mature, star, *([(first[1], second[0])] if first[1] < second[0] else [])]


def _by_dicer(reads: dict[tuple[int, int], float], products: Sequence[tuple[int, int]]) -> float:
    """Reads that are one of the products."""
    return sum(
        n
        for (start, end), n in reads.items()
        if any(abs(start - first) <= _DICER_START and abs(end - last) <= _DICER_END for first, last in products)
    )


def _near(reads: dict[tuple[int, int], float], span: tuple[int, int] | None, most: int = _VARIANT) -> float:
    """Reads whose ends are those of a span, within some nt."""
    if span is None:
        return 0.0
    return sum(n for (start, end), n in reads.items() if max(abs(start - span[0]), abs(end - span[1])) <= most)


def _duplex(shape: Shape, one: tuple[int, int], other: tuple[int, int] | None) -> Duplex | None:
    if other is None:
        return None
    (start_5p, end_5p), (start_3p, end_3p) = sorted((one, other))
    across_base, across_loop = shape.opposite(start_5p), shape.opposite(start_3p)
    if across_base is None or across_loop is None:
        return None
    inside = range(max(start_5p, 0), min(end_5p, shape.length))
    pairs = [(base, int(shape.partners[base])) for base in inside if start_3p <= shape.partners[base] < end_3p]
    mismatched, bulged = _gaps(pairs, (start_5p, end_5p - _OVERHANG), (start_3p, end_3p - _OVERHANG))
    return Duplex(
        overhang_base=end_3p - 1 - across_base,
        overhang_loop=end_5p - 1 - across_loop,
        n_pairs=len(pairs),
        n_mismatched=mismatched,
        n_bulged=bulged,
        loop_nt=start_3p - end_5p,
    )


def _gaps(pairs: Iterable[tuple[int, int]], left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    """Mismatched bases between two sequences without their overhangs, and those of them in asymmetric bulges."""
    mismatched = bulged = 0
    before = (left[0] - 1, right[1])
    for pair in [*pairs, (left[1], right[0] - 1)]:
        gap_left, gap_right = pair[0] - before[0] - 1, before[1] - pair[1] - 1
        if gap_left >= 0 and gap_right >= 0:
            mismatched += max(gap_left, gap_right)
            bulged += abs(gap_left - gap_right)
        before = pair
    return mismatched, bulged
