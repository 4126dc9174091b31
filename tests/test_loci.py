"""The second pass: what a user finds in loci.parquet and the files beside it, and its parts against plain Python."""

import json
import math
import random
import re
import shutil
import statistics
from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pysam
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpers_jobs import make_model, mirsweep, scan, scan_with_decoys, slice_bases, write_fasta
from mirsweep.jobs import compare, loci, query, read_candidates, read_loci
from mirsweep.jobs.loci.clusters import find_clusters
from mirsweep.jobs.loci.facing import best_facing, read_forwards
from mirsweep.jobs.loci.features import (
    NO_NEIGHBOUR,
    _best_neighbours,
    _geometric_means,
    count_copies,
    triplet_entropies,
)
from mirsweep.jobs.loci.find import Scanned, find_decoys
from mirsweep.jobs.loci.likely import lowest_scores
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.loci_schema import LOCI_SCHEMA
from mirsweep.jobs.results.overlap import overlaps_by_half
from mirsweep.scanner.alphabet import encode
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import open_genome
from mirsweep.scanner.reversed import Reversed

CLUSTER = slice_bases(640_000, 690_000)
"""Seven known precursors of one cluster (mir-54 to mir-56 and others) and 50 kb about them."""
PLACE = ["contig", "start", "end", "strand"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("loci")


@pytest.fixture(scope="module")
def genome(folder):
    return write_fasta(folder / "genome.fa", {"c": CLUSTER, "d|../x": slice_bases(0, 10_000)})


@pytest.fixture(scope="module")
def output(folder, genome):
    done = mirsweep("scan", genome, "-o", folder / "out", "--local")
    assert done.returncode == 0, done.stderr
    assert "at an expected false discovery rate of 10 %" in done.stderr.splitlines()[-1]
    assert "decoys: 60.0 of 60.0 kb" in done.stderr
    return folder / "out"


def keys(table, columns=PLACE):
    return list(zip(*(table[name].to_pylist() for name in columns), strict=True))


def test_each_locus_is_a_candidate_and_stands_once_a_strand(output):
    found, candidates = read_loci(output), read_candidates(output)
    assert found.schema == LOCI_SCHEMA
    assert set(keys(found)) < set(keys(candidates))
    assert keys(found) == [place for place in keys(candidates) if place in set(keys(found))]
    for one, other in combinations(keys(found), 2):
        assert (one[0], one[3]) != (other[0], other[3]) or not overlaps_by_half(*one[1:3], *other[1:3])


def test_a_cluster_of_known_precursors_ranks_first(output):
    best = query(output, loci=True, sort="score", limit=4)
    assert best["cluster_size"].to_pylist()[0] >= 5
    assert len(set(best["cluster"].to_pylist())) == 1
    assert min(best["locus_score"].to_pylist()) > 0.5
    assert best["copies"].to_pylist() == pytest.approx([1.0] * 4, abs=0.05)


def test_loci_do_not_depend_on_shards_nor_on_being_found_again(output, folder, genome):
    first = read_loci(output)
    scan_with_decoys(genome, output=folder / "narrow", local=True, shard_nt=7_000, quiet=True)
    assert keys(read_loci(folder / "narrow")) == keys(first)
    for name in ("locus_score", "copies", "locus_fp_per_mb", "q_value", "fp_per_mb", "fp_per_mb_low", "fp_per_mb_high"):
        assert np.allclose(read_loci(folder / "narrow")[name], first[name], rtol=1e-3)
    before = (output / "loci.tsv").read_bytes()
    assert loci(output, quiet=True).equals(first)
    assert (output / "loci.tsv").read_bytes() == before
    assert json.loads((output / "run.json").read_text())["loci"]["n_loci"] == first.num_rows


def test_files_hold_the_loci_of_the_balanced_threshold(output):
    chosen = query(output, loci=True, max_fp_per_mb="balanced")
    assert 0 < chosen.num_rows < read_loci(output).num_rows
    gff3 = [line.split("\t") for line in pysam.BGZFile(str(output / "loci.gff3.gz")).read().decode().splitlines()]
    hairpins = [fields for fields in gff3 if len(fields) == 9 and fields[2] == "miRNA_primary_transcript"]
    assert [int(fields[3]) - 1 for fields in hairpins] == chosen["start"].to_pylist()
    assert "locus_score=" in hairpins[0][8]
    assert float(re.search("q_value=([^;]*)", hairpins[0][8])[1]) <= 0.1
    assert float(hairpins[0][5]) == pytest.approx(chosen["locus_score"][0].as_py())
    bed = list(pysam.TabixFile(str(output / "loci.bed.gz")).fetch("c"))
    assert len(bed) == chosen.num_rows
    assert (output / "loci.fa").read_text().count(">") == chosen.num_rows
    arms = [line.split()[0].removeprefix(">") for line in (output / "mature.fa").read_text().splitlines()[::2]]
    assert sorted(arms) == sorted(f"{name}-{arm}" for name in chosen["locus"].to_pylist() for arm in ("5p", "3p"))
    scores = [float(line.split("\t")[LOCI_SCHEMA.names.index("locus_score")]) for line in lines_of(output / "loci.tsv")]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == chosen.num_rows


def test_both_arms_of_a_locus_are_told(output):
    """The sequences of a cluster of known precursors, by arm, within the hairpin and outside the terminal loop."""
    found = query(output, loci=True).to_pylist()
    for row in found:
        if row["arm_5p_start"] is not None:
            assert 18 <= row["arm_5p_end"] - row["arm_5p_start"] <= 26
            assert row["arm_5p_end"] <= row["loop_start"]
        if row["arm_3p_start"] is not None:
            assert row["loop_end"] <= row["arm_3p_start"]
            assert row["arm_3p_end"] <= len(row["sequence"])
        if row["arm"] is not None:
            mature = (row["mature_start"], row["mature_end"])
            assert mature == (row[f"arm_{row['arm']}_start"], row[f"arm_{row['arm']}_end"])
        assert row["mature"] in (None, row["arm"])
        assert all(row[f"arm_{arm}_confidence"] in (None, pytest.approx(0.5, abs=0.4901)) for arm in ("5p", "3p"))
    best = max(found, key=lambda row: row["locus_score"])
    assert min(best["arm_5p_confidence"], best["arm_3p_confidence"]) > 0.5


def lines_of(path):
    return path.read_text().splitlines()[1:]


def test_query_compare_and_sql_know_loci(output, folder):
    known = folder / "known.bed"
    best = query(output, loci=True, sort="score", limit=2)
    known.write_text("".join(f"{c}\t{s}\t{e}\tx\t0\t{strand}\n" for c, s, e, strand in keys(best)))
    result = compare(output, known, loci=True)
    assert (result.n_known, result.n_recovered, result.average_precision) == (2, 2, 1.0)
    assert result.n_candidates == read_loci(output).num_rows
    done = mirsweep("query", output, "--loci", "--max-q", 0.02, "--columns", "locus,q_value", "--format", "json")
    assert 0 < len(json.loads(done.stdout)) < result.n_candidates
    assert all(row["q_value"] <= 0.02 for row in json.loads(done.stdout))
    count = query(output, sql="SELECT count(*) AS n FROM loci JOIN candidates USING (contig, start, strand)")
    assert count["n"][0].as_py() >= read_loci(output).num_rows


def test_a_model_without_calibration_has_no_loci(folder, genome):
    model = make_model(folder / "small.safetensors")
    done = mirsweep("scan", genome, "-o", folder / "plain", "--local", "--model", model)
    assert (done.returncode, (folder / "plain" / "loci.parquet").exists()) == (0, False)
    for arguments in (("query", folder / "plain", "--loci"), ("loci", folder / "plain")):
        done = mirsweep(*arguments)
        assert done.returncode == 2
        assert "run mirsweep loci" in done.stderr or "has no calibration" in done.stderr


def test_loci_of_an_older_version_are_told_as_such(output, folder):
    """Whose table has fewer columns; found again, they have all."""
    old = shutil.copytree(output, folder / "old")
    table = pq.read_table(old / "loci.parquet").drop_columns(["similarity", "n_similar"])
    pq.write_table(table, old / "loci.parquet")
    run = json.loads((old / "run.json").read_text())
    run["digests"].pop("loci.parquet")
    (old / "run.json").write_text(json.dumps(run))
    for arguments in (("query", old, "--loci"), ("report", old), ("compare", old, old / "x.bed", "--loci")):
        done = mirsweep(*arguments)
        assert done.returncode == 2
        assert f"without similarity, n_similar: run mirsweep loci {old}" in done.stderr
    assert mirsweep("loci", old).returncode == 0
    assert read_loci(old).equals(read_loci(output))


def test_a_genome_that_has_changed_is_refused(folder):
    path = write_fasta(folder / "changing.fa", {"c": slice_bases(0, 6_000)})
    scan(path, output=folder / "changing", local=True, loci=False, quiet=True)
    assert not (folder / "changing" / "loci.parquet").exists()
    write_fasta(path, {"c": slice_bases(6_000, 12_000)})
    with pytest.raises(InputError, match="has changed since the scan"):
        loci(folder / "changing")
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        loci(folder / "changing")


def test_names_that_a_format_cannot_hold_cost_its_file_alone(folder):
    """Two genomes with contigs of one name, which GFF3 and BED cannot tell apart; a name that begins with #."""
    paths = [write_fasta(folder / f"{name}.fa", {"c": CLUSTER}) for name in ("one", "two")]
    done = mirsweep("scan", *paths, "-o", folder / "two", "--local", "--decoys", "none")
    assert done.returncode == 0, done.stderr
    assert "loci.gff3.gz is not written" in done.stderr
    assert "loci.bed.gz is not written" in done.stderr
    assert sorted(path.name for path in (folder / "two").glob("loci.*")) == ["loci.parquet", "loci.tsv"]
    found = read_loci(folder / "two").drop_columns("cluster")
    one, two = (found.filter(pc.equal(found["genome"], name)).to_pylist() for name in ("one", "two"))
    for row, other in zip(one, two, strict=True):  # other batches, so other last digits
        expected = other | {"genome": "one"}
        for name, value in row.items():
            is_float = isinstance(value, float)
            assert value == (pytest.approx(expected[name], rel=1e-4, abs=1e-5) if is_float else expected[name]), name
    assert query(folder / "two", loci=True, genome="one", sort="score", limit=1)["copies"].to_pylist() == [1.0]
    path = write_fasta(folder / "hash.fa", {"#c": CLUSTER})
    done = mirsweep("scan", path, "-o", folder / "hash", "--local", "--decoys", "none")
    assert done.returncode == 0, done.stderr
    assert "loci.bed.gz is not written" in done.stderr
    assert (folder / "hash" / "loci.gff3.gz.tbi").exists()


def test_loci_are_found_again_from_elsewhere_and_not_of_a_pipe(folder, monkeypatch):
    write_fasta(folder / "here.fa", {"c": slice_bases(0, 6_000)})
    monkeypatch.chdir(folder)
    scan("here.fa", output="here", local=True, quiet=True)
    with open("here.fa") as stream:
        done = mirsweep("scan", "-", "-o", "piped", "--local", "--decoys", "none", stdin=stream)
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir("/")
    assert loci(folder / "here", quiet=True).num_rows == read_loci(folder / "here").num_rows > 0
    with pytest.raises(InputError, match="was read from a pipe"):
        loci(folder / "piped")


def test_more_shards_withdraw_what_was_found(folder, genome):
    scan(genome, output=folder / "again", local=True, quiet=True)
    next((folder / "again" / "candidates").iterdir()).unlink()
    before = pq.read_metadata(folder / "again" / "loci.parquet").num_rows
    scan(genome, output=folder / "again", local=True, loci=False, quiet=True)
    assert not [path.name for path in (folder / "again").iterdir() if path.name.startswith(("loci", "mature"))]
    assert loci(folder / "again", quiet=True).num_rows == before


LIMITS = {"strict": (0.05, 0.1), "balanced": (0.1, 1.0), "sensitive": (0.5, 10.0)}


def test_presets_are_q_values_where_there_are_decoys(output, folder, genome):
    run = json.loads((output / "run.json").read_text())["loci"]
    scan(genome, output=folder / "bare", local=True, quiet=True)
    bare = json.loads((folder / "bare" / "run.json").read_text())["loci"]
    assert (run["presets_by"], bare["presets_by"], bare["decoys"]) == ("q_value", "locus_fp_per_mb", None)
    for name, (q_value, fp_per_mb) in LIMITS.items():
        chosen = query(output, loci=True, max_fp_per_mb=name)
        assert chosen.num_rows == run[name] > 0
        assert pc.max(chosen["q_value"]).as_py() <= np.float32(q_value)
        assert chosen.equals(query(output, loci=True, max_q=q_value))
        chosen = query(folder / "bare", loci=True, max_fp_per_mb=name)
        assert chosen.num_rows == bare[name] > 0
        assert pc.max(chosen["fp_per_mb"]).as_py() <= fp_per_mb
    found = read_loci(folder / "bare")
    assert found["fp_per_mb"].equals(found["locus_fp_per_mb"])
    assert found["fp_per_mb_low"].null_count == found["fp_per_mb_high"].null_count == found.num_rows
    assert "expected 1 false positive per Mb" in mirsweep("loci", folder / "bare").stderr


def test_run_json_counts_the_decoys(output):
    run, decoys = open_output(output).run["loci"], open_output(output).decoys
    assert run["decoys"]["n_scanned"] == decoys.run["counts"]["n_scanned"] == 60_000
    assert run["decoys"]["n_candidates"] == decoys.dataset().count_rows()
    assert run["decoys"]["strict"] <= run["decoys"]["balanced"] <= run["decoys"]["sensitive"] < run["decoys"]["n_loci"]
    assert run["decoys"]["strict"] < run["strict"]
    assert run["decoys"]["n_precursors"] >= 4  # of the seven of the cluster


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 120), st.integers(1, 60), st.sampled_from("+-")), max_size=25
    )
)
@settings(max_examples=60)
def test_the_best_facing_locus_is_that_of_a_plain_search(places):
    def table(rows):
        names = ("genome", "contig", "start", "end", "strand")
        columns = zip(
            *(("g", contig, start, start + length, strand) for contig, start, length, strand in rows), strict=True
        )
        return pa.table(dict(zip(names, columns, strict=True))) if rows else pa.table({name: [] for name in names})

    decoys, others = places[::2], places[1::2]
    scores = np.linspace(0.1, 0.9, len(others))
    expected = [
        max(
            [
                score
                for score, (other, first, span, other_strand) in zip(scores, others, strict=True)
                if (contig, strand) == (other, other_strand)
                and overlaps_by_half(start, start + length, first, first + span)
            ],
            default=-math.inf,
        )
        for contig, start, length, strand in decoys
    ]
    assert best_facing(table(decoys), table(others), scores).tolist() == expected


def test_decoys_are_placed_where_they_were_read(genome):
    opened = open_genome(genome)
    backwards = Reversed(opened)
    rows = pa.table({"genome": ["g"], "contig": ["c"], "start": [100], "end": [180], "strand": ["-"]})
    (row,) = read_forwards(rows, {("g", "c"): len(CLUSTER)}).to_pylist()
    assert opened.fetch("c", row["start"], row["end"]) == backwards.fetch("c", 100, 180)[::-1]
    assert row["strand"] == "-"


def test_decoys_are_the_loci_of_the_genome_reversed_by_hand(output, folder):
    """Copies and neighbours among them: the same scores as if it were a genome of its own."""
    records = {"c": CLUSTER[::-1], "d|../x": slice_bases(0, 10_000)[::-1]}
    path = write_fasta(folder / "backwards.fa", records)
    scan(path, output=folder / "by-hand", name="genome", local=True, quiet=True)
    opened = open_output(output)
    scanned = Scanned(opened, [open_genome(folder / "genome.fa")], {"genome": 0.06})
    backwards = Scanned(opened.decoys, [Reversed(genome) for genome in scanned.genomes], {"genome": 0.06})
    by_hand = read_loci(folder / "by-hand")["locus_score"].to_numpy()
    assert len(by_hand) > 50
    np.testing.assert_allclose(find_decoys(scanned, backwards, {"genome": "genome"}).scores, by_hand, atol=1e-4)


def test_copies_of_decoys_are_counted_in_the_genome_read_backwards(tmp_path):
    unit = slice_bases(640_000, 640_400)
    path = write_fasta(tmp_path / "repeats.fa", {"c": "N".join([unit] * 8)})
    genome = open_genome(path)
    backwards = Reversed(genome).fetch("c", 100, 180)
    assert count_copies([encode(backwards)], Reversed(genome)) == pytest.approx([8.0], abs=0.01)
    assert count_copies([encode(backwards)], genome).tolist() == [1.0]


def test_q_values_of_candidates_and_beyond_one_are_refused(output):
    with pytest.raises(InputError, match="only loci have"):
        query(output, max_q=0.1)
    with pytest.raises(InputError, match="it is a share, from 0 to 1"):
        query(output, loci=True, max_q=10)
    done = mirsweep("query", output, "--loci", "--max-q", 0)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert "no candidate has a q_value of at most 0: they go from" in done.stderr


def test_a_genome_without_mirnas_gives_no_locus(folder):
    """The slice's first bases shuffled, and read backwards; the same genome tells how many it would get wrong."""
    bases = slice_bases(0, 150_000)
    letters = list(bases[:80_000])
    random.Random(3).shuffle(letters)
    for name, sequence in (("shuffled", "".join(letters)), ("backwards", bases[::-1])):
        path = write_fasta(folder / f"{name}.fa", {"c": sequence})
        scan_with_decoys(path, output=folder / name, local=True, quiet=True)
        assert query(folder / name, loci=True, max_fp_per_mb="strict").num_rows == 0


@pytest.mark.parametrize("bases", [slice_bases(640_000, 640_300), "N" * 200 + slice_bases(0, 100) + "N" * 300])
def test_the_smallest_genomes_have_decoys_too(tmp_path, bases):
    path = write_fasta(tmp_path / "tiny.fa", {"c": bases, "n": "N" * 90})
    done = mirsweep("scan", path, "-o", tmp_path / "out", "--local")
    assert done.returncode == 0, done.stderr
    assert open_output(tmp_path / "out").decoys.run["counts"]["n_scanned"] == len(bases) - bases.count("N")
    assert read_loci(tmp_path / "out")["q_value"].null_count == 0
    assert (tmp_path / "out" / "loci.tsv").is_file()


@given(st.lists(st.text("ACGT", min_size=1, max_size=40), min_size=1, max_size=4), st.integers(1, 4))
@settings(max_examples=30)
def test_copies_equal_the_plain_ones(tmp_path_factory, units, times):
    genome = "N".join(units * times)
    path = write_fasta(tmp_path_factory.mktemp("copies") / "g.fa", {"c": genome})
    copies = count_copies([encode(unit.encode()) for unit in units], open_genome(path))
    bases = Counter(genome.replace("N", ""))
    n_bases = bases.total()
    shares = {
        base: (bases[base] + bases[other]) / n_bases / 2 for pair in ("AT", "CG") for base, other in (pair, pair[::-1])
    }
    for unit, found in zip(units, copies.tolist(), strict=True):
        windows = [unit[i : i + 14] for i in range(len(unit) - 13)]
        chance = [2 * n_bases * math.prod(shares[base] for base in window) for window in windows]
        counts = [
            max(1.0, occurrences(window, genome) - by_chance) for window, by_chance in zip(windows, chance, strict=True)
        ]
        assert found == pytest.approx(statistics.geometric_mean(counts) if counts else 1.0)


def test_a_hairpin_like_many_decayed_ones_has_copies(tmp_path):
    """Sixty copies of a repeat, one base in eight changed: few 14-mers are left alike, and yet they tell."""
    rng = random.Random(1)

    def random_bases(n):
        return "".join(rng.choices("ACGT", k=n))

    repeat, unique = random_bases(80), random_bases(80)
    decayed = ["".join(rng.choice("ACGT") if rng.random() < 1 / 6 else base for base in repeat) for _ in range(60)]
    genome = "".join(random_bases(2_000) + copy for copy in decayed) + unique
    path = write_fasta(tmp_path / "decayed.fa", {"c": genome})
    of_decayed, of_unique = count_copies([encode(text.encode()) for text in (decayed[7], unique)], open_genome(path))
    assert of_decayed > 2
    assert of_unique == pytest.approx(1.0, abs=0.05)


@given(st.lists(st.lists(st.floats(1, 1e6), max_size=9), max_size=8))
def test_geometric_means_are_those_of_each_hairpin(values):
    owners = np.repeat(np.arange(len(values)), [len(own) for own in values])
    found = _geometric_means(np.array([value for own in values for value in own], float), owners, len(values))
    assert found == pytest.approx([statistics.geometric_mean(own) if own else 1.0 for own in values])


@pytest.mark.parametrize("n", [0, 1_999, 2_000, 2_001, 30_000])
def test_as_many_candidates_are_looked_at_as_a_genome_of_its_size_has(n):
    rng = np.random.default_rng(n)
    scores = {name: rng.random(n).astype(np.float32) for name in ("small", "large")}
    mixed = [(name, score) for name, own in scores.items() for score in own.tolist()]
    rng.shuffle(mixed)
    names, values = zip(*mixed, strict=True) if mixed else ((), ())
    table = pa.table(
        {
            "genome": pa.array(names, pa.string()).dictionary_encode(),
            "score": pa.array([float(value) for value in values], pa.float32()),
        }
    )
    batches = pa.Table.from_batches(table.to_batches(max_chunksize=700), table.schema)
    found = lowest_scores(ds.dataset(batches), {"small": 1, "large": 20})
    for name, n_looked_at in (("small", 2_000), ("large", 8_000)):
        kept = np.sort(scores[name])[::-1][:n_looked_at]
        assert found[name] == (float(kept[-1]) if n > n_looked_at else 0)


def complexity_of(*texts):
    offsets = np.cumsum([0, *(len(text) for text in texts)])
    return triplet_entropies(encode("".join(texts).encode()), offsets)


@given(st.lists(st.text("ACGT", max_size=120), max_size=5))
@example(["A" * 50, "", "AC", "CA" * 40])
def test_complexity_equals_the_plain_entropy_of_each(texts):
    plain = []
    for bases in texts:
        triplets = Counter(bases[i : i + 3] for i in range(len(bases) - 2))
        shares = [n / triplets.total() for n in triplets.values()]
        plain.append(-sum(share * math.log2(share) for share in shares))
    assert complexity_of(*texts) == pytest.approx(plain, abs=1e-9)
    assert all(complexity_of(bases)[0] == own for bases, own in zip(texts, complexity_of(*texts), strict=True))


def test_complexity_tells_simple_repeats():
    repeat, hairpin = complexity_of("CA" * 40, slice_bases(640_000, 640_080))
    assert repeat <= 1 < 4.5 < hairpin <= 6


def occurrences(window, genome):
    """Places of a 14-mer on either strand; one that is its own reverse complement counts once a place."""
    other = window.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    return sum(genome[i : i + 14] in (window, other) for i in range(len(genome) - 13))


places = st.lists(
    st.tuples(st.integers(0, 40_000), st.integers(40, 120), st.sampled_from("+-"), st.floats(-5, 5)), max_size=12
).map(sorted)


def as_table(found):
    columns = list(zip(*found, strict=True)) or [(), (), (), ()]
    starts = np.array(columns[0], np.int64)
    names = {"genome": ["g"] * len(found), "contig": ["c"] * len(found)}
    return pa.table(
        names | {"start": starts, "end": starts + np.array(columns[1], np.int64), "strand": list(columns[2])},
    )


@given(places)
def test_neighbours_equal_the_plain_ones(found):
    worth = np.array([w for *_, w in found])
    expected = []
    for start, length, strand, _ in found:
        apart = [(w, max(s - start - length, start - s - n)) for s, n, other, w in found if other == strand]
        near = [min(3, w) - 1.5 * math.log(max(1, gap / 200)) for w, gap in apart if 0 <= gap <= 10_000]
        expected.append(max(near, default=NO_NEIGHBOUR))
    assert _best_neighbours(as_table(found), worth).tolist() == pytest.approx(np.maximum(expected, NO_NEIGHBOUR))


@given(places, st.data())
def test_clusters_are_runs_of_likely_loci_of_a_strand(found, data):
    table = as_table(found)
    rates = np.array([data.draw(st.sampled_from([1.0, 50.0])) for _ in found])
    clusters = find_clusters(table, rates)
    for strand in "+-":
        likely = [k for k, row in enumerate(found) if row[2] == strand and rates[k] == 1.0]
        ends = np.maximum.accumulate([found[k][0] + found[k][1] for k in likely]) if likely else []
        for before, (one, other) in zip(ends, pairwise(likely), strict=False):
            is_near = found[other][0] - before <= 10_000
            assert (clusters.number[one] == clusters.number[other] >= 0) == is_near
    assert (clusters.number[rates > 10] == -1).all()
    for number in set(clusters.number[clusters.number >= 0].tolist()):
        members = clusters.number == number
        assert (clusters.size[members] == members.sum()).all()
