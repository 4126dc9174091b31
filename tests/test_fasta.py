"""FASTA in every form that users bring, and one sentence for every form that is wrong."""

import gzip
import os
import random

import pytest
from Bio import bgzf
from hypothesis import given, settings
from hypothesis import strategies as st

from mirsweep.scanner import InputError, open_genome, read_sequences

RECORDS = {"chr1": "ACGTNNacgtRYACGATTGA" * 40, "b|x/../y": "GGCC", "c": "A" * 61}


def fasta_text(newline="\n", width=60):
    lines = []
    for name, letters in RECORDS.items():
        lines.append(f">{name} some words {newline}")
        lines += [letters[k : k + width] + newline for k in range(0, len(letters), width)]
    return "".join(lines)


def write_plain(path, text):
    path.write_bytes(text.encode())
    return path


def write_gzip(path, text):
    path = path.with_name(path.name + ".gz")
    path.write_bytes(gzip.compress(text.encode()))
    return path


def write_bgzip(path, text):
    path = path.with_name(path.name + ".gz")
    with bgzf.BgzfWriter(str(path)) as out:
        out.write(text)
    return path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MIRSWEEP_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("write", [write_plain, write_gzip, write_bgzip])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_form_reads_the_same(tmp_path, write, newline):
    genome = open_genome(write(tmp_path / "toy.fa", fasta_text(newline)))
    assert genome.name == "toy"
    assert dict(genome.contigs) == {name: len(letters) for name, letters in RECORDS.items()}
    for name, letters in RECORDS.items():
        rng = random.Random(name)
        for _ in range(30):
            start, end = sorted(rng.randint(0, len(letters)) for _ in range(2))
            assert genome.fetch(name, start, end) == letters[start:end].encode()


@pytest.mark.parametrize("write", [write_plain, write_gzip, write_bgzip])
@pytest.mark.parametrize(
    "text",
    [
        ">a\nACGTA\nCG\n>b\nTTT\n\n\n",
        "\n;made by hand\n\n>a\r\n\r\nACGT\r\nA\r\n\r\nCG\r\n\r\n\r\n>b\r\nTTT\r\n",
        ">a\nACG\nTACG\n>b\nTTT",
        ">a\nA\nCGTACG\n>b\nT\nTT",
        ">a\n\n\nACGTACG\n>b\n\nT\nTT",
        ">a b a b\nA\nCGTACG\n>b\nTTT\n\n",
    ],
)
def test_blank_and_uneven_lines_change_nothing(tmp_path, write, text):
    path = write(tmp_path / "toy.fa", text)
    genome = open_genome(path)
    assert genome.contigs == (("a", 7), ("b", 3))
    for name, letters in (("a", "ACGTACG"), ("b", "TTT")):
        for start in range(len(letters)):
            for end in range(start + 1, len(letters) + 1):
                assert genome.fetch(name, start, end) == letters[start:end].encode()
    assert genome.name == "toy"
    assert genome.path == path


@given(
    pieces=st.lists(st.lists(st.text("ACGTN", max_size=9), min_size=1, max_size=6), min_size=1, max_size=4),
    newline=st.sampled_from(["\n", "\r\n"]),
    chunk=st.integers(1, 12),
)
@settings(max_examples=200, deadline=None)
def test_lines_of_any_length_hold_the_same_letters(tmp_path_factory, pieces, newline, chunk):
    folder = tmp_path_factory.mktemp("uneven")
    text = "".join(f">r{k}{newline}" + newline.join(lines) + newline for k, lines in enumerate(pieces))
    records = [(f"r{k}", "".join(lines)) for k, lines in enumerate(pieces)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIRSWEEP_CACHE", str(folder / "cache"))
        patch.setattr("mirsweep.scanner.unpacked._CHUNK_NT", chunk)
        if not any(letters for _, letters in records):
            return
        genome = open_genome(write_plain(folder / "toy.fa", text))
        assert [tuple(contig) for contig in genome.contigs] == [(name, len(letters)) for name, letters in records]
        for name, letters in records:
            for start in range(len(letters)):
                assert genome.fetch(name, start, len(letters)) == letters[start:].encode()


def test_blanks_within_a_sequence_are_refused(tmp_path):
    genome = open_genome(write_plain(tmp_path / "toy.fa", ">a\nACGT ACGT\n"))
    with pytest.raises(InputError, match=r"toy\.fa: record 'a' has blanks"):
        genome.fetch("a", 0, 9)


def test_what_is_not_there_is_named(tmp_path):
    genome = open_genome(write_plain(tmp_path / "toy.fa", ">a\nACGT\n>b\nAC\n>c\n"))
    with pytest.raises(InputError, match=r"toy\.fa: has no record 'd'"):
        genome.fetch("d", 0, 1)
    for contig, start, end in (("a", 2, 5), ("a", -1, 2), ("c", 0, 1)):
        with pytest.raises(
            InputError, match=rf"toy\.fa: record '{contig}' has . nt; {start} to {end} is not within it"
        ):
            genome.fetch(contig, start, end)


def test_refget_is_that_of_the_specification(tmp_path):
    """The example of the GA4GH refget specification, ACGT; names, case and line ends do not count."""
    genome = open_genome(write_plain(tmp_path / "a.fa", ">one\nACGT\n>two\nac\ngt\n>other\nACGA\n"))
    assert genome.refget("one") == genome.refget("two") == "SQ.aKF498dAxcJAqme6QYQ7EZ07-fiw8Kw2"
    assert genome.refget("other") != genome.refget("one")


def test_refget_of_contigs_of_asked_lengths_is_made_with_the_digest(tmp_path):
    path = write_plain(tmp_path / "a.fa", ">one\nacgt\n>other\nACGAA\n")
    genome, plain = open_genome(path), open_genome(path)
    genome.read_all([4])
    assert genome.digest == plain.digest
    write_plain(path, ">one\nTTTT\n>other\nACGAAA\n")  # nothing can be read any more
    assert genome.refget("one") == "SQ.aKF498dAxcJAqme6QYQ7EZ07-fiw8Kw2"
    with pytest.raises(InputError, match="has changed"):
        genome.refget("other")


def test_digest_knows_the_letters_not_the_layout(tmp_path):
    plain = open_genome(write_plain(tmp_path / "a.fa", fasta_text()))
    packed = open_genome(write_gzip(tmp_path / "b.fa", fasta_text("\r\n", width=70)))
    other = open_genome(write_plain(tmp_path / "c.fa", fasta_text().replace("GGCC", "GGCA")))
    assert plain.digest == packed.digest != other.digest


def test_a_fetch_may_begin_where_a_full_bgzip_block_ends(tmp_path):
    letters = "".join(random.Random(1).choices("ACGT", k=150_000))
    text = f">c\n{letters}\n".encode()
    path = tmp_path / "toy.fa.gz"
    with bgzf.BgzfWriter(str(path)) as out:
        for start in range(0, len(text), 65_536):
            out._write_block(text[start : start + 65_536])
    genome = open_genome(path)
    for end_of_block in (65_536, 131_072):
        start = end_of_block - len(">c\n")
        assert genome.fetch("c", start, start + 50) == letters[start : start + 50].encode()


@pytest.mark.parametrize("write", [write_gzip, write_bgzip])
def test_packed_files_need_no_ending(tmp_path, write):
    path = write(tmp_path / "toy.fa", fasta_text()).rename(tmp_path / "packed")
    assert open_genome(path).fetch("c", 0, 3) == b"AAA"


def test_a_changed_file_is_indexed_anew(tmp_path):
    path = write_plain(tmp_path / "toy.fa", fasta_text())
    open_genome(path).close()
    write_plain(path, ">new\nACGTACGT\n")
    os.utime(path, (2e9, 2e9))
    assert dict(open_genome(path).contigs) == {"new": 8}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"hello world\n", "not a well-formed FASTA"),
        (b"ACGT\n>a\nACGT\n", "not a well-formed FASTA"),
        (b">a\nACGT\n>a\nAC\n", "two records share the id"),
        (b">a x\nACGT\n>a y\nAC\n", "two records share the id"),
        (b"junk\n>a\nACGT\nA\nACGT\n", "not a well-formed FASTA"),
        (b">a\nACGT\nA\nACGT\n>a\nA", "two records share the id"),
        (gzip.compress(b">a\n" + b"ACGT" * 1000, mtime=0)[:-20], "cut off"),
        (b"\x1f\x8b\x08\x00garbage-garbage-garbage", "damaged"),
        (bytes(range(128, 256)) * 10, "FASTA"),
    ],
)
def test_bad_genomes_get_one_sentence(tmp_path, content, words):
    path = tmp_path / "bad.fa"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as raised:
        open_genome(path)
    assert "bad.fa" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "cache"] == ["bad.fa"]


def test_records_without_sequence_are_refused_only_if_all_are(tmp_path):
    with pytest.raises(InputError, match="no record holds a sequence"):
        open_genome(write_plain(tmp_path / "none.fa", ">a\n>b\n"))
    assert dict(open_genome(write_plain(tmp_path / "some.fa", ">a\n>b\nAC\n")).contigs) == {"a": 0, "b": 2}


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_genome(tmp_path / "absent.fa")
    with pytest.raises(InputError, match="not a file"):
        open_genome(tmp_path)


def test_no_room_to_unpack_is_one_sentence(tmp_path, monkeypatch):
    path = write_gzip(tmp_path / "toy.fa", fasta_text())
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("MIRSWEEP_CACHE", str(blocked))
    with pytest.raises(InputError, match="MIRSWEEP_CACHE"):
        open_genome(path)
    for number, text in enumerate((fasta_text(), fasta_text().replace("\n", "\n\n"))):  # these need no cache
        assert open_genome(write_plain(tmp_path / f"{number}.fa", text)).fetch("b|x/../y", 0, 4) == b"GGCC"
    assert (tmp_path / "0.fa.fai").exists()


@pytest.mark.parametrize("write", [write_plain, write_gzip])
def test_read_sequences(tmp_path, write):
    records = read_sequences(write(tmp_path / "toy.fa", fasta_text("\r\n")))
    assert [(r.id, r.sequence) for r in records] == [(name, s.upper()) for name, s in RECORDS.items()]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"ACGU\n", "not a FASTA"), (b">a\n\n>b\nAC\n", "no sequence"), (b">\nAC\n", "no id")],
)
def test_bad_sequences_get_one_sentence(tmp_path, content, words):
    path = tmp_path / "bad.fa"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_sequences(path)


def test_names_as_long_as_a_page_are_not_repeated(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(f">{9000 * 'A'}\nACGT\nA GT\nAC\n")
    with pytest.raises(InputError) as error:
        open_genome(path).fetch(9000 * "A", 0, 8)
    assert len(str(error.value)) < 1000
