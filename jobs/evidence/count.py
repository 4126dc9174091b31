"""Counting reads on loci: only the indexed intervals of a file are read, and little more than one is held."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mirsweep.jobs.evidence.alignments import LONGEST_READ, UNCOUNTED, Source, opened, weigher

__all__ = ["Place", "Spans", "count_reads", "pooled"]

Key = tuple[int, int, bool]
Spans = dict[Key, float]
"""Reads by (start, end, is_sense): where they lie within the hairpin, 0-based half-open, from its own 5' end."""


class Place(NamedTuple):
    """Where a hairpin lies, 0-based half-open, and on which genome."""

    contig: str
    start: int
    end: int
    strand: str
    genome: str = ""


def count_reads(source: Source, places: Sequence[Place]) -> list[Spans]:
    """Reads on each hairpin, by their ends.

    Reads that lie across an end of it come with what they reach beyond: a start below 0, or an end above its length.

    Parameters
    ----------
    places
        By contig and start; those that overlap are read together.

    Returns
    -------
    One a place, empty where there is no read.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    found: list[Spans] = [{} for _ in places]
    with opened(source.path, source.reference) as file:
        weigh, there = weigher(source), frozenset(file.references)
        for first, last, start, end in _overlapping(places):
            contig = places[first].contig
            numbers = [number for number in range(first, last) if source.library.is_of(places[number].genome)]
            if contig not in there or not numbers:
                continue
            reads: dict[Key, float] = {}
            for read in file.fetch(contig, start, end):
                flag = read.flag
                if not flag & UNCOUNTED:
                    key = (read.reference_start, read.reference_end or 0, flag & 16 == 0)
                    reads[key] = reads.get(key, 0.0) + weigh(read)
            ordered = sorted((key, n) for key, n in reads.items() if key[1] - key[0] <= LONGEST_READ)
            for number in numbers if ordered else ():
                found[number] = _on(places[number], ordered)
    return found


def _overlapping(places: Sequence[Place]) -> Iterator[tuple[int, int, int, int]]:
    """First and last place (half-open) and start and end of each stretch that places cover without a gap."""
    first = 0
    while first < len(places):
        contig, start, end, *_ = places[first]
        last = first + 1
        while last < len(places) and places[last].contig == contig and places[last].start <= end:
            end = max(end, places[last].end)
            last += 1
        yield first, last, start, end
        first = last


def _on(place: Place, ordered: Sequence[tuple[Key, float]]) -> Spans:
    """The reads that touch a hairpin, as it sees them; they come by start."""
    found: Spans = {}
    low = bisect_left(ordered, place.start - LONGEST_READ, key=lambda read: read[0][0])
    high = bisect_left(ordered, place.end, key=lambda read: read[0][0])
    for (start, end, is_forward), n_reads in ordered[low:high]:
        if end > place.start:
            if place.strand == "-":
                found[place.end - end, place.end - start, not is_forward] = n_reads
            else:
                found[start - place.start, end - place.start, is_forward] = n_reads
    return found


def pooled(counted: Sequence[Spans]) -> Spans:
    """The reads of several libraries together."""
    found: Spans = {}
    for spans in counted:
        for key, n_reads in spans.items():
            found[key] = found.get(key, 0.0) + n_reads
    return dict(sorted(found.items()))
