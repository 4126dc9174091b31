"""A shard that fails is halved to the contig and the interval that are to blame; all else of it is kept."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers_jobs import assert_same_rows, make_model, rows, scan, slice_bases, write_fasta
from mirsweep.jobs import check
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.scanning import shard_work as work
from mirsweep.jobs.scanning.in_process import Outcome
from mirsweep.jobs.scanning.isolate import SMALLEST_NT, Failure, isolate
from mirsweep.jobs.scanning.shard_work import ShardResult
from mirsweep.jobs.scanning.shards import Piece, Shard


def shard_of(lengths):
    return Shard("000007-x", tuple(Piece("g", f"c{k}", 3, 3 + length, 10**6) for k, length in enumerate(lengths)))


def attempts_of(is_bad, tried):
    """An executor for which only the shards are good whose pieces all are."""

    def attempt(shards):
        for shard in reversed(shards):
            tried.append(shard)
            bad = any(map(is_bad, shard.pieces))
            counts = {"g": {"n_bases": shard.n_bases}}
            result = ShardResult(shard.id, None, counts, {"fold": 1.0}, {"fold": shard.n_bases})
            yield Outcome(shard, None if bad else result, "crash" if bad else "")

    return attempt


@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=40), st.data())
def test_one_bad_base_costs_a_small_interval_of_its_contig(lengths, data):
    shard = shard_of(lengths)
    contig = data.draw(st.integers(0, len(lengths) - 1))
    base = data.draw(st.integers(3, 2 + lengths[contig]))
    tried = []
    found = isolate(
        Failure(shard, "x"), attempts_of(lambda p: p.contig == f"c{contig}" and p.start <= base < p.end, tried)
    )
    (failure,) = found.failures
    (piece,) = failure.shard.pieces
    assert (failure.shard.id, failure.reason) == (shard.id, "crash" if tried else "x")
    assert (piece.contig, piece.start <= base < piece.end) == (f"c{contig}", True)
    assert piece.n_bases <= SMALLEST_NT
    n_left = shard.n_bases - piece.n_bases
    assert (found.result.counts["g"]["n_bases"] if found.result else 0) == n_left
    assert len(tried) <= 2 * (len(lengths) + 5)


def test_where_all_fails_nothing_is_halved_for_long():
    tried = []
    found = isolate(Failure(shard_of([10**6]), "x"), attempts_of(lambda piece: True, tried))
    assert found.result is None
    assert sum(failure.shard.n_bases for failure in found.failures) == 10**6
    assert len(tried) == 6


def test_what_fails_as_a_whole_only_is_done_in_parts():
    found = isolate(Failure(shard_of([10**6]), "x"), attempts_of(lambda piece: piece.n_bases > 500_000, []))
    assert (found.failures, found.result.counts["g"]["n_bases"]) == ([], 10**6)


@pytest.fixture
def breaks_on(monkeypatch):
    """The scanner breaks wherever some bases are."""

    def break_on(letters):
        scan_tiles = work.scan_tiles

        def breaking(tiles, **params):
            if any(letters in tile.bases for tile in tiles):
                raise ZeroDivisionError("a bug")
            return scan_tiles(tiles, **params)

        monkeypatch.setattr(work, "scan_tiles", breaking)

    return break_on


def test_the_rest_of_a_poisoned_shard_is_kept_and_the_next_run_does_it_again(tmp_path, breaks_on, monkeypatch):
    """Of 40 contigs in a shard one breaks the scanner: its rows are missing, and no others."""
    records = {f"c{k}": slice_bases(1_000 * k, 1_000 * k + 900) for k in range(40)}
    genome = write_fasta(tmp_path / "g.fa", records)
    asked = {"model": make_model(tmp_path / "m.safetensors"), "local": True, "quiet": True}
    whole = scan(genome, output=tmp_path / "whole", **asked)
    breaks_on(records["c17"][300:400].encode())
    found = scan(genome, output=tmp_path / "out", **asked)
    (failure,) = found.failures
    assert [piece[:4] for piece in failure.shard.pieces] == [("g", "c17", 0, 900)]
    (line,) = map(json.loads, (found.output / "errors.jsonl").read_text().splitlines())
    assert line["pieces"] == [["g", "c17", 0, 900, 900]]
    exact = ["contig", "start", "end", "strand", "mfe", "sequence", "structure", "flank_5p", "flank_3p"]
    expected = [row for row in rows(whole.output).select(exact).to_pylist() if row["contig"] != "c17"]
    assert len(expected) < whole.n_candidates
    assert rows(found.output).select(exact).to_pylist() == expected
    counts = open_output(found.output).run["counts"]
    assert (counts["n_bases"], counts["n_shards"], counts["n_shards_failed"]) == (39 * 900, 1, 1)
    assert check(found.output).is_sound
    monkeypatch.undo()
    again = scan(genome, output=tmp_path / "out", **asked)
    assert (again.failures, again.n_resumed) == ((), 0)
    assert_same_rows(again.output, whole.output)
    assert check(again.output).is_sound
