"""Outputs in an object store: of an S3-compatible server on this machine."""

import shutil

import pytest

from helpers_jobs import (
    CALIBRATION,
    assert_same_rows,
    kill,
    make_model,
    rows,
    scan_with_decoys,
    slice_bases,
    start_mirsweep,
    wait_until,
    write_fasta,
)
from mirsweep.jobs import check, query, read_loci
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.results.mirror import Mirror
from mirsweep.jobs.results.object_store import ObjectStore
from mirsweep.scanner import InputError


@pytest.fixture
def world(tmp_path, bucket):
    """A genome in six shards, a model, and the output of a scan into a folder."""
    genome = write_fasta(tmp_path / "g.fa", {"c": slice_bases(0, 54_000)})
    model = make_model(tmp_path / "m.safetensors", calibration=CALIBRATION)
    asked = {"model": model, "local": True, "quiet": True, "shard_nt": 9_000, "decoys": 9_000, "report": False}
    return genome, asked, scan_with_decoys(genome, output=tmp_path / "plain", **asked).output


def names_in(store, folder):
    from pyarrow import fs

    found = store.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    return {each.path.removeprefix(f"{folder}/") for each in found if each.type == fs.FileType.File}


def test_a_scan_into_an_object_store_is_that_into_a_folder(world, bucket, cache, capsys):
    genome, asked, plain = world
    done = scan_with_decoys(genome, output="s3://genomes/out", **asked)
    here = {path.relative_to(plain).as_posix() for path in plain.rglob("*") if path.is_file()}
    assert names_in(bucket, "genomes/out") == here - {"_shards/lock"}
    shutil.rmtree(cache / "outputs")  # as on another machine
    assert query("s3://genomes/out").num_rows == rows(plain).num_rows == done.n_candidates
    assert read_loci("s3://genomes/out")["locus"].equals(read_loci(plain)["locus"])
    assert_same_rows("s3://genomes/out", plain)
    assert check("s3://genomes/out").is_sound
    again = scan_with_decoys(genome, output="s3://genomes/out", **asked)
    assert again.n_resumed == again.n_shards == 6
    assert main(["report", str(again.output)]) == 2
    assert "s3://genomes/out: is the copy of an output in an object store" in capsys.readouterr().err


@pytest.mark.faults
def test_a_killed_scan_goes_on_from_the_store_on_another_machine(world, bucket, cache):
    genome, asked, plain = world
    options = ["--model", asked["model"], "--local", "--shard-nt", 9_000, "--decoys", 9_000, "--no-report"]
    process = start_mirsweep("scan", genome, "-o", "s3://genomes/killed", *options)
    wait_until(
        lambda: sum("_shards/0" in name for name in names_in(bucket, "genomes/killed")) >= 2, process, seconds=400
    )
    kill(process)
    left = names_in(bucket, "genomes/killed")
    assert "run.json" not in left
    shutil.rmtree(cache / "outputs")
    done = scan_with_decoys(genome, output="s3://genomes/killed", **asked)
    assert 2 <= done.n_resumed < 6
    assert_same_rows(done.output, plain)
    assert names_in(bucket, "genomes/killed") == names_in(bucket, "genomes/killed") | {"run.json", "loci.parquet"}
    assert not {name for name in names_in(bucket, "genomes/killed") if name.startswith("_shards/0")}


def test_a_store_that_refuses_is_one_sentence_and_the_scan_goes_on_later(world, bucket, monkeypatch):
    genome, asked, plain = world
    with pytest.raises(InputError, match="s3://nowhere/out: the object store refuses"):
        scan_with_decoys(genome, output="s3://nowhere/out", **asked)
    put, n_left = ObjectStore._put, [6]

    def refuse(self, name, content):
        n_left[0] -= "claims" not in name and "heartbeat" not in name
        if n_left[0] < 0:
            raise OSError("AWS Error SLOW_DOWN")
        put(self, name, content)

    monkeypatch.setattr(ObjectStore, "_put", refuse)
    with pytest.raises(InputError, match=r"refuses .AWS Error SLOW_DOWN.: check .* run the command again"):
        scan_with_decoys(genome, output="s3://genomes/slow", **asked)
    monkeypatch.setattr(ObjectStore, "_put", put)
    done = scan_with_decoys(genome, output="s3://genomes/slow", **asked)
    assert done.n_resumed == 2
    assert_same_rows(done.output, plain)


def test_one_process_of_a_machine_works_with_an_output(bucket):
    first = Mirror("s3://genomes/held")
    with pytest.raises(InputError, match="another mirsweep works there"):
        Mirror("s3://genomes/held/")
    first.close()
    Mirror("s3://genomes/held").close()
