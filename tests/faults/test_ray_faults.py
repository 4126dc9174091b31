"""Ray's own processes killed, and programs ended while Ray starts: a sentence, the right exit code, nothing lost."""

import os
import signal
import time
from pathlib import Path

import pytest

from helpers_jobs import (
    SLICE,
    assert_same_rows,
    descendants,
    make_model,
    mirsweep,
    n_committed,
    scan,
    start_mirsweep,
    wait_until,
)

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model") / "m.safetensors")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, model):
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    scan(SLICE, output=output, model=model, local=True, quiet=True, shard_nt=20_000)
    return output


def arguments(output, model, *where):
    settings = ["--model", model, "--shard-nt", 20_000, "--decoys", "none"]
    return ["scan", SLICE, "-o", output, *settings, *where]


def programs_of(pid: int, name: str) -> list[int]:
    """Processes below one whose command begins with a program of this name, or with a title such as ``ray::``."""
    found = []
    for each in descendants(pid, ""):
        try:
            words = Path(f"/proc/{each}/cmdline").read_text().split("\0")
        except OSError:  # it has just ended
            continue
        if os.path.basename(words[0]) == name or words[0].startswith(f"{name}::"):
            found.append(each)
    return found


def folders() -> set[Path]:
    return set(Path("/tmp").glob("mirsweep-*/ray.lock"))


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_a_killed_session_ends_the_scan_with_a_sentence(tmp_path, model, undisturbed, name, monkeypatch):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    output = tmp_path / "out"
    before = folders()
    process = start_mirsweep(*arguments(output, model, "--ray", "--workers", 2))
    wait_until(lambda: n_committed(output) >= 2, process)
    pids = wait_until(lambda: programs_of(process.pid, name), process)
    os.kill(pids[0], signal.SIGKILL)
    stderr = process.communicate(timeout=120)[1]
    assert process.returncode == 2, stderr
    assert f"mirsweep: Ray's process {name} has ended" in stderr
    assert "run the same command again" in stderr
    assert "Traceback" not in stderr
    assert not (output / "run.json").exists()
    assert folders() <= before, "the session's folder is removed"
    done = mirsweep(*arguments(output, model, "--local"))
    assert done.returncode == 0, done.stderr
    assert "of 90 shards were done before" in done.stderr
    assert_same_rows(output, undisturbed)


@pytest.mark.parametrize(
    ("title", "number"),
    [("gcs_server", signal.SIGTERM), ("raylet", signal.SIGTERM), ("ray", signal.SIGTERM), ("ray", signal.SIGINT)],
)
def test_a_scan_that_is_ended_while_ray_starts(tmp_path, model, title, number):
    output = tmp_path / "out"
    process = start_mirsweep(*arguments(output, model, "--ray", "--workers", 2))
    wait_until(lambda: programs_of(process.pid, title), process)
    time.sleep(0.3)
    process.send_signal(number)
    stderr = process.communicate(timeout=120)[1]
    assert process.returncode == 130, stderr
    assert "mirsweep: interrupted" in stderr
    assert "Traceback" not in stderr
    assert "C++" not in stderr
    assert not (output / "run.json").exists()
