"""Ray's own processes killed, and programs ended while Ray starts: a sentence, the right exit code, nothing lost."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from helpers_jobs import (
    SLICE,
    assert_same_rows,
    command,
    make_model,
    mirsweep,
    n_committed,
    programs_of,
    scan,
    start,
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


@pytest.fixture
def place(monkeypatch):
    """A folder for Ray's files, with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        yield Path(folder)


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_a_killed_session_ends_the_scan_with_a_sentence(tmp_path, model, undisturbed, name, place):
    output = tmp_path / "out"
    process = start_mirsweep(*arguments(output, model, "--ray", "--workers", 2))
    wait_until(lambda: n_committed(output) >= 2, process)
    assert list(place.glob("mirsweep-*"))
    pids = wait_until(lambda: programs_of(process.pid, name), process)
    os.kill(pids[0], signal.SIGKILL)
    stderr = process.communicate(timeout=120)[1]
    assert process.returncode == 2, stderr
    assert f"mirsweep: Ray's process {name} has ended" in stderr
    assert "run the same command again" in stderr
    assert "Traceback" not in stderr
    assert not (output / "run.json").exists()
    assert not list(place.iterdir()), "the session's folder is removed"
    done = mirsweep(*arguments(output, model, "--local"))
    assert done.returncode == 0, done.stderr
    assert "of 90 shards were done before" in done.stderr
    assert_same_rows(output, undisturbed)


@pytest.mark.parametrize(
    ("title", "number"),
    [("gcs_server", signal.SIGTERM), ("raylet", signal.SIGINT), ("ray", signal.SIGTERM), ("ray", signal.SIGINT)],
)
@pytest.mark.parametrize("seconds", [0, 0.3, 0.6])
def test_a_scan_that_is_ended_while_ray_starts(tmp_path, model, title, number, seconds):
    output = tmp_path / "out"
    process = start_mirsweep(*arguments(output, model, "--ray", "--workers", 2))
    wait_until(lambda: programs_of(process.pid, title), process)
    time.sleep(seconds)
    process.send_signal(number)
    stderr = process.communicate(timeout=120)[1]
    assert process.returncode == 130, stderr
    assert "mirsweep: interrupted" in stderr
    assert "Traceback" not in stderr
    assert "C++" not in stderr
    assert not (output / "run.json").exists()


@pytest.fixture
def may_mount():
    """Whether this user may have file systems of its own, in a name space of its own."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("needs unshare and user name spaces")


@pytest.mark.parametrize("shm_mb", [1024, 64])
def test_a_place_that_fills_up_during_a_scan(tmp_path, model, undisturbed, may_mount, place, shm_mb, monkeypatch):
    """With 64 MB of shared memory, as containers have, the object store stands in that place, too."""
    output = tmp_path / "out"
    mounts = f"mount -t tmpfs -o size=400m t {place} && mount -t tmpfs -o size={shm_mb}m t /dev/shm"
    words = command(*arguments(output, model, "--ray", "--workers", 2))
    process = start(["unshare", "-rm", "sh", "-c", f'{mounts} && exec "$@"', "sh", *words])
    wait_until(lambda: n_committed(output) >= 2, process)
    inside = Path(f"/proc/{process.pid}/root{place}")
    assert list(inside.glob("mirsweep-*"))
    with suppress(OSError), open(inside / "fill", "wb", buffering=0) as stream:
        while True:
            stream.write(bytes(1 << 20))
    stderr = process.communicate(timeout=200)[1]
    assert process.returncode in {0, 2}, stderr
    assert "Traceback" not in stderr
    if process.returncode == 2:
        assert "run the same command again" in stderr
        monkeypatch.delenv("RAY_TMPDIR")
        done = mirsweep(*arguments(output, model, "--local"))
        assert done.returncode == 0, done.stderr
    assert_same_rows(output, undisturbed)
