"""Reading FASTA: genomes by random access (plain, gzip, bgzip), small sequence sets as a list.

A genome is never held in memory. Its index stands beside the file, or in mirsweep's cache folder where that
place cannot be written; a plain-gzip genome, which allows no random access, is unpacked into the cache once, and one
with blank or uneven lines, which no index describes, is copied there with even ones.
"""

import gzip
import hashlib
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

import pyfaidx
from Bio.SeqIO.FastaIO import SimpleFastaParser

from mirsweep.scanner.errors import InputError

__all__ = ["Contig", "Genome", "Record", "cache_folder", "open_genome", "read_sequences"]

_CHUNK_NT = 1 << 24
_LINE_NT = 80
_SUFFIXES = (".gz", ".bgz", ".fa", ".fasta", ".fna", ".fas", ".ffn")
_UNEVEN_WORDS = ("Line length of fasta file is not consistent", "Unhandled exception during fasta indexing")
"""What pyfaidx says of records whose lines are blank or differ in length."""


class _UnevenLinesError(Exception):
    pass


class Contig(NamedTuple):
    """A sequence of a genome: first word of its FASTA header, and its length in nt."""

    name: str
    length: int


class Record(NamedTuple):
    """One sequence of a small FASTA file: first word of its header, and its letters as they stand there."""

    id: str
    sequence: str


class Genome:
    """A FASTA file opened for random access.

    Attributes
    ----------
    name
        Name of the assembly: the file's stem unless given.
    path
        The file as the user named it.
    contigs
        Its sequences, in the order of the file.
    """

    def __init__(self, path: Path, index: pyfaidx.Faidx, name: str) -> None:
        self.path = path
        self.name = name
        self._index = index
        self.contigs = tuple(Contig(key, entry.rlen) for key, entry in index.index.items())

    def fetch(self, contig: str, start: int, end: int) -> bytes:
        """ASCII letters [start, end) of a contig, 0-based half-open, as they stand in the file."""
        if end <= start:
            return b""
        try:
            letters = _letters(self._index, contig, start, end).encode("ascii")
        except UnicodeError as error:
            raise InputError(f"{self.path}: record {contig!r} holds letters that are not ASCII; mend it.") from error
        if len(letters) != end - start:
            raise InputError(
                f"{self.path}: record {contig!r} is shorter than its index says; "
                f"delete the index ({self._index.indexname}) and run again."
            )
        if b" " in letters or b"\t" in letters:
            raise InputError(f"{self.path}: record {contig!r} has blanks within its sequence lines; remove them.")
        return letters

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over the contigs' names, lengths and letters; reads the genome once."""
        sha = hashlib.sha256()
        for contig in self.contigs:
            sha.update(f">{contig.name}\t{contig.length}\n".encode())
            for start in range(0, contig.length, _CHUNK_NT):
                sha.update(self.fetch(contig.name, start, min(start + _CHUNK_NT, contig.length)))
        return sha.hexdigest()

    def close(self) -> None:
        """Close the file."""
        self._index.close()


def _letters(index: pyfaidx.Faidx, contig: str, start: int, end: int) -> str:
    """Letters [start, end) of a contig, fewer at the file's end."""
    try:
        return index.fetch(contig, start + 1, end).seq
    except ValueError:
        if start == 0:
            raise
        # pyfaidx cannot seek to the end of a full bgzip block (65,536 bytes), but can to the base before it
        return index.fetch(contig, start, end).seq[1:]


def cache_folder() -> Path:
    """Folder for indices and unpacked genomes: MIRSWEEP_CACHE, else ``mirsweep`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(os.environ.get("MIRSWEEP_CACHE") or Path(base) / "mirsweep")


def _stem(path: Path) -> str:
    while path.suffix.lower() in _SUFFIXES and path.stem:
        path = path.with_suffix("")
    return path.name


def _check_readable(path: Path) -> None:
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path.")
    if not path.is_file():
        raise InputError(f"{path}: not a file; give a FASTA file.")
    try:
        with open(path, "rb") as stream:
            first = stream.read(1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions.") from error
    if not first:
        raise InputError(f"{path}: the file is empty; give a FASTA file with at least one record.")


def _is_gzip(path: Path) -> bool:
    with open(path, "rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _is_bgzip(path: Path) -> bool:
    """Whether the file allows random access: BGZF blocks carry their size in an extra field named BC (SAM
    specification, section 4.1). pyfaidx goes by the name too; another name means that the file is unpacked.
    """
    if path.suffix.lower() not in (".gz", ".bgz"):
        return False
    with open(path, "rb") as stream:
        head = stream.read(16)
    return head[:4] == b"\x1f\x8b\x08\x04" and head[12:14] == b"BC"


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what goes wrong while reading or unpacking a file into one sentence about it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: the gzip data are damaged or cut off ({error}); fetch the file again.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file; give a FASTA file.") from error
    except pyfaidx.FastaIndexingError as error:
        raise InputError(f"{path}: not a well-formed FASTA file: {_one_line(error, path)}") from error
    except ValueError as error:
        if "uplicate key" not in str(error):
            raise
        raise InputError(
            f"{path}: {str(error).replace('Duplicate key', 'two records share the id')}; "
            "give each record an id (first word of its header) of its own."
        ) from error
    except OSError as error:
        place = error.filename or cache_folder()
        raise InputError(
            f"{path}: could not be opened or unpacked ({error.strerror or error} at {place}); free space or "
            "mend permissions there, or set MIRSWEEP_CACHE to another folder."
        ) from error


def _one_line(error: Exception, path: Path) -> str:
    text = " ".join(str(error).replace(str(path), "the file").split())
    return text if text.endswith(".") else text + "."


def _cached_folder(path: Path) -> Path:
    """The cache's folder for a file as it is now; another size or time of change means another folder."""
    status = path.stat()
    key = f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}"
    return cache_folder() / "fasta" / hashlib.sha256(key.encode()).hexdigest()[:24]


def _copied(path: Path, target: Path, *, even: bool) -> Path:
    """Plain copy of a file in the cache, with even lines or as it is; made once, complete or absent."""
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as out, (gzip.open if _is_gzip(path) else open)(path, "rb") as stream:
            if even:
                _even_lines(stream, out)
            else:
                shutil.copyfileobj(stream, out, 1 << 20)
        os.replace(temporary, target)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    return target


def _even_lines(stream: BinaryIO, out: BinaryIO) -> None:
    """Copy FASTA with ``_LINE_NT`` letters a line and no blank lines, whatever the length of a line."""
    is_start, is_header, is_before, waiting = True, False, True, b""
    while piece := stream.readline(_CHUNK_NT):
        ends = piece.endswith(b"\n")
        if is_start and piece.startswith(b">"):
            is_header, is_before = True, False
            if waiting:
                out.write(waiting + b"\n")
            waiting = b""
        if is_header or is_before:
            out.write(piece)
            is_header = is_header and not ends
        else:
            waiting += piece.strip()
            whole = len(waiting) - len(waiting) % _LINE_NT
            out.writelines(waiting[k : k + _LINE_NT] + b"\n" for k in range(0, whole, _LINE_NT))
            waiting = waiting[whole:]
        is_start = ends
    if waiting:
        out.write(waiting + b"\n")


def _index_stem(path: Path) -> Path:
    """Where the index goes: beside the file, or into the cache if that folder cannot be written."""
    if os.access(path.parent, os.W_OK):
        return path
    folder = _cached_folder(path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / path.name


def _open_index(path: Path) -> pyfaidx.Faidx:
    """Index of a plain or bgzip file, made anew if it is missing or older than the file.

    Raises
    ------
    _UnevenLinesError
        If the letters of a record cannot be found by the length of its lines.
    """
    stem = _index_stem(path)
    fai, gzi = Path(f"{stem}.fai"), Path(f"{stem}.gzi")
    found = [made for made in (fai, gzi) if made.exists()]
    try:
        index = pyfaidx.Faidx(str(path), indexname=str(fai), gzi_indexname=str(gzi), rebuild=True)
    except BaseException as error:
        fai.unlink(missing_ok=True)  # half an index would be believed next time
        gzi.unlink(missing_ok=True)
        if any(words in str(error) for words in _UNEVEN_WORDS):
            raise _UnevenLinesError from error
        raise
    if not _finds_records(index):
        index.close()
        for made in {fai, gzi}.difference(found):
            made.unlink(missing_ok=True)
        raise _UnevenLinesError
    return index


def _finds_records(index: pyfaidx.Faidx) -> bool:
    """Whether each record starts and ends where the index says: pyfaidx lets a last line be longer than the others,
    and then takes what follows it for the record's end."""
    try:
        return all(
            (not entry.rlen or len(_letters(index, name, entry.rlen - 1, entry.rlen)) == 1)
            and (
                not entry.prev_bend
                or (entry.prev_bend < entry.offset and index.get_long_name(name).lstrip(">\r\n").split()[:1] == [name])
            )
            for name, entry in index.index.items()
        )
    except ValueError:  # beyond the file's end; or a header at that of a full bgzip block, where pyfaidx cannot seek
        return False


def _open_file_or_copy(path: Path) -> pyfaidx.Faidx:
    """Index of a file, or of its copy in the cache where the file itself allows no random access."""
    folder = _cached_folder(path)
    even, plain = folder / "even.fa", folder / "genome.fa"
    if even.exists():
        return _open_index(even)
    is_packed = _is_gzip(path) and not _is_bgzip(path)
    try:
        return _open_index(_copied(path, plain, even=False) if is_packed else path)
    except _UnevenLinesError:
        return _open_index(_copied(path, even, even=True))


def open_genome(path: str | Path, *, name: str | None = None) -> Genome:
    """Open a genome: plain, gzip or bgzip FASTA with any number of records.

    Parameters
    ----------
    name
        Name of the assembly; the file's stem if absent.

    Raises
    ------
    InputError
        If the file is missing, unreadable, empty, damaged, not FASTA, has two records with one id, or has no
        sequence at all.
    """
    path = Path(path)
    _check_readable(path)
    with _explained(path):
        index = _open_file_or_copy(path)
    genome = Genome(path, index, name or _stem(path))
    if not any(contig.length for contig in genome.contigs):
        raise InputError(f"{path}: no record holds a sequence; give a FASTA file with at least one.")
    return genome


def _open_text(path: Path) -> TextIO:
    return gzip.open(path, "rt", encoding="ascii") if _is_gzip(path) else open(path, encoding="ascii")


def read_sequences(path: str | Path) -> list[Record]:
    """All records of a small FASTA file, plain or gzip.

    Raises
    ------
    InputError
        If the file is missing, unreadable, empty, damaged, not FASTA, or has an empty record.
    """
    path = Path(path)
    _check_readable(path)
    with _explained(path), _open_text(path) as stream:
        first = stream.readline()
        if not first.startswith(">"):
            raise InputError(f"{path}: not a FASTA file: its first line does not start with '>'.")
        stream.seek(0)
        records = [Record((title.split() or [""])[0], seq.upper()) for title, seq in SimpleFastaParser(stream)]
    for number, record in enumerate(records, 1):
        if not record.id or not record.sequence:
            what = "no id" if not record.id else "no sequence"
            raise InputError(f"{path}: record {number} {record.id!r} has {what}; mend or remove it.")
    return records
