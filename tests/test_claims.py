"""Two processes that want the same output in an object store: one works, whatever the machine; the other is told so."""

import contextlib
import os
import re
import sys
import threading
import time

import pytest

from helpers_jobs import (
    CALIBRATION,
    assert_same_rows,
    kill,
    make_model,
    mirsweep,
    scan,
    slice_bases,
    start,
    start_mirsweep,
    wait_until,
    write_fasta,
)
from mirsweep.jobs import status
from mirsweep.jobs.results import claims
from mirsweep.jobs.results.claims import Claim, claims_in
from mirsweep.jobs.results.mirror import Mirror
from mirsweep.jobs.results.object_store import ObjectStore
from mirsweep.scanner import InputError

OUT = "s3://genomes/out"


@pytest.fixture
def quick(monkeypatch):
    """Signs of life come and are missed sooner, in this process."""
    monkeypatch.setattr(claims, "RENEWED_SECONDS", 0.3)
    monkeypatch.setattr(claims, "STALE_SECONDS", 1.5)
    monkeypatch.setattr(claims, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(claims, "_SURE_SECONDS", 0.8)


@pytest.fixture
def asked(tmp_path):
    genome = write_fasta(tmp_path / "g.fa", {"c": slice_bases(0, 27_000)})
    model = make_model(tmp_path / "m.safetensors", calibration=CALIBRATION)
    return genome, ["--model", model, "--local", "--shard-nt", 3_000, "--decoys", "none", "--no-loci"]


def elsewhere(tmp_path):
    """What another machine has: a cache of its own."""
    return os.environ | {"MIRSWEEP_CACHE": str(tmp_path / "elsewhere")}


def test_a_second_driver_is_refused_while_the_first_one_lives(bucket, quick, asked, tmp_path):
    genome, options = asked
    first = Claim(ObjectStore(OUT))
    second = mirsweep("scan", genome, "-o", OUT, *options, env=elsewhere(tmp_path))
    assert second.returncode == 2
    assert re.fullmatch(
        rf"mirsweep: {OUT}: another mirsweep works there \(process {os.getpid()} on \S+\): wait for it, or choose "
        r"another -o\.\n",
        second.stderr,
    )
    first.check()
    assert list(claims_in(ObjectStore(OUT))) == [first.token], "who is refused leaves nothing"
    first.close()
    assert not ObjectStore(OUT).listed()


@pytest.mark.faults
def test_a_driver_that_was_killed_is_followed_by_one_elsewhere(bucket, quick, asked, tmp_path, monkeypatch, capsys):
    genome, options = asked
    plain = scan(genome, output=tmp_path / "plain", model=options[1], local=True, quiet=True, loci=False).output
    process = start_mirsweep("scan", genome, "-o", OUT, *options)
    store = ObjectStore(OUT)
    wait_until(lambda: sum("_shards/0" in name for name in store.listed()) >= 2, process, seconds=400)
    kill(process)
    (before,) = claims_in(store)
    monkeypatch.setenv("MIRSWEEP_CACHE", str(tmp_path / "elsewhere"))
    began = time.monotonic()
    done = scan(genome, output=OUT, model=options[1], local=True, quiet=True, shard_nt=3_000, loci=False)
    assert time.monotonic() - began > 1.5, "it waits for a sign of life"
    assert 2 <= done.n_resumed < done.n_shards == 9
    assert_same_rows(done.output, plain)
    assert not claims_in(store)
    assert f"process {process.pid} on " in capsys.readouterr().err
    assert before not in claims_in(store)


HOLDING = """
import time
from mirsweep.jobs.results.mirror import Mirror
mirror = Mirror({out!r})
print("works", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def killed(bucket):
    """A process that worked on the output, and was killed; whose claim is still there."""
    process = start([sys.executable, "-c", HOLDING.format(out=OUT)])
    assert process.stdout.readline() == "works\n"
    kill(process)
    assert [told.pid for told in claims_in(ObjectStore(OUT)).values()] == [process.pid]
    return process.pid


def test_who_was_killed_is_followed_by_another_machine_after_a_time(killed, quick, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIRSWEEP_CACHE", str(tmp_path / "elsewhere"))
    began = time.monotonic()
    mirror = Mirror(OUT)
    assert time.monotonic() - began > 1.5, "it waits for a sign of life"
    assert f"mirsweep: {OUT}: process {killed} on " in capsys.readouterr().err
    assert len(claims_in(ObjectStore(OUT))) == 1
    mirror.close()
    assert not ObjectStore(OUT).listed()


def test_who_was_killed_is_followed_at_once_on_the_same_machine(killed, monkeypatch):
    monkeypatch.setattr(claims, "STALE_SECONDS", 1e9)
    Mirror(OUT).close()
    assert not ObjectStore(OUT).listed()


def test_who_stood_still_writes_nothing_more_once_another_has_taken_over(bucket, quick):
    store = ObjectStore(OUT)
    still = Claim(store)
    still._stop.set()  # as a machine that sleeps
    still._thread.join()
    other = Claim(store)
    with pytest.raises(InputError, match=r"another one has taken its place: nothing more is written"):
        still.check()
    other.check()
    still.close()
    time.sleep(0.9)
    other.check()
    assert list(claims_in(store)) == [other.token]
    other.close()


def test_of_many_that_begin_at_once_one_works(bucket, quick, monkeypatch):
    monkeypatch.setattr(claims, "STALE_SECONDS", 60)  # none is stale, however slow the machine
    store, n = ObjectStore(OUT), 5
    at_once, done = threading.Barrier(n), threading.Barrier(n)
    winners, refused = [], []

    def try_it():
        at_once.wait()
        with contextlib.ExitStack() as stack:
            try:
                claim = Claim(store)
                stack.callback(claim.close)
                winners.append(claim)
            except InputError as error:
                refused.append(str(error))
            done.wait()
            for each in winners:
                each.check()

    threads = [threading.Thread(target=try_it) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(winners), len(refused)) == (1, n - 1)
    assert [sentence for sentence in refused if "another mirsweep works there" not in sentence] == []
    assert not claims_in(store)


def test_status_tells_from_anywhere_whether_a_scan_runs(bucket, quick, asked, monkeypatch):
    genome, options = asked
    put, n_left = ObjectStore._put, [8]

    def refuse(self, name, content):
        n_left[0] -= "_shards/0" in name
        if "_shards/0" in name and n_left[0] <= 0:
            raise OSError("AWS Error SLOW_DOWN")
        put(self, name, content)

    monkeypatch.setattr(ObjectStore, "_put", refuse)
    with pytest.raises(InputError, match="SLOW_DOWN"):
        scan(genome, output=OUT, model=options[1], local=True, quiet=True, shard_nt=3_000, loci=False)
    told = status(OUT)
    assert (told.state, told.n_shards_done, told.n_shards, told.decoys) == ("stopped", 7, 9, None)
    claim = Claim(ObjectStore(OUT))
    assert status(OUT).state == "running"
    claim.close()
    assert status(OUT).state == "stopped"
