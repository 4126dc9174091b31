"""The files of deploy/: they parse, their commands can be typed, and the script of Slurm runs (stubs play Slurm)."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from helpers_jobs import SLICE, assert_same_rows, make_model, n_committed, scan, start, wait_until
from mirsweep.jobs.cli.main import cli

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"


def check_command(line: str) -> None:
    words = [word for word in shlex.split(line) if "=" not in word.split("/")[0] or word.startswith("-")]
    assert words[:2] == ["mirsweep", "scan"]
    cli.get_command(None, "scan").make_context("scan", words[2:])


def test_the_job_of_kubernetes():
    job = yaml.safe_load((DEPLOY / "kuberay-rayjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    check_command(job["spec"]["entrypoint"])
    cluster = job["spec"]["rayClusterSpec"]
    pinned = (DEPLOY.parent / "constraints.txt").read_text()
    assert f"ray=={cluster['rayVersion']}\n" in pinned
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    containers = [container for group in groups for container in group["template"]["spec"]["containers"]]
    assert len(containers) == 3
    assert all(container["resources"]["requests"] == container["resources"]["limits"] for container in containers)
    volumes = {each["name"] for each in cluster["headGroupSpec"]["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in containers[0]["volumeMounts"]} == volumes


def test_the_cluster_of_rays_launcher():
    util = pytest.importorskip("ray.autoscaler._private.util")
    text = (DEPLOY / "ray-cluster.yaml").read_text()
    util.validate_config(util.prepare_config(yaml.safe_load(text)))
    check_command(re.search(r"ray exec \S+ '([^']+)'", text)[1])
    assert "- ray stop" not in text  # which would end the Ray of others on these machines


def test_the_script_of_slurm_is_bash():
    assert subprocess.run(["bash", "-n", DEPLOY / "slurm.sh"], check=False).returncode == 0
    if shutil.which("shellcheck"):
        assert subprocess.run(["shellcheck", DEPLOY / "slurm.sh"], check=False).returncode == 0


@pytest.fixture
def slurm(tmp_path):
    """The words before a job's command, and its environment: a network of its own, two nodes that are this machine."""
    if subprocess.run(["unshare", "-rn", "ip", "link"], check=False, capture_output=True).returncode:
        pytest.skip("needs unshare, ip and user name spaces")
    stubs = tmp_path / "bin"
    stubs.mkdir()
    (stubs / "scontrol").write_text("#!/bin/sh\necho localhost\necho localhost\n")
    (stubs / "srun").write_text('#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done\nexec "$@"\n')
    for stub in stubs.iterdir():
        stub.chmod(0o755)
    path = f"{stubs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    job = {"SLURM_CPUS_PER_TASK": "1", "SLURM_JOB_ID": "77", "SLURM_JOB_NODELIST": "n[1-2]"}
    return ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"], os.environ | job | {"PATH": path}


@pytest.mark.faults
def test_slurms_script_scans_on_two_nodes_and_goes_on_after_its_time_limit(tmp_path, slurm, monkeypatch):
    before, environment = slurm
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    model, output = make_model(tmp_path / "m.safetensors"), tmp_path / "out"
    settings = ["--model", model, "--shard-nt", 40_000, "--decoys", "none", "--no-report"]
    words = [*before, "bash", *map(str, [DEPLOY / "slurm.sh", SLICE, "-o", output, *settings])]
    first = start(words)
    wait_until(lambda: n_committed(output) >= 3, first, seconds=240)
    first.send_signal(signal.SIGTERM)
    stderr = first.communicate(timeout=120)[1]
    assert first.returncode == 130, stderr
    assert "run the same command again to go on" in stderr
    second = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert second.returncode == 0, second.stderr
    assert "2 cores on 2 nodes" in second.stderr
    run = json.loads((output / "run.json").read_text())
    assert run["n_shards_resumed"] >= 3
    assert (run["executor"]["kind"], run["executor"]["workers"]) == ("ray", 2)
    scan(SLICE, output=tmp_path / "alone", model=model, local=True, quiet=True)
    assert_same_rows(output, tmp_path / "alone")
