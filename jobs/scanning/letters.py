"""The letters of a shard: read where it is worked off, if the genome's file is seen there, else by the driver."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mirsweep.jobs.scanning.shards import Piece, Shard
from mirsweep.scanner.excerpt import Excerpt, Span, read_excerpt
from mirsweep.scanner.fasta import Genome
from mirsweep.scanner.params import ScanParams
from mirsweep.scanner.scan import TileBases
from mirsweep.scanner.tiles import Tile, with_context

__all__ = ["Letters", "ShardTask", "Source", "Staging", "StoreStaging", "read_here"]


class ShardTask(NamedTuple):
    """What a worker is told of a shard: where its letters lie, not the letters.

    Attributes
    ----------
    excerpts
        By name its genomes, as far as the shard needs them.
    """

    shard: Shard
    params: ScanParams
    excerpts: Mapping[str, Excerpt]


class Letters(NamedTuple):
    """A shard's letters, piece after piece with the context that scanning needs, and the seconds that reading took."""

    tiles: tuple[TileBases, ...]
    seconds: float


class StoreStaging(NamedTuple):
    """Where workers leave parts in an object store.

    Attributes
    ----------
    address
        Of the output.
    within
        What the names of the scan's objects begin with there: a folder's name and a slash, or nothing.
    claim
        Token of the driver's claim.
    """

    address: str
    within: str
    claim: str


Staging = Path | StoreStaging
"""Where workers leave parts: a folder, or a place in an object store."""


@dataclass(frozen=True)
class Source:
    """Where a run's letters come from, and where its parts may go.

    Attributes
    ----------
    genomes
        By name, open.
    params
        What counts as a candidate.
    staging
        Where workers that see it leave the parts of finished shards; None: parts come back as bytes.
    """

    genomes: Mapping[str, Genome]
    params: ScanParams
    staging: Staging | None = None

    def task(self, shard: Shard) -> ShardTask:
        """The shard for a worker that may read it itself."""
        spans = _spans_by_genome(shard, self.params)
        excerpts = {name: self.genomes[name].excerpt(own) for name, own in spans.items()}
        return ShardTask(shard, self.params, excerpts)

    def read(self, shard: Shard) -> Letters:
        """Read a shard's letters.

        Raises
        ------
        InputError
            If a genome's file has changed, or is not as its index says.
        """
        began = time.perf_counter()
        spans = (_span(piece, self.params) for piece in shard.pieces)
        letters = (self.genomes[piece.genome].fetch(*span) for piece, span in zip(shard.pieces, spans, strict=True))
        tiles = tuple(_tiles(shard, letters, self.params))
        return Letters(tiles, time.perf_counter() - began)


def read_here(task: ShardTask) -> Letters | None:
    """Read a shard's letters as any process may; None if the files of its genomes are not seen here as they were."""
    began = time.perf_counter()
    found: dict[str, Iterator[bytes]] = {}
    for name, own in _spans_by_genome(task.shard, task.params).items():
        letters = read_excerpt(task.excerpts[name], own)
        if letters is None:
            return None
        found[name] = iter(letters)
    letters_in_order = (next(found[piece.genome]) for piece in task.shard.pieces)
    tiles = tuple(_tiles(task.shard, letters_in_order, task.params))
    return Letters(tiles, time.perf_counter() - began)


def _spans_by_genome(shard: Shard, params: ScanParams) -> dict[str, list[Span]]:
    """What is read of each genome, in the order of the shard's pieces."""
    spans: dict[str, list[Span]] = {}
    for piece in shard.pieces:
        spans.setdefault(piece.genome, []).append(_span(piece, params))
    return spans


def _span(piece: Piece, params: ScanParams) -> Span:
    """A piece with its context."""
    tile = with_context(Tile(piece.start, piece.end), length=piece.contig_nt, context_nt=params.context_nt)
    return Span(piece.contig, tile.start, tile.end)


def _tiles(shard: Shard, letters: Iterator[bytes], params: ScanParams) -> Iterator[TileBases]:
    for piece, bases in zip(shard.pieces, letters, strict=True):
        yield TileBases(bases, _span(piece, params).start, piece.start, piece.end)
