"""A scan beside what a user would otherwise run on the same bases of C. elegans X, both strands, on one core, in turn.

    python benchmarks/bench_peers.py --mire2e PYTHON --mirdnn FOLDER --json      benchmarks/results/peers.json

PYTHON is an interpreter that has miRe2e (`pip install miRe2e`); FOLDER is a clone of github.com/cyones/mirDNN with its
submodules. What is not given is left out, which the result says. Each runs in a process of its own: processor time and
largest resident size, per Mb of genome. Where a tool's weights cannot be had, random ones take their place: each of
these networks does the same work for whatever it reads, so its cost is that of the real ones, but its scores say
nothing. miRe2e reads every window in full, so that a shorter piece tells its cost.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from harness import command_line, find_data, write_result
from mirsweep.jobs import read_candidates, scan
from mirsweep.jobs.results.known import Locus, read_known
from peers_folding import folded_hairpins, write_folds
from scaling_runs import Letters, read_letters, write_fasta

GENOME = "cel_ce2_chrX"
_MIRE2E = """
import json, resource, sys, time, warnings
from importlib.metadata import version
import torch
from miRe2e import MiRe2e
warnings.simplefilter("ignore")
torch.set_num_threads(1)
try:
    model, weights = MiRe2e(pretrained="hsa"), "published"
except OSError:
    model, weights = MiRe2e(pretrained="no"), "random"
began = time.process_time()
forward, backward, _ = model.predict(sys.argv[1], verbose=False)
seconds = time.process_time() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
told = {"version": version("miRe2e"), "weights": weights, "cpu": seconds, "n_scored": len(forward) + len(backward)}
print(json.dumps(told | {"peak_mb": round(peak)}))
"""
_RANDOM_WEIGHTS = """
import sys
sys.path.insert(0, ".")
from src.model import mirDNN
from src.parameters import ParameterParser
mirDNN(ParameterParser(["-s", "160"])).save(sys.argv[1])
"""


@dataclass(frozen=True)
class Stretch:
    """A stretch of a chromosome and the known precursors that lie in it.

    Attributes
    ----------
    start, letters
        Place on the chromosome, 0-based, and what stands there.
    known
        Precursors on the stretch's own coordinates.
    """

    start: int
    letters: bytes
    known: tuple[Locus, ...]

    @property
    def mb(self) -> float:
        """Length, Mb."""
        return len(self.letters) / 1e6

    def head(self, n: int) -> "Stretch":
        """Its first ``n`` bases."""
        return Stretch(self.start, self.letters[:n], tuple(locus for locus in self.known if locus.end <= n))

    def n_covered(self, start: np.ndarray, end: np.ndarray, strand: np.ndarray) -> int:
        """Known precursors on a hairpin that covers 70 % of them and lies on them with 40 %, as in ``compare``."""
        n = 0
        for locus in self.known:
            shared = np.minimum(end, locus.end) - np.maximum(start, locus.start)
            is_on = (strand == (1 if locus.strand == "+" else -1)) & (shared >= 0.4 * (end - start))
            n += bool((is_on & (shared >= 0.7 * (locus.end - locus.start))).any())
        return n


def richest_stretch(chromosome: Letters, known: Sequence[Locus], n: int) -> Stretch:
    """The stretch, of those that begin a twentieth of it before a known precursor, that holds most of them."""
    starts = [max(0, min(locus.start - n // 20, len(chromosome.letters) - n)) for locus in known]
    start = max(starts, key=lambda s: sum(s <= locus.start and locus.end <= s + n for locus in known))
    within = (locus for locus in known if start <= locus.start and locus.end <= start + n)
    moved = tuple(locus._replace(start=locus.start - start, end=locus.end - start) for locus in within)
    return Stretch(start, chromosome.letters[start : start + n], moved)


def in_child(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """What a function tells of its work, with processor time and memory of the process that it had for itself."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measured, work, *arguments).result()


def _measured(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    began = time.process_time()
    told = work(*arguments)
    cpu = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {"cpu": cpu, "peak_mb": round(peak)} | told


def scanned(stretch: Stretch) -> dict[str, Any]:
    """A whole scan, loci included; kernels are loaded before."""
    with tempfile.TemporaryDirectory() as place:
        files = [
            write_fasta(Path(place) / f"{name}.fa", [letters])
            for name, letters in (("warm", stretch.letters[:20_000]), ("genome", stretch.letters))
        ]
        for genome in files:
            began = time.process_time()
            report = scan(genome, output=f"{place}/{genome.stem}", local=True, decoys="none", report=False, quiet=True)
            cpu = time.process_time() - began
        rows = read_candidates(report.output)
    strands = np.where(np.array(rows["strand"].to_pylist()) == "+", 1, -1)
    n_covered = stretch.n_covered(rows["start"].to_numpy(), rows["end"].to_numpy(), strands)
    return {"cpu": cpu, "n_hairpins": rows.num_rows, "n_scored": rows.num_rows, "n_known_covered": n_covered}


def folded(stretch: Stretch, by_windows: bool, folds: str = "") -> dict[str, Any]:
    """Hairpins by RNALfold, or of overlapping windows, folded one by one."""
    hairpins = folded_hairpins(stretch.letters.decode(), by_windows=by_windows)
    if folds:
        write_folds(hairpins, folds)
    n_covered = stretch.n_covered(hairpins.start, hairpins.end, hairpins.strand)
    return {"n_hairpins": len(hairpins.start), "n_scored": 0, "n_known_covered": n_covered}


def of_mirsweep(stretch: Stretch) -> dict[str, Any]:
    return {"tool": "mirsweep scan", "weights": "published"} | in_child(scanned, stretch)


def of_rnalfold(stretch: Stretch) -> dict[str, Any]:
    tool = {"tool": "RNALfold, RNAfold of each structure", "weights": "none"}
    return tool | in_child(folded, stretch, False)


def of_mirdnn(stretch: Stretch, folder: Path) -> dict[str, Any]:
    """Windows, folding, and mirDNN's own program on the file of folded hairpins."""
    with tempfile.TemporaryDirectory() as place:
        folds, scores, weights = f"{place}/hairpins.fold", f"{place}/scores.csv", str(folder / "models" / "animal.pmt")
        found = in_child(folded, stretch, True, folds)
        if is_random := not Path(weights).is_file():
            weights = f"{place}/random.pmt"
            run_program([sys.executable, "-c", _RANDOM_WEIGHTS, weights], folder)
        options = ["-i", folds, "-o", scores, "-m", weights, "-s", "160", "-d", "cpu"]
        scored = run_program([sys.executable, "mirdnn_eval.py", *options], folder)
        n_scored = len(Path(scores).read_text().splitlines())
    return found | {
        "tool": "windows, RNAfold, mirDNN",
        "weights": "random" if is_random else "published",
        "cpu_of_folding": found["cpu"],
        "cpu": found["cpu"] + scored["cpu"],
        "peak_mb": max(found["peak_mb"], scored["peak_mb"]),
        "n_scored": n_scored,
    }


def run_program(command: Sequence[str], folder: Path) -> dict[str, float]:
    """Processor time and memory of a whole program, its start included."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise SystemExit(said.read().decode())
    return {"cpu": used.ru_utime + used.ru_stime, "peak_mb": round(used.ru_maxrss * 1024 / 1e6)}


def of_mire2e(stretch: Stretch, python: str) -> dict[str, Any]:
    """miRe2e's own ``predict``: windows of 100 nt every 20 nt, both strands."""
    with tempfile.TemporaryDirectory() as place:
        genome = write_fasta(Path(place) / "genome.fa", [stretch.letters])
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        command = [python, "-W", "ignore", "-c", _MIRE2E, str(genome)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    told = json.loads(done.stdout.splitlines()[-1])
    return {"tool": f"miRe2e {told.pop('version')}", "n_hairpins": 0, "n_known_covered": None} | told


def per_mb(row: dict[str, Any], stretch: Stretch) -> dict[str, Any]:
    """A row with its rates."""
    rates = {name: round(row[name] / stretch.mb, 1) for name in ("cpu", "n_hairpins", "n_scored")}
    return {"mb": stretch.mb, "n_known": len(stretch.known)} | row | {"per_mb": rates}


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every tool in turn."""
    genomes = find_data() / "genomes"
    chromosome = read_letters(genomes / f"{GENOME}.fa.gz")
    known = read_known(genomes / f"{GENOME}.mirgenedb.gff3")
    stretch = richest_stretch(chromosome, known, arguments.nt)
    short = stretch.head(min(arguments.mire2e_nt, arguments.nt))
    works: list[tuple[Callable[[], dict[str, Any]], Stretch]] = [
        (lambda: of_mirsweep(stretch), stretch),
        (lambda: of_rnalfold(stretch), stretch),
    ]
    left_out = [name for name in ("mirdnn", "mire2e") if not getattr(arguments, name)]
    if arguments.mirdnn:
        works.append((lambda: of_mirdnn(stretch, arguments.mirdnn), stretch))
    if arguments.mire2e:
        works.append((lambda: of_mire2e(short, arguments.mire2e), short))
    rows: dict[str, dict[str, Any]] = {}
    for _ in range(arguments.rounds):
        for work, piece in works:
            row = per_mb(work(), piece)
            print(row, file=sys.stderr, flush=True)
            rows[row["tool"]] = min(row, rows.get(row["tool"], row), key=lambda each: each["cpu"])
    where = {"genome": GENOME, "start": stretch.start, "known": "MirGeneDB"}
    return {"command": command_line(), **where, "left_out": left_out, "rows": list(rows.values())}


def main() -> None:
    """Measure, print, and with --json keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mire2e", metavar="PYTHON", help="interpreter that has miRe2e")
    parser.add_argument("--mirdnn", metavar="FOLDER", type=Path, help="clone of mirDNN")
    parser.add_argument("--nt", type=int, default=200_000, help="bases that are scanned")
    parser.add_argument("--mire2e-nt", type=int, default=10_000, help="bases that miRe2e reads of them")
    parser.add_argument("--rounds", type=int, default=1, help="of which the fastest counts")
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/peers.json")
    arguments = parser.parse_args()
    figures = measure(arguments)
    for name in figures["left_out"]:
        print(f"{name} was not given, and is left out.", file=sys.stderr)
    print(json.dumps(figures["rows"], indent=1))
    if arguments.json:
        write_result("peers", figures)


if __name__ == "__main__":
    main()
