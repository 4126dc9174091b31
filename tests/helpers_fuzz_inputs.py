"""Readers of what a user names: genomes and their indices, sequences, annotation, tables."""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import strategies as st

from helpers_fuzz import Files, Reader, mutated
from helpers_fuzz_texts import (
    annotations,
    bgzip_files,
    fasta_texts,
    indices,
    odd_or,
    packed,
    regions,
    tables_of_precursors,
)
from helpers_jobs import slice_bases
from mirsweep.jobs.results.known import read_known
from mirsweep.jobs.results.regions import read_bed
from mirsweep.jobs.sequences.score import checked_sequences
from mirsweep.jobs.training.precursors import read_precursors
from mirsweep.scanner import fai
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import open_genome, read_sequences

__all__ = ["INPUT_READERS"]


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    kept = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if kept is None:
            del os.environ[name]
        else:
            os.environ[name] = kept


def _read_genome(folder: Path, name: str = "g.fa") -> str:
    """Digest of a genome whose every letter was read."""
    with _environment("MIRSWEEP_CACHE", str(folder / "cache")):
        genome = open_genome(folder / name)
        try:
            return genome.digest
        finally:
            genome.close()


_FASTA = (
    b">c first\n"
    + b"\n".join([slice_bases(0, 60).encode()] * 3)
    + b"\nACGT\n>d\r\n"
    + (slice_bases(60, 110).encode() + b"\r\n") * 2
    + b">e\n>f\nA\n"
)


@cache
def _true_index() -> tuple[bytes, str]:
    """The index of ``_FASTA``, and the digest of its letters."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "g.fa")
        path.write_bytes(_FASTA)
        digest = _read_genome(Path(folder))
        return Path(f"{path}.fai").read_bytes(), digest


def _read_indexed(folder: Path) -> None:
    """With an index that is always believed if it describes the file: the letters are right, or refused."""
    kept = fai._SMALL_BYTES
    fai._SMALL_BYTES = 0
    try:
        assert _read_genome(folder) == _true_index()[1], "a wrong index was believed"
    finally:
        fai._SMALL_BYTES = kept


def _read_cached(folder: Path) -> None:
    """A genome whose unpacked copy lies in the cache, which is damaged then."""
    damage = (folder / "damage").read_bytes()
    (folder / "damage").unlink()
    _read_genome(folder, "g.fa.gz")
    for path in (folder / "cache").rglob("*.fa"):
        path.write_bytes(damage)
    for path in (folder / "cache").rglob("*.fai"):
        path.write_bytes(damage)
    _read_genome(folder, "g.fa.gz")


def _read_sequences(folder: Path) -> None:
    path = folder / "s.fa"
    checked_sequences(path, read_sequences(path), longest=400)


_FASTA_FILES = st.one_of(packed(fasta_texts()), packed(mutated(_FASTA)), mutated(gzip.compress(_FASTA)))


def _one(name: str, content: st.SearchStrategy[bytes], *, kinds: tuple[str, ...] = ("directory", "loop", "dangling")):
    """A single file that a user names: pipes and endless devices are her own choice."""
    return st.fixed_dictionaries({name: odd_or(content, kinds=kinds)})


def _read_annotation(folder: Path) -> None:
    """As loci and as regions; either may refuse."""
    refusals = []
    for read in (read_known, read_bed):
        try:
            found = read(folder / "k.gff3")
            assert all(each.start < (each.end or 2**63) < 2**63 for each in found)
        except InputError as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]


def _read_precursors(folder: Path) -> None:
    read_precursors(folder / "mirbase.tsv", folder / "mirgenedb.fa")


_GFF3 = b"##gff-version 3\nc\t.\tpre_miRNA\t11\t90\t.\t+\t.\tID=a;Name=x\nc\t.\tgene\t1\t9\t.\t-\t.\tID=g\n"
_TABLE = (
    b"pre_acc\tpre_name\tpre_seq\tm1_acc\tm1\tm1_seq\tm2_acc\tm2\tm2_seq\n"
    b"MI1\thsa-mir-21\tUGUCGGGUAGCUUAUCAGACUGAUGUUGACUGUUGAAUCUCAUGGCAACACCAGUCGAUGGGCUGUCUGACA\tM1\tx\tUAGCUUAUCAGACUGAUGUUGA\tM2\ty\tNA\n"
)


def _precursor_files() -> st.SearchStrategy[Files]:
    tables = packed(st.one_of(tables_of_precursors(), mutated(_TABLE)))
    return st.fixed_dictionaries({"mirbase.tsv": tables, "mirgenedb.fa": packed(fasta_texts())})


INPUT_READERS = (
    Reader("fasta", _one("g.fa", _FASTA_FILES), _read_genome),
    Reader("bgzip", _one("g.fa", bgzip_files()), _read_genome),
    Reader(
        "fai",
        st.deferred(
            lambda: st.fixed_dictionaries({"g.fa": st.just(_FASTA), "g.fa.fai": odd_or(indices(_true_index()[0]))})
        ),
        _read_indexed,
    ),
    Reader(
        "genome-cache",
        st.deferred(
            lambda: st.fixed_dictionaries(
                {
                    "g.fa.gz": st.just(gzip.compress(_FASTA)),
                    "damage": st.one_of(mutated(_FASTA), fasta_texts(), mutated(_true_index()[0])),
                }
            )
        ),
        _read_cached,
    ),
    Reader("sequences", _one("s.fa", _FASTA_FILES), _read_sequences),
    Reader("annotation", _one("k.gff3", packed(st.one_of(annotations(), regions(), mutated(_GFF3)))), _read_annotation),
    Reader("precursors", _precursor_files(), _read_precursors),
)
