"""How many shards a second one driver can feed on Ray, and so how many cores: the stages are replaced by sleeps.

    python benchmarks/bench_driver.py --json

The driver does all that it does in a scan: it looks up where a shard's letters lie, hands the shard out, waits among
all calls in flight, takes the part that a worker has left in the output, writes the commit record, and beats. Workers
sleep: as many at once in a few processes as the simulated cluster has cores. Told are shards a second, the
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

from harness import command_line, find_data, write_result
from mirsweep.jobs.results.contigs import Contigs
from mirsweep.jobs.scanning.in_process import Outcome
from mirsweep.jobs.scanning.letters import ShardTask, Source, Staging
from mirsweep.jobs.scanning.on_ray import OnRay
from mirsweep.jobs.scanning.ray_work import Folded, Node, Scanned, Scored
from mirsweep.jobs.scanning.run import Run
from mirsweep.jobs.scanning.shard_work import Part, ShardResult, fold_shard, score_shard
from mirsweep.jobs.scanning.shards import SHARD_NT, GenomeKey, Piece, RunKey, Shard, make_shards
from mirsweep.jobs.scanning.staging import leave_part
from mirsweep.jobs.scanning.store import Store
from mirsweep.jobs.scanning.weights import Weights
from mirsweep.model import load_model
from mirsweep.scanner import ScanParams, open_genome

PIECE_NT = 100
"""Bases of a simulated shard; a real one has ``SHARD_NT``."""
PART_BYTES = 100_000
N_HAIRPINS = 2_500
"""Of a shard of C. elegans."""
_PROCESSES = 2
_NODE = Node("simulated", "simulated")


class Sleeper:
    """A process in which many tasks sleep at once."""

    def __init__(self, shard_seconds: float):
        self._seconds = shard_seconds

    async def scan(
        self,
        task: ShardTask,
        kernels: Sequence[str],
        letters: Sequence[Any],
        boxed: Sequence[Any],
        staging: Staging | None,
    ) -> Scanned:
        await asyncio.sleep(self._seconds)
        outcome = Outcome(task.shard, _result(task.shard, staging))
        return Scanned(Folded(N_HAIRPINS, True, _NODE), Scored((outcome,), _NODE))


def _result(shard: Shard, staging: Staging | None) -> ShardResult:
    piece = shard.pieces[0]
    ends = (piece.genome, piece.contig, piece.start), (piece.genome, piece.contig, piece.end)
    counts = {piece.genome: {"n_candidates": 1, "n_bases": shard.n_bases, "n_invalid": 0, "n_too_short": 0}}
    result = ShardResult(shard.id, Part(bytes(PART_BYTES), 1, *ends), counts, {"fold": 0.0}, {"fold": 1})
    return leave_part(result, staging).result


class _Scan:
    """What the driver calls to scan a shard: the sleepers in turn."""

    def __init__(self, sleepers: Sequence[Any]):
        self._sleepers, self._n = sleepers, 0

    def remote(self, *arguments: Any) -> Any:
        self._n += 1
        return self._sleepers[self._n % len(self._sleepers)].scan.remote(*arguments)


class Simulated(OnRay):
    """A driver that believes to have so many cores."""

    def __init__(self, n_cores: int, shard_seconds: float):
        self._sleepers: list[Any] = []
        super().__init__(Weights(()), device="cpu", workers=2)
        actor = self._ray.remote(num_cpus=0, max_concurrency=10_000)(Sleeper)
        self._sleepers = [actor.remote(shard_seconds) for _ in range(_PROCESSES)]
        self.n_workers = n_cores
        self._scan = _Scan(self._sleepers)

    def close(self) -> None:
        """Stop the sleepers, and the session."""
        for sleeper in self._sleepers:
            self._ray.kill(sleeper)
        super().close()


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
        Seconds of a core that a shard takes.
    """
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "genome.fa")
        path.write_text(">c\n" + "\n".join(["ACGT" * 15] * (n_shards * PIECE_NT // 60 + 1)) + "\n")
        genome = open_genome(path)
        key = RunKey((GenomeKey("genome", genome.digest),), ScanParams(), "none:1", "11", shard_nt=PIECE_NT)
        shards = make_shards([genome], key)[:n_shards]
        contigs = Contigs.of((genome.name, *contig) for contig in genome.contigs)
        executor = Simulated(n_cores, shard_seconds)
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
