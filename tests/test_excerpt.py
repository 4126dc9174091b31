"""Letters read by another process: those that the genome itself gives, or none at all."""

import gzip
import os
import pickle
import random
import shutil

import pytest

from helpers_fuzz_texts import bgzip as in_blocks
from mirsweep.scanner.excerpt import Span, read_excerpt
from mirsweep.scanner.fasta import open_genome
from mirsweep.scanner.reversed import Reversed


def make_text(end: str = "\n") -> str:
    draw = random.Random(1)
    records = {"one": 300_000, "two": 59, "three": 60, "four": 150_001}
    lines = []
    for name, n in records.items():
        bases = "".join(draw.choices("ACGTNacgt", k=n))
        lines += [f">{name} of a genome", *(bases[i : i + 60] for i in range(0, n, 60))]
    return end.join([*lines, ""])


def plain(path):
    path.write_text(make_text())


def with_crlf(path):
    path.write_bytes(make_text("\r\n").encode())


def bgzip(path):
    path.write_bytes(in_blocks(make_text().encode()))


def unpacked(path):
    path.write_bytes(gzip.compress(make_text().encode()))


SPANS = [
    Span("one", 0, 1),
    Span("one", 59, 61),
    Span("one", 70_000, 270_007),
    Span("two", 0, 59),
    Span("three", 0, 60),
    Span("four", 149_000, 150_001),
]


@pytest.fixture(params=[plain, with_crlf, bgzip, unpacked])
def path(tmp_path, request):
    made = tmp_path / "genome.fa.gz"
    request.param(made)
    return made


@pytest.mark.parametrize("view", [lambda genome: genome, Reversed])
def test_letters_are_those_of_the_genome(path, view):
    genome = view(open_genome(path))
    excerpt = pickle.loads(pickle.dumps(genome.excerpt(SPANS)))
    assert read_excerpt(excerpt, SPANS) == [genome.fetch(*span) for span in SPANS]


def test_an_excerpt_is_small(path):
    genome = open_genome(path)
    assert len(pickle.dumps(genome.excerpt([Span("one", 1000, 1100)]))) < 1000


def test_a_file_that_was_replaced_is_another(tmp_path):
    path = tmp_path / "genome.fa"
    plain(path)
    genome = open_genome(path)
    before = [genome.fetch(*span) for span in SPANS]
    excerpt = genome.excerpt(SPANS)
    assert read_excerpt(excerpt, SPANS) == before
    copy = tmp_path / "copy.fa"
    shutil.copy2(path, copy)  # with the same size and time
    os.replace(copy, path)
    assert read_excerpt(excerpt, SPANS) is None
    assert [genome.fetch(*span) for span in SPANS] == before, "who has opened it reads on"


def test_a_file_that_was_written_to_is_another(tmp_path):
    path = tmp_path / "genome.fa"
    plain(path)
    genome = open_genome(path)
    excerpt, status = genome.excerpt(SPANS), path.stat()
    with open(path, "r+b") as stream:
        stream.seek(1000)
        stream.write(b"A")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert read_excerpt(excerpt, SPANS) is None


def test_a_file_that_was_only_touched_is_read_once_that_is_known(tmp_path):
    path = tmp_path / "genome.fa"
    plain(path)
    genome = open_genome(path)
    _ = genome.digest
    former = genome.excerpt(SPANS)
    os.utime(path)
    assert read_excerpt(former, SPANS) is None
    expected = [genome.fetch(*span) for span in SPANS]  # looks at the file again
    assert read_excerpt(genome.excerpt(SPANS), SPANS) == expected


def test_a_file_that_is_gone_or_shorter_gives_nothing(tmp_path):
    path = tmp_path / "genome.fa"
    plain(path)
    excerpt = open_genome(path).excerpt(SPANS)
    path.unlink()
    assert read_excerpt(excerpt, SPANS) is None
    path.write_text(">one\nACGT\n")
    assert read_excerpt(excerpt, SPANS) is None
