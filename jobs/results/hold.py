"""An output folder is written by one process at a time."""

import fcntl
from pathlib import Path
from typing import TextIO

from mirsweep.jobs.results.copies import copy_at, is_copy
from mirsweep.jobs.results.files import cannot_write
from mirsweep.jobs.results.layout import DECOYS, SHARDS
from mirsweep.jobs.results.locks import lock_file
from mirsweep.jobs.results.mirror import Mirror
from mirsweep.scanner.errors import InputError

__all__ = ["hold", "is_held"]


def hold(output: Path) -> TextIO:
    """Lock an output folder for writing; close what is returned to let others have it.

    The lock ends with this process, however it ends.

    Raises
    ------
    InputError
        If another process holds it, or the folder cannot be written.
    """
    if is_copy(output) and not isinstance(copy_at(output), Mirror):
        raise InputError(
            f"{output}: is the copy of an output in an object store, which this would not change: give its address."
        )
    try:
        return lock_file(output / SHARDS / "lock")
    except BlockingIOError:
        raise InputError(f"{output}: another mirsweep is writing there: wait for it, or choose another -o.") from None
    except OSError as error:
        raise cannot_write(output, error) from error


def is_held(output: Path) -> bool | None:
    """Whether a process holds an output folder, as far as this machine can see; None on a file system without locks."""
    held = output.parent if output.name == DECOYS else output  # decoys are held with the scan that they belong to
    try:
        with open(held / SHARDS / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False
