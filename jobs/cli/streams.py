"""Standard streams that are closed, full or no longer read: what they would have shown must not end the work."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

__all__ = ["forgiving_stderr", "open_closed_streams"]


class _Forgiving:
    """A text stream whose first error silences it for good."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or be silent."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # full, not read any more, or closed
            _silence(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush, or be silent."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            _silence(self._stream)


def _silence(stream: TextIO) -> None:
    """Let the file of a stream be the null device, so that what it holds back can be flushed when Python ends."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        stream.flush()


@contextmanager
def forgiving_stderr() -> Iterator[None]:
    """Within this block nothing fails because standard error is full, closed or not read any more."""
    kept = sys.stderr
    sys.stderr = _Forgiving(kept or open(os.devnull, "w"))  # noqa: SIM115
    try:
        yield
        sys.stderr.flush()
    finally:
        sys.stderr = kept


def open_closed_streams() -> None:
    """Let the null device take the place of standard streams that are closed (``2>&-``).

    The next file that is opened would get their number, and what libraries print would be written into it. Python's own
    ``sys.stdout`` stays None.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            if number != null:
                os.close(null)
