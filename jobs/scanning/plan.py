"""What a scan will take: a sample of the very genome is scanned on this machine, and the rest reckoned from it."""

import os
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirsweep._shown import shown
from mirsweep.cores import n_cores
from mirsweep.jobs.results.records import read_records
from mirsweep.jobs.scanning.decoys import MOST_NT, decoy_nt, spread
from mirsweep.jobs.scanning.opening import asked_for, open_genomes
from mirsweep.jobs.scanning.parts import Parts
from mirsweep.jobs.scanning.run import ScanReport
from mirsweep.jobs.scanning.scan import LOCAL_NT, MAX_WORKERS, Request, scan_opened
from mirsweep.jobs.scanning.shards import SHARD_NT
from mirsweep.model.defaults import default_model
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome
from mirsweep.scanner.params import preset_params
from mirsweep.scanner.tiles import Tile

__all__ = ["Plan", "plan"]

_SHARDS_A_WORKER = 3
"""Of the sample; the first of each worker, which loads what the others use, is left out of the rates."""
_SECOND_PASS_SECONDS = 0.035
"""A Mb, of one core: copies of words, competition and files of loci (human chr20: 2.1 s for 63 Mb)."""
_PAGE_SECONDS = 1.2
_PROCESS_SECONDS = 1.0
"""Of the command itself, before the scan's own clock starts and after it stops."""


@shown("n_bases", "n_decoys", "n_candidates", "seconds", "memory_mb")
@dataclass(frozen=True)
class Plan:
    """What a scan will take.

    Attributes
    ----------
    n_bases, n_decoys
        Bases of the genomes, and of the decoys that are scanned beside them, nt.
    n_candidates
        Candidates that the genomes will have.
    core_seconds
        By stage, of genomes and decoys together.
    seconds
        From beginning to end, on so many cores.
    memory_mb
        Of all processes at once, at most.
    disk_mb
        Of the output.
    cores, gpus
        For which this holds.
    n_sampled, sample_seconds, sample_workers
        Bases that were scanned to know it, nt, how long that took, and how many worked at once.
    """

    n_bases: int
    n_decoys: int
    n_candidates: int
    core_seconds: Mapping[str, float]
    seconds: float
    memory_mb: float
    disk_mb: float
    cores: int
    gpus: int
    n_sampled: int
    sample_seconds: float
    sample_workers: int

    @property
    def core_hours(self) -> float:
        """Hours of all cores together, from beginning to end."""
        return self.cores * self.seconds / 3600


def plan(
    genomes: str | os.PathLike | Iterable[str | os.PathLike],
    *,
    cores: int | None = None,
    gpus: int = 0,
    model: str | os.PathLike | None = None,
    preset: str = "animal",
    decoys: str | int = MOST_NT,
) -> Plan:
    """Reckon what a scan of genomes will take.

    Some stretches of 1 Mb, spread evenly over the genomes, are scanned on this machine, on as many cores as it has and
    the plan is for. More cores than that are taken to be as fast as these.

    Parameters
    ----------
    genomes, model, preset, decoys
        As in :func:`mirsweep.jobs.scan`.
    cores
        Cores that the scan will have; by default what a scan takes here by itself: one for genomes of up to 4 Mb, all
        of this machine for larger ones.
    gpus
        GPUs that will score, on Ray. They are taken to keep up with the cores, which then have nothing to score: one
        scores as much as some forty cores (docs/gpu.md).

    Raises
    ------
    InputError, ModelError
        If an input is bad.
    """
    if (cores is not None and not 1 <= cores <= MAX_WORKERS) or gpus < 0:
        raise InputError(f"{cores} cores and {gpus} GPUs cannot work: give --cores from 1 on, and --gpus from 0 on.")
    opened = open_genomes(asked_for(genomes)).genomes
    lengths = {(genome.name, contig.name): contig.length for genome in opened for contig in genome.contigs}
    n_bases = sum(lengths.values())
    most_decoys = decoy_nt(decoys)
    if cores is None:
        cores = 1 if n_bases <= LOCAL_NT else n_cores()
    is_local = n_bases <= LOCAL_NT and cores == 1
    workers = 1 if is_local else min(cores, n_cores())
    parts = _sample(lengths, _SHARDS_A_WORKER * workers * SHARD_NT)
    model = default_model(preset) if model is None else model
    request = Request(preset_params(preset, strand="both", fold_engine="batch"), parts, model, None, False, None, False)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="mirsweep-plan-") as folder:
        out = Path(folder, "out")
        done = scan_opened(
            opened, request, output=out, workers=workers, local=is_local or None, device="cpu", quiet=True, began=began
        )
        records = _records(out)
    if done.failures:
        raise InputError(f"the sample could not be scanned: {done.failures[0].reason}")
    sampled = _Sample(done, records, workers)
    n_decoys = min(n_bases, most_decoys) if most_decoys is not None else 0
    return _reckon(sampled, opened, n_bases=n_bases, n_decoys=n_decoys, cores=cores, gpus=gpus)


def _sample(lengths: Mapping[tuple[str, str], int], most: int) -> Parts | None:
    everything = Parts({place: (Tile(0, length),) for place, length in lengths.items() if length})
    return Parts(spread(everything, most)) if everything.n_bases > most else None


def _records(output: Path) -> list[dict[str, Any]]:
    """Commit records in the order in which they were written."""
    return list(read_records(output).by_shard.values())


class _Sample:
    """What a scan of a sample tells.

    Parameters
    ----------
    done
        The scan's report.
    records
        Its commit records, oldest first.
    workers
        How many worked at once.
    """

    def __init__(self, done: ScanReport, records: Sequence[dict[str, Any]], workers: int):
        run = done.run
        self.workers = workers
        self.n_bases = run["counts"]["n_bases"]
        self.wall = run["seconds"]["wall"]
        self.peaks = run["peak_memory_mb"]
        self.candidates_a_base = run["counts"]["n_candidates"] / self.n_bases
        self.bytes_a_base = run["files"]["n_bytes"] / self.n_bases
        warm = records[workers:] or records
        n_warm = sum(count["n_bases"] for record in warm for count in record["counts"].values())
        stages = {stage for record in warm for stage in record["seconds"]}
        self.seconds_a_base = {
            stage: sum(record["seconds"].get(stage, 0.0) for record in warm) / n_warm for stage in sorted(stages)
        }

    @property
    def start_seconds(self) -> float:
        """From the command until the workers work."""
        return max(0.0, self.wall - self.n_bases * sum(self.seconds_a_base.values()) / self.workers)


def _reckon(sample: _Sample, genomes: Sequence[Genome], *, n_bases: int, n_decoys: int, cores: int, gpus: int) -> Plan:
    n_all = n_bases + n_decoys
    core_seconds = {stage: rate * n_all for stage, rate in sample.seconds_a_base.items()}
    if gpus:
        core_seconds["score"] = 0.0
    last = n_all / 1e6 * _SECOND_PASS_SECONDS
    seconds = _PROCESS_SECONDS + sample.start_seconds + sum(core_seconds.values()) / cores + last + _PAGE_SECONDS
    return Plan(
        n_bases=n_bases,
        n_decoys=n_decoys,
        n_candidates=round(sample.candidates_a_base * n_bases),
        core_seconds=core_seconds | {"loci": last},
        seconds=seconds,
        memory_mb=_memory(sample, cores),
        disk_mb=sample.bytes_a_base * n_all / 1e6,
        cores=cores,
        gpus=gpus,
        n_sampled=sample.n_bases,
        sample_seconds=sample.wall,
        sample_workers=sample.workers,
    )


def _memory(sample: _Sample, cores: int) -> float:
    """One process does everything; or there are a driver and a worker a core."""
    peaks = sample.peaks
    if sample.workers == 1 and cores == 1:
        return max(peaks.values())
    return peaks["driver"] + cores * max(peaks["fold"], peaks["score"])
