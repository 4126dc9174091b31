"""Fifty random kills over one scan: workers, the raylet, the driver; rows compared.

    python benchmarks/check_kills.py GENOME.fa.gz --json              in worker processes
    python benchmarks/check_kills.py GENOME.fa.gz --ray --json        on Ray

Kills are spread over the scan by the number of finished shards, decoys and second pass among them; some come while a
scan starts. Whenever the driver has ended, the same command is given again. Right is: rows and loci of an undisturbed
scan, as many part files as records tell of, no row twice, and an output that `mirsweep check` finds sound. Nothing is
killed but what the driver has started, and the driver. Writes benchmarks/results/kills.json or kills-ray.json.
"""

import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from harness import ROOT, write_result

sys.path.insert(0, str(ROOT / "tests"))

from helpers_jobs import command, descendants, programs_of, rows
from mirsweep.jobs import check
from mirsweep.jobs.results.layout import CANDIDATES, DECOYS, LOCI_FILES, RECORDS, RUN, SHARDS, part_path
from mirsweep.jobs.results.records import read_records

SHARD_NT, DECOY_NT = 50_000, 1_000_000
AT_THE_END = 2
"""Kills that wait until all shards are done: in the second pass, or while the page is written."""
WHILE_STARTING = 0.2
"""Share of the kills that wait for no shard."""
STARTING_SECONDS = 8.0
MOST_SECONDS = 300
"""Without a finished shard: something hangs."""
OUTLIVED_SECONDS = 100
"""Ray's agents notice within 75 s that the raylet is gone."""
PROGRAMS = {
    "worker": ("ray::scan_task", "ray::IDLE"),
    "raylet": ("raylet",),
}
"""On Ray, by what is killed the names of its processes; a worker is idle for an instant between two shards."""
CORE_WORKER = "mirsweep.jobs.scanning.core_worker"


class Kill(NamedTuple):
    """A kill -9: of what, and how many shards were done then, decoys' too."""

    target: str
    n_done: int


class Disturbed:
    """A scan that is killed again and again.

    Attributes
    ----------
    kills
        So far.
    ends
        How often the driver ended by itself, by its exit code and its last words.
    wrong
        What was not as promised, in words.
    """

    def __init__(self, words: list[str], output: Path, rng: random.Random):
        self._words, self._output, self._rng = words, output, rng
        self._log = output.with_suffix(".stderr")
        self._process: subprocess.Popen | None = None
        self._below: dict[int, tuple[str, str]] = {}
        self.kills: list[Kill] = []
        self.ends: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self.n_starts = 0

    @property
    def is_complete(self) -> bool:
        """Whether the scan is over, with all its shards."""
        return (self._output / RUN).exists() and not self._is_running()

    def kill_at(self, n_done: int | None) -> None:
        """Kill something soon after so many shards are done; None: soon after now."""
        wait = self._rng.uniform(0, 0.5 if n_done is not None else STARTING_SECONDS)
        deadline = time.monotonic() + MOST_SECONDS
        while n_done is not None and n_shards_done(self._output) < n_done and time.monotonic() < deadline:
            if not self._run():
                return
            time.sleep(0.02)
        time.sleep(wait)
        if self._run():
            self._kill()

    def finish(self) -> None:
        """Let the scan come to its end."""
        for _ in range(3):
            if not self._run():
                return
            assert self._process is not None
            self._process.wait(timeout=1200)
            self._note_end()
        if not self.is_complete:
            self.wrong.append("the scan given again did not come to its end")

    def _run(self) -> bool:
        """Start the scan if it is not running; False if it is complete."""
        if self._is_running():
            return True
        self._note_end()
        if self.is_complete:
            return False
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(self._words, stdout=subprocess.DEVNULL, stderr=log)
        self.n_starts += 1
        return True

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _note_end(self) -> None:
        if self._process is None:
            return
        code, self._process = self._process.returncode, None
        said = self._log.read_text(errors="replace").strip().splitlines()
        if code != -signal.SIGKILL:
            last = said[-1] if said else ""
            self.ends[f"{code}: {last.partition(' (')[0][:80]}" if code else "0"] += 1
        is_told = code == 2 and said and "run the same command again" in said[-1]
        if not (code in (0, 1, -signal.SIGKILL) or is_told) or any("Traceback" in line for line in said):
            self.wrong.append(f"the driver ended with {code}: {' '.join(said[-3:])[-300:]}")

    def _kill(self) -> None:
        assert self._process is not None
        driver = self._process.pid
        found = {kind: [pid for name in names for pid in programs_of(driver, name)] for kind, names in PROGRAMS.items()}
        found["worker"] += [pid for pid in descendants(driver, "") if CORE_WORKER in (_told(pid) or ("", ""))[1]]
        alive = {kind: pids for kind, pids in found.items() if pids}
        target = self._rng.choice([*alive, "driver"])
        pid = driver if target == "driver" else self._rng.choice(alive[target])
        below = {each: told for each in descendants(driver, "") if each != driver and (told := _told(each))}
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # it has just ended by itself
            return
        self.kills.append(Kill(target, n_shards_done(self._output)))
        print(json.dumps(self.kills[-1]._asdict()), file=sys.stderr, flush=True)
        if target == "driver":
            self._process.wait()
            self._below |= below

    def see_end_of_rest(self) -> None:
        """What killed drivers had started ends by itself."""
        deadline = time.monotonic() + OUTLIVED_SECONDS
        while left := {pid: what for pid, (began, what) in self._below.items() if (_told(pid) or ("",))[0] == began}:
            if time.monotonic() > deadline:
                self.wrong += [f"outlived the driver: {what}" for what in left.values()]
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                return
            time.sleep(0.2)


def _told(pid: int) -> tuple[str, str] | None:
    """When a process began, which with its number tells it from all others, and its command; None if it is over."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return None
    return None if fields[0] == "Z" else (fields[19], " ".join(Path(word).name for word in words[:4]))


def n_shards_done(output: Path) -> int:
    """Finished shards by their commit records, decoys' too."""
    return sum(n_records(place) for place in (output, output / DECOYS))


def n_records(output: Path) -> int:
    """Commit records, in one file or in many."""
    merged = output / RECORDS
    n_merged = merged.read_bytes().count(b"\n") if merged.exists() else 0
    return max(n_merged, len(list((output / SHARDS).glob("[0-9]*.json"))))


def moments(n_kills: int, n_shards: int, rng: random.Random) -> list[int | None]:
    """At how many finished shards something is killed, in order; None while a scan starts."""
    n_spread = n_kills - AT_THE_END
    spread = sorted(rng.randrange(n_shards) for _ in range(n_spread))
    return [None if rng.random() < WHILE_STARTING else n for n in spread] + [n_shards] * AT_THE_END


def lost_or_doubled(output: Path) -> list[str]:
    """What is wrong with the parts of an output, by its records, in words."""
    records = read_records(output)
    told = {part_path(name).name: record["part"] for name, record in records.by_shard.items() if record["part"]}
    there = {path.name: path.stat().st_size for path in (output / CANDIDATES).glob("part-*")}
    wrong = [f"{name} {what}" for name, what in records.damage.items()]
    wrong += [f"{name} is lost" for name in told.keys() - there.keys()]
    wrong += [f"{name} is no shard's" for name in there.keys() - told.keys()]
    wrong += [f"{name} has another size" for name in told.keys() & there.keys() if told[name]["bytes"] != there[name]]
    wrong += [f"{path.name} is left over" for path in (output / SHARDS).iterdir() if path.name[0].isdigit()]
    wrong += [] if (output / RECORDS).exists() else ["the records were not merged"]
    table = rows(output)
    if sum(part["rows"] for part in told.values()) != table.num_rows:
        wrong.append("the records tell another number of rows")
    places = table.select(["genome", "contig", "start", "end", "strand"])
    if places.group_by(places.column_names).aggregate([]).num_rows != table.num_rows:
        wrong.append("rows are there twice")
    return wrong


def differences(whole: Path, output: Path) -> list[str]:
    """What of rows and loci differs from an undisturbed scan, in words."""
    order = [(name, "ascending") for name in ("genome", "contig", "start", "end", "strand")]
    pairs = {"rows": ("", ""), "rows of decoys": (DECOYS, DECOYS)}
    wrong = [
        f"{what} differ"
        for what, (one, other) in pairs.items()
        if not rows(whole / one).sort_by(order).equals(rows(output / other).sort_by(order))
    ]
    names = ("loci.parquet", *LOCI_FILES)
    return wrong + [f"{n} differs" for n in names if (whole / n).read_bytes() != (output / n).read_bytes()]


def measure(genome: Path, n_kills: int, seed: int, *, is_on_ray: bool) -> dict:
    """Both scans, and what came of the kills."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, output = Path(folder) / "whole", Path(folder) / "killed"
        options = ["--shard-nt", SHARD_NT, "--decoys", DECOY_NT, "--workers", 2, "--quiet", *["--ray"] * is_on_ray]
        began = time.monotonic()
        subprocess.run(command("scan", genome, "-o", whole, *options), check=True)
        undisturbed = time.monotonic() - began
        n_shards = n_shards_done(whole)
        scan = Disturbed(command("scan", genome, "-o", output, *options), output, rng)
        began = time.monotonic()
        for moment in moments(n_kills, n_shards, rng):
            scan.kill_at(moment)
        while len(scan.kills) < n_kills and not scan.is_complete:  # some had just ended by themselves
            scan.kill_at(None)
        scan.finish()
        seconds = time.monotonic() - began
        scan.see_end_of_rest()
        places = (output, output / DECOYS)
        wrong = [
            *scan.wrong,
            *differences(whole, output),
            *(each for place in places for each in lost_or_doubled(place)),
        ]
        checked = check(output)
        wrong += [f"check: {each.file} {each.what}" for each in checked.damage]
        n_rows, n_parts = rows(output).num_rows, checked.n_files
    return {
        "genome": genome.name,
        "seed": seed,
        "n_shards": n_shards,
        "n_kills": len(scan.kills),
        "kills": dict(collections.Counter(kill.target for kill in scan.kills)),
        "shards_done_at_kills": [kill.n_done for kill in scan.kills],
        "n_starts_of_the_driver": scan.n_starts,
        "drivers_ended_by_themselves": dict(scan.ends),
        "seconds_undisturbed": round(undisturbed, 1),
        "seconds": round(seconds, 1),
        "n_rows": n_rows,
        "n_parts": n_parts,
        "rows_and_loci_identical": not [each for each in wrong if "differ" in each],
        "check_is_sound": checked.is_sound and checked.is_complete,
        "wrong": wrong + ([] if len(scan.kills) >= n_kills else [f"only {len(scan.kills)} kills fell into the scan"]),
    }


def main() -> int:
    """Run, print, with --json keep the figures; exit code 1 if anything was not as promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("genome", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ray", action="store_true", help="on Ray; in worker processes by default")
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/kills.json, or kills-ray.json")
    arguments = parser.parse_args()
    figures = measure(arguments.genome, arguments.kills, arguments.seed, is_on_ray=arguments.ray)
    print(json.dumps(figures, indent=2))
    if arguments.json:
        where = " --ray" if arguments.ray else ""
        typed = f"python benchmarks/check_kills.py {arguments.genome.name} --kills {arguments.kills}{where}"
        told = {"command": f"{typed} --seed {arguments.seed} --json"} | figures
        write_result("kills-ray" if arguments.ray else "kills", told)
    return 1 if figures["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
