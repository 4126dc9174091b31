"""Stages of a whole scan beside those of another version of mirsweep, in turn, in one process each.

    python benchmarks/bench_stages.py GENOME [GENOME ...] --beside OTHER/bin/python [--rounds 3] --json

OTHER is an environment with the other version. Of each stage the fastest round counts; `cpu` is the CPU time of the
whole process, which other work on the machine disturbs less. How many candidates both have, and how far their scores
differ, is told.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness import write_result
from mirsweep.jobs.results.dataset import open_output

N_BEST = (100, 1000, 10_000)
"""Of the other's candidates, the best so many by score are looked for."""
_PLACE, _FOUND = ["contig", "start", "end", "strand"], ["structure", "mfe", "score"]
_ONE = """
import json, resource, sys
from mirsweep.jobs import scan
genome, output, warm_up = sys.argv[1:]
if __name__ == "__main__":
    from mirsweep.jobs.demo.demo import DATA
    scan(DATA / "slice.fa.gz", output=warm_up, local=True, decoys="none", report=False, quiet=True)
    before = resource.getrusage(resource.RUSAGE_SELF)
    run = scan(genome, output=output, local=True, decoys="none", report=False, quiet=True).run
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps(run["seconds"]["by_stage"] | {"wall": run["seconds"]["wall"], "cpu": cpu}))
"""


def scan_once(python: str, genome: Path, output: Path) -> dict[str, float]:
    """Seconds by stage of one scan by the version that an interpreter has."""
    with tempfile.TemporaryDirectory() as place:
        command = [python, "-P", "-c", _ONE, str(genome), str(output), str(Path(place) / "warm-up")]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def compare(genome: Path, pythons: Sequence[str], rounds: int) -> dict[str, Any]:
    """Both versions in turn."""
    found: list[list[dict[str, float]]] = [[] for _ in pythons]
    with tempfile.TemporaryDirectory() as place:
        for number in range(rounds):
            outputs = [Path(place) / f"{number}-{which}" for which in range(len(pythons))]
            for which, python in enumerate(pythons):
                found[which].append(scan_once(python, genome, outputs[which]))
                print(genome.name, which, found[which][-1], file=sys.stderr, flush=True)
        difference = compare_rows(*outputs)
    now, other = ({name: min(each[name] for each in rows) for name in rows[0]} for rows in found)
    return {
        "genome": genome.name,
        "rounds": rounds,
        "seconds": rounded(now),
        "seconds_of_the_other": rounded(other),
        "times_as_fast": rounded({name: other[name] / now[name] for name in now if other.get(name) and now[name]}),
        **difference,
    }


def compare_rows(one: Path, other: Path) -> dict[str, Any]:
    """How many candidates both have, of the best of the other, too, and whether these are told to be the same."""
    tables = []
    for path, mark in ((one, ""), (other, "_of_other")):
        table = open_output(path).dataset().to_table(columns=[*_PLACE, *_FOUND])
        texts = [table[name].cast(pa.string()) if name in ("contig", "strand") else table[name] for name in _PLACE]
        tables.append(pa.table([*texts, *table.select(_FOUND).columns], [*_PLACE, *(name + mark for name in _FOUND)]))
    shared = tables[0].join(tables[1], _PLACE, join_type="inner")
    own, others = (shared[name].to_numpy() for name in ("score", "score_of_other"))
    all_of_other = np.sort(tables[1]["score_of_other"].to_numpy())[::-1]
    is_same = pc.and_(*(pc.equal(shared[name], shared[name + "_of_other"]) for name in ("structure", "mfe")))
    gaps = np.abs(log_odds(own) - log_odds(others))
    best = {n: int((others >= all_of_other[n - 1]).sum()) for n in N_BEST if n <= all_of_other.size}
    return {
        "n_candidates": tables[0].num_rows,
        "n_candidates_of_the_other": tables[1].num_rows,
        "n_shared": shared.num_rows,
        "n_shared_of_the_best_of_the_other": best,
        "structures_of_the_shared_are_the_same": bool(pc.all(is_same).as_py()),
        "share_of_scores_within_0.001_in_log_odds": round(float((gaps < 1e-3).mean()), 4) if gaps.size else None,
    }


def log_odds(scores: np.ndarray) -> np.ndarray:
    """Of scores, float64."""
    scores = np.clip(scores.astype(np.float64), 1e-9, 1 - 1e-9)
    return np.log(scores / (1 - scores))


def rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}


def main() -> None:
    """Compare on each genome, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("genomes", nargs="+", type=Path)
    parser.add_argument("--beside", required=True, help="Python of the environment with the other version.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="Write benchmarks/results/stages.json.")
    arguments = parser.parse_args()
    rows = [compare(genome, (sys.executable, arguments.beside), arguments.rounds) for genome in arguments.genomes]
    print(json.dumps(rows, indent=1))
    if arguments.json:
        command = "python benchmarks/bench_stages.py GENOME ... --beside PYTHON --json"
        write_result("stages", {"command": command, "rows": rows})


if __name__ == "__main__":
    main()
