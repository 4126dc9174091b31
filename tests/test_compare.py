"""Known loci beside candidates: against a brute-force oracle and scikit-learn, and reading of the loci."""

import bz2
import gzip
import lzma
import os
import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from helpers_jobs import write_output as base_output
from mirsweep.jobs.results.compare import compare, match
from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.results.known import Locus, read_known
from mirsweep.jobs.results.layout import part_path
from mirsweep.jobs.scanning.shard_work import pack
from mirsweep.scanner.candidates import SCHEMA
from mirsweep.scanner.errors import InputError
from reference_compare import Interval, figures, recovers

CONTIGS = ("a", "b")


def intervals(max_size: int, longest: int, *, has_score: bool):
    scores = st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.75, 1.0]) if has_score else st.just(0.0)
    one = st.tuples(
        st.sampled_from(CONTIGS), st.integers(0, 300), st.integers(1, longest), st.sampled_from("+-"), scores
    )
    return st.lists(one, max_size=max_size).map(
        lambda some: list(dict.fromkeys(Interval(c, s, s + n, strand, score) for c, s, n, strand, score in some))
    )


def unique(candidates: list[Interval]) -> list[Interval]:
    """At most one candidate a place, as in a scan."""
    return list({c[:4]: c for c in candidates}.values())


def write_output(folder, candidates: list[Interval], *, scanned: int = 2_000_000):
    counts = {"n_candidates": len(candidates), "n_scanned": scanned}
    lengths = dict.fromkeys((*CONTIGS, "empty"), 10**6)
    return base_output(folder, [table_of(sorted(candidates))], lengths, counts=counts)


def table_of(candidates: list[Interval]) -> pa.Table:
    plain = pa.schema([(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in SCHEMA])
    filler = {f.name: "x" if pa.types.is_string(f.type) else 0 for f in plain}
    return pa.Table.from_pylist([filler | c._asdict() for c in candidates], plain).cast(SCHEMA)


def write_bed(path, loci: list[Interval]):
    path.write_text("".join(f"{c}\t{s}\t{e}\tlocus{i}\t0\t{d}\n" for i, (c, s, e, d, _) in enumerate(loci)))
    return path


@given(intervals(40, 60, has_score=True), intervals(8, 60, has_score=False))
def test_pairs_are_those_of_the_rule(candidates, loci):
    places = [Locus(*locus[:4], "x") for locus in loci]
    pairs = {tuple(pair) for pair in match(table_of(candidates), places).tolist()}
    assert pairs == {(i, j) for i, c in enumerate(candidates) for j, locus in enumerate(loci) if recovers(c, locus)}


@settings(max_examples=60, deadline=None)
@given(intervals(60, 60, has_score=True).map(unique), intervals(8, 60, has_score=False).filter(bool))
def test_figures_are_those_of_the_definitions(tmp_path_factory, candidates, loci):
    folder = tmp_path_factory.mktemp("compare")
    output = write_output(folder / "out", candidates)
    found = compare(output, write_bed(folder / "known.bed", loci)).as_json()
    expected = figures(candidates, loci, scanned_mb=2.0)
    assert list(found) == list(expected)
    assert found["top"] == expected["top"]
    assert found.pop("recall_at_fp_per_mb") == pytest.approx(expected.pop("recall_at_fp_per_mb"))
    assert found.pop("average_precision") == pytest.approx(expected.pop("average_precision"))
    assert found == expected


def spread_out(n: int, n_known: int) -> tuple[list[Interval], list[Interval]]:
    """Candidates far from each other, each known one on a locus of its own."""
    scores = np.random.default_rng(3).random(n).astype(np.float32)
    candidates = [Interval("a", 200 * i, 200 * i + 80, "+", float(score)) for i, score in enumerate(scores)]
    loci = [Interval("a", c.start + 5, c.end - 5, "+") for c in candidates[:: n // n_known][:n_known]]
    return candidates, loci


def test_average_precision_is_that_of_scikit_learn(tmp_path):
    candidates, loci = spread_out(3000, 40)
    missed = [Interval("b", 300 * i, 300 * i + 70, "-") for i in range(10)]
    result = compare(write_output(tmp_path / "out", candidates), write_bed(tmp_path / "k.bed", loci + missed))
    is_hit = [any(recovers(c, locus) for locus in loci if abs(locus.start - c.start) < 100) for c in candidates]
    expected = average_precision_score(is_hit, [c.score for c in candidates]) * 40 / 50
    assert result.average_precision == pytest.approx(expected)
    assert (result.n_known, result.n_recovered, result.n_candidates) == (50, 40, 3000)
    assert {locus.contig for locus in result.missed} == {"b"}
    assert len(result.recovered) == 40


def test_a_cut_off_leaves_candidates_out(tmp_path):
    candidates, loci = spread_out(300, 30)
    output, known = write_output(tmp_path / "out", candidates), write_bed(tmp_path / "k.bed", loci)
    result = compare(output, known, min_score=0.5)
    kept = [c for c in candidates if c.score >= 0.5]
    assert result.n_candidates == len(kept)
    assert result.n_recovered == figures(kept, loci, scanned_mb=2)["n_recovered"] < 30


@pytest.mark.parametrize("limit", ["balanced", 1.0])
def test_a_limit_of_false_calls_leaves_candidates_out(tmp_path, limit):
    candidates, loci = spread_out(300, 30)
    rates = [10 ** (2 - 4 * c.score) for c in candidates]
    table = table_of(candidates)
    column = SCHEMA.get_field_index("expected_fp_per_mb")
    table = table.set_column(column, SCHEMA.field(column), pa.array(rates, pa.float32()))
    output, known = write_output(tmp_path / "out", candidates), write_bed(tmp_path / "k.bed", loci)
    write_atomically(output / part_path("000000-x"), pack(table))
    result = compare(output, known, max_fp_per_mb=limit)
    kept = [c for c in candidates if c.score >= 0.5]
    assert result.n_candidates == len(kept)
    assert result.n_recovered == figures(kept, loci, scanned_mb=2)["n_recovered"] < 30


def test_no_candidates_recover_nothing(tmp_path):
    output = write_output(tmp_path / "out", [])
    result = compare(output, write_bed(tmp_path / "k.bed", [Interval("a", 1, 80, "+")]))
    assert (result.n_recovered, result.average_precision, result.recall_at_fp_per_mb[10]) == (0, 0, 0)


def test_recall_by_false_positives_is_that_of_the_figures(tmp_path):
    candidates, loci = spread_out(3000, 40)
    result = compare(write_output(tmp_path / "out", candidates), write_bed(tmp_path / "k.bed", loci))
    rates, recalls = zip(*result.false_curve, strict=True)
    assert list(rates) == sorted(rates)
    assert [recall for recall, _ in result.curve] == list(recalls)
    for limit, recall in result.recall_at_fp_per_mb.items():
        assert recall == max((r for rate, r in result.false_curve if rate <= limit), default=0)


def test_pictures_show_the_figures_and_are_the_same_each_time(tmp_path):
    candidates, loci = spread_out(300, 30)
    output, known = write_output(tmp_path / "out", candidates), write_bed(tmp_path / "k.bed", loci)
    result = compare(output, known, plot=tmp_path / "one.svg")
    compare(output, known, plot=tmp_path / "two.svg")
    svg = (tmp_path / "one.svg").read_text()
    assert svg == (tmp_path / "two.svg").read_text()
    for text in (f"average precision {result.average_precision:.3f}", "30 recovered", "recall of 30 known loci"):
        assert text in svg
    assert "q-value" not in svg  # of loci only
    for ending, magic in ((".pdf", b"%PDF"), (".png", b"\x89PNG")):
        compare(output, known, plot=tmp_path / f"one{ending}")
        assert (tmp_path / f"one{ending}").read_bytes().startswith(magic)


def test_a_picture_of_nothing_found_is_drawn_and_one_of_no_format_refused(tmp_path):
    output, known = write_output(tmp_path / "out", []), write_bed(tmp_path / "k.bed", [Interval("a", 1, 80, "+")])
    compare(output, known, plot=tmp_path / "none.svg")
    assert "0 recovered" in (tmp_path / "none.svg").read_text()
    with pytest.raises(InputError, match=r"one\.jpg: the ending says the format"):
        compare(output, known, plot=tmp_path / "one.jpg")


def test_loci_of_another_assembly_are_refused(tmp_path):
    output = write_output(tmp_path / "out", [])
    known = write_bed(tmp_path / "k.bed", [Interval("chr1", 1, 80, "+")])
    with pytest.raises(InputError, match=r"none of its contigs \(chr1\) is in the scan \(a, b, empty\)"):
        compare(output, known)


def test_loci_on_contigs_that_were_not_scanned_are_said_and_count(tmp_path, capsys):
    output = write_output(tmp_path / "out", [])
    known = write_bed(tmp_path / "k.bed", [Interval("chr1", 1, 80, "+"), Interval("a", 1, 80, "+")])
    assert compare(output, known).n_known == 2
    assert "1 of 2 loci lie on contigs that are not in the scan (chr1)" in capsys.readouterr().err


def test_an_unfinished_scan_is_not_compared(tmp_path):
    output = write_output(tmp_path / "out", [Interval("a", 1, 80, "+")])
    (output / "run.json").unlink()
    with pytest.raises(InputError, match="the scan is not complete"):
        compare(output, write_bed(tmp_path / "k.bed", [Interval("a", 1, 80, "+")]))


GFF3 = """##gff-version 3
# a comment
chr%201\tx\tmiRNA_primary_transcript\t11\t90\t.\t+\t.\tID=MI1;Name=mir%3B1
chr%201\tx\tmiRNA\t15\t36\t.\t+\t.\tID=MA1;Name=mir-1-5p;Derives_from=MI1
chr%201\tx\tmiRNA_primary_transcript\t11\t90\t.\t+\t.\tID=MI1;Name=mir%3B1
chr%201\tx\tmiRNA_primary_transcript\t11\t90\t.\t+\t.\tID=MI2
chrY\tx\tpre_miRNA\t1\t60\t.\t-\t.\tName=p
##FASTA
>chrY
ACGT
"""
LOCI = [Locus("chr 1", 10, 90, "+", "MI2"), Locus("chr 1", 10, 90, "+", "mir;1"), Locus("chrY", 0, 60, "-", "p")]


PACK_FILE = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda content: pa.Codec("zstd").compress(content, asbytes=True),
    "CRLF": lambda content: content.replace(b"\n", b"\r\n"),
    "CR": lambda content: content.replace(b"\n", b"\r"),
    "byte order mark": lambda content: b"\xef\xbb\xbf" + content,
    "byte order mark in gzip": lambda content: gzip.compress(b"\xef\xbb\xbf" + content),
}


@pytest.mark.parametrize("kind", PACK_FILE)
def test_gff3_precursors_are_read(tmp_path, kind):
    path = tmp_path / "known.gff3"
    path.write_bytes(PACK_FILE[kind](GFF3.encode()))
    assert read_known(path) == LOCI


@pytest.mark.parametrize("kind", PACK_FILE)
def test_bed_is_read(tmp_path, kind):
    path = tmp_path / "known.bed"
    text = "chr1\t10\t90\tm1\t0\t+\nchr1\t10\t90\tm1\t5\t+\textra\n"
    for before in ("", "track name=x\n"):
        path.write_bytes(PACK_FILE[kind]((before + text).encode()))
        assert read_known(path) == [Locus("chr1", 10, 90, "+", "m1")]


def test_loci_are_read_from_a_pipe(tmp_path):
    pipe = tmp_path / "known.gff3"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=[GFF3])
    writer.start()
    assert read_known(pipe) == LOCI
    writer.join()


def test_other_feature_types_can_be_named(tmp_path):
    path = tmp_path / "known.gff3"
    path.write_text(GFF3)
    assert [locus.name for locus in read_known(path, types=("miRNA",))] == ["mir-1-5p"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("# nothing\n", "holds no known precursor"),
        (f"c\ts\t{9000 * 'A'}\t1\t9\t.\t+\t.\tID=x\n", "it has A{60}[.]{3}: name them by --type"),
        ("".join(f"c\ts\tt{i:02}\t1\t9\t.\t+\t.\tID=x\n" for i in range(12)), "t09 and 2 more: name them by --type"),
        ("<!DOCTYPE html><html>404</html>\n", "a web page, not GFF3 or BED; the download has failed"),
        ("LOCUS       SCU49845     5028 bp\n", "GenBank, not GFF3 or BED"),
        ("c\tx\texon\t1\t9\t.\t+\t.\tID=a\n", "it has exon: name them by --type"),
        ("chr1\t1\t9\n", "line 1 is neither GFF3"),
        ("chr1 1 9 a 0 +\n", "line 1 is neither GFF3"),
        ("c\t1\t9\ta\t0\t+\nc\tx\t9\ta\t0\t+\n", "line 2 has a start or end that is no number"),
        ("c\t9\t9\ta\t0\t+\n", "line 1 has an empty interval"),
        ("c\t1\t9\ta\t0\t.\n", "line 1 has the strand '.'"),
        (b"\xff\xfe\x00", "text in UTF-16, not GFF3 or BED; convert it: iconv .* > known.gff3"),
        (gzip.compress(GFF3.encode(), mtime=0)[:40], "damaged or cut off"),
    ],
)
def test_bad_loci_are_named(tmp_path, content, message):
    path = tmp_path / "known"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        read_known(path)


def test_missing_loci_are_named(tmp_path):
    with pytest.raises(InputError, match="nope: no such file"):
        read_known(tmp_path / "nope")
