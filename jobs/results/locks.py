"""Locks on files, by which processes keep out of each other's way."""

import fcntl
import time
from contextlib import suppress
from pathlib import Path
from typing import TextIO

__all__ = ["lock_file"]

_TRIES = 5
"""Who looks whether a file is locked has its lock for an instant."""


def lock_file(path: Path) -> TextIO:
    """Open a file, made if absent, and lock it for this process alone; close it to let others have it.

    On a file system without locks it is only opened.

    Raises
    ------
    OSError
        If it cannot be opened.
    BlockingIOError
        If another process has it.
    """
    stream = open(path, "a")  # noqa: SIM115 (held until close)
    try:
        _lock(stream)
    except BlockingIOError:
        stream.close()
        raise
    except OSError:
        pass  # a file system without locks
    return stream


def _lock(stream: TextIO) -> None:
    for _ in range(_TRIES - 1):
        with suppress(BlockingIOError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.02)
    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
