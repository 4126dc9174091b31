"""A scan on a Ray cluster of a head and two more nodes on this machine, one of which is killed in the middle.

    unshare -rn sh -c 'ip link set lo up && python tests/cluster_scan.py OUT N_COMMITTED HIDDEN scan GENOME -o OUT ...'

Run in a network name space of its own, where there is the loopback device alone. One node sees neither OUT nor the
folder HIDDEN: empty file systems are mounted there in its name space. The other node is killed once N_COMMITTED shards
are done (0: never). Prints the exit code of the scan and its messages as JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from helpers_jobs import command, n_committed

_STORE_BYTES = 80 << 20
_BLIND = 'for place in "$1" "$2"; do mount -t tmpfs none "$place" || exit 1; done; shift 2; exec "$@"'


def start_blind_node(address: str, *hidden: Path) -> subprocess.Popen:
    """A node in whose name space these two folders are empty."""
    node = [sys.executable, "-m", "ray.scripts.scripts", "start", f"--address={address}", "--num-cpus=1", "--block"]
    words = ["unshare", "-m", "sh", "-c", _BLIND, "sh", *hidden, *node, f"--object-store-memory={_STORE_BYTES}"]
    return subprocess.Popen([*map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_nodes(address: str, n: int) -> None:
    """Wait until so many nodes have joined."""
    ray.init(address, log_to_driver=False)
    deadline = time.monotonic() + 60
    while sum(node["Alive"] for node in ray.nodes()) < n:
        assert time.monotonic() < deadline, "a node does not join"
        time.sleep(0.1)
    ray.shutdown()


def main(output: Path, after: int, hidden: Path, arguments: list[str]) -> None:
    """Start the cluster, scan, kill a node."""
    output.mkdir()
    node = {"num_cpus": 1, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
    with tempfile.TemporaryDirectory(prefix="c", dir="/tmp") as folder:
        cluster = Cluster(initialize_head=True, head_node_args=node | {"num_cpus": 0, "temp_dir": f"{folder}/r"})
        seeing = cluster.add_node(**node)
        blind = start_blind_node(cluster.address, hidden, output)
        wait_for_nodes(cluster.address, 3)
        process = subprocess.Popen(
            command(*arguments), env=os.environ | {"RAY_ADDRESS": cluster.address}, stderr=subprocess.PIPE, text=True
        )
        while after and n_committed(output) < after and process.poll() is None:
            time.sleep(0.01)
        was_running = process.poll() is None
        if after:
            cluster.remove_node(seeing, allow_graceful=False)
        stderr = process.communicate(timeout=300)[1]
        print(json.dumps({"returncode": process.returncode, "stderr": stderr, "was_running": was_running}))
        blind.terminate()
        blind.wait()
        cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
