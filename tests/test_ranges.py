"""Large genomes at an address, with an index: read by ranges, with the letters of the file; all others are copied."""

import functools
import http.server
import os
import random
import re
import struct
import threading
import time

import pytest

from helpers_fuzz_texts import bgzip
from helpers_jobs import assert_same_rows, make_model, scan, slice_bases, write_fasta
from mirsweep.scanner import InputError, at_address, ranges
from mirsweep.scanner.bgzip import BgzipFile
from mirsweep.scanner.excerpt import Span, read_excerpt
from mirsweep.scanner.fai import write_fai
from mirsweep.scanner.fasta import open_genome
from mirsweep.scanner.fasta_index import make_entries

BLOCK = 4096
CONTIGS = {"one": 30_000, "two": 59, "three": 17_001}


class Ranged(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, by ranges too unless the file's name begins with ``whole``; counts what it was asked for."""

    asked: list[str]

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        self.asked.append(f"{self.path} {self.headers.get('Range', 'all')}")
        path = self.translate_path(self.path)
        if not found or not os.path.isfile(path) or self.path.startswith("/whole"):
            super().do_GET()
            return
        with open(path, "rb") as stream:
            content, status = stream.read(), os.fstat(stream.fileno())
        start, end = int(found[1]), min(int(found[2]) + 1, len(content))
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        self.send_header("Content-Length", str(end - start))
        self.send_header("ETag", f'"{status.st_mtime_ns}"')
        self.end_headers()
        self.wfile.write(content[start:end])


@pytest.fixture
def small(monkeypatch):
    """Small files are read by ranges, too, in small blocks."""
    monkeypatch.setattr(at_address, "_LEAST_BYTES", 1000)
    monkeypatch.setattr(ranges, "_BLOCK_BYTES", BLOCK)


@pytest.fixture
def served(tmp_path, cache, small):
    """A folder, the address of the server of its files, and what it was asked for."""
    folder, asked = tmp_path / "served", []
    folder.mkdir()
    handler = type("Handler", (Ranged,), {"asked": asked})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def write_genome(path, *, is_packed, index=True):
    """A genome, and its indices as samtools faidx writes them."""
    draw = random.Random(1)
    write_fasta(path, {name: "".join(draw.choices("ACGTNacgt", k=n)) for name, n in CONTIGS.items()})
    entries = make_entries([path.read_bytes()], path)
    if is_packed:
        path.write_bytes(bgzip(path.read_bytes()))
        file = BgzipFile(path)
        starts = list(zip(file._packed, file._unpacked, strict=True))[1:-1]
        file.close()
        assert len(starts) > 1
        numbers = [number for pair in starts for number in pair]
        (path.parent / f"{path.name}.gzi").write_bytes(struct.pack(f"<Q{len(numbers)}Q", len(starts), *numbers))
    if index:
        write_fai(path.parent / f"{path.name}.fai", entries)
    return path


def copies(cache):
    return sorted(path.name for path in cache.glob("remote/*/*/*"))


def assert_same_letters(genome, path):
    of_file = open_genome(path)
    assert (genome.contigs, genome.digest) == (of_file.contigs, of_file.digest)
    for name, length in CONTIGS.items():
        for start, end in ((0, length), (0, 1), (length - 1, length), (length // 3, length // 2)):
            assert genome.fetch(name, start, end) == of_file.fetch(name, start, end)
    of_file.close()


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "bgzip"])
def test_a_genome_of_a_web_server_is_read_by_ranges(served, cache, is_packed, monkeypatch):
    folder, address, asked = served
    path = write_genome(folder / "g.fa", is_packed=is_packed)
    genome = open_genome(f"{address}/g.fa")
    assert (genome.name, genome.source) == ("g", f"{address}/g.fa")
    assert_same_letters(genome, path)
    assert copies(cache) == (["g.fa.fai", "g.fa.gzi"] if is_packed else ["g.fa.fai"])
    n_blocks = -(-path.stat().st_size // BLOCK)
    assert len({line for line in asked if "/g.fa bytes" in line}) <= n_blocks + 1, "each block once, and its state"
    assert "/g.fa all" not in asked
    asked.clear()
    ranges._MEMORY.clear()
    spans = [Span("one", 100, 20_000), Span("three", 0, 10)]
    letters = read_excerpt(genome.excerpt(spans), spans)
    assert letters == [genome.fetch(*span) for span in spans], "as another process of the node reads them"
    again = open_genome(f"{address}/g.fa")
    assert again.digest == genome.digest
    assert not [line for line in asked if "/g.fa bytes" in line and "bytes=0-0" not in line], "the node has all blocks"
    monkeypatch.setenv("MIRSWEEP_CACHE", str(cache / "of another node"))
    ranges._MEMORY.clear()
    assert read_excerpt(genome.excerpt(spans[1:]), spans[1:]) == letters[1:]


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "bgzip"])
def test_a_genome_of_an_object_store_is_read_by_ranges(bucket, small, cache, tmp_path, is_packed):
    path = write_genome(tmp_path / "ce.fa.gz", is_packed=is_packed)
    for each in tmp_path.glob("ce.fa.gz*"):
        with bucket.open_output_stream(f"genomes/deep/{each.name}", compression=None) as stream:
            stream.write(each.read_bytes())
    genome = open_genome("s3://genomes/deep/ce.fa.gz")
    assert (genome.name, genome.source) == ("ce", "s3://genomes/deep/ce.fa.gz")
    assert_same_letters(genome, path)
    assert "ce.fa.gz" not in copies(cache)
    spans = [Span("one", 5, 29_000)]
    assert read_excerpt(genome.excerpt(spans), spans) == [genome.fetch(*spans[0])]


def test_a_scan_of_ranges_has_the_rows_of_the_file(served, cache, tmp_path):
    folder, address, _ = served
    path = write_fasta(folder / "ce.fa", {"c": slice_bases(0, 12_000)})
    write_fai(folder / "ce.fa.fai", make_entries([path.read_bytes()], path))
    options = {"model": make_model(tmp_path / "m.safetensors"), "local": True, "quiet": True, "shard_nt": 5_000}
    of_web = scan(f"{address}/ce.fa", output=tmp_path / "web", **options)
    assert copies(cache) == ["ce.fa.fai"]
    assert of_web.run["genomes"][0]["file"] == f"{address}/ce.fa"
    assert_same_rows(of_web.output, scan(path, output=tmp_path / "file", **options).output)


def test_what_a_node_keeps_is_bounded(served, cache, monkeypatch):
    folder, address, _ = served
    monkeypatch.setattr(ranges, "_MOST_KEPT_BYTES", 4 * BLOCK)
    monkeypatch.setattr(ranges, "_IN_MEMORY", 2)
    path = write_genome(folder / "g.fa", is_packed=False)
    assert_same_letters(open_genome(f"{address}/g.fa"), path)
    kept = [each.stat().st_size for each in cache.glob("blocks/*/*/0*")]
    assert BLOCK < sum(kept) <= 4 * BLOCK < path.stat().st_size
    assert len(ranges._MEMORY) <= 2


def spoil_fai(path):
    fai = path.parent / f"{path.name}.fai"
    fai.write_bytes(fai.read_bytes().replace(b"30000", b"29000"))


def spoil_gzi(path):
    gzi = path.parent / f"{path.name}.gzi"
    content = bytearray(gzi.read_bytes())
    content[8] ^= 1
    gzi.write_bytes(content)


@pytest.mark.parametrize("spoil", [spoil_fai, spoil_gzi, lambda path: (path.parent / f"{path.name}.fai").unlink()])
def test_without_an_index_that_is_true_a_file_is_copied(served, cache, spoil):
    folder, address, asked = served
    path = write_genome(folder / "g.fa", is_packed=True)
    spoil(path)
    assert_same_letters(open_genome(f"{address}/g.fa"), path)
    assert "g.fa" in copies(cache)
    assert "/g.fa all" in asked


def test_a_server_without_ranges_and_a_small_file_give_copies(served, cache, monkeypatch):
    folder, address, asked = served
    path = write_genome(folder / "whole.fa", is_packed=False)
    assert_same_letters(open_genome(f"{address}/whole.fa"), path)
    assert "/whole.fa all" in asked
    monkeypatch.setattr(at_address, "_LEAST_BYTES", 1 << 24)
    path = write_genome(folder / "g.fa", is_packed=False)
    assert_same_letters(open_genome(f"{address}/g.fa"), path)
    assert "/g.fa all" in asked


def test_a_file_that_changes_while_it_is_read_is_told(served, cache, monkeypatch):
    folder, address, _ = served
    path = write_genome(folder / "g.fa", is_packed=False)
    genome = open_genome(f"{address}/g.fa")
    monkeypatch.setattr(ranges, "_LOOK_SECONDS", 0.0)
    path.write_bytes(path.read_bytes().replace(b"A", b"C", 1))
    os.utime(path, (time.time() + 100,) * 2)
    with pytest.raises(InputError, match=rf"^{address}/g.fa: has changed while it was read"):
        genome.fetch("one", 0, 29_000)
    with pytest.raises(InputError, match=rf"^{address}/g.fa: has changed while it was read"):
        genome.check_unchanged()


def test_a_server_that_goes_away_is_one_sentence(served, cache):
    folder, address, _ = served
    path = write_genome(folder / "g.fa", is_packed=False)
    genome = open_genome(f"{address}/g.fa")
    ranges._MEMORY.clear()
    for each in cache.glob("blocks/*/*/0*"):
        each.unlink()
    path.unlink()
    with pytest.raises(InputError, match=rf"^{address}/g.fa: could not be opened or unpacked \(HTTP Error 404"):
        genome.fetch("one", 0, 29_000)
