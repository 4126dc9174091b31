"""Kill a scan three times at random moments, resume it, and compare its rows with those of an undisturbed scan.

python benchmarks/check_resume.py GENOME.fa.gz --json
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import write_result
from mirsweep.jobs import query

N_KILLS = 3


def start(genome: Path, output: Path) -> subprocess.Popen:
    """A scan as a user starts it, in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "mirsweep.jobs.cli.main",
        "scan",
        str(genome),
        "-o",
        str(output),
        "--decoys",
        "none",
        "--quiet",
        "--ray",
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def kill_after_progress(genome: Path, output: Path, rng: random.Random) -> dict:
    """Start or resume the scan and kill its driver with -9 some time after one more shard is done."""
    before = n_shards_done(output)
    process = start(genome, output)
    began = time.perf_counter()
    while n_shards_done(output) == before and process.poll() is None:
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 2))
    process.send_signal(signal.SIGKILL)
    process.wait()
    return {"seconds": time.perf_counter() - began, "shards_done": n_shards_done(output)}


def n_shards_done(output: Path) -> int:
    """Finished shards, by their commit records."""
    return len(list((output / "_shards").glob("0*.json")))


def measure(genome: Path, seed: int) -> dict:
    """Both scans and whether their rows are the same."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Path(folder) / "whole", Path(folder) / "broken"
        start(genome, whole).wait()
        kills = [kill_after_progress(genome, broken, rng) for _ in range(N_KILLS)]
        has_finished_early = (broken / "run.json").exists()
        start(genome, broken).wait()
        one, other = query(whole), query(broken)
        run = json.loads((broken / "run.json").read_text())
    return {
        "genome": genome.name,
        "kills": kills,
        "finished_before_the_last_kill": has_finished_early,
        "n_shards": run["counts"]["n_shards"],
        "n_shards_resumed": run["n_shards_resumed"],
        "n_rows": one.num_rows,
        "rows_identical": one.to_pydict() == other.to_pydict(),
    }


def main() -> int:
    """Run, print, with --json keep the figures; exit code 1 if the rows differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("genome", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/resume.json")
    arguments = parser.parse_args()
    figures = measure(arguments.genome, arguments.seed)
    print(json.dumps(figures, indent=2))
    if arguments.json:
        write_result(
            "resume", {"command": f"python benchmarks/check_resume.py {arguments.genome.name} --json"} | figures
        )
    return 0 if figures["rows_identical"] else 1


if __name__ == "__main__":
    sys.exit(main())
