"""A folder in an object store, by pyarrow's file systems: what is there, read and put as a whole."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from pyarrow import fs

from mirsweep.jobs.results.layout import TEMPORARY_SUFFIX
from mirsweep.scanner.errors import InputError, cause_of
from mirsweep.scanner.remote import with_option

__all__ = ["Listed", "ObjectStore", "each_of", "is_store"]

_SCHEMES = ("s3://", "gs://")
_THREADS = 16
"""Small objects take a round trip each: many go side by side."""
_GS_SECONDS = 60
_Found = TypeVar("_Found")


def is_store(output: str | os.PathLike) -> bool:
    """Whether an output is in an object store.

    >>> is_store("s3://bucket/out"), is_store("out")
    (True, False)
    """
    return os.fspath(output).lower().startswith(_SCHEMES)


class Listed(NamedTuple):
    """What a store tells of an object: its size, bytes, and when it was put, ns since 1970 by the store's clock."""

    size: int
    modified_ns: int


class ObjectStore:
    """A folder in an object store.

    Attributes
    ----------
    address
        As ``s3://bucket/folder``.

    Raises
    ------
    InputError
        If the store refuses something; the sentence tells its reason.
    """

    def __init__(self, address: str):
        self.address = address.rstrip("/")
        self._store, self._root = self._told(lambda: fs.FileSystem.from_uri(_with_options(self.address)))

    def listed(self, folder: str = "") -> dict[str, Listed]:
        """By name, relative to the address, all objects, or those below a folder."""
        selector = fs.FileSelector(f"{self._root}/{folder}".rstrip("/"), recursive=True, allow_not_found=True)
        found = self._told(lambda: self._store.get_file_info(selector))
        files = [each for each in found if each.type == fs.FileType.File]
        names = {each.path.removeprefix(self._root).lstrip("/"): each for each in files}
        unsafe = [name for name in names if ".." in name.split("/")]
        if unsafe:
            raise InputError(f"{self.address}: holds {unsafe[0]!r}, which is no file of a scan.")
        return {name: Listed(each.size, each.mtime_ns or 0) for name, each in names.items()}

    def read(self, name: str) -> bytes:
        """The content of an object.

        Raises
        ------
        FileNotFoundError
            If there is none.
        """

        def read() -> bytes:
            with self._store.open_input_stream(f"{self._root}/{name}", compression=None) as stream:
                return stream.read()

        return self._told(read)

    def holds(self, name: str) -> bool:
        """Whether there is an object of a name."""
        place = f"{self._root}/{name}"
        return self._told(lambda: self._store.get_file_info(place)).type == fs.FileType.File

    def copy(self, names: Sequence[str], folder: Path) -> None:
        """Copy objects into a folder, many side by side; one that is no more is left out."""

        def copy(name: str) -> None:
            with suppress(FileNotFoundError):
                self.download(name, folder / name, 0)

        each_of(copy, names)

    def download(self, name: str, path: Path, modified_ns: int) -> None:
        """Copy an object into a file, which is whole or absent, and has the object's time."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
        try:
            temporary.write_bytes(self.read(name))
            os.utime(temporary, ns=(modified_ns, modified_ns))
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def put(self, name: str, content: bytes) -> None:
        """One put of all bytes: what is interrupted is not there, or is there without a record that fits it."""
        self._told(partial(self._put, name, content))

    def _put(self, name: str, content: bytes) -> None:
        with self._store.open_output_stream(f"{self._root}/{name}", compression=None) as stream:
            stream.write(content)

    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""
        with suppress(FileNotFoundError):
            self._told(lambda: self._store.delete_file(f"{self._root}/{name}"))

    def _told(self, do: Callable[[], _Found]) -> _Found:
        """What is done in the store; what goes wrong there in one sentence."""
        try:
            return do()
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            cause = cause_of(error)
            raise InputError(
                f"{self.address}: the object store refuses ({cause}): check address, keys and permissions, and run the "
                "command again."
            ) from error


def each_of(do: Callable[[str], None], names: Sequence[str]) -> None:
    """Do something for each of many objects, several at once."""
    if len(names) < 2:
        for name in names:
            do(name)
        return
    with ThreadPoolExecutor(min(_THREADS, len(names))) as pool:
        for _ in pool.map(do, names):
            pass


def _with_options(address: str) -> str:
    """The address with what its file system is to be told.

    In S3 an object is put as a whole, not in parts, where its size allows. Google's library would try for a quarter of
    an hour where it has no keys or no network.
    """
    is_amazon = address.lower().startswith("s3://")
    return with_option(address, "allow_delayed_open=true" if is_amazon else f"retry_limit_seconds={_GS_SECONDS}")
