"""Figures of known loci on a contig that the model was trained on are said to be such."""

import gzip
import json

import pytest

from helpers_jobs import SLICE, scan, slice_bases, write_fasta
from helpers_training import make_genome_model
from mirsweep.jobs import compare
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.demo.demo import KNOWN
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.trained_on import contigs_trained_on, lengths_trained_on
from mirsweep.scanner.fasta import open_genome

BASES = slice_bases(1_150_000, 1_240_000)
PLACE = (1161053 - 1_150_000, 1161120 - 1_150_000)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A genome model whose card says that it was trained on a contig ``x`` of these bases."""
    folder = tmp_path_factory.mktemp("model")
    path = make_genome_model(folder / "own.safetensors")
    genome = open_genome(write_fasta(folder / "g.fa", {"x": BASES}))
    card = json.loads(path.with_suffix(".json").read_text())
    card["data"] = {"contigs": [{"contig": "x", "length": len(BASES), "refget": genome.refget("x")}]}
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


def scanned(tmp_path, model, records):
    write_fasta(tmp_path / "genome.fa", records)
    scan(tmp_path / "genome.fa", output=tmp_path / "out", model=model, quiet=True)
    known = tmp_path / "known.bed"
    known.write_text(f"{next(iter(records))}\t{PLACE[0]}\t{PLACE[1]}\tmir\t0\t+\n")
    return tmp_path / "out", known


def test_a_contig_is_known_by_its_letters(tmp_path, model, capsys):
    output, known = scanned(tmp_path, model, {"renamed": BASES.swapcase(), "y": BASES[::-1]})
    assert compare(output, known).trained_on == ("renamed",)
    assert main(["compare", str(output), str(known), "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["trained_on"] == ["renamed"]
    assert "was trained on contig renamed of this scan" in told.err


def test_another_contig_of_the_same_name_and_length_is_not(tmp_path, model, capsys):
    output, known = scanned(tmp_path, model, {"x": BASES[::-1]})
    assert compare(output, known).trained_on == ()
    assert main(["compare", str(output), str(known)]) == 0
    assert "trained on" not in capsys.readouterr().err


def test_without_the_genome_name_and_length_tell(tmp_path, model):
    output, known = scanned(tmp_path, model, {"x": BASES})
    (tmp_path / "genome.fa").unlink()
    assert compare(output, known).trained_on == ("x",)


@pytest.mark.parametrize("told", ["all", [{"contig": "x"}], [{"contig": 1, "length": "2", "refget": None}], [[]], {}])
def test_what_a_card_tells_wrongly_is_passed_over(tmp_path, model, told):
    path = tmp_path / "odd.safetensors"
    path.write_bytes(model.read_bytes())
    card = json.loads(model.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(card | {"data": {"contigs": told}}))
    output, known = scanned(tmp_path, path, {"x": BASES})
    assert compare(output, known).trained_on == ()


def test_the_bundled_model_knows_the_slice_of_the_demo(tmp_path):
    """The slice lies within a chromosome that it was trained on; its card says so."""
    with gzip.open(SLICE, "rt") as stream:
        name = stream.readline()[1:].split()[0]
    scan(SLICE, output=tmp_path / "out", regions=[f"{name}:1150001-1240000"], quiet=True)
    assert compare(tmp_path / "out", KNOWN["MirGeneDB"]).trained_on == (name,)


def test_an_open_genome_is_not_looked_for(tmp_path, model):
    """A scan's page asks with the genomes that the scan has read, also where their files are gone."""
    output, _ = scanned(tmp_path, model, {"x": BASES[::-1]})
    genome = open_genome(tmp_path / "genome.fa")
    (tmp_path / "genome.fa").unlink()
    found = open_output(output)
    assert contigs_trained_on(found) == ["x"]
    assert contigs_trained_on(found, opened={genome.name: genome}) == []


def test_the_lengths_are_those_of_the_card(model):
    assert lengths_trained_on(model) == {len(BASES)}
