"""Genomes at an address: of a web server, and of an object store, both on this machine."""

import functools
import gzip
import http.server
import os
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest

from helpers_jobs import assert_same_rows, make_model, scan, slice_bases, write_fasta
from mirsweep.jobs.results.genomes import open_scanned_genomes
from mirsweep.scanner import InputError
from mirsweep.scanner.fasta import open_genome
from mirsweep.scanner.remote import copy_of, file_name, is_address


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; a file called cut.fa ends before it should."""

    def log_message(self, *arguments):
        pass

    def copyfile(self, source, outputfile):
        if self.path.endswith("cut.fa"):
            outputfile.write(source.read(40))
            return
        super().copyfile(source, outputfile)


@pytest.fixture
def served(tmp_path, cache):
    """A folder, and the address of the server of its files."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_genome_of_a_web_server_is_that_of_the_file(served, tmp_path):
    folder, address = served
    path = write_fasta(folder / "ce.fa", {"c": slice_bases(0, 12_000)})
    subprocess.run(["gzip", "-k", path], check=True)
    asked = {"model": make_model(tmp_path / "m.safetensors"), "local": True, "quiet": True}
    of_file = scan(path, output=tmp_path / "file", **asked)
    of_web = scan(f"{address}/ce.fa.gz", output=tmp_path / "web", **asked)
    assert_same_rows(of_file.output, of_web.output)
    (told,) = of_web.run["genomes"]
    assert (told["name"], told["file"]) == ("ce", f"{address}/ce.fa.gz")
    (again,) = open_scanned_genomes(of_web.run["genomes"])
    assert again.digest == told["digest"]
    again.close()


def test_a_manifest_names_addresses(served, tmp_path):
    folder, address = served
    write_fasta(folder / "one.fa", {"c": slice_bases(0, 6_000)})
    (tmp_path / "m.tsv").write_text(f"one\t{address}/one.fa\nnone\t{address}/none.fa\n")
    asked = {"model": make_model(tmp_path / "m.safetensors"), "local": True, "quiet": True}
    done = scan(manifest=tmp_path / "m.tsv", output=tmp_path / "out", **asked)
    assert [genome["name"] for genome in done.run["genomes"]] == ["one"]
    (failed,) = done.failed_genomes
    assert re.search(r"/none.fa: cannot be read .*404", failed.reason)
    assert f"none\t{address}/none.fa\t" in (done.output / "failed_genomes.tsv").read_text()


def test_a_file_is_copied_once_and_anew_when_it_has_changed(served, cache):
    folder, address = served
    path = write_fasta(folder / "g.fa", {"c": "ACGT" * 20})
    first = copy_of(f"{address}/g.fa")
    before = first.stat().st_mtime_ns
    assert copy_of(f"{address}/g.fa").stat().st_mtime_ns == before
    write_fasta(folder / "g.fa", {"c": "ACGT" * 21})
    os.utime(path, (time.time() + 100,) * 2)
    second = copy_of(f"{address}/g.fa")
    assert second.read_bytes() == path.read_bytes()
    assert not first.exists()
    assert len(list(cache.rglob("g.fa"))) == 1


def test_a_copy_is_whole_or_absent(served, cache):
    folder, address = served
    write_fasta(folder / "cut.fa", {"c": "ACGT" * 50})
    with pytest.raises(InputError, match=r"cut.fa: cannot be read \(.*40 .*2\d\d"):
        open_genome(f"{address}/cut.fa")
    assert [path for path in cache.rglob("*") if path.is_file() and path.name != "lock"] == []


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://me:secret@127.0.0.1/g.fa", "with a name or password in it is not read"),
        ("http://127.0.0.1:9/g.fa", "http://127.0.0.1:9/g.fa: cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_without_secrets(cache, address, message):
    with pytest.raises(InputError, match=message) as error:
        open_genome(address)
    assert "secret" not in str(error.value)


def test_no_address_chooses_a_folder():
    assert file_name("http://h/a/..%2f..%2fx.fa") == "x.fa"
    assert file_name("http://h/") == "genome"
    assert file_name("s3://bucket/%2e%2e") == "genome"
    assert not is_address(Path("s3:/bucket/g.fa"))
    assert not is_address("c:/genome.fa")


def test_a_genome_of_an_object_store_is_that_of_the_file(bucket, tmp_path):
    path = write_fasta(tmp_path / "ce.fa", {"c": slice_bases(0, 6_000)})
    of_file = open_genome(path)
    for name, content in (("ce.fa", path.read_bytes()), ("ce.fa.gz", gzip.compress(path.read_bytes()))):
        with bucket.open_output_stream(f"genomes/nematodes/{name}", compression=None) as stream:
            stream.write(content)
        genome = open_genome(f"s3://genomes/nematodes/{name}")
        assert (genome.name, genome.source, genome.digest) == ("ce", f"s3://genomes/nematodes/{name}", of_file.digest)
        genome.close()
    of_file.close()
    with pytest.raises(InputError, match=r"s3://genomes/no.fa: cannot be read \(there is no such object"):
        open_genome("s3://genomes/no.fa")
