"""The scan end to end, with the share of each stage, beside RNALfold (ViennaRNA's window mode) on the same genome.

    python benchmarks/bench_scan.py --json
    python benchmarks/bench_scan.py ../shared/data/genomes/cel_ce2_chrX.fa.gz --ray --json
    python benchmarks/bench_scan.py ../shared/data/genomes/cel_ce2_chrX.fa.gz --ray --fold-engine vienna --json

RNALfold does less: it folds each window but scores and annotates nothing. It runs on one core and on the first 200 kb,
both strands, of the genome's first contig; rates are compared, per core.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import RNA

from harness import command_line, write_result
from mirsweep.jobs import ScanReport, scan
from mirsweep.jobs.demo.demo import DATA
from mirsweep.scanner import open_genome
from mirsweep.scanner.alphabet import decode, encode, reverse_complement
from mirsweep.scanner.params import ENGINES

RNALFOLD_NT = 200_000


def scan_once(genome: Path, *, local: bool, fold_engine: str, decoys: str = "none") -> ScanReport:
    """A whole scan into a fresh folder, as the command does it."""
    with tempfile.TemporaryDirectory() as place:
        output = Path(place) / "out"
        return scan(
            genome, output=output, local=local, fold_engine=fold_engine, decoys=decoys, report=False, quiet=True
        )


def scan_figures(genome: Path, *, local: bool, fold_engine: str, decoys: str) -> dict[str, Any]:
    """Wall time, rate, memory and the share of each stage of a scan; kernels are compiled before."""
    scan_once(DATA / "slice.fa.gz", local=True, fold_engine=fold_engine)
    run = scan_once(genome, local=local, fold_engine=fold_engine, decoys=decoys).run
    seconds = run["seconds"]
    work = sum(seconds["by_stage"].values())
    return {
        "executor": {name: run["executor"][name] for name in ("kind", "workers", "cpus")},
        "fold_engine": fold_engine,
        "decoys": decoys,
        "genome_mb": run["counts"]["n_bases"] / 1e6,
        "n_candidates": run["counts"]["n_candidates"],
        "candidates_per_mb": run["counts"]["n_candidates"] / (run["counts"]["n_scanned"] / 1e6),
        "wall_seconds": seconds["wall"],
        "stage_seconds": seconds["by_stage"],
        "stage_share": {stage: round(value / work, 4) for stage, value in seconds["by_stage"].items()},
        "mb_per_s": run["counts"]["n_bases"] / 1e6 / seconds["wall"],
        "mb_per_core_s": run["counts"]["n_bases"] / 1e6 / work,
        "peak_memory_mb": run["peak_memory_mb"],
    }


def rnalfold_figures(genome: Path, *, span: int) -> dict[str, Any]:
    """Rate of RNALfold on both strands of a piece of the genome, one core."""
    opened = open_genome(genome)
    contig = opened.contigs[0]
    codes = encode(opened.fetch(contig.name, 0, min(RNALFOLD_NT, contig.length)))
    seconds = sum(rnalfold_seconds(decode(strand), span) for strand in (codes, reverse_complement(codes)))
    return {"genome_mb": codes.size / 1e6, "seconds": seconds, "mb_per_core_s": codes.size / 1e6 / seconds}


def rnalfold_seconds(sequence: str, span: int) -> float:
    """Time of the sliding-window minimum free energy with base pairs up to ``span`` nt."""
    model = RNA.md()
    model.window_size = model.max_bp_span = span
    compound = RNA.fold_compound(sequence, model, RNA.OPTION_MFE | RNA.OPTION_WINDOW)
    began = time.perf_counter()
    compound.mfe_window_cb(lambda start, end, structure, energy, data=None: None)
    return time.perf_counter() - began


def main() -> None:
    """Measure, print, and with --json keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("genome", nargs="?", type=Path, default=DATA / "slice.fa.gz")
    parser.add_argument("--ray", action="store_true", help="on Ray with all CPUs, instead of in this process")
    parser.add_argument("--fold-engine", choices=ENGINES, default="batch")
    parser.add_argument("--decoys", default="none", help="as in mirsweep scan; their time counts in the wall time only")
    parser.add_argument(
        "--json", action="store_true", help="write benchmarks/results/scan[-GENOME][-ray][-FOLDER].json"
    )
    arguments = parser.parse_args()
    ours = scan_figures(
        arguments.genome, local=not arguments.ray, fold_engine=arguments.fold_engine, decoys=arguments.decoys
    )
    theirs = rnalfold_figures(arguments.genome, span=130)
    figures = {
        "command": command_line(),
        "genome": arguments.genome.name,
        "scan": ours,
        "rnalfold": theirs,
        "ratio_per_core": ours["mb_per_core_s"] / theirs["mb_per_core_s"],
    }
    print(json.dumps(figures, indent=2))
    if arguments.json:
        write_result(result_name(arguments), figures)


def result_name(arguments: argparse.Namespace) -> str:
    """Name of the result file: what is the default has no part in it."""
    genome = "" if arguments.genome == DATA / "slice.fa.gz" else f"-{arguments.genome.name.split('.')[0]}"
    engine = "" if arguments.fold_engine == "batch" else f"-{arguments.fold_engine}"
    decoys = "" if arguments.decoys == "none" else f"-decoys-{arguments.decoys}"
    return f"scan{genome}{'-ray' if arguments.ray else ''}{engine}{decoys}"


if __name__ == "__main__":
    main()
