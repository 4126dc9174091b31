"""What fuzzing needs: files nearly valid and files damaged, bounds of time and memory, and what may come of reading.

A reader gets a folder. It may read what lies there or refuse it with ``InputError`` or ``ModelError``. All else, a hang
and memory without bounds among it, is a fault.
"""

import json
import os
import re
import resource
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from mirsweep.model.errors import ModelError
from mirsweep.scanner.errors import InputError

__all__ = [
    "ODD_KINDS",
    "Content",
    "Files",
    "Reader",
    "Special",
    "bounded",
    "files_of",
    "mutated",
    "mutated_json",
    "try_reader",
]

SECONDS = 20
"""Longest that a reader may take for one example."""
MORE_BYTES = 3 << 30
"""Address space that it may take more than the process has."""


class Special(NamedTuple):
    """Something else in place of a file: ``directory``, ``fifo``, ``loop``, ``dangling``, ``endless``."""

    kind: str


ODD_KINDS = ("directory", "fifo", "loop", "dangling", "endless")
Content = bytes | Special
Files = Mapping[str, Content | None]
"""By path within the folder; None where nothing is there."""


class Reader(NamedTuple):
    """A reader of files: what may lie in its folder, and how it is read.

    Attributes
    ----------
    files
        Strategy of the files.
    read
        Reads them; returns anything.
    """

    name: str
    files: st.SearchStrategy[Files]
    read: Callable[[Path], Any]


class Hang(BaseException):
    """A reader that takes too long."""


@contextmanager
def bounded(seconds: float = SECONDS, more_bytes: int = MORE_BYTES) -> Iterator[None]:
    """Let the block take so long, and so much more address space (on Linux), and no more."""

    def give_up(number: int, frame: Any) -> None:
        raise Hang(f"more than {seconds:g} s")

    kept = signal.signal(signal.SIGALRM, give_up)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    status = Path("/proc/self/statm")
    try:
        if status.exists():
            now = int(status.read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (now + more_bytes, limits[1]))
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, kept)
        resource.setrlimit(resource.RLIMIT_AS, limits)


@contextmanager
def files_of(files: Files) -> Iterator[Path]:
    """A folder that holds the files, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            _put(path, content)
        yield Path(folder)


def _put(path: Path, content: Content | None) -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        {
            "directory": path.mkdir,
            "fifo": lambda: os.mkfifo(path),
            "loop": lambda: path.symlink_to(path.name),
            "dangling": lambda: path.symlink_to("gone"),
            "endless": lambda: path.symlink_to("/dev/zero"),
        }[content.kind]()


def try_reader(reader: Reader, files: Files) -> str:
    """Read files; ``"read"`` or ``"refused"``.

    Raises
    ------
    BaseException
        Anything else that leaves the reader.
    """
    with files_of(files) as folder, bounded():
        try:
            reader.read(folder)
        except (InputError, ModelError) as error:
            check_sentence(error, folder)
            return "refused"
        return "read"


def check_sentence(error: Exception, folder: Path) -> None:
    """Make sure that a message is no page, and names the file."""
    text = str(error)
    assert 10 < len(text) < 5000, f"a message of {len(text)} letters: {text[:200]}"
    assert str(folder) in text or _NAMED_MODEL.search(text), f"names no file: {text}"


_NAMED_MODEL = re.compile(r"model [\w.-]+:[0-9a-f]{12} ")
"""How messages about scores name the weights that gave them."""

ODD_TEXTS = (
    b"", b"\0", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n", b"\n\n", b">", b";", b"\t", b" ",
    b"-", b"-1", b"0", b"1e999", b"nan", b"inf", b"9" * 19, b"9" * 30, b"9" * 5000, b"\xed\xa0\x80", "²".encode(),
    "\u0661".encode(), b"%00", b"%", b"\x1b[2J", b"A" * 70_000, b"[" * 20_000, b"{" * 20_000, b'{"a":' * 5_000, b'"',
    b"\\", b"\x1f\x8b", b"\x80", b"\xc3", b"1_0", b"##FASTA\n", b"#", b"N" * 100, b"\xe2\x80\xa8",
)  # fmt: skip
ODD_NUMBERS = (0, 1, -1, 2**15, 2**31 - 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64, 10**30, 10**400)


@st.composite
def mutated(draw: st.DrawFn, content: bytes, *, most: int = 4) -> bytes:
    """The content with some damage: bytes flipped, cut, repeated, inserted, overwritten; numbers changed."""
    for _ in range(draw(st.integers(1, most))):
        content = _mutated_once(draw, content)
    return content


def _mutated_once(draw: st.DrawFn, content: bytes) -> bytes:
    place = draw(st.integers(0, max(0, len(content) - 1)))
    length = draw(st.sampled_from((1, 1, 2, 4, 8, 16, 100, 1000, 20_000)))
    before, piece, after = content[:place], content[place : place + length], content[place + length :]
    how = draw(
        st.sampled_from(("flip", "cut", "repeat", "insert", "overwrite", "end", "start", "move", "number", "binary"))
    )
    if how == "flip" and piece:
        return before + bytes([piece[0] ^ (1 << draw(st.integers(0, 7)))]) + piece[1:] + after
    if how == "cut":
        return before + after
    if how == "repeat":
        return before + piece * draw(st.sampled_from((2, 3, 50))) + after
    if how == "insert":
        return before + draw(st.sampled_from(ODD_TEXTS)) + piece + after
    if how == "overwrite":
        return (
            before
            + draw(st.binary(min_size=len(piece), max_size=len(piece)) if length < 20 else st.just(bytes(len(piece))))
            + after
        )
    if how == "end":
        return before
    if how == "start":
        return piece + after
    if how == "move":
        other = draw(st.integers(0, len(before) + len(after)))
        rest = before + after
        return rest[:other] + piece + rest[other:]
    if how == "number":
        return _with_number(draw, content)
    width = draw(st.sampled_from((2, 4, 8)))
    value = draw(st.sampled_from((0, 1, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**62, 2**63 - 1, 2**64 - 1)))
    return before + (value % (1 << 8 * width)).to_bytes(width, "little") + content[place + width :]


def _with_number(draw: st.DrawFn, content: bytes) -> bytes:
    """One of the first thousand numbers in a text, replaced by an odd one."""
    found = [match.span() for match, _ in zip(re.finditer(rb"-?\d+", content[:200_000]), range(1000), strict=False)]
    if not found:
        return content
    start, end = draw(st.sampled_from(found))
    return content[:start] + str(draw(st.sampled_from(ODD_NUMBERS))).encode() + content[end:]


ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 10**9, 2**63, 2**64, 10**30, 0.5, -1.5, 1e308, float("nan"), float("inf"), "", "x",
    "../x", "/etc/passwd", "\0", "\ud800", "é", "x" * 100_000, "\x1b[2J\n", [], {}, [[]], [1], ["x"], {"": None},
    [[[[1]]]], [0] * 1000,
)  # fmt: skip


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the values of a JSON document stand, its own place first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:20]) if isinstance(value, list) else ()
    for key, item in items:
        yield from _paths(item, (*path, key))


@st.composite
def mutated_json(draw: st.DrawFn, document: Any, *, most: int = 3) -> bytes:
    """A JSON document with values replaced, removed, renamed, repeated or nested; seldom damaged as text, too."""
    document = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, most))):
        document = _json_once(draw, document)
    text = json.dumps(document).encode()
    return draw(mutated(text, most=2)) if draw(st.integers(0, 5)) == 0 else text


def _json_once(draw: st.DrawFn, document: Any) -> Any:
    path = draw(st.sampled_from(list(_paths(document))))
    if not path:
        return deepcopy(draw(st.sampled_from((document, *ODD_VALUES)))) if draw(st.integers(0, 9)) == 0 else document
    owner = document
    for key in path[:-1]:
        owner = owner[key]
    key, how = path[-1], draw(st.sampled_from(("replace", "replace", "remove", "rename", "repeat", "nest")))
    with suppress(TypeError):  # what cannot be done with a list is left out
        if how == "replace":
            owner[key] = deepcopy(draw(st.sampled_from(ODD_VALUES)))
        elif how == "remove":
            del owner[key]
        elif how == "rename":
            owner[draw(st.sampled_from(("x", "", "..", "\ud800", "name")))] = owner.pop(key)
        elif how == "repeat":
            owner[key] = [owner[key]] * 2
        else:
            for _ in range(draw(st.sampled_from((1, 3, 200)))):
                owner[key] = [owner[key]]
    return document
