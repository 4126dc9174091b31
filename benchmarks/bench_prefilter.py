"""Speed of the hairpin prefilter beside RNALfold (ViennaRNA's window mode) on the same sequence, one core.

python benchmarks/bench_prefilter.py --json
"""

import argparse
import json
import time
from importlib.resources import files

import numpy as np
import RNA

from harness import best_seconds, write_result
from mirsweep.scanner.alphabet import decode, encode
from mirsweep.scanner.fasta import open_genome
from mirsweep.scanner.prefilter import HairpinParams, strand_hairpins

SPANS = (130, 200, 300)
RNALFOLD_NT = 20_000


def demo_sequence() -> np.ndarray:
    """Base codes of the bundled slice of a real chromosome."""
    genome = open_genome(next(p for p in files("mirsweep.jobs").joinpath("demo_data").iterdir() if p.suffix == ".gz"))
    contig = genome.contigs[0]
    return encode(genome.fetch(contig.name, 0, contig.length))


def rnalfold_seconds(sequence: str, span: int) -> float:
    """Time of RNALfold's sliding-window minimum free energy, base pairs up to ``span`` nt."""
    model = RNA.md()
    model.window_size = model.max_bp_span = span
    compound = RNA.fold_compound(sequence, model, RNA.OPTION_MFE | RNA.OPTION_WINDOW)
    started = time.perf_counter()
    compound.mfe_window_cb(lambda start, end, structure, energy, data=None: None)
    return time.perf_counter() - started


def measure() -> dict:
    """Mb of strand per second of both, by span."""
    codes = demo_sequence()
    rows = []
    for span in SPANS:
        params = HairpinParams(min_span=45, max_span=span)
        ours = best_seconds(lambda params=params: strand_hairpins(codes, params), repeats=5)
        theirs = rnalfold_seconds(decode(codes[:RNALFOLD_NT]), span)
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
