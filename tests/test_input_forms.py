"""Genomes as users have them: packed, piped, with any line end and encoding; what is no FASTA is named."""

import bz2
import gzip
import io
import lzma
import os
import shlex
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from Bio import SeqIO, bgzf

from mirsweep.scanner import InputError, open_genome, read_sequences

LETTERS = {"one": "ACGTTGCA" * 50, "two": "GGCCAUNRY" * 31}
TEXT = "".join(
    f">{name} words\n" + "".join(s[k : k + 60] + "\n" for k in range(0, len(s), 60)) for name, s in LETTERS.items()
)
FASTA = TEXT.encode()
HALF = FASTA.index(b">two")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MIRSWEEP_CACHE", str(tmp_path / "cache"))


def letters_of(genome) -> dict[str, str]:
    return {c.name: genome.fetch(c.name, 0, c.length).decode() for c in genome.contigs}


def bgzip(content: bytes) -> bytes:
    out = io.BytesIO()
    with bgzf.BgzfWriter(fileobj=out) as stream:
        stream.write(content)
        stream.flush()
        return out.getvalue() + bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


PACKED = {
    "bgzip, then gzip": bgzip(FASTA[:HALF]) + gzip.compress(FASTA[HALF:]),
    "bgzip within a record, then gzip": bgzip(FASTA[:200]) + gzip.compress(FASTA[200:]),
    "two bgzip files": bgzip(FASTA[:HALF]) + bgzip(FASTA[HALF:]),
    "two gzip members": gzip.compress(FASTA[:200]) + gzip.compress(FASTA[200:]),
    "bzip2": bz2.compress(FASTA),
    "two bzip2 streams": bz2.compress(FASTA[:200]) + bz2.compress(FASTA[200:]),
    "xz": lzma.compress(FASTA),
    "lzma": lzma.compress(FASTA, format=lzma.FORMAT_ALONE),
    "zstd": zstd(FASTA),
    "two zstd frames": zstd(FASTA[:200]) + zstd(FASTA[200:]),
    "gzip in gzip": gzip.compress(gzip.compress(FASTA)),
    "byte order mark": b"\xef\xbb\xbf" + FASTA,
    "byte order mark in gzip": gzip.compress(b"\xef\xbb\xbf" + FASTA),
    "byte order mark, uneven": b"\xef\xbb\xbf" + FASTA.replace(b"\n>two", b"\n\n\n>two").replace(b"G\n", b"G\n\n"),
    "CR": FASTA.replace(b"\n", b"\r"),
    "CR in gzip": gzip.compress(FASTA.replace(b"\n", b"\r")),
    "CRLF": FASTA.replace(b"\n", b"\r\n"),
    "LF and CRLF": FASTA[:HALF] + FASTA[HALF:].replace(b"\n", b"\r\n"),
    "LF and CRLF within a record": FASTA[:150] + FASTA[150:].replace(b"\n", b"\r\n"),
    "comments": b";made by hand\n" + FASTA.replace(b"words\n", b"words\n;a comment; > no header\n", 1) + b";the end\n",
    "comment between lines": FASTA[:133] + b";half a comment\n" + FASTA[133:],
}


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.gz"])
@pytest.mark.parametrize("kind", PACKED)
def test_packed_and_odd_files_hold_the_same_letters(tmp_path, kind, name):
    path = tmp_path / name
    path.write_bytes(PACKED[kind])
    for _ in range(2):
        genome = open_genome(path)
        assert letters_of(genome) == LETTERS
        assert genome.name == "genome"
    assert [(r.id, r.sequence) for r in read_sequences(path)] == list(LETTERS.items())
    assert path.read_bytes() == PACKED[kind]


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
@pytest.mark.parametrize("read", [open_genome, read_sequences])
def test_packed_data_that_are_cut_off_are_named(tmp_path, kind, read):
    content = {"gzip": gzip.compress(FASTA)} | PACKED
    path = tmp_path / "genome.fa.packed"
    path.write_bytes(content[kind][:-30])
    with pytest.raises(InputError, match=r"genome\.fa\.packed: the packed data are damaged or cut off"):
        read(path)
    assert not list((tmp_path / "cache").rglob("*.fa"))


def test_a_bgzip_file_that_lost_its_last_blocks_is_named(tmp_path):
    path = tmp_path / "genome.fa.gz"
    path.write_bytes(bgzip(FASTA * 1)[:-28])
    with pytest.raises(InputError, match=r"genome\.fa\.gz: the bgzip data are cut off"):
        open_genome(path)


@pytest.mark.parametrize("n_bytes", [5, 17, 19, 1000, 20_000, 33_000, -1, -29, -100])
def test_a_bgzip_file_cut_within_a_block_is_named(tmp_path, n_bytes):
    letters = np.random.default_rng(0).choice(np.frombuffer(b"ACGT", np.uint8), 120_000).tobytes()
    lines = b"\n".join(letters[i : i + 60] for i in range(0, len(letters), 60))
    path = tmp_path / "genome.fa.gz"
    path.write_bytes(bgzip(b">c\n" + lines + b"\n")[:n_bytes])
    with pytest.raises(InputError, match=r"genome\.fa\.gz: the .* data are (damaged or )?cut off"):
        open_genome(path)


def test_damaged_bgzip_data_are_named(tmp_path):
    content = bytearray(bgzip(FASTA))
    content[60] ^= 255
    path = tmp_path / "genome.fa.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"genome\.fa\.gz: the packed data are damaged"):
        open_genome(path)


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("genome.fa", content)
    return out.getvalue()


def tarred(content: bytes, mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        entry = tarfile.TarInfo("genome.fa")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def as_format(kind: str) -> bytes:
    """The first record in another format, by Biopython."""
    (record, *_) = SeqIO.parse(io.StringIO(TEXT), "fasta")
    record.annotations["molecule_type"] = "DNA"
    record.letter_annotations["phred_quality"] = [30] * len(record)
    out = io.StringIO()
    SeqIO.write([record], out, kind)
    return out.getvalue().encode()


CONVERTED = {
    "tar": (tarred(FASTA, "w"), "a tar archive"),
    "tar.gz": (tarred(FASTA, "w:gz"), "a tar archive"),
    "tar.bz2": (tarred(FASTA, "w:bz2"), "a tar archive"),
    "tar.xz": (tarred(FASTA, "w:xz"), "a tar archive"),
    "GenBank": (as_format("genbank"), "GenBank"),
    "GenBank in gzip": (gzip.compress(as_format("genbank")), "GenBank"),
    "EMBL": (as_format("embl"), "EMBL"),
    "FASTQ": (as_format("fastq"), "FASTQ"),
    "FASTQ in bzip2": (bz2.compress(as_format("fastq")), "FASTQ"),
    "UTF-16": (TEXT.encode("utf-16"), "text in UTF-16"),
}


@pytest.mark.parametrize("read", [open_genome, read_sequences])
@pytest.mark.parametrize("kind", CONVERTED)
def test_other_formats_are_named_with_a_command_that_works(tmp_path, kind, read):
    content, words = CONVERTED[kind]
    path = tmp_path / "my file"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as raised:
        read(path)
    sentence, command = str(raised.value).split("; convert it: ")
    assert sentence.startswith(f"{path}: {words}")
    assert sentence.endswith("not FASTA")
    assert list(tmp_path.iterdir()) == [path]
    python = f"PATH={shlex.quote(os.path.dirname(sys.executable))}:$PATH; "
    subprocess.run(["bash", "-c", python + command], cwd=tmp_path, check=True)
    made = letters_of(open_genome(tmp_path / "genome.fa"))
    assert made["one"] == LETTERS["one"]
    assert len(made) == (2 if "tar" in kind or kind == "UTF-16" else 1)


NAMED = {
    "zip": (zipped(FASTA), "a zip archive, not FASTA; convert it: unzip -p {path} > genome.fa"),
    "2bit": (b"\x43\x27\x41\x1a" + bytes(12), "UCSC 2bit, not FASTA; convert it: twoBitToFa {path} genome.fa"),
    "2bit, other end first": (b"\x1a\x41\x27\x43" + bytes(12), "twoBitToFa"),
    "BAM": (bgzip(b"BAM\x01" + bytes(40)), "BAM, aligned reads, not FASTA; convert it: samtools fasta {path}"),
    "SAM": (b"@HD\tVN:1.6\n@SQ\tSN:1\tLN:9\n", "SAM, aligned reads"),
    "CRAM": (b"CRAM\x03\x00" + bytes(40), "CRAM, aligned reads"),
    "GFF3": (b"##gff-version 3\nc\t.\tgene\t1\t9\t.\t+\t.\tID=x\n", "GFF3, an annotation, not FASTA; give the genome"),
    "VCF": (gzip.compress(b"##fileformat=VCFv4.2\n"), "VCF, variants"),
    "HTML": (b"\n<!DOCTYPE html>\n<html><body>404</body></html>\n", "a web page, not FASTA; the download has failed"),
    "HTML in gzip": (gzip.compress(b"<html><body>404</body></html>\n"), "a web page"),
    "XML": (b'<?xml version="1.0"?><Error/>', "XML"),
    "JSON": (b'{"error": "not found"}', "JSON"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
    "compress": (b"\x1f\x9d\x90" + bytes(range(99)), "compressed by compress, not FASTA; convert it: gzip -dc {path}"),
    "binary": (b"\x7fELF\0\0\0", "binary data, not FASTA"),
    "letters only": (b"ACGTACGT\n", "not a .*FASTA file: its first line does not start with '>'"),
    "protein": (
        b">p\nMSKGEELFTGVVPILVELDGDVNGHKFSVSGEGEGDATYGKLTLKFICTTGKLPVPWPTLVTTFSYGVQCFSRYPDHMKQHDFFKS\n",
        "looks like protein",
    ),
    "empty in gzip": (gzip.compress(b""), "the file is empty"),
    "no id": (b">a\nACGT\n>\nACGT\n", "the header in line 3 has no id"),
    "header in a line, uneven": (b">a\nACGT\n\n >b\nACGT\n", "'>' or ';' within a line of letters"),
    "comment in a line, uneven": (b">a\nACGT\n\nACGT ; note\n", "'>' or ';' within a line of letters"),
    "indented comment": (b">a\nACGTACGT\nAC\n ; note\n", "'>' or ';' within a line of letters"),
    "no id, uneven": (b">a\nACGT\n\nA\n> \nACGT\n", "the header in line . has no id"),
}


@pytest.mark.parametrize("kind", NAMED)
def test_what_is_no_genome_is_named(tmp_path, kind):
    content, words = NAMED[kind]
    path = tmp_path / "genome.fa"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words.format(path=path)) as raised:
        open_genome(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)
    assert {p.name for p in tmp_path.iterdir()} <= {"genome.fa", "cache"}


def test_masked_and_ambiguous_letters_are_no_protein(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(">a\n" + "NNNXXXXRYSWKMBDHVN-" * 40 + "\n>b\nnnnnacgtu\n")
    assert len(open_genome(path).contigs) == 2


@pytest.mark.parametrize(
    "content",
    [FASTA, gzip.compress(FASTA), bgzip(FASTA), FASTA.replace(b"\n", b"\n\n")],
    ids=["plain", "gzip", "bgzip", "empty lines"],
)
@pytest.mark.parametrize("read", [open_genome, read_sequences])
def test_a_pipe_is_read_from_its_first_byte(tmp_path, content, read):
    pipe = tmp_path / "genome.fa"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[content])
    writer.start()
    found = read(pipe)
    writer.join()
    if read is open_genome:
        assert letters_of(found) == LETTERS
        assert found.name == "genome"
    else:
        assert dict(found) == LETTERS
    assert {p.name for p in tmp_path.iterdir()} <= {"genome.fa", "cache"}


SHOW = """
import sys
from mirsweep.scanner.fasta import open_genome
genome = open_genome(sys.argv[1])
print(genome.name, *[f"{c.name}={genome.fetch(c.name, 0, c.length).decode()}" for c in genome.contigs])
"""


def shown(tmp_path, script: str, **variables: str) -> str:
    """What a shell prints that calls ``show GENOME``; temporary files go to a folder that is empty at the end."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    show = f'show() {{ {shlex.quote(sys.executable)} -c {shlex.quote(SHOW)} "$@"; }}; '
    done = subprocess.run(
        ["bash", "-c", show + script],
        capture_output=True,
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(temporary)} | variables,
        check=False,
    )
    assert done.stderr == b""
    assert list(temporary.iterdir()) == []
    return done.stdout.decode()


EXPECTED = "stdin " + " ".join(f"{name}={letters}" for name, letters in LETTERS.items()) + "\n"


@pytest.mark.parametrize(
    "script",
    [
        "cat genome.fa | show -",
        "cat genome.fa | show /dev/stdin",
        "show - < genome.fa",
        "show /dev/stdin < genome.fa",
        "(head -c 1 genome.fa; sleep 0.2; tail -c +2 genome.fa) | show -",
        "gzip -c genome.fa | show -",
        "show <(zcat genome.fa.gz)",
        "show <(cat genome.fa.gz)",
    ],
)
def test_standard_input_and_process_substitution(tmp_path, script):
    (tmp_path / "genome.fa").write_bytes(FASTA)
    (tmp_path / "genome.fa.gz").write_bytes(gzip.compress(FASTA))
    assert shown(tmp_path, script) == EXPECTED
    assert not list(tmp_path.rglob("*.fai"))


def test_a_file_in_shared_memory_is_a_file():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = Path(folder) / "genome.fa"
        path.write_bytes(FASTA)
        assert open_genome(path).name == "genome"
        assert Path(f"{path}.fai").exists()


def test_standard_input_that_is_closed_is_named(tmp_path):
    command = f"{sys.executable} -c {shlex.quote(SHOW)} - <&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=tmp_path, check=False)
    assert b"InputError: standard input is a terminal or closed: give a file of FASTA" in done.stderr


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
@pytest.mark.parametrize("mode", ["0", "1"])
@pytest.mark.parametrize("n_letters", [8, 1 << 25], ids=["small", "large"])
def test_names_are_the_same_in_any_locale(tmp_path, locale, mode, n_letters):
    """Twice: the second time the names come from the index."""
    if n_letters > 8 and (locale, mode) != ("C", "0"):
        pytest.skip("one large file is enough")
    (tmp_path / "é.fa").write_bytes(
        b">chr\xc3\xa9 x\nACGT\n>\xe9\xff y\nAC\n>\xe6\x9f\x93\n" + b"A" * n_letters + b"\n"
    )
    script = "show é.fa | cut -c -40; show é.fa | cut -c -40"
    out = shown(tmp_path, script, LC_ALL=locale, PYTHONUTF8=mode, PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="utf-8")
    line = f"é chré=ACGT éÿ=AC 染={'A' * n_letters}"
    assert [got[:20] for got in out.splitlines()] == [line[:20]] * 2


def test_a_name_that_is_not_utf8_can_be_written_to_parquet(tmp_path):
    path = tmp_path / "g.fa"
    path.write_bytes(b">\xe9\nACGT\n")
    (contig,) = open_genome(path).contigs
    assert pa.array([contig.name]).to_pylist() == ["é"]


def test_a_cache_of_another_user_or_open_to_all_is_not_used(tmp_path, capsys):
    folder = tmp_path / "cache" / "fasta"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    path = tmp_path / "g.fa.gz"
    path.write_bytes(gzip.compress(FASTA))
    assert letters_of(open_genome(path)) == LETTERS
    assert list(folder.iterdir()) == []
    assert f"{folder}: other users can write" in capsys.readouterr().err
    folder.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
        path.write_bytes(gzip.compress(FASTA[HALF:]))
        assert letters_of(open_genome(path)) == {"two": LETTERS["two"]}
        assert list(folder.iterdir()) == []
