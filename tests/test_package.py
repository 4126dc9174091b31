"""The wheel is complete, the benchmarks can be imported, and the committed scores give the committed figures."""

import importlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mirsweep.model.bootstrap import intervals

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("package", "scanner", "model", "jobs")


@pytest.mark.slow
def test_wheel_is_complete(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path), str(source)]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("mirsweep-*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {
        f"mirsweep/{path.relative_to(ROOT).as_posix()}".replace("/package/", "/")
        for name in FOLDERS
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == expected


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py")))
def test_benchmarks_find_what_they_import(name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    assert importlib.import_module(name).__doc__


def test_benchmarks_say_by_their_prefix_what_they_do():
    scripts = [path for path in (ROOT / "benchmarks").glob("*.py") if '__name__ == "__main__"' in path.read_text()]
    assert len(scripts) > 10
    assert [path.name for path in scripts if path.name.split("_")[0] not in ("bench", "check", "measure", "make")] == []


def test_committed_scores_give_the_committed_figures(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    accuracy = importlib.import_module("measure_accuracy")
    document = json.loads((accuracy.RESULTS / "accuracy.json").read_text())
    assert {row["held_out"][0] for row in document["rows"] if row["part"] == "best"} == {
        "human-test",
        "cross-test",
        "new",
    }
    tables = {}
    for row in document["rows"]:
        places = zip(row["held_out"], row["runs"], strict=True)
        sets = [accuracy._held_out(task, runs, row, accuracy.SCORES, tables) for task, runs in places]
        for name, again in intervals(sets, n_resamples=1).items():
            assert again.mean == pytest.approx(row["measures"][name]["mean"], abs=1e-4)
