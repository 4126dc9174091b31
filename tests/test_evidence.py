"""What small-RNA reads say of loci: real miRNAs supported, counts right, wrong files refused, the table joined."""

import importlib
import json
import os
import random
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pysam
import pytest

from helpers_jobs import mirsweep, scan, slice_bases, write_fasta
from helpers_reads import Read, map_exactly, reverse_complement, write_bam
from mirsweep.jobs import evidence, query, read_loci, report
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.evidence.alignments import check_library
from mirsweep.jobs.evidence.combine import posterior
from mirsweep.jobs.evidence.count import Place, count_reads
from mirsweep.jobs.evidence.criteria import CRITERIA, VERDICTS, judge
from mirsweep.jobs.evidence.hairpins import Reads
from mirsweep.jobs.evidence.libraries import libraries_of
from mirsweep.jobs.evidence.pattern import Shape, pattern_of
from mirsweep.jobs.evidence.rescue import find_rescued
from mirsweep.jobs.evidence.schema import EVIDENCE_SCHEMA
from mirsweep.jobs.results.dataset import open_loci
from mirsweep.scanner.errors import InputError

CLUSTER = (645_000, 660_000)
"""Of the demo's slice; mir-54 to mir-56 lie in it."""
BASES = slice_bases(*CLUSTER).upper()
CONTIGS = {"c": len(BASES)}
PERFECT = Shape.of("(" * 30 + "." * 10 + ")" * 30, 30, 40)
"""A hairpin of 70 nt without a bulge: base i pairs with 69 - i."""
MATURE, STAR, LOOP = (4, 26), (46, 68), (26, 46)
"""Of it; the star is what an overhang of 2 nt at both ends gives: 69 - 4 + 3 and 69 - 23."""


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence")
    genome = write_fasta(folder / "g.fa", {"c": BASES})
    scan(genome, output=folder / "out", local=True, quiet=True)
    return folder / "out"


@pytest.fixture
def output(scanned, tmp_path):
    return shutil.copytree(scanned, tmp_path / "out")


def arm_reads(row, arm, n, *, shift=0, longer=0, n_places=1):
    """Reads of the predicted sequence of an arm of a locus, ends shifted."""
    start, end = row[f"arm_{arm}_start"] + shift, row[f"arm_{arm}_end"] + shift + longer
    is_reverse = row["strand"] == "-"
    first = row["end"] - end if is_reverse else row["start"] + start
    forward = BASES[first : first + end - start]
    return Read("c", first, reverse_complement(forward) if is_reverse else forward, is_reverse, n, n_places)


def perfect_reads(row):
    """Reads of the mature sequence and of the star with overhangs of 2 nt, by the structure of a locus: found by trying
    which two spans its pairs allow."""
    shape = Shape.of(row["structure"], row["loop_start"], row["loop_end"])
    for start in range(row["loop_start"] - 24, 0, -1):
        mature = (start, start + 22)
        found = pattern_of(shape, {(*mature, True): 50.0})
        spans = {(*mature, True): 50.0, (*(found.star or (0, 0)), True): 9.0}
        if judge(pattern_of(shape, spans), CRITERIA["animal"]).verdict == "supported":
            return [own_read(row, mature, 50), own_read(row, found.star, 9)]
    return []


def arms_fit(row):
    """Whether reads of both predicted arms support a locus."""
    if None in (row["arm_5p_start"], row["arm_3p_start"]):
        return False
    shape = Shape.of(row["structure"], row["loop_start"], row["loop_end"])
    spans = {(row[f"arm_{arm}_start"], row[f"arm_{arm}_end"], True): n for arm, n in (("5p", 16.0), ("3p", 100.0))}
    return judge(pattern_of(shape, spans), CRITERIA["animal"]).verdict == "supported"


def own_read(row, span, n):
    start, end = span
    return arm_reads(row | {"arm_5p_start": start, "arm_5p_end": end}, "5p", n)


def best_loci(output, n):
    """The best of those whose arms are predicted."""
    rows = query(output, loci=True, sort="score").to_pylist()
    return [row for row in rows if row["arm_5p_start"] is not None][:n]


def shown(capsys, *arguments):
    """Standard output of a command."""
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def evidence_of(output, locus):
    return next(row for row in read_loci(output).to_pylist() if row["locus"] == locus)


def spans(*reads, antisense=()):
    """Reads on the perfect hairpin: (start, end, n)."""
    return {(s, e, True): float(n) for s, e, n in reads} | {(s, e, False): float(n) for s, e, n in antisense}


def verdict_on(found, name="animal", n_libraries=1):
    return judge(pattern_of(PERFECT, found), CRITERIA[name], n_libraries)


# ---- real reads


@pytest.mark.data
def test_the_seven_of_the_mir_35_cluster_are_supported_and_nothing_else(data_dir, tmp_path):
    """Real reads of C. elegans (miRDeep2's tutorial) and the mature 5' ends of miRBase."""
    genome = data_dir / "srna" / "cel_chrII_mir35_cluster.fa"
    contigs = dict(record.split("\n", 1) for record in genome.read_text().split(">")[1:])
    contigs = {name.split()[0]: "".join(bases.split()) for name, bases in contigs.items()}
    reads = map_exactly(data_dir / "srna" / "reads_collapsed.fa", contigs)
    bam = write_bam(tmp_path / "l1.bam", {name: len(bases) for name, bases in contigs.items()}, reads)
    scan(genome, output=tmp_path / "out", local=True, quiet=True)
    evidence(tmp_path / "out", bam, quiet=True)
    rows = query(tmp_path / "out", loci=True, sort="score").to_pylist()
    supported = [row for row in rows if row["evidence"] == "supported"]
    assert {row["locus"] for row in supported} == {row["locus"] for row in rows[:7]}, "the seven best by score"
    matures = [row["sequence"][row["read_3p_start"] :][:22] for row in supported]
    assert {row["mature_by_reads"] for row in supported} == {"3p"}
    assert {mature[:7] for mature in matures} == {"UCACCGG"}, "all seven have the seed of the family"
    known = (data_dir / "srna" / "mature.fa").read_text().replace("T", "U").split()[1::2]
    of_family = {mature for mature in known if mature.startswith("UCACCGG")}
    assert len(of_family) == 6
    assert of_family <= set(matures), "5' end and sequence as in miRBase; mir-35 is not among them"
    assert {row["overhang_loop"] for row in supported} == {2}
    others = [row for row in rows if row["evidence"] in ("expressed", "contradicted")]
    assert [row["lacking"][:35] for row in others] == ["two reads of 20 to 26 nt on the 3p arm"[:35]], (
        "mir-229, no star"
    )
    assert others[0]["sequence"][others[0]["read_5p_start"] :].startswith("AAUGACACUGG")


# ---- patterns and criteria


def test_a_perfect_hairpin_is_measured_by_hand():
    found = pattern_of(PERFECT, spans((4, 26, 90), (4, 25, 8), (5, 26, 2), (46, 68, 9), (47, 68, 1), (26, 46, 3)))
    assert (found.reads, found.on_5p, found.on_3p, found.on_loop) == (113, 100, 10, 3)
    assert (found.mature, found.arm_5p[:3], found.arm_3p[:3]) == ("5p", (4, 26, 90), (46, 68, 9))
    assert (found.arm_5p.homogeneity, found.arm_3p.homogeneity) == pytest.approx((0.98, 0.9))
    assert found.star == STAR
    assert found.duplex == (2, 2, 20, 0, 0, 20)
    assert (found.at_star, found.at_loop) == (10, 3)
    assert (found.precise, found.by_dicer) == (pytest.approx(110 / 113), 1)
    assert sum(found.lengths.values()) == found.reads


@pytest.mark.parametrize("shift", range(-4, 3))
def test_overhangs_follow_a_star_that_is_shifted(shift):
    """A star that is shifted away from the loop leaves more of both 3' ends."""
    found = pattern_of(PERFECT, spans((*MATURE, 50), (STAR[0] + shift, STAR[1] + shift, 20)))
    assert found.duplex[:2] == (2 + shift, 2 + shift)


def test_bulges_and_mismatches_are_counted():
    """A mismatch, and a bulge of two bases on the 5' arm, within the duplex."""
    structure = "(" * 8 + "." + "(" * 5 + ".." + "(" * 14 + "." * 10 + ")" * 14 + ")" * 5 + "." + ")" * 8
    shape = Shape.of(structure, 30, 40)
    found = pattern_of(shape, spans((4, 26, 50), (46, 66, 20)))
    assert (found.duplex.n_mismatched, found.duplex.n_bulged) == (3, 2)
    assert found.duplex.n_pairs == 17


GOOD = [(*MATURE, 90), (*STAR, 9)]


@pytest.mark.parametrize(
    ("found", "verdict", "words"),
    [
        (spans(*GOOD), "supported", None),
        (spans((*MATURE, 2), (*STAR, 2)), "supported", None),
        (spans((*MATURE, 90), (*LOOP, 3)), "supported", None),
        (spans((*MATURE, 90)), "expressed", "two reads of 20 to 26 nt on the 3p arm"),
        (spans((*MATURE, 90), (*STAR, 1)), "expressed", "on the 3p arm"),
        (spans((*MATURE, 5)), "not expressed", "5 reads of 10"),
        (spans(), "not expressed", "no read"),
        (spans(antisense=GOOD), "not expressed", r"no read \(on the other strand there are 99\)"),
        (spans(*GOOD, antisense=[(*MATURE, 80)]), "supported", None),
        (spans(*GOOD, (12, 34, 20)), "contradicted", r"ends that Dicer makes \(mature, star and loop are 83%"),
        (spans((*MATURE, 90), (39, 61, 5)), "expressed", r"overhangs of 2 nt \(they are -5 and -5 nt\)"),
        (spans((*MATURE, 90), (39, 61, 20)), "contradicted", r"overhangs of 2 nt \(they are -5 and -5 nt\)"),
        (spans(*((k, k + 22, 10) for k in range(8)), (*STAR, 9)), "contradicted", "one 5' end"),
        (spans((8, 30, 90), (35, 55, 20)), "contradicted", "8 nt between the arms"),
        (spans((4, 20, 90)), "contradicted", "reads of 20 to 26 nt"),
    ],
)
def test_verdicts_of_animals_and_what_is_lacking(found, verdict, words):
    told = verdict_on(found)
    assert told.verdict == verdict
    if words is None:
        assert told.lacking is None
    else:
        assert re.search(words, told.lacking), told.lacking


@pytest.mark.parametrize(
    ("found", "n_libraries", "verdict", "words"),
    [
        (spans((4, 25, 90), (47, 68, 9)), 2, "supported", None),
        (spans((4, 25, 90), (47, 68, 9)), 1, "expressed", "two libraries that say so"),
        (spans((4, 25, 90)), 2, "expressed", "a read of the star"),
        (spans((4, 27, 90), (45, 68, 9)), 2, "expressed", "a mature sequence of 20 to 22 nt"),
        (spans((4, 25, 50), (47, 68, 5), (12, 33, 30)), 2, "contradicted", "precise ends"),
        (spans((4, 25, 90), (47, 68, 9), antisense=[(4, 25, 90)]), 2, "contradicted", "one strand"),
    ],
)
def test_verdicts_of_plants(found, n_libraries, verdict, words):
    told = verdict_on(found, "plant", n_libraries)
    assert (told.verdict, told.lacking is None) == (verdict, words is None)
    assert words is None or words in told.lacking


def test_each_criterion_names_its_source_and_tells_a_figure():
    for name, criteria in CRITERIA.items():
        told = verdict_on(spans(*GOOD), name, 2)
        assert all(criterion.source and criterion.asks for criterion in criteria)
        assert all(judged.figure for _, judged in told.judged)


# ---- counting


def random_reads(rng, n):
    return [
        Read("c", start, BASES[start : start + size], bool(rng.random() < 0.5), int(rng.integers(1, 50)), n_places)
        for start, size, n_places in zip(
            rng.integers(0, len(BASES) - 60, n), rng.integers(15, 60, n), rng.integers(1, 4, n).tolist(), strict=True
        )
    ]


@pytest.mark.parametrize("collapsed", [True, False])
def test_counts_equal_those_of_a_plain_loop_over_all_reads(tmp_path, collapsed):
    rng = np.random.default_rng(3)
    reads = random_reads(rng, 3000)
    bam = write_bam(tmp_path / "x.bam", CONTIGS, reads, collapsed=collapsed)
    starts = sorted(rng.integers(0, len(BASES) - 150, 60).tolist())
    places = [Place("c", start, start + int(rng.integers(50, 150)), "+-"[k % 2]) for k, start in enumerate(starts)]
    (library,) = libraries_of([bam], None)
    counted = count_reads(check_library(library, CONTIGS, frozenset("c"), reference=None), places)
    for place, found in zip(places, counted, strict=True):
        expected: dict = {}
        for read in reads:
            end = read.start + len(read.bases)
            if len(read.bases) > 50 or end <= place.start or read.start >= place.end:
                continue
            if place.strand == "+":
                key = (read.start - place.start, end - place.start, not read.is_reverse)
            else:
                key = (place.end - end, place.end - read.start, read.is_reverse)
            expected[key] = expected.get(key, 0) + read.n / read.n_places
        assert found == pytest.approx(expected)


def test_reads_that_count_nothing(tmp_path):
    row = {"start": 1000, "end": 1100}
    bases = BASES[1010:1032]
    flags = {"second of a pair": 0x81, "failed": 0x200, "supplementary": 0x800}
    reads = [Read("c", 1010, bases, n=5), *(Read("c", 1010, bases, n=7, flag=flag) for flag in flags.values())]
    (library,) = libraries_of([write_bam(tmp_path / "x.bam", CONTIGS, reads)], None)
    source = check_library(library, CONTIGS, frozenset("c"), reference=None)
    (found,) = count_reads(source, [Place("c", row["start"], row["end"], "+")])
    assert found == {(10, 32, True): 5.0}


@pytest.mark.parametrize(
    ("program", "tag", "weight", "warns"),
    [
        ({"ID": "Bowtie", "VN": "1.3.1"}, "XM", 0.25, False),
        ({"ID": "bowtie2", "PN": "bowtie2", "VN": "2.5.1"}, "XM", 1.0, True),
        ({"ID": "bwa", "PN": "bwa", "VN": "0.7.17"}, "X0", 0.25, False),
        (None, "XY", 1.0, True),
    ],
)
def test_number_of_places_is_read_where_the_aligner_tells_it(tmp_path, capsys, program, tag, weight, warns):
    bam = tmp_path / "x.bam"
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": "c", "LN": len(BASES)}]}
    with pysam.AlignmentFile(str(bam), "wb", header=header | ({"PG": [program]} if program else {})) as file:
        read = pysam.AlignedSegment()
        read.query_name, read.query_sequence, read.cigarstring = "s", BASES[10:32], "22M"
        read.reference_id, read.reference_start, read.flag = 0, 10, 0
        read.set_tag(tag, 4)
        file.write(read)
    pysam.index(str(bam))
    (library,) = libraries_of([bam], None)
    source = check_library(library, CONTIGS, frozenset("c"), reference=None)
    assert count_reads(source, [Place("c", 0, 70, "+")]) == [{(10, 32, True): weight}]
    assert ("no tag NH" in capsys.readouterr().err) == warns


# ---- the table


def two_libraries(output, folder):
    """Of the best locus whose arms fit each other all reads that it needs, of the next no star, then one stray read."""
    best = best_loci(output, 30)
    first, second, *_ = (row for row in best if arms_fit(row))
    third = next(row for row in best if row not in (first, second) and row["arm_5p_start"] is not None)
    one = [
        arm_reads(first, "3p", 80),
        arm_reads(first, "5p", 10),
        arm_reads(second, "3p", 40),
        arm_reads(third, "5p", 1),
    ]
    two = [arm_reads(first, "3p", 20), arm_reads(first, "5p", 6), arm_reads(second, "3p", 40, n_places=2)]
    brain = write_bam(folder / "brain.bam", CONTIGS, one)
    liver = write_bam(folder / "liver.sorted.bam", CONTIGS, two, collapsed=False)
    return (first, second, third), brain, liver


def test_the_table_has_a_row_a_locus_and_is_joined(output, tmp_path):
    (first, second, third), brain, liver = two_libraries(output, tmp_path)
    table = evidence(output, [brain, liver], quiet=True)
    assert table.schema == EVIDENCE_SCHEMA
    assert table.num_rows == read_loci(output, side_tables=False).num_rows
    found = {row["locus"]: row for row in read_loci(output).to_pylist()}
    mine = found[first["locus"]]
    assert (mine["reads"], mine["reads_3p"], mine["reads_5p"], mine["mature_by_reads"]) == (116, 100, 16, "3p")
    assert mine["n_libraries"] == 2
    assert mine["rpm"] == pytest.approx(116 / (131 + 66) * 1e6)
    assert [each["library"] for each in mine["libraries"]] == ["brain", "liver"]
    assert [each["reads"] for each in mine["libraries"]] == [90, 26]
    assert [each["rpm"] for each in mine["libraries"]] == pytest.approx([90 / 131 * 1e6, 26 / 66 * 1e6])
    assert mine["read_3p_start"] == first["arm_3p_start"]
    assert {(each["end"] - each["start"], each["reads"]) for each in mine["stacks"]} == {
        (first["arm_5p_end"] - first["arm_5p_start"], 16),
        (first["arm_3p_end"] - first["arm_3p_start"], 100),
    }
    assert mine["evidence"] == "supported"
    assert found[second["locus"]]["reads"] == 60, "half of those that have two places"
    assert found[second["locus"]]["evidence"] == "expressed", found[second["locus"]]["lacking"]
    assert found[second["locus"]]["lacking"].startswith("two reads of 20 to 26 nt on the 5p arm")
    assert found[third["locus"]]["evidence"] == "not expressed"
    about = json.loads(pq.read_schema(output / "evidence.parquet").metadata[b"mirsweep.evidence"])
    assert about["criteria"] == "animal"
    assert [each["total_reads"] for each in about["libraries"]] == [131, 66]


def test_it_is_the_same_again_and_with_several_processes(output, tmp_path):
    _, brain, liver = two_libraries(output, tmp_path)
    evidence(output, [brain, liver], quiet=True)
    content = (output / "evidence.parquet").read_bytes()
    evidence(output, [brain, liver], workers=2, quiet=True)
    assert (output / "evidence.parquet").read_bytes() == content
    evidence(output, [brain], quiet=True)
    assert pq.read_table(output / "evidence.parquet")["n_libraries"].to_pylist().count(1) == 2, "it takes its place"


def test_libraries_of_a_table_have_its_names_and_totals(output, tmp_path):
    (first, *_), brain, liver = two_libraries(output, tmp_path)
    (tmp_path / "l.tsv").write_text(
        f"file\tlibrary\ttotal_reads\n{brain.name}\tadult brain\t1000000\n{liver.name}\tx\t\n"
    )
    evidence(output, libraries=tmp_path / "l.tsv", quiet=True)
    told = evidence_of(output, first["locus"])["libraries"]
    assert [(each["library"], round(each["rpm"])) for each in told] == [
        ("adult brain", 90),
        ("x", round(26 / 66 * 1e6)),
    ]


def test_the_command_and_every_format(output, tmp_path, capsys):
    (first, *_), brain, liver = two_libraries(output, tmp_path)
    done = mirsweep("evidence", output, brain, liver, "--json")
    assert done.returncode == 0, done.stderr
    n = read_loci(output).num_rows
    counts = {"supported": 1, "expressed": 1, "contradicted": 0, "not_expressed": n - 2}
    assert json.loads(done.stdout) == {"output": str(output), "n_loci": n} | counts
    assert f"{n} loci by the animal criteria: 1 supported, 1 expressed" in done.stderr
    columns = "locus,evidence,lacking,reads"
    told = shown(capsys, "query", output, "--loci", "--columns", columns).splitlines()
    assert told[0] == columns.replace(",", "\t")
    assert f"{first['locus']}\tsupported\t\t116" in told
    lines = shown(capsys, "query", output, "--loci", "--format", "gff3").splitlines()
    (line,) = (line for line in lines if f"ID={first['locus']};" in line)
    assert ";evidence=supported;" in line
    assert ";reads=116.0;" in line
    assert "stacks" not in line
    asked = "SELECT unnest(libraries).library AS l FROM loci WHERE evidence = 'supported' ORDER BY l"
    assert shown(capsys, "query", output, "--sql", asked) == "l\nbrain\nliver\n"


def test_ends_that_were_read_take_the_place_of_predicted_ones(output, tmp_path, capsys):
    """In GFF3, BED and FASTA, on both strands; the arm that was not read keeps what the model predicts."""
    for row in [row for row in best_loci(output, 30) if row["arm_5p_end"] - row["arm_5p_start"] >= 20][:2]:
        before = {arm: (row[f"arm_{arm}_start"], row[f"arm_{arm}_end"]) for arm in ("5p", "3p")}
        bam = write_bam(tmp_path / "x.bam", CONTIGS, [arm_reads(row, "5p", 30, shift=1)])
        evidence(output, bam, quiet=True)
        own = ["--loci", "--region", f"c:{row['start'] + 1}-{row['end']}", "--strand", row["strand"]]
        lines = [line.split("\t") for line in shown(capsys, "query", output, *own, "--format", "gff3").splitlines()]
        arms = {
            f[8].split("ID=")[1].split(";")[0][-2:]: f for f in lines if f[2:3] == ["miRNA"] and row["locus"] in f[8]
        }
        assert arms["5p"][8].endswith("role=mature;arm=5p;ends=reads")
        assert ";role=star;arm=3p;confidence=" in arms["3p"][8]
        for arm, shift in (("5p", 1), ("3p", 0)):
            start, end = (at + shift for at in before[arm])
            place = (
                (row["end"] - end, row["end"] - start)
                if row["strand"] == "-"
                else (row["start"] + start, row["start"] + end)
            )
            assert (int(arms[arm][3]) - 1, int(arms[arm][4])) == place
        fasta = shown(capsys, "query", output, *own, "--format", "mature-fasta")
        assert row["sequence"][before["5p"][0] + 1 : before["5p"][1] + 1] in fasta
        assert "ends=reads" in fasta
        bed = shown(capsys, "query", output, *own, "--format", "bed").splitlines()
        thick = next(line.split("\t")[6:8] for line in bed if row["locus"] in line)
        assert list(map(int, thick)) == [int(arms["5p"][3]) - 1, int(arms["5p"][4])]


def test_a_perfect_pattern_outranks_a_beautiful_hairpin_without_reads(output, tmp_path):
    *_, last = (row for row in best_loci(output, 30) if perfect_reads(row))
    bam = write_bam(tmp_path / "x.bam", CONTIGS, perfect_reads(last))
    evidence(output, bam, quiet=True)
    first, second, *_ = query(output, loci=True, sort="posterior").to_pylist()
    assert (first["locus"], first["evidence"]) == (last["locus"], "supported")
    assert first["posterior"] > second["posterior"] > second["locus_score"] - 0.2
    with pytest.raises(InputError, match="to sort by posterior takes loci"):
        query(output, sort="posterior")
    (output / "evidence.parquet").unlink()
    with pytest.raises(InputError, match="to sort by posterior takes reads: mirsweep evidence counts them"):
        query(output, loci=True, sort="posterior")


def test_scores_and_verdicts_together_keep_the_order_of_each():
    scores = np.array([0.0, 0.001, 0.2, 0.9, 1.0])
    found = {verdict: posterior(scores, [verdict] * 5) for verdict in VERDICTS}
    assert all((np.diff(each) > 0).all() for each in found.values())
    assert (found["supported"] > found["expressed"]).all()
    assert (found["expressed"] > found["not expressed"]).all()
    assert (found["not expressed"] > found["contradicted"]).all()
    assert found["supported"].min() > found["not expressed"].max()


def test_the_page_shows_what_reads_say_and_the_stack_below_the_hairpin(output, tmp_path):
    """A page that is there is renewed."""
    (first, *_), brain, liver = two_libraries(output, tmp_path)
    page = report(output, attention=False)
    before = page.read_text("utf-8")
    evidence(output, [brain, liver], report=False, quiet=True)
    assert page.read_text("utf-8") == before
    evidence(output, [brain, liver], quiet=True)
    text = page.read_text("utf-8")
    assert re.search(r"supported by reads</dt><dd>1<|<dt>supported by reads</dt>\s*<dd>1<", text)
    assert "Reads say" in text
    for arm, n in (("5p", 16), ("3p", 100)):
        start, end = first[f"arm_{arm}_start"], first[f"arm_{arm}_end"]
        assert f"\n{' ' * start}{first['sequence'][start:end]} {n}" in text
    assert "<small>as read</small>" in text
    assert re.search(r"<dt>brain</dt><dd>131 mapped reads, brain\.bam</dd>", text)
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])
    assert "evidence" in data["columns"]
    assert not {"stacks", "libraries", "criteria"} & set(data["columns"])


def test_the_page_has_supported_loci_below_the_best(output, tmp_path, monkeypatch):
    """Where the table has no room for all: those that reads support are there, with the names of known ones."""
    for module in ("content", "report"):
        monkeypatch.setattr(importlib.import_module(f"mirsweep.jobs.report.{module}"), "MOST_LOCI", 3)
    *_, last = (row for row in best_loci(output, 30) if perfect_reads(row))
    evidence(output, write_bam(tmp_path / "x.bam", CONTIGS, perfect_reads(last)), quiet=True)
    known = tmp_path / "known.bed"
    known.write_text(f"c\t{last['start']}\t{last['end']}\tmir-x\t0\t{last['strand']}\n")
    text = report(output, attention=False, known=known).read_text("utf-8")
    n = read_loci(output).num_rows
    assert f"The 3 best of {n} loci, and 1 further down that reads support." in text
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])
    rows = [dict(zip(data["columns"], row, strict=True)) for row in data["rows"]]
    best = query(output, loci=True, sort="score", limit=3)["locus"].to_pylist()
    assert [row["locus"] for row in rows] == [*best, last["locus"]]
    assert [row["known"] for row in rows] == [None, None, None, "mir-x"]
    assert "data-show" not in text.split('id="known"')[1].split("<script")[0], "its rank is not its place in the table"


def test_a_supported_candidate_that_is_no_locus_is_rescued(output, tmp_path):
    """As if the second pass had left it out; where it is a locus, nothing is rescued there."""
    rows = [row for row in best_loci(output, 30) if perfect_reads(row)]
    loci = read_loci(output, side_tables=False)
    places = list(zip(*(loci[name].to_pylist() for name in ("start", "end", "strand")), strict=True))

    def is_alone(row):
        return sum(s < row["end"] and row["start"] < e and strand == row["strand"] for s, e, strand in places) == 1

    one, other = rows[0], [row for row in rows[1:] if is_alone(row)][-1]
    bam = write_bam(tmp_path / "x.bam", CONTIGS, [*perfect_reads(one), *perfect_reads(other)])
    (library,) = libraries_of([bam], None)
    source = check_library(library, CONTIGS, frozenset("c"), reference=None)
    reads = Reads([source], {library.name: 118.0}, CRITERIA["animal"], map)
    kept = loci.filter(pc.not_equal(loci["locus"], other["locus"]))
    found = find_rescued(open_loci(output), kept, reads)
    assert found["locus"].to_pylist() == [other["locus"]], "the best-scored of nested candidates, and nothing else"
    (row,) = found.to_pylist()
    assert (row["evidence"], row["reads"], row["score"]) == ("supported", 59, other["score"])
    assert find_rescued(open_loci(output), loci, reads).num_rows == 0
    evidence(output, bam, rescue=tmp_path / "r.tsv", quiet=True)
    header, *rest = (tmp_path / "r.tsv").read_text().splitlines()
    assert header.split("\t") == found.column_names
    assert rest == []
    evidence(output, bam, rescue=tmp_path / "r.parquet", quiet=True)
    assert pq.read_table(tmp_path / "r.parquet").schema.names == found.column_names


def test_a_cram_is_counted_like_its_bam(output, tmp_path):
    _, brain, _ = two_libraries(output, tmp_path)
    genome = write_fasta(tmp_path / "g.fa", {"c": BASES})
    cram = tmp_path / "brain.cram"
    pysam.view("-C", "-T", str(genome), "-o", str(cram), str(brain), catch_stdout=False)
    pysam.index(str(cram))
    with pytest.raises(InputError, match="a CRAM needs the FASTA that it was made with: name it with --reference"):
        evidence(output, cram, quiet=True)
    other = write_fasta(tmp_path / "other.fa", {"c": reverse_complement(BASES)})
    with pytest.raises(InputError, match="was made with another FASTA than --reference names"):
        evidence(output, cram, reference=other, quiet=True)
    with pytest.raises(InputError, match=r"none\.fa: no such file; --reference is the FASTA"):
        evidence(output, cram, reference=tmp_path / "none.fa", quiet=True)
    from_bam = evidence(output, brain, quiet=True)
    assert evidence(output, cram, reference=genome, quiet=True).equals(from_bam)


# ---- wrong files


def good_read():
    return Read("c", 100, BASES[100:122], n=3)


def test_wrong_files_are_refused_with_a_sentence(output, tmp_path):
    def refused(path, words, **options):
        with pytest.raises(InputError, match=words) as told:
            evidence(output, path, quiet=True, **options)
        assert str(path) in str(told.value)

    read, n = good_read(), len(BASES)
    refused(tmp_path / "none.bam", "no such file")
    refused(
        write_bam(tmp_path / "a.bam", {"c": n - 7}, [read]), f"contig c has {n - 7} nt there and {n} nt in the scan"
    )
    other = write_bam(tmp_path / "b.bam", {"chrc": n}, [read._replace(contig="chrc")])
    refused(other, r"none of its contigs \(chrc\) is in the scan \(c\).*did you mean 'c'\?")
    refused(write_bam(tmp_path / "c.bam", CONTIGS, [read], order="queryname"), "is not sorted by place .*samtools sort")
    refused(write_bam(tmp_path / "d.bam", CONTIGS, [read], order="unknown"), "is not sorted by place .*samtools sort")
    refused(write_bam(tmp_path / "e.bam", CONTIGS, [read], index=False), "has no index: samtools index")
    refused(write_bam(tmp_path / "f.sam", CONTIGS, [read], mode="w", index=False), r"is not sorted by place \(SAM\)")
    long = Read("c", 200, BASES[200:300], n=1)
    refused(write_bam(tmp_path / "g.bam", CONTIGS, [long] * 9), "too long for small RNAs .*100 nt or more")
    refused(write_bam(tmp_path / "h.bam", CONTIGS, []), "holds no mapped read")
    (tmp_path / "i.bam").write_text("not a BAM\n")
    refused(tmp_path / "i.bam", "cannot be read as BAM or CRAM")
    refused(tmp_path, "is a folder|Is a directory|directory")
    shutil.copy(write_bam(tmp_path / "j.bam", CONTIGS, [read]), tmp_path / "k.bam")
    os.mkfifo(tmp_path / "k.bam.bai")
    with pytest.raises(InputError, match=r"k\.bam\.bai"):
        evidence(output, tmp_path / "k.bam", quiet=True)
    assert not (output / "evidence.parquet").exists()


def test_a_file_that_is_cut_short_is_told(output, tmp_path):
    whole = write_bam(tmp_path / "w.bam", CONTIGS, random_reads(np.random.default_rng(1), 8000))
    content = whole.read_bytes()
    for kept in (len(content) - 28, len(content) // 2):
        cut = tmp_path / f"cut{kept}.bam"
        cut.write_bytes(content[:kept])
        shutil.copy(f"{whole}.bai", f"{cut}.bai")
        with pytest.raises(InputError, match="is cut short"):
            evidence(output, cut, quiet=True)


def test_damaged_files_and_indices_are_read_or_refused_with_a_sentence(tmp_path):
    """htslib trusts an index: one that is damaged has ended the whole program."""
    whole = write_bam(tmp_path / "w.bam", CONTIGS, random_reads(np.random.default_rng(2), 400))
    content = {"bam": whole.read_bytes(), "bai": Path(f"{whole}.bai").read_bytes()}
    path, told = tmp_path / "x.bam", Counter()
    (library,) = libraries_of([path], None)
    for seed in range(300):
        rng = random.Random(seed)
        damaged = {name: bytearray(each) for name, each in content.items()}
        target = damaged[rng.choice(["bam", "bai"])]
        for _ in range(rng.choice([1, 3, 20])):
            target[rng.randrange(len(target))] = rng.randrange(256)
        if seed % 7 == 0:
            del target[rng.randrange(len(target)) :]
        path.write_bytes(damaged["bam"])
        Path(f"{path}.bai").write_bytes(damaged["bai"])
        try:
            source = check_library(library, CONTIGS, frozenset("c"), reference=None)
            count_reads(source, [Place("c", 0, 15_000, "+")])
            told["read"] += 1
        except InputError as error:
            told[str(error).replace(str(path), "")[:18]] += 1
    assert told[".bai: does not fit"] > 60
    assert sum(n for words, n in told.items() if "cut short" in words) > 20
    assert told["read"] > 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty|no column"),
        ("name\tfile\nx\ty.bam\n", "has no column 'library'"),
        ("library\tfile\nx\n", "record 2 has no library or no file"),
        ("library\tfile\ttotal_reads\nx\ty.bam\t-3\n", "total_reads '-3': give a number"),
        ("library\tfile\nx\ty.bam\nx\tz.bam\n", "both called 'x'"),
        ("library\tfile\n", "no reads to count"),
    ],
)
def test_bad_tables_of_libraries_are_refused(output, tmp_path, text, words):
    (tmp_path / "l.tsv").write_text(text)
    with pytest.raises(InputError, match=words):
        evidence(output, libraries=tmp_path / "l.tsv", quiet=True)


def test_an_index_that_is_older_than_its_file_is_told(output, tmp_path, capsys):
    bam = write_bam(tmp_path / "x.bam", CONTIGS, [good_read()])
    os.utime(f"{bam}.bai", (1, 1))
    evidence(output, bam, quiet=True)
    assert "x.bam.bai: is older than what it is the index of: samtools index" in capsys.readouterr().err


def test_a_scan_without_loci_has_a_table_without_rows(tmp_path):
    genome = write_fasta(tmp_path / "g.fa", {"c": "ACCA" * 200})
    scan(genome, output=tmp_path / "out", local=True, quiet=True)
    bam = write_bam(tmp_path / "x.bam", {"c": 800}, [Read("c", 12, "ACCA" * 5)])
    assert evidence(tmp_path / "out", bam, rescue=tmp_path / "r.tsv", quiet=True).num_rows == 0
    assert len((tmp_path / "r.tsv").read_text().splitlines()) == 1


def test_reads_of_a_contig_that_two_genomes_have_count_on_the_one_that_is_named(tmp_path):
    genomes = [write_fasta(tmp_path / f"{name}.fa", {"c": BASES}) for name in "ab"]
    scan(genomes, output=tmp_path / "out", local=True, quiet=True)
    row = best_loci(tmp_path / "out", 1)[0]
    one = write_bam(tmp_path / "one.bam", CONTIGS, [arm_reads(row, "3p", 40)])
    write_bam(tmp_path / "two.bam", CONTIGS, [arm_reads(row, "3p", 20), arm_reads(row, "5p", 5)])
    with pytest.raises(InputError, match=r"contig 'c' is in several genomes of the scan.*name it with --genome"):
        evidence(tmp_path / "out", one, quiet=True)
    with pytest.raises(InputError, match="the scan has no genome 'c'"):
        evidence(tmp_path / "out", one, genome="c", quiet=True)

    def reads_by_genome():
        rows = query(tmp_path / "out", loci=True).to_pylist()
        return {r["genome"]: (r["reads"], r["rpm"], len(r["libraries"])) for r in rows if r["locus"] == row["locus"]}

    evidence(tmp_path / "out", one, genome="b", quiet=True)
    assert reads_by_genome() == {"a": (0, 0, 0), "b": (40, 1e6, 1)}
    (tmp_path / "l.tsv").write_text("library\tfile\tgenome\nx\tone.bam\ta\ny\ttwo.bam\tb\n")
    evidence(tmp_path / "out", libraries=tmp_path / "l.tsv", quiet=True)
    assert reads_by_genome() == {"a": (40, 1e6, 1), "b": (25, 1e6, 1)}


def test_usage_is_checked_before_work(output):
    with pytest.raises(InputError, match="no reads to count"):
        evidence(output)
    with pytest.raises(InputError, match="criteria 'fungal' are unknown"):
        evidence(output, "x.bam", criteria="fungal")
    with pytest.raises(InputError, match="0 workers cannot count"):
        evidence(output, "x.bam", workers=0)
