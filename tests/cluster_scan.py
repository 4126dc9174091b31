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
from typing import NamedTuple

import ray
from ray._private.node import Node
from ray.cluster_utils import Cluster

from helpers_jobs import command, n_committed

_STORE_BYTES = 80 << 20
_TRIES = 4
"""Ray gives a node half a minute to start, which is too short for a machine with other work."""
_JOIN_SECONDS = 180
_BLIND = 'for place in "$1" "$2"; do mount -t tmpfs none "$place" || exit 1; done; shift 2; exec "$@"'


def start_blind_node(address: str, *hidden: Path) -> subprocess.Popen:
    """A node in whose name space these two folders are empty."""
    node = [sys.executable, "-m", "ray.scripts.scripts", "start", f"--address={address}", "--num-cpus=1", "--block"]
    words = ["unshare", "-m", "sh", "-c", _BLIND, "sh", *hidden, *node, f"--object-store-memory={_STORE_BYTES}"]
    return subprocess.Popen([*map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_nodes(address: str, n: int, blind: subprocess.Popen) -> None:
    """Wait until so many nodes have joined."""
    ray.init(address, log_to_driver=False)
    try:
        deadline = time.monotonic() + _JOIN_SECONDS
        while sum(node["Alive"] for node in ray.nodes()) < n:
            if blind.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("a node does not join")
            time.sleep(0.1)
    finally:
        ray.shutdown()


class Nodes(NamedTuple):
    """A cluster, its node that sees all files, and the one that does not."""

    cluster: Cluster
    seeing: Node
    blind: subprocess.Popen

    def end(self) -> None:
        """End all nodes."""
        self.blind.terminate()
        self.blind.wait()
        self.cluster.shutdown()


def start_nodes(folder: Path, *hidden: Path) -> Nodes:
    """A head without cores and two nodes with one each, all of which have joined; the folder is Ray's own."""
    (folder / "ray").mkdir(parents=True)
    os.environ["RAY_TMPDIR"] = str(folder)  # else Ray notes the address in /tmp/ray, which others have too, or nobody
    node = {"num_cpus": 1, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
    cluster = Cluster()
    blind = None
    try:
        cluster.add_node(**node | {"num_cpus": 0})
        seeing = cluster.add_node(**node)
        blind = start_blind_node(cluster.address, *hidden)
        wait_for_nodes(cluster.address, 3, blind)
    except BaseException:
        if blind is not None:
            blind.kill()
            blind.wait()
        cluster.shutdown()
        raise
    return Nodes(cluster, seeing, blind)


def start_in_the_end(folder: Path, *hidden: Path) -> Nodes:
    """The nodes, tried again where the machine is too busy for them to start in Ray's time."""
    for attempt in range(_TRIES - 1):
        try:
            return start_nodes(folder / str(attempt), *hidden)
        except Exception as error:  # Ray raises nothing more special
            print(f"the nodes are started again: {error}", file=sys.stderr)
    return start_nodes(folder / "last", *hidden)


def main(output: Path, after: int, hidden: Path, arguments: list[str]) -> None:
    """Start the cluster, scan, kill a node."""
    output.mkdir()
    with tempfile.TemporaryDirectory(prefix="c", dir="/tmp", ignore_cleanup_errors=True) as folder:
        nodes = start_in_the_end(Path(folder), hidden, output)
        environment = os.environ | {"RAY_ADDRESS": nodes.cluster.address}
        process = subprocess.Popen(command(*arguments), env=environment, stderr=subprocess.PIPE, text=True)
        while after and n_committed(output) < after and process.poll() is None:
            time.sleep(0.01)
        was_running = process.poll() is None
        if after:
            nodes.cluster.remove_node(nodes.seeing, allow_graceful=False)
        stderr = process.communicate(timeout=600)[1]
        print(json.dumps({"returncode": process.returncode, "stderr": stderr, "was_running": was_running}))
        nodes.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
