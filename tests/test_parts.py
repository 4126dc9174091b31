"""Parts of a genome: rows of the whole scan, counts of what was scanned, names and regions that do not fit."""

import gzip
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers_jobs import make_model, rows, scan, scanned_intervals, slice_bases, write_fasta
from mirsweep.jobs import compare
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.regions import read_bed
from mirsweep.jobs.scanning.parts import Parts, Wanted, choose_parts
from mirsweep.jobs.scanning.shards import GenomeKey, RunKey, make_shards
from mirsweep.scanner import InputError, ScanParams
from mirsweep.scanner.tiles import Tile

LENGTHS = {"seq": 30_000, "seq:1-100": 12_000, "track_1": 9_000, "chrUn_a": 700, "HLA*01": 500}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("parts")


@pytest.fixture(scope="module")
def model(folder):
    return make_model(folder / "small.safetensors")


@pytest.fixture(scope="module")
def genome(folder):
    bases = iter(range(0, 10**6, 100_000))
    records = {name: slice_bases(start := next(bases), start + length) for name, length in LENGTHS.items()}
    records["seq"] = records["seq"][:10_000] + "N" * 300 + records["seq"][10_300:]
    return write_fasta(folder / "genome.fa", records)


@pytest.fixture(scope="module")
def whole(folder, genome, model):
    return scan(genome, output=folder / "whole", model=model, local=True, quiet=True)


@pytest.fixture
def scan_parts(tmp_path, genome, model):
    """A scan of parts of the genome, in this process."""
    return lambda **asked: scan(genome, output=tmp_path / "out", model=model, local=True, quiet=True, **asked)


def exact(table: pa.Table) -> pa.Table:
    return table.drop_columns(["score", "expected_fp_per_mb"])


def starting_in(table: pa.Table, contig: str, start: int, end: int) -> pa.Table:
    within = pc.and_(pc.greater_equal(table["start"], start), pc.less(table["start"], end))
    return table.filter(pc.and_(pc.equal(table["contig"], contig), within))


def test_the_scans_of_a_partition_are_the_whole_scan(folder, genome, model, whole):
    """Cuts lie within hairpins, at a run of N, and at odd places."""
    hairpin = starting_in(rows(whole.output), "seq", 3_000, 9_000).to_pylist()[0]
    cuts = [0, (hairpin["start"] + hairpin["end"]) // 2, 10_000, 10_150, 10_301, 10_302, 30_000]
    halves = [[f"seq:{a + 1}-{b}" for a, b in zip(cuts[k:], cuts[k + 1 :], strict=False)][::2] for k in (0, 1)]
    others = [name for name in LENGTHS if name != "seq"]
    reports = [
        scan(genome, output=folder / f"half{k}", model=model, local=True, quiet=True, regions=regions, shard_nt=4_000)
        for k, regions in enumerate([halves[0], [*halves[1], *others]])
    ]
    table = pa.concat_tables([rows(report.output) for report in reports])
    keys = [(name, "ascending") for name in ("contig", "start", "end", "strand")]
    assert exact(table).sort_by(keys).equals(exact(rows(whole.output)).sort_by(keys))
    for name in ("n_bases", "n_invalid", "n_too_short", "n_scanned"):
        assert sum(report.run["counts"][name] for report in reports) == whole.run["counts"][name]
    assert reports[0].run["genomes"][0]["digest"] == whole.run["genomes"][0]["digest"]


def test_rows_of_a_region_are_those_that_start_in_it(scan_parts, whole):
    report = scan_parts(regions=["seq:5,001-9,000", "seq:8001-20000", "seq:20001-20500"])
    expected = starting_in(rows(whole.output), "seq", 5000, 20_500)
    assert exact(rows(report.output)).equals(exact(expected))
    assert expected.num_rows > 20
    assert report.run["counts"]["n_bases"] == 15_500
    assert scanned_intervals(report.output) == {"seq": [[5000, 20_500]]}
    assert report.run["genomes"][0]["scanned"] == {"n_contigs": 1, "n_intervals": 1, "n_bases": 15_500}
    assert [tuple(contig) for contig in open_output(report.output).contigs] == [
        ("genome", *item) for item in LENGTHS.items()
    ]


def test_a_contig_whose_name_looks_like_a_region_is_a_contig(scan_parts, whole):
    report = scan_parts(regions="seq:1-100")
    assert scanned_intervals(report.output) == {"seq:1-100": [[0, 12_000]]}
    assert set(rows(report.output)["contig"].to_pylist()) == {"seq:1-100"}


@pytest.mark.parametrize("packed", [False, True])
def test_a_bed_file(tmp_path, scan_parts, whole, packed):
    text = (
        "track name=x\n# note\nbrowser position seq\ntrack_1\t100\t8000\nseq\t0\t2500\tname\t0\t+\n\ntrack_1\t50\t200\n"
    )
    path = tmp_path / ("x.bed.gz" if packed else "x.bed")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    report = scan_parts(regions=path)
    table = rows(whole.output)
    expected = pa.concat_tables([starting_in(table, "seq", 0, 2500), starting_in(table, "track_1", 50, 8000)])
    assert exact(rows(report.output)).equals(exact(expected))
    assert report.run["counts"]["n_bases"] == 2500 + 7950


def test_scans_of_the_same_bases_are_one_scan(scan_parts):
    """However they were asked for; others are another scan."""
    first = scan_parts(regions=["track_1:1-500", "track_1:501-1000"])
    again = scan_parts(regions="track_1:1-1000", contigs=["track*"])
    assert again.n_resumed == first.n_shards
    with pytest.raises(InputError, match=r"holds another scan \(parts: there 1000 nt.*, here 999 nt"):
        scan_parts(regions="track_1:1-999")
    with pytest.raises(InputError, match=r"holds another scan \(parts: there 1000 nt.*, here none"):
        scan_parts()


def test_all_that_there_is_is_the_whole_scan(whole, genome, model):
    report = scan(genome, output=whole.output, model=model, local=True, quiet=True, contigs="*", min_contig=10)
    assert report.n_resumed == whole.n_shards
    assert "scanned" not in report.run["genomes"][0]


class Contig(NamedTuple):
    name: str
    length: int


class Genome(NamedTuple):
    name: str
    contigs: tuple[Contig, ...]


GENOME = Genome("g", tuple(Contig(*item) for item in LENGTHS.items()))


def chosen(**asked) -> dict[str, list[tuple[int, int]]]:
    parts = choose_parts([GENOME], Wanted(**asked))
    assert parts is not None
    return {contig: [tuple(tile) for tile in tiles] for (_, contig), tiles in parts.intervals.items()}


@pytest.mark.parametrize(
    ("asked", "contigs"),
    [
        ({"contigs": ("seq",)}, ["seq"]),
        ({"contigs": ("seq*", "chrUn_?")}, ["seq", "seq:1-100", "chrUn_a"]),
        ({"contigs": ("HLA*01",)}, ["HLA*01"]),
        ({"exclude_contigs": ("chrUn_*", "HLA*01")}, ["seq", "seq:1-100", "track_1"]),
        ({"min_contig": 9_000}, ["seq", "seq:1-100", "track_1"]),
        ({"min_contig": 9_001, "exclude_contigs": ("seq:*",)}, ["seq"]),
        ({"regions": ("seq:5-9", "track_1"), "contigs": ("track_1",)}, ["track_1"]),
    ],
    ids=str,
)
def test_contigs_by_name_pattern_and_length(asked, contigs):
    assert list(chosen(**asked)) == contigs


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 60)), min_size=1, max_size=12), st.integers(1, 50))
def test_each_base_of_the_regions_is_in_one_piece(regions, shard_nt):
    genome = Genome("g", (Contig("a", 60), Contig("b", 1000)))
    texts = tuple(f"b:{start + 1}-{start + width}" for start, width in regions)
    parts = choose_parts([genome], Wanted(texts))
    assert parts is not None
    tiles = parts.intervals["g", "b"]
    assert all(one.end < other.start for one, other in pairwise(tiles))
    key = RunKey((GenomeKey("g", "d"),), ScanParams(), "m:1", "11", shard_nt=shard_nt, parts=parts.fact())
    pieces = [piece for shard in make_shards([genome], key, parts) for piece in shard.pieces]
    bases = [base for piece in pieces for base in range(piece.start, piece.end)]
    assert bases == sorted({base for start, width in regions for base in range(start, start + width)})
    assert {(piece.contig, piece.contig_nt) for piece in pieces} == {("b", 1000)}
    assert parts.n_bases == len(bases)


def test_other_parts_have_other_facts():
    facts = {Parts({("g", "a"): (Tile(*ends),)}).fact() for ends in ((0, 10), (1, 11), (0, 11))}
    assert len(facts) == 3


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"contigs": ("Seq",)}, r"--contig: the genome has no contig 'Seq': did you mean 'seq'"),
        ({"contigs": ("nope_*",)}, r"no contig of the genome matches 'nope_\*'"),
        ({"exclude_contigs": ("track1",)}, r"--exclude-contig: .*did you mean 'track_1'\?"),
        ({"exclude_contigs": ("*",)}, "--exclude-contig leaves out all"),
        ({"min_contig": 30_001}, "the longest has 30000 nt, fewer than --min-contig 30001"),
        ({"min_contig": -1}, "--min-contig 0 or more"),
        ({"contigs": ("",)}, "--contig is empty"),
        ({"regions": ("",)}, "a region is empty"),
        ({"regions": ("chrseq:1-5",)}, r"the genome has no contig 'chrseq': did you mean 'seq'"),
        ({"regions": ("seq:1-99999999999999999999",)}, "lies beyond any contig"),
        ({"regions": ("seq:99999999999999999999999-",)}, "lies beyond any contig"),
        ({"regions": ("seq:9-5",)}, "is empty"),
        ({"regions": ("seq:30001-30002",)}, "nothing of the genome is left to scan"),
        ({"regions": ("seq:1-5",), "contigs": ("track_1",)}, "nothing of the genome is left to scan"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_one_sentence(asked, words):
    with pytest.raises(InputError, match=words):
        choose_parts([GENOME], Wanted(**asked))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"regions": ("seq:30001-30002", "track_1")}, "lies beyond the end of its contig, which has 30000 nt"),
        ({"regions": ("seq:29001-31000",)}, "it is scanned to the contig's end"),
        ({"exclude_contigs": ("alt_*", "track_1")}, "no contig of the genome matches 'alt_*'"),
        ({"regions": ("seq:1-5", "track_1"), "contigs": ("track_1",)}, "regions of seq are not scanned"),
    ],
    ids=str,
)
def test_what_is_not_there_in_part_is_a_warning(capsys, asked, words):
    assert chosen(**asked)
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seq\t5\n", "line 1 is no BED"),
        ("seq\t5\tx\n", "line 1 is no BED"),
        ("seq\t-5\t9\n", "line 1 is no BED"),
        ("#\nseq\t9\t9\n", "line 2 has an empty"),
        ("seq\t9\t99999999999999999999\n", "too long"),
        ("# nothing\ntrack name=x\n", "holds no interval"),
        ("chrSeq\t1\t5\n", "none of its contigs"),
    ],
)
def test_a_bed_file_that_cannot_be_used_is_named(tmp_path, text, words):
    path = tmp_path / "x.bed"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"x\.bed.*{words}"):
        choose_parts([GENOME], Wanted((path,)))


def test_some_contigs_of_a_bed_file_are_not_there(tmp_path, capsys):
    path = tmp_path / "x.bed"
    path.write_text("chr9\t1\t5\nseq\t1\t5\ntrack_1\t8000\t10000\n")
    assert chosen(regions=(path,)) == {"seq": [(1, 5)], "track_1": [(8000, 9000)]}
    first, second = capsys.readouterr().err.splitlines()
    assert "1 of 3 intervals are on no contig of the genome (chr9)" in first
    assert "1 of 3 intervals go beyond the end of their contig" in second


def test_blanks_between_the_columns_of_a_bed_file(tmp_path):
    path = tmp_path / "x.bed"
    path.write_text("seq 1 5\n")
    assert read_bed(path) == [("seq", 1, 5)]


def test_loci_outside_of_the_parts_are_not_missed(tmp_path, scan_parts, whole):
    report = scan_parts(regions=["seq:1-20000"])
    found = [row for row in rows(whole.output).to_pylist() if row["contig"] == "seq"]
    inside, outside = ([row for row in found if (row["start"] < 20_000) is side][:4] for side in (True, False))
    lines = [f"{r['contig']}\t{r['start']}\t{r['end']}\tm\t0\t{r['strand']}\n" for r in inside + outside]
    known = tmp_path / "known.bed"
    known.write_text("".join(lines) + "track_1\t5\t80\tm\t0\t+\n")
    result = compare(report.output, known)
    assert (result.n_known, result.n_recovered, result.n_outside) == (4, 4, 5)
    assert result.scanned_mb == pytest.approx((20_000 - 300) / 1e6)
    known.write_text("".join(lines[4:]))
    with pytest.raises(InputError, match="all loci lie outside of the parts that were scanned"):
        compare(report.output, known)


def test_the_options_of_the_command(tmp_path, capsys, genome, model):
    bed = tmp_path / "x.bed"
    bed.write_text("seq\t100\t900\nchrUn_a\t0\t700\n")
    arguments = ["scan", genome, "-o", tmp_path / "out", "--model", model, "--local", "--quiet", "--regions", bed]
    arguments += [
        "--region",
        "track_1:1-1000",
        "--region",
        "HLA*01",
        "--exclude-contig",
        "chrUn_*",
        "--min-contig",
        600,
    ]
    assert main([str(a) for a in arguments]) == 0
    assert scanned_intervals(tmp_path / "out") == {"seq": [[100, 900]], "track_1": [[0, 1000]]}
    assert open_output(tmp_path / "out").run["counts"]["n_bases"] == 1800
    assert main(["compare", str(tmp_path / "out"), str(Path(bed))]) == 2
