"""Where shards are worked off: here, in this process (others: ``on_cores``, ``on_ray``)."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import pyarrow as pa

from mirsweep.jobs.scanning.letters import Letters, Source
from mirsweep.jobs.scanning.shard_work import Scorer, ShardResult, fold_shard, score_shard
from mirsweep.jobs.scanning.shards import Shard
from mirsweep.scanner.params import ScanParams

__all__ = ["Executor", "InProcess", "OnDemand", "Outcome", "Todo", "one_line"]


class Outcome(NamedTuple):
    """One attempt at a shard: its result, or None and the reason why there is none."""

    shard: Shard
    result: ShardResult | None
    reason: str = ""


class Executor(Protocol):
    """Something that tries each shard once and yields the outcomes as they come.

    Attributes
    ----------
    has_workers
        Whether other processes do the work, which may write the parts.
    """

    kind: str
    n_workers: int
    has_workers: bool

    def run(self, shards: Iterable[Shard], source: Source) -> Generator[Outcome, None, None]:
        """Outcomes in the order of completion; letters are read when a shard's turn comes."""

    def attention(self, rows: pa.Table) -> list[np.ndarray] | None:
        """Attention of the bases of loci, see :func:`mirsweep.jobs.sequences.explain.attention_by`."""

    def describe(self) -> dict[str, Any]:
        """What run.json tells of it."""

    def check(self) -> None:
        """Make sure that it can go on.

        Raises
        ------
        InputError
            If it cannot.
        """

    def close(self) -> None:
        """Give back what working off shards took; whatever still runs is stopped."""


class InProcess:
    """One shard after the other in this process.

    Parameters
    ----------
    scorer
        The loaded model.
    """

    kind = "local"
    n_workers = 1
    has_workers = False

    def __init__(self, scorer: Scorer):
        self._scorer = scorer

    def run(self, shards: Iterable[Shard], source: Source) -> Generator[Outcome, None, None]:
        """See :class:`Executor`."""
        for shard in shards:
            yield self._attempt(shard, source.read(shard), source.params)

    def attention(self, rows: pa.Table) -> list[np.ndarray] | None:
        """See :class:`Executor`."""
        from mirsweep.jobs.sequences.explain import attention_by  # not needed before the end

        return attention_by(cast(Any, self._scorer), rows)

    def describe(self) -> dict[str, Any]:
        """See :class:`Executor`."""
        return {"kind": self.kind, "workers": self.n_workers}

    def _attempt(self, shard: Shard, letters: Letters, params: ScanParams) -> Outcome:
        try:
            return Outcome(shard, score_shard(fold_shard(shard, letters, params), self._scorer))
        except Exception as error:  # one bad shard must not cost the others
            return Outcome(shard, None, one_line(error))

    def check(self) -> None:
        """It can go on as long as this process does."""

    def close(self) -> None:
        """Nothing to give back."""


class OnDemand:
    """An executor that several runs share: made when the first of them asks for it, closed by who made this.

    Parameters
    ----------
    make
        Makes the executor.
    """

    def __init__(self, make: Callable[[], Executor]):
        self._make = make
        self._made: Executor | None = None

    @property
    def made(self) -> Executor | None:
        """The executor, if any run has asked for it."""
        return self._made

    def get(self) -> Executor:
        """The executor, the same each time."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def close(self) -> None:
        """Close the executor, if there is one."""
        if self._made is not None:
            self._made.close()


class Todo(Iterator[Shard]):
    """Shards that are left, in order; those that were put back first."""

    def __init__(self, shards: Iterable[Shard]):
        self._shards = iter(shards)
        self._again: deque[Shard] = deque()

    def __next__(self) -> Shard:
        return self._again.popleft() if self._again else next(self._shards)

    def put_back(self, shard: Shard) -> None:
        """The shard is to be done again."""
        self._again.append(shard)


def one_line(error: BaseException) -> str:
    """An exception as one line: its type and the first line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
