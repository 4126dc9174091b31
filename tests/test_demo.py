"""The demonstration, whole: the bundled slice, its known loci, the files it writes."""

import json
from itertools import islice
from pathlib import Path

import pyarrow.dataset as ds
import pysam
import pytest

from golden_rows import GOLDEN, golden_rows
from helpers_jobs import SLICE, rows, scan
from mirsweep.jobs import query
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.demo.demo import DATA, KNOWN
from mirsweep.jobs.results.known import read_known
from mirsweep.scanner import open_genome

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return tmp_path_factory.mktemp("demo") / "demo_out"


@pytest.fixture(scope="module")
def printed(output):
    """What the command prints, run as typed."""
    from helpers_jobs import mirsweep

    done = mirsweep("demo", "-o", output)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_slice_is_what_its_readme_says():
    (contig,) = open_genome(SLICE).contigs
    assert contig == ("chrX_1208000_3008000", 1_800_000)
    assert {name: len(read_known(path)) for name, path in KNOWN.items()} == {"MirGeneDB": 13, "miRBase": 25}
    assert "1,208,000 to 3,008,000" in (DATA / "README.md").read_text()


@pytest.mark.data
def test_the_slice_is_cut_from_the_chromosome(data_dir):
    genome = open_genome(data_dir / "genomes" / "cel_ce2_chrX.fa.gz")
    piece = open_genome(SLICE)
    assert piece.fetch("chrX_1208000_3008000", 0, 1_800_000) == genome.fetch("chrX", 1_208_000, 3_008_000)
    published = read_known(data_dir / "genomes" / "cel_ce2_chrX.mirgenedb.gff3")
    inside = [
        (x.start - 1_208_000, x.end - 1_208_000, x.strand, x.name)
        for x in published
        if x.start > 1_208_000 and x.end < 3_008_000
    ]
    assert [x[1:] for x in read_known(KNOWN["MirGeneDB"])] == inside


def test_known_loci_are_recovered(printed):
    assert "13 of 13 known loci of MirGeneDB are among the candidates." in printed
    found = int(printed.split(" of 25 known loci of miRBase")[0].split()[-1])
    assert found >= 19


def test_golden_rows(output, printed):
    """The rows of the slice are those kept in tests/golden: python tests/golden_rows.py writes them anew."""
    golden, found = json.loads(GOLDEN.read_text()), golden_rows(output)
    scores = [[row.pop("score") for row in some["rows"]] for some in (golden, found)]
    assert found == golden
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def test_the_ten_best_are_printed(output, printed):
    best = query(output, loci=True, sort="score", limit=10).to_pylist()
    lines = printed.splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("contig"))
    assert [line.split()[-1] for line in islice(lines, header + 1, header + 11)] == [r["sequence"] for r in best]


def test_all_that_is_said_to_be_written_is_there(output, printed):
    bed, gff3 = output / "candidates.bed", output / "candidates.gff3.gz"
    for path in (output / "candidates", gff3, Path(f"{gff3}.tbi"), bed, output / "report.html"):
        assert path.exists()
        assert f"  {path}\n" in printed
    table = rows(output)
    assert len(bed.read_text().splitlines()) == table.num_rows
    assert len(read_known(gff3)) == table.num_rows
    assert ds.dataset(output / "candidates", format="parquet").count_rows() == table.num_rows


def test_the_page_names_the_known_loci(output, printed):
    page = (output / "report.html").read_text("utf-8")
    assert "22 of 25 known precursors" in page
    assert "cel-mir-34" in page


def test_a_region_of_the_gff3_is_read_by_its_index(output, printed):
    contig, start, end = "chrX_1208000_3008000", 664_000, 666_000
    with pysam.TabixFile(str(output / "candidates.gff3.gz")) as opened:
        lines = [line.split("\t") for line in opened.fetch(contig, start, end)]
    found = [(int(f[3]) - 1, int(f[4]), f[6]) for f in lines if f[2] == "miRNA_primary_transcript"]
    wanted = query(output, region=f"{contig}:{start + 1}-{end}").to_pylist()
    assert found == [(row["start"], row["end"], row["strand"]) for row in wanted]
    assert len(found) > 5


def test_what_to_type_next_works(output, printed, monkeypatch, capsys):
    monkeypatch.chdir(Path(__file__).parents[1])
    commands = [line.split()[1:] for line in printed.splitlines() if line.startswith("  mirsweep ")]
    assert [command[0] for command in commands] == ["query", "compare", "scan"]
    assert main(commands[0]) == 0
    assert len(capsys.readouterr().out.splitlines()) <= 21
    assert main([*commands[1], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_recovered"] == 13


def test_a_second_demo_is_quick_and_says_the_same(output, printed, capsys):
    assert main(["demo", "-o", str(output), "--quiet"]) == 0
    assert capsys.readouterr().out == printed


def test_reverse_complement_gives_the_mirrored_rows(output, printed, tmp_path):
    """Invariant 2 on 100 kb of the slice, far from the cuts."""
    genome = open_genome(SLICE)
    bases = genome.fetch("chrX_1208000_3008000", 250_000, 350_000)
    mirrored = bases[::-1].translate(bytes.maketrans(b"ACGTacgt", b"TGCAtgca"))
    (tmp_path / "m.fa").write_bytes(b">m\n" + mirrored + b"\n")
    scan(tmp_path / "m.fa", output=tmp_path / "out", local=True, quiet=True)

    def inner(table, place):
        found = [
            (*place(row), row["sequence"], row["structure"], row["mfe"], row["score"]) for row in table.to_pylist()
        ]
        return sorted(row for row in found if row[0] >= 252_000 and row[1] <= 348_000)

    forward = inner(rows(output), lambda r: (r["start"], r["end"], r["strand"]))
    other = {"+": "-", "-": "+"}
    backward = inner(rows(tmp_path / "out"), lambda r: (350_000 - r["end"], 350_000 - r["start"], other[r["strand"]]))
    assert len(forward) > 100
    assert [row[:-1] for row in forward] == [row[:-1] for row in backward]
    assert [row[-1] for row in forward] == pytest.approx([row[-1] for row in backward], abs=1e-5)
