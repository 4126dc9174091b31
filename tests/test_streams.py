"""Standard error that is full, closed or not read any more, and the end of the terminal: none costs a scan."""

import os
import shlex
import signal
import subprocess
import sys

import pytest

from helpers_jobs import (
    SLICE,
    command,
    make_model,
    n_committed,
    rows,
    scan,
    slice_bases,
    start_mirsweep,
    wait_until,
    write_fasta,
)
from mirsweep.jobs.cli.main import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("streams")
    write_fasta(made / "genome.fa", {"c": slice_bases(0, 20_000)})
    return made


@pytest.fixture(scope="module")
def model(folder):
    return make_model(folder / "small.safetensors")


@pytest.fixture(scope="module")
def output(folder, model):
    return scan(folder / "genome.fa", output=folder / "out", model=model, local=True, quiet=True).output


def shell(arguments: list, redirection: str) -> subprocess.CompletedProcess:
    text = f"set -o pipefail; {shlex.join(command(*arguments))} {redirection}"
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "2>&1 >/dev/null | head -c 5", ">&- 2>&- <&-"])
def test_progress_that_cannot_be_written_does_not_end_a_scan(tmp_path, folder, model, output, redirection):
    arguments = ["scan", folder / "genome.fa", "-o", tmp_path / "out", "--model", model, "--local", "--shard-nt", 500]
    done = shell(arguments, redirection)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert (tmp_path / "out" / "run.json").is_file()
    assert rows(tmp_path / "out").num_rows == rows(output).num_rows > 0


def test_a_scan_called_from_python_goes_on_too(tmp_path, folder, model):
    code = (
        "import sys; from mirsweep.jobs import scan; "
        f"scan({str(folder / 'genome.fa')!r}, output={str(tmp_path / 'out')!r}, model={str(model)!r}, local=True)"
    )
    text = f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} 2>&1 | head -c 0"
    subprocess.run(["bash", "-c", text], timeout=240, check=True)
    assert (tmp_path / "out" / "run.json").is_file()


def test_an_error_that_cannot_be_said_keeps_its_exit_code(tmp_path):
    assert shell(["scan", tmp_path / "none.fa", "-o", tmp_path / "out"], "2>/dev/full").returncode == 2


def test_data_that_cannot_be_written_are_an_error(output):
    closed = shell(["query", output], ">&-")
    assert (closed.returncode, closed.stderr) == (
        2,
        "mirsweep: standard output is closed: give -o FILE, or let the output go somewhere.\n",
    )
    full = shell(["query", output], ">/dev/full")
    assert full.returncode == 2
    assert full.stderr == "mirsweep: [Errno 28] No space left on device\n"


def test_under_nohup_a_scan_outlives_its_terminal(tmp_path, model):
    arguments = ["scan", SLICE, "-o", tmp_path / "out", "--model", model, "--local", "--shard-nt", 20_000]
    process = subprocess.Popen(
        ["nohup", *command(*arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
    )
    wait_until(lambda: n_committed(tmp_path / "out") >= 2, process)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=240)
    assert process.returncode == 0


def test_without_nohup_it_says_how_to_go_on(tmp_path, model):
    process = start_mirsweep(
        "scan", SLICE, "-o", tmp_path / "out", "--model", model, "--local", "--shard-nt", 20_000, "--quiet"
    )
    wait_until(lambda: n_committed(tmp_path / "out") >= 2, process)
    process.send_signal(signal.SIGHUP)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert stderr.lstrip().startswith("mirsweep: interrupted: ")
    assert "run the same command again to go on" in stderr


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (["--min-score", 90], "no candidate has a score of at least 90: scores go from 0."),
        (["--max-mfe", -500], "no candidate has a minimum free energy of at most -500: energies go from -"),
        (["--min-length", 900], "no candidate has a length of at least 900: lengths go from "),
        (["--contig", "c", "--max-length", 3], "no candidate on c has a length of at most 3: lengths go from "),
        (["--region", "c:1-2"], "no candidate lies on c:1-2."),
        (["--max-length", 60, "--max-mfe", -40], "passes all of the filters together (max-mfe -40.0, max-length 60)"),
    ],
    ids=str,
)
def test_a_query_without_rows_names_the_filter(capsys, output, filters, words):
    assert main(["query", str(output), *map(str, filters)]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    (line,) = err.splitlines()
    assert line.startswith("mirsweep: warning: ")
    assert words in line


def test_no_rows_that_were_asked_for_are_no_warning(capsys, output):
    assert main(["query", str(output), "--limit", "0"]) == 0
    assert capsys.readouterr().err == ""


def test_a_comparison_of_no_candidates_names_the_filter(tmp_path, capsys, output):
    known = tmp_path / "known.bed"
    known.write_text("c\t100\t200\tm\t0\t+\n")
    assert main(["compare", str(output), str(known), "--min-score", "90"]) == 0
    assert "no candidate has a score of at least 90: scores go from" in capsys.readouterr().err
