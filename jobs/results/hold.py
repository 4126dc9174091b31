"""An output folder is written by one process at a time."""

import fcntl
from pathlib import Path
from typing import TextIO

from mirsweep.jobs.results.files import cannot_write
from mirsweep.jobs.results.layout import SHARDS
from mirsweep.scanner.errors import InputError

__all__ = ["hold"]


def hold(output: Path) -> TextIO:
    """Lock an output folder for writing; close what is returned to let others have it.

    The lock ends with this process, however it ends.

    Raises
    ------
    InputError
        If another process holds it, or the folder cannot be written.
    """
    try:
        lock = open(output / SHARDS / "lock", "a")  # noqa: SIM115 (held until close)
    except OSError as error:
        raise cannot_write(output, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise InputError(f"{output}: another mirsweep is writing there: wait for it, or choose another -o.") from None
    except OSError:
        pass  # a file system without locks
    return lock
