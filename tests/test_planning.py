"""`mirsweep plan`: a sample of the genome is scanned, and tells what all of it will take."""

import json
import shutil
from pathlib import Path

import pytest

from helpers_jobs import SLICE, make_model, mirsweep, scan
from mirsweep.jobs import plan
from mirsweep.jobs.cli.plan import _lines
from mirsweep.jobs.scanning.scan import scan_opened
from mirsweep.scanner.errors import InputError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model") / "m.safetensors")


@pytest.fixture(scope="module")
def planned(model):
    return plan(SLICE, model=model, decoys="none")


def test_what_is_planned_is_what_a_scan_leaves(planned, model, tmp_path):
    """The slice is smaller than the sample, so all of it was scanned."""
    done = scan(SLICE, output=tmp_path / "out", model=model, quiet=True, loci=False)
    assert planned.n_candidates == done.n_candidates
    assert planned.n_bases == planned.n_sampled == 1_800_000
    assert planned.disk_mb == pytest.approx(done.run["files"]["n_bytes"] / 1e6, rel=0.02)
    assert set(planned.core_seconds) == {"read", "prefilter", "fold", "score", "write", "loci"}
    assert planned.seconds > sum(planned.core_seconds.values())
    assert planned.cores == planned.sample_workers == 1


def test_decoys_are_scanned_beside_the_genome(planned, model):
    both = plan(SLICE, model=model, decoys=900_000)
    assert (both.n_decoys, both.n_candidates) == (900_000, planned.n_candidates)
    assert both.disk_mb == pytest.approx(1.5 * planned.disk_mb, rel=0.02)


def test_a_large_genome_is_sampled_in_stretches_over_all_of_it(model, tmp_path, monkeypatch):
    monkeypatch.setattr("mirsweep.jobs.scanning.plan.SHARD_NT", 100_000)
    found = plan(SLICE, model=model, decoys="none")
    assert found.n_sampled == 300_000
    assert found.n_bases == 1_800_000
    assert list(Path(tmp_path).iterdir()) == []


def test_the_sample_is_scanned_where_the_scan_would_be(planned, model, tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    done, samples = scan(SLICE, output=tmp_path / "out", model=model, quiet=True, loci=False, workers=2), []

    def watched(*arguments, **options):
        samples.append(scan_opened(*arguments, **options))
        return samples[-1]

    monkeypatch.setattr("mirsweep.jobs.scanning.plan.scan_opened", watched)
    found = plan(SLICE, model=model, decoys="none", cores=2)
    assert [sample.run["executor"] for sample in samples] == [done.run["executor"]]
    assert found.n_candidates == planned.n_candidates


def test_the_command_says_it_as_json(model):
    shown = mirsweep("plan", SLICE, "--model", model, "--decoys", "none", "--gpus", 1, "--price", 0.5, "--json")
    assert shown.returncode == 0, shown.stderr
    told = json.loads(shown.stdout)
    assert told["core_seconds"]["score"] == 0
    assert told["cost"] == pytest.approx(0.5 * told["core_hours"])


def test_the_words(planned):
    words = list(_lines(planned, 0.5))
    assert words[0] == "genomes     1.8 Mb"
    assert words[3].endswith(" on 1 core")
    assert words[6].startswith("cost        0.00 for 0.00 core hours")


@pytest.mark.parametrize(("cores", "gpus"), [(0, 0), (-1, 0), (1, -1)])
def test_what_cannot_work_is_refused(cores, gpus):
    with pytest.raises(InputError, match="cannot work"):
        plan(SLICE, cores=cores, gpus=gpus)


def test_a_bad_genome_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        plan(tmp_path / "none.fa")
    shutil.copy(__file__, tmp_path / "x.fa")
    with pytest.raises(InputError, match=r"x\.fa"):
        plan(tmp_path / "x.fa")
