"""A scan on a Ray cluster of a head and two more nodes on this machine, one of which is killed in the middle.

    unshare -rn sh -c 'ip link set lo up && python tests/cluster_scan.py OUT N_COMMITTED scan GENOME -o OUT ...'

Run in a network name space of its own, where there is the loopback device alone. Kills a node once N_COMMITTED shards
are done (0: never). Prints the exit code of the scan and its messages as JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ray.cluster_utils import Cluster

from helpers_jobs import command, n_committed


def main(output: Path, after: int, arguments: list[str]) -> None:
    """Start the cluster, scan, kill a node."""
    node = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    with tempfile.TemporaryDirectory(prefix="c", dir="/tmp") as folder:
        head = node | {"num_cpus": 0, "temp_dir": f"{folder}/r"}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        others = [cluster.add_node(**node) for _ in range(2)]
        cluster.wait_for_nodes()
        process = subprocess.Popen(
            command(*arguments), env=os.environ | {"RAY_ADDRESS": cluster.address}, stderr=subprocess.PIPE, text=True
        )
        while after and n_committed(output) < after and process.poll() is None:
            time.sleep(0.01)
        was_running = process.poll() is None
        if after:
            cluster.remove_node(others[0], allow_graceful=False)
        stderr = process.communicate(timeout=300)[1]
        print(json.dumps({"returncode": process.returncode, "stderr": stderr, "was_running": was_running}))
        cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
