"""Fragmented assemblies and many genomes beside one contig of the same bases: time, memory, files.

    python benchmarks/bench_assemblies.py --json
    python benchmarks/bench_assemblies.py --many-contigs --json      and 500,000 contigs, 150 Mb

Sequence is random, with the composition of C. elegans. Each scan is a whole one, as the command does it: decoys, loci,
page. Ratios are of the time of all cores (user and system, of children too), since the machine may have other work.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness import write_result

_BASES, _SHARES = np.frombuffer(b"ACGT", np.uint8), (0.32, 0.18, 0.18, 0.32)


def write_contigs(path: Path, lengths: Sequence[int], *, seed: int) -> Path:
    """A FASTA file of random contigs c0, c1, ... with these lengths."""
    rng = np.random.default_rng(seed)
    with open(path, "wb") as stream:
        for number, length in enumerate(lengths):
            letters = rng.choice(_BASES, size=length, p=_SHARES).tobytes()
            stream.write(b">c%d\n" % number)
            stream.writelines(letters[k : k + 80] + b"\n" for k in range(0, length, 80))
    return path


def scanned(genomes: Sequence[Path], output: Path, *options: str) -> dict[str, Any]:
    """What a scan by the command takes, in a process of its own."""
    command = [sys.executable, "-m", "mirsweep.jobs.cli.main", "scan", *map(str, genomes), "-o", str(output), "--quiet"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the scan of {output.name} failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    files = [path for path in output.rglob("*") if path.is_file()]
    return {
        "wall_seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(cpu, 1),
        "driver_peak_mb": round(usage.ru_maxrss * 1024 / 1e6),
        "n_files": len(files),
        "n_inodes": len([*output.rglob("*")]) + 1,
        "output_mb": round(sum(path.stat().st_size for path in files) / 1e6, 1),
    }


def figures(folder: Path, *, many_contigs: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """By name of the assembly what its scan takes."""
    rng = np.random.default_rng(3)
    warm = write_contigs(folder / "warm.fa", [200_000], seed=0)
    scanned([warm], folder / "warm", "--local")  # kernels are compiled before
    one = write_contigs(folder / "one6m.fa", [6_000_000], seed=1)
    yield "one contig of 6 Mb", scanned([one], folder / "one6m", "--local")
    short = write_contigs(folder / "short.fa", [300] * 20_000, seed=2)
    yield "20,000 contigs of 300 nt", scanned([short], folder / "short", "--local")
    one = write_contigs(folder / "one20m.fa", [20_000_000], seed=3)
    yield "one contig of 20 Mb", scanned([one], folder / "one20m", "--local")
    small = [write_contigs(folder / f"v{number:04d}.fa", [20_000], seed=number) for number in range(1_000)]
    yield "1,000 genomes of 20 kb", scanned(small, folder / "small", "--local")
    if many_contigs:
        lengths = rng.integers(200, 401, 500_000).tolist()
        many = write_contigs(folder / "many.fa", lengths, seed=4)
        yield "500,000 contigs of 200 to 400 nt", scanned([many], folder / "many", "--local")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--many-contigs", action="store_true", help="also 500,000 contigs, which takes minutes")
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/assemblies.json")
    args = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as name:
        for assembly, own in figures(Path(name), many_contigs=args.many_contigs):
            found[assembly] = own
            print(f"{assembly}: {own}", flush=True)
    ratios = {
        "contigs_to_one": _ratio(found["20,000 contigs of 300 nt"], found["one contig of 6 Mb"]),
        "genomes_to_one": _ratio(found["1,000 genomes of 20 kb"], found["one contig of 20 Mb"]),
    }
    print(ratios)
    if args.json:
        write_result("assemblies", {"assemblies": found, "cpu_ratio": ratios})


def _ratio(one: dict[str, Any], other: dict[str, Any]) -> float:
    return round(one["cpu_seconds"] / other["cpu_seconds"], 2)


if __name__ == "__main__":
    main()
