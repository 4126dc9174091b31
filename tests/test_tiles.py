"""Tiles cover a contig once."""

from hypothesis import given
from hypothesis import strategies as st

from mirsweep.scanner.tiles import Tile, make_tiles, with_context


@given(st.integers(0, 5000), st.integers(1, 700))
def test_tiles_cover_each_base_once(length, width):
    tiles = make_tiles(length, width)
    assert [base for tile in tiles for base in range(*tile)] == list(range(length))
    assert all(0 < tile.end - tile.start <= width for tile in tiles)


@given(st.integers(1, 5000), st.integers(1, 700), st.integers(0, 900))
def test_context_stays_on_the_contig(length, width, context_nt):
    for tile in make_tiles(length, width):
        wide = with_context(tile, length=length, context_nt=context_nt)
        assert wide == Tile(max(0, tile.start - context_nt), min(length, tile.end + context_nt))
