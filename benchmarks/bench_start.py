"""What a command costs before it does anything: processor and wall seconds of the short ones, least of several runs.

    python benchmarks/bench_start.py --json

``python -c pass`` stands beside them: what Python itself takes. The scan is of 25 kb, with compiled kernels in the
cache.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import write_result
from mirsweep.jobs.demo.demo import DATA
from mirsweep.scanner.fasta import open_genome

TINY_NT = 25_000
HAIRPIN = "UGGGAUGAGGUAGUAGGUUGUAUAGUUUUAGGGUCACACCCACCACUGGGAGAUAACUAUACAAUCUACUGUCUUUCCUA"
"""Human let-7a-1."""
PROGRAM = (sys.executable, "-m", "mirsweep.jobs.cli.main")


def commands(folder: Path) -> dict[str, tuple[str, ...]]:
    """What is timed, by name; the files that it needs are written, and a scan is there to be queried."""
    genome, hairpins, output = folder / "tiny.fa", folder / "hairpins.fa", folder / "out"
    slice_ = open_genome(DATA / "slice.fa.gz")
    genome.write_bytes(b">tiny\n" + slice_.fetch(slice_.contigs[0].name, 0, TINY_NT) + b"\n")
    hairpins.write_text(f">let-7a-1\n{HAIRPIN}\n")
    subprocess.run([*PROGRAM, "scan", str(genome), "-o", str(output), "--decoys", "none", "--quiet"], check=True)
    return {
        "python": (sys.executable, "-c", "pass"),
        "import mirsweep": (sys.executable, "-c", "import mirsweep"),
        "--version": (*PROGRAM, "--version"),
        "--help": (*PROGRAM, "--help"),
        "query": (*PROGRAM, "query", str(output)),
        "score": (*PROGRAM, "score", str(hairpins)),
        "scan": (*PROGRAM, "scan", str(genome), "-o", str(output), "--decoys", "none", "--overwrite", "--quiet"),
    }


def seconds(command: Sequence[str], *, repeats: int) -> dict[str, float]:
    """Least processor and wall seconds of a command, its children included."""
    processor, wall = [], []
    for _ in range(repeats):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        wall.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {"processor_s": round(min(processor), 3), "wall_s": round(min(wall), 3)}


def measure(repeats: int) -> dict[str, Any]:
    """Seconds of every command."""
    with tempfile.TemporaryDirectory(prefix="mirsweep-bench-") as folder:
        rows = {name: seconds(command, repeats=repeats) for name, command in commands(Path(folder)).items()}
    return {"command": "python benchmarks/bench_start.py --json", "repeats": repeats, "commands": rows}


def main() -> None:
    """Measure, print, and with --json keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/start.json")
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="runs of each command; the least counts")
    arguments = parser.parse_args()
    figures = measure(arguments.repeats)
    print(json.dumps(figures, indent=2))
    if arguments.json:
        write_result("start", figures)


if __name__ == "__main__":
    main()
