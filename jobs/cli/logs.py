"""The log of a command, in a file."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mirsweep.jobs.results.files import cannot_write

__all__ = ["logged"]


@contextmanager
def logged(path: str | None) -> Iterator[None]:
    """Append what the package tells to a file, a line each with its time (UTC); nowhere if there is none.

    Raises
    ------
    InputError
        If the file cannot be written. One that is full later costs lines, not the work.
    """
    if path is None:
        yield
        return
    try:
        handler = _Handler(path, encoding="utf-8")
    except OSError as error:
        raise cannot_write(Path(path), error) from error
    log = logging.getLogger("mirsweep")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        handler.close()


class _Handler(logging.FileHandler):
    def __init__(self, path: str, *, encoding: str):
        super().__init__(path, encoding=encoding, errors="backslashreplace")
        form = logging.Formatter("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        form.converter = time.gmtime
        self.setFormatter(form)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """A full disk: the line is lost."""
