"""Working off shards on Ray Core: folding tasks, scoring actors, a bounded number in flight.

The folded candidates go from the folding task to the scoring actor through Ray's object store; the driver gets the
finished part files only, a tenth of that, and writes them itself. So the nodes of a cluster need no shared folder, and
nothing writes to the output once the driver is gone.
"""

import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, redirect_stdout
from functools import cache
from typing import Any, NamedTuple

from mirsweep.first_run import compile_kernels
from mirsweep.jobs.scanning.in_process import MakeTask, Outcome, one_line
from mirsweep.jobs.scanning.ray_session import ray_session
from mirsweep.jobs.scanning.ray_watch import SessionWatch
from mirsweep.jobs.scanning.shard_work import FoldedShard, Scorer, ShardResult, ShardTask, fold_shard, score_shard
from mirsweep.jobs.scanning.shards import Shard
from mirsweep.jobs.scanning.weights import Weights
from mirsweep.scanner.errors import InputError

__all__ = ["OnRay"]

_CALLS_PER_SCORER = 2
_CPUS_PER_SCORER = 4
"""Finding and folding the candidates of 1 Mb takes 0.5 s of a core, scoring them 0.06 to 0.2 s."""


class _Call(NamedTuple):
    """A call in flight: folding (no scorer; the payload is where the result will be) or scoring."""

    shard: Shard
    payload: Any = None
    scorer: int | None = None


class _ScoringActor:
    """Holds the model; finishes one folded shard a call.

    The weights come with each call, as a reference that is followed once: an actor that Ray restarts after a crash must
    not depend on arguments of its constructor, which Ray does not keep.
    """

    def __init__(self, device: str):
        self._device = device
        self._model: Scorer | None = None

    def score(self, folded: FoldedShard, boxed_weights: list[Any]) -> ShardResult:
        if self._model is None:
            import ray

            self._model = ray.get(boxed_weights[0]).load(self._device)
        return score_shard(folded, self._model)


@cache
def _compiled(kernels: tuple[str, ...]) -> None:
    """Once a process: of a node's workers one compiles what its cache lacks, and the others wait for it."""
    compile_kernels(kernels)


def _fold_task(task: ShardTask, kernels: tuple[str, ...]) -> tuple[int, FoldedShard]:
    """Number of candidates, which the driver waits for, and the candidates, which it never fetches."""
    _compiled(kernels)
    folded = fold_shard(task)
    return folded.table.num_rows, folded


class OnRay:
    """A Ray session, ready to work: an existing one if the program or RAY_ADDRESS names it, else one of its own.

    Parameters
    ----------
    weights
        The model of the scoring actors.
    device
        ``"auto"`` (GPUs if Ray has some), ``"cpu"`` or ``"cuda"``.
    workers
        Most folding tasks at once; all CPUs by default.
    kernels
        Groups of kernels (:mod:`mirsweep.first_run`) that each node compiles before its first shard.

    Raises
    ------
    InputError
        If there is no cluster at RAY_ADDRESS, or no GPU where one was asked for; while it works, if its own session
        ends.
    """

    kind = "ray"

    def __init__(
        self, weights: Weights, *, device: str = "auto", workers: int | None = None, kernels: Sequence[str] = ()
    ):
        self._kernels = tuple(kernels)
        self._open = ExitStack()
        # Ray prints its notices of dead workers to standard output, which is kept for data.
        self._open.enter_context(redirect_stdout(sys.stderr))
        try:
            self._ray = self._open.enter_context(ray_session(workers))
            self._watch = self._open.enter_context(closing(SessionWatch(self._ray)))
            resources = self._ray.cluster_resources()
            n_cpus = max(1, int(resources.get("CPU", 1)))
            self.n_workers = min(workers or n_cpus, n_cpus)
            self._fold = self._ray.remote(num_cpus=1, max_retries=2, num_returns=2)(_fold_task)
            self._weights = self._ray.put(weights)
            self._scorers = self._make_scorers(device, int(resources.get("GPU", 0)))
        except BaseException:
            self.close()
            raise

    def check(self) -> None:
        """See :class:`mirsweep.jobs.scanning.in_process.Executor`: that the session lives."""
        self._watch.check()

    def close(self) -> None:
        """Stop the actors, and the session if it is our own."""
        for scorer in getattr(self, "_scorers", ()):
            if not self._watch.is_lost:
                self._ray.kill(scorer)
        self._open.close()

    def run(self, shards: Iterable[Shard], make_task: MakeTask) -> Generator[Outcome, None, None]:
        """See :class:`mirsweep.jobs.scanning.in_process.Executor`."""
        source = iter(shards)
        calls: dict[Any, _Call] = {}
        folded: deque[_Call] = deque()
        try:
            while True:
                self.check()
                self._submit_folding(source, calls, folded, make_task)
                self._submit_scoring(calls, folded)
                if not calls:
                    return
                for ref in self._ray.wait(list(calls), num_returns=1, timeout=5, fetch_local=False)[0]:
                    outcome = self._collect(ref, calls.pop(ref), folded)
                    if outcome:
                        yield outcome
        except self._ray.exceptions.RayError:
            self.check()  # that is the reason, if it fails
            raise
        finally:
            for ref, call in calls.items():
                if call.scorer is None and not self._watch.is_lost:
                    self._ray.cancel(ref, force=True)

    def _submit_folding(
        self, source: Iterator[Shard], calls: dict[Any, _Call], folded: deque[_Call], make_task: MakeTask
    ) -> None:
        """Keep every worker busy and a few tasks ready, but no more: each holds a shard's letters in memory."""
        n_folding = sum(call.scorer is None for call in calls.values())
        while n_folding < self._most_folding and len(calls) + len(folded) < self._most_in_flight:
            shard = next(source, None)
            if shard is None:
                return
            ready, payload = self._fold.remote(make_task(shard), self._kernels)
            calls[ready] = _Call(shard, payload)
            n_folding += 1

    def _submit_scoring(self, calls: dict[Any, _Call], folded: deque[_Call]) -> None:
        loads = [sum(call.scorer == i for call in calls.values()) for i in range(len(self._scorers))]
        while folded and min(loads) < _CALLS_PER_SCORER:
            scorer = loads.index(min(loads))
            call = folded.popleft()
            scored = self._scorers[scorer].score.remote(call.payload, [self._weights])
            calls[scored] = _Call(call.shard, scorer=scorer)
            loads[scorer] += 1

    def _collect(self, ref: Any, call: _Call, folded: deque[_Call]) -> Outcome | None:
        """Outcome of a call that is over; None if the shard goes on to be scored."""
        try:
            value = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:  # the task's own error (the cause), or its worker's death
            return Outcome(call.shard, None, one_line(getattr(error, "cause", None) or error))
        if call.scorer is not None:
            return Outcome(call.shard, value)
        folded.append(call)
        return None

    @property
    def _most_folding(self) -> int:
        return self.n_workers + max(2, self.n_workers // 4)

    @property
    def _most_in_flight(self) -> int:
        return self._most_folding + 2 * _CALLS_PER_SCORER * len(self._scorers)

    def _make_scorers(self, device: str, n_gpus: int) -> list[Any]:
        if device == "cuda" and not n_gpus:
            raise InputError("device 'cuda' was asked for but Ray has no GPU: choose --device cpu or auto.")
        has_gpu = n_gpus > 0 and device != "cpu"
        n_scorers = n_gpus if has_gpu else -(-self.n_workers // _CPUS_PER_SCORER)
        # On CPUs a scorer claims none: a whole one would idle most of the time.
        options = {"num_cpus": 0, "num_gpus": int(has_gpu), "max_restarts": -1, "max_task_retries": 3}
        actor = self._ray.remote(**options)(_ScoringActor)
        return [actor.remote("cuda" if has_gpu else "cpu") for _ in range(n_scorers)]
