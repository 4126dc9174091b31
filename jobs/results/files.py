"""Files that are complete or absent."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mirsweep.jobs.results.layout import TEMPORARY_SUFFIX
from mirsweep.scanner.errors import InputError

__all__ = ["cannot_write", "is_folder", "open_atomically", "take_file", "write_atomically"]


def write_atomically(path: Path, content: bytes, *, is_lasting: bool = True) -> None:
    """Write a file, which is then there as a whole or not at all.

    Parameters
    ----------
    is_lasting
        Whether it must be there after a power cut, which takes a flush of file and folder.

    Raises
    ------
    InputError
        If the place cannot be written or is full; nothing is left behind.
    """
    with open_atomically(path, is_lasting=is_lasting) as stream:
        stream.write(content)


@contextmanager
def open_atomically(path: Path, *, is_lasting: bool = True) -> Iterator[BinaryIO]:
    """Open a file for writing under a temporary name beside it; renamed at the end.

    ``is_lasting`` is that of :func:`write_atomically`.

    Raises
    ------
    InputError
        If the place is a folder, cannot be written or is full; nothing is left behind.
    """
    if path.is_dir():
        raise is_folder(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as stream:
            yield stream
            stream.flush()
            if is_lasting:
                os.fsync(stream.fileno())
        os.replace(temporary, path)
        if is_lasting:
            _flush_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        _remove(temporary)


def take_file(source: Path, path: Path) -> None:
    """Give a file that was flushed to disk its final name, in a folder of the same file system.

    Raises
    ------
    InputError
        If the place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, path)
        _flush_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def is_folder(path: Path) -> InputError:
    """The sentence for a folder where a file is to be."""
    return InputError(f"{path}: is a folder: give the name of a file to write.")


def cannot_write(path: Path, error: OSError) -> InputError:
    """The sentence for a place that cannot be written."""
    return InputError(
        f"{path}: cannot be written ({error.strerror or error}): free space, fix permissions or choose another place, "
        "then run the same command again."
    )


def _flush_folder(folder: Path) -> None:
    """Make a rename last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    """Remove a file if it is there; on a place that cannot be written it cannot be."""
    with suppress(OSError):
        path.unlink()
