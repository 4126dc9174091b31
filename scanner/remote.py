"""Genomes at an address, of the web or in an object store: copied once into the cache, and read from there."""

import hashlib
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple
from urllib.parse import unquote, urlsplit

from mirsweep.cache import UnsafeFolderError, kept_folder, locked, written_whole
from mirsweep.scanner.containers import name_path
from mirsweep.scanner.errors import InputError, cause_of

if TYPE_CHECKING:
    from pyarrow import fs

__all__ = [
    "copy_of",
    "file_name",
    "is_address",
    "is_copied",
    "open_store",
    "stored_state",
    "web_state",
    "with_option",
]

_WEB, _STORES = ("http", "https", "ftp"), ("s3", "gs")
_ADDRESS = re.compile(rf"({'|'.join((*_WEB, *_STORES))})://", re.ASCII | re.IGNORECASE)
_SECONDS = 60
_TRIES = 3
_RETRY_LIMIT = "retry_limit_seconds=5"
"""For ``gs://``: without keys or network Google's library would try for a quarter of an hour, each time."""


def is_address(path: str | os.PathLike[str]) -> bool:
    """Whether a genome is at an address, rather than a file.

    >>> is_address("s3://bucket/genome.fa"), is_address("genome.fa")
    (True, False)
    """
    return _ADDRESS.match(os.fspath(path)) is not None


def file_name(address: str) -> str:
    """The name of the file at an address, without what could be a folder.

    >>> file_name("https://my.org/a/genome.fa.gz?x=1")
    'genome.fa.gz'
    """
    name = unquote(urlsplit(address).path).rsplit("/", 1)[-1]
    return re.sub(r"[^\w.+-]", "_", name).lstrip(".") or "genome"


class _Remote(NamedTuple):
    """A file at an address: what tells its content from another one, its size if that is known, and how to open it."""

    state: str
    size: int | None
    open: Callable[[], BinaryIO]


def copy_of(address: str) -> Path:
    """The copy of a file, made if there is none of its present state; former ones are removed.

    Raises
    ------
    InputError
        If the address has a password, cannot be reached or read, or there is no cache to copy into.
    """
    if "@" in urlsplit(address).netloc:
        raise InputError("an address with a name or password in it is not read: these belong into the environment.")
    for left in reversed(range(_TRIES)):
        try:
            return _copy(address)
        except (OSError, ValueError) as error:
            if not left or (isinstance(error, urllib.error.HTTPError) and error.code < 500):
                cause = cause_of(error, type(error).__name__)
                raise InputError(
                    f"{address}: cannot be read ({cause}): check the address and its permissions."
                ) from error
    raise AssertionError  # the last try returns or raises


def _copy(address: str) -> Path:
    with _opened(address) as remote:
        place = _place(address, remote.state)
        folder = place.parent.parent
        with locked(folder):
            if not place.exists():
                for former in folder.iterdir():
                    if former.is_dir():
                        shutil.rmtree(former, ignore_errors=True)
                place.parent.mkdir(mode=0o700)
                _download(remote, place)
        name_path(place, address)
        return place


def is_copied(address: str, state: str) -> bool:
    """Whether there is a copy of a file in this state already."""
    try:
        return _place(address, state).exists()
    except InputError:
        return False


def _place(address: str, state: str) -> Path:
    return _folder(address) / hashlib.sha256(state.encode()).hexdigest()[:24] / file_name(address)


def _folder(address: str) -> Path:
    try:
        folder = kept_folder("remote") / hashlib.sha256(address.encode()).hexdigest()[:24]
    except UnsafeFolderError as error:
        raise InputError(f"{address}: {error}; it cannot be copied into the cache: set MIRSWEEP_CACHE.") from error
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _download(remote: _Remote, place: Path) -> None:
    with written_whole(place) as out:
        with remote.open() as stream:
            shutil.copyfileobj(stream, out, 1 << 20)
        if remote.size not in (None, n_copied := out.tell()):
            raise OSError(f"the connection ended after {n_copied} of {remote.size} bytes")


@contextmanager
def _opened(address: str) -> Iterator[_Remote]:
    if urlsplit(address).scheme.lower() in _WEB:
        request = urllib.request.Request(address, headers={"User-Agent": "mirsweep", "Accept-Encoding": "identity"})
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            size = answer.headers.get("Content-Length") or ""
            yield _Remote(web_state(answer.headers, size), int(size) if size else None, lambda: answer)
    else:
        yield _in_store(address)


def _in_store(address: str) -> _Remote:
    store, path = open_store(address)
    state, size = stored_state(store, path)
    return _Remote(state, size, lambda: store.open_input_stream(path, compression=None))


def open_store(address: str) -> tuple["fs.FileSystem", str]:
    """The object store of an address, and the path of the object in it."""
    from pyarrow import fs

    is_google = address.lower().startswith("gs://")
    return fs.FileSystem.from_uri(with_option(address, _RETRY_LIMIT) if is_google else address)


def with_option(address: str, option: str) -> str:
    """An address with something more that its file system is told.

    >>> with_option("gs://bucket/x?scheme=http", "a=1")
    'gs://bucket/x?scheme=http&a=1'
    """
    return f"{address}{'&' if '?' in address else '?'}{option}"


def web_state(headers: Message, size: str) -> str:
    """What a server tells of a file that tells its content from another one, whether it gave all or a range of it."""
    return "\0".join([*(headers.get(name) or "" for name in ("ETag", "Last-Modified")), size])


def stored_state(store: "fs.FileSystem", path: str) -> tuple[str, int]:
    """The same of an object in a store, and its size, bytes.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    from pyarrow import fs

    info = store.get_file_info(path)
    if info.type != fs.FileType.File:
        raise FileNotFoundError("there is no such object")
    return f"{info.size}\0{info.mtime_ns}", info.size
