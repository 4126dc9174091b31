"""Decoys: the genome itself read backwards, in which whatever a scan finds is found by mistake.

A genome that is reversed but not complemented keeps its composition, repeats and inverted repeats, and holds no miRNA.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import accumulate
from typing import Any

from mirsweep.jobs.results.layout import DECOYS
from mirsweep.jobs.scanning.in_process import Executor
from mirsweep.jobs.scanning.isolate import Failure
from mirsweep.jobs.scanning.parts import Parts
from mirsweep.jobs.scanning.run import Run
from mirsweep.jobs.scanning.shards import GenomeKey, RunKey, make_shards
from mirsweep.jobs.scanning.store import Store, holds_run
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome
from mirsweep.scanner.reversed import Reversed
from mirsweep.scanner.tiles import Tile

__all__ = ["MOST_NT", "Decoys", "choose_decoys", "decoy_nt", "spread"]

MOST_NT = 50_000_000
"""Most decoys of a scan, nt, by default: at one false locus per Mb they tell its rate within 25 % or so."""
_STRETCH_NT = 1_000_000


def decoy_nt(asked: str | int) -> int | None:
    """Most decoys, nt, of what was asked for, a number or ``"none"``; None for none.

    Raises
    ------
    InputError
        If it is something else.

    >>> decoy_nt("none"), decoy_nt("2500000")
    (None, 2500000)
    """
    if asked == "none":
        return None
    try:
        most = int(asked)
    except ValueError:
        most = 0
    if most < 1:
        raise InputError(f"decoys {asked!r} are no choice: give --decoys none, or how many nt at most.")
    return most


class Decoys:
    """The decoys of a scan, in a folder within its output; they are taken up where their scan was interrupted.

    Decoys of another choice are removed. The scan no longer counts as complete where decoys are missing, or too many.

    Parameters
    ----------
    store, key, genomes, parts
        Those of the scan.
    most_nt
        Most decoys, nt; None for no decoys.
    groups
        By genome the group that its decoys are for; one for all by default.
    """

    def __init__(
        self,
        store: Store,
        key: RunKey,
        genomes: Sequence[Genome],
        parts: Parts | None,
        most_nt: int | None,
        groups: Mapping[str, str] | None = None,
    ):
        self._place, self._mirror = store.path / DECOYS, store.mirror
        self._genomes = [Reversed(genome) for genome in genomes]
        self._is_wanted = most_nt is not None
        self._parts = choose_decoys(genomes, parts, most_nt, groups) if most_nt is not None else None
        contigs = store.contigs.whole()
        self._contigs = contigs.with_scanned(self._parts.intervals) if self._parts else contigs
        keys = tuple(GenomeKey(genome.name, genome.digest) for genome in self._genomes)
        self._key = replace(key, genomes=keys, parts=self._parts.fact() if self._parts else None)
        self._shards = make_shards(self._genomes, self._key, self._parts) if self._is_wanted else []
        if self._place.exists() and not (self._is_wanted and holds_run(self._place, self._key)):
            store.reopen()
            store.remove_decoys()
        if self._is_wanted and not self._is_complete():
            store.reopen()

    def scan(
        self, get_executor: Callable[[], Executor], *, model: Mapping[str, Any], quiet: bool
    ) -> tuple[Failure, ...]:
        """Scan what is left of the decoys, by the parameters of :class:`mirsweep.jobs.scanning.run.Run`.

        Returns
        -------
        The shards of decoys that failed for good.
        """
        if not self._is_wanted:
            return ()
        with closing(self._open()) as store:
            if store.is_complete:
                return ()
            run = Run(
                store,
                self._key,
                self._genomes,
                self._shards,
                model=model,
                began=time.perf_counter(),
                quiet=quiet,
                parts=self._parts,
                is_decoys=True,
            )
            failures = run.work_off(get_executor).failures
        return tuple(failure._replace(reason=f"{failure.reason} (decoys)") for failure in failures)

    def _is_complete(self) -> bool:
        if not self._place.exists():
            return False
        with closing(self._open()) as store:
            return store.is_complete

    def _open(self) -> Store:
        return Store(self._place, self._key, self._shards, self._contigs, is_within=True, mirror=self._mirror)


def choose_decoys(
    genomes: Sequence[Genome],
    parts: Parts | None,
    most_nt: int = MOST_NT,
    groups: Mapping[str, str] | None = None,
) -> Parts | None:
    """Which parts of the reversed genomes are scanned.

    Parameters
    ----------
    genomes
        The genomes as they are, in the order of the scan.
    parts
        What of them is scanned; None for all.
    most_nt
        Most decoys, nt, positive.
    groups
        By genome its group, each of which gets decoys in proportion to its bases; one for all by default.

    Returns
    -------
    The mirror image of what is scanned, None for all, where that is not too much; else of stretches of about 1 Mb at
    equal distances in it (fewer bases where they run over the ends of contigs, never more). Always the same.
    """
    lengths = {(genome.name, contig.name): contig.length for genome in genomes for contig in genome.contigs}
    everything = ((place, (Tile(0, length),)) for place, length in lengths.items() if length)
    scanned = Parts(dict(everything)) if parts is None else parts
    if scanned.n_bases > most_nt:
        scanned = _spread_by_group(scanned, most_nt, groups or {})
    elif parts is None:
        return None
    return Parts({place: _mirrored(tiles, lengths[place]) for place, tiles in scanned.intervals.items()})


def _spread_by_group(scanned: Parts, most: int, groups: Mapping[str, str]) -> Parts:
    by_group: dict[str, dict[tuple[str, str], tuple[Tile, ...]]] = {}
    for place, tiles in scanned.intervals.items():
        by_group.setdefault(groups.get(place[0], ""), {})[place] = tiles
    chosen: dict[tuple[str, str], tuple[Tile, ...]] = {}
    for own in map(Parts, by_group.values()):
        chosen |= spread(own, max(1, most * own.n_bases // scanned.n_bases))
    return Parts(chosen)


def spread(scanned: Parts, most: int) -> dict[tuple[str, str], tuple[Tile, ...]]:
    """Stretches of ``most`` bases in all at equal distances, as if all intervals lay end to end."""
    total = scanned.n_bases
    n_stretches = max(1, round(most / _STRETCH_NT))
    width = most // n_stretches
    firsts = [(2 * i + 1) * total // (2 * n_stretches) - width // 2 for i in range(n_stretches)]
    stretches = [Tile(first, first + width) for first in firsts]
    places = [(place, tile) for place, tiles in scanned.intervals.items() for tile in tiles]
    offsets = accumulate((tile.end - tile.start for _, tile in places), initial=0)
    chosen: dict[tuple[str, str], tuple[Tile, ...]] = {}
    for (place, tile), offset in zip(places, offsets, strict=False):
        for cut in _within(stretches, Tile(offset, offset + tile.end - tile.start)):
            shifted = Tile(cut.start - offset + tile.start, cut.end - offset + tile.start)
            chosen[place] = _joined(chosen.get(place, ()), shifted)
    return chosen


def _within(stretches: list[Tile], span: Tile) -> Iterator[Tile]:
    """What of the stretches lies within a span; those that end there are taken off the list."""
    while stretches and stretches[0].start < span.end:
        if stretches[0].end > span.start:
            yield Tile(max(stretches[0].start, span.start), min(stretches[0].end, span.end))
        if stretches[0].end > span.end:
            return
        stretches.pop(0)


def _joined(tiles: tuple[Tile, ...], following: Tile) -> tuple[Tile, ...]:
    """The tiles and one after them, as one with the last if they touch."""
    if tiles and tiles[-1].end == following.start:
        return (*tiles[:-1], Tile(tiles[-1].start, following.end))
    return (*tiles, following)


def _mirrored(tiles: Sequence[Tile], length: int) -> tuple[Tile, ...]:
    return tuple(Tile(length - tile.end, length - tile.start) for tile in reversed(tiles))
