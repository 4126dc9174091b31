"""How many shards a second one driver can feed on Ray, and so how many cores: the stages are replaced by sleeps.

    python benchmarks/bench_driver.py --json

The driver does all that it does in a scan: it looks up where a shard's letters lie, hands the shard out, waits among
all calls in flight, takes the part that a worker has left in the output, writes the commit record, and beats. Folding
and scoring sleep: as many at once in a few processes as the simulated cluster has cores. Told are shards a second, the
driver's own CPU time a shard, and the cores that it feeds if a shard takes what shards of real genomes take.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from harness import command_line, find_data, write_result
from mirsweep.jobs.results.contigs import Contigs
from mirsweep.jobs.scanning.in_process import Outcome
from mirsweep.jobs.scanning.letters import ShardTask, Source, Staging
from mirsweep.jobs.scanning.on_ray import OnRay
from mirsweep.jobs.scanning.ray_scorers import ScorerPlan, Scorers
from mirsweep.jobs.scanning.ray_work import Folded, Node, Scored
from mirsweep.jobs.scanning.run import Run
from mirsweep.jobs.scanning.shard_work import FoldedShard, Part, ShardResult, fold_shard, score_shard
from mirsweep.jobs.scanning.shards import SHARD_NT, GenomeKey, Piece, RunKey, Shard, make_shards
from mirsweep.jobs.scanning.staging import leave_part
from mirsweep.jobs.scanning.store import Store
from mirsweep.jobs.scanning.weights import Weights
from mirsweep.model import load_model
from mirsweep.scanner import ScanParams, open_genome
from mirsweep.scanner.candidates import UNSCORED_SCHEMA
from mirsweep.scanner.scan import TileCounts

PIECE_NT = 100
"""Bases of a simulated shard; a real one has ``SHARD_NT``."""
PART_BYTES = 100_000
N_HAIRPINS = 2_500
"""Of a shard of C. elegans."""
_PROCESSES = 2
_NODE = Node("simulated", "simulated")


class Sleeper:
    """A process in which many tasks sleep at once."""

    def __init__(self, fold_seconds: float, score_seconds: float):
        self._fold_seconds, self._score_seconds = fold_seconds, score_seconds

    async def fold(self, task: ShardTask, kernels: Sequence[str], letters: Sequence[Any]) -> tuple[Folded, FoldedShard]:
        await asyncio.sleep(self._fold_seconds)
        counts = tuple(TileCounts(piece.n_bases, 0, 0) for piece in task.shard.pieces)
        n_rows = np.zeros(len(task.shard.pieces), np.int64)
        folded = FoldedShard(task.shard, UNSCORED_SCHEMA.empty_table(), n_rows, counts, {"fold": 0.0}, 1)
        return Folded(N_HAIRPINS, True, _NODE), folded

    async def score(self, boxed: list[Any], staging: Staging | None, *folded: FoldedShard) -> Scored:
        outcomes = []
        for each in folded:
            await asyncio.sleep(self._score_seconds)
            outcomes.append(Outcome(each.shard, _result(each, staging)))
        return Scored(tuple(outcomes), _NODE)

    async def load(self, boxed: list[Any]) -> None:
        """There is no model."""


def _result(folded: FoldedShard, staging: Staging | None) -> ShardResult:
    piece = folded.shard.pieces[0]
    ends = (piece.genome, piece.contig, piece.start), (piece.genome, piece.contig, piece.end)
    counts = {piece.genome: {"n_candidates": 1, "n_bases": folded.shard.n_bases, "n_invalid": 0, "n_too_short": 0}}
    result = ShardResult(folded.shard.id, Part(bytes(PART_BYTES), 1, *ends), counts, {"fold": 0.0}, {"fold": 1})
    return leave_part(result, staging).result


class _Fold:
    """What the driver calls to fold: the sleepers in turn."""

    def __init__(self, sleepers: Sequence[Any]):
        self._sleepers, self._n = sleepers, 0

    def remote(self, *arguments: Any) -> Any:
        self._n += 1
        sleeper = self._sleepers[self._n % len(self._sleepers)]
        return sleeper.fold.options(num_returns=2).remote(*arguments)


class _SleepingScorers(Scorers):
    """Scorers of which many share a process."""

    def __init__(self, ray: Any, plan: ScorerPlan, sleepers: Sequence[Any]):
        self._sleepers = sleepers
        super().__init__(ray, plan, Weights(()))

    def add(self) -> None:
        self._actors.append(self._sleepers[len(self._actors) % len(self._sleepers)])

    def close(self) -> None:
        for sleeper in self._sleepers:
            self._ray.kill(sleeper)


class Simulated(OnRay):
    """A driver that believes to have so many cores."""

    def __init__(self, n_cores: int, fold_seconds: float, score_seconds: float):
        super().__init__(Weights(()), device="cpu", workers=2)
        self._scorers.close()
        actor = self._ray.remote(num_cpus=0, max_concurrency=10_000)(Sleeper)
        sleepers = [actor.remote(fold_seconds, score_seconds) for _ in range(_PROCESSES)]
        self._ray.get([sleeper.load.remote([]) for sleeper in sleepers])
        self.n_workers = n_cores
        self._fold = _Fold(sleepers)
        n_scorers = -(-n_cores // 4)
        self._scorers = _SleepingScorers(self._ray, ScorerPlan(n_scorers, n_scorers, "cpu", {"num_cpus": 0}), sleepers)


class _TimedStore(Store):
    """A store that tells how long its commits took, in all."""

    commit_seconds = 0.0

    def commit(self, result: ShardResult, failed: Sequence[Any] = ()) -> None:
        began = time.perf_counter()
        super().commit(result, failed)
        self.commit_seconds += time.perf_counter() - began


def feed(n_cores: int, n_shards: int, shard_seconds: float) -> dict[str, Any]:
    """Work off sleeping shards on a simulated cluster.

    Parameters
    ----------
    shard_seconds
        Seconds of a core that a shard takes, of which a fifth is scoring.
    """
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "genome.fa")
        path.write_text(">c\n" + "\n".join(["ACGT" * 15] * (n_shards * PIECE_NT // 60 + 1)) + "\n")
        genome = open_genome(path)
        key = RunKey((GenomeKey("genome", genome.digest),), ScanParams(), "none:1", "11", shard_nt=PIECE_NT)
        shards = make_shards([genome], key)[:n_shards]
        contigs = Contigs.of((genome.name, *contig) for contig in genome.contigs)
        executor = Simulated(n_cores, 0.8 * shard_seconds, 0.2 * shard_seconds)
        with closing(executor), closing(_TimedStore(Path(place, "out"), key, shards, contigs)) as store:
            run = Run(store, key, [genome], shards, model={"label": "none:1"}, began=time.perf_counter(), quiet=True)
            began, cpu = time.perf_counter(), time.process_time()
            report = run.work_off(lambda: executor)
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        assert not report.failures
        assert len(shards) == n_shards
    return {
        "n_cores": n_cores,
        "n_shards": n_shards,
        "shard_seconds": shard_seconds,
        "seconds": round(seconds, 2),
        "shards_per_s": round(n_shards / seconds, 1),
        "shards_per_s_asked_for": round(n_cores / shard_seconds, 1),
        "driver_cpu_ms_per_shard": round(1000 * cpu / n_shards, 3),
        "commit_ms_per_shard": round(1000 * store.commit_seconds / n_shards, 3),
    }


def real_shard_seconds() -> dict[str, float]:
    """By genome the CPU seconds that finding, folding and scoring a shard of ``SHARD_NT`` takes in this process."""
    scorer, params, found = load_model("genome", device="cpu"), ScanParams(), {}
    for name, first in (("cel_ce2_chrX", 2_000_000), ("hsa_GRCh37_chr20", 30_000_000)):
        genome = open_genome(find_data() / "genomes" / f"{name}.fa.gz")
        contig = genome.contigs[0]
        source = Source({genome.name: genome}, params)
        for start in (first, first + SHARD_NT):  # the first one warms up
            shard = Shard("0", (Piece(genome.name, contig.name, start, start + SHARD_NT, contig.length),))
            began = time.process_time()
            score_shard(fold_shard(shard, source.read(shard), params), scorer)
            found[name] = round(time.process_time() - began, 3)
    return found


def main() -> None:
    """Measure, print, and with --json keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", type=int, nargs="+", default=[16, 128, 1024])
    parser.add_argument("--shards", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=0.2, help="of a core that a shard takes")
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/driver.json")
    arguments = parser.parse_args()
    os.environ.pop("RAY_ADDRESS", None)
    rows = [feed(n, min(arguments.shards, 100 * n), arguments.seconds) for n in arguments.cores]
    ms = max(row["driver_cpu_ms_per_shard"] for row in rows)
    most = max(row["shards_per_s"] for row in rows)
    real = real_shard_seconds()
    figures = {
        "command": command_line(),
        "load_average": round(os.getloadavg()[0], 1),
        "rows": rows,
        "most_shards_per_s": most,
        "most_shards_per_s_by_cpu": round(1000 / ms),
        "real_shard_seconds": real,
        "cores_that_one_driver_feeds": {name: round(seconds * most) for name, seconds in real.items()},
        "cores_by_its_cpu": {name: round(seconds * 1000 / ms) for name, seconds in real.items()},
    }
    print(json.dumps(figures, indent=2))
    if arguments.json:
        write_result("driver", figures)


if __name__ == "__main__":
    main()
