"""Many genomes in one scan: by a manifest, with contigs of the same names, each with loci and failures of its own."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.compute as pc
import pytest

from helpers_jobs import CALIBRATION, make_model, scan_with_decoys, slice_bases, write_fasta
from mirsweep.jobs import query, read_candidates, read_loci
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.scanning.opening import Asked, asked_for, manifest_of, open_genomes, read_manifest
from mirsweep.scanner import InputError

NAMES = ["a", "b", "c", "d"]
ERRORS = ["q_value", "fp_per_mb", "fp_per_mb_low", "fp_per_mb_high"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("many")


@pytest.fixture(scope="module")
def model(folder):
    return make_model(folder / "small.safetensors", calibration=CALIBRATION)


@pytest.fixture(scope="module")
def files(folder):
    """Four genomes whose contigs have the same names."""
    return [
        write_fasta(
            folder / f"{name}.fa", {"c": slice_bases(20_000 * k, 20_000 * k + 9_000), "s": slice_bases(k, k + 700)}
        )
        for k, name in enumerate(NAMES)
    ]


@pytest.fixture(scope="module")
def manifest(folder, files):
    """Groups: a and b, c and d."""
    lines = [f"{path.stem}\t{path.name}\t{'ab' if path.stem in 'ab' else 'cd'}" for path in files]
    path = folder / "genomes.tsv"
    path.write_text("# four\nname\tpath\tgroup\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def asked(model):
    return {"model": model, "local": True, "quiet": True, "report": False}


@pytest.fixture(scope="module")
def each(folder, files, asked):
    """All genomes in one scan, each with its own error rates."""
    return scan_with_decoys(files, output=folder / "each", **asked)


def of_genome(table, name):
    return table.filter(pc.equal(table["genome"], name)).drop_columns(["genome"])


def test_small_genomes_share_a_shard(each):
    assert (each.n_shards, each.run["files"]["n_files"]) == (1, 1)


def test_candidates_and_loci_of_a_genome_are_those_of_a_scan_of_it_alone(each, files, folder, asked):
    alone = scan_with_decoys(files[2], output=folder / "alone", **asked).output
    candidates, loci = of_genome(read_candidates(each.output), "c"), of_genome(read_loci(each.output), "c")
    columns = ["contig", "start", "end", "strand", "mfe", "sequence", "structure", "flank_5p", "flank_3p"]
    assert candidates.select(columns).to_pylist() == read_candidates(alone).select(columns).to_pylist()
    found = read_loci(alone)
    assert found.num_rows > 3
    assert loci["locus"].to_pylist() == found["locus"].to_pylist()
    for name in ("locus_score", *ERRORS):
        np.testing.assert_allclose(loci[name], found[name], rtol=1e-3)


def test_a_group_shares_its_decoys_and_another_choice_costs_the_second_pass_only(manifest, each, folder, asked):
    shutil.copytree(each.output, folder / "grouped")
    grouped = scan_with_decoys(manifest=manifest, output=folder / "grouped", **asked)
    assert grouped.n_resumed == grouped.n_shards
    assert [genome["decoy_group"] for genome in grouped.run["genomes"]] == ["ab", "ab", "cd", "cd"]
    loci, own = read_loci(grouped.output), read_loci(each.output)
    assert loci.drop_columns(ERRORS).equals(own.drop_columns(ERRORS))
    assert not loci["fp_per_mb"].equals(own["fp_per_mb"])
    counts = open_output(folder / "grouped").run["loci"]
    assert counts["sensitive"] == query(folder / "grouped", loci=True, max_fp_per_mb="sensitive").num_rows
    scan_with_decoys(manifest=manifest, output=folder / "grouped", decoy_group="all", **asked)
    pooled = read_loci(folder / "grouped")
    first, second = (np.isin(loci["genome"].to_pylist(), list(names)) for names in ("ab", "cd"))
    for table, groups in ((loci, [first, second]), (pooled, [first | second])):
        for rows in groups:  # one curve a group: who scores more is false less often
            scores, rates = (table[name].to_numpy()[rows] for name in ("locus_score", "fp_per_mb"))
            assert (np.diff(rates[np.argsort(scores)]) <= 1e-6 * rates.max()).all()


def test_decoys_are_shared_out_by_group(manifest, folder, asked):
    """More bases than decoys: each group has its share."""
    done = scan_with_decoys(manifest=manifest, output=folder / "few", decoys=8_000, **asked)
    decoys = open_output(done.output).decoys.run["genomes"]
    by_group = [sum(genome["counts"]["n_bases"] for genome in decoys[k : k + 2]) for k in (0, 2)]
    assert all(3_000 <= n <= 4_100 for n in by_group)
    assert not pc.any(pc.is_null(read_loci(done.output)["fp_per_mb_low"])).as_py()


def test_a_bad_genome_costs_itself_alone(manifest, folder, model, capsys):
    bad = folder / "bad.fa"
    bad.write_text(">p\nMKVLAAGEEFFQQPLIEMKVLAAGEEFFQQPLIE\n")
    table = folder / "bad.tsv"
    table.write_text(manifest.read_text() + "bad\tbad.fa\ngone\tgone.fa\n")
    arguments = ["scan", "--manifest", table, "-o", folder / "rest", "--model", model, "--local", "--decoys", "none"]
    arguments = [*map(str, arguments), "--no-report"]
    for _ in range(2):  # the second time nothing is left to do
        assert main(arguments) == 1
        told = capsys.readouterr().err
        assert "bad.fa: looks like protein" in told
        assert "2 genomes could not be read and are left out" in told
    assert read_candidates(folder / "rest")["genome"].unique().to_pylist() == NAMES
    assert "failed_genomes.tsv names them" in capsys.readouterr().err
    left = read_manifest(folder / "rest" / "failed_genomes.tsv")
    assert [(asked.name, asked.path) for asked in left] == [("bad", bad), ("gone", folder / "gone.fa")]
    assert main(["check", str(folder / "rest")]) == 0


def test_without_any_good_genome_there_is_no_scan(folder, files):
    with pytest.raises(InputError, match="none of the 2 genomes can be read"):
        open_genomes([Asked(folder / "gone1.fa"), Asked(folder / "gone2.fa")])
    with pytest.raises(InputError, match=r"gone.fa: no such file"):
        asked_for([files[0], folder / "gone.fa"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name\tpath\n", "names no genome"),
        ("a\n", "line 1.* is no genome: it needs a name, a path"),
        ("a\ta.fa\na\tb.fa\n", "line 2.* names 'a' again"),
        ("a\t\n", "line 1.* is no genome"),
    ],
)
def test_a_bad_manifest_is_one_sentence(tmp_path, content, message):
    path = tmp_path / "m.tsv"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_manifest(path)


def test_a_manifest_and_arguments_exclude_each_other(manifest, files):
    with pytest.raises(InputError, match="leave out GENOME"):
        asked_for(files, manifest=manifest)


def test_the_manifest_of_failures_is_one(tmp_path, files):
    opened = open_genomes([Asked(files[0]), Asked(tmp_path / "x.fa", "x", "g")])
    (tmp_path / "again.tsv").write_bytes(manifest_of(opened.failed))
    assert read_manifest(tmp_path / "again.tsv") == [Asked(tmp_path / "x.fa", "x", "g")]


def test_more_genomes_than_files_may_be_open_by_default(tmp_path):
    genome = write_fasta(tmp_path / "g.fa", {"c": "ACGT" * 30})
    program = (
        "import resource, sys; from mirsweep.jobs.scanning.opening import Asked, open_genomes\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "print(len(open_genomes([Asked(sys.argv[1], str(k)) for k in range(300)]).genomes))"
    )
    done = subprocess.run([sys.executable, "-c", program, genome], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("300\n", "")


def test_what_a_scan_of_many_tells_as_json(files, each, model, capsys):
    arguments = ["scan", *files, "-o", each.output, "--model", model, "--local", "--decoy-group", "each"]
    assert main([*map(str, arguments), "--no-report", "--json", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n_shards_resumed"], told["failed_genomes"]) == (1, [])
