"""Where the records of a FASTA file lie: making an index, and telling whether one describes the file.

An index (.fai) says, for each record, its length, where its letters begin, and how many letters and bytes its lines
have; all lines of a record but the last have the same length. Names are kept as bytes, as they stand in the file.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mirsweep.scanner.bgzip import SeekableFile
from mirsweep.scanner.containers import label_of
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.text import BYTE_ORDER_MARK

__all__ = ["FastaEntry", "UnevenLinesError", "count_headers", "describes", "make_entries"]

_LF, _CR, _HEADER, _COMMENT = b"\n\r>;"
_WINDOW_BYTES = 1 << 16
_LONGEST_GAP = 1 << 20
"""Most bytes that a header and the blank lines before it may have in an index that is believed."""


class FastaEntry(NamedTuple):
    """A line of a .fai: a record's name, length in nt, first byte, and the letters and bytes of each of its lines."""

    name: bytes
    length: int
    offset: int
    line_letters: int
    line_bytes: int

    def byte_of(self, position: int) -> int:
        """Where in the file a letter stands, 0-based."""
        lines, rest = divmod(position, self.line_letters)
        return self.offset + lines * self.line_bytes + rest

    @property
    def end(self) -> int:
        """The byte after the last letter."""
        return self.byte_of(self.length - 1) + 1 if self.length else self.offset


class UnevenLinesError(Exception):
    """A record's lines differ in length, so that no index describes them: copy the file with even ones."""


def make_entries(chunks: Iterable[bytes], path: Path) -> list[FastaEntry]:
    """The index of a FASTA file.

    Parameters
    ----------
    chunks
        All bytes of the file.
    path
        Its name, for messages.

    Raises
    ------
    UnevenLinesError
        If blank lines, comments, lone carriage returns or lines of uneven length stand within a record.
    InputError
        If the file is not FASTA, or a header has no id.
    """
    maker = _Maker(path)
    for block in _whole_lines(chunks):
        maker.feed(block)
    return maker.finish()


def _whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks that end where a line does; a line may be longer than a chunk."""
    waiting: list[bytes] = []
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if not end and 0 <= chunk.find(b"\r") < len(chunk) - 1:
            raise UnevenLinesError  # lines that end in carriage returns: never all of them at once
        if end:
            yield b"".join([*waiting, chunk[:end]])
            waiting.clear()
        if end < len(chunk):
            waiting.append(chunk[end:])
    if waiting:
        yield b"".join(waiting)


class _Lines(NamedTuple):
    """Lines of a block, one element a line: first byte, letters without its end, bytes with it, whether a header."""

    starts: np.ndarray
    letters: np.ndarray
    widths: np.ndarray
    is_header: np.ndarray

    def without_first(self, n: int) -> "_Lines":
        return _Lines(*(column[n:] for column in self))


def _lines_of(block: bytes) -> _Lines:
    codes = np.frombuffer(block, np.uint8)
    is_whole = block.endswith(b"\n")
    ends = np.flatnonzero(codes == _LF)
    if not is_whole:
        ends = np.append(ends, len(block))
    starts = np.concatenate(([0], ends[:-1] + 1))
    letters = ends - starts
    widths = letters + 1
    if b"\r" in block:
        letters = letters - ((codes[np.maximum(ends - 1, 0)] == _CR) & (letters > 0))
    if not is_whole:
        widths[-1] -= 1
    return _Lines(starts, letters, widths, codes[starts] == _HEADER)


class _Maker:
    """Makes entries of blocks of whole lines; a record may go on in the next block."""

    def __init__(self, path: Path) -> None:
        self.entries: list[FastaEntry] = []
        self._path = path
        self._size = self._n_lines = 0
        self._open: FastaEntry | None = None  # the record in progress
        self._may_go_on = True  # not after a shorter or a blank line

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        if block.count(b"\r") != block.count(b"\r\n"):
            raise UnevenLinesError
        skipped = len(BYTE_ORDER_MARK) if not self._size and block.startswith(BYTE_ORDER_MARK) else 0
        self._size += skipped
        block = block[skipped:]
        lines = _lines_of(block) if block else _Lines(*(np.zeros(0, np.int64),) * 3, np.zeros(0, bool))
        n_before = self._n_before_first_record(block, lines)
        self._n_lines += n_before
        self._take(block, lines.without_first(n_before))
        self._n_lines += len(lines.starts) - n_before
        self._size += len(block)

    def _n_before_first_record(self, block: bytes, lines: _Lines) -> int:
        """How many blank lines and comments stand before the first record of the file."""
        if self._open:
            return 0
        n = int(lines.is_header.argmax()) if lines.is_header.any() else len(lines.starts)
        for start, letters in zip(lines.starts[:n].tolist(), lines.letters[:n].tolist(), strict=True):
            if letters and block[start] != _COMMENT:
                raise InputError(
                    f"{label_of(self._path)}: not a well-formed FASTA file: its first line does not start with '>'."
                )
        return n

    def _take(self, block: bytes, lines: _Lines) -> None:
        """Add lines to the record in progress (number 0 here) and to those that begin among them."""
        headers = np.flatnonzero(lines.is_header)
        record = np.cumsum(lines.is_header)
        filled = np.flatnonzero(~lines.is_header & (lines.letters > 0))
        shape = self._shape(lines, record, filled, len(headers) + 1)
        self._check_even(block, lines, record, filled, shape)
        lengths = np.bincount(record[filled], lines.letters[filled], minlength=len(headers) + 1).astype(np.int64)
        if self._open:
            self._open = self._open._replace(
                length=self._open.length + int(lengths[0]), line_letters=int(shape[0, 0]), line_bytes=int(shape[1, 0])
            )
        facts = np.stack([lengths, *shape])[:, 1:].T.tolist()
        for line, (length, line_letters, line_bytes) in zip(headers.tolist(), facts, strict=True):
            start = int(lines.starts[line])
            end = start + int(lines.letters[line])
            name = self._name_of(block[start:end], line)
            self._close_record()
            offset = self._size + start + int(lines.widths[line])
            self._open = FastaEntry(name, length, offset, line_letters, line_bytes)

    def _shape(self, lines: _Lines, record: np.ndarray, filled: np.ndarray, n: int) -> np.ndarray:
        """Letters and bytes of the first line of each record, shape (2, n); 0 where it has none yet."""
        shape = np.zeros((2, n), np.int64)
        numbers, first = np.unique(record[filled], return_index=True)
        shape[:, numbers] = lines.letters[filled[first]], lines.widths[filled[first]]
        if self._open and self._open.line_letters:
            shape[:, 0] = self._open.line_letters, self._open.line_bytes
        return shape

    def _check_even(
        self, block: bytes, lines: _Lines, record: np.ndarray, filled: np.ndarray, shape: np.ndarray
    ) -> None:
        """Make sure that only the last line of a record is shorter, and that nothing but letters stands within it."""
        if len(lines.starts) == 0:
            return
        codes = np.frombuffer(block, np.uint8)
        number, letters, widths = record[filled], lines.letters[filled], lines.widths[filled]
        is_last = np.append(number[1:] != number[:-1], True)[: len(number)]
        line_letters, line_bytes = shape[:, number]
        is_shorter = (letters < line_letters) & is_last
        has_same_end = widths - letters == line_bytes - line_letters
        if not block.endswith(b"\n"):
            has_same_end[filled == len(lines.starts) - 1] = True
        is_blank = ~lines.is_header & (lines.letters == 0)
        is_uneven = ~has_same_end | ((letters != line_letters) & ~is_shorter)
        is_uneven |= (codes[lines.starts[filled]] == _COMMENT) | ((filled > 0) & is_blank[filled - 1])
        if is_uneven.any() or (not self._may_go_on and len(filled) and number[0] == 0):
            raise UnevenLinesError
        if len(filled) and number[-1] == record[-1]:
            self._may_go_on = not is_shorter[-1]
        elif lines.is_header.any():
            self._may_go_on = True
        self._may_go_on = self._may_go_on and not is_blank[-1]

    def _name_of(self, header: bytes, line: int) -> bytes:
        words = header[1:].split(None, 1)
        if not words:
            number = self._n_lines + line + 1
            raise InputError(f"{label_of(self._path)}: the header in line {number} has no id; write one after its '>'.")
        return words[0]

    def _close_record(self) -> None:
        if self._open:
            self.entries.append(self._open)
        self._open = None

    def finish(self) -> list[FastaEntry]:
        """All entries, in the order of the file."""
        self._close_record()
        if not self.entries:
            raise InputError(f"{label_of(self._path)}: not a well-formed FASTA file: no line starts with '>'.")
        return self.entries


def describes(entries: list[FastaEntry], file: SeekableFile) -> bool:
    """Whether the entries are those of the file.

    Looks at every header, at the ends of each record's first and last line, and at all that stands between records and
    after the last one. The inside of a record it does not see; :meth:`mirsweep.scanner.fasta.Genome.fetch` does.
    """
    view, size = _View(file), file.size
    previous_end, is_previous_empty = 0, True
    for number, entry in enumerate(entries):
        if not _is_possible(entry, size):
            return False
        between = view.read(previous_end, entry.offset) if entry.offset - previous_end <= _LONGEST_GAP else b""
        header = _without_comments(between) if number == 0 else between.lstrip(b"\r\n")
        if not (is_previous_empty or len(header) < len(between)) or not _is_header_of(entry, header):
            return False
        previous_end, is_previous_empty = entry.end, not entry.length
        if entry.length and not _has_lines(entry, previous_end, view):
            return False
    return size - previous_end <= _LONGEST_GAP and not view.read(previous_end, size).strip(b"\r\n")


def count_headers(chunks: Iterable[bytes]) -> int:
    """How many lines of a file start with ``>``; a byte order mark before the first is passed over."""
    n, is_start = 0, True
    for k, chunk in enumerate(chunks):
        n += chunk.count(b"\n>") + (is_start and chunk.removeprefix(b"" if k else BYTE_ORDER_MARK).startswith(b">"))
        is_start = chunk.endswith(b"\n")
    return n


class _View:
    """Short reads near each other, at the price of one."""

    def __init__(self, file: SeekableFile) -> None:
        self._file = file
        self._start, self._content = 0, b""

    def read(self, start: int, end: int) -> bytes:
        begin = start - self._start
        if begin < 0 or end - self._start > len(self._content):
            self._start, begin = start, 0
            self._content = self._file.read(start, max(end, start + _WINDOW_BYTES))
        return self._content[begin : begin + end - start]


def _is_possible(entry: FastaEntry, size: int) -> bool:
    """Whether the numbers make sense, so that nothing is computed from absurd ones."""
    _, length, offset, letters, width = entry
    if not (0 <= length <= size and 0 < offset <= size):
        return False
    return not length or (0 < letters < width <= letters + 2) or (length <= letters == width)


def _without_comments(before: bytes) -> bytes:
    """The header of the first record, of what stands before its letters; nothing if there is more than comments."""
    comments, _, header = before.removesuffix(b"\n").removeprefix(BYTE_ORDER_MARK).rpartition(b"\n")
    if any(line.strip() and not line.startswith(b";") for line in comments.split(b"\n")):
        return b""
    return header + before[len(before.removesuffix(b"\n")) :]


def _is_header_of(entry: FastaEntry, header: bytes) -> bool:
    """Whether a text is the header of a record, and no more; its end of line may lack at the file's end only."""
    line = header.removesuffix(b"\n")
    is_whole = len(line) < len(header) or not entry.length
    return is_whole and line.startswith(b">") and b"\n" not in line and line[1:].split(None, 1)[:1] == [entry.name]


def _has_lines(entry: FastaEntry, end: int, view: _View) -> bool:
    """Whether the first line ends where the entry says, and letters stand at both ends of the record."""
    _, length, offset, letters, width = entry
    if length > letters and view.read(offset + letters, offset + width) not in (b"\n", b"\r\n"):
        return False
    ends = view.read(offset, offset + 1) + view.read(end - 1, end)
    return len(ends) == 2 and not any(code in ends for code in b"\n\r>")
