"""Files read at any place: plain ones, and bgzip ones by their blocks.

The blocks of a bgzip file are found by walking over their headers, which takes some microseconds a block (64 KiB), so
that no .gzi is needed, and none is believed.
"""

import os
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Protocol

from mirsweep.cores import n_cores
from mirsweep.scanner.errors import InputError

__all__ = ["BgzipFile", "Blocks", "FileState", "NotBgzipError", "PlainFile", "SeekableFile", "is_bgzip"]

_CHUNK_BYTES = 1 << 23
_HEADER_BYTES = 18
_BLOCK_BYTES = 1 << 16
"""Most bytes of a block, packed and unpacked."""
_MANY_BLOCKS = 64
"""So many at once are unpacked on all cores: more than a shard has."""


class FileState(NamedTuple):
    """What differs once a file was written to.

    Attributes
    ----------
    size
        Number of bytes on the disk.
    modified_ns
        When its content last changed (mtime); programs can set it back.
    changed_ns
        When its content, name or owner last changed (ctime); no program sets it back.
    """

    size: int
    modified_ns: int
    changed_ns: int


class Blocks(NamedTuple):
    """Where blocks of a bgzip file begin, packed and unpacked, in ascending order; the last is the end of another."""

    packed: list[int]
    unpacked: list[int]


class SeekableFile(Protocol):
    """A file whose bytes can be read from any place.

    Attributes
    ----------
    name
        What another process opens it by: its path, absolute, or its address.
    path
        Its path, absolute; of a file at an address no more than a name for messages.
    inode
        Its number in its file system.
    size
        Number of its bytes, unpacked.
    opened
        Its state when it was opened.
    """

    name: str
    path: Path
    inode: int
    size: int
    opened: FileState

    def state(self) -> FileState:
        """Its state now."""

    def read(self, start: int, end: int) -> bytes:
        """Bytes [start, end), fewer at the file's end."""

    def blocks_of(self, ranges: Iterable[tuple[int, int]]) -> Blocks | None:
        """Of a bgzip file those blocks that hold the bytes of these ranges [start, end); None of a plain one."""

    def chunks(self) -> Iterator[bytes]:
        """All bytes, some MiB at a time."""

    def close(self) -> None:
        """Close the file."""


class PlainFile:
    """A file that is not packed."""

    _handle: int | None = None

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        self.name = str(self.path)
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.inode = os.fstat(self._handle).st_ino
        self.opened = self.state()
        self.size = self.opened.size

    def state(self) -> FileState:
        """Its state now."""
        status = os.fstat(self._open_handle())
        return FileState(status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def _open_handle(self) -> int:
        if self._handle is None:
            raise ValueError("the file is closed")
        return self._handle

    def read(self, start: int, end: int) -> bytes:
        """Bytes [start, end), fewer at the file's end."""
        handle, pieces = self._open_handle(), []
        while start < end and (piece := os.pread(handle, end - start, start)):
            pieces.append(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def blocks_of(self, ranges: Iterable[tuple[int, int]]) -> Blocks | None:
        """None: it has no blocks."""

    def chunks(self) -> Iterator[bytes]:
        """All bytes, some MiB at a time."""
        return _chunks(self)

    def close(self) -> None:
        """Close the file."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def __del__(self) -> None:
        self.close()


class BgzipFile:
    """A file of BGZF blocks (SAM specification, section 4.1).

    Raises
    ------
    InputError
        If the file is cut off.
    NotBgzipError
        If what follows a block is another kind of gzip.
    """

    def __init__(self, path: Path) -> None:
        file = PlainFile(path)
        try:
            self._set(file, _block_starts(file, path))
        except BaseException:
            file.close()
            raise

    @classmethod
    def of(cls, file: SeekableFile, blocks: Blocks) -> "BgzipFile":
        """A view of an open file of which only some blocks are known; bytes of others cannot be read."""
        view = cls.__new__(cls)
        view._set(file, blocks)
        return view

    @classmethod
    def known(cls, file: SeekableFile, blocks: Blocks) -> "BgzipFile":
        """An open file of which an index tells where its blocks begin; the last ones, which it may lack, are looked at.

        Raises
        ------
        InputError, NotBgzipError
            If the last block that is told of does not lead to the end of the file.
        """
        return cls.of(file, _block_starts(file, file.path, blocks))

    def _set(self, file: SeekableFile, blocks: Blocks) -> None:
        self._file, (self._packed, self._unpacked) = file, blocks
        self.name, self.path, self.inode, self.opened = file.name, file.path, file.inode, file.opened
        self.size = self._unpacked[-1]
        self._last: tuple[int, bytes] = (-1, b"")

    def state(self) -> FileState:
        """Its state now; what was kept of another state is forgotten."""
        state = self._file.state()
        if state != self.opened:
            self._last = (-1, b"")
        return state

    def read(self, start: int, end: int) -> bytes:
        """Bytes [start, end), fewer at the file's end."""
        end = min(end, self.size)
        if start >= end:
            return b""
        first, last = bisect_right(self._unpacked, start) - 1, bisect_right(self._unpacked, end - 1) - 1
        if first == last:
            at = self._unpacked[first]
            return self._block(first)[start - at : end - at]
        origin, blocks = self._packed[first], self._packed[first : last + 2]
        packed = memoryview(self._file.read(origin, blocks[-1]))
        sizes = [b - a for a, b in pairwise(self._unpacked[first : last + 2])]
        pieces = _unpack_all([packed[a - origin : b - origin] for a, b in pairwise(blocks)], sizes)
        pieces[-1] = pieces[-1][: end - self._unpacked[last]]
        pieces[0] = pieces[0][start - self._unpacked[first] :]
        return b"".join(pieces)

    def blocks_of(self, ranges: Iterable[tuple[int, int]]) -> Blocks | None:
        """Those blocks that hold the bytes of these ranges [start, end), and where the last of each ends."""
        wanted: set[int] = set()
        for start, end in ranges:
            wanted.update(range(bisect_right(self._unpacked, start) - 1, bisect_right(self._unpacked, end - 1) + 1))
        numbers = sorted(wanted)
        return Blocks([self._packed[k] for k in numbers], [self._unpacked[k] for k in numbers])

    def _block(self, number: int) -> bytes:
        kept, content = self._last
        if kept != number:
            packed = self._file.read(self._packed[number], self._packed[number + 1])
            content = _unpack(packed, self._unpacked[number + 1] - self._unpacked[number])
            self._last = number, content
        return content

    def chunks(self) -> Iterator[bytes]:
        """All bytes, some MiB at a time."""
        return _chunks(self)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class NotBgzipError(Exception):
    """A gzip file that is not all of BGZF blocks."""


def _unpack_all(blocks: Sequence[memoryview], sizes: Sequence[int]) -> list[bytes]:
    """The contents of several blocks; of many on all cores."""
    if len(blocks) < _MANY_BLOCKS:
        return list(map(_unpack, blocks, sizes))
    with ThreadPoolExecutor(n_cores()) as pool:  # zlib works without the interpreter lock
        return list(pool.map(_unpack, blocks, sizes))


def _unpack(block: bytes | memoryview, size: int) -> bytes:
    """The content of a block, whose size is known; one that would unpack to more is not unpacked further."""
    unpacker = zlib.decompressobj(wbits=31)
    content = unpacker.decompress(block, size + 1)
    if len(content) != size or not unpacker.eof or unpacker.unused_data:
        raise zlib.error("a block of bgzip has another size than it tells")
    return content


def _chunks(file: SeekableFile) -> Iterator[bytes]:
    for start in range(0, file.size, _CHUNK_BYTES):
        yield file.read(start, start + _CHUNK_BYTES)


def is_bgzip(head: bytes) -> bool:
    """Whether a file begins with a BGZF block, which carries its size in an extra field named BC."""
    return head[:4] == b"\x1f\x8b\x08\x04" and head[12:16] == b"BC\x02\x00"


def _block_starts(file: SeekableFile, path: Path, known: Blocks | None = None) -> Blocks:
    """Where each block begins, packed and unpacked, and where the last one ends; ``known`` tells of the first ones."""
    packed, unpacked = (list(known.packed), list(known.unpacked)) if known else ([0], [0])
    at, length = packed[-1], -1
    header = file.read(at, at + _HEADER_BYTES)
    while header:
        if not is_bgzip(header):
            raise NotBgzipError
        size = int.from_bytes(header[16:18], "little") + 1
        at += size
        if at > file.size:
            break
        tail_and_header = file.read(at - 4, at + _HEADER_BYTES)
        length = int.from_bytes(tail_and_header[:4], "little")
        if size <= _HEADER_BYTES or length > _BLOCK_BYTES:
            raise InputError(f"{path}: the bgzip data are damaged (a block of impossible size); fetch the file again.")
        packed.append(at)
        unpacked.append(unpacked[-1] + length)
        header = tail_and_header[4:]
    if at > file.size or length != 0:
        raise InputError(
            f"{path}: the bgzip data are cut off (no mark at their end); fetch the file again. If it is whole, pack it "
            "anew: gzip -dc FILE | bgzip."
        )
    return Blocks(packed, unpacked)
