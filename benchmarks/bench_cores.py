"""One core against several: how much of the cores a scan on Ray uses, and where each core-second goes.

    python benchmarks/bench_cores.py GENOME.fa.gz --json
    python benchmarks/bench_cores.py GENOME.fa.gz --region 20:30000001-40000000 --decoys none

The same command scans in one process (`--local`), in worker processes on all cores (`--workers`) and on Ray with all
cores (`--ray`). While it runs, the CPU time of every process that it has started is read from /proc, and told by stage
(as `mirsweep status` tells it) and by who spent it: the driver, the workers, scoring actors, Ray's own processes. What
is left of the cores is idle.

The overhead is what is no prefilter, folding, scoring or second pass. In one process it is the difference of all
core-seconds and those of these stages, which a scan tells by the clock: when the process was kept from working is taken
off, by how much it worked in the middle of the scan. With worker processes it is the sum of what the driver takes
without the second pass, the start of the workers (what those of a scan of hardly anything take), reading and writing.
The scans find the byte code of Python that an installed package has.

The efficiency is wall time in one process over wall time times cores. On a machine with other work use
`efficiency_by_cpu`: the same of the wall times that the CPU times give if nothing else ran: of a stage in which workers
work their sum by the number of cores, of any other that of the driver.
"""

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from harness import command_line, write_result
from helpers_processes import below, cpu_seconds, words_of
from mirsweep.jobs.demo.demo import DATA
from mirsweep.jobs.results.layout import DECOYS, HEARTBEAT, RUN
from mirsweep.scanner import open_genome

SECONDS = 0.1
"""Between two looks; what a process does after the last look at it is lost."""
WORKERS = ("ray::scan_task", "ray::fold_task", "ray::IDLE")
CORE_WORKER = "mirsweep.jobs.scanning.core_worker"
ROLES = {"ray::ScoringActor": "scoring", "raylet": "ray", "gcs_server": "ray", "ray::": "ray"}
"""By what a process's title begins with; all others below the driver are Ray's."""
AT_WORK = ("scan", "decoys")
"""Stages in which workers work."""
STAGES = ("prefilter", "fold", "score")
TINY_NT = 1000
NO_BYTE_CODE = "PYTHONDONTWRITEBYTECODE"


class Spent(NamedTuple):
    """Core-seconds by stage and role, wall seconds by stage, and in all.

    ``total`` are the core-seconds of all processes, also after the last look at them, ``busy`` is the share of the time
    that a process at work worked in the middle of the scan, and ``stages`` are the seconds that the scan tells.
    """

    cpu: dict[str, dict[str, float]]
    wall: dict[str, float]
    seconds: float
    total: float
    busy: float
    run: dict[str, Any]
    stages: dict[str, float]


class _Account:
    """CPU time of all processes of a scan."""

    def __init__(self, driver: int, output: Path, n_workers: int):
        self._driver, self._output, self._n_workers = driver, output, n_workers
        self._role_at_work = "workers" if n_workers > 1 else "driver"
        self._last: dict[tuple[int, str], float] = {}
        self._roles: dict[tuple[int, str], str] = {}
        self._then = time.perf_counter()
        self.cpu: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self.wall: collections.Counter[str] = collections.Counter()
        self.middle: collections.Counter[str] = collections.Counter()

    def look(self) -> None:
        """Add what was spent since the last look."""
        (stage, is_middle), now = self._stage(), time.perf_counter()
        self.wall[stage] += now - self._then
        self.middle["wall"] += (now - self._then) * is_middle
        self._then = now
        for pid in below(self._driver):
            found = cpu_seconds(pid)
            if found is None:
                continue
            key, seconds = (pid, found.began), found.seconds
            self._roles[key] = self._role(pid, self._roles.get(key, "ray"))
            self.cpu[stage][self._roles[key]] += seconds - self._last.get(key, 0.0)
            self.middle[self._roles[key]] += (seconds - self._last.get(key, 0.0)) * is_middle
            self._last[key] = seconds

    @property
    def busy(self) -> float:
        """Share of the time that a process at work worked in the middle of the scan; 1 of a scan without a middle."""
        wall = self.middle["wall"] * self._n_workers
        return min(1.0, self.middle[self._role_at_work] / wall) if wall else 1.0

    def _role(self, pid: int, before: str) -> str:
        if pid == self._driver:
            return "driver"
        title = words_of(pid)
        if title.startswith(WORKERS) or CORE_WORKER in title:
            return "workers"
        return next((role for start, role in ROLES.items() if title.startswith(start)), before)

    def _stage(self) -> tuple[str, bool]:
        """The stage, and whether it is the middle of the scan: all workers have begun, and none is done."""
        if (self._output / RUN).exists():
            return "ending", False
        try:
            told = json.loads((self._output / HEARTBEAT).read_bytes())
        except (OSError, ValueError):
            return "starting", False
        is_middle = self._n_workers <= told["n_shards_done"] <= told["n_shards"] - 2 * self._n_workers
        return told["stage"], told["stage"] == "scan" and is_middle


def watch(words: list[str], output: Path, n_workers: int, *, pause: float = SECONDS) -> Spent:
    """Run a scan and account for it."""
    began = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        account, ended = _Account(process.pid, output, n_workers), 0
        while not ended:
            account.look()
            time.sleep(pause)
            ended, status, taken = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"the scan ended with {process.returncode}: {' '.join(words)}")
    run = json.loads((output / RUN).read_bytes())
    cpu = {stage: dict(own) for stage, own in account.cpu.items()}
    total = max(taken.ru_utime + taken.ru_stime, sum(sum(own.values()) for own in cpu.values()))
    return Spent(cpu, dict(account.wall), seconds, total, account.busy, run, _stage_seconds(output))


def _stage_seconds(output: Path) -> dict[str, float]:
    """By stage the seconds that a scan tells, of its decoys too."""
    found: collections.Counter[str] = collections.Counter()
    for path in (output / RUN, output / DECOYS / RUN):
        if path.exists():
            found.update(json.loads(path.read_bytes())["seconds"]["by_stage"])
    return {stage: round(seconds, 3) for stage, seconds in found.items()}


def table(spent: Spent, n_cores: int) -> list[dict[str, Any]]:
    """A row a stage: wall seconds, core-seconds by role, and those that were nobody's."""
    rows = []
    for stage, wall in spent.wall.items():
        cpu = spent.cpu.get(stage, {})
        idle = n_cores * wall - sum(cpu.values())
        roles = {role: round(cpu.get(role, 0.0), 2) for role in ("driver", "workers", "scoring", "ray")}
        rows.append({"stage": stage, "wall": round(wall, 2)} | roles | {"idle": round(idle, 2)})
    total = {name: round(sum(row[name] for row in rows), 2) for name in rows[0] if name != "stage"}
    return [*rows, {"stage": "all"} | total]


def wall_by_cpu(spent: Spent, n_cores: int) -> float:
    """Wall seconds if nothing else ran on the machine, by the CPU times."""
    parallel = {stage: sum(own.values()) / n_cores for stage, own in spent.cpu.items() if stage in AT_WORK}
    serial = {stage: own.get("driver", 0.0) for stage, own in spent.cpu.items() if stage not in AT_WORK}
    return sum(parallel.values()) + sum(serial.values())


def start_of_workers(folder: Path, n_workers: int) -> float:
    """Core-seconds of the worker processes of a scan of hardly anything."""
    slice_ = DATA / "slice.fa.gz"
    with closing(open_genome(slice_)) as genome:
        region = f"{genome.contigs[0].name}:1-{n_workers * TINY_NT}"
    tiny = ["--region", region, "--shard-nt", str(TINY_NT), "--workers", str(n_workers), "--no-loci", "--quiet"]
    spent = watch([*_command(slice_, folder), *tiny], folder, n_workers, pause=SECONDS / 20)
    return sum(own.get("workers", 0.0) for own in spent.cpu.values())


def overhead(spent: Spent, starts: float | None) -> dict[str, float]:
    """Core-seconds in all, and those that are no stage's.

    Parameters
    ----------
    starts
        Those of the start of worker processes; None of a scan in one process.
    """
    at_loci = min(1.0, spent.cpu.get("loci", {}).get("driver", 0.0) / max(spent.wall.get("loci", 0.0), SECONDS))
    second_pass = spent.run["loci"]["seconds"] * at_loci
    parts = {"reading_and_writing": (spent.stages["read"] + spent.stages["write"]) * spent.busy}
    if starts is None:
        rest = spent.total - sum(spent.stages[name] for name in STAGES) * spent.busy - second_pass
        parts["start_page_end"] = rest - parts["reading_and_writing"]
    else:
        workers = sum(own.get("workers", 0.0) for own in spent.cpu.values())
        parts |= {"driver": spent.total - workers - second_pass, "start_of_workers": starts}
    rest = sum(parts.values())
    told = {"core_seconds": spent.total, "second_pass": second_pass} | parts | {"overhead": rest}
    return {name: round(seconds, 2) for name, seconds in told.items()} | {"share": round(rest / spent.total, 4)}


def measure(genome: Path, region: str | None, decoys: str, n_cores: int) -> dict[str, Any]:
    """The scans, and how they compare."""
    asked = ["--decoys", decoys, "--quiet", *(["--region", region] if region else [])]
    spent = {}
    with tempfile.TemporaryDirectory(prefix="mirsweep-cores-") as folder:
        for how in (["--local"], ["--workers", str(n_cores), "--overwrite"]):  # kernels and byte code are made
            warm = [*_command(DATA / "slice.fa.gz", Path(folder, "warm")), *how, "--quiet", "--decoys", "1000000"]
            subprocess.run(warm, check=True)
        open_genome(genome).close()
        several = ["--workers", str(n_cores)]
        for name, how in (("one", ["--local"]), ("cores", several), ("ray", ["--ray", *several])):
            output = Path(folder, name)
            spent[name] = watch([*_command(genome, output), *asked, *how], output, 1 if name == "one" else n_cores)
        starts = start_of_workers(Path(folder, "tiny"), n_cores)
    wall = {name: each.seconds for name, each in spent.items()}
    by_cpu = {name: wall_by_cpu(each, 1 if name == "one" else n_cores) for name, each in spent.items()}
    return {
        "n_cores": n_cores,
        "load_average": round(os.getloadavg()[0], 1),
        "n_bases": spent["one"].run["counts"]["n_bases"],
        "n_candidates": {name: each.run["counts"]["n_candidates"] for name, each in spent.items()},
        "wall": {name: round(seconds, 2) for name, seconds in wall.items()},
        "efficiency": _efficiencies(wall, n_cores),
        "wall_by_cpu": {name: round(seconds, 2) for name, seconds in by_cpu.items()},
        "efficiency_by_cpu": _efficiencies(by_cpu, n_cores),
        "stage_seconds": {name: each.stages for name, each in spent.items()},
        "overhead": {"one": overhead(spent["one"], None), "cores": overhead(spent["cores"], starts)},
        "where_each_core_second_goes": {
            name: table(each, 1 if name == "one" else n_cores) for name, each in spent.items()
        },
    }


def _efficiencies(wall: dict[str, float], n_cores: int) -> dict[str, float]:
    return {name: round(wall["one"] / (n_cores * own), 3) for name, own in wall.items() if name != "one"}


def _command(genome: Path, output: Path) -> list[str]:
    return [sys.executable, "-m", "mirsweep.jobs.cli.main", "scan", str(genome), "-o", str(output)]


def print_table(rows: list[dict[str, Any]]) -> None:
    """The rows of a table, aligned."""
    print("".join(f"{name:>10}" for name in rows[0]))
    for row in rows:
        print("".join(f"{value:>10}" if isinstance(value, str) else f"{value:>10.2f}" for value in row.values()))


def main() -> None:
    """Measure, print, and with --json keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("genome", type=Path)
    parser.add_argument("--region", help="of the genome, as in mirsweep scan; all of it by default")
    parser.add_argument("--decoys", default="50000000", help="as in mirsweep scan")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/cores-GENOME.json")
    arguments = parser.parse_args()
    for name in ("RAY_ADDRESS", NO_BYTE_CODE):
        os.environ.pop(name, None)
    figures = measure(arguments.genome, arguments.region, arguments.decoys, arguments.cores)
    for name, rows in figures["where_each_core_second_goes"].items():
        print(f"\n{name}: core-seconds")
        print_table(rows)
    print(json.dumps({name: value for name, value in figures.items() if not name.startswith("where_")}, indent=2))
    if arguments.json:
        name = arguments.genome.name.split(".")[0]
        write_result(f"cores-{name}", {"command": command_line(), "genome": arguments.genome.name} | figures)


if __name__ == "__main__":
    main()
