"""Cutting a contig into tiles that are scanned on their own."""

from typing import NamedTuple

__all__ = ["Tile", "make_tiles", "with_context"]


class Tile(NamedTuple):
    """Part of a contig whose candidates (by forward-strand start) one task reports; 0-based half-open."""

    start: int
    end: int


def make_tiles(length: int, width: int) -> list[Tile]:
    """Tiles of ``width`` nt that cover a contig of ``length`` nt once; the last one may be shorter."""
    return [Tile(start, min(start + width, length)) for start in range(0, length, width)]


def with_context(tile: Tile, *, length: int, context_nt: int) -> Tile:
    """The bases that scanning a tile needs: itself and ``context_nt`` on both sides, clipped at the contig's ends."""
    return Tile(max(0, tile.start - context_nt), min(length, tile.end + context_nt))
