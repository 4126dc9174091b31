"""Files of the web and of object stores that are read by ranges of bytes, not copied: large FASTA with an index.

Blocks that were fetched are kept in the cache, for all processes of a node, up to a bound.
"""

import errno
import hashlib
import shutil
import time
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from mirsweep.cache import kept_folder, written_whole
from mirsweep.scanner.bgzip import Blocks, FileState
from mirsweep.scanner.errors import cause_of
from mirsweep.scanner.remote import open_store, stored_state, web_state

__all__ = ["RangedFile", "RangesRefusedError", "remote_file"]

_WEB = ("http://", "https://")
_SECONDS = 60
_TRIES = 3
_BLOCK_BYTES = 1 << 22
_MOST_KEPT_BYTES = 2 << 30
"""Of all blocks that a node keeps on its disk."""
_IN_MEMORY = 8
"""Blocks of all files."""
_LOOK_SECONDS = 5.0
"""For so long what was told of a file's state is taken for true; with each block that is fetched it is looked at."""
_Found = TypeVar("_Found")


_MEMORY: OrderedDict[tuple[str, FileState, int], bytes] = OrderedDict()


class RangesRefusedError(Exception):
    """A server that gives whole files only."""


class State(NamedTuple):
    """What tells the content of a file from another one, in the server's words, and its size, bytes."""

    words: str
    size: int


class _Remote(Protocol):
    """A file somewhere else."""

    def state(self) -> State:
        """Its state now."""

    def fetch(self, start: int, end: int) -> tuple[bytes, State]:
        """Bytes [start, end), and the state of the file that they are of."""


class _OfWeb:
    """A file of a web server."""

    def __init__(self, address: str) -> None:
        self._address = address

    def state(self) -> State:
        return self.fetch(0, 1)[1]

    def fetch(self, start: int, end: int) -> tuple[bytes, State]:
        headers = {"User-Agent": "mirsweep", "Accept-Encoding": "identity", "Range": f"bytes={start}-{end - 1}"}
        with urllib.request.urlopen(urllib.request.Request(self._address, headers=headers), timeout=_SECONDS) as answer:
            told, _, size = (answer.headers.get("Content-Range") or "").rpartition("/")
            if answer.status != 206 or told != f"bytes {start}-{end - 1}" or not size.isdigit():
                raise RangesRefusedError
            content = answer.read()
            return content, State(web_state(answer.headers, size), int(size))


class _OfStore:
    """A file of an object store."""

    def __init__(self, address: str) -> None:
        self._store, self._path = open_store(address)

    def state(self) -> State:
        return State(*stored_state(self._store, self._path))

    def fetch(self, start: int, end: int) -> tuple[bytes, State]:
        with self._store.open_input_file(self._path) as file:
            content = file.read_at(end - start, start)
        return content, self.state()


def remote_file(address: str) -> _Remote:
    """A file at an address, as a whole or by ranges."""
    return _OfWeb(address) if address.lower().startswith(_WEB) else _OfStore(address)


class RangedFile:
    """A file at an address, read by ranges; see :class:`mirsweep.scanner.bgzip.SeekableFile`.

    Raises
    ------
    OSError
        If it cannot be reached.
    RangesRefusedError
        If its server gives whole files only.
    """

    inode = 0

    @property
    def words(self) -> str:
        """What the server told of its state when it was opened."""
        return self._opened.words

    def __init__(self, address: str) -> None:
        self.name, self.path = address, Path(address)
        self._remote = self._tried(lambda: remote_file(address))
        self._opened = self._tried(lambda: self._remote.fetch(0, 1))[1]
        self.size, self.opened = self._opened.size, _file_state(self._opened)
        self._looked, self._now = time.monotonic(), self.opened
        self.folder = _folder(address, self._opened)

    def state(self) -> FileState:
        """Its state, as it was some seconds ago at most."""
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._note(self._tried(self._remote.state))
        return self._now

    def read(self, start: int, end: int) -> bytes:
        """Bytes [start, end), fewer at the file's end."""
        end = min(end, self.size)
        if start >= end:
            return b""
        if self._now != self.opened:
            raise self._changed()
        first, last = start // _BLOCK_BYTES, (end - 1) // _BLOCK_BYTES
        content = b"".join(map(self._block, range(first, last + 1)))
        return content[start - first * _BLOCK_BYTES : end - first * _BLOCK_BYTES]

    def blocks_of(self, ranges: Iterable[tuple[int, int]]) -> Blocks | None:
        """None: these are the file's own bytes."""

    def chunks(self) -> Iterator[bytes]:
        """All bytes, some MiB at a time."""
        for start in range(0, self.size, _BLOCK_BYTES):
            yield self.read(start, start + _BLOCK_BYTES)

    def close(self) -> None:
        """Nothing is open between two reads."""

    def _note(self, state: State) -> None:
        self._looked, self._now = time.monotonic(), _file_state(state)

    def _block(self, number: int) -> bytes:
        key = self.name, self.opened, number
        content = _MEMORY.pop(key, None) or self._kept(number)
        if content is None:
            content = self._fetched(number)
        _MEMORY[key] = content
        while len(_MEMORY) > _IN_MEMORY:
            _MEMORY.popitem(last=False)
        return content

    def _bounds(self, number: int) -> tuple[int, int]:
        return number * _BLOCK_BYTES, min((number + 1) * _BLOCK_BYTES, self.size)

    def _kept(self, number: int) -> bytes | None:
        """A block that the cache has."""
        if self.folder is None:
            return None
        start, end = self._bounds(number)
        with suppress(OSError):
            content = (self.folder / f"{number:06d}").read_bytes()
            return content if len(content) == end - start else None
        return None

    def _fetched(self, number: int) -> bytes:
        start, end = self._bounds(number)

        def fetch() -> bytes:
            content, state = self._remote.fetch(start, end)
            self._note(state)
            if state != self._opened:
                raise self._changed()
            if len(content) != end - start:
                raise OSError(f"the connection ended after {len(content)} of {end - start} bytes")
            return content

        content = self._tried(fetch)
        if self.folder is not None:
            with suppress(OSError):
                _keep(self.folder / f"{number:06d}", content)
        return content

    def _changed(self) -> OSError:
        return OSError(errno.ESTALE, "the file there has changed", self.name)

    def _tried(self, do: Callable[[], _Found]) -> _Found:
        """What is asked of the server, again where it does not answer."""
        for left in reversed(range(_TRIES)):
            try:
                return do()
            except (OSError, HTTPException, ValueError) as error:
                is_final = getattr(error, "code", 500) < 500 or getattr(error, "errno", None) == errno.ESTALE
                if not left or is_final or isinstance(error, FileNotFoundError | ValueError):
                    raise _with_reason(error, self.name) from error
                time.sleep(0.2 * (_TRIES - left))
        raise AssertionError  # the last try returns or raises


def _with_reason(error: Exception, address: str) -> OSError:
    if isinstance(error, OSError) and error.errno == errno.ESTALE:
        return error
    return OSError(errno.EIO, cause_of(error, type(error).__name__), address)


def _file_state(state: State) -> FileState:
    digest = hashlib.sha256(state.words.encode()).digest()
    return FileState(state.size, int.from_bytes(digest[:7], "big"), 0)


def _folder(address: str, state: State) -> Path | None:
    """Where blocks of a file in its present state are kept, those of former states being removed; None for no cache."""
    try:
        root = kept_folder("blocks")
        here = root / hashlib.sha256(address.encode()).hexdigest()[:24]
        folder = here / hashlib.sha256(state.words.encode()).hexdigest()[:24]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for former in here.iterdir():
            if former != folder:
                shutil.rmtree(former, ignore_errors=True)
    except OSError:
        return None
    return folder


def _keep(path: Path, content: bytes) -> None:
    """Write a block, complete or not at all; the oldest ones go where there are too many."""
    with written_whole(path) as out:
        out.write(content)
    _make_room(path.parent.parent.parent)


def _make_room(root: Path) -> None:
    found = []
    for path in root.glob("*/*/*"):
        with suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size, path))
    left = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if left <= _MOST_KEPT_BYTES:
            return
        path.unlink(missing_ok=True)
        left -= size
