"""Processes below one, and the CPU time that each has taken, as Linux tells it."""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["Taken", "below", "cpu_seconds", "words_of"]

_TICK = 1 / os.sysconf("SC_CLK_TCK")


class Taken(NamedTuple):
    """When a process began, which with its number tells it from all others, and the CPU seconds that it has taken."""

    began: str
    seconds: float


def below(pid: int) -> list[int]:
    """A process, and all that it has started, and these, and so on."""
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        found.append(parent)
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):
                todo += map(int, task.read_text().split())
    return found


def cpu_seconds(pid: int) -> Taken | None:
    """CPU time of a process without those that it has started; None if it is over."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return Taken(fields[19], (int(fields[11]) + int(fields[12])) * _TICK)


def words_of(pid: int) -> str:
    """The title of a process: name of its program without the folder, and its arguments; empty if it is over."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return ""
    return " ".join([words[0].rsplit("/", 1)[-1], *words[1:4]])
