"""Progress on standard error: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from typing import Protocol

from mirsweep.jobs.results.messages import say

__all__ = ["Progress", "make_progress"]

_SECONDS_BETWEEN_LINES = 10


class Progress(Protocol):
    """Told of the bases that are done."""

    def advance(self, n_bases: int, n_candidates: int) -> None:
        """A shard was finished."""

    def say(self, line: str) -> None:
        """Print a line without spoiling the display."""

    def close(self) -> None:
        """End the display."""


class _Quiet:
    """Shows nothing but messages that matter."""

    def advance(self, n_bases: int, n_candidates: int) -> None:
        """See :class:`Progress`."""

    def say(self, line: str) -> None:
        """See :class:`Progress`."""

    def close(self) -> None:
        """See :class:`Progress`."""


class _Lines:
    """One line now and then, for logs."""

    def __init__(self, n_bases: int, n_done: int):
        self._total, self._before, self._done, self._candidates = n_bases, n_done, n_done, 0
        self._began = self._last = time.monotonic()

    def advance(self, n_bases: int, n_candidates: int) -> None:
        """See :class:`Progress`."""
        self._done += n_bases
        self._candidates += n_candidates
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_LINES or self._done >= self._total:
            self._last = now
            self.say(self._line(now - self._began))

    def say(self, line: str) -> None:
        """See :class:`Progress`."""
        say(line)

    def close(self) -> None:
        """See :class:`Progress`."""

    def _line(self, seconds: float) -> str:
        rate = (self._done - self._before) / 1e6 / max(seconds, 1e-9)
        left = (self._total - self._done) / 1e6 / max(rate, 1e-9)
        return (
            f"{self._done / 1e6:.1f} of {self._total / 1e6:.1f} Mb, {self._candidates} candidates, "
            f"{rate:.2f} Mb/s, {left:.0f} s left"
        )


class _Bar:
    """A bar with rate and time left."""

    def __init__(self, n_bases: int, n_done: int):
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("scanning"),
            BarColumn(),
            TextColumn("{task.completed:.1f}/{task.total:.1f} Mb"),
            TextColumn("{task.fields[rate]:.2f} Mb/s"),
            TextColumn("{task.fields[candidates]} candidates"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("scan", total=n_bases / 1e6, rate=0.0, candidates=0)
        self._bar.update(self._task, completed=n_done / 1e6)  # add_task takes whole numbers only
        self._mb, self._candidates, self._began = 0.0, 0, time.monotonic()
        self._bar.start()

    def advance(self, n_bases: int, n_candidates: int) -> None:
        """See :class:`Progress`."""
        self._mb += n_bases / 1e6
        self._candidates += n_candidates
        rate = self._mb / max(time.monotonic() - self._began, 1e-9)
        self._bar.update(self._task, advance=n_bases / 1e6, rate=rate, candidates=self._candidates)

    def say(self, line: str) -> None:
        """See :class:`Progress`."""
        self._bar.console.print(line, highlight=False, markup=False)

    def close(self) -> None:
        """See :class:`Progress`."""
        self._bar.stop()


def make_progress(n_bases: int, *, n_done: int = 0, quiet: bool = False) -> Progress:
    """The display that fits standard error.

    Parameters
    ----------
    n_bases
        Bases of the whole run, nt.
    n_done
        Of these, done in an earlier, interrupted run.
    quiet
        Show nothing.
    """
    if quiet:
        return _Quiet()
    return _Bar(n_bases, n_done) if sys.stderr.isatty() else _Lines(n_bases, n_done)
