"""Working off shards on Ray Core: tasks that scan, or tasks that fold and actors that score; few in flight.

A worker reads its letters itself where it sees the genome's file, and leaves the finished part in the output where it
sees that; else letters and parts pass through the driver. Where GPUs score, the folded candidates go from the folding
task to the scoring actor through Ray's object store. The driver alone commits: nothing becomes a part of the output
once it is gone.
"""

import sys
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, redirect_stdout
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.scanning.in_process import Outcome, Todo, one_line
from mirsweep.jobs.scanning.letters import Source, Staging, StoreStaging
from mirsweep.jobs.scanning.ray_nodes import Nodes
from mirsweep.jobs.scanning.ray_scorers import Scorers, plan_scorers
from mirsweep.jobs.scanning.ray_session import ray_session
from mirsweep.jobs.scanning.ray_watch import SessionWatch
from mirsweep.jobs.scanning.ray_work import Folded, Scanned, Scored, attention_task, fold_task, scan_task
from mirsweep.jobs.scanning.shards import Shard
from mirsweep.jobs.scanning.staging import NOT_THERE, holds_part, staged_part
from mirsweep.jobs.scanning.weights import Weights
from mirsweep.model.errors import ModelError

__all__ = ["OnRay"]

_CALLS_PER_SCORER = 2
_SHARDS_A_CALL = 64
_WAITING_HAIRPINS = 32_768
"""For each scorer, about 16 MB: when more are waiting, folding pauses."""


class _Call(NamedTuple):
    """A call in flight: a scan or folding (of one shard; payload is where the candidates of the latter will be), or
    scoring (of several).

    ``kept`` are objects that must live as long.
    """

    shards: tuple[Shard, ...]
    payload: Any = None
    scorer: int | None = None
    kept: tuple[Any, ...] = ()


class _Calls:
    """Calls in flight by their references; how many scan or fold, and how many each scorer has."""

    def __init__(self) -> None:
        self.by_ref: dict[Any, _Call] = {}
        self.n_folding = 0
        self.n_scoring: Counter[int] = Counter()

    def add(self, ref: Any, call: _Call) -> None:
        """A call begins."""
        self.by_ref[ref] = call
        self._count(call, 1)

    def pop(self, ref: Any) -> _Call:
        """A call is over."""
        call = self.by_ref.pop(ref)
        self._count(call, -1)
        return call

    def _count(self, call: _Call, change: int) -> None:
        if call.scorer is None:
            self.n_folding += change
        else:
            self.n_scoring[call.scorer] += change


class _Waiting(NamedTuple):
    """A folded shard that waits to be scored."""

    shard: Shard
    payload: Any
    n_candidates: int


class OnRay:
    """A Ray session, ready to work: an existing one if the program or RAY_ADDRESS names it, else one of its own.

    Parameters
    ----------
    weights
        The model that workers, or scoring actors, load.
    device
        ``"auto"`` (GPUs if Ray has some), ``"cpu"`` or ``"cuda"``; see :mod:`mirsweep.jobs.scanning.ray_scorers`.
    workers
        Most folding tasks at once; all CPUs by default.
    kernels
        Groups of kernels (:mod:`mirsweep.first_run`) that each node compiles before its first shard.

    Raises
    ------
    InputError
        If there is no cluster at RAY_ADDRESS, or no GPU where one was asked for; while it works, if its own session
        ends.
    ModelError
        While it works, if the weights are no model.
    """

    kind = "ray"
    has_workers = True

    def __init__(
        self, weights: Weights, *, device: str = "auto", workers: int | None = None, kernels: Sequence[str] = ()
    ):
        self._kernels, self._weights = tuple(kernels), weights
        self._nodes = Nodes()
        self._sends_letters, self._may_stage, self._is_refusal_told = False, True, False
        self._open = ExitStack()
        # Ray prints its notices of dead workers to standard output, which is kept for data.
        self._open.enter_context(redirect_stdout(sys.stderr))
        try:
            self._ray = self._open.enter_context(ray_session(workers))
            self._watch = self._open.enter_context(closing(SessionWatch(self._ray)))
            resources = self._ray.cluster_resources()
            n_cpus = max(1, int(resources.get("CPU", 1)))
            self.n_workers = min(workers or n_cpus, n_cpus)
            self._boxed = [self._ray.put(weights)]
            self._scan = self._ray.remote(num_cpus=1, max_retries=2)(scan_task)
            self._fold = self._ray.remote(num_cpus=1, max_retries=2, num_returns=2)(fold_task)
            self._scorers = Scorers(self._ray, plan_scorers(device, resources), self._boxed)
        except BaseException:
            self.close()
            raise

    def check(self) -> None:
        """See :class:`mirsweep.jobs.scanning.in_process.Executor`: that the session lives."""
        self._watch.check()

    def describe(self) -> dict[str, Any]:
        """See :class:`mirsweep.jobs.scanning.in_process.Executor`."""
        return {"kind": self.kind, "workers": self.n_workers, "nodes": self._nodes.describe()}

    def attention(self, rows: pa.Table) -> list[np.ndarray] | None:
        """See :class:`mirsweep.jobs.scanning.in_process.Executor`: by a worker, which has loaded the model."""
        try:
            return self._ray.get(self._ray.remote(num_cpus=1)(attention_task).remote(self._boxed, rows))
        except self._ray.exceptions.RayError:  # nothing depends on the session any more
            from mirsweep.jobs.sequences.explain import attention_by

            return attention_by(self._weights.load("cpu"), rows)

    def close(self) -> None:
        """Stop the actors, and the session if it is our own."""
        if hasattr(self, "_scorers") and not self._watch.is_lost:
            self._scorers.close()
        self._open.close()

    def run(self, shards: Iterable[Shard], source: Source) -> Generator[Outcome, None, None]:
        """See :class:`mirsweep.jobs.scanning.in_process.Executor`."""
        todo = Todo(shards)
        calls = _Calls()
        folded: deque[_Waiting] = deque()
        try:
            while True:
                self.check()
                self._submit_folding(todo, calls, folded, source)
                self._submit_scoring(calls, folded, source)
                if not calls.by_ref and not folded:
                    return
                for ref in self._ready([*calls.by_ref, *self._scorers.loading]):
                    if ref in self._scorers.loading:
                        self._scorers.take_loaded(ref)
                    else:
                        yield from self._collect(ref, calls.pop(ref), todo, folded, source)
        except self._ray.exceptions.RayError:
            self.check()  # that is the reason, if it fails
            raise
        finally:
            if not self._watch.is_own:  # our own session ends with what it does; to cancel what just ends may crash Ray
                self._cancel(calls)

    def _cancel(self, calls: _Calls) -> None:
        """A cluster is not to go on for nobody."""
        for ref, call in calls.by_ref.items():
            if call.scorer is None:
                self._ray.cancel(ref, force=True)

    def _ready(self, refs: list[Any]) -> list[Any]:
        """References of what is over: all there are, so that looking through many is not done for each; or wait."""
        done = self._ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)[0]
        return done or self._ray.wait(refs, num_returns=1, timeout=5, fetch_local=False)[0]

    def _submit_folding(self, todo: Todo, calls: "_Calls", folded: deque[_Waiting], source: Source) -> None:
        """Keep every worker busy and a few tasks ready, but no more: each will hold a shard's letters in memory."""
        n_waiting = sum(each.n_candidates for each in folded)
        if folded and n_waiting > _WAITING_HAIRPINS * len(self._scorers):
            return
        while calls.n_folding < self._most_folding:
            shard = next(todo, None)
            if shard is None:
                return
            letters = (self._ray.put(source.read(shard)),) if self._sends_letters else ()
            told = source.task(shard), self._kernels, list(letters)
            if len(self._scorers):
                ready, payload = self._fold.remote(*told)
                calls.add(ready, _Call((shard,), payload, kept=letters))
            else:
                ready = self._scan.remote(*told, self._boxed, self._staging(source))
                calls.add(ready, _Call((shard,), kept=letters))

    def _staging(self, source: Source) -> Staging | None:
        return source.staging if self._may_stage else None

    def _submit_scoring(self, calls: "_Calls", folded: deque[_Waiting], source: Source) -> None:
        staging = self._staging(source)
        while folded and (ready := [n for n in self._scorers.loaded if calls.n_scoring[n] < _CALLS_PER_SCORER]):
            scorer = min(ready, key=lambda number: calls.n_scoring[number])
            batch = _gathered(folded, self._scorers.plan.hairpins_a_call)
            scored = self._scorers.score(scorer, staging, [each.payload for each in batch])
            calls.add(scored, _Call(tuple(each.shard for each in batch), scorer=scorer))

    def _collect(self, ref: Any, call: _Call, todo: Todo, folded: deque[_Waiting], source: Source) -> Iterator[Outcome]:
        """Outcomes of a call that is over; none of a shard that goes on to be scored."""
        try:
            value = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:  # the task's own error (the cause), or its worker's death
            cause = getattr(error, "cause", None)
            if isinstance(cause, ModelError):  # nothing could be scored
                raise cause from None
            reason = one_line(cause or error)
            yield from (Outcome(shard, None, reason) for shard in call.shards)
            return
        if isinstance(value, Scored):
            yield from self._take_scored(value, source)
            return
        is_scanned = isinstance(value, Scanned)
        if self._take_folded(value.folded if is_scanned else value, call.shards[0], todo):
            if is_scanned:
                yield from self._take_scored(value.scored, source)
            else:
                folded.append(_Waiting(call.shards[0], call.payload, value.n_candidates))

    def _take_folded(self, value: Folded, shard: Shard, todo: Todo) -> bool:
        """Whether a shard was folded; otherwise the driver has to read for it."""
        if not value.is_read_here:
            self._nodes.tell_once(value.node, "does not see the genomes' files: the driver reads for it")
        if value.n_candidates is None:
            self._sends_letters = True  # for all: who sees the files does not fetch them
            todo.put_back(shard)
            return False
        self._nodes.add(value.node, folded=1, read=int(value.is_read_here))
        return True

    def _take_scored(self, value: Scored, source: Source) -> Iterator[Outcome]:
        self._nodes.add(value.node, calls=1)
        if value.refusal:
            self._tell_refusal(value, source)
        for outcome in value.outcomes:
            staged = staged_part(outcome)
            self._nodes.add(value.node, scored=1, written=int(staged is not None))
            if staged is not None and not holds_part(source.staging, staged):
                self._may_stage = False
                yield outcome._replace(result=None, reason=NOT_THERE)
                continue
            yield outcome

    def _tell_refusal(self, value: Scored, source: Source) -> None:
        """Say that a node does not write: where it should have keys once aloud, of each node in the log."""
        self._nodes.tell_once(value.node, f"{value.refusal}: the driver writes for it")
        if isinstance(source.staging, StoreStaging) and not self._is_refusal_told:
            self._is_refusal_told = True
            where = f"{source.staging.address}: a worker on {value.node.host}"
            warn(f"{where} {value.refusal}: the driver writes for all that cannot.")

    @property
    def _most_folding(self) -> int:
        return self.n_workers + max(2, self.n_workers // 4)


def _gathered(folded: deque[_Waiting], n_hairpins: int) -> list[_Waiting]:
    """Take shards that wait, one or more, until there are enough hairpins."""
    batch = [folded.popleft()]
    n = batch[0].n_candidates
    while folded and len(batch) < _SHARDS_A_CALL and n + folded[0].n_candidates <= n_hairpins:
        batch.append(folded.popleft())
        n += batch[-1].n_candidates
    return batch
