"""A scan on a Ray cluster of several nodes, one of which is lost: the rows are those of a scan in one process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers_jobs import SLICE, assert_same_rows, make_model, scan


@pytest.fixture
def loopback_only():
    """Whether this user may have a network of its own, in which there is the loopback device alone."""
    tools = shutil.which("unshare") and shutil.which("ip")
    if not tools or subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("needs unshare, ip and user name spaces")


def test_a_node_lost_in_the_middle_costs_no_row(tmp_path, loopback_only):
    model = make_model(tmp_path / "m.safetensors")
    output = tmp_path / "out"
    settings = ["--model", model, "--shard-nt", 40_000, "--decoys", "none", "--no-report"]
    script = [sys.executable, Path(__file__).with_name("cluster_scan.py"), output, 8, "scan", SLICE, "-o", output]
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *map(str, [*script, *settings])],
        env=os.environ | {"RAY_AUTH_TOKEN": "a" * 64, "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["returncode"] == 0, told["stderr"]
    assert told["was_running"], "the node is lost in the middle"
    run = json.loads((output / "run.json").read_text())
    assert run["executor"]["kind"] == "ray"
    assert run["counts"]["n_shards_failed"] == 0
    undisturbed = tmp_path / "undisturbed"
    scan(SLICE, output=undisturbed, model=model, local=True, quiet=True)
    assert_same_rows(output, undisturbed)
