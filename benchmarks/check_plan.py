"""Check what `mirsweep plan` reckons against real scans on this machine, with nothing else running.

    python benchmarks/check_plan.py GENOME [GENOME ...] --cores 1 2 --json

For each genome and number of cores: the plan, the scan, and the ratio of their times, memory, candidates and disk.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import command_line, write_result


def command(name: str, genome: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A command of mirsweep, as a user types it."""
    words = [sys.executable, "-P", "-m", "mirsweep.jobs.cli.main", name, str(genome), *options]
    return subprocess.run(words, capture_output=True, text=True, check=True)


def compare(genome: Path, cores: int, decoys: str) -> dict[str, Any]:
    """Plan and scan of a genome."""
    began = time.perf_counter()
    planned = json.loads(command("plan", genome, "--cores", str(cores), "--decoys", decoys, "--json").stdout)
    planning = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        how = ["--local"] if cores == 1 else ["--workers", str(cores)]
        began = time.perf_counter()
        command("scan", genome, "-o", str(out), *how, "--decoys", decoys, "--quiet")
        seconds = time.perf_counter() - began
        run = json.loads((out / "run.json").read_text())
        folders = (out / "candidates", out / "_decoys" / "candidates")
        size = sum(path.stat().st_size for each in folders for path in each.glob("*.parquet")) / 1e6
    n_candidates = run["counts"]["n_candidates"]
    return {
        "genome": genome.name,
        "cores": cores,
        "decoys": decoys,
        "planning_seconds": round(planning, 1),
        "planned": {"seconds": round(planned["seconds"], 1), "disk_mb": round(planned["disk_mb"], 1)}
        | {"n_candidates": planned["n_candidates"], "memory_mb": round(planned["memory_mb"])},
        "scan": {"seconds": round(seconds, 1), "disk_mb": round(size, 1), "n_candidates": n_candidates}
        | {"stage_seconds": run["seconds"]["by_stage"], "peak_memory_mb": run["peak_memory_mb"]},
        "ratio": {
            "seconds": round(planned["seconds"] / seconds, 3),
            "candidates": round(planned["n_candidates"] / n_candidates, 3),
            "disk": round(planned["disk_mb"] / size, 3),
        },
    }


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Each genome on each number of cores."""
    for genome in arguments.genomes:
        for cores in arguments.cores:
            found = compare(genome, cores, arguments.decoys)
            print(found, flush=True)
            yield found


def main() -> None:
    """Compare, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("genomes", nargs="+", type=Path)
    parser.add_argument("--cores", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--decoys", default="none")
    parser.add_argument("--json", action="store_true", help="keep the figures in benchmarks/results/plan.json")
    arguments = parser.parse_args()
    found = list(rows(arguments))
    if arguments.json:
        write_result("plan", {"command": command_line(), "rows": found})


if __name__ == "__main__":
    main()
