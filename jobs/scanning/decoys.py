"""Decoys: the genome itself read backwards, in which whatever a scan finds is found by mistake.

A genome that is reversed but not complemented keeps its composition, repeats and inverted repeats, and holds no miRNA.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from itertools import accumulate

from mirsweep.jobs.results.layout import DECOYS
from mirsweep.jobs.scanning.in_process import Executor
from mirsweep.jobs.scanning.parts import Parts
from mirsweep.jobs.scanning.run import Run
from mirsweep.jobs.scanning.shards import GenomeKey, RunKey, make_shards
from mirsweep.jobs.scanning.store import Failure, Store, holds_run
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome
from mirsweep.scanner.tiles import Tile

__all__ = ["MOST_MB", "Reversed", "choose_decoys", "decoy_mb", "scan_decoys"]

MOST_MB = 50.0
"""Most decoys of a scan, Mb, by default: at one false locus per Mb they tell its rate within 25 % or so."""
_STRETCH_NT = 1_000_000


class Reversed(Genome):
    """A view of an open genome in which each contig is read backwards: position p is position length - 1 - p.

    Parameters
    ----------
    genome
        An open genome; it stays the owner of its file.
    """

    def __init__(self, genome: Genome):
        self._genome = genome
        self.name, self.path, self.contigs = genome.name, genome.path, genome.contigs
        self._lengths = {contig.name: contig.length for contig in genome.contigs}

    def fetch(self, contig: str, start: int, end: int) -> bytes:
        """ASCII letters [start, end) of the contig read backwards; see :meth:`mirsweep.scanner.fasta.Genome.fetch`."""
        length = self._lengths.get(contig, 0)
        return self._genome.fetch(contig, length - end, length - start)[::-1]

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) that follows from the genome's own."""
        return hashlib.sha256(f"{self._genome.digest} reversed".encode()).hexdigest()

    def close(self) -> None:
        """Do nothing: the genome closes its file."""


def decoy_mb(asked: str | float) -> float | None:
    """Most decoys, Mb, of what was asked for: ``"auto"``, ``"none"`` or a number; None for none.

    Raises
    ------
    InputError
        If it is something else.

    >>> decoy_mb("auto"), decoy_mb("none"), decoy_mb("2.5")
    (50.0, None, 2.5)
    """
    if asked in ("auto", "none"):
        return MOST_MB if asked == "auto" else None
    try:
        most_mb = float(asked)
    except (TypeError, ValueError):
        most_mb = math.nan
    if not (math.isfinite(most_mb) and most_mb * 1e6 >= 1):
        raise InputError(f"decoys {asked!r} are no choice: give --decoys auto, none, or how many Mb at most.")
    return most_mb


def scan_decoys(
    store: Store,
    key: RunKey,
    genomes: Sequence[Genome],
    parts: Parts | None,
    most_mb: float | None,
    get_executor: Callable[[], Executor],
    *,
    weights: str,
    began: float,
    quiet: bool,
    kernels: Sequence[str] = (),
) -> tuple[Failure, ...]:
    """Scan decoys beside a scan, into a folder within its output; goes on where that was interrupted.

    Decoys of another choice are replaced. The scan itself no longer counts as complete once its decoys change.

    Parameters
    ----------
    store, key, genomes, parts
        Those of the scan.
    most_mb
        Most decoys, Mb; None for no decoys.
    get_executor, weights, began, quiet, kernels
        See :class:`mirsweep.jobs.scanning.run.Run`.

    Returns
    -------
    The shards of decoys that failed for good.
    """
    place = store.path / DECOYS
    if most_mb is None:
        if place.exists():
            _drop(store)
        return ()
    decoys, chosen = [Reversed(genome) for genome in genomes], choose_decoys(genomes, parts, most_mb)
    own = _key_of(decoys, chosen, key)
    if place.exists() and not holds_run(place, own):
        _drop(store)
    shards = make_shards(decoys, own, chosen)
    with closing(Store(place, own, shards, store.contigs)) as inner:
        if inner.is_complete:
            return ()
        store.reopen()
        run = Run(
            inner,
            own,
            decoys,
            shards,
            weights=weights,
            began=began,
            quiet=quiet,
            parts=chosen,
            kernels=kernels,
            is_decoys=True,
        )
        report = run.work_off(get_executor)
    return tuple(failure._replace(reason=f"{failure.reason} (decoys)") for failure in report.failures)


def _drop(store: Store) -> None:
    """Remove the decoys, and before that what says that the scan is complete."""
    store.reopen()
    store.remove_decoys()


def _key_of(decoys: Sequence[Reversed], parts: Parts | None, key: RunKey) -> RunKey:
    """What the rows of the decoys depend on."""
    genomes = tuple(GenomeKey(genome.name, genome.digest) for genome in decoys)
    return replace(key, genomes=genomes, parts=parts.fact() if parts else None)


def choose_decoys(genomes: Sequence[Genome], parts: Parts | None, most_mb: float = MOST_MB) -> Parts | None:
    """Which parts of the reversed genomes are scanned.

    Parameters
    ----------
    genomes
        The genomes as they are, in the order of the scan.
    parts
        What of them is scanned; None for all.
    most_mb
        Most decoys, Mb, positive.

    Returns
    -------
    The mirror image of what is scanned, None for all, where that is not too much; else of stretches of about 1 Mb at
    equal distances in it (fewer bases where they run over the ends of contigs, never more). Always the same.
    """
    lengths = {(genome.name, contig.name): contig.length for genome in genomes for contig in genome.contigs}
    whole = {place: (Tile(0, length),) for place, length in lengths.items() if length}
    scanned = Parts(whole) if parts is None else parts
    most = int(most_mb * 1e6)
    if scanned.n_bases > most:
        scanned = Parts(_spread(scanned, most))
    elif parts is None:
        return None
    return Parts({place: _mirrored(tiles, lengths[place]) for place, tiles in scanned.intervals.items()})


def _spread(scanned: Parts, most: int) -> dict[tuple[str, str], tuple[Tile, ...]]:
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
