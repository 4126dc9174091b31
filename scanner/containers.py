"""What a file is: unpacked where a library can, else named, with the command that converts it.

gzip, bgzip, bzip2, xz, lzma and zstd are unpacked, with any number of members. A file is told by its first bytes, never
by its name, and is opened once: a pipe cannot be read twice.
"""

import bz2
import gzip
import io
import lzma
import os
import re
import shlex
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from mirsweep.scanner.errors import InputError

__all__ = [
    "STANDARD_INPUT",
    "Opened",
    "compression_of",
    "is_nameless",
    "is_stream",
    "label_of",
    "name_path",
    "open_bytes",
]

STANDARD_INPUT = "-"
_HEAD_BYTES = 4096
_BUFFER_BYTES = 1 << 20
_DEPTH = 3
"""A file packed more often than this is not what it seems."""


class Opened(NamedTuple):
    """A file opened for reading from its first byte on, unpacked; and how it was packed, or None."""

    stream: BinaryIO
    compression: str | None


class _Format(NamedTuple):
    """A kind of file that mirsweep does not read: how it is told, and the command that converts it.

    ``command`` reads standard input, or names the file itself as ``{path}``; ``{out}`` is the file that it makes.
    """

    name: str
    article_and_name: str
    command: str | None
    is_it: Callable[[bytes], bool]
    advice: str | None = None


def _starts(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magics)


def _starts_as_text(*words: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.removeprefix(b"\xef\xbb\xbf").lstrip()[:256].lower().startswith(words)


def _is_fastq(head: bytes) -> bool:
    lines = head.splitlines()
    return head.startswith(b"@") and len(lines) > 2 and lines[2].startswith(b"+")


def _by_biopython(kind: str) -> str:
    return f"python3 -c \"import sys; from Bio import SeqIO; SeqIO.convert(sys.stdin, '{kind}', sys.stdout, 'fasta')\""


_FETCH_AGAIN = "the download has failed: fetch the file itself"
_FORMATS = (
    _Format("zip", "a zip archive", "unzip -p {path} > {out}", _starts(b"PK\x03\x04", b"PK\x05\x06")),
    _Format("tar", "a tar archive", "tar -x{z}Of {path} > {out}", lambda head: head[257:262] == b"ustar"),
    _Format("7z", "a 7z archive", "7z x -so {path} > {out}", _starts(b"7z\xbc\xaf\x27\x1c")),
    _Format("rar", "a rar archive", "unrar p -inul {path} > {out}", _starts(b"Rar!\x1a\x07")),
    _Format("Z", "compressed by compress", "gzip -dc {path} > {out}", _starts(b"\x1f\x9d")),
    _Format("lz4", "compressed by lz4", "lz4 -dc {path} > {out}", _starts(b"\x04\x22\x4d\x18")),
    _Format("lzip", "compressed by lzip", "lzip -dc {path} > {out}", _starts(b"LZIP")),
    _Format("2bit", "UCSC 2bit", "twoBitToFa {path} {out}", _starts(b"\x43\x27\x41\x1a", b"\x1a\x41\x27\x43")),
    _Format("BAM", "BAM, aligned reads", "samtools fasta {path} > {out}", _starts(b"BAM\x01")),
    _Format("CRAM", "CRAM, aligned reads", "samtools fasta {path} > {out}", _starts(b"CRAM")),
    _Format(
        "SAM",
        "SAM, aligned reads",
        "samtools fasta {path} > {out}",
        _starts(b"@HD\t", b"@SQ\t", b"@RG\t", b"@PG\t", b"@CO\t"),
    ),
    _Format("FASTQ", "FASTQ, reads with qualities", _by_biopython("fastq"), _is_fastq),
    _Format("GenBank", "GenBank", _by_biopython("genbank"), _starts_as_text(b"locus  ")),
    _Format("EMBL", "EMBL", _by_biopython("embl"), _starts(b"ID   ")),
    _Format("GFF3", "GFF3, an annotation", None, _starts_as_text(b"##gff-version"), "give the genome it describes"),
    _Format("VCF", "VCF, variants", None, _starts_as_text(b"##fileformat=vcf"), "give the genome that they refer to"),
    _Format("HTML", "a web page", None, _starts_as_text(b"<!doctype html", b"<html", b"<head"), _FETCH_AGAIN),
    _Format("XML", "XML", None, _starts_as_text(b"<?xml"), _FETCH_AGAIN),
    _Format("JSON", "JSON", None, _starts_as_text(b'{"', b"{\n", b"{\r\n", b"[{"), _FETCH_AGAIN),
    _Format(
        "LFS",
        "a Git LFS pointer, not the file itself",
        None,
        _starts(b"version https://git-lfs"),
        "run git lfs pull",
    ),
    _Format("UTF-16", "text in UTF-16", "iconv -f UTF-16 -t UTF-8 {path} > {out}", _starts(b"\xff\xfe", b"\xfe\xff")),
    _Format("Stockholm", "a Stockholm alignment", "esl-reformat fasta {path} > {out}", _starts(b"# STOCKHOLM")),
)
_UNPACKERS = {"gzip": "gzip -dc", "bzip2": "bzip2 -dc", "xz": "xz -dc", "lzma": "xz -dc", "zstd": "zstd -dc"}
_TAR_LETTERS = {"gzip": "z", "bzip2": "j", "xz": "J", "lzma": "J", "zstd": " --zstd -"}
_EXAMPLES = {"FASTA": "genome.fa", "GFF3 or BED": "known.gff3"}


def is_nameless(path: Path) -> bool:
    """Whether a path is that of a file that is open already: ``-``, ``/dev/stdin``, a shell's ``/dev/fd/63``."""
    return str(path) == STANDARD_INPUT or bool(re.match(r"/dev/(stdin$|fd/)|/proc/[^/]+/fd/", str(path)))


def is_stream(path: Path) -> bool:
    """Whether a file can be read only once and from its start: standard input, a pipe, a device."""
    if is_nameless(path):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)


def label_of(path: Path) -> str:
    """What messages call a file."""
    return "standard input" if str(path) == STANDARD_INPUT else _NAMES.get(path, str(path))


_NAMES: dict[Path, str] = {}


def name_path(path: Path, name: str) -> None:
    """Let messages call a file by another name: a copy by the address of which it is one."""
    _NAMES[path] = name


def compression_of(head: bytes) -> str | None:
    """How a file that starts with these bytes is packed, or None."""
    for name, magic in (("gzip", b"\x1f\x8b"), ("bzip2", b"BZh"), ("xz", b"\xfd7zXZ\x00"), ("lzma", b"]\x00\x00")):
        if head.startswith(magic):
            return name
    is_skippable = head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F
    return "zstd" if is_skippable or head.startswith(b"\x28\xb5\x2f\xfd") else None


def open_bytes(path: Path, *, wanted: str = "FASTA") -> Opened:
    """Open a file, or standard input (``-``), and unpack it on the way.

    Parameters
    ----------
    wanted
        What the file should be, as messages say it; a text format named here is let through.

    Raises
    ------
    InputError
        If the file is missing, a folder, unreadable, empty, or of a kind that cannot be read.
    EOFError, OSError, zlib.error, lzma.LZMAError
        If packed data are damaged, here or while reading.
    """
    raw = _open_raw(path, wanted)
    try:
        stream, head = _peeked(raw)
        packed: list[str] = []
        while (name := compression_of(head)) and len(packed) < _DEPTH:
            packed.append(name)
            stream, head = _peeked(_decompressed(stream, name), stream)
        compression = packed[0] if packed else None
        _check_format(path, head, compression, wanted)
    except BaseException:
        raw.close()
        raise
    return Opened(stream, compression)


def _open_raw(path: Path, wanted: str) -> BinaryIO:
    if str(path) == STANDARD_INPUT:
        if sys.stdin is None or os.isatty(0):
            raise InputError(f"standard input is a terminal or closed: give a file of {wanted}, or pipe one in.")
        return open(os.dup(0), "rb")
    try:
        return open(path, "rb")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path.") from None
    except IsADirectoryError:
        raise InputError(f"{path}: not a file; give a file of {wanted}.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions.") from error


def _decompressed(stream: BinaryIO, name: str) -> Any:
    if name == "gzip":
        return gzip.GzipFile(fileobj=stream)
    if name == "bzip2":
        return bz2.BZ2File(stream)
    if name in ("xz", "lzma"):
        return lzma.LZMAFile(stream)
    from pyarrow import CompressedInputStream  # takes 0.1 s to import

    return CompressedInputStream(stream, "zstd")


class _Rejoined(io.RawIOBase):
    """First bytes that were read to look at them, then the rest; closes all that it reads from."""

    def __init__(self, head: bytes, rest: Any, *below: Any) -> None:
        self._head, self._rest, self._below = head, rest, below

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._head or self._rest.read(len(buffer))
        piece, self._head = piece[: len(buffer)], self._head[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            for stream in (self._rest, *self._below):
                stream.close()
        super().close()


def _peeked(stream: Any, *below: Any) -> tuple[BinaryIO, bytes]:
    """The stream from its start again, and its first bytes: all that were asked for, unless it is shorter."""
    head = b""
    while len(head) < _HEAD_BYTES and (piece := stream.read(_HEAD_BYTES - len(head))):
        head += piece
    joined = io.BufferedReader(_Rejoined(head, stream, *below), _BUFFER_BYTES)
    return cast(BinaryIO, joined), head


def _check_format(path: Path, head: bytes, compression: str | None, wanted: str) -> None:
    label = label_of(path)
    if not head:
        raise InputError(f"{label}: the file is empty; give {wanted} with at least one record.")
    for kind in _FORMATS:
        if kind.is_it(head) and kind.name not in wanted:
            remedy = kind.advice or f"convert it: {_command(kind, path, compression, _EXAMPLES.get(wanted, 'FILE'))}"
            raise InputError(f"{label}: {kind.article_and_name}, not {wanted}; {remedy}")
    if b"\0" in head:
        raise InputError(f"{label}: binary data, not {wanted}; give {wanted}.")


def _command(kind: _Format, path: Path, compression: str | None, out: str) -> str:
    """The shell command that makes ``out`` of a file of another kind."""
    command, quoted = kind.command or "", shlex.quote(str(path))
    if "{path}" in command:
        return command.format(path=quoted, out=out, z=_TAR_LETTERS.get(compression or "", ""))
    source = f"{_UNPACKERS[compression]} {quoted} | {command}" if compression else f"{command} < {quoted}"
    return f"{source} > {out}"
