"""What users bring: every kind of odd or broken input gives the right rows or one clear sentence, never a traceback."""

import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys

import pytest
from Bio import bgzf
from numba import cuda

from helpers_jobs import make_model, mirsweep, rows, slice_bases, write_fasta
from mirsweep.jobs.cli.main import main

BASES = slice_bases(9_000, 13_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with good.fa, a FASTA file as it should be."""
    made = tmp_path_factory.mktemp("bad")
    write_fasta(made / "good.fa", {"c": BASES})
    return made


@pytest.fixture(scope="module")
def model(folder):
    return make_model(folder / "small.safetensors")


@pytest.fixture(scope="module")
def scanned(folder, model):
    """Rows of good.fa."""
    return rows_of(folder / "good.fa", folder / "good", model)


def rows_of(genome, output, model):
    arguments = ["scan", genome, "-o", output, "--model", model, "--name", "g", "--local", "--quiet"]
    assert main([str(a) for a in arguments]) == 0
    return rows(output)


def sentence_of(capsys, *arguments) -> str:
    """The one line that a bad call leaves on standard error."""
    assert main([str(a) for a in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    (line,) = err.splitlines()
    assert line.startswith("mirsweep: ")
    return line


FORMS = (
    "crlf",
    "cr",
    "gzip",
    "bgzip",
    "bzip2",
    "xz",
    "one line",
    "no end of line",
    "blank line at the end",
    "comments",
    "mark",
)


@pytest.mark.parametrize("kind", FORMS)
def test_forms_of_fasta_give_the_same_rows(tmp_path, model, scanned, kind):
    text = write_fasta(tmp_path / "x.fa", {"c": BASES}, width=4000 if kind == "one line" else 60).read_bytes()
    path = tmp_path / ("genome.fa.gz" if "gzip" in kind else "genome.fa")
    if kind == "bgzip":
        with bgzf.BgzfWriter(path) as stream:
            stream.write(text)
    else:
        content = {
            "crlf": lambda: text.replace(b"\n", b"\r\n"),
            "cr": lambda: text.replace(b"\n", b"\r"),
            "gzip": lambda: gzip.compress(text),
            "bzip2": lambda: bz2.compress(text),
            "xz": lambda: lzma.compress(text),
            "comments": lambda: text.replace(b"\n", b"\n;a comment\n", 9),
            "mark": lambda: b"\xef\xbb\xbf" + text,
            "one line": lambda: text,
            "no end of line": lambda: text.rstrip(),
            "blank line at the end": lambda: text + b"\n",
        }[kind]()
        path.write_bytes(content)
    assert rows_of(path, tmp_path / "out", model).equals(scanned)
    assert scanned.num_rows > 5


@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_case_matters_to_the_masked_share_only(tmp_path, model, scanned, case):
    table = rows_of(write_fasta(tmp_path / "g.fa", {"c": case(BASES)}), tmp_path / "out", model)
    assert table.drop_columns(["masked"]).equals(scanned.drop_columns(["masked"]))
    assert set(table["masked"].to_pylist()) == {1.0 if case is str.lower else 0.0}


def test_rna_letters_are_read(tmp_path, model, scanned):
    letters = BASES.replace("T", "U").replace("t", "u")
    assert rows_of(write_fasta(tmp_path / "g.fa", {"c": letters}), tmp_path / "out", model).equals(scanned)


@pytest.mark.parametrize("code", "RyNn-*")
def test_other_codes_break_hairpins(tmp_path, model, scanned, code):
    middle = (scanned["start"][2].as_py() + scanned["end"][2].as_py()) // 2
    broken = BASES[:middle] + code + BASES[middle + 1 :]
    table = rows_of(write_fasta(tmp_path / "g.fa", {"c": broken}), tmp_path / "out", model)
    assert not any(row["start"] <= middle < row["end"] for row in table.to_pylist())
    assert table.num_rows > 0
    counts = json.loads((tmp_path / "out" / "run.json").read_text())["counts"]
    assert counts["n_invalid"] == 1


@pytest.mark.parametrize(
    "name", ["../../x", "..", "/etc/x", "gi|1|ref|NC_1.1|", "a%2Fb", "a=b;c", "é", "x" * 300, "chr1:1-9"]
)
def test_any_name_of_a_contig_is_kept_and_chooses_no_path(tmp_path, model, scanned, name):
    genome = write_fasta(tmp_path / "g.fa", {"c": BASES})
    genome.write_text(genome.read_text().replace(">c", f">{name} some words"))
    before = set(tmp_path.iterdir())
    table = rows_of(genome, tmp_path / "out", model)
    assert set(table["contig"].to_pylist()) == {name}
    assert table.drop_columns(["contig"]).equals(scanned.drop_columns(["contig"]))
    assert {p.name for p in set(tmp_path.iterdir()) - before} <= {"out", "g.fa.fai"}
    assert main(["query", str(tmp_path / "out"), "--contig", name, "-o", str(tmp_path / "own.tsv")]) == 0
    assert len((tmp_path / "own.tsv").read_text().splitlines()) == table.num_rows + 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"no fasta at all\n", "FASTA"),
        (b"@read\nACGT\n+\nIIII\n", "FASTA"),
        (b"\x89PNG\r\n\x1a\n\xff\x00\x00", "FASTA"),
        (b">a\nACGT\n>b\nACGT\n>a\nACGT\n", "a"),
        (b">only\n>headers\n", "no record holds a sequence"),
        (gzip.compress(b">c\n" + BASES.encode())[:900], "packed data are damaged or cut off"),
    ],
    ids=["empty", "text", "fastq", "binary", "two of an id", "headers only", "cut-off gzip"],
)
def test_broken_files_are_named(tmp_path, capsys, model, content, message):
    path = tmp_path / "broken.fa"
    path.write_bytes(content)
    line = sentence_of(capsys, "scan", path, "-o", tmp_path / "out", "--model", model)
    assert str(path) in line
    assert message in line
    assert not (tmp_path / "out").exists()


def test_a_missing_file_and_a_folder_are_named(tmp_path, capsys, model):
    missing = sentence_of(capsys, "scan", tmp_path / "nope.fa", "-o", tmp_path / "out", "--model", model)
    assert "nope.fa: no such file" in missing
    assert "not a file" in sentence_of(capsys, "scan", tmp_path, "-o", tmp_path / "out", "--model", model)


def test_a_contig_of_two_genomes_is_asked_for_by_genome(tmp_path, capsys, model):
    one, other = (write_fasta(tmp_path / f"{name}.fa", {"c": BASES}) for name in "ab")
    arguments = ["scan", one, other, "-o", tmp_path / "out", "--model", model, "--quiet"]
    assert main([str(a) for a in arguments]) == 0
    capsys.readouterr()
    line = sentence_of(capsys, "query", tmp_path / "out", "--contig", "c")
    assert line.endswith("contig 'c' is in the genomes 'a' and 'b': name one with --genome.")
    assert main(["query", str(tmp_path / "out"), "--contig", "c", "--genome", "b"]) == 0
    assert {row.split("\t")[0] for row in capsys.readouterr().out.splitlines()[1:]} == {"b"}


@pytest.mark.parametrize("where", ["file", "proc"])
def test_an_output_that_cannot_be_written_is_named(tmp_path, capsys, folder, model, where):
    (tmp_path / "file").write_text("x")
    output = {"file": tmp_path / "file" / "out", "proc": "/proc/mirsweep-out"}[where]
    line = sentence_of(capsys, "scan", folder / "good.fa", "-o", output, "--model", model, "--local")
    assert f"{output}: cannot be written" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path, capsys, folder, model):
    tmp_path.chmod(0o555)
    line = sentence_of(capsys, "scan", folder / "good.fa", "-o", tmp_path / "out", "--model", model, "--local")
    assert "cannot be written (Permission denied)" in line


FULL_DISK = """
import resource, sys
from mirsweep.jobs.cli.main import main
arguments = sys.argv[2:]
main([*arguments, "-o", sys.argv[1] + "-before"])  # whatever is written once and kept elsewhere
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
sys.exit(main([*arguments, "-o", sys.argv[1]]))
"""


def test_a_full_disk_is_named_and_the_scan_can_go_on(tmp_path, folder, model, scanned):
    output = tmp_path / "out"
    arguments = ["scan", folder / "good.fa", "--model", model, "--name", "g", "--local", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, output, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert "cannot be written (File too large): free space" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((output / "candidates").rglob("*.*"))
    assert rows_of(folder / "good.fa", output, model).equals(scanned)


@pytest.mark.parametrize("kind", ["no such", "no card", "not safetensors", "another's weights"])
def test_a_wrong_model_is_named(tmp_path, capsys, folder, model, kind):
    path = tmp_path / "wrong.safetensors"
    card = json.loads(model.with_suffix(".json").read_text())
    if kind != "no such":
        path.write_bytes(b"not weights" if kind == "not safetensors" else model.read_bytes())
    if kind in ("not safetensors", "another's weights"):
        path.with_suffix(".json").write_text(json.dumps(card | {"digest": "0" * 64}))
    line = sentence_of(capsys, "scan", folder / "good.fa", "-o", tmp_path / "out", "--model", path, "--local")
    assert "wrong" in line
    assert not (tmp_path / "out").exists()


def test_spans_beyond_the_model_are_named(tmp_path, capsys, folder, model):
    arguments = ["scan", folder / "good.fa", "-o", tmp_path / "out", "--model", model, "--max-span"]
    assert "max-span" in sentence_of(capsys, *arguments, 401)
    assert "min-span" in sentence_of(capsys, *arguments, 20)


@pytest.mark.skipif(cuda.is_available(), reason="a GPU is here")
@pytest.mark.parametrize(("place", "words"), [("--local", "needs an NVIDIA GPU"), ("--ray", "give --local")])
def test_a_folder_that_cannot_run_here_is_named(tmp_path, capsys, folder, model, place, words):
    arguments = ["scan", folder / "good.fa", "-o", tmp_path / "out", "--model", model, "--fold-engine", "cuda", place]
    assert words in sentence_of(capsys, *arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(cuda.is_available(), reason="a GPU is here")
@pytest.mark.parametrize("place", [["--local"], ["--workers", "2"]])
def test_a_device_that_is_not_here_is_named(tmp_path, capsys, folder, model, place):
    arguments = ["scan", folder / "good.fa", "-o", tmp_path / "out", "--model", model, "--device", "cuda", *place]
    assert "torch sees no GPU here" in sentence_of(capsys, *arguments)
    assert not (tmp_path / "out").exists()


def test_a_cluster_that_does_not_answer_is_named(tmp_path, folder, model):
    """In a process of its own, which has no Ray session yet."""
    done = mirsweep(
        "scan",
        folder / "good.fa",
        "-o",
        tmp_path / "out",
        "--model",
        model,
        env=os.environ | {"RAY_ADDRESS": "127.0.0.1:1"},
    )
    assert done.returncode == 2
    assert done.stderr == (
        "mirsweep: no Ray cluster answers at RAY_ADDRESS=127.0.0.1:1: fix or unset the variable, or give --local.\n"
    )


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ({"n": "N" * 3000}, "nothing could be scanned: of 3000 letters 3000 are others than ACGU"),
        ({"n": "N" * 3000, "tiny": "ACGTTGCA"}, "and 8 lie in stretches shorter than --min-span 45"),
        ({"tiny": "ACGTTGCA", "small": "ACGT" * 11}, "the longest contig has 44 nt, fewer than the shortest hairpin"),
    ],
    ids=["N", "N and short", "short"],
)
def test_nothing_to_scan_is_said_and_leaves_nothing(tmp_path, capsys, model, records, words):
    genome = write_fasta(tmp_path / "g.fa", records)
    line = sentence_of(capsys, "scan", genome, "-o", tmp_path / "out", "--model", model, "--local", "--quiet")
    assert words.replace("ACGU", "ACGTU") in line
    assert not (tmp_path / "out").exists()


def test_nothing_to_scan_leaves_what_others_put_into_the_folder(tmp_path, capsys, model):
    genome = write_fasta(tmp_path / "g.fa", {"n": "N" * 3000})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    sentence_of(capsys, "scan", genome, "-o", tmp_path / "out", "--model", model, "--local", "--quiet")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["notes.txt"]


def test_nothing_found_is_a_complete_scan_with_a_warning(tmp_path, capsys, model):
    genome = write_fasta(tmp_path / "g.fa", {"c": "A" * 3000})
    assert rows_of(genome, tmp_path / "out", model).num_rows == 0
    assert "warning: " + f"{genome}: no candidate was found in 3000 bases" in capsys.readouterr().err
    assert main(["query", str(tmp_path / "out")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert main(["query", str(tmp_path / "out"), "--sql", "SELECT count(*) AS n FROM candidates"]) == 0
    assert capsys.readouterr().out == "n\n0\n"


@pytest.mark.parametrize("name", ["run.json", "errors.jsonl"])
def test_what_another_program_wrote_is_not_overwritten(tmp_path, capsys, folder, model, name):
    (tmp_path / name).write_text("{}")
    for more in ((), ("--overwrite",)):
        line = sentence_of(capsys, "scan", folder / "good.fa", "-o", tmp_path, "--model", model, "--local", *more)
        assert f"holds {name!r} but is no output of mirsweep scan" in line
    assert (tmp_path / name).read_text() == "{}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (">a\nACGNACGU\n", "record 'a' holds N"),
        (">a\n" + "ACGUA" * 7 + "\n>b\n" + "ACGUAC" * 5 + "ACGU\n", "record 'b' has 34 nt"),
        (">a\nA\n", "the shortest hairpin that can be scored has 35"),
        (">a\n" + "ACGUA" * 7 + "\n>b\n" + "ACGU" * 101 + "\n", "record 'b' has 404 nt"),
        (">a\n>b\nACGU\n", "'a' has no sequence"),
        ("ACGU\n", "not a FASTA file"),
        ("", "is empty"),
    ],
)
def test_bad_sequences_to_score_are_named(tmp_path, capsys, model, content, message):
    path = tmp_path / "s.fa"
    path.write_text(content)
    assert message in sentence_of(capsys, "score", path, "--model", model)
    assert message in sentence_of(capsys, "evaluate", path, path, "--model", model)


def test_training_on_one_class_or_into_a_wrong_name_is_refused(tmp_path, capsys):
    path = write_fasta(tmp_path / "s.fa", {"a": "G" * 18 + "AAAA" + "C" * 18})
    (tmp_path / "empty.fa").write_text("")
    assert "is empty" in sentence_of(capsys, "train", path, tmp_path / "empty.fa", "-o", tmp_path / "m.safetensors")
    line = sentence_of(capsys, "train", path, path, "-o", tmp_path / "m.pt", "--epochs", 1, "--quiet")
    assert ".safetensors" in line
