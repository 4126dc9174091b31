"""Genomes at an address that need no copy: large, plain or bgzip, with an index beside them, on a server of ranges."""

import hashlib
import struct
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from mirsweep.regular import read_regular
from mirsweep.scanner.bgzip import BgzipFile, Blocks, NotBgzipError, SeekableFile, is_bgzip
from mirsweep.scanner.containers import compression_of, name_path
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fai import IndexedFile, read_fai
from mirsweep.scanner.fasta_index import FastaEntry, describes
from mirsweep.scanner.ranges import RangedFile, RangesRefusedError
from mirsweep.scanner.remote import copy_of, is_copied

__all__ = ["open_by_ranges"]

_LEAST_BYTES = 1 << 24
"""A smaller file is copied: that is done in a second."""
_HEAD_BYTES = 64
_MOST_BLOCK_BYTES = 1 << 16
Check = Callable[[list[FastaEntry], SeekableFile], None]


def open_by_ranges(address: str, *, check: Check) -> IndexedFile | None:
    """A genome at an address, to be read by ranges; None where it must be copied.

    Parameters
    ----------
    check
        Raises if the records cannot be used.
    """
    parts = urlsplit(address)
    is_store = parts.scheme.lower() in ("s3", "gs")
    if "@" in parts.netloc or not (is_store or parts.scheme.lower() in ("http", "https")):
        return None
    if parts.query and not is_store:
        return None  # a signed address is that of one file, not of its index
    try:
        file = RangedFile(address)
        if file.size <= _LEAST_BYTES or is_copied(address, file.words):
            return None
        name_path(file.path, address)
        return _indexed(file, check)
    except (OSError, EOFError, zlib.error, InputError, NotBgzipError, RangesRefusedError):
        return None  # whatever is wrong shows in the copy, and is told of that


def _indexed(file: RangedFile, check: Check) -> IndexedFile | None:
    head = file.read(0, _HEAD_BYTES)
    if is_bgzip(head):
        blocks, index = _read_gzi(_index_of(file.name, ".gzi"))
        opened: SeekableFile = BgzipFile.known(file, blocks)
    elif compression_of(head) is None:
        opened, index = file, b""
    else:
        return None
    fai = _index_of(file.name, ".fai")
    entries = read_fai(fai)
    if entries is None:
        return None
    digest = hashlib.sha256(index + read_regular(fai)).hexdigest()[:24]
    kept = file.folder / f"digest-{digest}" if file.folder else None
    if kept is None or not kept.exists():  # else all of it was looked at before
        if not describes(entries, opened):
            return None
        check(entries, opened)
    return IndexedFile(opened, entries, kept_digest=kept)


def _index_of(address: str, suffix: str) -> Path:
    """The copy of an index that stands beside a file."""
    path, mark, options = address.partition("?")
    return copy_of(f"{path}{suffix}{mark}{options}")


def _read_gzi(path: Path) -> tuple[Blocks, bytes]:
    """Where blocks begin, by an index as ``bgzip -i`` and ``samtools faidx`` write it; and its content.

    Raises
    ------
    OSError
        If it is no such index.
    """
    content = read_regular(path)
    n = int.from_bytes(content[:8], "little")
    if len(content) != 8 + 16 * n:
        raise OSError("no index of bgzip")
    numbers = struct.unpack(f"<{2 * n}Q", content[8:])
    packed, unpacked = [0, *numbers[::2]], [0, *numbers[1::2]]
    is_sound = all(a < b for a, b in pairwise(packed)) and all(
        0 <= b - a <= _MOST_BLOCK_BYTES for a, b in pairwise(unpacked)
    )
    if not is_sound:
        raise OSError("no index of bgzip")
    return Blocks(packed, unpacked), content
