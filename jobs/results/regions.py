"""Regions of a genome: as samtools and genome browsers write them, and as BED files hold them."""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from mirsweep.jobs.results.known import LARGEST, read_lines
from mirsweep.jobs.results.names import did_you_mean
from mirsweep.scanner.errors import InputError

__all__ = ["LARGEST", "Region", "parse_region", "read_bed", "resolve_region"]


class Region(NamedTuple):
    """A contig or an interval of it, 0-based half-open; ``end`` is None for its last base."""

    contig: str
    start: int = 0
    end: int | None = None


def parse_region(text: str) -> Region:
    """Region of ``chr``, ``chr:start``, ``chr:start-`` or ``chr:start-end`` (1-based closed, commas allowed).

    Braces around the contig say where its name ends, as samtools has it.

    >>> parse_region("chrX:1,001-2,000")
    Region(contig='chrX', start=1000, end=2000)
    >>> parse_region("{HLA-A*01:01}")
    Region(contig='HLA-A*01:01', start=0, end=None)

    Raises
    ------
    InputError
        If the text is empty, or the interval is empty, starts before 1 or ends beyond 2^63.
    """
    if not text:
        raise InputError("a region is empty: write chr, or chr:start-end.")
    found = re.fullmatch(r"(\{.+\}|.+):([\d,]+)(-([\d,]*))?", text)
    if not found:
        return Region(_without_braces(text))
    contig, *numbers = found.group(1, 2, 4)
    first, last = (int("0" + (number or "").replace(",", "")[:20]) for number in numbers)
    if max(first, last) > LARGEST:
        raise InputError(f"region {text!r} lies beyond any contig: write chr:start-end with numbers below 2^63.")
    if first < 1 or (found[4] and last < first):
        raise InputError(f"region {text!r} is empty: write chr:start-end with 1 <= start <= end.")
    return Region(_without_braces(contig), first - 1, last if found[4] else None)


def _without_braces(contig: str) -> str:
    return contig[1:-1] if len(contig) > 2 and contig[0] == "{" and contig[-1] == "}" else contig


def resolve_region(text: str, contigs: Collection[str], *, where: str) -> Region:
    """Region of a contig that exists; a contig whose name looks like an interval is taken as a contig.

    Parameters
    ----------
    text
        As :func:`parse_region` takes it.
    contigs
        Names of the contigs that there are.
    where
        What has these contigs, for the error's sentence.

    Raises
    ------
    InputError
        If there is no such contig, or the interval is none.
    """
    region = Region(text) if text in contigs else parse_region(text)
    if region.contig not in contigs:
        raise InputError(f"{where} has no contig {region.contig!r}: {did_you_mean(region.contig, contigs)}")
    return region


def read_bed(path: str | os.PathLike) -> list[Region]:
    """Intervals of a BED file, plain or gzip, in the order of the file; columns from the fourth on are ignored.

    Raises
    ------
    InputError
        If the file cannot be read, holds no interval, or a line is malformed.
    """
    path = Path(path)
    regions = []
    for line in read_lines(path):
        fields = line.fields if len(line.fields) > 1 else line.fields[0].split()
        if len(fields) < 3 or not all(re.fullmatch(r"[0-9]+", text) for text in fields[1:3]):
            raise line.wrong("is no BED: it needs a contig, a start and an end, by tabs")
        start, end = int(fields[1][:20]), int(fields[2][:20])
        if not start < end <= LARGEST:
            interval = f"{fields[1][:30]} to {fields[2][:30]} (0-based half-open)"
            raise line.wrong(f"has an empty or too long interval, {interval}")
        regions.append(Region(fields[0], start, end))
    if not regions:
        raise InputError(f"{path}: holds no interval; give a BED file with at least one.")
    return regions
