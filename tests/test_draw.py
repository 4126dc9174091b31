"""Hairpins drawn: where the bases lie, what a picture holds, and what cannot be drawn."""

import shutil
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers_jobs import scan, slice_bases, write_fasta
from helpers_model import LET_7_FOLD
from mirsweep import draw, read_loci
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.report.chosen import attention_of, best_loci, named_loci
from mirsweep.jobs.report.hairpin import hairpin_of
from mirsweep.scanner import InputError
from mirsweep.scanner.plane import paired_with, place_bases

PNG = b"\x89PNG\r\n\x1a\n"
CLUSTER = slice_bases(1_795_500, 1_797_500)
"""A cluster of known precursors."""
HOSTILE = "x$^2$<b>&amp;'\"|1"
"""A contig's name that is mathematics to matplotlib and markup to XML."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("draw")


@pytest.fixture(scope="module")
def output(folder):
    genome = write_fasta(folder / "genome.fa", {"c": CLUSTER, HOSTILE: CLUSTER})
    scan(genome, output=folder / "out", local=True, quiet=True)
    return folder / "out"


def distances(places: np.ndarray) -> np.ndarray:
    """Of all pairs of bases, infinite of each to itself; shape (n, n)."""
    found = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(found, np.inf)
    return found


@st.composite
def stems(draw_value):
    """Dot-bracket of one stem with bulges, interior loops and unpaired ends."""
    left, right = [], []
    for _ in range(draw_value(st.integers(1, 12))):
        left.append("." * draw_value(st.integers(0, 4)) + "(")
        right.append(")" + "." * draw_value(st.integers(0, 4)))
    return "".join(left) + "." * draw_value(st.integers(3, 20)) + "".join(reversed(right))


@given(stems())
def test_neighbours_are_a_step_apart_and_the_stem_is_level(structure):
    places, partners = place_bases(structure), paired_with(structure)
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert steps.min() > 0.9
    assert steps.max() < 2.3
    assert np.median(steps) <= 1.0 + 1e-6
    opening = np.flatnonzero(partners > np.arange(len(partners)))
    pairs = places[opening] - places[partners[opening]]
    np.testing.assert_allclose(pairs[:, 0], 0, atol=1e-9)  # straight across
    np.testing.assert_allclose(pairs[:, 1], pairs[0, 1])  # the 5' arm above
    assert pairs[0, 1] > 1
    assert (np.diff(places[opening, 0]) > 0).all()  # the loop to the right
    np.testing.assert_allclose(places.min(axis=0), 0, atol=1e-9)


def test_letters_of_a_real_hairpin_do_not_touch():
    assert distances(place_bases(LET_7_FOLD)).min() > 0.86


@pytest.mark.parametrize("structure", ["((((...((((....))))..(((.....))).))))", "..((((...))))..((((....))))..."])
def test_branched_structures_do_not_overlap(structure):
    places = place_bases(structure)
    assert places.shape == (len(structure), 2)
    assert distances(places).min() > 0.9


def test_a_sequence_without_pairs_is_a_line():
    assert place_bases("....").tolist() == [[0, 0], [1, 0], [2, 0], [3, 0]]


@pytest.mark.parametrize("structure", ["((..)", "(..))", "(.x.)"])
def test_what_is_no_structure_is_refused(structure):
    with pytest.raises(InputError, match="no dot-bracket"):
        place_bases(structure)


def texts(path):
    return ["".join(each.itertext()).strip() for each in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_a_picture_tells_the_locus_and_shows_each_base(output, folder):
    path = folder / "one.svg"
    assert main(["draw", str(output), "-o", str(path)]) == 0
    best = best_loci(output, 1).to_pylist()[0]
    shown = texts(path)
    assert [text for text in shown if len(text) == 1 and text in "ACGU"] == list(best["sequence"])
    assert f"{best['contig']}:{best['start'] + 1:,}-{best['end']:,} ({best['strand']})" in shown
    about = " ".join(shown)
    for part in (f"score {best['locus_score']:.3f}", f"{best['mfe']:.1f} kcal/mol", best["model"], "attention"):
        assert part in about
    for arm in ("5p", "3p"):
        sequence = best["sequence"][best[f"arm_{arm}_start"] : best[f"arm_{arm}_end"]]
        assert [text for text in shown if text.startswith(arm) and text.endswith(f" {sequence}")]


def test_arms_and_attention_are_those_of_the_row_and_the_model(output):
    loci = best_loci(output, 2)
    row, attention = loci.to_pylist()[0], attention_of(output, loci)[0]
    hairpin = hairpin_of(row, attention)
    for index, arm in enumerate(("5p", "3p")):
        assert np.flatnonzero(hairpin.arms == index).tolist() == list(
            range(row[f"arm_{arm}_start"], row[f"arm_{arm}_end"])
        )
    assert hairpin.attention.max() == 1
    assert 0 < attention.sum() <= 1 + 1e-5
    assert hairpin_of(row).attention is None


def test_hostile_names_are_shown_as_they_are(output, folder):
    (name,) = {row["locus"] for row in best_loci(output, 2).to_pylist() if row["contig"] == HOSTILE}
    for ending in ("svg", "pdf", "png"):
        draw(output, folder / f"hostile.{ending}", locus=name, attention=False)
    assert any(text.startswith(f"{HOSTILE}:") for text in texts(folder / "hostile.svg"))


def test_formats_are_what_their_endings_say_and_the_same_each_time(output, folder):
    pictures = {}
    for name in ("a.svg", "a.pdf", "a.PNG", "b.svg", "b.pdf", "b.png"):
        path = draw(output, folder / name, top=3, attention=False)
        pictures[name.lower()] = path.read_bytes()
    assert ET.fromstring(pictures["a.svg"]).tag.endswith("svg")
    assert pictures["a.pdf"].startswith(b"%PDF")
    assert pictures["a.pdf"].count(b"/Type /Page\n") + pictures["a.pdf"].count(b"/Type /Page ") == 3  # one a hairpin
    assert pictures["a.png"].startswith(PNG)
    for ending in ("svg", "pdf", "png"):
        assert pictures[f"a.{ending}"] == pictures[f"b.{ending}"]


def test_loci_come_in_the_order_of_their_names(output):
    names = read_loci(output)["locus"].to_pylist()[:4]
    assert named_loci(output, names[::-1])["locus"].to_pylist() == names[::-1]


def test_without_the_models_weights_attention_is_left_out_with_a_warning(output, folder, capsys):
    copy = folder / "elsewhere"
    shutil.copytree(output, copy)
    run = (copy / "run.json").read_text()
    label = best_loci(output, 1)["model"][0].as_py()
    (copy / "run.json").write_text(run.replace('"weights"', '"former"'))
    loci = best_loci(copy, 1)
    other = loci.set_column(loci.column_names.index("model"), "model", [[label.replace(":", "-of-mine:")]])
    assert attention_of(copy, other) is None
    assert "drawn without attention" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--locus", "c:1-2:+"], "has no locus 'c:1-2:+'"),
        (["--locus", "c:1-2:+", "--top", "2"], "--locus and --top cannot go together"),
        (["--top", "0"], "0 hairpins cannot be drawn"),
        (["--top", "101"], "choose from 1 to 100"),
        (["--genome", "other"], "other"),
        (["-o", "picture.gif"], "choose one of .svg, .pdf, .png"),
    ],
)
def test_what_cannot_be_drawn_is_said(output, folder, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    given = [] if "-o" in arguments else ["-o", "refused.svg"]
    assert main(["draw", str(output), *arguments, *given]) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "refused.svg").exists()


def test_loci_of_several_genomes_must_be_told_apart(folder):
    genomes = [write_fasta(folder / f"{name}.fa", {"c": CLUSTER}) for name in ("one", "two")]
    scan(genomes, output=folder / "two", local=True, quiet=True)
    name = best_loci(folder / "two", 1)["locus"][0].as_py()
    with pytest.raises(InputError, match=r"several genomes \(one, two\): name one with --genome"):
        draw(folder / "two", folder / "two.svg", locus=name)
    assert named_loci(folder / "two", [name], genome="two")["genome"].to_pylist() == ["two"]
