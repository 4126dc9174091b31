"""Genomes that are written to, touched, cut off, replaced or removed while a scan reads them."""

import gzip
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pysam
import pytest

from helpers_jobs import (
    CALIBRATION,
    assert_same_rows,
    make_model,
    n_committed,
    scan,
    slice_bases,
    start_mirsweep,
    wait_until,
    write_fasta,
)
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.results.layout import DECOYS
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.unpacked import copy_unpacked

SHARD_NT = 5000


class World(NamedTuple):
    content: bytes
    model: Path
    output: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("changes")
    genome = write_fasta(folder / "g.fa", {"c": slice_bases(0, 60_000), "d": slice_bases(60_000, 120_000)})
    model = make_model(folder / "m.safetensors", calibration=CALIBRATION)
    scan(genome, output=folder / "out", model=model, local=True, quiet=True, shard_nt=SHARD_NT)
    return World(genome.read_bytes(), model, folder / "out")


@pytest.fixture
def genome(world, tmp_path):
    path = tmp_path / "g.fa"
    path.write_bytes(world.content)
    return path


def arguments(genome, world, output, *more):
    settings = ["--local", "--model", world.model, "--shard-nt", SHARD_NT, "--decoys", 20_000]
    return [str(each) for each in ("scan", genome, "-o", output, *settings, *more)]


def while_scanning(change: Callable[[], object], output: Path, argv: list[str], *, done: int = 2) -> int:
    """Exit code of a scan in whose midst, once some shards are done, something happens to its genome."""

    def wait_and_change() -> None:
        while n_committed(output) < done:
            time.sleep(0.001)
        change()

    thread = threading.Thread(target=wait_and_change, daemon=True)
    thread.start()
    code = main(argv)
    thread.join(10)
    return code


def other_letters(content: bytes) -> bytes:
    """A file of the same size, with the same headers and lines."""
    head, tail = content[:50_000], content[50_000:]
    return head + tail.translate(bytes.maketrans(b"ACGTacgt", b"TGCATGCA"))


def rewrite(path: Path, content: bytes) -> None:
    path.write_bytes(other_letters(content))


def rewrite_and_set_the_time_back(path: Path, content: bytes) -> None:
    before = path.stat()
    with open(path, "r+b") as stream:
        stream.write(other_letters(content))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def truncate(path: Path, content: bytes) -> None:
    os.truncate(path, len(content) - 20_000)


def append(path: Path, content: bytes) -> None:
    with open(path, "ab") as stream:
        stream.write(b">e\n" + content[3:20_000])


CHANGES = {each.__name__: each for each in (rewrite, rewrite_and_set_the_time_back, truncate, append)}


@pytest.mark.parametrize("change", CHANGES)
def test_a_genome_that_changes_ends_the_scan(world, genome, tmp_path, capsys, change):
    output = tmp_path / "out"
    argv = arguments(genome, world, output)
    assert while_scanning(lambda: CHANGES[change](genome, world.content), output, argv) == 2
    said = capsys.readouterr().err
    assert f"{genome}: has changed while it was read" in said
    assert "Traceback" not in said
    assert not (output / "run.json").exists()
    assert main(argv) == 2, "what is there is of another genome"
    assert "--overwrite" in capsys.readouterr().err
    genome.write_bytes(world.content)
    assert main(argv) == 0, "the former genome is back: the scan goes on"
    assert_same_rows(world.output, output)


@pytest.mark.parametrize("change", ["touch", "chmod", "link"])
def test_a_genome_that_is_only_touched_does_not(world, genome, tmp_path, change):
    changes = {
        "touch": genome.touch,
        "chmod": lambda: genome.chmod(0o640),
        "link": lambda: os.link(genome, tmp_path / "l"),
    }
    assert while_scanning(changes[change], tmp_path / "out", arguments(genome, world, tmp_path / "out")) == 0
    assert_same_rows(world.output, tmp_path / "out")


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_a_genome_that_is_replaced_is_read_to_its_end(world, genome, tmp_path, capsys, change):
    new = tmp_path / "new.fa"
    new.write_bytes(other_letters(world.content))
    changes = {"replaced": lambda: os.replace(new, genome), "removed": genome.unlink}
    assert while_scanning(changes[change], tmp_path / "out", arguments(genome, world, tmp_path / "out")) == 0
    assert "replaced or removed while it was read" in capsys.readouterr().err
    assert_same_rows(world.output, tmp_path / "out")


def test_a_bgzip_genome_that_changes_ends_the_scan(world, tmp_path, capsys):
    genome, output = tmp_path / "g.fa.gz", tmp_path / "out"
    with pysam.BGZFile(str(genome), "wb") as stream:
        stream.write(world.content)
    with pysam.BGZFile(str(tmp_path / "other.gz"), "wb") as stream:
        stream.write(other_letters(world.content))
    other = (tmp_path / "other.gz").read_bytes()
    assert while_scanning(lambda: genome.write_bytes(other), output, arguments(genome, world, output)) == 2
    assert f"{genome}: has changed while it was read" in capsys.readouterr().err


def test_a_packed_genome_that_grows_while_it_is_unpacked_is_refused(world, tmp_path, capsys):
    """As one that is still being fetched."""
    genome = tmp_path / "g.fa.gz"
    genome.write_bytes(gzip.compress(world.content * (50_000_000 // len(world.content)), compresslevel=1))
    growing = threading.Event()

    def grow() -> None:
        while not growing.is_set():
            with open(genome, "ab") as stream:
                stream.write(gzip.compress(b"ACGT\n"))
            time.sleep(0.001)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        with pytest.raises(InputError, match="has changed while it was read"):
            copy_unpacked(genome, tmp_path / "genome.fa")
    finally:
        growing.set()
        thread.join()
    assert not (tmp_path / "genome.fa").exists()


def test_a_genome_that_changes_while_its_decoys_are_scanned(world, genome, tmp_path, capsys):
    output = tmp_path / "out"
    argv = arguments(genome, world, output, "--decoys", 100_000)
    changed = while_scanning(lambda: rewrite(genome, world.content), output / DECOYS, argv, done=1)
    assert changed == 2
    assert f"{genome}: has changed while it was read" in capsys.readouterr().err
    assert not (output / "run.json").exists()


@pytest.mark.faults
def test_a_genome_that_changes_ends_a_scan_on_ray(world, genome, tmp_path):
    output = tmp_path / "out"
    argv = [each for each in arguments(genome, world, output, "--workers", 2, "--ray") if each != "--local"]
    process = start_mirsweep(*argv)
    wait_until(lambda: n_committed(output) >= 1, process)
    rewrite(genome, world.content)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 2, said
    assert f"{genome}: has changed while it was read" in said
    assert "Traceback" not in said
    assert not (output / "run.json").exists()
