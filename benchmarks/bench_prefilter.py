"""Speed of the hairpin prefilter beside RNALfold (ViennaRNA's window mode) on the same sequence, one core.

    python benchmarks/bench_prefilter.py --json

The cut is that of a scan (``ScanParams``) at other spans; the last row is the plant preset's. Seconds are those of the
processor that the process used, so that other processes on the machine count less.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench_scan import rnalfold_seconds
from harness import write_result
from mirsweep.jobs.demo.demo import DATA
from mirsweep.scanner.alphabet import decode, encode
from mirsweep.scanner.fasta import open_genome
from mirsweep.scanner.params import ScanParams, preset_params
from mirsweep.scanner.prefilter import strand_hairpins

SCANS = (*(ScanParams(max_span=span) for span in (130, 150, 200, 300)), preset_params("plant"))
RNALFOLD_NT = 20_000


def demo_sequence() -> np.ndarray:
    """Base codes of the bundled slice of a real chromosome."""
    genome = open_genome(DATA / "slice.fa.gz")
    contig = genome.contigs[0]
    return encode(genome.fetch(contig.name, 0, contig.length))


def processor_seconds(work: Callable[[], Any], *, repeats: int) -> float:
    """Least processor time of some repeats."""
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds)


def measure() -> dict:
    """Mb of strand per second of both, by span."""
    codes = demo_sequence()
    rows = []
    for params in SCANS:
        span = params.max_span
        strand_hairpins(codes[:10_000], params)  # compiles
        ours = processor_seconds(lambda params=params: strand_hairpins(codes, params), repeats=10)
        piece = decode(codes[:RNALFOLD_NT])
        theirs = processor_seconds(lambda piece=piece, span=span: rnalfold_seconds(piece, span), repeats=2)
        mb_s, rnalfold_mb_s = codes.size / ours / 1e6, RNALFOLD_NT / theirs / 1e6
        rows.append({"span": span, "mb_per_s": mb_s, "rnalfold_mb_per_s": rnalfold_mb_s, "ratio": mb_s / rnalfold_mb_s})
    return {"command": "python benchmarks/bench_prefilter.py --json", "strand_mb": codes.size / 1e6, "spans": rows}


def main() -> None:
    """Measure, print, and with --json keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/prefilter.json")
    arguments = parser.parse_args()
    figures = measure()
    print(json.dumps(figures, indent=2))
    if arguments.json:
        write_result("prefilter", figures)


if __name__ == "__main__":
    main()
