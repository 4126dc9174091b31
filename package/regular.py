"""Files that are opened only if they are files: a pipe in their place would be waited for, a device read for ever."""

import errno
import os
import stat
from pathlib import Path

__all__ = ["check_regular", "read_regular"]

_LARGEST = 1 << 30
"""Most bytes of a file that is read as a whole, 1 GiB: none that mirsweep writes and reads so comes near."""


def check_regular(path: str | os.PathLike[str], *, most: int | None = None) -> None:
    """Make sure that a path is that of a regular file, or of a link to one.

    Parameters
    ----------
    most
        Its largest size, bytes.

    Raises
    ------
    OSError
        If it is something else, is not there or cannot be reached, or is larger.
    """
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", os.fspath(path))
    if most is not None and status.st_size > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", os.fspath(path))


def read_regular(path: Path, *, most: int = _LARGEST) -> bytes:
    """Content of a regular file.

    Raises
    ------
    OSError
        As :func:`check_regular`, or if it cannot be read.
    """
    check_regular(path, most=most)
    return path.read_bytes()
