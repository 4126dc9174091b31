"""The wheel is complete, the benchmarks can be imported, and the committed scores give the committed figures."""

import importlib
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from mirsweep.jobs.paper.reproduce import planned_runs
from mirsweep.jobs.paper.training_runs import read_finished
from mirsweep.model import load_model
from mirsweep.model.bootstrap import intervals

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 6_000_000
"""Of a wheel: what it holds most of is the weights of the bundled models."""
FOLDERS = ("package", "scanner", "model", "jobs")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """What a release is built from, without caches, and without the benchmarks, whose results are large."""
    folder = tmp_path_factory.mktemp("release") / "source"
    folder.mkdir()
    for path in ROOT.iterdir():
        if path.is_file() and path.suffix in {"", ".cff", ".in", ".md", ".toml", ".txt"} and path.name[0] != ".":
            shutil.copy(path, folder)
    for name in (*FOLDERS, "docs", "deploy", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_source_distribution_and_the_wheel_made_from_it_are_complete(source, tmp_path):
    given = files_of(source)
    subprocess.run([sys.executable, "-m", "build", "--outdir", str(tmp_path), str(source)], check=True)
    (wheel,), (archive,) = tmp_path.glob("mirsweep-*.whl"), tmp_path.glob("mirsweep-*.tar.gz")
    with tarfile.open(archive) as files:
        assert given <= {member.name.partition("/")[2] for member in files.getmembers()}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    installed = {name for name in given if name.partition("/")[0] in FOLDERS}
    assert packed == {f"mirsweep/{name}".replace("/package/", "/") for name in installed}
    assert "mirsweep/py.typed" in packed
    assert wheel.stat().st_size < MOST_BYTES


def test_import_warns_of_nothing_and_loads_nothing_heavy():
    code = (
        "import sys, mirsweep; print(mirsweep.__version__, {'numba', 'numpy', 'pyarrow', 'torch'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{version('mirsweep')} set()\n"
    assert done.stderr == ""


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py")))
def test_benchmarks_find_what_they_import(name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    assert importlib.import_module(name).__doc__


def test_benchmarks_say_by_their_prefix_what_they_do():
    scripts = [path for path in (ROOT / "benchmarks").glob("*.py") if '__name__ == "__main__"' in path.read_text()]
    assert len(scripts) > 10
    assert [path.name for path in scripts if path.name.split("_")[0] not in ("bench", "check", "measure", "make")] == []


def test_what_is_committed_is_not_trained_again(monkeypatch, tmp_path):
    """The committed training runs, restored: only what the figures lack is left to train, and figure 4 has weights."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    accuracy = importlib.import_module("measure_accuracy")
    document = json.loads((accuracy.RESULTS / "accuracy.json").read_text())
    accuracy.restore(tmp_path)
    planned = planned_runs(output=tmp_path)
    missing = {each["run"] for each in document["missing"]}
    assert {each.run.id for each in planned if each.minutes is None} == missing
    of_row = next(row for row in document["rows"] if row["part"] == "figure 4")
    finished = {each.run.id: read_finished(tmp_path, each.run) for each in planned if each.run.id in of_row["runs"][0]}
    first = finished[of_row["runs"][0][0]]
    assert load_model(first.weights).card["trained_digest"] == first.record["digest"]
    n_called = document["figure_4"]["human-test"]["n_hairpins"]["predicted pre-miRNAs"][0]
    assert int((first.scores >= 0.5).sum()) == n_called
    restored = {path.parent.name: json.loads(path.read_text()) for path in tmp_path.glob("runs/*/run.json")}
    assert accuracy._trained(restored) == document["trained"]


def test_variants_fold_by_fold_have_the_means_of_the_report(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    accuracy = importlib.import_module("measure_accuracy")
    document = json.loads((accuracy.RESULTS / "accuracy.json").read_text())
    lines = list(accuracy.variants(accuracy.SCORES))
    of_five = [row for row in document["rows"] if row["part"] == "variants" and len(row["held_out"]) == 5]
    assert len(of_five) >= 14
    for row in of_five:
        if row["variant"] == "published":
            means = (f"{row['measures'][name]['mean']:.3f}" for name in ("AUPR", "SE", "SP", "F"))
            assert f"| {row['method']} | mean of 5 | {' | '.join(means)} |" in lines


def test_committed_scores_give_the_committed_figures(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    accuracy = importlib.import_module("measure_accuracy")
    document = json.loads((accuracy.RESULTS / "accuracy.json").read_text())
    assert {row["held_out"][0] for row in document["rows"] if row["part"] == "best"} == {
        "human-test",
        "cross-test",
        "new",
    }
    for row in document["rows"]:
        places = zip(row["held_out"], row["runs"], strict=True)
        sets = [accuracy._held_out(task, runs, row, accuracy.SCORES) for task, runs in places]
        for name, again in intervals(sets, n_resamples=1).items():
            assert again.mean == pytest.approx(row["measures"][name]["mean"], abs=1e-4)
