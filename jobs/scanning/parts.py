"""Which parts of its genomes a scan reads: regions, contigs by name or pattern, contigs of some length."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.results.names import did_you_mean, some
from mirsweep.jobs.results.regions import Region, read_bed, resolve_region
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome
from mirsweep.scanner.tiles import Tile

__all__ = ["Parts", "Wanted", "choose_parts"]

_SUMS = ("n_contigs", "n_intervals", "n_bases")
_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True)
class Wanted:
    """What was asked for; see :func:`mirsweep.jobs.scan`.

    Attributes
    ----------
    regions
        Each ``chr:start-end`` (1-based closed), or the path of a BED file; none: the whole contigs.
    contigs, exclude_contigs
        Names or patterns; none: all contigs, and no contig.
    min_contig
        Shortest contig, nt.
    """

    regions: tuple[str | os.PathLike, ...] = ()
    contigs: tuple[str, ...] = ()
    exclude_contigs: tuple[str, ...] = ()
    min_contig: int = 0

    def __post_init__(self) -> None:
        if self.min_contig < 0:
            raise InputError(f"contigs of {self.min_contig} nt and more are all: give --min-contig 0 or more.")
        for what, names in (("--contig", self.contigs), ("--exclude-contig", self.exclude_contigs)):
            if not all(names):
                raise InputError(f"{what} is empty: give a contig's name or a pattern such as 'chrUn_*'.")

    @property
    def is_all(self) -> bool:
        """Whether nothing was asked for in particular."""
        return self == Wanted()


class Parts(NamedTuple):
    """Intervals of contigs, by genome and contig: in order, apart from each other, 0-based half-open."""

    intervals: dict[tuple[str, str], tuple[Tile, ...]]

    @property
    def n_bases(self) -> int:
        """Bases in all intervals, nt."""
        return sum(tile.end - tile.start for tiles in self.intervals.values() for tile in tiles)

    def fact(self) -> str:
        """The parts in words, with a digest that tells one choice from another."""
        n_intervals = sum(map(len, self.intervals.values()))
        digest = hashlib.sha256(json.dumps(list(self.intervals.items())).encode()).hexdigest()
        return f"{self.n_bases} nt, intervals {n_intervals}, contigs {len(self.intervals)} (digest {digest[:12]})"

    def by_genome(self) -> dict[str, dict[str, int]]:
        """How much of each genome is scanned, for run.json."""
        sums: dict[str, list[int]] = {}
        for (genome, _), tiles in self.intervals.items():
            own = sums.setdefault(genome, [0, 0, 0])
            own[:] = own[0] + 1, own[1] + len(tiles), own[2] + sum(tile.end - tile.start for tile in tiles)
        return {genome: dict(zip(_SUMS, own, strict=True)) for genome, own in sums.items()}


def choose_parts(genomes: Sequence[Genome], wanted: Wanted) -> Parts | None:
    """What of the genomes is scanned; None for all of it. Warns of what is asked for and is not there.

    Regions that overlap or touch are merged. Names, patterns and length choose contigs, regions parts of them.

    Raises
    ------
    InputError
        If a name or region is of no contig, a BED file is bad, or nothing is left.
    """
    if wanted.is_all:
        return None
    lengths: dict[str, int] = {}
    for contig in (contig for genome in genomes for contig in genome.contigs):
        lengths[contig.name] = max(contig.length, lengths.get(contig.name, 0))
    left = _named(lengths, wanted)
    regions = list(_regions(lengths, wanted.regions)) if wanted.regions else [Region(name) for name in lengths]
    outside = {region.contig for region in regions} - left
    if wanted.regions and outside:
        warn(f"regions of {some(sorted(outside))} are not scanned: the choice of contigs leaves these out.")
    by_contig: dict[str, list[Region]] = {}
    for region in regions:
        if region.contig in left:
            by_contig.setdefault(region.contig, []).append(region)
    intervals = {
        (genome.name, contig.name): tiles
        for genome in genomes
        for contig in genome.contigs
        if contig.length >= wanted.min_contig
        if (tiles := _merged(by_contig.get(contig.name, ()), contig.length))
    }
    if not intervals:
        raise InputError("nothing of the genome is left to scan: widen the regions, or the choice of contigs.")
    parts = Parts(intervals)
    n_bases = sum(contig.length for genome in genomes for contig in genome.contigs)
    return parts if parts.n_bases < n_bases else None


def _named(lengths: dict[str, int], wanted: Wanted) -> set[str]:
    """Contigs that names, patterns and length leave."""
    left = set(_matching(wanted.contigs, lengths, "--contig")) if wanted.contigs else set(lengths)
    left -= set(_matching(wanted.exclude_contigs, lengths, "--exclude-contig"))
    if not left:
        raise InputError("no contig is left to scan: --exclude-contig leaves out all; name fewer.")
    longest = max(lengths[name] for name in left)
    if longest < wanted.min_contig:
        raise InputError(
            f"no contig is left to scan: the longest has {longest} nt, fewer than --min-contig {wanted.min_contig}."
        )
    return {name for name in left if lengths[name] >= wanted.min_contig}


def _matching(patterns: Iterable[str], lengths: dict[str, int], option: str) -> Iterator[str]:
    """Contigs of the names and patterns; a contig whose name holds a wildcard is first of all a contig."""
    for pattern in patterns:
        if pattern in lengths:
            yield pattern
            continue
        if not _WILDCARDS.intersection(pattern):
            raise InputError(f"{option}: the genome has no contig {pattern!r}: {did_you_mean(pattern, lengths)}")
        found = [name for name in lengths if fnmatchcase(name, pattern)]
        if not found and option == "--contig":
            raise InputError(f"{option}: no contig of the genome matches {pattern!r}: {did_you_mean(pattern, lengths)}")
        if not found:
            warn(f"{option}: no contig of the genome matches {pattern!r}.")
        yield from found


def _regions(lengths: dict[str, int], asked: Iterable[str | os.PathLike]) -> Iterator[Region]:
    """Regions of contigs that exist; what of them lies beyond a contig's end is told."""
    for each in asked:
        if not isinstance(each, str):
            yield from _of_bed(Path(each), lengths)
            continue
        region = resolve_region(each, lengths, where="the genome")
        length = lengths[region.contig]
        if region.start >= length:
            warn(f"region {each!r} lies beyond the end of its contig, which has {length} nt: nothing is scanned there.")
        elif region.end is not None and region.end > length:
            warn(f"region {each!r} ends beyond its contig, which has {length} nt: it is scanned to the contig's end.")
        yield region


def _of_bed(path: Path, lengths: dict[str, int]) -> list[Region]:
    regions = read_bed(path)
    absent = {region.contig: None for region in regions if region.contig not in lengths}
    known = [region for region in regions if region.contig not in absent]
    if not known:
        meant = did_you_mean(next(iter(absent)), lengths)
        raise InputError(f"{path}: none of its contigs ({some(sorted(absent))}) is in the genome: {meant}")
    n_beyond = sum(region.end > lengths[region.contig] for region in known if region.end is not None)
    for n, what in (
        (len(regions) - len(known), f"are on no contig of the genome ({some(sorted(absent))})"),
        (n_beyond, "go beyond the end of their contig"),
    ):
        if n:
            warn(f"{path}: {n} of {len(regions)} intervals {what}: nothing is scanned there.")
    return known


def _merged(regions: Iterable[Region], length: int) -> tuple[Tile, ...]:
    """Regions of a contig as intervals in order; those that overlap or touch are one."""
    merged: list[Tile] = []
    for start, end in sorted((r.start, length if r.end is None else min(r.end, length)) for r in regions):
        if merged and start <= merged[-1].end:
            merged[-1] = Tile(merged[-1].start, max(merged[-1].end, end))
        elif start < end:
            merged.append(Tile(start, end))
    return tuple(merged)
