"""Names of loci: real families named right, by place and by sequence; hostile files; overlaps with features."""

import gzip
import json
import random
import shutil

import numpy as np
import pyarrow as pa
import pytest

from helpers_jobs import mirsweep, scan, slice_bases, write_fasta
from mirsweep.jobs import annotate, query, read_loci
from mirsweep.jobs.annotate.known_sequences import read_known_sequences
from mirsweep.jobs.annotate.match import MatureIndex, Queries, mature_hits
from mirsweep.jobs.annotate.naming import Unnamed, propose_names
from mirsweep.jobs.annotate.record_names import parse_name
from mirsweep.jobs.annotate.schema import ANNOTATION_SCHEMA
from mirsweep.jobs.annotate.significance import fit_null, q_values
from mirsweep.scanner.errors import InputError

CLUSTER = (645_000, 660_000)
"""Of the demo's slice; mir-54 to mir-56 lie in it."""


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("annotate")
    genome = write_fasta(folder / "g.fa", {"c": slice_bases(*CLUSTER)})
    scan(genome, output=folder / "out", local=True, quiet=True, report=False)
    return folder / "out"


@pytest.fixture
def output(scanned, tmp_path):
    return shutil.copytree(scanned, tmp_path / "out")


@pytest.fixture(scope="module")
def mirbase(data_dir, tmp_path_factory):
    """miRBase's mature.fa and hairpin.fa, from the table of the data sets."""
    folder = tmp_path_factory.mktemp("mirbase")
    with gzip.open(data_dir / "hairpins" / "mirbase_v22.tsv.gz", "rt") as stream:
        rows = [line.rstrip("\n").split("\t") for line in stream][1:]
    return write_mirbase(folder, rows)


def write_mirbase(folder, rows, *, without=()):
    kept = [row for row in rows if row[1].partition("-")[0] not in without]
    hairpins = "".join(f">{row[1]} {row[0]} stem-loop\n{row[2]}\n" for row in kept)
    matures = (pair for row in kept for pair in (row[4:6], row[7:9]) if len(pair) > 1 and len(pair[1]) > 3)
    (folder / "hairpin.fa").write_text(hairpins)
    (folder / "mature.fa").write_text("".join(f">{name} x\n{sequence}\n" for name, sequence in matures))
    return rows, folder / "mature.fa", folder / "hairpin.fa"


def best(output, n):
    columns = ["name", "verdict", "family", "nearest", "offset_5p_end", "seed_match", "e_value", "match_q"]
    return query(output, loci=True, sort="score", limit=n, columns=columns).to_pylist()


@pytest.mark.data
def test_mir_35_to_41_are_named_by_sequence(data_dir, mirbase, tmp_path):
    rows, mature, hairpin = mirbase
    genome = data_dir / "srna" / "cel_chrII_mir35_cluster.fa"
    scan(genome, output=tmp_path / "out", local=True, quiet=True)
    annotate(tmp_path / "out", mature=mature, hairpin=hairpin, species="cel", quiet=True)
    found = best(tmp_path / "out", 7)
    assert sorted(row["name"] for row in found) == [f"cel-mir-{number}" for number in range(35, 42)]
    assert {row["verdict"] for row in found} == {"known"}
    assert all(abs(row["offset_5p_end"]) <= 1 and row["seed_match"] for row in found)
    without = tmp_path / "without"
    without.mkdir()
    _, mature, hairpin = write_mirbase(without, rows, without=("cel",))
    annotate(tmp_path / "out", mature=mature, hairpin=hairpin, species="cel", quiet=True)
    found = best(tmp_path / "out", 7)
    assert {row["verdict"] for row in found} == {"homologue"}
    assert len({row["name"] for row in found}) == 7
    near = {parse_name(row["nearest"]).family for row in found}
    assert near <= {f"mir-{number}" for number in (35, 36, 37, 38, 39, 40, 41, 42, 2)}, near


@pytest.mark.data
def test_let_7_is_named_without_its_own_entry(data_dir, mirbase, tmp_path):
    rows, *_ = mirbase
    with gzip.open(data_dir / "genomes" / "cel_ce2_chrX.fa.gz", "rt") as stream:
        stream.readline()
        bases = stream.read().replace("\n", "")[14_740_000:14_748_000]
    scan(write_fasta(tmp_path / "g.fa", {"X": bases}), output=tmp_path / "out", local=True, quiet=True)
    _, mature, hairpin = write_mirbase(tmp_path, rows, without=("cel", "cbr", "crm", "cbn", "prd"))
    annotate(tmp_path / "out", mature=mature, hairpin=hairpin, species="cel", quiet=True)
    first = best(tmp_path / "out", 1)[0]
    assert (first["verdict"], first["family"]) == ("homologue", "let-7")
    assert first["name"].startswith("cel-let-7"), "the letter is that of the nearest one"
    assert first["e_value"] < 1e-3


@pytest.mark.data
def test_barts_of_epstein_barr_virus_by_sequence_and_by_place(data_dir, mirbase, tmp_path):
    _, mature, hairpin = mirbase
    genome = data_dir / "genomes" / "ebv_NC_007605.fa.gz"
    scan(genome, output=tmp_path / "out", preset="virus", local=True, quiet=True)
    names = {
        *(f"ebv-mir-BART{number}" for number in range(1, 23)),
        *(f"ebv-mir-BHRF1-{number}" for number in range(1, 4)),
    }
    annotate(tmp_path / "out", mature=mature, hairpin=hairpin, species="ebv", quiet=True)
    by_sequence = query(tmp_path / "out", sql="SELECT name FROM loci WHERE verdict = 'known'")["name"].to_pylist()
    assert set(by_sequence) == names
    known = data_dir / "genomes" / "ebv_NC_007605.mirbase_v22.gff3"
    annotate(tmp_path / "out", known=known, quiet=True)
    by_place = query(tmp_path / "out", sql="SELECT name FROM loci WHERE verdict = 'known'")["name"].to_pylist()
    assert names - set(by_place) == {"ebv-mir-BART18"}, "its locus covers 69.7 % of it"
    assert len(by_place) == 24


def best_alone(output, n):
    """The best loci that share no base with another one of their strand."""
    rows = query(output, loci=True, sort="score").to_pylist()

    def overlaps(one, other):
        return one["strand"] == other["strand"] and one["start"] < other["end"] and other["start"] < one["end"]

    alone = [row for row in rows if sum(overlaps(row, other) for other in rows) == 1]
    return [row for row in alone if row["arm_5p_start"] is not None][:n]


def own_records(output, folder, n=3):
    """FASTA of the best loci that stand alone, as hairpins and matures of another species."""
    rows = best_alone(output, n)
    hairpin = "".join(f">abc-mir-{100 + k} x\n{row['sequence']}\n" for k, row in enumerate(rows))
    mature = "".join(
        f">abc-miR-{100 + k}-5p\n{row['sequence'][row['arm_5p_start'] : row['arm_5p_end']]}\n"
        for k, row in enumerate(rows)
    )
    (folder / "h.fa").write_text(hairpin)
    (folder / "m.fa").write_text(mature)
    return rows, folder / "m.fa", folder / "h.fa"


def test_table_has_a_row_a_locus_and_is_the_same_again(output, tmp_path):
    rows, mature, hairpin = own_records(output, tmp_path)
    table = annotate(output, mature=mature, hairpin=hairpin, species="xyz", quiet=True)
    assert table.schema == ANNOTATION_SCHEMA
    assert table.num_rows == read_loci(output, side_tables=False).num_rows
    content = (output / "annotation.parquet").read_bytes()
    annotate(output, mature=mature, hairpin=hairpin, species="xyz", quiet=True)
    assert (output / "annotation.parquet").read_bytes() == content
    found = {row["locus"]: row for row in read_loci(output).to_pylist()}
    for k, row in enumerate(rows):
        mine = found[row["locus"]]
        assert mine["name"] in (f"xyz-mir-{100 + k}", f"xyz-mir-{100 + k}a"), "a, if an antisense hairpin is as like"
        assert (mine["verdict"], mine["family"]) == ("homologue", f"mir-{100 + k}")
        assert (mine["mature_identity"], mine["hairpin_identity"], mine["offset_5p_end"]) == (1, 1, 0)
        assert (mine["matched_arm"], mine["seed_match"]) == ("5p", True)
    assert len(set(table["name"].to_pylist())) == table.num_rows
    others = annotate(output, mature=mature, hairpin=hairpin, species="abc", quiet=True)["verdict"].to_pylist()
    assert others.count("known") == 3, "of the species itself"
    assert "abc-mir-100" in read_loci(output)["name"].to_pylist()


def test_numbers_of_novel_loci_stay(output, tmp_path):
    _, mature, hairpin = own_records(output, tmp_path, 1)
    first = annotate(output, mature=mature, quiet=True)["name"].to_pylist()
    own_records(output, tmp_path, 3)
    second = annotate(output, hairpin=hairpin, quiet=True)["name"].to_pylist()
    same = [(one, other) for one, other in zip(first, second, strict=True) if "novel" in one and "novel" in other]
    assert len(same) > 5
    assert all(one == other for one, other in same)


def test_places_name_loci_and_another_assembly_is_refused(output, tmp_path, capsys):
    row = query(output, loci=True, sort="score", limit=1).to_pylist()[0]
    known = tmp_path / "known.bed"
    known.write_text(f'c\t{row["start"] + 3}\t{row["end"] - 2}\tcel-mir-55 "x"\t0\t{row["strand"]}\n')
    annotate(output, known=known, quiet=True)
    named = query(output, sql="SELECT locus, name, known_as FROM loci WHERE verdict = 'known'").to_pylist()
    assert named == [{"locus": row["locus"], "name": 'cel-mir-55 "x"', "known_as": 'cel-mir-55 "x"'}]
    for line, message in (
        ("chr9\t1\t90\tx\t0\t+\n", "none of its contigs"),
        ("c\t99000\t99090\tx\t0\t+\n", "give loci of the same assembly"),
    ):
        known.write_text(line)
        done = mirsweep("annotate", output, "--known", known)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (">a\n\n>b\nACGU\n", "record 1 'a' has no sequence"),
        (">a|b\nMKVLAAGIV\n", "has no record that can be a mature miRNA"),
        ("", "is empty"),
        ("no fasta\n", "not a FASTA file"),
    ],
)
def test_bad_fasta_is_one_sentence(output, tmp_path, content, message):
    (tmp_path / "x.fa").write_text(content)
    done = mirsweep("annotate", output, "--mature", tmp_path / "x.fa")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert message in done.stderr
    assert not (output / "annotation.parquet").exists()


def test_hostile_headers_are_only_names(output, tmp_path):
    own = best_alone(output, 1)[0]
    names = ['gi|12/../"x";<script>', "a", "a", "-", "mir", "x-", "--", "p_pre", "mir--7", "Abc-Mir-7_pre*", "é-miR-1"]
    (tmp_path / "x.fa").write_text("".join(f">{name}\t\n{own['sequence'].lower()}\n" for name in names))
    done = mirsweep("annotate", output, "--hairpin", tmp_path / "x.fa", "--species", "xyz")
    assert done.returncode == 0, done.stderr
    verdicts = query(output, sql="SELECT locus, verdict FROM loci WHERE verdict = 'homologue'").to_pylist()
    assert {"locus": own["locus"], "verdict": "homologue"} in verdicts
    assert f" {len(verdicts)} homologue" in done.stderr
    for file_format in ("gff3", "bed", "json", "tsv", "csv"):
        text = mirsweep("query", output, "--loci", "--format", file_format).stdout
        assert text.count("\n") >= read_loci(output).num_rows
        if file_format == "bed":
            assert {line.count("\t") for line in text.splitlines()} == {11}
    assert mirsweep("annotate", output).returncode == 2
    assert "letters and digits" in mirsweep("annotate", output, "--mature", "x", "--species", "a b").stderr


def test_forty_thousand_mature_sequences(output, tmp_path):
    """Mutated and random ones beside the right one: this one is found, and no other locus is called."""
    generator = random.Random(1)
    rows, *_ = own_records(output, tmp_path, 1)
    right = rows[0]["sequence"][rows[0]["arm_5p_start"] : rows[0]["arm_5p_end"]]
    others = {"".join(generator.choices("ACGU", k=22)) for _ in range(40_000)}
    lines = [f">q{k % 300}-miR-{k}\n{sequence}" for k, sequence in enumerate(sorted(others))]
    (tmp_path / "m.fa").write_text("\n".join([*lines, f">abc-miR-77-5p\n{right}", ""]))
    annotate(output, mature=tmp_path / "m.fa", species="xyz", quiet=True)
    named = query(output, sql="SELECT locus, name FROM loci WHERE verdict = 'homologue'").to_pylist()
    assert named == [{"locus": rows[0]["locus"], "name": "xyz-mir-77"}]


def test_mature_hits_are_those_of_plain_python():
    generator = random.Random(2)
    targets = sorted({"".join(generator.choices("ACGU", k=generator.randint(18, 25))) for _ in range(300)})
    queries = ["".join(generator.choices("ACGU", k=90)) for _ in range(20)]
    queries += [queries[0][:30] + targets[7] + queries[0][30:], targets[3][1:]]
    arms = np.array([[30, -(10**6)]] * len(queries))
    hits = mature_hits(Queries(queries, np.zeros(len(queries), np.int64), arms), MatureIndex(targets))
    for number, text in enumerate(queries):
        expected = {}
        for target, mature in enumerate(targets):
            for start in range(-16, len(text)):
                here = [0 <= start + k < len(text) and text[start + k] == base for k, base in enumerate(mature)]
                has_word = any(all(here[k : k + 9]) for k in range(len(mature) - 8))
                if all(here[1:8]) or has_word:
                    score = 9 * sum(here) - 4 * len(mature) + 15 * all(here[1:8]) + 10 * (abs(start - 30) <= 2)
                    expected[target] = max(expected.get(target, score), score)
        rows = np.flatnonzero(hits.query == number)
        found = dict(zip(hits.target[rows].tolist(), hits.score[rows].tolist(), strict=True))
        top = sorted(expected.values(), reverse=True)[:12]
        assert sorted(found.values(), reverse=True) == top
        assert all(expected[target] == score for target, score in found.items())


def test_null_and_q_values():
    scores = np.random.default_rng(3).gumbel(60, 6, 4000).round()
    null = fit_null(scores)
    for score in (60, 70, 80, 90):
        assert null.p_values(np.array(score)) == pytest.approx((scores >= score).mean(), rel=0.15, abs=1e-3)
    assert null.p_values(np.array([np.nan, 60])).tolist()[0] == 1
    assert q_values(np.array([0.01, 0.04, 0.03, 0.5])) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert null.p_values(np.array(10_000)) > 0


@pytest.mark.parametrize(
    ("name", "species", "family", "stem"),
    [
        ("cel-miR-35-3p", "cel", "mir-35", "mir-35"),
        ("hsa-mir-125b-1", "hsa", "mir-125", "mir-125b"),
        ("hsa-let-7a-2-3p", "hsa", "let-7", "let-7a"),
        ("Hsa-Mir-10-P2a_pre", "Hsa", "mir-10", "mir-10"),
        ("Cel-Let-7_pre", "Cel", "let-7", "let-7"),
        ("ath-MIR156a", "ath", "mir-156", "MIR156a"),
        ("ath-miR156a-5p", "ath", "mir-156", "MIR156a"),
        ("ebv-miR-BART1-5p", "ebv", "mir-bart1", "mir-BART1"),
        ("kshv-mir-K12-10a", "kshv", "mir-k12-10a", "mir-K12-10a"),
        ("dme-bantam-3p", "dme", "bantam", "bantam"),
        ("let-7", "", "let-7", "let-7"),
        ("mmu-miR-9-3p*", "mmu", "mir-9", "mir-9"),
        ("odd|name", "", "odd|name", "odd|name"),
    ],
)
def test_names_of_records_are_taken_apart(name, species, family, stem):
    assert parse_name(name)[:3] == (species, family, stem)


def test_paralogues_have_letters_and_copies_numbers():
    def locus(number, stem, mature, known=(), is_own=False):
        return Unnamed(number, known, stem, mature, is_own)

    one = [locus(1, "mir-71", "A"), locus(2, None, ""), locus(3, None, "", ("cel-mir-35",))]
    assert propose_names(one, species="xyz", taken=()) == ["xyz-mir-71", "xyz-novel-2", "cel-mir-35"]
    several = [locus(k, "mir-71", mature) for k, mature in enumerate("ABAC", 1)]
    assert propose_names(several, species="xyz", taken=()) == [
        *("xyz-mir-71a-1", "xyz-mir-71b", "xyz-mir-71a-2", "xyz-mir-71c")
    ]
    lettered = [locus(1, "mir-125b", "A"), locus(2, "mir-125b", "A"), locus(3, "mir-125b", "C")]
    assert propose_names(lettered, species=None, taken=()) == ["mir-125b-1", "mir-125b-2", "mir-125a"]
    assert propose_names([locus(1, "mir-35", "A")], species="cel", taken={"cel-mir-35"}) == ["cel-mir-35a"]
    assert propose_names([locus(1, "mir-35", "A", is_own=True)], species="cel", taken={"cel-mir-35"}) == ["cel-mir-35"]
    twice = [locus(1, "mir-35", "A", ("cel-mir-35",)), locus(2, "mir-35", "A", ("cel-mir-35",))]
    assert len(set(propose_names(twice, species="cel", taken={"cel-mir-35"}))) == 2


def feature_files(folder, rows):
    """A GFF3 of genes and a BED of repeats about the first loci of a table."""
    a, b, c, d = ((row["start"], row["end"], row["strand"]) for row in rows[:4])
    flipped = {"+": "-", "-": "+"}

    def gff(kind, place, attributes, *, strand=None):
        return f"c\tx\t{kind}\t{place[0] + 1}\t{place[1]}\t.\t{strand or place[2]}\t.\t{attributes}\n"

    lines = "##gff-version 3\n" + f"c\tx\tregion\t1\t{CLUSTER[1] - CLUSTER[0]}\t.\t+\t.\tID=c\n"
    lines += gff("gene", (a[0] - 20, a[1] + 20, a[2]), "ID=g1;Name=lin%2D3") + gff("exon", a, "Parent=g1")
    lines += gff("gene", b, "ID=g2") + gff("gene", c, "ID=g3", strand=flipped[c[2]])
    lines += gff("gene", d, "ID=g4;gene_biotype=tRNA")
    (folder / "genes.gff3").write_text(lines)
    bed = f"c\t{a[0]}\t{a[1]}\tAluY\t0\t+\tSINE/Alu\nc\t{b[0]}\t{b[1]}\t(CA)n\t0\t-\n"
    with gzip.open(folder / "rmsk.bed.gz", "wt") as stream:
        stream.write(bed)
    return folder / "genes.gff3", folder / "rmsk.bed.gz"


def overlaps_by_half_of(row, other):
    shared = min(row["end"], other["end"]) - max(row["start"], other["start"])
    return shared >= 0.5 * (row["end"] - row["start"])


def apart(output):
    """Loci that overlap no other one."""
    rows = sorted(read_loci(output).to_pylist(), key=lambda row: row["start"])
    spaced = [rows[0]]
    for row in rows[1:]:
        if row["start"] > spaced[-1]["end"] + 150:
            spaced.append(row)
    return spaced


def test_features_are_classed_and_exclusion_hides_loci(output, tmp_path):
    rows = apart(output)
    assert len(rows) >= 5
    genes, repeats = feature_files(tmp_path, rows)
    annotate(output, features=[genes, repeats], quiet=True)
    found = {row["locus"]: row for row in read_loci(output).to_pylist()}
    told = [(found[row["locus"]]["feature"], found[row["locus"]]["feature_name"]) for row in rows[:5]]
    assert told == [("exon", "g1"), ("intron", "g2"), ("antisense", "g3"), ("tRNA", "g4"), ("intergenic", None)]
    assert [found[row["locus"]]["repeat"] for row in rows[:3]] == ["SINE/Alu", "Simple_repeat", None]
    assert found[rows[0]["locus"]]["name"] is None, "no names were asked for"
    n = read_loci(output).num_rows
    done = mirsweep("annotate", output, "--exclude", repeats)
    hidden = {row["locus"] for row in found.values() if any(overlaps_by_half_of(row, other) for other in rows[:2])}
    assert f"{len(hidden)} left out" in done.stderr
    assert not hidden & set(read_loci(output)["locus"].to_pylist())
    assert read_loci(output).num_rows == n - len(hidden)
    rows_all = json.loads(mirsweep("query", output, "--loci", "--excluded", "--format", "json").stdout)
    assert {row["locus"] for row in rows_all if row["excluded"]} == hidden
    assert read_loci(output, side_tables=False).num_rows == n


def test_gtf_and_gene_models_in_bed12(output, tmp_path):
    a, b = apart(output)[:2]
    gtf = tmp_path / "x.gtf"
    gtf.write_text(
        f'c\tx\tgene\t{a["start"] + 1}\t{a["end"]}\t.\t{a["strand"]}\t.\tgene_id "G1"; gene_name "abc"; '
        'gene_biotype "snoRNA";\n'
    )
    bed = tmp_path / "models.bed"
    start, end = b["start"] - 50, b["end"] + 50
    bed.write_text(f"c\t{start}\t{end}\tmodel\t0\t{b['strand']}\t{start}\t{end}\t0\t2\t10,10,\t0,{end - start - 10},\n")
    annotate(output, features=[gtf, bed], quiet=True)
    found = {row["locus"]: (row["feature"], row["feature_name"]) for row in read_loci(output).to_pylist()}
    assert found[a["locus"]] == ("snoRNA", "abc")
    assert found[b["locus"]] == ("intron", "model")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr7\t1\t100\tx\n", "none of its contigs"),
        ("c\t14000\t99999\tx\n", "give features of the same assembly"),
        ("c\tx\ty\n", "neither GFF3 or GTF"),
        ("c\t100\t50\tx\n", "an interval that cannot be"),
        ("# only a comment\n", "holds no feature"),
    ],
)
def test_bad_features_are_one_sentence(output, tmp_path, line, message):
    (tmp_path / "x.bed").write_text(line)
    done = mirsweep("annotate", output, "--features", tmp_path / "x.bed")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert message in done.stderr


def test_overlaps_are_those_of_plain_python(output, tmp_path):
    """Many random features, in any order, against every pair."""
    generator = random.Random(5)
    loci = read_loci(output).to_pylist()
    spans = sorted((s := generator.randrange(14_000), s + generator.randint(1, 900)) for _ in range(500))
    generator.shuffle(spans)
    (tmp_path / "x.bed").write_text("".join(f"c\t{start}\t{end}\tf{k}\n" for k, (start, end) in enumerate(spans)))
    annotate(output, exclude=tmp_path / "x.bed", quiet=True)
    left = set(read_loci(output)["locus"].to_pylist())
    for row in loci:
        shared = (min(row["end"], end) - max(row["start"], start) for start, end in spans)
        assert (row["locus"] not in left) == (max(shared) >= 0.5 * (row["end"] - row["start"]))


def test_mirgenedb_gives_matures_of_its_ends(tmp_path):
    hairpin = "UGAGGUAGUAGGUUGUAUAGUU" + "UGGAAUAUUACCACCGGUGAA" + "CUAUGCAAUUUUCUACCUUACC"
    (tmp_path / "m.fa").write_text(f">Cel-Let-7_pre\n{hairpin.replace('U', 'T')}\n")
    known = read_known_sequences(hairpin=[tmp_path / "m.fa"])
    assert known.matures.sequences == [hairpin[:22], hairpin[-22:]]
    assert known.matures.names == [["Cel-Let-7_5p"], ["Cel-Let-7_3p"]]
    assert known.parsed["Cel-Let-7_5p"].family == "let-7"


@pytest.fixture(scope="module")
def relative(tmp_path_factory):
    """A scan of the same cluster after 3 % of its bases were changed and 30 bases put before it."""
    generator = random.Random(9)
    bases = "".join(generator.choice("ACGT") if generator.random() < 0.04 else base for base in slice_bases(*CLUSTER))
    folder = tmp_path_factory.mktemp("relative")
    genome = write_fasta(folder / "r.fa", {"other": "".join(generator.choices("ACGT", k=30)) + bases})
    scan(genome, output=folder / "out", local=True, quiet=True)
    return folder / "out"


def test_loci_of_two_genomes_are_grouped(output, relative, tmp_path):
    _, mature, hairpin = own_records(output, tmp_path)
    done = mirsweep(
        *("annotate", output, "--mature", mature, "--hairpin", hairpin, "--genome", relative),
        *("--groups", tmp_path / "groups.tsv"),
    )
    assert done.returncode == 0, done.stderr
    assert "with a like in another genome" in done.stderr
    lines = (tmp_path / "groups.tsv").read_text().splitlines()
    groups = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
    assert [int(group["group"]) for group in groups] == list(range(1, len(groups) + 1))
    shared = [group for group in groups if group["n_genomes"] == "2"]
    assert len(shared) >= 3
    assert all(group["genomes"] == "g,r" for group in shared)
    assert {"mir-100", "mir-101", "mir-102"} & {name for group in shared for name in group["families"].split(",")}
    best = query(output, loci=True, sort="score", limit=8).to_pylist()
    assert sum(row["conserved_in"] for row in best) >= 4
    for row in [row for row in best if row["conserved_in"]]:
        group = groups[row["conserved_group"] - 1]
        places = {int(text.split(":")[1].split("-")[0]) for text in group["loci"].split(",") if text.startswith("r|")}
        assert any(abs(place - 30 - row["start"]) < 100 for place in places), "its like lies where it was copied to"
    unlike = query(output, sql="SELECT max(q_value) AS q FROM loci WHERE conserved_group IS NOT NULL")
    assert unlike["q"][0].as_py() <= 0.5
    twice = mirsweep("annotate", output, "--genome", output)
    assert twice.returncode == 2
    assert "give scans of distinct genomes" in twice.stderr
    assert mirsweep("annotate", output, "--mature", mature, "--groups", tmp_path / "x.tsv").returncode == 2


def test_completeness_tells_which_families_were_found(output, tmp_path):
    _, mature, hairpin = own_records(output, tmp_path)
    table = tmp_path / "families.tsv"
    table.write_text("# made up\nfamily\tnode\nMIR-100\tRoot\nMir-101\tInner\nMIR-999\tRoot\nmir-100\tRoot\n")
    done = mirsweep("annotate", output, "--families", table)
    assert done.returncode == 2
    assert "no names" in done.stderr
    done = mirsweep("annotate", output, "--mature", mature, "--hairpin", hairpin, "--families", table, "--json")
    found = json.loads(done.stdout)
    assert (found["n_expected"], found["n_found"], found["missing"]) == (3, 2, ["MIR-999"])
    assert found["score"] == pytest.approx(200 / 3)
    assert [family["n_loci"] > 0 for family in found["families"]] == [True, True, False]
    assert "2 of 3 conserved families found (score 66.7); missing: MIR-999" in done.stderr
    done = mirsweep("annotate", output, "--families", table, "--clade", "root")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["family", "MIR-100", "MIR-999"]
    for content, message in (
        ("a\tb\n", "needs the columns family and clade"),
        ("family\tclade\nMIR-1\n", "row 2 has no family or no clade"),
        ("family\tclade\n", "has no family"),
    ):
        table.write_text(content)
        done = mirsweep("annotate", output, "--families", table)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert message in done.stderr
    table.write_text("family\tclade\nMIR-1\tBilateria\n")
    assert "did you mean 'Bilateria'" in mirsweep("annotate", output, "--families", table, "--clade", "Bilatera").stderr


def test_a_scan_without_loci_is_told(output, tmp_path):
    (output / "loci.parquet").unlink()
    with pytest.raises(InputError, match="has no loci"):
        annotate(output, mature=tmp_path / "x.fa")


def test_an_empty_table_of_loci_can_be_annotated(tmp_path):
    generator = random.Random(1)
    genome = write_fasta(tmp_path / "g.fa", {"c": "".join(generator.choices("AC", k=3000))})
    scan(genome, output=tmp_path / "out", local=True, quiet=True)
    (tmp_path / "m.fa").write_text(">cel-let-7\nUGAGGUAGUAGGUUGUAUAGUU\n")
    table = annotate(tmp_path / "out", mature=tmp_path / "m.fa", quiet=True)
    assert isinstance(table, pa.Table)
    assert table.num_rows == 0
