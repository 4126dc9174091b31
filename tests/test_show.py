"""What Python users see of results: one line, a small table in a notebook, hairpins that draw themselves."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import mirsweep
from helpers_jobs import slice_bases, write_fasta
from mirsweep import compare, query, scan, show
from mirsweep.jobs import Checked, Hairpins, TrainReport
from mirsweep.model import load_model
from mirsweep.scanner import InputError, fold


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("show")


@pytest.fixture(scope="module")
def output(folder):
    genome = write_fasta(folder / "genome.fa", {"<b>c&": slice_bases(1_795_500, 1_797_500)})
    report = scan(genome, output=folder / "out", local=True, quiet=True, decoys="none", report=False)
    assert repr(report).startswith(f"ScanReport(output='{folder}")
    assert repr(report).endswith("failures=<0>, failed_genomes=<0>)")
    return folder / "out"


def drawn(hairpins: Hairpins) -> list[ET.Element]:
    """The pictures, which are well-formed."""
    page = ET.fromstring(hairpins._repr_html_())
    return [figure.find("svg") for figure in page.iter("figure")]


def test_a_row_draws_itself(output):
    best = query(output, loci=True, sort="score", limit=3)
    (svg,) = drawn(show(best.to_pylist()[0]))
    letters = "".join(text.text for text in svg.iter("text") if "letters" in text.get("class"))
    assert sorted(letters) == sorted(best["sequence"][0].as_py())
    looks = {path.get("class").split()[0] for path in svg.iter("path")}
    assert {"chain", "pairs", "arm5p", "arm3p"} <= looks


def test_a_table_draws_its_first_rows(output):
    best = query(output, loci=True, sort="score")
    assert best.num_rows > 4
    hairpins = show(best, limit=4)
    assert (len(hairpins), len(drawn(hairpins)), len(drawn(hairpins[2]))) == (4, 4, 1)
    assert [repr(each) for each in hairpins][1] == repr(show(best.to_pylist()[1]))
    place = f"<b>c&:{best['start'][0].as_py() + 1}-{best['end'][0].as_py()}:{best['strand'][0].as_py()}"
    assert repr(hairpins).startswith(f"Hairpins({place}, ")
    assert repr(hairpins).endswith(", ... 4 in all)")
    assert "<b>c" not in hairpins._repr_html_()


def test_candidates_have_their_arms_too(output):
    row = query(output, sort="score", limit=1).to_pylist()[0]
    (svg,) = drawn(show(row))
    arms = {path.get("class"): path.get("d").count("h0") for path in svg.iter("path") if "arm" in path.get("class")}
    lengths = {"mature": row["mature_end"] - row["mature_start"], "star": row["star_end"] - row["star_start"]}
    assert sorted(arms.values()) == sorted(lengths.values())
    assert drawn(show({**row, "arm": None, "mature": None}))


def test_what_cannot_be_drawn_is_said(output):
    with pytest.raises(InputError, match="cannot be drawn without structure: ask the query for all columns"):
        show(query(output, loci=True).drop_columns(["structure"]))


def test_results_are_short(output, folder):
    known = folder / "known.bed"
    row = query(output, loci=True, sort="score", limit=1).to_pylist()[0]
    known.write_text(f"{row['contig']}\t{row['start']}\t{row['end']}\t{'long' * 50}\t0\t{row['strand']}\n")
    result = compare(output, known)
    assert repr(result).startswith("Comparison(n_known=1, n_recovered=1, ")
    assert len(repr(result)) < 250
    table = ET.fromstring(result._repr_html_())
    assert [cell.text for cell in table.iter("th")][:2] == ["n_known", "n_recovered"]
    checked = Checked(Path("<i>"), True, 3, 70, ())
    assert repr(checked) == "Checked(output='<i>', is_complete=True, n_files=3, n_rows=70, damage=<0>, repaired=<0>)"
    assert "&lt;i&gt;" in checked._repr_html_()
    trained = TrainReport(Path("/a" * 90), {"data": "x" * 1000}, [0.5] * 120)
    assert repr(trained) == f"TrainReport(path='{('/a' * 90)[:56]}...', losses=<120>)"
    assert repr(fold(["GGGAAACCC"])) == "Folded(structures=<1>, energies=<1>)"
    model = load_model("genome")
    assert repr(model) == f"GenomeModel({model.label!r}, device='cpu')"


def test_the_functions_of_jobs_are_those_of_the_package():
    functions = {name for name in mirsweep.jobs.__all__ if name[0].islower()}
    assert functions == set(mirsweep.__all__) - {"__version__"}
    assert all(callable(getattr(mirsweep, name)) for name in functions)
