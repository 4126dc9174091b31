"""Reading FASTA: genomes by random access, small sequence sets as a list.

A genome is never held in memory. Plain and bgzip files are read in place, by an index (.fai) that is checked against
the file before it is believed; all else is copied once, unpacked and with lines of even length.
"""

import base64
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple, TextIO, TypeVar

from mirsweep.cache import kept_text, locked, warn_once
from mirsweep.scanner.at_address import open_by_ranges
from mirsweep.scanner.bgzip import BgzipFile, NotBgzipError, PlainFile, SeekableFile, is_bgzip
from mirsweep.scanner.containers import is_nameless, is_stream, label_of, open_bytes
from mirsweep.scanner.errors import InputError, quoted
from mirsweep.scanner.excerpt import Excerpt, Span, without_line_ends
from mirsweep.scanner.fai import IndexedFile, open_indexed
from mirsweep.scanner.fasta_index import FastaEntry, UnevenLinesError
from mirsweep.scanner.remote import copy_of, file_name, is_address
from mirsweep.scanner.text import decode, explained, open_text
from mirsweep.scanner.unpacked import copy_even, copy_unpacked, file_folder, remove_leftovers, scratch_folder, state_at

__all__ = ["Contig", "Genome", "Record", "open_genome", "read_sequences"]

_Read = TypeVar("_Read")
_CHUNK_NT = 1 << 24
_SUFFIXES = (".gz", ".bgz", ".bz2", ".xz", ".zst", ".fa", ".fasta", ".fna", ".fas", ".ffn")
_SAMPLED_RECORDS, _SAMPLED_NT = 20, 1000
_AMINO_ACIDS_ONLY = b"EFILPQJOZefilpqjoz"
"""Letters of proteins that are no code of nucleotides; a third of a protein's letters."""
_MOST_AMINO_ACIDS = 0.1
_CACHE_ADVICE = "free space or fix permissions there, or set MIRSWEEP_CACHE (for a pipe, TMPDIR) to another folder"


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
        The file as the user named it; of an address its copy, or where there is none a name for messages.
    source
        The address, or the file's whole path.
    contigs
        Its sequences, in the order of the file.
    """

    def __init__(self, path: Path, indexed: IndexedFile, name: str, source: str | None = None) -> None:
        self.path = path
        self.source = source or str(path if is_stream(path) else path.absolute())
        self.name = name
        self._file, self._fai, self._kept_digest = indexed.file, indexed.fai, indexed.kept_digest
        self._state, self._at_path = indexed.file.opened, state_at(path)
        self._entries = {decode(entry.name): entry for entry in indexed.entries}
        self.contigs = tuple(Contig(key, entry.length) for key, entry in self._entries.items())
        self._refget_lengths: frozenset[int] = frozenset()
        self._refgets: dict[str, str] = {}

    def fetch(self, contig: str, start: int, end: int) -> bytes:
        """ASCII letters [start, end) of a contig, 0-based half-open, as they stand in the file.

        Raises
        ------
        InputError
            If there is no such contig or place, the lines are not as the index says, other characters than letters
            stand there, or the file has changed since it was opened.
        """
        return self._unchanged(partial(self._letters, contig, start, end))

    def _unchanged(self, read: Callable[[], _Read]) -> _Read:
        """What was read from the file as it was opened; read again if the file was only touched meanwhile."""
        while True:
            try:
                found = read()
            except InputError:
                if self._file.state() == self._state:
                    raise
            else:
                if self._file.state() == self._state:
                    return found
            self._check_content()

    def check_unchanged(self) -> None:
        """Make sure that the genome is what it was when it was opened; to be called when all is read.

        A file of another name that has taken its place only costs a warning: the former one could be read to the end.

        Raises
        ------
        InputError
            If its file was written to, and its content is another one.
        """
        if self._file.state() != self._state:
            self._check_content()
        if self._at_path is not None and state_at(self.path) != self._at_path:
            warn_once(
                f"{label_of(self.path)}: was changed, replaced or removed while it was read; all that was found is of "
                "what it was before."
            )

    def _check_content(self) -> None:
        """Compare the file, which was touched, with what was opened: by its digest, if that is known by now."""
        state, known = self._file.state(), self.__dict__.get("digest")
        is_same = state.size == self._state.size
        if known is None:  # a copy that has lost its name, for one, has another ctime only
            is_same = is_same and state.modified_ns == self._state.modified_ns
        elif is_same:
            is_same = self._has_digest(known)
        if not is_same or self._file.state() != state:
            raise self._changed()
        self._state = state
        now = state_at(self.path)
        if now and self._at_path and now[:2] == self._at_path[:2]:  # the same file, touched
            self._at_path = now

    def _has_digest(self, known: str) -> bool:
        try:
            return self._read_digest() == known
        except InputError:
            return False

    def _changed(self) -> InputError:
        return InputError(
            f"{label_of(self.path)}: has changed while it was read, so nothing is finished: put the former file back "
            "and run again, or start anew with the file as it is now."
        )

    def _letters(self, contig: str, start: int, end: int) -> bytes:
        """What ``fetch`` gives, whatever has happened to the file."""
        entry = self._entries.get(contig)
        if entry is None:
            raise InputError(f"{label_of(self.path)}: has no record {quoted(contig)}.")
        if end <= start:
            return b""
        if start < 0 or end > entry.length:
            raise InputError(
                f"{label_of(self.path)}: record {quoted(contig)} has {entry.length} nt; {start} to {end} is not within "
                "it."
            )
        with explained(self.path):
            content = self._file.read(entry.byte_of(start), entry.byte_of(end - 1) + 1)
        letters = without_line_ends(content, entry, start, end)
        if letters is None:
            raise InputError(
                f"{label_of(self.path)}: record {quoted(contig)} is not as its index says; "
                + (f"delete the index ({self._fai}) and run again." if self._fai else "has the file changed?")
            )
        if not letters.isascii():
            raise InputError(
                f"{label_of(self.path)}: record {quoted(contig)} holds letters that are not ASCII; fix or remove it."
            )
        if b">" in letters:
            raise InputError(
                f"{label_of(self.path)}: record {quoted(contig)} has '>' within its sequence lines; is an end of line "
                "missing before a header?"
            )
        if b" " in letters or b"\t" in letters:
            raise InputError(
                f"{label_of(self.path)}: record {quoted(contig)} has blanks within its sequence lines; remove them."
            )
        return letters

    def excerpt(self, spans: Sequence[Span]) -> Excerpt:
        """What another process needs to read these spans, by :func:`mirsweep.scanner.excerpt.read_excerpt`."""
        entries = {span.contig: self._entries[span.contig] for span in spans}
        ends = ((entries[name].byte_of(start), entries[name].byte_of(end - 1) + 1) for name, start, end in spans)
        return Excerpt(self._file.name, self._file.inode, self._state, entries, self._file.blocks_of(ends))

    def refget(self, contig: str) -> str:
        """The GA4GH refget identifier of a contig, ``SQ.`` and 32 letters: the same under any name and in any case.

        Truncated SHA-512 of its upper-case letters (refget specification 2.0).
        """
        if contig not in self._refgets:
            self._refgets[contig] = self._unchanged(partial(self._read_refget, contig))
        return self._refgets[contig]

    def read_all(self, refget_lengths: Iterable[int] = ()) -> None:
        """Read every letter once, which gives the digest.

        Parameters
        ----------
        refget_lengths
            The refget identifiers of contigs of these lengths, nt, are made of the same reading.

        Raises
        ------
        InputError
            If the letters are not as the index says, or are none, or the file has changed since it was opened.
        """
        self._refget_lengths = frozenset(refget_lengths)
        _ = self.digest

    def _read_refget(self, contig: str) -> str:
        sha = hashlib.sha512()
        for letters in self._chunks(contig):
            sha.update(letters.upper())
        return _refget_of(sha.digest())

    def _chunks(self, contig: str) -> Iterator[bytes]:
        length = self._entries[contig].length
        for start in range(0, length, _CHUNK_NT):
            yield self._letters(contig, start, min(start + _CHUNK_NT, length))

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over the contigs' names, lengths and letters; reads the genome once."""
        if self._kept_digest is not None:
            return kept_text(self._kept_digest, partial(self._unchanged, self._read_digest))
        return self._unchanged(self._read_digest)

    def _read_digest(self) -> str:
        sha = hashlib.sha256()
        for contig in self.contigs:
            sha.update(f">{contig.name}\t{contig.length}\n".encode())
            own = hashlib.sha512() if contig.length in self._refget_lengths else None
            for letters in self._chunks(contig.name):
                sha.update(letters)
                if own is not None:
                    own.update(letters.upper())
            if own is not None:
                self._refgets[contig.name] = _refget_of(own.digest())
        return sha.hexdigest()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _refget_of(sha512: bytes) -> str:
    return "SQ." + base64.urlsafe_b64encode(sha512[:24]).decode()


def open_genome(path: str | os.PathLike[str], *, name: str | None = None) -> Genome:
    """Open a genome: FASTA with any number of records, plain, gzip, bgzip, bzip2, xz or zstd.

    Parameters
    ----------
    path
        A file, a pipe, ``-`` for standard input, or an address (http, https, ftp, s3, gs). What is there is copied
        once, but for large plain and bgzip files with an index beside them (.fai, .gzi), which are read by ranges.
    name
        Name of the assembly; the file's stem if absent, ``stdin`` for a pipe without a name.

    Raises
    ------
    InputError
        If the file is missing, unreadable, empty, damaged, not FASTA, a protein file, has two records with one id,
        or has no sequence at all.
    """
    source = os.fspath(path) if is_address(path) else None
    if source is not None and (genome := _open_by_ranges(source, name)) is not None:
        return genome
    path = Path(path) if source is None else copy_of(source)
    with explained(path, advice=_CACHE_ADVICE):
        indexed = _open_stream(path) if is_stream(path) else _open_file(path)
    return Genome(path, indexed, name or _stem(path), source)


def _open_by_ranges(address: str, name: str | None) -> Genome | None:
    """A genome that is read where it is; None where it must be copied."""
    indexed = open_by_ranges(address, check=partial(_check_records, address))
    if indexed is None:
        return None
    genome = Genome(indexed.file.path, indexed, name or _stem(Path(file_name(address))), address)
    try:
        _ = genome.digest
    except InputError:  # the index is not that of the file, or the letters are bad, which the copy will tell
        return None
    return genome


def _stem(path: Path) -> str:
    if is_nameless(path):
        return "stdin"
    while path.suffix.lower() in _SUFFIXES and path.stem:
        path = path.with_suffix("")
    return decode(os.fsencode(path.name))  # in any locale the letters that the file's name shows in UTF-8


def _open_stream(path: Path) -> IndexedFile:
    """What comes from a pipe, copied once; the copy goes when it is closed."""
    with scratch_folder() as folder:
        plain, even = folder / "genome.fa", folder / "even.fa"
        copy_unpacked(path, plain)
        try:
            return _index(PlainFile(plain), path)
        except UnevenLinesError:
            copy_even(plain, even, named=path)
            return _index(PlainFile(even), path)


def _open_file(path: Path) -> IndexedFile:
    """A file, or its copy where the file itself allows no random access."""
    file = _seekable(path)
    try:
        folder = file_folder(path)
    except OSError:
        if file is None:  # else the cache may not be needed
            raise
        folder = None
    if file and not (folder and (folder / "even.fa").exists()):
        with suppress(UnevenLinesError):
            return _index(file, path, beside=Path(f"{path}.fai"), cached=folder and folder / f"{path.name}.fai")
    if folder is None:
        with scratch_folder() as scratch:
            return _open_copy(path, scratch)
    with locked(folder):
        remove_leftovers(folder)
        return _open_copy(path, folder)


def _seekable(path: Path) -> SeekableFile | None:
    """The file, if it is plain or all of it bgzip; None if it must be unpacked."""
    if _compression(path) is None:
        return PlainFile(path)
    with open(path, "rb") as stream:
        head = stream.read(16)
    if not is_bgzip(head):
        return None
    try:
        return BgzipFile(path)
    except NotBgzipError:
        return None


def _compression(path: Path) -> str | None:
    """How a file is packed; a file that cannot be a genome is refused."""
    opened = open_bytes(path)
    opened.stream.close()
    return opened.compression


def _open_copy(path: Path, folder: Path) -> IndexedFile:
    """The copy of a file in a folder, made if it is not there: unpacked, and with even lines if they are not."""
    plain, even = folder / "genome.fa", folder / "even.fa"
    if even.exists():
        return _index(PlainFile(even), path, cached=folder / "even.fa.fai")
    source = path
    if _compression(path):
        if not plain.exists():
            copy_unpacked(path, plain)
        with suppress(UnevenLinesError):
            return _index(PlainFile(plain), path, cached=folder / "genome.fa.fai")
        source = plain
    copy_even(source, even, named=path)
    plain.unlink(missing_ok=True)
    return _index(PlainFile(even), path, cached=folder / "even.fa.fai")


def _index(file: SeekableFile, path: Path, *, beside: Path | None = None, cached: Path | None = None) -> IndexedFile:
    check = partial(_check_records, label_of(path))
    return open_indexed(file, path, check=check, beside=beside, cached=cached)


def _check_records(label: str, entries: list[FastaEntry], file: SeekableFile) -> None:
    """Refuse two records of one id, a file without letters, and one whose letters are those of proteins."""
    counts = Counter(decode(entry.name) for entry in entries)
    if len(counts) < len(entries):
        (name, _), *_ = counts.most_common(1)
        raise InputError(
            f'{label}: two records share the id "{name}"; give each record an id (first word of its header) of its own.'
        )
    filled = [entry for entry in entries if entry.length]
    if not filled:
        raise InputError(f"{label}: no record holds a sequence; give a FASTA file with at least one.")
    step = -(-len(filled) // _SAMPLED_RECORDS)
    spans = [(entry.offset, entry.byte_of(min(entry.length, _SAMPLED_NT) - 1) + 1) for entry in filled[::step]]
    sample = b"".join(file.read(start, end) for start, end in spans).translate(None, b"\r\n")
    n_amino_acids = len(sample) - len(sample.translate(None, _AMINO_ACIDS_ONLY))
    if n_amino_acids > _MOST_AMINO_ACIDS * len(sample):
        raise InputError(
            f"{label}: looks like protein ({n_amino_acids} of {len(sample)} sampled letters are no nucleotide codes); "
            "give the DNA or RNA sequence."
        )


def read_sequences(path: str | os.PathLike[str]) -> list[Record]:
    """All records of a small FASTA file, plain or packed, or of standard input (``-``).

    Raises
    ------
    InputError
        If the file is missing, unreadable, empty, damaged, not FASTA, or has an empty record.
    """
    path = Path(path)
    with open_text(path, wanted="FASTA") as stream:
        records = list(_records(stream, label_of(path)))
    if not records:
        raise InputError(f"{label_of(path)}: not a FASTA file: no line starts with '>'.")
    return records


def _records(stream: TextIO, label: str) -> Iterator[Record]:
    """Records of FASTA; blank lines and comments (``;``) are skipped."""
    name: str | None = None
    letters: list[str] = []
    number = 0
    for line in stream:
        if line.startswith(">"):
            if name is not None:
                yield _record(name, letters, number, label)
            name, letters, number = (line[1:].split(maxsplit=1) or [""])[0], [], number + 1
        elif line.startswith(";") or not line.strip():
            continue
        elif name is None:
            raise InputError(f"{label}: not a FASTA file: its first line does not start with '>'.")
        else:
            letters.append(line)
    if name is not None:
        yield _record(name, letters, number, label)


def _record(name: str, lines: list[str], number: int, label: str) -> Record:
    sequence = "".join("".join(lines).split()).upper()
    if not name or not sequence or not sequence.isascii():
        what = "has no id" if not name else "holds letters that are not ASCII" if sequence else "has no sequence"
        raise InputError(f"{label}: record {number} {quoted(name)} {what}; fix or remove it.")
    return Record(name, sequence)
