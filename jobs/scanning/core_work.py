"""What a worker process of :mod:`mirsweep.jobs.scanning.on_cores` does.

It scans the shards that come through the socket, one after the other, until the other end is closed.
"""

import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pyarrow as pa

from mirsweep.first_run import compile_kernels
from mirsweep.jobs.scanning.in_process import Outcome, one_line
from mirsweep.jobs.scanning.letters import Letters, ShardTask, Staging, read_here
from mirsweep.jobs.scanning.shard_work import fold_shard, score_shard
from mirsweep.jobs.scanning.staging import leave_part
from mirsweep.jobs.scanning.weights import Weights
from mirsweep.model.errors import ModelError

if TYPE_CHECKING:
    from mirsweep.jobs.scanning.shard_work import Scorer

__all__ = ["Begin", "Job", "Look", "Ready"]


class Begin(NamedTuple):
    """The first message to a worker: the model, the groups of kernels that it will need, and what scores."""

    weights: Weights
    kernels: tuple[str, ...]
    device: str = "cpu"


class Ready(NamedTuple):
    """The first message of a worker: it has started."""


class Job(NamedTuple):
    """A shard to be scanned; answered by its outcome, None where the letters could not be read, or a ModelError alone.

    Attributes
    ----------
    letters
        Of the shard, where the worker cannot read them itself.
    staging
        Where the part is left, if that is seen there.
    """

    task: ShardTask
    letters: Letters | None
    staging: Staging | None


class Look(NamedTuple):
    """Loci whose bases' attention is asked for; answered by what attention_by gives."""

    rows: pa.Table


class _Worker:
    def __init__(self, begin: Begin):
        self._begin = begin

    @cache  # noqa: B019 - one worker a process
    def scorer(self) -> "Scorer":
        """The model, loaded once, with the kernels that finding and folding need."""
        compile_kernels(self._begin.kernels)
        return self._begin.weights.load(self._begin.device)

    def answer(self, message: Job | Look) -> Any:
        """What is sent back for a message."""
        if isinstance(message, Look):
            from mirsweep.jobs.sequences.explain import attention_by

            return attention_by(cast(Any, self.scorer()), message.rows)
        try:
            return self._scan(message)
        except ModelError as error:  # nothing can be scored
            return error
        except Exception as error:  # one bad shard must not cost the others
            return Outcome(message.task.shard, None, one_line(error))

    def _scan(self, job: Job) -> Outcome | None:
        letters = read_here(job.task) if job.letters is None else job.letters
        if letters is None:
            return None
        scorer = self.scorer()
        left = leave_part(score_shard(fold_shard(job.task.shard, letters, job.task.params), scorer), job.staging)
        return Outcome(job.task.shard, left.result)


def main(arguments: Sequence[str]) -> None:
    """Work until the driver closes its end, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver ends its workers
    with Connection(int(arguments[0])) as driver, suppress(EOFError, ConnectionError, OSError):
        worker = _Worker(driver.recv())
        driver.send(Ready())
        with suppress(Exception):  # the first job tells what is wrong
            worker.scorer()
        while True:
            driver.send(worker.answer(driver.recv()))
