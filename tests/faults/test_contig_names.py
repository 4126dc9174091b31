"""Contigs with names that mean something to a file system, a dataset or a shell, and names that differ in case only."""

import shutil
import subprocess
from collections import Counter
from urllib.parse import unquote

import pysam
import pytest

from helpers_jobs import CALIBRATION, make_model, rows, scan, slice_bases, write_fasta
from mirsweep.jobs import check, compare, read_loci
from mirsweep.jobs.cli.main import main

NAMES = [
    "__HIVE_DEFAULT_PARTITION__",
    ".",
    "..",
    "CON",
    "con",
    "Con",
    "NUL",
    "aux",
    "contig=c",
    "null",
    "NaN",
    "~",
    "-",
    "--help",
]
PIECE = 20_000


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """A scan of pieces that all differ, so that rows of another contig would show."""
    folder = tmp_path_factory.mktemp("names")
    pieces = {name: slice_bases(PIECE * i, PIECE * (i + 1)) for i, name in enumerate(NAMES)}
    genome = write_fasta(folder / "g.fa", pieces)
    model = make_model(folder / "m.safetensors", calibration=CALIBRATION)
    scan(genome, output=folder / "out", model=model, local=True, quiet=True, shard_nt=PIECE // 2)
    return folder / "out"


@pytest.fixture(scope="module")
def by_contig(output, tmp_path_factory):
    """Rows of each piece, scanned under a plain name."""
    folder = tmp_path_factory.mktemp("plain")
    pieces = {f"c{i}": slice_bases(PIECE * i, PIECE * (i + 1)) for i in range(len(NAMES))}
    scan(
        write_fasta(folder / "g.fa", pieces),
        output=folder / "out",
        model=output.parent / "m.safetensors",
        local=True,
        quiet=True,
    )
    table = rows(folder / "out").to_pylist()
    return {name: [row for row in table if row["contig"] == f"c{i}"] for i, name in enumerate(NAMES)}


def plain(found):
    """What does not depend on the contig's name, nor on the batches in which hairpins were scored."""
    return [(row["start"], row["end"], row["strand"], row["sequence"], row["mfe"]) for row in found]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_gets_its_own_rows(output, by_contig, tmp_path, capsys, name):
    own = [row for row in rows(output).to_pylist() if row["contig"] == name]
    assert plain(own) == plain(by_contig[name])
    assert own
    for place in (f"--contig={name}", f"--region={name}", f"--region={name}:1-{PIECE}"):
        assert main(["query", str(output), place, "--columns", "contig,start", "-o", str(tmp_path / "own.tsv")]) == 0
        lines = (tmp_path / "own.tsv").read_text().splitlines()[1:]
        assert lines == [f"{name}\t{row['start']}" for row in own]
    assert (
        main(
            ["query", str(output), "--sql", f"SELECT start FROM candidates WHERE contig = '{name}'", "--format", "csv"]
        )
        == 0
    )
    assert capsys.readouterr().out.split()[1:] == [str(row["start"]) for row in own]


@pytest.mark.parametrize("file_format", ["gff3", "bed"])
def test_names_in_files_of_other_tools(output, tmp_path, file_format):
    path = tmp_path / "all.gz"
    assert main(["query", str(output), "--loci", "--format", file_format, "--compress", "-o", str(path)]) == 0
    loci = Counter(read_loci(output)["contig"].to_pylist())
    with pysam.BGZFile(str(path)) as stream:
        lines = [line.decode().split("\t") for line in stream if not line.startswith(b"#")]
    found = Counter(unquote(line[0]) for line in lines if file_format == "bed" or line[2] == "miRNA_primary_transcript")
    assert found == loci
    assert set(found) == set(NAMES)
    if shutil.which("tabix"):
        done = subprocess.run(["tabix", "-l", path], capture_output=True, text=True, check=True)
        assert set(map(unquote, done.stdout.split())) == set(NAMES)


def test_no_name_makes_a_folder_and_all_is_sound(output, tmp_path):
    assert {path.name for path in output.parent.iterdir()} == {"g.fa", "g.fa.fai", "m.safetensors", "m.json", "out"}
    assert all(path.name.startswith("part-") for path in (output / "candidates").iterdir())
    assert check(output).is_sound
    first = next(row for row in rows(output).to_pylist() if row["contig"] == "..")
    (tmp_path / "known.bed").write_text(f"..\t{first['start']}\t{first['end']}\ta\t0\t{first['strand']}\n")
    assert compare(output, tmp_path / "known.bed").n_recovered == 1


def test_loci_name_their_contig(output):
    loci = read_loci(output).to_pylist()
    assert {locus["contig"] for locus in loci} == set(NAMES)
    assert all(locus["locus"].startswith(f"{locus['contig']}:") for locus in loci)
    assert len({locus["locus"] for locus in loci}) == len(loci)
