"""A scan with a GPU beside the cores of the same machine: seconds, Mb a second, and whether candidates are the same.

    python benchmarks/bench_gpu.py GENOME.fa.gz --times 1 6 --times-on-cores 1 2 --json

The genome is written down so many times, each contig with a name of its own, and scanned in worker processes, one a
core, without decoys and page: on the cores alone; with hairpins found and folded on the GPU; with these scored there,
too. Each way a small scan comes first, so that kernels are compiled. Of two sizes, what the larger one takes more tells
the rate, and the rest is the start. Candidates of the smallest size are compared: coordinates, strings and energies
have to be equal, scores within 1e-4; else the exit code is 1.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import cuda

from harness import command_line, write_result
from mirsweep.jobs import read_candidates, scan
from mirsweep.scanner import open_genome

WAYS = {
    "cores": {"device": "cpu", "fold_engine": "batch"},
    "gpu": {"device": "cpu", "fold_engine": "cuda"},
    "gpu, scores too": {"device": "cuda", "fold_engine": "cuda"},
}
SMALL_NT = 400_000
TOLERANCE = 1e-4
_LINE = 1_000_000


def write_copies(genome: Path, copies: int, path: Path, nt: int | None = None) -> int:
    """Write a genome, or so many bases from the middle of its longest contig, several times; returns its bases."""
    opened, n_bases = open_genome(genome), 0
    places = [(contig.name, 0, contig.length) for contig in opened.contigs]
    if nt is not None:
        longest = max(opened.contigs, key=lambda contig: contig.length)
        first = longest.length // 2
        places = [(longest.name, first, min(first + nt, longest.length))]
    with path.open("wb") as out:
        for copy in range(copies):
            for name, first, last in places:
                out.write(b">%d_%s\n" % (copy, name.encode()))
                for start in range(first, last, _LINE):
                    out.write(opened.fetch(name, start, min(start + _LINE, last)) + b"\n")
                n_bases += last - first
    opened.close()
    return n_bases


def scan_figures(fasta: Path, output: Path, workers: int | None, way: dict[str, str]) -> dict[str, Any]:
    """Seconds of a scan, in all and by stage, of all workers together."""
    run = scan(
        fasta, output=output, overwrite=True, workers=workers, decoys="none", report=False, quiet=True, **way
    ).run
    return {
        "seconds": run["seconds"]["wall"],
        "by_stage": run["seconds"]["by_stage"],
        "second_pass": run["loci"]["seconds"],
        "workers": run["executor"]["workers"],
        "n_candidates": run["counts"]["n_candidates"],
        "peak_memory_mb": run["peak_memory_mb"],
    }


def differences(expected: pa.Table, found: pa.Table) -> dict[str, Any]:
    """By column the number of rows that differ; of scores the largest difference."""
    if expected.num_rows != found.num_rows:
        return {"n_rows": abs(expected.num_rows - found.num_rows)}
    differing = {}
    for name in ("contig", "start", "end", "strand", "mfe", "sequence", "structure", "n_pairs", "loop_start"):
        one, other = (_plain(table[name]) for table in (expected, found))
        differing[name] = len(one) - pc.sum(pc.equal(one, other)).as_py()
    scores = [table["score"].to_numpy().astype(float) for table in (expected, found)]
    return differing | {"largest_difference_of_scores": float(np.abs(scores[0] - scores[1]).max(initial=0))}


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def rates(figures: dict[int, dict[str, Any]]) -> dict[str, float]:
    """Mb a second of what the largest size takes more than the smallest, and the seconds left for the start."""
    sizes = sorted(figures)
    if len(sizes) < 2:
        return {}
    small, large = figures[sizes[0]], figures[sizes[-1]]
    per_mb = (large["seconds"] - small["seconds"]) / (large["mb"] - small["mb"])
    start = small["seconds"] - small["mb"] * per_mb
    return {"mb_per_s_beyond_start": round(1 / per_mb, 2), "start_seconds": round(start, 2)}


def _name_of_gpu() -> str:
    name = cuda.get_current_device().name
    return name.decode() if isinstance(name, bytes) else str(name)


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("genome", type=Path)
    parser.add_argument("--times", type=int, nargs="+", default=[1])
    parser.add_argument("--times-on-cores", type=int, nargs="+", help="Other sizes there, the smallest one the same.")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    sizes = {name: sorted(arguments.times) for name in arguments.ways}
    if arguments.times_on_cores and "cores" in sizes:
        sizes["cores"] = sorted(arguments.times_on_cores)
    if len({each[0] for each in sizes.values()}) > 1:
        parser.error("the smallest size is compared: it has to be the same everywhere")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_copies(arguments.genome, 16, folder / "small.fa", SMALL_NT)
        mb = {n: write_copies(arguments.genome, n, folder / f"{n}.fa") / 1e6 for each in sizes.values() for n in each}
        for name in arguments.ways:
            way, figures = WAYS[name], {}
            scan_figures(folder / "small.fa", folder / "small", arguments.workers, way)
            for n in sizes[name]:
                output = folder / (name if n == sizes[name][0] else "large")
                figures[n] = {"mb": mb[n]} | scan_figures(folder / f"{n}.fa", output, arguments.workers, way)
                print(f"{name}: {mb[n]:.0f} Mb in {figures[n]['seconds']:.1f} s", figures[n]["by_stage"], flush=True)
            found[name] = {"sizes": list(figures.values())} | rates(figures)
        expected = read_candidates(folder / arguments.ways[0])
        for name in arguments.ways[1:]:
            found[name]["rows_that_differ"] = differences(expected, read_candidates(folder / name))
    document: dict[str, Any] = {
        "command": command_line(),
        "genome": arguments.genome.name,
        "device": _name_of_gpu(),
        "ways": found,
    }
    print(json.dumps(document) if arguments.json else document)
    write_result("scan-cuda", document)
    compared = [each["rows_that_differ"] for each in found.values() if "rows_that_differ" in each]
    if any(value > (TOLERANCE if "scores" in key else 0) for each in compared for key, value in each.items()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
