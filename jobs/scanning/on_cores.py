"""Working off shards on the cores of this machine: worker processes, each with a socket to the driver.

A worker reads its letters itself, and leaves the finished part in the output; the driver hands out shards, one at a
time to each worker, and commits. A worker that dies (killed, out of memory, a fault of a library) is replaced, and its
shard done again.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, cast

import numpy as np
import pyarrow as pa

from mirsweep.first_run import ONE_THREAD, cache_environment
from mirsweep.jobs.scanning.core_work import Begin, Job, Look, Ready
from mirsweep.jobs.scanning.gpus import VISIBLE
from mirsweep.jobs.scanning.in_process import Outcome, Todo
from mirsweep.jobs.scanning.letters import Source
from mirsweep.jobs.scanning.shards import Shard
from mirsweep.jobs.scanning.staging import NOT_THERE, holds_part, staged_part
from mirsweep.jobs.scanning.weights import Weights
from mirsweep.model.errors import ModelError
from mirsweep.scanner.errors import InputError, cause_of

__all__ = ["OnCores"]

_TRIES = 3
"""Of a shard whose workers die, and of starting workers that end before they are ready."""
_DEATH_SECONDS = 1.0
_GONE = (EOFError, ConnectionError, OSError)


class _Worker:
    """A worker process, and the shard that it has."""

    def __init__(self, begin: Begin, gpu: str | None = None):
        ours, theirs = socket.socketpair()
        with theirs:
            self.connection = Connection(ours.detach())
            self.shard: Shard | None = None
            self.is_ready = False
            self.gpu = gpu
            only = {} if gpu is None else {VISIBLE: gpu}
            # -P: nothing from the current folder is imported, but for what this process would import from there
            command = [sys.executable, "-P", "-m", "mirsweep.jobs.scanning.core_worker", str(theirs.fileno())]
            paths = os.pathsep.join(path for path in sys.path if path)
            try:
                self._process = subprocess.Popen(
                    command,
                    env=os.environ | cache_environment() | ONE_THREAD | {"PYTHONPATH": paths} | only,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for the driver
                )
            except OSError as error:
                self.connection.close()
                raise _no_start(error.strerror or cause_of(error)) from error
        self._greeting = threading.Thread(target=self._send, args=(begin,), daemon=True)
        self._greeting.start()  # a process that is starting does not read yet, and the weights are no short message

    def send(self, message: Job | Look) -> None:
        """Send a message; one that has died fails when it is asked for the answer."""
        self._greeting.join()
        self._send(message)

    def _send(self, message: Begin | Job | Look) -> None:
        with suppress(*_GONE):
            self.connection.send(message)

    def how_it_died(self) -> str:
        """How a process whose end of the socket is closed has ended; "" if that cannot be told."""
        with suppress(subprocess.TimeoutExpired):
            return _how(self._process.wait(timeout=_DEATH_SECONDS))
        return ""

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._greeting.join()  # nobody reads any more
        self.connection.close()


def _no_start(why: str) -> InputError:
    return InputError(f"worker processes cannot start here ({why}): give --local, or fewer --workers.")


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


class OnCores:
    """Worker processes on this machine.

    Parameters
    ----------
    weights
        The model that each loads.
    workers
        How many.
    kernels
        Groups of kernels (:mod:`mirsweep.first_run`) that each loads before its first shard.
    gpus
        GPUs to score on, as CUDA_VISIBLE_DEVICES names them, shared out among the workers; none: each scores on its
        core.

    Raises
    ------
    InputError
        If worker processes cannot start.
    ModelError
        While it works, if the weights are no model.
    """

    kind = "cores"
    has_workers = True

    def __init__(self, weights: Weights, *, workers: int, kernels: Sequence[str] = (), gpus: Sequence[str] = ()):
        self.n_workers = workers
        self._gpus = tuple(gpus)
        self._begin, self._weights = Begin(weights, tuple(kernels), "cuda" if gpus else "cpu"), weights
        self._sends_letters, self._may_stage = False, True
        self._workers: list[_Worker] = []
        self._n_false_starts = 0
        self._fill()  # at once: they start while the driver gets ready

    def check(self) -> None:
        """It can go on as long as this process does."""

    def describe(self) -> dict[str, Any]:
        """See :class:`mirsweep.jobs.scanning.in_process.Executor`."""
        return {"kind": self.kind, "workers": self.n_workers} | ({"gpus": len(self._gpus)} if self._gpus else {})

    def attention(self, rows: pa.Table) -> list[np.ndarray] | None:
        """See :class:`mirsweep.jobs.scanning.in_process.Executor`: by a worker, which has loaded the model."""
        for worker in self._workers[:1]:
            worker.send(Look(rows))
            with suppress(*_GONE):
                while isinstance(answer := worker.connection.recv(), Ready):
                    worker.is_ready = True
                return cast(list[np.ndarray] | None, answer)
        from mirsweep.jobs.sequences.explain import attention_by

        model: Any = self._weights.load("cpu")
        return attention_by(model, rows)

    def close(self) -> None:
        """End the workers."""
        while self._workers:
            self._workers.pop().end()

    def run(self, shards: Iterable[Shard], source: Source) -> Generator[Outcome, None, None]:
        """See :class:`mirsweep.jobs.scanning.in_process.Executor`."""
        todo = _Todo(shards)
        try:
            self._fill()
            for worker in self._workers:
                self._hand_out(worker, todo, source)
            while busy := {worker.connection: worker for worker in self._workers if worker.shard is not None}:
                found = [self._collect(busy[ready], todo, source) for ready in _ready(busy)]
                yield from (outcome for outcome in found if outcome is not None)
        finally:
            for worker in [each for each in self._workers if each.shard is not None]:
                self._drop(worker)

    def _fill(self) -> None:
        while len(self._workers) < self.n_workers:
            self._workers.append(self._start())

    def _start(self) -> _Worker:
        """A new worker, on the GPU that has the fewest."""
        used = Counter(worker.gpu for worker in self._workers)
        return _Worker(self._begin, min(self._gpus, key=lambda gpu: used[gpu], default=None))

    def _drop(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.end()

    def _hand_out(self, worker: _Worker, todo: "_Todo", source: Source) -> None:
        """Give a worker the next shard, if there is one."""
        worker.shard = next(todo, None)
        if worker.shard is not None:
            letters = source.read(worker.shard) if self._sends_letters else None
            worker.send(Job(source.task(worker.shard), letters, source.staging if self._may_stage else None))

    def _collect(self, worker: _Worker, todo: "_Todo", source: Source) -> Outcome | None:
        """What has become of a worker's shard, if that is known; the worker gets the next one before that is told."""
        shard = worker.shard
        assert shard is not None
        try:
            answer = worker.connection.recv()
        except _GONE:
            worker, outcome = self._replace(worker, shard, todo)
        else:
            if isinstance(answer, Ready):
                worker.is_ready, self._n_false_starts = True, 0
                return None
            if isinstance(answer, ModelError):
                raise answer
            outcome = self._outcome(answer, shard, todo, source)
        self._hand_out(worker, todo, source)
        return outcome

    def _replace(self, worker: _Worker, shard: Shard, todo: "_Todo") -> tuple[_Worker, Outcome | None]:
        """A worker in place of one that has died, and the outcome of its shard, if it is not tried again.

        Raises
        ------
        InputError
            If workers end again and again before they are ready.
        """
        how, outcome = worker.how_it_died(), None
        self._drop(worker)
        if worker.is_ready:
            outcome = todo.again(shard, how)
        else:
            todo.put_back(shard)
            self._n_false_starts += 1
            if self._n_false_starts >= _TRIES * self.n_workers:
                raise _no_start(how or "they end at once")
        self._workers.append(self._start())
        return self._workers[-1], outcome

    def _outcome(self, told: Outcome | None, shard: Shard, todo: "_Todo", source: Source) -> Outcome | None:
        if told is None:  # what came through a pipe has no name by now
            self._sends_letters = True
            todo.put_back(shard)
            return None
        staged = staged_part(told)
        if staged is not None and not holds_part(source.staging, staged):
            self._may_stage = False
            return told._replace(result=None, reason=NOT_THERE)
        return told


class _Todo(Todo):
    """Shards that are left, and how often the worker of each has died."""

    def __init__(self, shards: Iterable[Shard]):
        super().__init__(shards)
        self._deaths: Counter[str] = Counter()

    def again(self, shard: Shard, how: str) -> Outcome | None:
        """The shard's worker has died; after some tries that is its outcome."""
        self._deaths[shard.id] += 1
        if self._deaths[shard.id] < _TRIES:
            self.put_back(shard)
            return None
        died = f"its worker process died{f' ({how})' if how else ''}, {_TRIES} times"
        return Outcome(shard, None, f"{died}: killed, out of memory, or a fault of a library")


def _ready(busy: dict[Connection, _Worker]) -> list[Connection]:
    """Those with an answer, or with an end."""
    return [each for each in wait(list(busy)) if isinstance(each, Connection)]
