"""Genomes and outputs at gs://, in a server that speaks as Google's object store does."""

import os
import shutil
import signal

import pytest

from helpers_jobs import (
    CALIBRATION,
    assert_same_rows,
    kill,
    make_model,
    programs_of,
    scan_with_decoys,
    slice_bases,
    start_mirsweep,
    wait_until,
    write_fasta,
)
from mirsweep.jobs import check, read_loci, report, status
from mirsweep.jobs.results.claims import claims_in
from mirsweep.jobs.results.object_store import ObjectStore
from mirsweep.jobs.results.records import part_of, read_records
from mirsweep.jobs.results.stored import folder_to_read
from mirsweep.scanner import at_address, ranges
from mirsweep.scanner.fai import write_fai
from mirsweep.scanner.fasta_index import make_entries


@pytest.fixture
def world(gcs, tmp_path):
    """The address of a genome with an index, what is asked of it, and the output of a scan of its file."""
    genome = write_fasta(tmp_path / "ce.fa", {"c": slice_bases(0, 54_000)})
    write_fai(tmp_path / "ce.fa.fai", make_entries([genome.read_bytes()], genome))
    store = ObjectStore(gcs)
    for path in tmp_path.glob("ce.fa*"):
        store.put(path.name, path.read_bytes())
    model = make_model(tmp_path / "m.safetensors", calibration=CALIBRATION)
    asked = {"model": model, "quiet": True, "shard_nt": 9_000, "decoys": 9_000, "report": False}
    return f"{gcs}/ce.fa", asked, scan_with_decoys(genome, output=tmp_path / "plain", local=True, **asked).output


def test_a_genome_is_read_by_ranges_and_an_output_written_read_and_changed(world, gcs, cache, monkeypatch):
    genome, asked, plain = world
    monkeypatch.setattr(at_address, "_LEAST_BYTES", 1000)
    monkeypatch.setattr(ranges, "_BLOCK_BYTES", 4096)
    scan_with_decoys(genome, output=f"{gcs}/out", local=True, **asked)
    assert [path.name for path in cache.glob("remote/*/*/*")] == ["ce.fa.fai"], "the genome was not copied"
    here = {path.relative_to(plain).as_posix() for path in plain.rglob("*") if path.is_file()}
    assert ObjectStore(f"{gcs}/out").listed().keys() == here - {"_shards/lock"}
    shutil.rmtree(cache / "outputs")  # as on another machine
    assert_same_rows(f"{gcs}/out", plain)
    assert read_loci(f"{gcs}/out")["locus"].equals(read_loci(plain)["locus"])
    report(f"{gcs}/out")
    assert "report.html" in ObjectStore(f"{gcs}/out").listed()
    assert check(f"{gcs}/out").is_sound
    assert status(f"{gcs}/out").state == "complete"
    again = scan_with_decoys(genome, output=f"{gcs}/out", local=True, **asked)
    assert again.n_resumed == again.n_shards == 6


@pytest.mark.faults
def test_a_scan_on_ray_that_is_killed_goes_on_elsewhere(world, gcs, cache):
    genome, asked, plain = world
    options = ["--model", asked["model"], "--ray", "--shard-nt", 9_000, "--decoys", 9_000, "--no-report", "--quiet"]
    output = ObjectStore(f"{gcs}/killed")
    process = start_mirsweep("scan", genome, "-o", output.address, *options, "--fold-engine", "vienna")
    wait_until(lambda: sum("_shards/0" in name for name in output.listed()) >= 2, process, seconds=400)
    for pid in programs_of(process.pid, "ray")[:1]:
        os.kill(pid, signal.SIGKILL)
    kill(process)
    assert "run.json" not in output.listed()
    (cache / "outputs").rename(cache / "of another machine")
    again = start_mirsweep("scan", genome, "-o", output.address, *options, "--fold-engine", "vienna")
    said = again.communicate(timeout=400)[1]
    assert again.returncode == 0, said
    records = read_records(folder_to_read(output.address)).by_shard
    there = {name for name in output.listed() if name.startswith("candidates/")}
    assert there == {f"candidates/{part_of(record)}" for record in records.values() if record["part"]}
    assert all("attempt" in record["part"] for record in records.values()), "workers have written them"
    assert_same_rows(output.address, plain)
    assert check(output.address).is_sound
    assert not claims_in(output)
