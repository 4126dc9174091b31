"""The first scan, which compiles its kernels, beside the next ones and beside another commit.

    python benchmarks/bench_first_run.py --json --baseline COMMIT

Three things: the demo with an empty and with a filled cache (wall time, least of some repeats); what compiling each
kernel costs by itself, with the kernels that it calls, and all of them in two processes (processor time); and the
steady speed of a scan of the demo's slice on one core (processor time), which compiling must not change. A baseline is
checked out into a temporary folder and measured in turns with this commit. Wall times are those of the machine as it
was: see its load. On two idle cores compiling takes what the slower of the two processes takes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import ROOT, command_line, commit, write_result
from mirsweep.jobs.demo.demo import DATA

DEMO = """
import json, sys, time
began, output, marks = float(sys.argv[1]), sys.argv[2], {}
import mirsweep.scanner.scan as scanning
name = "scan_tiles" if hasattr(scanning, "scan_tiles") else "scan_tile"
scan = getattr(scanning, name)
def timed(*arguments, **options):
    marks.setdefault("first_shard_starts", time.time() - began)
    result = scan(*arguments, **options)
    marks.setdefault("first_shard_is_folded", time.time() - began)
    return result
setattr(scanning, name, timed)
from mirsweep.jobs.cli.main import main
assert main(["demo", "-o", output, "--quiet"]) == 0
print(json.dumps(marks | {"all": time.time() - began}))
"""
"""Runs the demo and notes when its first shard was begun and folded, seconds since ``began``."""

KERNELS = """
import json, time
from collections import Counter
from numba.core import event
seconds, specialisations, running = Counter(), Counter(), []
class Clock(event.Listener):
    def on_start(self, _):
        running.append(time.process_time())
    def on_end(self, found):
        name = found.data["dispatcher"].py_func
        name = f"{name.__module__.removeprefix('mirsweep.')}.{name.__qualname__}"
        seconds[name] += time.process_time() - running.pop()
        specialisations[name] += 1
from mirsweep.first_run import compile_kernels
from mirsweep.model import load_model
from mirsweep.model.kernel_groups import scoring_kernels
from mirsweep.scanner.kernel_groups import scanning_kernels
from mirsweep.scanner.params import preset_params
groups = [*scanning_kernels(preset_params("animal")), *scoring_kernels(load_model("genome").card)]
event.register("numba:compile", Clock())
total = {}
for group in groups:
    began = time.process_time()
    compile_kernels([group], n_processes=1)
    total[group] = round(time.process_time() - began, 2)
kernels = {
    name: {"seconds": round(value, 2), "specialisations": specialisations[name]}
    for name, value in seconds.most_common()
    if name.startswith(("scanner", "model"))
}
print(json.dumps({"groups": total, "all_groups": round(sum(total.values()), 2), "kernels": kernels}))
"""
"""Compiles the kernels of a default scan one by one; processor seconds."""

STEADY = """
import gzip, hashlib, json, sys, time
from mirsweep.scanner.scan import ScanParams, scan_tile
with gzip.open(sys.argv[1], "rb") as stream:
    stream.readline()
    bases = stream.read().replace(b"\\n", b"")
def scan(end):
    return scan_tile(bases[:end], bases_start=0, core_start=0, core_end=end, params=ScanParams()).table
scan(50_000)  # loads or compiles
seconds = []
for _ in range(5):
    began = time.process_time()
    table = scan(len(bases))
    seconds.append(time.process_time() - began)
rows = table.select(["start", "end", "strand", "mfe", "structure"]).to_pylist()
rows = hashlib.sha256(str(rows).encode()).hexdigest()
print(json.dumps({"seconds": min(seconds), "rows": rows, "mb": len(bases) / 1e6}))
"""
"""Finds and folds the candidates of the slice; least processor seconds of five, and a digest of the rows."""

TWO_PROCESSES = """
import json, resource, sys, time
from mirsweep.first_run import compile_kernels
began = time.process_time()
compile_kernels(sys.argv[1:], n_processes=2)
helper = resource.getrusage(resource.RUSAGE_CHILDREN)
this = time.process_time() - began
print(json.dumps({"this": round(this, 2), "helper": round(helper.ru_utime + helper.ru_stime, 2)}))
"""
"""Compiles groups of kernels in this process and a helper; processor seconds of both."""


@contextmanager
def tree_of(name: str) -> Iterator[Path]:
    """A folder that holds another commit's ``mirsweep``, to be put before the installed one."""
    with tempfile.TemporaryDirectory() as folder:
        checkout, site = Path(folder, "checkout"), Path(folder, "site", "mirsweep")
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", "--quiet", str(checkout), name], check=True)
        try:
            site.mkdir(parents=True)
            own = sorted((checkout / "package").glob("*"))
            for path in (*(checkout / room for room in ("scanner", "model", "jobs")), *own):
                (site / path.name).symlink_to(path)
            yield site.parent
        finally:
            subprocess.run([*git, "remove", "--force", str(checkout)], check=True)


def run(code: str, *arguments: object, tree: Path | None, cache: Path) -> dict[str, Any]:
    """What code prints as JSON, in a process of its own with this cache folder."""
    environment = os.environ | {"MIRSWEEP_CACHE": str(cache), "XDG_CACHE_HOME": str(cache)}
    environment |= {"PYTHONPATH": str(tree)} if tree else {}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def demo(tree: Path | None, cache: Path) -> dict[str, float]:
    """Seconds of one run of the demo."""
    with tempfile.TemporaryDirectory() as output:
        return run(DEMO, time.time(), Path(output, "out"), tree=tree, cache=cache)


def first_and_next(tree: Path | None) -> dict[str, dict[str, float]]:
    """Seconds of the demo with an empty cache, and again with what that left."""
    with tempfile.TemporaryDirectory() as cache:
        return {name: demo(tree, Path(cache)) for name in ("empty_cache", "warm_cache")}


def least(measured: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Of each figure the least."""
    return {
        state: {mark: round(min(each[state][mark] for each in measured), 2) for mark in marks}
        for state, marks in measured[0].items()
    }


def steady(trees: dict[str, Path | None], *, repeats: int) -> dict[str, Any]:
    """Processor seconds of a scan of the slice by each tree, in turns; the rows must be the same."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            for name, tree in trees.items():
                cache = Path(folder, name)
                cache.mkdir(mode=0o700, exist_ok=True)
                found[name].append(run(STEADY, DATA / "slice.fa.gz", tree=tree, cache=cache))
    rows = {each["rows"] for figures in found.values() for each in figures}
    if len(rows) > 1:
        raise SystemExit("the two commits find different rows")
    seconds = {name: min(each["seconds"] for each in figures) for name, figures in found.items()}
    return {"mb": found["this"][0]["mb"], "processor_seconds": seconds, "rows_are_the_same": True}


def measure(baseline: Path | None, *, repeats: int) -> dict[str, Any]:
    """All figures, of this commit and, if given, of the baseline."""
    trees = {"this": None} | ({"baseline": baseline} if baseline else {})
    demos: dict[str, list] = {name: [] for name in trees}
    for _ in range(repeats):
        for name, tree in trees.items():
            demos[name].append(first_and_next(tree))
    figures: dict[str, Any] = {"demo_wall_seconds": {name: least(each) for name, each in demos.items()}}
    with tempfile.TemporaryDirectory() as cache:
        compiling = run(KERNELS, tree=None, cache=Path(cache))
    with tempfile.TemporaryDirectory() as cache:
        compiling["in_two_processes"] = run(TWO_PROCESSES, *compiling["groups"], tree=None, cache=Path(cache))
    figures["compiling_processor_seconds"] = compiling
    figures["steady_scan"] = steady(trees, repeats=repeats)
    if baseline:
        first = {
            name: each["empty_cache"]["first_shard_is_folded"] for name, each in figures["demo_wall_seconds"].items()
        }
        scans = figures["steady_scan"]["processor_seconds"]
        figures["ratios"] = {
            "first_shard_of_a_first_run": round(first["baseline"] / first["this"], 2),
            "steady_scan": round(scans["baseline"] / scans["this"], 3),
        }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baseline", metavar="COMMIT", help="measure this commit too")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/first_run.json")
    asked = parser.parse_args()
    head: dict[str, Any] = {"command": command_line()}
    head |= {"load_average_at_start": round(os.getloadavg()[0], 1), "repeats": asked.repeats}
    if asked.baseline:
        with tree_of(asked.baseline) as tree:
            figures = measure(tree, repeats=asked.repeats) | {"baseline": asked.baseline}
    else:
        figures = measure(None, repeats=asked.repeats)
    figures = head | figures | {"load_average_at_end": round(os.getloadavg()[0], 1)}
    print(json.dumps(figures | {"commit": commit()}, indent=2))
    if asked.json:
        write_result("first_run", figures)


if __name__ == "__main__":
    main()
