"""Outputs in an object store: a scan works in a copy here, and each finished shard is put there at once.

A part goes before its commit record, which is the point of truth there as here: what a killed scan leaves of an upload
counts for nothing. run.json goes last.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TextIO, TypeVar

from pyarrow import fs

from mirsweep.cache import UnsafeFolderError, cache_root, kept_folder
from mirsweep.jobs.results.layout import CANDIDATES, HEARTBEAT, RUN, SHARDS, TEMPORARY_SUFFIX
from mirsweep.jobs.results.locks import lock_file
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.remote import file_name

__all__ = ["Mirror", "is_copy", "is_store"]

_SCHEMES = ("s3://", "gs://")
_Found = TypeVar("_Found")


def is_store(output: str | os.PathLike) -> bool:
    """Whether an output is in an object store.

    >>> is_store("s3://bucket/out"), is_store("out")
    (True, False)
    """
    return os.fspath(output).lower().startswith(_SCHEMES)


class Mirror:
    """An output in an object store, and its copy here.

    Parameters
    ----------
    address
        Of the output, as ``s3://bucket/folder``.

    Attributes
    ----------
    folder
        The copy, in the cache; one process works with it at a time.

    Raises
    ------
    InputError
        If the store cannot be reached, or another process of this machine works with the same output.
    """

    def __init__(self, address: str):
        self.address = address.rstrip("/")
        self._store, self._root = self._told(lambda: fs.FileSystem.from_uri(_at_once(self.address)))
        try:
            place = kept_folder("outputs") / hashlib.sha256(self.address.encode()).hexdigest()[:24]
        except UnsafeFolderError as error:
            raise InputError(f"{address}: there is no cache to work in: {error}") from error
        place.mkdir(mode=0o700, exist_ok=True)
        self.folder = place / file_name(self.address)
        self._lock = self._hold(place)
        self._pushed: set[str] = set()

    def _hold(self, place: Path) -> TextIO:
        try:
            return lock_file(place / "lock")
        except BlockingIOError:
            raise InputError(f"{self.address}: another mirsweep works there: wait for it, or choose another.") from None

    def close(self) -> None:
        """Let other processes have the copy."""
        self._lock.close()

    def pull(self) -> None:
        """Make the copy what is in the store."""
        there = self._listed()
        self.folder.mkdir(mode=0o700, exist_ok=True)
        for name, path in self._files().items():
            if name not in there:
                path.unlink()
        for name, size in there.items():
            path = self.folder / name
            if not (_is_part(name) and path.is_file() and path.stat().st_size == size):  # records tell parts' digests
                self._download(name, path)

    def push(self, paths: Iterable[Path]) -> None:
        """Put files into the store, one after the other."""
        for path in paths:
            name = path.relative_to(self.folder).as_posix()
            self._told(partial(self._upload, name, path.read_bytes()))
            self._pushed.add(name)

    def withdraw(self) -> None:
        """Remove run.json from the store, without which the output there is not complete."""
        self._remove(RUN)

    def finish(self) -> None:
        """Make the store what the copy is, run.json last."""
        here, there = self._files(), self._listed()
        changed = [name for name in here if not (_is_part(name) and (name in self._pushed or name in there))]
        if RUN in there and [name for name in changed if name != RUN]:
            self.withdraw()
        self.push(here[name] for name in changed if name != RUN)
        for name in there.keys() - here.keys() - {RUN}:
            self._remove(name)
        self.push(here[name] for name in changed if name == RUN)

    def _files(self) -> dict[str, Path]:
        """By name the files of the copy that belong to the output."""
        found = {path.relative_to(self.folder).as_posix(): path for path in self.folder.rglob("*") if path.is_file()}
        return {name: path for name, path in sorted(found.items()) if not _is_passing(name)}

    def _listed(self) -> dict[str, int]:
        """By name the sizes of the files in the store."""
        selector = fs.FileSelector(self._root, recursive=True, allow_not_found=True)
        found = self._told(lambda: self._store.get_file_info(selector))
        files = [each for each in found if each.type == fs.FileType.File]
        names = {each.path.removeprefix(self._root).lstrip("/"): each.size for each in files}
        unsafe = [name for name in names if ".." in name.split("/")]
        if unsafe:
            raise InputError(f"{self.address}: holds {unsafe[0]!r}, which is no file of a scan.")
        return names

    def _download(self, name: str, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")

        def copy() -> None:
            with self._store.open_input_stream(f"{self._root}/{name}") as stream:
                temporary.write_bytes(stream.read())

        self._told(copy)
        os.replace(temporary, path)

    def _upload(self, name: str, content: bytes) -> None:
        """One put of all bytes: what is interrupted is not there, or is there without a record that fits it."""
        with self._store.open_output_stream(f"{self._root}/{name}") as stream:
            stream.write(content)

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._told(lambda: self._store.delete_file(f"{self._root}/{name}"))

    def _told(self, do: Callable[[], _Found]) -> _Found:
        """What is done in the store; what goes wrong there in one sentence."""
        try:
            return do()
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            cause = " ".join((str(error).splitlines() or ["no message"])[0].split())[:200]
            raise InputError(
                f"{self.address}: the object store refuses ({cause}): check address, keys and permissions, and run the "
                "command again."
            ) from error


def _at_once(address: str) -> str:
    """The address, such that an object is put as a whole, not in parts, where its size allows."""
    if not address.lower().startswith("s3://"):
        return address
    return f"{address}{'&' if '?' in address else '?'}allow_delayed_open=true"


def is_copy(output: Path) -> bool:
    """Whether a folder is the copy of an output in an object store."""
    root = cache_root()
    return root is not None and output.parent.parent == root / "outputs"


def _is_part(name: str) -> bool:
    return f"{CANDIDATES}/" in name


def _is_passing(name: str) -> bool:
    """Whether a file belongs to a running process, not to the output."""
    last = name.rsplit("/", 1)[-1]
    is_shards = name.endswith((f"{SHARDS}/lock", HEARTBEAT))
    return is_shards or last.endswith(TEMPORARY_SUFFIX)
