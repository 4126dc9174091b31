"""Where Ray's own session stands: private, short, removed; and places that are small, full, another's or not there."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from helpers_jobs import (
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
from mirsweep.jobs.scanning.ray_session import private_folder, store_options
from mirsweep.scanner import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("session")
    write_fasta(made / "genome.fa", {"c": slice_bases(0, 60_000)})
    return made


@pytest.fixture(scope="module")
def model(folder):
    return make_model(folder / "small.safetensors")


@pytest.fixture(scope="module")
def output(folder, model):
    return scan(folder / "genome.fa", output=folder / "out", model=model, local=True, quiet=True).output


@pytest.fixture
def short():
    """A folder with a short path, as pytest's own are not."""
    made = tempfile.mkdtemp(prefix="s", dir="/tmp")
    yield Path(made)
    shutil.rmtree(made, ignore_errors=True)


def test_the_folder_is_private_and_removed(monkeypatch, short):
    monkeypatch.setenv("RAY_TMPDIR", str(short))
    with private_folder() as made:
        assert made.parent == short
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        (made / "session").mkdir()
        (made / "session" / "log").write_text("x")
    assert list(short.iterdir()) == []


def test_what_a_killed_program_left_is_removed_and_no_more(monkeypatch, short):
    monkeypatch.setenv("RAY_TMPDIR", str(short))
    code = (
        "import os; from mirsweep.jobs.scanning.ray_session import private_folder\n"
        "with private_folder() as folder: (folder / 'log').write_text('x'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 9
    (short / "mirsweep-other").mkdir()
    (left,) = short.glob("*/log")
    with private_folder() as mine, private_folder() as another:
        assert not left.exists()
        assert {path.name for path in short.iterdir()} == {mine.name, another.name, "mirsweep-other"}


@pytest.mark.parametrize("variable", ["RAY_TMPDIR", "TMPDIR"])
def test_a_place_that_cannot_serve_is_passed_over(tmp_path, monkeypatch, variable):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.delenv("TMPDIR", raising=False)
    long = tmp_path / ("x" * 100)
    long.mkdir()
    for place in (long, tmp_path / "none", "/proc"):
        monkeypatch.setenv(variable, str(place))
        with private_folder() as made:
            assert made.parent == Path("/tmp")
        assert list(long.iterdir()) == []


def test_no_place_at_all_is_one_sentence(monkeypatch):
    monkeypatch.setattr(tempfile, "mkdtemp", None)  # must not be reached: every place is full
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(9, 9, 0))
    with pytest.raises(InputError, match=r"none of .*/tmp.* has .* 50 MB free; set RAY_TMPDIR"), private_folder():
        pass


def test_the_object_store_fits_into_shared_memory(tmp_path):
    """As much of it as there is, or none of it; a system without it has none."""
    assert store_options(tmp_path, shm=tmp_path / "none")["_plasma_directory"] == str(tmp_path)
    assert "_plasma_directory" not in store_options(tmp_path, shm=tmp_path)


def arguments_of(genome, output, model):
    return ["scan", genome, "-o", output, "--model", model, "--ray", "--workers", 1, "--shard-nt", 2_000]


@pytest.mark.slow
def test_an_interrupted_session_leaves_nothing(tmp_path, monkeypatch, short, folder, model):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(short))
    process = start_mirsweep(*arguments_of(folder / "genome.fa", tmp_path / "out", model))
    wait_until(lambda: n_committed(tmp_path / "out") >= 1, process)
    (made,) = short.iterdir()
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert list(made.glob("*/session_*/sockets"))
    process.send_signal(signal.SIGTERM)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130, stderr
    assert list(short.iterdir()) == []


def in_namespace(setup: str, arguments: list, *, user: int | None = None, cwd: Path | None = None):
    """Run mirsweep where the mounts of a shell script hold; as another user, who may read all files, without a home."""
    can_mount = (
        shutil.which("unshare") and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0
    )
    if not can_mount or (user and not shutil.which("setpriv")):
        pytest.skip("no right to make a mount namespace, or to become another user")
    words = [str(word) for word in command(*arguments)]
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    if user:
        rights = "+dac_override,+dac_read_search"
        words = [
            "setpriv",
            f"--reuid={user}",
            f"--regid={user}",
            "--clear-groups",
            f"--inh-caps={rights}",
            f"--ambient-caps={rights}",
            *words,
        ]
        for name in ("HOME", "XDG_CACHE_HOME", "MIRSWEEP_CACHE", "NUMBA_CACHE_DIR", "USER", "LOGNAME"):
            environment.pop(name, None)
    script = f'set -e\n{setup}\nexec "$@"'
    return subprocess.run(
        ["unshare", "-m", "bash", "-c", script, "bash", *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
        cwd=cwd,
    )


@pytest.mark.slow
def test_small_shared_memory_a_long_tmpdir_and_anothers_tmp_ray(tmp_path, monkeypatch, folder, model, output):
    """What containers and shared machines have: 64 MB of shared memory, a deep TMPDIR, a /tmp/ray that is not ours."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    setup = "mount -t tmpfs -o size=64m tmpfs /dev/shm\nmkdir -p /tmp/ray\nmount -t tmpfs -o size=64k,ro tmpfs /tmp/ray"
    done = in_namespace(setup, [*arguments_of(folder / "genome.fa", tmp_path / "out", model), "--quiet"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert rows(tmp_path / "out").num_rows == rows(output).num_rows > 0


@pytest.mark.slow
def test_a_user_without_home_or_entry(tmp_path, folder, model, output):
    """As in a container that runs with a number for a user: no folder named ~, no error from Ray."""
    place = tmp_path / "work"
    place.mkdir()
    os.chown(place, 54_321, 54_321)
    for parent in place.parents[:2]:
        parent.chmod(0o755)
    shutil.copy(folder / "genome.fa", place)
    done = in_namespace("true", [*arguments_of("genome.fa", "out", model), "--quiet"], user=54_321, cwd=place)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr
    assert {path.name for path in place.iterdir()} == {"genome.fa", "genome.fa.fai", "out"}
    assert rows(place / "out").num_rows == rows(output).num_rows > 0
