"""Commands in a shell: standard input, process substitution, and a locale without letters beyond ASCII."""

import gzip
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from helpers_jobs import make_model, rows, slice_bases, write_fasta
from mirsweep.jobs.cli.main import main

BASES = slice_bases(9_000, 13_000)
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """genome.fa and genome.fa.gz, a scan of it, a model, and the candidates as BED."""
    made = tmp_path_factory.mktemp("pipes")
    genome = write_fasta(made / "genome.fa", {"c": BASES})
    (made / "genome.fa.gz").write_bytes(gzip.compress(genome.read_bytes()))
    make_model(made / "m.safetensors")
    options = ["--model", made / "m.safetensors", "--name", "g", "--local", "--quiet"]
    assert main([str(a) for a in ("scan", genome, "-o", made / "scanned", *options)]) == 0
    assert main(["query", str(made / "scanned"), "--format", "bed", "-o", str(made / "known.bed")]) == 0
    return made


def shell(folder: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"PATH={shlex.quote(str(BIN))}:$PATH; set -o pipefail; {script}"],
        capture_output=True,
        encoding="utf-8",
        cwd=folder,
        env=os.environ | variables,
        timeout=240,
        check=False,
    )


SCAN = "mirsweep scan {} -o {} --model m.safetensors --local --quiet"


@pytest.mark.parametrize(
    ("source", "name"),
    [("cat genome.fa | {}", "-"), ("{}", "<(zcat genome.fa.gz)"), ("cat genome.fa.gz | {}", "/dev/stdin")],
)
def test_a_scan_of_a_pipe_gives_the_rows_of_the_file(folder, tmp_path, source, name):
    output = tmp_path / "out"
    for _ in range(2):  # the second time there is nothing to do
        done = shell(folder, source.format(SCAN.format(name, shlex.quote(str(output)))))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = rows(output)
    assert set(found["genome"].to_pylist()) == {"stdin"}
    assert found.drop_columns(["genome"]).equals(rows(folder / "scanned").drop_columns(["genome"]))
    assert found.num_rows > 5


def test_a_pipe_can_be_named(folder, tmp_path):
    command = SCAN.format("-", shlex.quote(str(tmp_path / "out"))) + " --name g"
    assert shell(folder, f"{command} < genome.fa").returncode == 0
    assert rows(tmp_path / "out").equals(rows(folder / "scanned"))


@pytest.mark.parametrize("script", [SCAN.format("-", "nothing") + " < /dev/null", "mirsweep score - < /dev/null"])
def test_an_empty_standard_input_is_named(folder, script):
    done = shell(folder, script)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("mirsweep: standard input: the file is empty; give FASTA with at least one record.\n")
    assert not (folder / "nothing").exists()


def test_known_precursors_and_sequences_come_from_pipes(folder):
    done = shell(
        folder,
        "mirsweep compare scanned <(gzip -c known.bed) --json; cat known.bed | mirsweep compare scanned - --json",
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first == second
    assert first["n_recovered"] == first["n_known"] > 5
    done = shell(folder, "mirsweep query scanned --format fasta --limit 3 | mirsweep score - --model m.safetensors")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 4


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_any_name_in_any_locale(folder, tmp_path, locale):
    genome = tmp_path / "génome.fa"
    genome.write_bytes(">chré\n".encode() + b"".join((folder / "genome.fa").read_bytes().splitlines(True)[1:]))
    output = shlex.quote(str(tmp_path / "out"))
    script = f"{SCAN.format(shlex.quote(str(genome)), output)} && mirsweep query {output} --contig chré"
    done = shell(folder, script, LC_ALL=locale)
    assert (done.returncode, done.stderr) == (0, "")
    table = rows(tmp_path / "out")
    assert set(table["genome"].to_pylist()) == {"génome"}
    assert set(table["contig"].to_pylist()) == {"chré"}
    assert len(done.stdout.splitlines()) == table.num_rows + 1 > 5
    assert "\tchré\t" in done.stdout


def test_training_on_a_pipe_is_refused(folder):
    done = shell(folder, "mirsweep train - genome.fa -o own.safetensors < genome.fa")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("mirsweep: standard input: a pipe; training describes its files in the card: give a file.\n")
    assert not list(folder.glob("own.*"))
