"""Parts that workers put into an object store themselves: they count once a commit record names them."""

import os
import shutil
import signal
from contextlib import closing

import pytest
import ray

from helpers_jobs import (
    CALIBRATION,
    assert_same_rows,
    kill,
    make_model,
    programs_of,
    rows,
    scan_with_decoys,
    slice_bases,
    start_mirsweep,
    wait_until,
    write_fasta,
)
from mirsweep.jobs import check, status
from mirsweep.jobs.results.contigs import Contigs
from mirsweep.jobs.results.mirror import Mirror
from mirsweep.jobs.results.object_store import ObjectStore
from mirsweep.jobs.results.records import part_of, read_records
from mirsweep.jobs.results.stored import folder_to_read
from mirsweep.jobs.scanning import staging
from mirsweep.jobs.scanning.shard_work import Part, ShardResult, empty_part
from mirsweep.jobs.scanning.shards import GenomeKey, Piece, RunKey, Shard
from mirsweep.jobs.scanning.staging import leave_part
from mirsweep.jobs.scanning.store import Store
from mirsweep.scanner import InputError, ScanParams

OUT = "s3://genomes/out"
KEY = RunKey((GenomeKey("g", "d1"),), ScanParams(), "n:1", "11")
SHARDS = [Shard(f"00000{i}-a", (Piece("g", "c", 100 * i, 100 * (i + 1), 300),)) for i in range(3)]
CONTIGS = Contigs.of([("g", "c", 300)])


def result_of(shard):
    """An empty part of a shard."""
    place = ("g", "c", shard.pieces[0].start)
    return ShardResult(shard.id, Part(empty_part(), 0, place, place), {}, {"fold": 1.0}, {"fold": 1})


def opened():
    """The output, and a store on its copy that workers may write to."""
    mirror = Mirror(OUT)
    mirror.pull()
    store = Store(mirror.folder, KEY, SHARDS, CONTIGS, mirror=mirror)
    store.let_workers_write()
    return mirror, store


def parts_there():
    return {name for name in ObjectStore(OUT).listed() if "part-" in name}


def test_a_part_means_nothing_until_it_is_committed_and_is_never_overwritten(bucket):
    mirror, store = opened()
    with closing(mirror), closing(store):
        first, again = (leave_part(result_of(SHARDS[0]), store.staging).result for _ in range(2))
        assert first.part.content is again.part.content is None
        assert len(parts_there()) == 2, "each attempt has a name of its own"
        assert store.todo == SHARDS
        store.commit(first)
    mirror, store = opened()  # both the driver and what it knew are gone
    with closing(mirror), closing(store):
        assert store.todo == SHARDS[1:]
        assert store.records[SHARDS[0].id]["part"]["attempt"] == first.part.staged.attempt
        assert not (mirror.folder / "candidates" / again.part.staged.name).exists(), "nobody needs that here"
        for shard in SHARDS[1:]:
            store.commit(leave_part(result_of(shard), store.staging).result)
        store.finish({"counts": {"n_candidates": 0, "n_scanned": 0, "n_shards": 3}, "genomes": [{"name": "g"}]}, [])
        mirror.settle()
        mirror.finish()
    records = read_records(folder_to_read(OUT)).by_shard
    assert parts_there() == {f"candidates/{part_of(record)}" for record in records.values()}
    assert len(records) == 3
    assert not check(OUT).damage


def test_a_worker_whose_driver_is_gone_puts_nothing(bucket):
    mirror, store = opened()
    place = store.staging
    store.close()
    mirror.close()
    left = leave_part(result_of(SHARDS[0]), place)
    assert left.result == result_of(SHARDS[0])
    assert left.refusal == "does not write to the output (the driver's claim is not there)"
    assert not parts_there()


def test_a_store_that_refuses_is_asked_again_later(bucket, monkeypatch):
    mirror, store = opened()
    with closing(mirror), closing(store):
        put, n_asked = ObjectStore.put, []

        def refuse(self, name, content):
            n_asked.append(name)
            raise InputError("refuses") from OSError("AWS Error ACCESS_DENIED\nsecond line")

        monkeypatch.setattr(ObjectStore, "put", refuse)
        refusals = {leave_part(result_of(shard), store.staging).refusal for shard in SHARDS}
        assert refusals == {"does not write to the output (AWS Error ACCESS_DENIED)"}
        assert len(n_asked) == 1, "not for each part"
        monkeypatch.setattr(ObjectStore, "put", put)
        monkeypatch.setattr(staging, "_AGAIN_SECONDS", 0.0)
        assert leave_part(result_of(SHARDS[0]), store.staging).result.part.staged


def test_a_part_that_is_lost_from_the_store_is_missed_before_the_scan_is_complete(bucket):
    mirror, store = opened()
    with closing(mirror), closing(store):
        done = leave_part(result_of(SHARDS[0]), store.staging).result
        store.commit(done)
        mirror.store.remove(f"candidates/{done.part.staged.name}")
        with pytest.raises(InputError, match=r"candidates/part-000000-a\.\w+\.parquet: is gone from the store"):
            mirror.settle()
    mirror, store = opened()
    with closing(mirror), closing(store):
        assert store.todo == SHARDS


@pytest.fixture
def session(bucket):
    """A Ray session that scans join; its workers see the store."""
    os.environ.update(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0", RAY_USAGE_STATS_ENABLED="0")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80 << 20)
    yield
    ray.shutdown()


@pytest.fixture
def world(tmp_path, bucket):
    """A genome in six shards, what is asked of it, and the output of a scan into a folder."""
    genome = write_fasta(tmp_path / "g.fa", {"c": slice_bases(0, 54_000)})
    model = make_model(tmp_path / "m.safetensors", calibration=CALIBRATION)
    asked = {"model": model, "quiet": True, "shard_nt": 9_000, "decoys": 9_000, "report": False}
    return genome, asked, scan_with_decoys(genome, output=tmp_path / "plain", local=True, **asked).output


@pytest.mark.slow
def test_on_ray_workers_write_and_the_driver_only_commits(world, session, monkeypatch, cache, capsys):
    genome, asked, plain = world
    put, by_driver = ObjectStore.put, []
    monkeypatch.setattr(ObjectStore, "put", lambda self, name, what: by_driver.append(name) or put(self, name, what))
    done = scan_with_decoys(genome, output=OUT, local=False, **asked)
    assert [name for name in by_driver if "part-" in name] == []
    assert sum(node["written"] for node in done.run["executor"]["nodes"]) == 6
    assert len(parts_there()) == 7, "six, and one of decoys"
    assert "does not write" not in capsys.readouterr().err
    shutil.rmtree(cache / "outputs")  # as on another machine
    assert_same_rows(OUT, plain)
    assert check(OUT).is_sound
    assert status(OUT).state == "complete"

    other = "s3://genomes/other"
    monkeypatch.setattr(Mirror, "claim_token", "of nobody")
    done = scan_with_decoys(genome, output=other, local=False, **asked)
    assert sum(node["written"] for node in done.run["executor"]["nodes"]) == 0
    assert sum("part-" in name for name in by_driver) == 7, "the driver does what workers cannot"
    assert_same_rows(other, plain)
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "does not write" in line]
    assert said.startswith(f"mirsweep: warning: {other}: a worker on ")
    assert said.endswith("(the driver's claim is not there): the driver writes for all that cannot.")


@pytest.mark.faults
def test_workers_and_driver_killed_while_workers_write(tmp_path, bucket, cache):
    genome = write_fasta(tmp_path / "g.fa", {"c": slice_bases(0, 240_000)})
    model = make_model(tmp_path / "m.safetensors")
    asked = ["--model", model, "--shard-nt", 6_000, "--decoys", "none", "--fold-engine", "vienna", "--ray", "--quiet"]
    plain = scan_with_decoys(genome, output=tmp_path / "plain", model=model, local=True, quiet=True, decoys="none")
    store, n_before = ObjectStore(OUT), 0
    for after, targets in ((3, ("ray::scan_task",)), (6, ("ray::scan_task",)), (10, ("raylet",))):
        process = start_mirsweep("scan", genome, "-o", OUT, *asked)
        wait_until(lambda n=after: sum("_shards/0" in name for name in store.listed()) >= n, process, seconds=200)
        for name in targets:
            for pid in programs_of(process.pid, name)[:1]:
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda n=after: sum("_shards/0" in name for name in store.listed()) > n, process, seconds=200)
        kill(process)
        process.communicate()
        n_done = sum("_shards/0" in name for name in store.listed())
        assert n_done > n_before, "nothing that was done is lost"
        n_before = n_done
        shutil.rmtree(cache / "outputs")
    done = start_mirsweep("scan", genome, "-o", OUT, *asked)
    _, said = done.communicate(timeout=300)
    assert done.returncode == 0, said
    records = read_records(folder_to_read(OUT)).by_shard
    assert parts_there() == {f"candidates/{part_of(record)}" for record in records.values() if record["part"]}
    assert rows(OUT).num_rows == rows(plain.output).num_rows
    assert_same_rows(OUT, plain.output)
    assert check(OUT).is_sound
