"""What would be lost after hours is refused before the first second: outputs, and annotation that does not fit."""

import pytest

from helpers_jobs import CALIBRATION, make_model, scan, slice_bases, write_fasta
from helpers_training import make_genome_model
from mirsweep.jobs.cli.main import main

ABSENT = "no-such-input"
"""Inputs that are not there: a command that looked at them before its output would speak of them."""

COMMANDS = {
    "train": ["train", ABSENT, ABSENT, "-o", "{}.safetensors"],
    "train, the card": ["train", ABSENT, ABSENT, "-o", "{card}"],
    "adapt": ["adapt", ABSENT, "--known", ABSENT, "-o", "{}.safetensors"],
    "adapt, the card": ["adapt", ABSENT, "--known", ABSENT, "-o", "{card}"],
    "plant": ["plant", "--mirbase", ABSENT, "--genome", ABSENT, "-o", "{}"],
    "plant --antisense": ["plant", "--mirbase", ABSENT, "--genome", ABSENT, "-o", "{good}", "--antisense", "{}"],
    "mine": ["mine", ABSENT, "--known", ABSENT, "-o", "{}"],
    "draw": ["draw", ABSENT, "-o", "{}.svg"],
    "score": ["score", ABSENT, "-o", "{}"],
    "explain": ["explain", ABSENT, "-o", "{}"],
    "explain --picture": ["explain", ABSENT, "--picture", "{}.svg"],
    "query": ["query", "{scan}", "-o", "{}"],
    "query --compress": ["query", "{scan}", "--format", "bed", "--compress", "-o", "{}.gz"],
    "annotate --groups": ["annotate", ABSENT, "--genome", ABSENT, "--groups", "{}"],
    "report": ["report", "{scan}", "--known", ABSENT, "-o", "{}"],
    "scan": ["scan", "{genome}", "--local", "--model", "{model}", "-o", "{}/out"],
    "demo": ["demo", "--model", "{model}", "-o", "{}/out"],
    "reproduce": ["reproduce", "--data", ABSENT, "-o", "{}/out"],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Names that the commands' arguments are made of."""
    folder = tmp_path_factory.mktemp("outputs")
    genome = write_fasta(folder / "g.fa", {"c": slice_bases(0, 20_000)})
    model = make_model(folder / "m.safetensors", calibration=CALIBRATION)
    scan(genome, output=folder / "out", model=model, local=True, quiet=True)
    return {"genome": genome, "model": model, "scan": folder / "out"}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_output_that_cannot_be_written_is_refused_before_the_work(world, tmp_path, capsys, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "weights.json").mkdir()
    bad = tmp_path / "file" / "within"
    places = world | {"card": tmp_path / "weights.safetensors", "good": tmp_path / "good.parquet"}
    assert main([each.format(bad, **places) for each in COMMANDS[name]]) == 2
    said = capsys.readouterr()
    assert str(tmp_path) in said.err
    assert any(words in said.err for words in ("cannot be written", "is a folder"))
    assert ABSENT not in said.err
    assert said.out == ""


FILES = [name for name in COMMANDS if name not in {"scan", "demo", "reproduce"} and "card" not in name]


@pytest.mark.parametrize("name", FILES)
def test_a_folder_where_a_file_is_to_be_is_refused_before_the_work(world, tmp_path, capsys, name):
    for ending in ("", ".safetensors", ".svg", ".gz"):
        (tmp_path / f"folder{ending}").mkdir()
    places = world | {"good": tmp_path / "good.parquet"}
    assert main([each.format(tmp_path / "folder", **places) for each in COMMANDS[name]]) == 2
    said = capsys.readouterr()
    assert "is a folder: give the name of a file" in said.err
    assert ABSENT not in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", ABSENT, ABSENT, "-o", "x.pt"], "must end in .safetensors"),
        (["adapt", ABSENT, "--known", ABSENT, "-o", "x.pt"], "must end in .safetensors"),
        (["draw", ABSENT, "-o", "x.jpg"], "the ending says the format"),
        (["explain", ABSENT, "--picture", "x.png"], "must end in .svg"),
        (["query", "{scan}", "--format", "bed", "--compress", "-o", "x.bed"], "x.bed"),
        (["plant", "--mirbase", ABSENT, "--genome", ABSENT, "-o", "x", "--antisense", "./x"], "both kinds"),
    ],
)
def test_an_ending_that_does_not_fit_is_refused_before_the_work(world, tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert main([each.format(**world) for each in arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert ABSENT not in said
    assert not list(tmp_path.iterdir())


BED = {
    "no contig in common": ("elsewhere\t100\t180\ta\t0\t+\n", "none of its contigs (elsewhere) is in"),
    "beyond the end": ("c\t19950\t20010\ta\t0\t+\n", "a ends at 20010 of contig c, which has 20000 nt"),
    "one of two beyond the end": ("c\t1\t90\ta\t0\t+\nc\t19950\t20010\tb\t0\t-\n", "b ends at 20010 of contig c"),
    "nothing in it": ("# comment\n", "no known precursor"),
    "no strand": ("c\t1\t90\ta\t0\t.\n", "strand"),
}


@pytest.mark.parametrize("kind", BED)
@pytest.mark.parametrize("command", ["compare", "mine", "adapt", "annotate", "report"])
def test_known_loci_that_do_not_fit_are_refused_before_the_work(world, tmp_path, capsys, command, kind):
    content, words = BED[kind]
    known = tmp_path / "known.bed"
    known.write_text(content)
    own = tmp_path / "own"
    adapted = ["adapt", world["genome"], "--start-from", make_genome_model(tmp_path / "g.safetensors")]
    arguments = {
        "compare": ["compare", world["scan"], known],
        "mine": ["mine", world["scan"], "--known", known, "-o", own / "mined.parquet"],
        "annotate": ["annotate", world["scan"], "--known", known],
        "report": ["report", world["scan"], "--known", known, "-o", own / "page.html"],
        "adapt": [*adapted, "--known", known, "--block-nt", 1000, "-o", own / "own.safetensors"],
    }[command]
    assert main([str(each) for each in arguments]) == 2
    said = capsys.readouterr()
    assert str(known) in said.err
    assert words in said.err
    assert said.out == ""
    assert not own.exists() or not list(own.iterdir())
    assert not (world["scan"] / "annotation.parquet").exists()


def test_genomes_that_share_a_contig_leave_loci_without_an_owner(world, tmp_path, capsys):
    (tmp_path / "known.bed").write_text("c\t100\t180\ta\t0\t+\n")
    model = make_genome_model(tmp_path / "g.safetensors")
    other = write_fasta(tmp_path / "other.fa", {"c": slice_bases(40_000, 60_000)})
    arguments = ["adapt", world["genome"], other, "--known", tmp_path / "known.bed", "--start-from", model]
    assert main([str(each) for each in [*arguments, "-o", tmp_path / "own.safetensors"]]) == 2
    assert "contig 'c' is in several genomes" in capsys.readouterr().err
