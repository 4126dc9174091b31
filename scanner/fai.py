"""Index files (.fai): reading and writing them, which one is believed, and where a new one goes.

An index is believed when it describes the file. What mirsweep did not make is never overwritten or removed: the cache
folder remembers what it made beside users' files, and takes an index that finds no place there.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mirsweep.regular import read_regular
from mirsweep.scanner.bgzip import SeekableFile
from mirsweep.scanner.fasta_index import FastaEntry, count_headers, describes, make_entries
from mirsweep.scanner.unpacked import private_cache

__all__ = ["IndexedFile", "open_indexed", "read_fai", "write_fai"]

_SMALL_BYTES = 1 << 24
"""The index of a smaller file is made anew each time (16 MiB: 0.03 s), so that nothing about it can be wrong."""


class IndexedFile(NamedTuple):
    """A file open for random access, where its records lie, and the .fai that says so, if it was read from one.

    ``kept_digest`` is where the cache keeps the digest of a file at an address in its present state.
    """

    file: SeekableFile
    entries: list[FastaEntry]
    fai: Path | None = None
    kept_digest: Path | None = None


def open_indexed(
    file: SeekableFile,
    path: Path,
    *,
    check: Callable[[list[FastaEntry], SeekableFile], None],
    beside: Path | None = None,
    cached: Path | None = None,
) -> IndexedFile:
    """The file with its index: one that is there and describes the file, else one made now and kept if it can be.

    Parameters
    ----------
    path
        The file's name, for messages.
    check
        Raises if the records cannot be used; then no index is written.
    beside
        Where an index belongs; one that is there stays, right or wrong, unless mirsweep made it.
    cached
        Where it goes if that place is taken or cannot be written.

    Raises
    ------
    UnevenLinesError
        If no index can describe the file.
    InputError
        If the file is not FASTA. The file is closed, as after all errors.
    """
    is_small = file.size <= _SMALL_BYTES
    try:
        for place in (beside, cached) if not is_small else ():
            entries = read_fai(place) if place else None
            if place and entries and _is_true(entries, place, file):
                check(entries, file)
                return IndexedFile(file, entries, place)
        entries = make_entries(file.chunks(), path)
        check(entries, file)
    except BaseException:
        file.close()
        raise
    if not (beside and _keep_beside(entries, beside)) and cached and not is_small:
        with suppress(OSError):  # an index that finds no place is no reason not to scan
            cached.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_fai(cached, entries, overwrite=True)
    return IndexedFile(file, entries)


def _is_true(entries: list[FastaEntry], fai: Path, file: SeekableFile) -> bool:
    """Whether an index is that of the file; one that is older must have the right number of headers, too."""
    if not describes(entries, file):
        return False
    return _changed_ns(fai) > file.opened.changed_ns or count_headers(file.chunks()) == len(entries)


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_ctime_ns
    except OSError:
        return 0


def _keep_beside(entries: list[FastaEntry], fai: Path) -> bool:
    """Write an index beside its file, where there is none or an old one of mirsweep's own; whether it is there now."""
    content = _content_of(entries)
    try:
        there = read_regular(fai) if os.path.lexists(fai) else None
        if there == content:
            return True
        mark = _mark_of(fai)
        is_own = there is not None and _holds(mark, there)
        if there is not None and not is_own:
            return False
        write_fai(fai, entries, overwrite=is_own)
        if mark:
            _write(mark, hashlib.sha256(content).hexdigest().encode(), overwrite=True)
    except OSError:
        return False
    return True


def _holds(mark: Path | None, content: bytes) -> bool:
    """Whether mirsweep noted that it made this content."""
    return mark is not None and mark.exists() and read_regular(mark) == hashlib.sha256(content).hexdigest().encode()


def _mark_of(fai: Path) -> Path | None:
    """Where the cache keeps the digest of the index that mirsweep made at a place; None without a cache."""
    try:
        root = private_cache()
        if root is None:
            return None
        folder = root / "made"
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    return folder / hashlib.sha256(os.fsencode(fai.resolve())).hexdigest()[:24]


def read_fai(path: Path) -> list[FastaEntry] | None:
    """The entries of a .fai as they stand there; None if there is none or it is malformed."""
    try:
        lines = read_regular(path).splitlines()
        entries = [FastaEntry(name, *map(int, numbers)) for name, *numbers in (line.split(b"\t") for line in lines)]
    except (OSError, ValueError, TypeError):
        return None
    return entries or None


def write_fai(path: Path, entries: Iterable[FastaEntry], *, overwrite: bool = False) -> None:
    """Write a .fai, as a whole or not at all; one that is there stays unless it is to be overwritten.

    Raises
    ------
    OSError
        If the place cannot be written.
    """
    _write(path, _content_of(entries), overwrite=overwrite)


def _content_of(entries: Iterable[FastaEntry]) -> bytes:
    return b"".join(b"%b\t%d\t%d\t%d\t%d\n" % entry for entry in entries)


def _write(path: Path, content: bytes, *, overwrite: bool) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as stream:
            stream.write(content)
        if overwrite:
            os.replace(temporary, path)
        else:
            _rename_to_new(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _rename_to_new(temporary: Path, path: Path) -> None:
    """Rename a file unless the name is taken."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        if not os.path.lexists(path):
            os.replace(temporary, path)
