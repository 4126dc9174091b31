"""A genome's letters read by another process: what it must know of the file is small and travels with the question.

A file is taken for the same only where size, inode and both times are: on the same machine, or in a shared folder. A
copy at the same path is another file, whose letters nobody has looked at.
"""

import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mirsweep.scanner.bgzip import BgzipFile, Blocks, FileState, PlainFile, SeekableFile
from mirsweep.scanner.fasta_index import FastaEntry
from mirsweep.scanner.ranges import RangedFile, RangesRefusedError
from mirsweep.scanner.remote import is_address

__all__ = ["Excerpt", "Span", "is_sound", "read_excerpt", "without_line_ends"]

_OPEN_FILES = 32


class Span(NamedTuple):
    """Letters [start, end) of a contig, 0-based half-open, of at least one letter."""

    contig: str
    start: int
    end: int


class Excerpt(NamedTuple):
    """Some contigs of a genome, as a process reads them that has not opened it.

    Attributes
    ----------
    path
        The file that is read, absolute: the genome's own or its unpacked copy; or the address of one read by ranges.
    inode, state
        What that file was when the genome was opened.
    entries
        By name the contigs: where their letters lie.
    blocks
        Of a bgzip file those blocks that hold the letters; None of a plain one.
    is_reversed
        The contigs are read backwards, see :class:`mirsweep.scanner.reversed.Reversed`.
    """

    path: str
    inode: int
    state: FileState
    entries: Mapping[str, FastaEntry]
    blocks: Blocks | None = None
    is_reversed: bool = False


def read_excerpt(excerpt: Excerpt, spans: Sequence[Span]) -> list[bytes] | None:
    """ASCII letters of spans of an excerpt's contigs, as :meth:`mirsweep.scanner.fasta.Genome.fetch` gives them.

    Returns
    -------
    None where this process does not see the very file, or cannot make sense of it: who has opened the genome can tell
    why.
    """
    try:
        file = _opened(excerpt.path)
        if not _is_same(file, excerpt):
            _opened.cache_clear()
            file = _opened(excerpt.path)
        if not _is_same(file, excerpt):
            return None
        seekable = file if excerpt.blocks is None else BgzipFile.of(file, excerpt.blocks)
        found = [letters for span in spans if (letters := _read(seekable, excerpt, span)) is not None]
        return found if len(found) == len(spans) and _is_same(file, excerpt) else None
    except (OSError, EOFError, zlib.error, RangesRefusedError):
        return None


@lru_cache(_OPEN_FILES)
def _opened(name: str) -> SeekableFile:
    return RangedFile(name) if is_address(name) else PlainFile(Path(name))


def _is_same(file: SeekableFile, excerpt: Excerpt) -> bool:
    return file.inode == excerpt.inode and file.state() == excerpt.state


def _read(file: SeekableFile, excerpt: Excerpt, span: Span) -> bytes | None:
    entry = excerpt.entries[span.contig]
    start, end = span.start, span.end
    if excerpt.is_reversed:
        start, end = entry.length - end, entry.length - start
    letters = without_line_ends(file.read(entry.byte_of(start), entry.byte_of(end - 1) + 1), entry, start, end)
    if letters is None or not is_sound(letters):
        return None
    return letters[::-1] if excerpt.is_reversed else letters


def is_sound(letters: bytes) -> bool:
    """Whether a record's letters are ASCII, with no blank and no beginning of another record among them."""
    return letters.isascii() and not any(odd in letters for odd in (b">", b" ", b"\t"))


def without_line_ends(content: bytes, entry: FastaEntry, start: int, end: int) -> bytes | None:
    """Letters [start, end) of a record; None if a line does not end where the entry says, or another record begins."""
    n_ends = (end - 1) // entry.line_letters - start // entry.line_letters
    line_end = b"\r\n"[2 - (entry.line_bytes - entry.line_letters) :]
    if n_ends:
        first = entry.line_letters - start % entry.line_letters
        for k, code in enumerate(line_end):
            if content[first + k :: entry.line_bytes] != bytes([code]) * n_ends:
                return None
    letters = content.replace(line_end, b"") if n_ends else content
    if len(letters) != end - start or b"\r" in letters or b"\n" in letters:
        return None
    if b">" in letters:  # one letter is looked for 20 times as fast as two
        begins_record = start % entry.line_letters == 0 and content.startswith(b">")
        return None if begins_record or b"\n>" in content else letters
    return letters
