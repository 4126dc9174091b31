"""Text files nearly as users have them: FASTA, its index, annotation and tables, plain and packed."""

import bz2
import gzip
import lzma
import struct
import zlib
from functools import cache

from hypothesis import strategies as st

from helpers_fuzz import ODD_KINDS, ODD_NUMBERS, Content, Special, mutated

__all__ = [
    "annotations",
    "bgzip",
    "bgzip_files",
    "fasta_texts",
    "indices",
    "odd_or",
    "packed",
    "regions",
    "tables_of_precursors",
]

_ENDS = st.sampled_from((b"\n", b"\n", b"\n", b"\r\n", b"\r", b"\n\n", b""))
# fmt: off
_BASES = st.sampled_from((
    b"ACGU" * 15, b"acgtn" * 12, b"A", b"ACGTACGTAC", b"NNNN", b"RYKM", b"AC GT", b"AC\tGT", b"MKVLI" * 9, b"AC\0GT",
    b"\xc3\xa9", b"\xff", b"A" * 70_000, b"*", b"-", b"> A", b";c", b" ", b"",
))
_NAMES = st.sampled_from((
    b"c", b"d", b"c d", b"", b" ", b"\xff", b"\xc3\xa9", b"a\tb", b"x" * 3000, b"\0", b">", b"..", b"/", b"\x1b[2J",
    b"__HIVE_DEFAULT_PARTITION__", b"CON", b"C",
))
# fmt: on


def _joined(lines: st.SearchStrategy[bytes], most: int) -> st.SearchStrategy[bytes]:
    return st.lists(st.tuples(lines, _ENDS).map(b"".join), max_size=most).map(b"".join)


def fasta_texts() -> st.SearchStrategy[bytes]:
    """FASTA of records and lines of every kind, some as they should be."""
    records = st.tuples(_NAMES.map(lambda name: b">" + name + b"\n"), _joined(_BASES, 5)).map(b"".join)
    before = st.sampled_from((b"", b"", b"", b"\xef\xbb\xbf", b";comment\n", b"\n", b"ACGU\n", b"\r\n"))
    return st.tuples(before, st.lists(records, max_size=4).map(b"".join)).map(b"".join)


@st.composite
def packed(draw: st.DrawFn, texts: st.SearchStrategy[bytes]) -> bytes:
    """Texts, plain, or packed once or twice, whole or damaged."""
    content = draw(texts)
    for _ in range(draw(st.sampled_from((0, 1, 1, 1, 2)))):
        pack = draw(st.sampled_from((gzip.compress, bz2.compress, lzma.compress, bgzip, _zstd, _lzma)))
        content = pack(content)
    return draw(mutated(content)) if draw(st.booleans()) else content


def _zstd(content: bytes) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def _lzma(content: bytes) -> bytes:
    return lzma.compress(content, format=lzma.FORMAT_ALONE)


def _block(content: bytes, *, size: int | None = None, length: int | None = None) -> bytes:
    """A BGZF block; its size and unpacked length may be told wrongly."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    data = packer.compress(content) + packer.flush()
    told = len(data) + 25 if size is None else size
    head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", told % 65536)
    return head + data + struct.pack("<II", zlib.crc32(content), (len(content) if length is None else length) % 2**32)


_END = _block(b"")


def bgzip(content: bytes, *, block: int = 3000) -> bytes:
    """Content in BGZF blocks, with the mark at the end."""
    return b"".join(_block(content[k : k + block]) for k in range(0, len(content), block)) + _END


@cache
def _bomb(length: int) -> bytes:
    """A block of 60 kB that unpacks to 40 MB."""
    return _block(b"A" * 40_000_000, length=length)


@st.composite
def bgzip_files(draw: st.DrawFn) -> bytes:
    """BGZF whose blocks tell wrong sizes, or unpack to more than they tell."""
    content = draw(fasta_texts())
    step = draw(st.sampled_from((1, 50, 3000, 60_000)))
    blocks = []
    for k in range(0, min(len(content), 40 * step), step):
        piece = content[k : k + step]
        how = draw(st.sampled_from(("right", "right", "size", "length", "bomb", "empty")))
        size = draw(st.sampled_from((0, 1, 17, 18, 25, 26, 65535))) if how == "size" else None
        length = (
            draw(st.sampled_from((0, 1, len(piece) + 1, 65536, 65537, 2**31, 2**32 - 1))) if how == "length" else None
        )
        if how == "bomb":
            blocks.append(_bomb(len(piece)))
            continue
        blocks.append(_block(b"" if how == "empty" else piece, size=size, length=length))
    whole = b"".join(blocks) + draw(
        st.sampled_from((_END, _END, b"", _END * 2, _END[:10], b"x", gzip.compress(b">x\nAC\n")))
    )
    return draw(mutated(whole)) if draw(st.integers(0, 3)) == 0 else whole


@st.composite
def indices(draw: st.DrawFn, true: bytes) -> bytes:
    """A .fai near the true one: its numbers, names and lines changed."""
    if draw(st.integers(0, 3)) == 0:
        return draw(mutated(true))
    lines = [line.split(b"\t") for line in true.splitlines()]
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.integers(0, len(lines) - 1))
        column = draw(st.integers(0, len(lines[row]) - 1))
        value = draw(st.sampled_from((*ODD_NUMBERS, None)))
        if value is None:
            old = lines[row][column]
            value = int(old) + draw(st.integers(-3, 3)) if old.isdigit() else 0
        lines[row][column] = str(value).encode()
        if draw(st.integers(0, 4)) == 0:
            lines = draw(st.permutations(lines))[: draw(st.integers(1, len(lines)))]
    return b"".join(b"\t".join(line) + b"\n" for line in lines)


_COORDINATES = st.one_of(
    st.sampled_from(
        (
            "1",
            "10",
            "90",
            "100",
            "0",
            "-5",
            "1e3",
            "1.5",
            "",
            "²",
            "\u0661",
            "1_0",
            " 7 ",
            "+5",
            "nan",
            "9" * 19,
            "9" * 5000,
        )
    ),
    st.sampled_from(ODD_NUMBERS).map(str),
)
_CONTIGS = st.sampled_from(
    ("c", "d", "x", "", "c%20d", "%ED%A0%80", "%", "é", "chr1", "track", ">c", "\0", "x" * 2000, "\x1b[2J", "\u2028")
)
_STRANDS = st.sampled_from(("+", "-", "+", "-", ".", "", "++", "?"))
_TYPES = st.sampled_from(("miRNA_primary_transcript", "pre_miRNA", "miRNA", "gene", ""))
_ATTRIBUTES = st.sampled_from(
    ("ID=a;Name=b", "Name=%00%FF", "ID=", "", "=;=;=", "Name=a=b", "ID=a;" * 3000, "x" * 50_000, "Name=\x1b[2J")
)
_HEADERS = st.sampled_from(
    ("##gff-version 3", "#c", "track name=x", "browser position c:1-2", "##FASTA", ">c", "", " ", "\ufeff", "###")
)


def annotations() -> st.SearchStrategy[bytes]:
    """Lines of GFF3 (GTF among it) and BED, right ones and others."""
    dot = st.sampled_from((".", "0", "", "1000"))
    gff = st.tuples(_CONTIGS, dot, _TYPES, _COORDINATES, _COORDINATES, dot, _STRANDS, dot, _ATTRIBUTES).map("\t".join)
    bed = st.tuples(_CONTIGS, _COORDINATES, _COORDINATES, _ATTRIBUTES, dot, _STRANDS).map("\t".join)
    bed12 = st.tuples(bed, _COORDINATES, _COORDINATES, dot, dot, _COORDINATES, _COORDINATES).map("\t".join)
    short = st.lists(st.one_of(_CONTIGS, _COORDINATES), max_size=12).map("\t".join)
    good = st.sampled_from(("c\t.\tpre_miRNA\t11\t90\t.\t+\t.\tID=a", "c\t10\t90\ta\t0\t+"))
    return _text(st.one_of(gff, gff, bed, bed, bed12, short, good, _HEADERS))


def regions() -> st.SearchStrategy[bytes]:
    """Lines of BED with three columns or more."""
    fields = st.tuples(_CONTIGS, _COORDINATES, _COORDINATES)
    line = st.one_of(fields.map("\t".join), fields.map(" ".join), st.just("c\t1\t50"), _HEADERS)
    return _text(line)


def tables_of_precursors() -> st.SearchStrategy[bytes]:
    """miRBase's table with columns missing, short rows and texts of every kind."""
    names = ("pre_acc", "pre_name", "pre_seq", "m1_acc", "m1", "m1_seq", "m2_acc", "m2", "m2_seq")
    header = st.one_of(
        st.just("\t".join(names)), st.lists(st.sampled_from((*names, "", "x")), max_size=10).map("\t".join)
    )
    cell = st.sampled_from(
        (
            "hsa-mir-21",
            "ath-MIR156a",
            "x",
            "",
            "-",
            "a-",
            "NA",
            "ACGU" * 20,
            "UGAGGUAGUAGGUUGUAUAGUU" * 3,
            "N",
            "²",
            "\0",
            "é",
        )
    )
    row = st.lists(cell, min_size=5, max_size=11).map("\t".join)
    return st.tuples(header.map(lambda text: text.encode() + b"\n"), _text(row)).map(b"".join)


def _text(lines: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    return _joined(lines.map(lambda line: line.encode("utf-8", "surrogatepass")), 8)


def odd_or(content: st.SearchStrategy[bytes], *, kinds: tuple[str, ...] = ODD_KINDS) -> st.SearchStrategy[Content]:
    """Seldom something else in place of a file."""
    return st.integers(0, 19).flatmap(lambda k: content if k else st.sampled_from(kinds).map(Special))
