"""Pieces of genomes, and scans of them in processes of their own: what ``measure_scaling.py`` is made of."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mirsweep.scanner.fasta import open_genome

STRETCH_NT = 125_000
"""A piece of a chromosome is made of such stretches at equal distances: each piece is composed as the whole is."""
WARM_UP_NT = 20_000
_LINE_NT = 60
_CHILD = """
import json, os, resource, sys, tempfile, time
asked = json.loads(sys.argv[1])
if asked["cores"]:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked["cores"]])
if asked["local"]:
    time.perf_counter = time.process_time  # a scan times its stages by it; other work on the machine counts less so
from mirsweep.jobs import scan

def peak():
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)

with tempfile.TemporaryDirectory() as place:
    common = asked["options"] | {"local": asked["local"], "quiet": True}
    scan(asked["warm_up"], output=f"{place}/warm-up", **common | {"local": True, "decoys": "none"})
    for number, genome in enumerate(asked["genomes"]):
        began = time.perf_counter()
        run = scan(genome, output=f"{place}/{number}", **common).run
        told = {name: run[name] for name in ("counts", "seconds", "files", "peak_memory_mb", "loci")}
        print(json.dumps(told | {"all": time.perf_counter() - began, "peak_mb": peak()}), flush=True)
"""


class Letters(NamedTuple):
    """A chromosome: name and letters, as published."""

    name: str
    letters: bytes


@dataclass(frozen=True)
class Scans:
    """Scans one after the other in one process.

    Attributes
    ----------
    genomes
        FASTA files.
    options
        Of ``mirsweep.jobs.scan``.
    cores
        Cores that the process and its children may use; None for all of them.
    is_local
        In the process itself, and timed by its processor time; else in worker processes, timed by the clock.
    """

    genomes: Sequence[Path]
    options: Mapping[str, Any] = field(default_factory=lambda: {"decoys": "none", "report": False})
    cores: int | None = None
    is_local: bool = True


def read_letters(genome: Path) -> Letters:
    """First contig of a FASTA file."""
    opened = open_genome(genome)
    contig = opened.contigs[0]
    return Letters(genome.name.split(".")[0], opened.fetch(contig.name, 0, contig.length))


def spread_piece(letters: bytes, n: int) -> bytes:
    """``n`` letters in stretches at equal distances, joined."""
    n_stretches = max(1, round(n / STRETCH_NT))
    width = n // n_stretches
    firsts = [(2 * i + 1) * len(letters) // (2 * n_stretches) - width // 2 for i in range(n_stretches)]
    return b"".join(letters[first : first + width] for first in firsts) if n < len(letters) else letters


def random_letters(n: int, gc: float, *, seed: int = 0) -> bytes:
    """Independent bases with a share of G and C."""
    shares = [(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]
    return np.frombuffer(b"ACGT", np.uint8)[np.random.default_rng(seed).choice(4, n, p=shares)].tobytes()


def gc_share(letters: bytes) -> float:
    """Share of G and C among the letters, lower case too."""
    upper = letters.upper()
    return (upper.count(b"G") + upper.count(b"C")) / len(upper)


def write_fasta(path: Path, contigs: Sequence[bytes]) -> Path:
    """Contigs of given letters in lines of usual length."""
    with path.open("wb") as file:
        for number, letters in enumerate(contigs):
            lines = (letters[first : first + _LINE_NT] for first in range(0, len(letters), _LINE_NT))
            file.write(b">contig%d\n" % number + b"\n".join(lines) + b"\n")
    return path


def run_scans(scans: Scans, warm_up: Path) -> Iterator[dict[str, Any]]:
    """Figures of each scan, as they come; kernels are loaded before.

    Yields
    ------
    ``mb``, ``n_candidates``, ``seconds`` by stage (``second pass`` of the loci, ``rest`` for all else, which of worker
    processes is not told), ``all`` seconds, ``peak_mb`` of the process (of the scans before, too) and ``peaks_mb`` of a
    scan's parts before the second pass.
    """
    asked = {
        "genomes": [str(genome) for genome in scans.genomes],
        "warm_up": str(warm_up),
        "options": dict(scans.options),
        "cores": scans.cores,
        "local": scans.is_local or None,
    }
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile() as errors:
        command = [sys.executable, "-P", "-c", _CHILD, json.dumps(asked)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as child:
            for line in child.stdout or ():
                yield figures(json.loads(line), scans)
        if child.returncode:
            errors.seek(0)
            raise SystemExit(errors.read().decode())


def figures(told: Mapping[str, Any], scans: Scans) -> dict[str, Any]:
    """What is kept of a scan."""
    seconds = dict(told["seconds"]["by_stage"])
    seconds["second pass"] = told["loci"]["seconds"]
    if scans.is_local:
        seconds["rest"] = told["all"] - sum(seconds.values())
    found = {
        "mb": told["counts"]["n_bases"] / 1e6,
        "n_candidates": told["counts"]["n_candidates"],
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "all": round(told["all"], 3),
        "output_mb": round(told["files"]["n_bytes"] / 1e6, 3),
        "peak_mb": told["peak_mb"],
        "peaks_mb": told["peak_memory_mb"],
    }
    print(found, file=sys.stderr, flush=True)
    return found
