"""Sessions of genome browsers: they name files that are there, and an index that is true."""

import json
import shutil
import xml.etree.ElementTree as ET

import pysam
import pytest

from helpers_jobs import scan, slice_bases, write_fasta
from mirsweep.jobs import read_loci, tracks
from mirsweep.jobs.cli.main import main
from mirsweep.scanner.errors import InputError

BASES = slice_bases(1_150_000, 1_240_000)


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracks")
    write_fasta(folder / "g.fa", {"x y": "ACGT" * 15, "c<1>&": BASES, "short": "ACGTA"})
    scan(folder / "g.fa", output=folder / "out", quiet=True)
    return folder


@pytest.fixture
def folder(scanned, tmp_path):
    shutil.copytree(scanned, tmp_path, dirs_exist_ok=True)
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    run["genomes"][0]["file"] = str(tmp_path / "g.fa")
    (tmp_path / "out" / "run.json").write_text(json.dumps(run))
    return tmp_path


def files_of(config):
    """Every address within a configuration of JBrowse."""
    if isinstance(config, dict):
        found = [config["uri"]] if "uri" in config else []
        return found + [file for value in config.values() for file in files_of(value)]
    return [file for value in config for file in files_of(value)] if isinstance(config, list) else []


def test_sessions_name_files_that_are_there(folder):
    pysam.faidx(str(folder / "g.fa"))
    done = tracks(folder / "out")
    session = ET.parse(done.igv).getroot()
    named = [session.get("genome")] + [each.get(key) for each in session.iter("Resource") for key in ("path", "index")]
    config = json.loads(done.jbrowse.read_text())
    assert done.reference == session.get("genome") == "../g.fa"
    assert {"../g.fa", "../g.fa.fai", "loci.gff3.gz", "loci.gff3.gz.tbi"} == set(files_of(config))
    for name in {*named, *files_of(config)}:
        assert (folder / "out" / name).is_file(), name


def test_they_show_the_best_locus_first(folder):
    done = tracks(folder / "out", reference="https://example.org/g.fa.gz")
    best = max(read_loci(folder / "out").to_pylist(), key=lambda row: row["locus_score"])
    place = best["contig"], best["start"] + 1 - 200, best["end"] + 200
    assert ET.parse(done.igv).getroot().get("locus") == "{}:{}-{}".format(*place)
    config = json.loads(done.jbrowse.read_text())
    (view,) = config["defaultSession"]["views"]
    assert view["init"]["loc"] == "{}:{}..{}".format(*place)
    assert view["init"]["tracks"] == [each["trackId"] for each in config["tracks"]]
    adapter = config["assemblies"][0]["sequence"]["adapter"]
    assert (adapter["type"], adapter["gziLocation"]["uri"]) == ("BgzipFastaAdapter", "https://example.org/g.fa.gz.gzi")


def test_a_copy_of_the_genome_has_a_true_index(folder):
    copy = folder / "out" / tracks(folder / "out", copy_reference=True).reference
    told = (folder / "out" / "reference.fa.fai").read_text()
    with pysam.FastaFile(str(copy)) as own, pysam.FastaFile(str(folder / "g.fa")) as scanned:
        assert own.references == scanned.references
        assert all(own.fetch(name) == scanned.fetch(name) for name in own.references)
    (folder / "out" / "reference.fa.fai").unlink()
    pysam.faidx(str(copy))
    assert (folder / "out" / "reference.fa.fai").read_text() == told


def test_a_genome_that_browsers_cannot_read_is_named(folder, capsys):
    (folder / "g.fa.fai").unlink(missing_ok=True)
    assert main(["tracks", str(folder / "out")]) == 2
    assert "browsers cannot read it without g.fa.fai beside it: index it" in capsys.readouterr().err
    assert not (folder / "out" / "jbrowse.json").exists()
    with pytest.raises(InputError, match="there is no such file"):
        tracks(folder / "out", reference=folder / "none.fa")
    assert main(["tracks", str(folder / "out"), "--reference", "g.fa", "--copy-reference"]) == 2


def test_a_track_that_is_missing_is_named(folder):
    (folder / "out" / "loci.bed.gz").unlink()
    with pytest.raises(InputError, match=r"loci\.bed\.gz: is missing; mirsweep loci .*out makes it anew"):
        tracks(folder / "out", reference="https://example.org/g.fa")


def test_several_genomes_are_refused(folder):
    write_fasta(folder / "h.fa", {"c": BASES})
    scan([folder / "g.fa", folder / "h.fa"], output=folder / "two", quiet=True)
    with pytest.raises(InputError, match="a browser shows one genome"):
        tracks(folder / "two")
