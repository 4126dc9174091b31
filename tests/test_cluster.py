"""A scan on a Ray cluster, where one node sees no file of the scan, and another is lost: the rows are the same."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers_jobs import assert_same_rows, make_model, scan, slice_bases, write_fasta


@pytest.fixture
def loopback_only():
    """Whether this user may have a network of its own, in which there is the loopback device alone."""
    tools = shutil.which("unshare") and shutil.which("ip")
    if not tools or subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("needs unshare, ip and user name spaces")


def test_a_node_without_the_files_and_one_that_is_lost_cost_no_row(tmp_path, loopback_only):
    model = make_model(tmp_path / "m.safetensors")
    output = tmp_path / "out"
    (tmp_path / "genomes").mkdir()
    genome = write_fasta(tmp_path / "genomes" / "slice.fa", {"c": slice_bases(0, 240_000)})
    log = tmp_path / "log"
    settings = ["--model", model, "--shard-nt", 8_000, "--decoys", "none", "--no-report", "--log", log]
    settings += ["--fold-engine", "vienna"]  # slow, so that there is a middle
    script = [sys.executable, Path(__file__).with_name("cluster_scan.py"), output, 10, genome.parent]
    script += ["scan", genome, "-o", output]
    settings_of_ray = {"RAY_AUTH_TOKEN": "a" * 64, "RAY_USAGE_STATS_ENABLED": "0"}
    settings_of_ray |= {"RAY_health_check_timeout_ms": "60000"}  # a node that is slow to answer is not lost
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *map(str, [*script, *settings])],
        env=os.environ | settings_of_ray,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["returncode"] == 0, told["stderr"]
    assert told["was_running"], "the node is lost in the middle"
    run = json.loads((output / "run.json").read_text())
    assert run["executor"]["kind"] == "ray"
    assert run["counts"]["n_shards_failed"] == 0
    by_sight = {node["read"] > 0: node for node in run["executor"]["nodes"] if node["folded"]}
    assert by_sight[True]["folded"] == by_sight[True]["read"], "who sees the genome reads it"
    assert by_sight[False]["folded"] > 0, "and for the other the driver reads"
    for node in run["executor"]["nodes"]:
        assert node["written"] <= node["scored"]
    assert log.read_text().count("does not see the genomes' files") == 1
    undisturbed = tmp_path / "undisturbed"
    scan(genome, output=undisturbed, model=model, local=True, quiet=True)
    assert_same_rows(output, undisturbed)
