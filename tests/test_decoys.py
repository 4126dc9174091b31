"""Decoys: the genome read backwards, scanned within the same output, without a share in its candidates."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers_jobs import (
    assert_same_rows,
    kill,
    make_model,
    mirsweep,
    n_committed,
    rows,
    scan_with_decoys,
    slice_bases,
    start_mirsweep,
    wait_until,
    write_fasta,
)
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.results.dataset import open_output, read_candidates, read_loci
from mirsweep.jobs.scanning import decoys as decoys_module
from mirsweep.jobs.scanning.decoys import choose_decoys, decoy_nt
from mirsweep.jobs.scanning.in_process import InProcess
from mirsweep.jobs.scanning.parts import Parts
from mirsweep.jobs.scanning.run import Run
from mirsweep.scanner import InputError, open_genome
from mirsweep.scanner.fasta import Contig
from mirsweep.scanner.reversed import Reversed
from mirsweep.scanner.tiles import Tile

RECORDS = {"one": slice_bases(0, 24_000) + "N" * 300 + slice_bases(30_000, 41_000), "two": slice_bases(90_000, 99_000)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("decoys")


@pytest.fixture(scope="module")
def model(folder):
    """A small one with a calibration: only such have loci, and decoys."""
    return make_model(folder / "small.safetensors", calibration={"score": [0.0, 1.0], "fp_per_mb": [500.0, 1.0]})


@pytest.fixture(scope="module")
def genome(folder):
    return write_fasta(folder / "g.fa", RECORDS)


@pytest.fixture(scope="module")
def backwards(folder):
    """The same genome, reversed by hand."""
    return write_fasta(folder / "back.fa", {name: bases[::-1] for name, bases in RECORDS.items()})


@pytest.fixture(scope="module")
def scan(model):
    def run(genome, output, **asked):
        return scan_with_decoys(genome, output=output, model=model, local=True, quiet=True, **asked)

    return run


@pytest.fixture(scope="module")
def whole(scan, genome, folder):
    """Output of a scan with decoys."""
    return scan(genome, folder / "whole").output


def decoys_of(output: Path) -> Path:
    found = open_output(output).decoys
    assert found is not None
    assert found.run["counts"]["n_shards_failed"] == 0
    return found.path


def assert_same_loci(one: Path, other: Path) -> None:
    """The same places with the same scores and error rates.

    On some processors the paper's network rounds by the size of the batch: a locus and a decoy whose scores are the
    same but for that may change places, and with them a few error rates.
    """
    left, right = read_loci(one), read_loci(other)
    assert left["locus"].equals(right["locus"])
    np.testing.assert_allclose(left["locus_score"], right["locus_score"], rtol=1e-5)
    for name in ("q_value", "fp_per_mb", "fp_per_mb_low", "fp_per_mb_high"):
        is_same = np.isclose(left[name], right[name], rtol=1e-3)
        assert is_same.mean() > 0.95, name


def intervals_of(output: Path) -> list[list[int]]:
    """Of the decoys, contig after contig."""
    return [tile for tiles in open_output(output).decoys.parts.values() for tile in tiles]


def test_decoys_have_the_rows_of_the_genome_reversed_by_hand(whole, scan, backwards, folder):
    by_hand = scan(backwards, folder / "by-hand", name="g", decoys="none").output
    assert rows(by_hand).num_rows > 50
    assert_same_rows(decoys_of(whole), by_hand)


def test_decoys_tell_how_much_was_scanned(whole):
    decoys = open_output(whole).decoys
    assert decoys.run["counts"]["n_scanned"] == sum(len(b) - b.count("N") for b in RECORDS.values())
    assert [tuple(row.values()) for row in decoys.contigs.table.to_pylist()] == [
        ("g", name, len(bases)) for name, bases in RECORDS.items()
    ]


def test_candidates_are_the_same_with_and_without_decoys(whole, scan, genome, folder):
    without = scan(genome, folder / "without", decoys="none").output
    assert not (without / "_decoys").exists()
    assert open_output(without).decoys is None
    assert_same_rows(whole, without)
    assert read_candidates(whole).num_rows == rows(without).num_rows
    assert open_output(whole).run["counts"] == open_output(without).run["counts"]


@pytest.mark.parametrize("choice", [50_000_000, 10_000])
def test_decoys_do_not_depend_on_the_width_of_shards(scan, genome, folder, choice):
    outputs = [
        scan(genome, folder / f"{choice}-{width}", decoys=choice, shard_nt=width).output for width in (3_000, 10**6)
    ]
    assert_same_rows(*map(decoys_of, outputs))
    assert_same_loci(*outputs)
    assert rows(decoys_of(outputs[0])).num_rows > 5


def test_decoys_of_regions_mirror_these(scan, genome, whole, tmp_path):
    output = scan(genome, tmp_path / "out", regions=["one:2,001-9,000"]).output
    length = len(RECORDS["one"])
    assert intervals_of(output) == [[length - 9_000, length - 2_000]]
    table = rows(whole / "_decoys")
    starts = table["start"].to_numpy()
    is_inside = (starts >= length - 9_000) & (starts < length - 2_000) & (table["contig"].to_numpy() == "one")
    found, expected = rows(decoys_of(output)), table.filter(is_inside)
    inexact = ["score", "expected_fp_per_mb"]  # on some processors the paper's network rounds by the size of the batch
    assert found.drop_columns(inexact).equals(expected.drop_columns(inexact))
    np.testing.assert_allclose(found["score"].to_numpy(), expected["score"].to_numpy(), rtol=0, atol=1e-5)


def test_fetch_reads_backwards_anywhere(genome):
    opened = open_genome(genome)
    view = Reversed(opened)
    bases = RECORDS["two"][::-1].encode()
    for start, end in [(0, 9_000), (0, 1), (8_999, 9_000), (17, 4_321), (5, 5)]:
        assert view.fetch("two", start, end) == bases[start:end]
    with pytest.raises(InputError, match="no record 'three'"):
        view.fetch("three", 0, 9)
    with pytest.raises(InputError, match="not within it"):
        view.fetch("two", 0, 9_001)
    assert (view.name, view.contigs) == (opened.name, opened.contigs)
    assert view.digest != opened.digest
    view.close()
    assert opened.fetch("two", 0, 3)


def files_and_times(output: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file() and path.name != "lock"}


def test_a_complete_scan_is_left_as_it_is(scan, genome, whole):
    before = files_and_times(whole)
    report = scan(genome, whole)
    assert (report.failures, report.n_resumed) == ((), report.n_shards)
    assert files_and_times(whole) == before


def test_another_choice_replaces_the_decoys_alone(scan, genome, whole, tmp_path):
    output = scan(genome, tmp_path / "out").output
    parts = files_and_times(output / "candidates")
    scan(genome, output, decoys=12_000)
    assert open_output(output).decoys.run["counts"]["n_bases"] == 12_000
    assert open_output(output).run["counts"]["n_shards_failed"] == 0
    scan(genome, output, decoys="none")
    assert not (output / "_decoys").exists()
    assert files_and_times(output / "candidates") == parts
    scan(genome, output)
    assert_same_rows(decoys_of(output), whole / "_decoys")
    assert_same_rows(output, whole)
    assert_same_loci(output, whole)
    assert (output / "run.json").stat().st_mtime_ns >= (output / "_decoys" / "run.json").stat().st_mtime_ns


def test_overwriting_removes_the_decoys_too(scan, genome, tmp_path):
    output = scan(genome, tmp_path / "out").output
    scan(genome, output, threshold=-12, overwrite=True, decoys="none")
    assert not (output / "_decoys").exists()


def test_nothing_to_scan_leaves_no_decoys(scan, tmp_path):
    empty = write_fasta(tmp_path / "n.fa", {"n": "N" * 500})
    with pytest.raises(InputError, match="nothing could be scanned"):
        scan(empty, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_warning_of_decoys_without_candidates(scan, genome, tmp_path, capsys):
    report = scan(genome, tmp_path / "out", decoys=100)
    assert report.n_candidates > 0
    assert open_output(report.output).decoys.run["counts"]["n_candidates"] == 0
    assert "no candidate was found" not in capsys.readouterr().err


class Failing(InProcess):
    """Fails at the shards of one number, of decoys only."""

    def run(self, shards, make_task):
        for outcome in super().run(shards, make_task):
            is_bad = outcome.shard.id.startswith("000002-")
            yield outcome._replace(result=None, reason="poison met") if is_bad else outcome


def test_failed_decoys_are_told_and_tried_again(scan, genome, whole, model, tmp_path, monkeypatch, capsys):
    class RunOfFailing(Run):
        def work_off(self, get_executor):
            executor = Failing(get_executor()._scorer)
            return super().work_off(lambda: executor)

    output = tmp_path / "out"
    arguments = ["scan", genome, "-o", output, "--model", model, "--local", "--quiet", "--shard-nt", 5_000]
    with monkeypatch.context() as patch:
        patch.setattr(decoys_module, "Run", RunOfFailing)
        assert main([*map(str, arguments)]) == 1
    err = capsys.readouterr().err
    assert "shard 000002-" in err
    assert "poison met (decoys)" in err
    assert_same_rows(output, whole)
    assert main([*map(str, arguments)]) == 0
    assert_same_rows(decoys_of(output), whole / "_decoys")


def test_killed_among_the_decoys_and_resumed(genome, whole, model, tmp_path):
    output = tmp_path / "out"
    arguments = ["scan", genome, "-o", output, "--model", model, "--local", "--decoys", 50_000_000, "--shard-nt", 500]
    process = start_mirsweep(*arguments)
    wait_until(lambda: n_committed(output / "_decoys") >= 5, process)
    kill(process)
    assert not (output / "run.json").exists()
    assert open_output(output).decoys is None
    done = mirsweep(*arguments)
    assert done.returncode == 0, done.stderr
    assert "decoys: " in done.stderr
    assert "shards were done before; going on" in done.stderr
    assert_same_rows(output, whole)
    assert_same_rows(decoys_of(output), whole / "_decoys")
    assert_same_loci(output, whole)


@pytest.mark.slow
def test_one_ray_session_serves_both(genome, whole, model, tmp_path):
    output = tmp_path / "out"
    scan_with_decoys(genome, output=output, model=model, local=False, workers=1, shard_nt=9_000, quiet=True)
    assert_same_rows(output, whole)
    assert_same_rows(decoys_of(output), whole / "_decoys")
    assert_same_loci(output, whole)
    kinds = [json.loads((place / "run.json").read_text())["executor"]["kind"] for place in (output, output / "_decoys")]
    assert kinds == ["ray", "ray"]


@pytest.mark.parametrize("bad", ["x", "", "-1", "0", "2.5", "auto"])
def test_a_choice_that_is_none(bad):
    with pytest.raises(InputError, match="give --decoys none, or how many nt"):
        decoy_nt(bad)


class Bare(Reversed):
    """A genome of contigs without letters."""

    def __init__(self, name, lengths):
        self.name = name
        self.contigs = tuple(Contig(f"c{i}", length) for i, length in enumerate(lengths))


LENGTHS = st.lists(st.integers(0, 3_000_000), min_size=1, max_size=12).filter(any)


@given(LENGTHS, LENGTHS, st.integers(1_000, 9_000_000))
def test_stretches_are_spread_evenly(one, other, most):
    genomes = [Bare("a", one), Bare("b", other)]
    total = sum(one) + sum(other)
    chosen = choose_decoys(genomes, None, most)
    if total <= most:
        assert chosen is None
        return
    assert chosen == choose_decoys(genomes, None, most)
    n_stretches = max(1, round(most / 1e6))
    assert most - n_stretches < chosen.n_bases <= most
    first, covered = 0, []
    for genome in genomes:
        for contig in genome.contigs:
            tiles = chosen.intervals.get((genome.name, contig.name), ())
            assert all(0 <= tile.start < tile.end <= contig.length for tile in tiles)
            assert all(left.end < right.start for left, right in pairwise(tiles))
            covered += [(first + contig.length - t.end, first + contig.length - t.start) for t in reversed(tiles)]
            first += contig.length
    for k in range(n_stretches):  # each n-th part of all that is scanned has its share
        start, end = k * total / n_stretches, (k + 1) * total / n_stretches
        n_bases = sum(max(0, min(end, b) - max(start, a)) for a, b in covered)
        assert abs(n_bases - most / n_stretches) <= 3


@given(st.data())
def test_stretches_lie_within_what_is_scanned(data):
    ends = sorted(data.draw(st.lists(st.integers(0, 400_000), min_size=2, max_size=20, unique=True)))
    tiles = tuple(Tile(a, b) for a, b in zip(ends[::2], ends[1::2], strict=False))
    genome, parts = Bare("a", [400_000]), Parts({("a", "c0"): tiles})
    most = data.draw(st.integers(1, 500_000))
    chosen = choose_decoys([genome], parts, most)
    mirrored = [(400_000 - tile.end, 400_000 - tile.start) for tile in chosen.intervals[("a", "c0")]]
    assert all(any(tile.start <= a and b <= tile.end for tile in tiles) for a, b in mirrored)
    assert chosen.n_bases == min(parts.n_bases, most)
