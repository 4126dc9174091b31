"""The output folder: complete or absent files, claimed by one run and one process."""

import json
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirsweep.jobs.results.contig_folders import contig_folder, old_part_path
from mirsweep.jobs.results.contigs import Contigs
from mirsweep.jobs.results.files import open_atomically, write_atomically
from mirsweep.jobs.results.layout import part_path
from mirsweep.jobs.results.records import drop_records, read_records, record_bytes
from mirsweep.jobs.results.run_json import read_run
from mirsweep.jobs.scanning.isolate import Failure
from mirsweep.jobs.scanning.shard_work import Part, ShardResult, empty_part
from mirsweep.jobs.scanning.shards import GenomeKey, Piece, RunKey, Shard
from mirsweep.jobs.scanning.staging import leave_part
from mirsweep.jobs.scanning.store import Store
from mirsweep.scanner.candidates import SCHEMA
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.params import ScanParams

SHARDS = [Shard(f"00000{i}-abc", (Piece("g", f"chr{i}", 0, 9, 9),)) for i in range(3)]
CONTIGS = Contigs.of(("g", f"chr{i}", 9) for i in range(3))
RUN = {"genomes": [{"name": "g"}], "counts": {"n_candidates": 0, "n_scanned": 9}}


def key_of(**changes) -> RunKey:
    fields = {"genomes": (GenomeKey("g", "d1"),), "params": ScanParams(), "model": "m:1", "model_digest": "11"}
    return RunKey(**(fields | changes))


def result_of(shard: Shard) -> ShardResult:
    (piece,) = shard.pieces
    part = Part(empty_part(), 0, ("g", piece.contig, 0), ("g", piece.contig, 9))
    counts = {"g": {"n_candidates": 0, "n_bases": 9, "n_invalid": 0, "n_too_short": 0}}
    return ShardResult(shard.id, part, counts, {"fold": 0.1}, {"fold": 1})


def files_of(path: Path) -> set[str]:
    return {str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()}


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "out", key_of(), SHARDS, CONTIGS)
    yield opened
    opened.close()


def reopened(store: Store, **changes) -> Store:
    store.close()
    return Store(store.path, changes.pop("key", key_of()), SHARDS, CONTIGS, **changes)


@given(st.text(min_size=1, max_size=300))
def test_contig_folders_are_single_names_that_tell_contigs_apart(name):
    folder = contig_folder(name)
    assert "/" not in folder
    assert "\0" not in folder
    assert len(folder.encode()) < 255
    assert "~" in folder or unquote(folder) == f"contig={name}"


@pytest.mark.parametrize("name", ["..", "a/../../b", "x|y", "a b", "%2e%2e", "é" * 200, "A" * 1000, "A" * 999])
def test_a_contig_never_chooses_a_path(tmp_path, name):
    path = tmp_path / old_part_path(name, "1")
    write_atomically(path, b"x")
    assert path.parent.parent == tmp_path / "candidates"
    assert path.resolve().is_relative_to(tmp_path / "candidates")


def test_long_contig_names_stay_distinct():
    assert contig_folder("A" * 1000) != contig_folder("A" * 999)


def test_a_failed_write_leaves_nothing(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), open_atomically(path) as stream:
        stream.write(b"%d" % (1 // 0))
    assert files_of(tmp_path) == {"x"}
    assert path.read_bytes() == b"old"


def test_a_committed_shard_is_done_and_the_rest_is_not(store):
    store.commit(result_of(SHARDS[1]))
    again = reopened(store)
    assert [s.id for s in again.todo] == [SHARDS[0].id, SHARDS[2].id]
    assert not again.is_complete
    again.close()


def test_parts_without_record_do_not_count(store):
    store.commit(result_of(SHARDS[0]))
    (store.path / "_shards" / f"{SHARDS[0].id}.json").unlink()
    again = reopened(store)
    assert len(again.todo) == 3
    again.close()


@pytest.mark.parametrize("content", [b"", b"{}", b'{"part": 3, "counts": {}}', b'{"part": {"rows": 1}, "counts": {}}'])
def test_a_damaged_record_means_that_the_shard_is_done_again(store, content):
    store.commit(result_of(SHARDS[0]))
    (store.path / "_shards" / f"{SHARDS[0].id}.json").write_bytes(content)
    again = reopened(store)
    assert len(again.todo) == 3
    again.close()


def test_records_lie_together_in_the_end_and_those_of_shards_done_again_are_younger(store):
    for shard in SHARDS:
        store.commit(result_of(shard))
    store.finish(dict(RUN), [])
    told = {name for name in files_of(store.path) if name.endswith((".json", ".jsonl"))}
    assert told == {"_shards/plan.json", "_shards/records.jsonl", "run.json"}
    again = reopened(store)
    assert again.is_complete
    assert json.dumps(again.records) == json.dumps(store.records)
    drop_records(again.path, [SHARDS[1].id])
    again = reopened(again)
    assert again.todo == [SHARDS[1]]
    again.commit(result_of(SHARDS[1])._replace(seconds={"fold": 7.0}))
    again = reopened(again)
    again.close()
    assert again.todo == []
    assert again.records[SHARDS[1].id]["seconds"] == {"fold": 7.0}


@pytest.mark.parametrize("shard_id", ["../../x", "x/0", "a", ""])
def test_a_record_never_chooses_a_path(store, shard_id):
    store.commit(result_of(SHARDS[0]))
    record = store.records[SHARDS[0].id] | {"shard": shard_id}
    (store.path / "_shards" / "records.jsonl").write_bytes(record_bytes(record))
    found = read_records(store.path)
    assert list(found.by_shard) == [SHARDS[0].id]
    assert list(found.damage) == ["_shards/records.jsonl"]


def test_a_lost_part_is_made_again(store):
    store.commit(result_of(SHARDS[0]))
    (store.path / part_path(SHARDS[0].id)).unlink()
    again = reopened(store)
    assert len(again.todo) == 3
    again.close()


def test_temporary_files_of_a_crash_are_removed(store):
    store.commit(result_of(SHARDS[0]))
    before = files_of(store.path)
    (store.path / "candidates" / ".part-1.parquet.77.tmp").write_bytes(b"half")
    (store.path / "_shards" / ".1.json.77.tmp").write_bytes(b"half")
    again = reopened(store)
    assert files_of(store.path) == before
    again.close()


def staged(store: Store, shard: Shard = SHARDS[0]) -> ShardResult:
    store.let_workers_write()
    return leave_part(result_of(shard), store.staging).result


def test_a_part_that_a_worker_left_is_taken_at_the_commit(store):
    result = staged(store)
    assert result.part.content is None
    assert not (store.path / part_path(result.shard_id)).exists(), "nothing is a part before it is committed"
    store.commit(result)
    part = store.path / part_path(result.shard_id)
    assert part.read_bytes() == empty_part()
    assert read_records(store.path).by_shard[result.shard_id] == json.loads(json.dumps(result_of(SHARDS[0]).record()))
    again = reopened(store)
    assert again.todo == SHARDS[1:]
    again.close()


@contextmanager
def full_disk():
    """No file of this process can be longer than 10 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_nobody_took_is_removed(store):
    staged(store)
    folder = store.staging
    assert list(folder.iterdir())
    store.close()
    assert not folder.exists()


def test_a_worker_of_a_driver_that_is_gone_changes_nothing(store):
    result, folder = staged(store), store.staging
    store.staging = None  # the driver ends without a word
    again = reopened(store)
    assert not folder.exists()
    before = files_of(store.path)
    late = leave_part(result_of(SHARDS[1]), folder).result
    assert late == result_of(SHARDS[1]), "its result goes to who no longer listens"
    assert files_of(store.path) == before
    assert again.todo == SHARDS
    assert not (store.path / part_path(result.shard_id)).exists()
    again.close()


def test_a_worker_that_cannot_write_gives_the_part_back(store):
    store.let_workers_write()
    with full_disk():
        assert leave_part(result_of(SHARDS[0]), store.staging).result == result_of(SHARDS[0])
    assert not list(store.staging.iterdir())


def test_run_json_is_written_last_and_withdrawn_on_more_work(store):
    for shard in SHARDS[:2]:
        store.commit(result_of(shard))
    assert read_run(store.path) is None
    store.finish(RUN, [Failure(SHARDS[2], "it broke")])
    assert RUN.items() <= read_run(store.path).items()
    lines = (store.path / "errors.jsonl").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in lines] == ["it broke"]
    store.reopen()
    assert read_run(store.path) is None
    assert not (store.path / "errors.jsonl").exists()


def test_without_candidates_the_dataset_has_its_columns(store):
    for shard in SHARDS:
        store.commit(result_of(shard)._replace(part=None))
    store.finish(RUN, [])
    (part,) = (store.path / "candidates").glob("*")
    assert pq.read_schema(part).equals(SCHEMA)


def test_parts_of_no_shard_are_removed_at_the_end(store):
    stray = store.path / part_path("000009-other")
    write_atomically(stray, empty_part())
    store.commit(result_of(SHARDS[0]))
    store.finish(RUN, [])
    assert [p.name for p in (store.path / "candidates").glob("*")] == [f"part-{SHARDS[0].id}.parquet"]


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"params": ScanParams(threshold=-4)}, r"parameter threshold: there -7.5, here -4"),
        ({"genomes": (GenomeKey("g", "d2"),)}, "genome g: there digest d1, here digest d2"),
        ({"model": "n:2", "model_digest": "22"}, "model: there m:1"),
        ({"shard_nt": 5}, "shard-nt: there 1000000, here 5"),
        ({"calibration": "c" * 64}, "calibration: there none, here digest cccccccccccc"),
        ({"versions": (("mirsweep", "0.0"), ("viennarna", "1"))}, "version of mirsweep"),
    ],
)
def test_another_scan_is_refused_by_name_unless_overwritten(store, changes, difference):
    store.commit(result_of(SHARDS[0]))
    (store.path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=rf"holds another scan \({difference}.*another -o.*--overwrite"):
        reopened(store, key=key_of(**changes))
    new = Store(store.path, key_of(**changes), SHARDS, CONTIGS, overwrite=True)
    assert len(new.todo) == 3
    assert files_of(store.path) == {"_shards/lock", "_shards/plan.json", "contigs.parquet", "notes.txt"}
    new.close()


def test_a_scan_with_other_columns_is_another_one(store):
    plan = store.path / "_shards" / "plan.json"
    content = json.loads(plan.read_text())
    assert content["facts"].pop("columns").startswith(f"{len(SCHEMA)} ")
    plan.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"holds another scan \(columns: there none, here "):
        reopened(store)


def test_a_damaged_plan_is_named(store):
    (store.path / "_shards" / "plan.json").write_text("{")
    with pytest.raises(InputError, match=r"plan.json: damaged"):
        reopened(store)


def test_a_damaged_run_json_is_named(store):
    (store.path / "run.json").write_text("[]")
    with pytest.raises(InputError, match=r"run.json: damaged"):
        read_run(store.path)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "candidates").mkdir()
    with pytest.raises(InputError, match="no output of mirsweep scan"):
        Store(tmp_path, key_of(), SHARDS, CONTIGS)


def test_two_processes_cannot_write_to_one_output(store):
    with pytest.raises(InputError, match="another mirsweep is writing there"):
        Store(store.path, key_of(), SHARDS, CONTIGS)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from mirsweep.jobs.results.files import write_atomically
from mirsweep.scanner.errors import InputError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically(Path(sys.argv[1]) / "x", b"0" * 5000)
except InputError as error:
    print(error)
"""


def test_a_full_disk_leaves_nothing_and_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, check=True, timeout=60
    )
    assert "x: cannot be written (File too large): free space" in done.stdout
    assert files_of(tmp_path) == set()
