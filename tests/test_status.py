"""`mirsweep status`: what a scan tells of itself while it runs, when it was killed, when it is done."""

import json
import os
import signal
import socket
import time

import pytest

from helpers_jobs import CALIBRATION, SLICE, kill, make_model, mirsweep, n_committed, start_mirsweep, wait_until
from mirsweep.jobs import status
from mirsweep.jobs.results.layout import DECOYS, HEARTBEAT
from mirsweep.jobs.scanning.heartbeat import Heartbeat
from mirsweep.scanner.errors import InputError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model") / "m.safetensors", calibration=CALIBRATION)


def command(output, model, *more):
    return [
        "scan",
        SLICE,
        "-o",
        output,
        "--model",
        model,
        "--shard-nt",
        30_000,
        "--decoys",
        200_000,
        "--no-report",
        *more,
    ]


@pytest.fixture(scope="module")
def watched(tmp_path_factory, model):
    """A scan looked at while it runs, then killed, then taken up."""
    output = tmp_path_factory.mktemp("watched") / "out"
    log = output.parent / "log.txt"
    process = start_mirsweep(*command(output, model, "--log", log))
    wait_until(lambda: n_committed(output) >= 2 and (output / HEARTBEAT).exists(), process)
    running = status(output)
    wait_until(lambda: status(output).n_shards_done >= 2, process)
    midway = status(output)
    pid = process.pid
    kill(process)
    killed = status(output)
    done = mirsweep(*command(output, model, "--log", log))
    assert done.returncode == 0, done.stderr
    return output, pid, running, midway, killed, log


def test_a_running_scan_tells_how_far_it_is(watched):
    _, pid, running, midway, *_ = watched
    assert running.state == midway.state == "running"
    assert (midway.pid, midway.host) == (pid, socket.gethostname())
    assert midway.n_shards == 60
    assert 2 <= midway.n_shards_done < 60
    assert midway.n_bases_done == midway.n_shards_done * 30_000
    assert midway.n_bases > midway.n_bases_done
    assert midway.n_candidates > 0
    assert midway.seconds_left > 0
    assert midway.rate > 0
    assert set(midway.seconds_by_stage) >= {"prefilter", "fold", "score"}


def test_a_killed_one_has_stopped(watched):
    assert watched[4].state == "stopped"
    assert watched[4].n_shards_done >= 2


def test_a_complete_one_has_no_heartbeat_left(watched):
    output = watched[0]
    found = status(output)
    assert (found.state, found.stage) == ("complete", "done")
    assert found.n_shards_done == found.n_shards == 60
    assert found.decoys.state == "complete"
    assert not (output / HEARTBEAT).exists()
    assert not (output / DECOYS / HEARTBEAT).exists()


def test_the_command_says_it_in_words_and_as_json(watched):
    output = watched[0]
    shown = mirsweep("status", output)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"{output}: complete\nscan      1.8 of 1.8 Mb, 60 of 60 shards, ")
    told = json.loads(mirsweep("status", output, "--json").stdout)
    assert told["n_shards_done"] == 60
    assert told["decoys"]["state"] == "complete"


def test_the_log_names_shards_places_and_resumption(watched):
    lines = watched[5].read_text().splitlines()
    shards = [line for line in lines if " shard 0" in line and "decoys" not in line]
    assert len(shards) >= 60
    assert all(line[:4].isdigit() and line[19:21] == "Z " for line in lines)
    assert any("(slice chrX_1208000_3008000:1-30000)" in line and "prefilter" in line for line in shards)


def test_an_interrupted_one_says_that_it_is_over(tmp_path, model):
    output = tmp_path / "out"
    process = start_mirsweep(*command(output, model))
    wait_until(lambda: n_committed(output) >= 2, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    process.communicate()
    found = status(output)
    assert found.state == "stopped"
    assert found.n_shards_done == n_committed(output)
    assert "the same command as before goes on" in mirsweep("status", output).stdout


def beating(folder, *, host):
    """A scan's folder whose lock is free here, and its heart."""
    (folder / "_shards").mkdir(parents=True)
    (folder / "_shards" / "plan.json").write_text(json.dumps({"format": 2, "facts": {}}))
    heart = Heartbeat(folder, [], [])
    heart.begin()
    deadline = time.monotonic() + 10
    while not (folder / HEARTBEAT).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    beat = json.loads((folder / HEARTBEAT).read_text())
    (folder / HEARTBEAT).write_text(json.dumps(beat | {"host": host}))
    return heart


def test_a_scan_of_another_machine_is_told_by_its_heart_whatever_the_clocks(tmp_path, monkeypatch):
    """A lock may be seen on the machine that holds it alone."""
    heart = beating(tmp_path / "out", host="elsewhere")
    os.utime(tmp_path / "out" / HEARTBEAT, (1, 1))
    assert status(tmp_path / "out").state == "running"
    heart.close()
    monkeypatch.setattr("mirsweep.jobs.scanning.status.SECONDS_BETWEEN_BEATS", 0.1)
    assert status(tmp_path / "out").state == "stopped"
    beat = json.loads((tmp_path / "out" / HEARTBEAT).read_text())
    (tmp_path / "out" / HEARTBEAT).write_text(json.dumps(beat | {"host": "elsewhere", "is_over": False}))
    assert status(tmp_path / "out").state == "stopped"


def test_damaged_signs_of_life_cost_only_themselves(tmp_path):
    output = tmp_path / "out"
    (output / "_shards").mkdir(parents=True)
    (output / "_shards" / "plan.json").write_text(json.dumps({"format": 2, "facts": {}}))
    for content in ("", "{", "[]", '{"beat": 1}', '{"beat": "x"}'):
        (output / HEARTBEAT).write_text(content)
        found = status(output)
        assert (found.state, found.n_shards, found.n_shards_done) == ("stopped", None, 0)


def test_what_is_no_scan_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no output of mirsweep scan"):
        status(tmp_path)


def test_a_log_that_cannot_be_written_is_named_before_the_work(tmp_path, model):
    done = mirsweep(*command(tmp_path / "out", model, "--log", tmp_path / "none" / "log.txt"))
    assert done.returncode == 2
    assert "log.txt: cannot be written" in done.stderr
    assert not (tmp_path / "out").exists()
