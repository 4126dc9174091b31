"""Copies of genomes that cannot be read in place: unpacked, or with lines of even length.

They are kept in mirsweep's cache folder, one folder for each state of a file. What comes from a pipe, or finds no
private cache, goes into a temporary folder, which is removed as soon as the copy is open.
"""

import errno
import hashlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mirsweep.cache import UnsafeFolderError, kept_folder, warn_once, written_whole
from mirsweep.scanner.containers import is_stream, label_of, open_bytes
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.text import BYTE_ORDER_MARK

__all__ = [
    "copy_even",
    "copy_unpacked",
    "file_folder",
    "private_cache",
    "remove_leftovers",
    "scratch_folder",
    "state_at",
]

_CHUNK_NT = 1 << 24
_LINE_NT = 80
_LEFT_SECONDS = 600
_BLANKS = " \t\n\x0b\x0c"


def private_cache() -> Path | None:
    """The cache's folder for genomes, of this user alone, made if it is not there; None where there can be none.

    Raises
    ------
    OSError
        If the folder that MIRSWEEP_CACHE names cannot be made.
    """
    try:
        return kept_folder("fasta")
    except UnsafeFolderError as error:
        warn_once(str(error))
        return None
    except OSError as error:
        if place := os.environ.get("MIRSWEEP_CACHE"):
            raise OSError(error.errno or errno.EACCES, error.strerror or "cannot be written", place) from error
        return None


def file_folder(path: Path) -> Path | None:
    """The cache's folder for a file as it is now, not made yet; None where there is no private cache.

    Another size, inode, or time of change (of the content or of the inode) means another folder: what replaces a file
    is another file, even with the same size and time.

    Raises
    ------
    OSError
        If the folder that MIRSWEEP_CACHE names cannot be made.
    """
    root = private_cache()
    if root is None:
        return None
    status = path.stat()
    facts = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    key = "\0".join(map(str, (path.resolve(), *facts)))
    return root / hashlib.sha256(os.fsencode(key)).hexdigest()[:24]


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A private temporary folder, removed at the end; what is open then can still be read."""
    folder = Path(tempfile.mkdtemp(prefix="mirsweep-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove unfinished copies of processes that were killed; one that grows is somebody's still."""
    for left in folder.glob("*.tmp"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_SECONDS:
                left.unlink()


def state_at(path: Path) -> tuple[int, ...] | None:
    """What tells the file at a path from others, and from what it was before; None for a pipe or no file."""
    if is_stream(path):
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def copy_unpacked(path: Path, target: Path) -> None:
    """Copy a file, unpacked; complete or absent."""
    with _complete(target, path) as out, open_bytes(path).stream as stream:
        shutil.copyfileobj(stream, out, 1 << 20)


def copy_even(path: Path, target: Path, *, named: Path) -> None:
    """Copy a FASTA file with ``_LINE_NT`` letters a line, without blank lines and comments; complete or absent.

    Parameters
    ----------
    named
        What messages call the file.

    Raises
    ------
    InputError
        If ``>`` or ``;`` stands within a line of letters: at the start of a line of the copy it would mean something.
    """
    with _complete(target, path) as out, open_bytes(path).stream as stream:
        _even_lines(stream, out, label_of(named))


@contextmanager
def _complete(target: Path, source: Path) -> Iterator[BinaryIO]:
    """The file to copy into; it takes its name when all is copied, and the source is still what it was."""
    before = state_at(source)
    with written_whole(target) as out:
        yield out
        if state_at(source) != before:
            raise InputError(f"{source}: has changed while it was read: run again when it is whole.")


def _even_lines(stream: BinaryIO, out: BinaryIO, label: str) -> None:
    """Copy the records, whatever the lines end in and whatever their length.

    A comment is a line that starts with ``;`` (the first FASTA format). What stands before the first record is kept, to
    be judged later.
    """
    text = io.TextIOWrapper(stream, encoding="latin-1", newline=None)  # one letter a byte; line ends become "\n"
    is_start, is_header, is_before, is_comment, waiting = True, False, True, False, ""
    piece = text.readline(_CHUNK_NT).removeprefix(BYTE_ORDER_MARK.decode("latin-1"))
    while piece:
        ends = piece.endswith("\n")
        if is_start:
            is_comment = piece.startswith(";")
        if is_start and piece.startswith(">"):
            is_header, is_before = True, False
            out.write(f"{waiting}\n".encode("latin-1") if waiting else b"")
            waiting = ""
        if is_header or is_before:
            out.write(piece.encode("latin-1"))
            is_header = is_header and not ends
        elif not is_comment:
            if ">" in piece or ";" in piece:
                raise InputError(
                    f"{label}: '>' or ';' within a line of letters; is an end of line missing before a header?"
                )
            waiting += piece.strip(_BLANKS)
            whole = len(waiting) - len(waiting) % _LINE_NT
            out.writelines(waiting[k : k + _LINE_NT].encode("latin-1") + b"\n" for k in range(0, whole, _LINE_NT))
            waiting = waiting[whole:]
        is_start = ends
        piece = text.readline(_CHUNK_NT)
    out.write(f"{waiting}\n".encode("latin-1") if waiting else b"")
