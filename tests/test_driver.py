"""The scan as a whole: same rows whatever the shards, workers and place; bases accounted for; failures kept apart."""

import json
import os
import sys
import threading
from contextlib import closing

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import ray

import helpers_faulty
from helpers_faulty import Faulty
from helpers_jobs import SLICE, assert_same_rows, make_model, rows, scan, slice_bases, write_fasta
from mirsweep.jobs.results.contigs import Contigs
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.scanning.in_process import InProcess, OnDemand
from mirsweep.jobs.scanning.isolate import SMALLEST_NT
from mirsweep.jobs.scanning.on_cores import OnCores
from mirsweep.jobs.scanning.on_ray import OnRay
from mirsweep.jobs.scanning.run import Run
from mirsweep.jobs.scanning.scan import LOCAL_NT, WORKER_BYTES, _n_workers, _where
from mirsweep.jobs.scanning.shards import GenomeKey, RunKey, make_shards
from mirsweep.jobs.scanning.store import Store
from mirsweep.model import Arms, ModelError, Prediction, load_model
from mirsweep.scanner import InputError, ScanParams, open_genome, scan_tile
from mirsweep.scanner.candidates import ARM_COLUMNS, SCHEMA

ray.cloudpickle.register_pickle_by_value(helpers_faulty)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("driver")


@pytest.fixture(scope="module")
def model(folder):
    return make_model(folder / "small.safetensors")


@pytest.fixture(scope="module")
def genome(folder):
    """Three contigs: 70 kb with a run of N, 20 kb, and one too short for anything."""
    one, two = slice_bases(0, 70_000), slice_bases(500_000, 520_000)
    one = one[:30_000] + "N" * 500 + one[30_500:]
    return write_fasta(folder / "genome.fa", {"one": one, "two/..": two, "tiny": "ACGU" * 5})


@pytest.fixture(scope="module")
def whole(folder, genome, model):
    """The undisturbed scan in one shard."""
    return scan(genome, output=folder / "whole", model=model, local=True, quiet=True)


@pytest.fixture(scope="module")
def two_cpus():
    """A Ray session of the test's own, which the scans join."""
    os.environ.update(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0", RAY_USAGE_STATS_ENABLED="0")
    told = {"num_cpus": 2, "resources": {"gpu": 1}, "object_store_memory": 80 << 20}
    ray.init("local", include_dashboard=False, log_to_driver=False, **told)
    yield
    ray.shutdown()


def test_rows_are_those_of_the_scanner_and_the_model(whole, genome, model):
    table, network, opened = rows(whole.output), load_model(model), open_genome(genome)
    for contig in opened.contigs:
        bases = opened.fetch(contig.name, 0, contig.length)
        tile = scan_tile(bases, bases_start=0, core_start=0, core_end=contig.length, params=ScanParams()).table
        own = table.filter(pc.equal(table["contig"], contig.name))
        for name in tile.schema.names:
            assert own[name].to_pylist() == tile[name].to_pylist()
        scores = network.score(own["sequence"].to_pylist(), own["structure"].to_pylist())
        np.testing.assert_allclose(own["score"].to_numpy(), scores, rtol=0, atol=1e-6)
    assert set(table["genome"].to_pylist()) == {"genome"}
    assert set(table["model"].to_pylist()) == {network.label}
    assert table.num_rows == whole.n_candidates > 150


def test_scores_differ(whole):
    assert len(set(rows(whole.output)["score"].to_pylist())) > whole.n_candidates / 2


def test_part_files_are_sorted_compressed_and_have_statistics(whole):
    (part,) = (whole.output / "candidates").iterdir()
    file = pq.ParquetFile(part)
    table = file.read(["contig", "start", "end", "strand"]).to_pylist()
    assert [*dict.fromkeys(row["contig"] for row in table)] == ["one", "two/.."]
    assert table == sorted(table, key=lambda row: tuple(row.values()))
    assert file.schema_arrow.equals(SCHEMA)
    columns = [file.metadata.row_group(0).column(SCHEMA.get_field_index(name)) for name in ("contig", "start")]
    told = [(column.compression, column.has_dictionary_page, column.statistics.min) for column in columns]
    first = min(row["start"] for row in table)
    assert told == [("UNCOMPRESSED", True, "one"), ("ZSTD", False, first)]


@pytest.mark.parametrize("shard_nt", [9_000, 33_333, 80_000])
def test_rows_do_not_depend_on_the_shards(folder, genome, model, whole, shard_nt):
    cut = scan(genome, output=folder / f"cut{shard_nt}", model=model, local=True, shard_nt=shard_nt, quiet=True)
    assert cut.n_shards > whole.n_shards
    assert_same_rows(cut.output, whole.output)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_rows_do_not_depend_on_ray_or_workers(two_cpus, folder, genome, model, whole, workers):
    output = folder / f"ray{workers}"
    report = scan(genome, output=output, model=model, local=False, workers=workers, shard_nt=8_000, quiet=True)
    assert report.run["executor"]["kind"] == "ray"
    assert report.run["executor"]["workers"] == workers
    (node,) = report.run["executor"]["nodes"]
    assert node["folded"] == node["read"] == node["scored"] == report.n_shards, "workers read for themselves"
    assert node["written"] == len(list((output / "candidates").iterdir())), "and write"
    assert not list((output / "_shards").glob("staged-*"))
    assert_same_rows(output, whole.output)
    alone = scan(genome, output=folder / f"alone{workers}", model=model, local=True, shard_nt=8_000, quiet=True)
    assert rows(output).equals(rows(alone.output)), "to the last bit"


@pytest.mark.slow
def test_rows_do_not_depend_on_worker_processes(folder, genome, model, whole):
    output = folder / "cores"
    report = scan(genome, output=output, model=model, workers=2, shard_nt=8_000, quiet=True)
    assert report.run["executor"] | {"cpus": 0} == {"kind": "cores", "workers": 2, "cpus": 0}
    assert not list((output / "_shards").glob("staged-*"))
    assert_same_rows(output, whole.output)
    alone = scan(genome, output=folder / "alone", model=model, local=True, shard_nt=8_000, quiet=True)
    assert rows(output).equals(rows(alone.output)), "to the last bit"


@pytest.mark.slow
def test_rows_do_not_depend_on_who_scores(two_cpus, folder, genome, model, whole, monkeypatch):
    """Actors, one for each unit of a resource that stands for a GPU."""
    monkeypatch.setenv("MIRSWEEP_SCORER_RESOURCE", "gpu")
    report = scan(genome, output=folder / "actors", model=model, local=False, shard_nt=8_000, quiet=True)
    (node,) = report.run["executor"]["nodes"]
    assert node["folded"] == node["scored"] == report.n_shards
    assert node["written"] == len(list((folder / "actors" / "candidates").iterdir()))
    assert node["calls"] < node["scored"], "shards that wait are scored together"
    assert_same_rows(folder / "actors", whole.output)


@pytest.mark.slow
@pytest.mark.parametrize("local", [False, None])
def test_a_bad_model_that_workers_load_ends_the_scan_with_a_sentence(two_cpus, tmp_path, genome, local):
    bad = make_model(tmp_path / "bad.safetensors")
    card = json.loads(bad.with_suffix(".json").read_text())
    card["config"]["n_dense1"] = 9
    bad.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=r"^bad\.safetensors: tensor dense"):
        scan(genome, output=tmp_path / "out", model=bad, local=local, workers=2, quiet=True)


@pytest.mark.slow
@pytest.mark.parametrize("local", [False, None])
def test_the_driver_reads_what_workers_cannot_see(two_cpus, folder, genome, model, whole, caplog, local):
    """What comes through a pipe has no name by the time it is read."""
    pipe, output = folder / f"genome{local}.fifo", folder / f"piped{local}"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=lambda: pipe.write_bytes(genome.read_bytes()))
    feeder.start()
    with caplog.at_level("INFO", logger="mirsweep"):
        report = scan(
            pipe, output=output, name="genome", model=model, local=local, workers=2, shard_nt=8_000, quiet=True
        )
    feeder.join()
    if local is False:
        (node,) = report.run["executor"]["nodes"]
        assert (node["folded"], node["read"]) == (report.n_shards, 0)
        assert caplog.text.count("the driver reads for it") == 1
    assert_same_rows(output, whole.output)


def test_every_base_is_accounted_for(whole):
    counts = whole.run["counts"]
    assert counts["n_bases"] == 90_020
    assert counts["n_invalid"] == 500
    assert counts["n_too_short"] == 20
    assert counts["n_scanned"] == 89_500


def test_both_strands_are_the_two_strands(folder, genome, model, whole):
    halves = [
        rows(scan(genome, output=folder / f"s{s}", model=model, strand=s, local=True, quiet=True).output) for s in "+-"
    ]
    table = rows(whole.output)
    for strand, half in zip("+-", halves, strict=True):
        own = table.filter(pc.equal(table["strand"], strand))
        assert own.drop_columns(["score"]).equals(half.drop_columns(["score"]))


def test_run_json_tells_what_was_done(whole, genome, model):
    run = json.loads((whole.output / "run.json").read_text())
    assert run == whole.run
    assert run["genomes"][0]["digest"] == open_genome(genome).digest
    assert run["genomes"][0]["n_contigs"] == 3
    assert list(open_output(whole.output).contigs) == [
        ("genome", "one", 70_000), ("genome", "two/..", 20_000), ("genome", "tiny", 20)
    ]  # fmt: skip
    assert run["model"]["digest"] == load_model(model).digest
    assert run["parameters"]["max_span"] == 150
    assert run["counts"]["n_candidates"] == whole.n_candidates
    assert set(run["seconds"]["by_stage"]) == {"read", "prefilter", "fold", "score", "write"}
    assert run["versions"]["mirsweep"]
    assert not (whole.output / "errors.jsonl").exists()


def test_what_slurm_gave_is_what_a_scan_uses(folder, genome, model, monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    report = scan(genome, output=folder / "slurm", model=model, local=True, quiet=True, regions="one:1-2000")
    assert report.run["executor"]["cpus"] == 1


def test_a_second_scan_finds_nothing_to_do(whole, genome, model):
    written = {p: p.stat().st_mtime_ns for p in whole.output.rglob("*.*")}
    again = scan(genome, output=whole.output, model=model, local=True, quiet=True)
    assert (again.n_resumed, again.n_candidates) == (whole.n_shards, whole.n_candidates)
    assert {p: p.stat().st_mtime_ns for p in whole.output.rglob("*.*")} == written


def test_a_resumed_scan_keeps_its_shard_width(folder, genome, model, whole):
    output = folder / "kept"
    first = scan(genome, output=output, model=model, local=True, shard_nt=20_000, quiet=True)
    (output / "run.json").unlink()
    again = scan(genome, output=output, model=model, local=True, quiet=True)
    assert again.n_resumed == first.n_shards
    assert_same_rows(output, whole.output)


def test_many_small_contigs_and_two_genomes(folder, genome, model, whole):
    bases = slice_bases(100_000, 130_000)
    small = write_fasta(folder / "small.fa", {f"s{i}": bases[i * 300 : (i + 1) * 300] for i in range(100)})
    report = scan([genome, small], output=folder / "many", model=model, local=True, quiet=True)
    assert report.n_shards == 1
    table = rows(report.output)
    assert set(table["genome"].to_pylist()) == {"genome", "small"}
    own = table.filter(pc.equal(table["genome"], "genome"))
    assert own.drop_columns(["score"]).equals(rows(whole.output).drop_columns(["score"]))
    opened = open_genome(small)
    expected = 0
    for contig in opened.contigs:
        letters = opened.fetch(contig.name, 0, contig.length)
        expected += scan_tile(
            letters, bases_start=0, core_start=0, core_end=contig.length, params=ScanParams()
        ).table.num_rows
    assert table.num_rows - own.num_rows == expected > 0


def test_a_genome_without_candidates_gives_an_empty_dataset(folder, model):
    nothing = write_fasta(folder / "n.fa", {"n": "A" * 5000, "short": "ACGT"})
    report = scan(nothing, output=folder / "nothing", model=model, local=True, quiet=True)
    assert report.n_candidates == 0
    assert rows(report.output).num_rows == 0
    (part,) = (report.output / "candidates").iterdir()
    assert pq.read_table(part).schema.equals(SCHEMA)
    assert report.run["counts"]["n_scanned"] == 5000


class Seer:
    """A scorer that predicts all there is to predict, each from what a candidate says of itself."""

    label = "seer:1"

    def predict(self, sequences, structures, flanks_5p, flanks_3p):
        n = np.array([len(sequence) for sequence in sequences])
        a_before, a_after = (np.array([flank.count("A") for flank in flanks]) for flanks in (flanks_5p, flanks_3p))
        start = np.where(n % 5 == 0, -1, a_before)
        ends = (
            start,
            np.where(start < 0, -1, start + 22),
            np.where(n % 3 == 0, -1, n - 25),
            np.where(n % 3, n - 3, -1),
        )
        sure = np.float32([0.123456, 0.5, np.nan])[n % 3]
        arms = Arms(*(values.astype(np.int16) for values in ends), a_before > a_after, n % 2 == 0, sure, sure, sure)
        return Prediction((n / 500).astype(np.float32), (a_before / 10).astype(np.float32), arms)


def test_what_a_model_predicts_reaches_its_rows(folder, genome):
    work_off(genome, folder / "seen", lambda: InProcess(Seer()))
    table = rows(folder / "seen").to_pylist()
    assert len(table) > 150
    for row in table:
        n, a_before, a_after = len(row["sequence"]), row["flank_5p"].count("A"), row["flank_3p"].count("A")
        assert row["score"] == pytest.approx(n / 500)
        assert row["expected_fp_per_mb"] == pytest.approx(a_before / 10)
        mature, star = (row["mature_start"], row["mature_end"]), (row["star_start"], row["star_end"])
        assert mature == ((None, None) if n % 5 == 0 else (a_before, a_before + 22))
        assert star == ((None, None) if n % 3 == 0 else (n - 25, n - 3))
        assert row["arm"] == (None if n % 5 == 0 else "5p" if a_before > a_after else "3p")
        assert row["mature"] == (None if n % 2 else row["arm"])
        sure = pytest.approx((0.12, 0.5, None)[n % 3])
        assert row["arm_5p_confidence"] == sure
        assert row["arm_confidence"] == (None if n % 5 == 0 else sure)


def test_what_a_model_does_not_predict_is_null(whole):
    table = rows(whole.output)
    for name in ("expected_fp_per_mb", *ARM_COLUMNS):
        assert table[name].null_count == table.num_rows


def work_off(genome, output, make_executor):
    """A run with an executor of the test's choosing."""
    opened = open_genome(genome)
    key = RunKey((GenomeKey(opened.name, opened.digest),), ScanParams(), "faulty:1", "11", shard_nt=10_000)
    shards = make_shards([opened], key)
    store = Store(output, key, shards, Contigs.of((opened.name, *contig) for contig in opened.contigs))
    try:
        with closing(OnDemand(make_executor)) as executor:
            run = Run(store, key, [opened], shards, model={"label": "faulty:1"}, began=0.0, quiet=True)
            return run.work_off(executor.get)
    finally:
        store.close()


def poison_of(whole):
    table = rows(whole.output)
    row = table.num_rows // 3
    return {table["sequence"][row].as_py()}, table["start"][row].as_py() // 10_000


EXECUTORS = {
    "local": lambda faulty: InProcess(faulty),
    "cores": lambda faulty: OnCores(faulty, workers=2),
    "ray": lambda faulty: OnRay(faulty, device="cpu"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "how"),
    [("local", "raise"), *((where, how) for where in ("cores", "ray") for how in ("raise", "die", "memory"))],
)
def test_a_shard_that_fails_for_good_costs_its_own_rows_only(two_cpus, folder, genome, whole, where, how):
    poison, bad_shard = poison_of(whole)
    output = folder / f"faulty-{where}-{how}"
    report = work_off(genome, output, lambda: EXECUTORS[where](Faulty(poison, how)))
    (failure,) = report.failures
    (line,) = (json.loads(text) for text in (output / "errors.jsonl").read_text().splitlines())
    assert line["shard"] == failure.shard.id
    assert line["shard"].startswith(f"{bad_shard:06d}-")
    ((_, contig, start, end, _),) = line["pieces"]
    assert (contig, end - start) == ("one", SMALLEST_NT)
    assert {"raise": "poison met", "die": "died", "memory": "MemoryError"}[how] in line["reason"]
    assert report.run["counts"]["n_shards_failed"] == 1
    table = rows(whole.output)
    within = pc.and_(pc.greater_equal(table["start"], start), pc.less(table["start"], end))
    is_lost = pc.and_(pc.equal(table["contig"], "one"), within)
    expected = table.filter(pc.invert(is_lost)).drop_columns(["score", "model"])
    assert rows(output).drop_columns(["score", "model"]).equals(expected)
    mended = work_off(genome, output, lambda: InProcess(Faulty(set(), "raise")))
    assert (mended.failures, mended.n_resumed) == ((), report.n_shards - 1)
    assert not (output / "errors.jsonl").exists()
    assert rows(output).num_rows == whole.n_candidates


def test_small_inputs_stay_in_this_process(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert _where(None, None, LOCAL_NT) == _where(True, 2, 10**9) == "local"
    assert _where(None, None, LOCAL_NT + 1) == _where(None, 2, 10) == "cores"
    assert _where(False, None, 10) == "ray"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert _where(None, None, 10) == "ray"


@pytest.mark.parametrize(
    ("free", "n_fitting"), [(None, 8), (WORKER_BYTES, 1), (3 * WORKER_BYTES, 3), (10**12, 8), (5, 1)]
)
def test_workers_are_no_more_than_there_is_memory_for(monkeypatch, capsys, free, n_fitting):
    monkeypatch.setattr("mirsweep.jobs.scanning.scan.n_cores", lambda: 8)
    monkeypatch.setattr("mirsweep.jobs.scanning.scan.free_bytes", lambda: free)
    assert _n_workers() == n_fitting
    assert ("there is memory for" in capsys.readouterr().err) == (n_fitting < 8)


@pytest.mark.parametrize(("program", "why"), [("/bin/false", "exit code 1"), ("/nonesuch", "No such file")])
def test_where_no_worker_starts_the_scan_ends_with_a_sentence(tmp_path, genome, model, monkeypatch, program, why):
    monkeypatch.setattr(sys, "executable", program)
    with pytest.raises(InputError, match=rf"worker processes cannot start here \({why}.*give --local"):
        scan(genome, output=tmp_path / "out", model=model, workers=2, quiet=True)


def test_without_ray_a_scan_says_so_and_goes_on(tmp_path, model, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    genome = write_fasta(tmp_path / "g.fa", {"c": slice_bases(0, 10_000)})
    report = scan(genome, output=tmp_path / "out", model=model, quiet=True, local=False)
    assert not report.failures
    assert json.loads((tmp_path / "out" / "run.json").read_text())["executor"]["kind"] == "cores"
    assert "Ray is not installed" in capsys.readouterr().err


def test_bad_requests_are_named(folder, genome, model):
    with pytest.raises(InputError, match="--name"):
        scan([genome, SLICE], output=folder / "bad", model=model, name="x")
    with pytest.raises(InputError, match="--workers"):
        scan(genome, output=folder / "bad", model=model, workers=0)
    with pytest.raises(InputError, match="output folder's name is empty"):
        scan(genome, output="", model=model)
    with pytest.raises(InputError, match="no genome"):
        scan([], output=folder / "bad", model=model)
    assert not (folder / "bad").exists()
