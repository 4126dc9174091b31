"""Faults as they come: scans killed, disks full, places read-only, parts damaged, inputs bad; rows compared each time.

    python benchmarks/check_faults.py --json

Every fault is real: processes are killed, writes fail, files are changed. Right is what keeps the promise: a scan given
again ends with the rows of an undisturbed one, damage is named and repaired, what cannot be read is refused with one
sentence and exit code 2. Then each reader of files is fuzzed for a time. Writes benchmarks/results/faults.json.
"""

import argparse
import contextlib
import io
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from harness import ROOT, command_line, write_result

sys.path.insert(0, str(ROOT / "tests"))

from faults_inputs import bad_inputs
from fuzz_long import fuzz_apart
from fuzz_readers import READERS
from helpers_jobs import CALIBRATION, SLICE, command, make_model, n_committed, rows, write_fasta
from mirsweep.jobs import check
from mirsweep.jobs.results.layout import LOCI_FILES, RUN
from mirsweep.scanner import open_genome
from mirsweep.scanner.errors import InputError

SHARD_NT, DECOY_NT = 5_000, 10_000
SPAN = (0, 60_000)
"""Of the demo's slice, 0-based half-open: 12 shards, and 2 of decoys."""
LIMITS = (0, 300, 3_000, 8_000, 20_000, 40_000)
"""Bytes that a file may have where the disk is full."""


@dataclass
class Counts:
    """What came of faults of a kind.

    Attributes
    ----------
    tried, right
        Faults, and those after which all was as promised.
    lost_rows
        Rows of the undisturbed scan that were missing at the end, and rows too many.
    wrong
        What was not as promised, in words.
    """

    tried: int = 0
    right: int = 0
    lost_rows: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str, *, problem: str | None, lost: int = 0) -> None:
        """Count a fault."""
        self.tried += 1
        self.lost_rows += lost
        if problem is None and not lost:
            self.right += 1
        else:
            self.wrong.append(f"{what}: {problem or f'{lost} rows differ'}"[:300])


class World(NamedTuple):
    """A genome, a model, and the output of a scan that nothing disturbed."""

    folder: Path
    genome: Path
    model: Path
    whole: Path

    def scan(self, output: Path) -> list[str]:
        """The command of a scan into another folder."""
        options = ["--shard-nt", SHARD_NT, "--decoys", DECOY_NT, "--local", "--quiet"]
        return command("scan", self.genome, "-o", output, "--model", self.model, *options)

    def lost(self, output: Path) -> int:
        """Rows that differ from those of the undisturbed scan: missing ones, and ones too many."""
        one, other = (
            set(map(tuple, zip(*rows(path).to_pydict().values(), strict=True))) for path in (self.whole, output)
        )
        return len(one ^ other)

    def difference(self, output: Path) -> str | None:
        """Which file of the loci differs, in words; None if none does."""
        names = ("loci.parquet", *LOCI_FILES)
        differing = [name for name in names if (self.whole / name).read_bytes() != (output / name).read_bytes()]
        return f"{differing[0]} differs" if differing else None


def make_world(folder: Path) -> World:
    """The undisturbed scan."""
    genome = open_genome(SLICE)
    bases = genome.fetch(genome.contigs[0].name, *SPAN).decode()
    fasta = write_fasta(folder / "g.fa", {"c": bases[:40_000], "d": bases[40_000:]})
    world = World(folder, fasta, make_model(folder / "m.safetensors", calibration=CALIBRATION), folder / "whole")
    subprocess.run(world.scan(world.whole), check=True)
    return world


def finish(world: World, output: Path) -> str | None:
    """Give the scan again; what is wrong with its end, in words."""
    done = subprocess.run(world.scan(output), capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        return f"the scan given again ended with {done.returncode}: {done.stderr.strip()[-200:]}"
    return world.difference(output)


def visible(output: Path) -> str | None:
    """What an interrupted scan shows that it must not, in words."""
    if (output / RUN).exists():
        return None  # it was finished before
    found = check(output) if n_committed(output) else None
    return None if found is None or found.is_sound else f"{found.damage[0].file} {found.damage[0].what}"


def ended(world: World, number: int, rng: random.Random, output: Path) -> tuple[str, int]:
    """Start a scan, end it with a signal at a random moment; how it ended."""
    process = subprocess.Popen(world.scan(output), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wanted = rng.randrange(12)
    deadline = time.monotonic() + 120
    while n_committed(output) < wanted and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.3 if wanted else 4))
    process.send_signal(number)
    return process.communicate(timeout=120)[1], process.returncode


def kills(world: World, n: int, rng: random.Random) -> Counts:
    """kill -9 of a scan at random moments, three times each, then given again."""
    counts = Counts()
    for k in range(n):
        output = world.folder / f"killed-{k}"
        problems = []
        for _ in range(3):
            ended(world, signal.SIGKILL, rng, output)
            problems.append(visible(output) if output.exists() else None)
        problem = next((each for each in problems if each), None) or finish(world, output)
        counts.add(f"kill {k}", problem=problem, lost=world.lost(output))
        shutil.rmtree(output)
    return counts


def signals(world: World, n: int, rng: random.Random) -> Counts:
    """Ctrl-C, termination and the end of the terminal at random moments: 130 and a sentence, then given again."""
    counts = Counts()
    for k in range(n):
        number = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[k % 3]
        output = world.folder / f"ended-{k}"
        said, code = ended(world, number, rng, output)
        is_early = not output.exists()  # Python was starting, and ends as it does
        problem = None if code in (0, 130) or is_early else f"exit code {code}"
        if code == 130 and "Traceback" in said:
            problem = "a traceback"
        problem = problem or (None if is_early else visible(output)) or finish(world, output)
        counts.add(f"{number.name} {k}", problem=problem, lost=world.lost(output))
        shutil.rmtree(output)
    return counts


def full_disks(world: World) -> Counts:
    """No file may grow beyond a limit: exit code 2 and a sentence, nothing partial; with room again, all rows."""
    counts = Counts()
    for limit in LIMITS:
        output = world.folder / f"full-{limit}"
        done = subprocess.run(
            world.scan(output), capture_output=True, text=True, check=False, preexec_fn=lambda most=limit: _limit(most)
        )
        problem = None if done.returncode in (0, 2) else f"exit code {done.returncode}: {done.stderr[-200:]}"
        problem = problem or _not_one_sentence(done) or (visible(output) if output.exists() else None)
        problem = problem or finish(world, output)
        counts.add(f"files of {limit} bytes", problem=problem, lost=world.lost(output))
        shutil.rmtree(output)
    return counts


def _limit(most: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def _not_one_sentence(done: subprocess.CompletedProcess) -> str | None:
    lines = [line for line in done.stderr.splitlines() if not line.startswith("mirsweep: warning: ")]
    is_right = not lines if done.returncode == 0 else len(lines) == 1 and lines[0].startswith("mirsweep: ")
    return None if is_right else f"said: {done.stderr[-200:]}"


def read_only(world: World) -> Counts:
    """Outputs where nothing can be written are refused before work; a cache there is done without."""
    counts = Counts()
    for place in ("/proc/out", "/dev/null/out", str(world.genome / "out"), "/sys/out"):
        began = time.monotonic()
        done = subprocess.run(world.scan(Path(place)), capture_output=True, text=True, check=False)
        problem = None if done.returncode == 2 else f"exit code {done.returncode}"
        if time.monotonic() - began > 60:
            problem = "refused only after work"
        counts.add(f"-o {place}", problem=problem or _not_one_sentence(done))
    packed = world.folder / "g.fa.gz"
    packed.write_bytes(subprocess.run(["gzip", "-c", str(world.genome)], capture_output=True, check=True).stdout)
    for name, genome in (("plain", world.genome), ("gzip", packed)):
        output = world.folder / f"cacheless-{name}"
        line = [str(genome) if word == str(world.genome) else word for word in world.scan(output)]
        environment = {"HOME": "/proc", "PATH": "/usr/bin:/bin"}
        done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment)
        problem = None if done.returncode == 0 else f"exit code {done.returncode}: {done.stderr[-200:]}"
        counts.add(f"no cache, {name}", problem=problem, lost=world.lost(output) if problem is None else 0)
    return counts


def damages(rng: random.Random) -> dict[str, Callable[[Path], None]]:
    """By name what can happen to a file."""
    return {
        "cut": lambda path: path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)]),
        "emptied": lambda path: path.write_bytes(b""),
        "removed": lambda path: path.unlink(),
        "a bit flipped": lambda path: _flip(path, rng),
        "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
        "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
        "a folder": lambda path: (path.unlink(), path.mkdir()),
    }


def _flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def damaged_files(world: World, rng: random.Random) -> Counts:
    """Every kind of damage to a random file of each kind: check names it, a repair gives the same rows and loci."""
    counts = Counts()
    for name, path in _chosen_files(world.whole, rng):
        for kind, damage in damages(rng).items():
            output = Path(shutil.copytree(world.whole, world.folder / "damaged"))
            target = output / path
            before = target.read_bytes()
            if before or kind in ("removed", "a folder", "longer"):
                damage(target)
                counts.add(f"{name} {kind}", problem=_noticed_and_repaired(world, output, str(path)), lost=0)
                counts.lost_rows += world.lost(output) if counts.right == counts.tried else 0
            shutil.rmtree(output)
    return counts


def _chosen_files(output: Path, rng: random.Random) -> Iterator[tuple[str, Path]]:
    """One file of each kind, relative to the output."""
    for pattern in ("candidates/part-*", "_decoys/candidates/part-*"):
        yield pattern, rng.choice(sorted(output.glob(pattern))).relative_to(output)
    for name in (
        "_shards/records.jsonl",
        "_decoys/_shards/records.jsonl",
        "contigs.parquet",
        "_shards/parts.parquet",
        "_shards/plan.json",
        "loci.parquet",
        "loci.gff3.gz",
        "loci.fa",
    ):
        yield name, Path(name)


def _noticed_and_repaired(world: World, output: Path, name: str) -> str | None:
    found, target = check(output), output / name
    names = {name}
    if name.endswith("records.jsonl"):  # those that it lacks are counted, by the folder's name
        names.add(str(Path(name).parent))
    is_named = not names.isdisjoint(each.file for each in found.damage)
    if not is_named and (target.exists() or not found.damage):  # without its record, a part is named as a stray one
        return "not noticed"
    if target.is_dir():
        target.rmdir()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            repaired = check(output, repair=True, quiet=True)
    except InputError as error:
        return f"not repaired ({error})"
    return None if repaired.is_sound else "not repaired"


def fuzzing(seconds: float, seed: int) -> dict[str, dict]:
    """By reader what came of fuzzing it for a time."""
    found = {}
    for name in READERS:
        found[name] = {"seconds": seconds} | fuzz_apart(name, seconds=seconds, start=seed)
        print(json.dumps({name: found[name]}), flush=True)
    return found


def main() -> int:
    """Run, print, with --json keep the figures; exit code 1 if anything was not as promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=8, help="scans that are killed three times, and as many signals")
    parser.add_argument("--inputs", type=int, default=40, help="bad inputs for each command")
    parser.add_argument("--fuzz-seconds", type=float, default=20, help="for each reader; 0 for none")
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/faults.json")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    figures: dict[str, Counts] = {}
    with tempfile.TemporaryDirectory() as name:
        world = make_world(Path(name))
        kinds: dict[str, Callable[[], Counts]] = {
            "kills": lambda: kills(world, arguments.kills, rng),
            "signals": lambda: signals(world, arguments.kills, rng),
            "full_disks": lambda: full_disks(world),
            "read_only": lambda: read_only(world),
            "damaged_files": lambda: damaged_files(world, rng),
            "bad_inputs": lambda: bad_inputs(world.model, arguments.inputs, arguments.seed, Counts()),
        }
        for kind, work in kinds.items():
            figures[kind] = work()
            print(json.dumps({kind: asdict(figures[kind])}), flush=True)
    fuzzed = fuzzing(arguments.fuzz_seconds, arguments.seed) if arguments.fuzz_seconds else {}
    total = {name: sum(getattr(each, name) for each in figures.values()) for name in ("tried", "right", "lost_rows")}
    if arguments.json:
        typed = command_line()
        told = {"command": typed, "seed": arguments.seed} | total
        write_result("faults", told | {kind: asdict(counts) for kind, counts in figures.items()} | {"fuzzing": fuzzed})
    return 0 if total["right"] == total["tried"] and not any(each["faults"] for each in fuzzed.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
