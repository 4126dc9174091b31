"""The manners of the command line: examples in help, suggestions, completion, JSON and quiet everywhere."""

import json
import os
import re
import shlex
import shutil
import subprocess

import pytest

from helpers_jobs import command as typed_command
from helpers_jobs import make_model, rows, scan, slice_bases, write_fasta
from mirsweep.jobs import score
from mirsweep.jobs.cli.main import cli, main
from mirsweep.scanner.errors import InputError


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("manners")
    model = make_model(folder / "small.safetensors")
    genome = write_fasta(folder / "genome.fa", {"c": slice_bases(0, 25_000)})
    scan(genome, output=folder / "out", model=model, quiet=True)
    return folder / "out"


def run(capsys, *arguments) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def examples_of(name: str) -> list[str]:
    return re.findall(r"^ +(mirsweep .*)$", cli.get_command(None, name).epilog or "", re.M)


@pytest.mark.parametrize("name", cli.list_commands(None))
def test_help_has_examples_that_can_be_typed(name):
    """Their options exist and take such values; the files are anybody's."""
    command = cli.get_command(None, name)
    lines = examples_of(name)
    assert lines
    for line in lines:
        words = shlex.split(line.partition(" < ")[0])
        assert words[1] == name
        command.make_context(name, words[2:])


@pytest.mark.parametrize("name", cli.list_commands(None))
def test_every_command_takes_json_and_quiet(name):
    options = {option for parameter in cli.get_command(None, name).params for option in parameter.opts}
    assert {"--json", "--quiet"} <= options


def test_commands_for_models_come_last(capsys):
    _, out, _ = run(capsys, "--help")
    assert out.index("  scan ") < out.index("  compare ") < out.index("Commands to build and measure models:")
    assert out.index("Commands to build and measure models:") < out.index("  train ")


@pytest.mark.parametrize(("typed", "meant"), [("scna", "scan"), ("compere", "compare"), ("locus", "loci")])
def test_a_misspelt_command_gets_the_nearest_name(capsys, typed, meant):
    code, _, err = run(capsys, typed, "out")
    assert code == 2
    assert re.search(f"no command {typed!r}: did you mean .*{meant!r}", err)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell):
    environment = os.environ | {"_MIRSWEEP_COMPLETE": f"{shell}_source"}
    script = subprocess.run(typed_command(), env=environment, capture_output=True, text=True, check=False).stdout
    assert f"_MIRSWEEP_COMPLETE={shell}_complete" in script
    words = {"COMP_WORDS": "mirsweep qu", "COMP_CWORD": "1"} | ({"COMP_CWORD": "qu"} if shell == "fish" else {})
    asked = environment | {"_MIRSWEEP_COMPLETE": f"{shell}_complete"} | words
    assert "query" in subprocess.run(typed_command(), env=asked, capture_output=True, text=True, check=True).stdout


def test_what_was_done_comes_as_json(capsys, output, tmp_path):
    whole = tmp_path / "copy"
    shutil.copytree(output, whole)
    n = rows(whole).num_rows
    code, out, err = run(capsys, "check", whole, "--json", "--quiet")
    assert (code, err) == (0, "")
    assert json.loads(out)["n_rows"] == n
    part = next((whole / "candidates").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    code, out, _ = run(capsys, "check", whole, "--json")
    assert code == 1
    assert [each["file"] for each in json.loads(out)["damage"]] == [f"candidates/{part.name}"]
    code, out, _ = run(capsys, "query", output, "--limit", "2", "--json")
    assert [row["sequence"] for row in json.loads(out)] == rows(output)["sequence"].to_pylist()[:2]


def test_a_scan_tells_what_it_did_as_json(capsys, output, tmp_path):
    genome, model = output.parent / "genome.fa", output.parent / "small.safetensors"
    code, out, err = run(capsys, "scan", genome, "-o", tmp_path / "out", "--model", model, "--json", "--quiet")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["n_candidates"] == rows(output).num_rows
    assert (told["failures"], told["loci"], told["output"]) == ([], None, str(tmp_path / "out"))


LET_7_HAIRPIN = "UACACUGUGGAUCCGGUGAGGUAGUAGGUUGUAUAGUUUGGAAUAUUACCACCGGUGAACUAUGCAAUUUUCUACCUUACCGGAGACAGAACUCUUCGA"


def test_sequences_are_scored_as_they_come(tmp_path):
    path = write_fasta(tmp_path / "s.fa", {"let-7": LET_7_HAIRPIN})
    from_file = score(path)
    assert score({"let-7": LET_7_HAIRPIN}).equals(from_file)
    assert score([LET_7_HAIRPIN.lower()]).drop_columns(["id"]).equals(from_file.drop_columns(["id"]))
    assert score([LET_7_HAIRPIN, LET_7_HAIRPIN])["id"].to_pylist() == ["1", "2"]
    assert score([]).num_rows == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (LET_7_HAIRPIN, "a file is expected: give a single sequence in a list"),
        (["ACGU" * 5], "the sequences given: record '1' has 20 nt"),
        ({"x": "ACGN" * 20}, "the sequences given: record 'x' holds N"),
        ([7], "the sequences given: '1' is no text but int"),
    ],
)
def test_sequences_that_cannot_be_scored_are_named(given, message):
    with pytest.raises(InputError, match=message):
        score(given)
