"""Progress on standard error: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from mirsweep.jobs.results.messages import say
from mirsweep.jobs.scanning.amounts import amount_done, rate_text

__all__ = ["Progress", "make_progress"]

_SECONDS_BETWEEN_LINES = 10


class Progress(Protocol):
    """Told of the bases that are done."""

    def begin(self) -> None:
        """Work starts now: rate and time left count from here."""

    def advance(self, n_bases: int, n_candidates: int) -> None:
        """A shard was finished."""

    def say(self, line: str) -> None:
        """Print a line without spoiling the display."""

    def close(self) -> None:
        """End the display."""


class _Quiet:
    """Shows nothing but messages that matter."""

    def begin(self) -> None:
        """See :class:`Progress`."""

    def advance(self, n_bases: int, n_candidates: int) -> None:
        """See :class:`Progress`."""

    def say(self, line: str) -> None:
        """See :class:`Progress`."""

    def close(self) -> None:
        """See :class:`Progress`."""


class _Pace:
    """How much is done, how fast, and how long the rest will take; an earlier run's work has no part in the rate."""

    def __init__(self, n_bases: int, n_done: int, clock: Callable[[], float]):
        self.n_bases, self.n_done = n_bases, n_done
        self.n_candidates = 0
        self._clock, self._n_before = clock, n_done
        self.begin()

    def begin(self) -> None:
        self._began = self._clock()

    def advance(self, n_bases: int, n_candidates: int) -> None:
        self.n_done += n_bases
        self.n_candidates += n_candidates

    @property
    def rate(self) -> float:
        """Bases a second since work began."""
        return (self.n_done - self._n_before) / max(self._clock() - self._began, 1e-9)

    @property
    def seconds_left(self) -> float:
        return max(self.n_bases - self.n_done, 0) / max(self.rate, 1e-9)


class _Lines:
    """One line now and then, for logs."""

    def __init__(self, n_bases: int, n_done: int, clock: Callable[[], float], label: str):
        self._pace, self._clock, self._label = _Pace(n_bases, n_done, clock), clock, label
        self._n_left = n_bases - n_done
        self._last = clock()

    def begin(self) -> None:
        """See :class:`Progress`."""
        self._pace.begin()
        self._last = self._clock()

    def advance(self, n_bases: int, n_candidates: int) -> None:
        """See :class:`Progress`."""
        self._pace.advance(n_bases, n_candidates)
        self._n_left -= n_bases
        if self._clock() - self._last >= _SECONDS_BETWEEN_LINES or self._n_left <= 0:
            self._last = self._clock()
            self.say(self._label + self._line(self._pace))

    def say(self, line: str) -> None:
        """See :class:`Progress`."""
        say(line)

    def close(self) -> None:
        """See :class:`Progress`."""

    @staticmethod
    def _line(pace: _Pace) -> str:
        return (
            f"{amount_done(pace.n_done, pace.n_bases)}, {pace.n_candidates} candidates, "
            f"{rate_text(pace.rate, pace.n_bases)}, {pace.seconds_left:.0f} s left"
        )


class _Bar:
    """A bar with rate and time left, shown from the beginning of the work on."""

    def __init__(self, n_bases: int, n_done: int, clock: Callable[[], float], label: str):
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn(f"{label}scanning"),
            BarColumn(),
            TextColumn("{task.fields[amount]}"),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[candidates]} candidates"),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True),
        )
        self._pace = _Pace(n_bases, n_done, clock)
        self._task = self._bar.add_task(
            "scan", total=n_bases, completed=n_done, amount=amount_done(n_done, n_bases), rate="", candidates=0, left=""
        )

    def begin(self) -> None:
        """See :class:`Progress`."""
        self._pace.begin()
        self._bar.start()

    def advance(self, n_bases: int, n_candidates: int) -> None:
        """See :class:`Progress`."""
        pace = self._pace
        pace.advance(n_bases, n_candidates)
        self._bar.update(
            self._task,
            completed=pace.n_done,
            amount=amount_done(pace.n_done, pace.n_bases),
            rate=rate_text(pace.rate, pace.n_bases),
            candidates=pace.n_candidates,
            left=str(timedelta(seconds=round(pace.seconds_left))),
        )

    def say(self, line: str) -> None:
        """See :class:`Progress`."""
        self._bar.console.print(line, highlight=False, markup=False)

    def close(self) -> None:
        """See :class:`Progress`."""
        self._bar.stop()


def make_progress(
    n_bases: int,
    *,
    n_done: int = 0,
    quiet: bool = False,
    label: str = "",
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """The display that fits standard error.

    Parameters
    ----------
    n_bases
        Bases of the whole run, nt.
    n_done
        Of these, done in an earlier, interrupted run.
    quiet
        Show nothing.
    label
        What lines of progress begin with.
    clock
        Tells the time, seconds.
    """
    if quiet:
        return _Quiet()
    return (_Bar if sys.stderr.isatty() else _Lines)(n_bases, n_done, clock, label)
