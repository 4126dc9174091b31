"""A scan on nodes of two kinds: one that folds, and one that scores, whose "GPU" is a custom resource of Ray.

    python benchmarks/check_nodes.py --json

Starts a head and two more nodes on this machine, in a network name space of its own where there is the loopback device
alone (needs ``unshare`` and ``ip``), scans a slice of C. elegans X there and in one process, and compares: the rows are
identical, all folding was done on the one node, all scoring on the other.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import command_line, find_data, write_result
from mirsweep.jobs import read_candidates, scan
from mirsweep.jobs.scanning.ray_scorers import RESOURCE
from mirsweep.scanner import open_genome

SLICE = (2_000_000, 5_000_000)
_GPU = "stand_in_gpu"
_STORE_BYTES = 80 << 20


def write_slice(path: Path) -> Path:
    """A slice of C. elegans X as a FASTA file."""
    genome = open_genome(find_data() / "genomes" / "cel_ce2_chrX.fa.gz")
    contig = genome.contigs[0].name
    letters = genome.fetch(contig, *SLICE).decode()
    path.write_text(f">{contig}\n" + "\n".join(letters[k : k + 60] for k in range(0, len(letters), 60)) + "\n")
    return path


def scan_on_nodes(genome: Path, output: Path, shard_nt: int) -> dict[str, Any]:
    """Scan on a cluster of this machine: what run.json tells of the nodes, and what each of them is."""
    words = [sys.executable, Path(__file__).resolve(), "--cluster", genome, output, shard_nt]
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *map(str, words)],
        env=os.environ | {"RAY_AUTH_TOKEN": "a" * 64, "RAY_USAGE_STATS_ENABLED": "0"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=500,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def run_cluster(genome: Path, output: Path, shard_nt: int) -> None:
    """Within the name space: start the nodes, scan, print."""
    from ray.cluster_utils import Cluster

    node = {"object_store_memory": _STORE_BYTES, "include_dashboard": False}
    with tempfile.TemporaryDirectory(prefix="c", dir="/tmp") as folder:
        head = node | {"num_cpus": 0, "temp_dir": f"{folder}/r"}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        kinds = {
            "CPU only": cluster.add_node(num_cpus=2, **node),
            "GPU stand-in": cluster.add_node(num_cpus=0, resources={_GPU: 1}, **node),
        }
        cluster.wait_for_nodes()
        os.environ |= {"RAY_ADDRESS": cluster.address, RESOURCE: _GPU}
        run = scan(genome, output=output, shard_nt=shard_nt, decoys="none", report=False, quiet=True).run
        names = {added.node_id[:8]: kind for kind, added in kinds.items()}
        told = [{"kind": names.get(each["node"], "head")} | each for each in run["executor"]["nodes"]]
        for each in told:
            del each["node"], each["host"]
        print(json.dumps({"n_shards": run["counts"]["n_shards"], "nodes": told}), flush=True)
        cluster.shutdown()


def check(shard_nt: int) -> dict[str, Any]:
    """Scan both ways and compare."""
    with tempfile.TemporaryDirectory() as place:
        genome = write_slice(Path(place, "slice.fa"))
        told = scan_on_nodes(genome, Path(place, "nodes"), shard_nt)
        scan(
            genome, output=Path(place, "alone"), shard_nt=shard_nt, local=True, decoys="none", report=False, quiet=True
        )
        one, other = (read_candidates(Path(place, name)) for name in ("nodes", "alone"))
    by_kind = {each["kind"]: each for each in told["nodes"]}
    n = told["n_shards"]
    return told | {
        "n_rows": one.num_rows,
        "rows_identical": one.equals(other),
        "folded_on_cpu_node_only": by_kind["CPU only"]["folded"] == n,
        "scored_on_gpu_node_only": by_kind["GPU stand-in"]["scored"] == n,
    }


def main() -> None:
    """Check, print, and with --json keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shard-nt", type=int, default=200_000)
    parser.add_argument("--cluster", nargs=3, metavar=("GENOME", "OUT", "NT"), help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/nodes.json")
    arguments = parser.parse_args()
    if arguments.cluster:
        genome, output, shard_nt = arguments.cluster
        run_cluster(Path(genome), Path(output), int(shard_nt))
        return
    checked = check(arguments.shard_nt)
    command = command_line()
    start, end = SLICE
    figures = {"command": command, "genome": f"C. elegans X, {start} to {end}"} | checked
    print(json.dumps(figures, indent=2))
    if arguments.json:
        write_result("nodes", figures)
    if not all(figures[name] for name in ("rows_identical", "folded_on_cpu_node_only", "scored_on_gpu_node_only")):
        raise SystemExit("the check has failed.")


if __name__ == "__main__":
    main()
