"""mirsweep's cache folder: where it is, whether it can be trusted, and a private one in its place if not.

Compiled kernels are unpickled from there, so whoever can write to it can run code as this user.
"""

import atexit
import fcntl
import functools
import os
import pwd
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "UnsafeFolderError",
    "cache_root",
    "kept_folder",
    "kept_text",
    "locked",
    "private_folder",
    "warn_once",
    "written_whole",
]

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class UnsafeFolderError(OSError):
    """A cache folder that another user owns or can write to; the message says how to make it safe."""


def cache_root(environment: Mapping[str, str] | None = None) -> Path | None:
    """Where the cache belongs; not made yet.

    MIRSWEEP_CACHE, else ``mirsweep`` in XDG_CACHE_HOME (an absolute path, as its specification says), else
    ``.cache/mirsweep`` in the user's home by HOME or by the password database.

    Parameters
    ----------
    environment
        The process's by default.

    Returns
    -------
    An absolute path; None for a user without a home.
    """
    environment = os.environ if environment is None else environment
    home = _home(environment)
    if given := environment.get("MIRSWEEP_CACHE"):
        return _absolute(given, home)
    xdg = Path(environment.get("XDG_CACHE_HOME", ""))
    if xdg.is_absolute():
        return xdg / "mirsweep"
    return home / ".cache" / "mirsweep" if home else None


def _home(environment: Mapping[str, str]) -> Path | None:
    """The user's home, if there is one."""
    given = environment.get("HOME")
    if not given:
        try:
            given = pwd.getpwuid(os.geteuid()).pw_dir
        except KeyError:
            return None
    home = Path(given)
    return home if home.is_absolute() and home.is_dir() else None


def _absolute(given: str, home: Path | None) -> Path | None:
    """The path of MIRSWEEP_CACHE; a leading ``~``, which a container file passes on as it stands, is the home."""
    if given == "~" or given.startswith("~/"):
        return home / given[2:] if home else None
    return Path(os.path.abspath(given))


def kept_folder(name: str) -> Path:
    """A folder of the cache, made if it is not there (0700); its content outlasts this process.

    Parameters
    ----------
    name
        Its name within the cache.

    Raises
    ------
    UnsafeFolderError
        If it, or the cache, belongs to another user or can be written by others.
    OSError
        If it cannot be made or written, or the user has no home and no MIRSWEEP_CACHE.
    """
    root = cache_root()
    if root is None:
        raise FileNotFoundError("no home folder for a cache: set MIRSWEEP_CACHE to a folder of your own.")
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check(root)
    folder = root / name
    folder.mkdir(mode=0o700, exist_ok=True)
    _check(folder)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder}: cannot be written; fix its permissions, or set MIRSWEEP_CACHE.")
    return folder


def _check(folder: Path) -> None:
    """Refuse a folder that others can change, or replace from a folder above it that everybody can write to."""
    remedy = "or set MIRSWEEP_CACHE to a folder of your own"
    real = folder.resolve()
    status = real.stat()
    if status.st_uid != os.geteuid():
        raise UnsafeFolderError(f"{folder}: this cache folder belongs to another user; remove it, {remedy}.")
    if status.st_mode & _OTHERS_WRITE:
        raise UnsafeFolderError(f"{folder}: other users can write to this cache folder; chmod go-w it, {remedy}.")
    for above in real.parents:
        mode = above.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise UnsafeFolderError(
                f"{folder}: other users can replace this cache folder, since all can write to {above}; "
                f"chmod o-w that, {remedy}."
            )


def kept_text(path: Path, make: Callable[[], str]) -> str:
    """A text that a file of the cache keeps, made if it is not there."""
    with suppress(OSError):
        return path.read_text()
    text = make()
    with suppress(OSError), written_whole(path) as stream:
        stream.write(text.encode())
    return text


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes its name when the block ends; if that ends in an error, there is none."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def private_folder(name: str) -> Path | None:
    """A folder of the cache, or else, with a warning, one in a temporary folder that ends with this process.

    Returns
    -------
    None where no temporary folder can be made either.
    """
    try:
        return kept_folder(name)
    except OSError as error:
        folder = _temporary_folder(os.getpid())
        where = "this process's own temporary folder" if folder else "no folder"
        warn_once(f"{_reason(error)} Until then {where} is used.")
    if folder is None:
        return None
    with suppress(OSError):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
        return folder / name
    return None


def _reason(error: OSError) -> str:
    """What is wrong with the cache folder, as a sentence."""
    if error.strerror is None:
        return str(error)
    place = error.filename or cache_root()
    return f"{place}: the cache folder cannot be used ({error.strerror}); fix that, or set MIRSWEEP_CACHE to another."


@functools.cache
def _temporary_folder(pid: int) -> Path | None:
    """The temporary folder of this process (a fork is another one), removed at its end."""
    try:
        folder = tempfile.mkdtemp(prefix="mirsweep-cache-")
    except OSError:
        return None
    atexit.register(_remove, folder, pid)
    return Path(folder)


def _remove(folder: str, pid: int) -> None:
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def warn_once(sentence: str) -> None:
    """Print a warning on standard error, the first time only."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(f"mirsweep: warning: {sentence}", file=sys.stderr, flush=True)


@contextmanager
def locked(folder: Path, name: str = "lock") -> Iterator[None]:
    """Make a folder (0700) and wait until no other process has it locked.

    A file system without locks lets all go on at once; what they write must be complete or absent then.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(folder / name, "wb") as stream:
        with suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
