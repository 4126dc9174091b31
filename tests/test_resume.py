"""Killed in the middle and run again: the rows of an undisturbed scan (invariants 1 and 6)."""

import os
import random
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from helpers_jobs import (
    SLICE,
    assert_same_rows,
    descendants,
    kill,
    make_model,
    mirsweep,
    n_committed,
    scan,
    start_mirsweep,
    wait_until,
)

pytestmark = pytest.mark.slow
N_SHARDS = 90
N_BASES = 1_800_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("resume")


@pytest.fixture(scope="module")
def inputs(folder):
    """The demo's slice, and a model."""
    return SLICE, make_model(folder / "small.safetensors")


@pytest.fixture(scope="module")
def undisturbed(folder, inputs):
    genome, model = inputs
    return scan(genome, output=folder / "undisturbed", model=model, local=True, quiet=True).output


@pytest.fixture
def arguments(inputs, tmp_path):
    genome, model = inputs
    return ["scan", genome, "-o", tmp_path / "out", "--model", model, "--shard-nt", N_BASES // N_SHARDS]


def workers_of(pid):
    """Worker processes of a scan on this machine's cores."""
    return [each for each in descendants(pid, "") if "core_work" in words_of(each)]


def is_alive(pid):
    return "core_work" in words_of(pid)


def assert_end_by_themselves(workers):
    deadline = time.monotonic() + 60
    while any(is_alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def words_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def assert_nothing_partial(output):
    """Whatever stands under its final name is whole."""
    assert not (output / "run.json").exists()
    for part in (output / "candidates").glob("part-*.parquet"):
        assert pq.read_table(part).num_rows > 0


def assert_resumes(inputs, output, undisturbed):
    genome, model = inputs
    n_done = n_committed(output)
    assert scan(genome, output=output, model=model, local=True, quiet=True).n_resumed == n_done
    assert_same_rows(output, undisturbed)


def test_driver_killed_at_three_moments(arguments, tmp_path, undisturbed):
    output = tmp_path / "out"
    moments = sorted(random.Random(5).sample(range(1, N_SHARDS * 2 // 3), 3))
    for n_done in moments:
        process = start_mirsweep(*arguments, "--local")
        wait_until(lambda n=n_done: n_committed(output) >= n, process)
        kill(process)
        assert_nothing_partial(output)
        assert n_done <= n_committed(output) < N_SHARDS
    done = mirsweep(*arguments, "--local")
    assert done.returncode == 0, done.stderr
    assert "shards were done before; going on" in done.stderr
    assert_same_rows(output, undisturbed)


@pytest.mark.parametrize("where", [["--ray"], []])
def test_driver_killed_beside_workers(arguments, inputs, tmp_path, undisturbed, where):
    output = tmp_path / "out"
    process = start_mirsweep(*arguments, *where, "--workers", 2)
    wait_until(lambda: n_committed(output) >= 3, process)
    workers = workers_of(process.pid)
    kill(process)
    assert_end_by_themselves(workers)
    assert_nothing_partial(output)
    assert n_committed(output) < N_SHARDS
    assert_resumes(inputs, output, undisturbed)


def test_workers_killed_on_ray(arguments, tmp_path, undisturbed):
    output = tmp_path / "out"
    process = start_mirsweep(*arguments, "--ray", "--workers", 2)
    killed: set[int] = set()
    for n_done, title in ((0, "ray::scan_task"), (0, "ray::scan_task"), (1, "ray::scan_task")):
        wait_until(lambda n=n_done: n_committed(output) >= n, process)
        pids = wait_until(lambda t=title: [*{*descendants(process.pid, t)} - killed], process)
        os.kill(pids[0], signal.SIGKILL)
        killed.add(pids[0])
    stdout, stderr = process.communicate(timeout=240)
    assert process.returncode == 0, stderr
    assert stdout == ""
    assert not (output / "errors.jsonl").exists()
    assert_same_rows(output, undisturbed)


def test_worker_processes_killed(arguments, tmp_path, undisturbed):
    output = tmp_path / "out"
    process = start_mirsweep(*arguments, "--workers", 2)
    killed: set[int] = set()
    for n_done in (0, 1, 4, 9):
        wait_until(lambda n=n_done: n_committed(output) >= n, process)
        pids = wait_until(lambda: [*{*workers_of(process.pid)} - killed], process)
        for pid in pids:  # all at once
            os.kill(pid, signal.SIGKILL)
        killed.update(pids)
    stdout, stderr = process.communicate(timeout=240)
    assert (process.returncode, stdout) == (0, ""), stderr
    assert not (output / "errors.jsonl").exists()
    assert len(killed) >= 5
    assert_same_rows(output, undisturbed)


@pytest.mark.parametrize("seconds", [0, 0.4])
def test_a_scan_that_is_ended_while_worker_processes_start(arguments, tmp_path, seconds):
    process = start_mirsweep(*arguments, "--workers", 2)
    workers = wait_until(lambda: workers_of(process.pid), process)
    time.sleep(seconds)
    process.send_signal(signal.SIGTERM)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130, stderr
    assert "mirsweep: interrupted" in stderr
    assert "Traceback" not in stderr
    assert_end_by_themselves(workers)
    assert_nothing_partial(tmp_path / "out")


@pytest.mark.parametrize(
    ("number", "where"),
    [
        *((number, "--local") for number in (signal.SIGINT, signal.SIGHUP)),
        *((number, "--ray") for number in (signal.SIGTERM, signal.SIGHUP)),
        *((number, "--workers=2") for number in (signal.SIGINT, signal.SIGTERM)),
    ],
)
def test_interrupted_scans_say_how_to_go_on(arguments, inputs, tmp_path, undisturbed, number, where):
    output = tmp_path / "out"
    process = start_mirsweep(*arguments, where)
    wait_until(lambda: n_committed(output) >= 2, process)
    workers = workers_of(process.pid)
    process.send_signal(number)
    stderr = process.communicate(timeout=60)[1]
    assert not any(is_alive(pid) for pid in workers)
    assert process.returncode == 130, stderr
    assert f"of {N_SHARDS} shards are done in {output}; run the same command again to go on." in stderr
    assert "Traceback" not in stderr
    assert_nothing_partial(output)
    assert_resumes(inputs, output, undisturbed)
