"""The paper reproduced in small: what is trained, kept, gone on with, measured and written."""

import gzip
import json
import os
import shutil
import signal
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers_jobs import start_mirsweep, wait_until, write_fasta
from mirsweep import jobs
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.paper.accuracy import on_shared_folds
from mirsweep.jobs.paper.benchmark import TASKS, find_benchmark, read_task
from mirsweep.jobs.paper.experiments import Extent, beside_table_4, choice_rows, finalist_rows, paper_rows, runs_of
from mirsweep.jobs.paper.quoted import QUOTED
from mirsweep.jobs.paper.reproduce import planned_runs
from mirsweep.jobs.paper.training_runs import execute, read_finished, run_folder
from mirsweep.jobs.sequences import svg
from mirsweep.model import evaluate, load_model
from mirsweep.model.metrics import best_threshold
from mirsweep.model.recipes import (
    ARCHITECTURES,
    AUTHORS_NAME,
    CANDIDATES,
    COMBINATIONS,
    HYPERPARAMETERS,
    INPUT_KINDS,
    PAPER_NAME,
    SHORTER,
    VARIANTS,
)
from mirsweep.scanner.errors import InputError

COMPLEMENT = str.maketrans("ACGU", "UGCA")
FIRST = {"quiet": True, "workers": 1, "seeds": 2, "epochs": 2, "candidate_epochs": 2, "folds": (1,)}


def hairpins(n: int, stem: int, rng: np.random.Generator) -> list[str]:
    arms = ["".join(rng.choice(list("ACGU"), stem + int(rng.integers(-2, 3)))) for _ in range(n)]
    return [f"{arm}GAAAUA{arm.translate(COMPLEMENT)[::-1]}" for arm in arms]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A benchmark of the same files, of long stems against short ones."""
    folder, rng = tmp_path_factory.mktemp("data") / "deepmirgene", np.random.default_rng(0)
    for task in TASKS.values():
        for pattern, n in ((task.train, 40), (task.held_out, 20)):
            for kind, stem in (("pos", 27), ("neg", 17)):
                path = folder / pattern.format(kind)
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    sequences = hairpins(n if kind == "pos" else 2 * n, stem, rng)
                    write_fasta(path, {str(i): s for i, s in enumerate(sequences)}, width=200)
    return folder


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    """Tables 2 and 3 and figure 4, finished."""
    output = tmp_path_factory.mktemp("reproduced")
    return jobs.reproduce(output=output, data=data, tables=("2", "3"), figures=("4",), **FIRST)


def test_tasks_name_files_of_the_benchmark(data_dir):
    folder = find_benchmark(data_dir)
    for task in TASKS.values():
        for pattern in (task.train, task.held_out):
            assert (folder / pattern.format("pos")).is_file()
            assert (folder / pattern.format("neg")).is_file()


@pytest.mark.data
def test_counts_of_the_real_tests(data_dir):
    found = read_task(find_benchmark(data_dir), TASKS["cross-test"])
    assert (found.held_out.dataset.n_pos, found.held_out.dataset.n_neg) == (167, 826)
    assert (found.held_out.dataset.take(found.is_clean).n_pos, int(found.is_clean.sum())) == (118, 934)


@pytest.mark.data
def test_a_model_of_nine_tenths_gives_the_figure_of_its_card_on_the_tenth(data_dir):
    weights = Path(__file__).parents[1] / "benchmarks" / "weights" / "best-cross-90.safetensors"
    files = [data_dir / "deepmirgene" / "test" / "whole" / f"whole_{kind}_test.fa" for kind in ("pos", "neg")]
    found = jobs.evaluate(*files, model=weights)
    published = load_model(weights).card["metrics"]["cross-test"]["published"]
    assert {name: round(getattr(found, name), 4) for name in ("F", "AUROC", "AUPR")} == (
        pytest.approx({name: published[name] for name in ("F", "AUROC", "AUPR")}, abs=1e-3)
    )
    assert found.n_trained_on == 3  # which the authors' test shares with their training set


def test_a_sequence_of_both_classes_is_left_out_of_training_and_of_the_cleaned_test(data, tmp_path):
    folder = tmp_path / "deepmirgene"
    shutil.copytree(data, folder)
    rng = np.random.default_rng(1)
    both, again, known, homologue = hairpins(4, 20, rng)
    task = TASKS["cross-test"]
    for pattern, kind, extra in (
        (task.train, "pos", [both, again, again, known, homologue]),
        (task.train, "neg", [both]),
        (task.held_out, "pos", [both, known, "AAAAA" + homologue]),
        (task.held_out, "neg", ["G" * 20 + homologue[3:20]]),
    ):
        with open(folder / pattern.format(kind), "a") as stream:
            stream.writelines(f">extra{i}\n{sequence}\n" for i, sequence in enumerate(extra))
    found = read_task(folder, task)
    assert (found.n_repeats, found.n_conflicts) == (1, 1)
    assert both not in found.train.dataset.sequences
    assert len(found.train.energies) == len(found.train.dataset) == 40 + 80 + 3
    left_out = set(np.array(found.held_out.dataset.sequences)[~found.is_clean])
    assert left_out == {both, known, "AAAAA" + homologue}


def test_no_benchmark_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.delenv("MIRSWEEP_DATA", raising=False)
    for folder in (None, tmp_path):
        with pytest.raises(InputError, match="name its folder with --data or MIRSWEEP_DATA"):
            find_benchmark(folder)
    monkeypatch.setenv("MIRSWEEP_DATA", str(tmp_path))
    (tmp_path / "deepmirgene" / "cv").mkdir(parents=True)
    (tmp_path / "deepmirgene" / "test").mkdir()
    assert find_benchmark(None) == tmp_path / "deepmirgene"


def test_the_plan_holds_every_row_and_trains_nothing_twice():
    rows = paper_rows(
        {"table 2", "table 3", "table 4", "figure 3", "figure 4", "variants", "best", "hyperparameters"}, Extent()
    )
    by_part = {part: [row.method for row in rows if row.part == part] for part in {row.part for row in rows}}
    assert by_part["table 4"] == [*ARCHITECTURES, *ARCHITECTURES, *SHORTER]
    assert by_part["figure 3"] == 2 * list(INPUT_KINDS)
    assert by_part["variants"] == [PAPER_NAME, *VARIANTS, *COMBINATIONS, PAPER_NAME, *VARIANTS]
    assert by_part["hyperparameters"] == [PAPER_NAME, *HYPERPARAMETERS]
    grid = [row for row in rows if row.part == "hyperparameters"]
    assert {row.tasks for row in grid} == {("human-f1", "human-f2")}
    assert {run.recipe.params.n_epochs for run in runs_of(grid)} == {50}
    rows = [row for row in rows if row.part != "hyperparameters"]
    assert by_part["first fold"] == 2 * [PAPER_NAME, *CANDIDATES]
    assert by_part["table 3"] == [PAPER_NAME, AUTHORS_NAME, "triplet-SVM", "gradient boosting"]
    for part in ("figure 3", "table 4", "figure 4"):  # the paper's are on human
        first = next(row for row in rows if row.part == part)
        assert first.tasks == (("human-test",) if part == "figure 4" else tuple(f"human-f{k}" for k in range(1, 6)))
    runs = runs_of(rows)
    assert len({run.id for run in runs}) == len(runs)
    paper = [run for run in runs if run.recipe and run.method in (PAPER_NAME, "both")]
    assert len(paper) == 3 * 5 + 2 * 5  # five seeds of three tests, one of ten folds
    epochs = {run.method: run.recipe.params.n_epochs for run in runs if run.recipe}
    assert epochs.pop(AUTHORS_NAME) == 300
    assert {(method in CANDIDATES, n) for method, n in epochs.items()} == {(False, 150), (True, 25)}
    assert len([run for run in runs if run.method == "triplet-SVM"]) == 13


def test_an_id_follows_what_decides_the_result():
    ids = {
        (epochs, row.method): row.runs[0][0].id
        for epochs in (10, 20)
        for row in paper_rows({"table 2"}, Extent(seeds=1, epochs=epochs))
        if row.tasks == ("cross-test",)
    }
    assert ids[10, PAPER_NAME] != ids[20, PAPER_NAME]
    assert ids[10, "triplet-SVM"] == ids[20, "triplet-SVM"]
    assert all(found.startswith("cross-test-s0-") for found in ids.values())


def test_report_holds_the_measures_of_the_scores(done):
    document = json.loads((done.output / "accuracy.json").read_text())
    assert document == json.loads(json.dumps(done.document))
    assert (done.failures, document["missing"]) == ([], [])
    rows = {(r["part"], r["method"], r["held_out"][0], r["variant"]): r for r in document["rows"]}
    row = rows["table 3", PAPER_NAME, "new", "published"]
    assert (row["n_seeds"], row["n_pos"], row["n_neg"]) == (2, 20, 40)
    with gzip.open(done.output / "scores" / "new.tsv.gz", "rt") as stream:
        names = stream.readline().rstrip("\n").split("\t")
        table = np.loadtxt(stream)
    columns = [names.index(name) for name in row["runs"][0]]
    assert len(columns) == 2
    means = np.mean([evaluate(table[:, i], table[:, 0])[2:] for i in columns], axis=0)
    assert [row["measures"][name]["mean"] for name in ("SE", "SP", "PPV", "F", "g_mean", "AUROC", "AUPR")] == (
        pytest.approx(means.tolist(), abs=1e-4)
    )
    boosting = rows["table 2", "gradient boosting", "cross-test", "cleaned"]
    assert boosting["measures"]["AUROC"]["mean"] > 0.95
    assert rows["table 2", PAPER_NAME, "human-f1", "published"]["n_seeds"] == 1


def test_report_shows_others_figures_tests_and_maps(done):
    text = (done.output / "accuracy.md").read_text()
    for title in ("Table 2", "Table 3", "Kolmogorov-Smirnov", "Figure 4"):
        assert title in text
    assert "0.838" in text
    assert all(each.source in text for each in QUOTED if {"table 2", "table 3"} & set(each.parts))
    lines = text.splitlines()
    ours = next(i for i, line in enumerate(lines) if line.startswith(f"| {PAPER_NAME} | human-test | cleaned"))
    assert lines[ours + 1].startswith(
        f"| *{PAPER_NAME}* (quoted) | human-test | published |  |  | 0.822 | 0.992 | 0.919 |"
    )
    assert list(done.document["figure_4"]) == ["human-test", "cross-test"]
    for task, maps in done.document["figure_4"].items():
        assert set(maps["profiles"]) == {"cam", "gradient", "attention"}
        assert all(len(values) == 100 for values in maps["profiles"]["cam"].values())
        shares = maps["n_hairpins"]
        assert [sum(pair) for pair in zip(*shares.values(), strict=True)] == [60, 60], task
    assert {test["what"] for test in done.document["kolmogorov_smirnov"]} == {
        "pre-miRNAs against others, test",
        "pre-miRNAs, folds against test",
        "others, folds against test",
    }
    of_new = [test for test in done.document["kolmogorov_smirnov"] if test["species"] == "new"]
    assert [test["method"] for test in of_new] == [PAPER_NAME, AUTHORS_NAME, "triplet-SVM", "gradient boosting"]
    assert {(test["what"], test["n_first"], test["n_second"]) for test in of_new} == {
        ("pre-miRNAs against others, test", 20, 40)
    }
    for picture in done.output.glob("*.svg"):
        ET.parse(picture)
    heat = ET.parse(done.output / "figure4-human-test-heat.svg")
    (found,) = [each.text for each in heat.iter() if (each.text or "").startswith("predicted pre-miRNAs (")]
    assert (
        found
        == f"predicted pre-miRNAs ({done.document['figure_4']['human-test']['n_hairpins']['predicted pre-miRNAs'][0]})"
    )
    assert len(list(done.output.glob("figure4-*.svg"))) == 2 * (3 + 1)


@given(st.floats(-100, 100), st.floats(1e-3, 100))
def test_axes_have_some_round_ticks_within_their_range(low, size):
    ticks = svg._ticks((low, low + size))
    assert 4 <= len(ticks) <= 11
    assert low - 1e-9 * size <= ticks[0] < ticks[-1] <= low + size * (1 + 1e-9)
    for n_digits in (3, 6):
        labels = svg._labels(ticks, n_digits)
        assert len(set(labels)) == len(ticks)
        assert [float(label) for label in labels] == pytest.approx(ticks, rel=10 ** (1 - n_digits), abs=1e-9)


def test_weights_of_a_run_score_as_its_table_says(done, data):
    run = next(r for r in runs_of(paper_rows({"table 3"}, Extent(2, 1, 2, 2, (1,)))) if r.recipe)
    finished = read_finished(done.output, run)
    held_out = read_task(data, TASKS["new"]).held_out.dataset
    scores = load_model(finished.weights).score(held_out.sequences, held_out.structures)
    np.testing.assert_allclose(scores, finished.scores, atol=1e-5)
    assert finished.record["n_train_pos"] == 40
    assert not (run_folder(done.output, run) / "state").exists()


def test_what_is_finished_is_not_trained_again(done, data, capsys):
    before = {path: path.stat().st_mtime_ns for path in (done.output / "runs").rglob("*")}
    asked = ["--table", 2, "--table", 3, "--seeds", 2, "--epochs", 2, "--folds", "1", "--workers", 1]
    code = main([str(a) for a in ("reproduce", "-o", done.output, "--data", data, *asked)])
    out, err = capsys.readouterr()
    assert (code, out) == (0, f"{done.output / 'accuracy.md'}\n")
    assert err.startswith("29 of 29 training runs are there already\n")
    assert before == {path: path.stat().st_mtime_ns for path in (done.output / "runs").rglob("*")}


def test_plan_says_what_is_done(done, capsys):
    kept = {"seeds": 2, "epochs": 2, "folds": (1,)}
    assert all(each.minutes is not None for each in planned_runs(output=done.output, tables=("3",), **kept))
    todo = planned_runs(output=done.output, tables=("4",), **kept)
    assert [each.run.method for each in todo if each.minutes is not None] == 2 * [PAPER_NAME]
    code = main(["reproduce", "-o", str(done.output), "--table", "4", "--epochs", "2", "--folds", "1", "--plan"])
    out = capsys.readouterr().out
    assert code == 0
    assert len(out.splitlines()) == 2 * len(ARCHITECTURES) + len(SHORTER)
    assert "1D-CNN(2)\tcross-f1\t0\t0 epochs done" in out


def test_validation_chooses_and_the_choice_is_tested(data, tmp_path, monkeypatch):
    from mirsweep.jobs.paper import experiments

    names = ["LSTM(2)+ATT+statistics", "LSTM(2)+ATT+statistics, distilled"]
    monkeypatch.setattr(experiments, "CANDIDATES", {name: CANDIDATES[name] for name in names})
    report = jobs.reproduce(output=tmp_path, data=data, tables=("best",), **FIRST)
    assert report.failures == []
    for species, tasks in (("cross", {"cross-test", "new"}), ("human", {"human-test"})):
        by_name = report.document["choices"][species]
        assert set(by_name) == {PAPER_NAME, *names}
        chosen = next(iter(by_name))
        assert by_name[chosen] == max(by_name.values())
        rows = [r for r in report.document["rows"] if r["part"] == "best" and r["held_out"][0].startswith(tuple(tasks))]
        assert {row["held_out"][0] for row in rows} == tasks
        assert {row["method"] for row in rows} == {
            chosen,
            f"{chosen}, ensemble",
            f"{chosen}, ensemble with boosting",
        }
        finalists = [r for r in report.document["rows"] if (r["part"], r["method"]) == ("candidates", chosen)]
        check_thresholds(report, rows, next(r for r in finalists if r["held_out"][0].startswith(species)))
    assert "Choice by validation" in (tmp_path / "accuracy.md").read_text()


def scores_of(output: Path, task: str, runs: list[str], variant: str = "published") -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and scores (runs, n) as the report keeps them."""
    with gzip.open(output / "scores" / f"{task}.tsv.gz", "rt") as stream:
        names, table = stream.readline().rstrip("\n").split("\t"), np.loadtxt(stream)
    table = table[table[:, 1] > 0] if variant == "cleaned" else table
    return table[:, 0], table[:, [names.index(run) for run in runs]].T


def check_thresholds(report, rows, finalist):
    """Those of ``best`` stand again at a threshold of the folds, and their areas stay."""
    again = {
        (r["method"], r["held_out"][0], r["variant"]): r for r in report.document["rows"] if r["part"] == "thresholds"
    }
    labels, scores = scores_of(report.output, finalist["held_out"][0], finalist["runs"][0])
    for row in rows:
        moved = again[row["method"], row["held_out"][0], row["variant"]]
        assert moved["runs"] == row["runs"]
        for area in ("AUROC", "AUPR"):
            assert moved["measures"][area] == row["measures"][area]
        if "boosting" not in row["method"]:
            assert moved["threshold"] == pytest.approx(best_threshold(scores[0], labels), abs=5e-5)
        tested, of_runs = scores_of(report.output, row["held_out"][0], row["runs"][0], row["variant"])
        of_runs = of_runs.mean(axis=0, keepdims=True) if row["is_ensemble"] else of_runs
        expected = np.mean([evaluate(each, tested, threshold=moved["threshold"]).F for each in of_runs])
        assert moved["measures"]["F"]["mean"] == pytest.approx(expected, abs=1e-4)


def test_only_the_best_of_the_first_fold_go_on_and_nothing_is_trained_for_a_report(data, tmp_path, monkeypatch):
    from mirsweep.jobs.paper import experiments

    names = ["LSTM(2)+ATT+statistics", "LSTM(2)+ATT+partner+statistics"]
    monkeypatch.setattr(experiments, "CANDIDATES", {name: CANDIDATES[name] for name in names})
    monkeypatch.setattr(sys.modules["mirsweep.jobs.paper.reproduce"], "N_FINALISTS", 1)
    for recipes in ("ARCHITECTURES", "_OF_ONE_SPECIES"):
        monkeypatch.setattr(experiments, recipes, {})
    asked = FIRST | {"folds": (1, 2), "seeds": 1, "epochs": 1, "candidate_epochs": 1}
    document = jobs.reproduce(output=tmp_path, data=data, tables=("4", "best"), **asked).document
    rows = [row for row in document["rows"] if row["variant"] == "published"]
    firsts = [row for row in rows if row["part"] == "first fold"]
    assert [row["held_out"] for row in firsts] == 3 * [["cross-f1"]] + 3 * [["human-f1"]]
    finalists = [row for row in rows if row["part"] == "candidates"]
    assert [row["held_out"] for row in finalists] == [["cross-f1", "cross-f2"], ["human-f1", "human-f2"]]
    for row in finalists:
        rivals = {r["method"]: r["measures"]["AUPR"]["mean"] for r in firsts if r["held_out"] == row["held_out"][:1]}
        assert row["method"] == max(rivals, key=rivals.get)
    beside = [(row["method"], row["runs"]) for row in rows if row["part"] == "table 4"]
    assert beside == [(row["method"], row["runs"]) for row in finalists]
    shutil.rmtree(tmp_path / "runs" / finalists[0]["runs"][1][0])
    again = jobs.reproduce(output=tmp_path, data=data, tables=("best",), report_only=True, **asked).document
    assert set(again["choices"]) == {"human"}
    assert [each["run"] for each in again["missing"]] == finalists[0]["runs"][1]
    last = (tmp_path / "accuracy.md").read_text().splitlines()[-1]
    assert last.startswith("Training runs that are not finished (1)")
    assert last.endswith(f": {finalists[0]['method']} (cross-f2).")


def test_tests_are_not_looked_at_before_the_choice():
    parts = paper_rows({"best"}, Extent()) + finalist_rows({"cross": list(CANDIDATES)}, Extent())
    assert {run.task.split("-")[1][0] for run in runs_of(parts)} == {"f"}
    tested = choice_rows({"cross": "CNN(2)+pooled+statistics"}, Extent())
    assert {task for row in tested for task in row.tasks} == {"cross-test", "new"}


def test_finalists_stand_beside_table_4_with_the_same_training_runs():
    finalists = finalist_rows({key: [PAPER_NAME, "LSTM(2)+ATT, ReLU"] for key in ("cross", "human")}, Extent())
    ours = beside_table_4(finalists)
    assert [(row.part, row.method) for row in ours] == 2 * [("table 4", "LSTM(2)+ATT, ReLU")]
    assert [row.runs for row in ours] == [finalists[1].runs, finalists[3].runs]


def test_rows_of_a_table_are_measured_on_the_folds_that_all_have():
    rows = paper_rows({"table 4"}, Extent())
    finished = {run.id for row in rows[:2] for runs in row.runs[:3] for run in runs} | {rows[2].runs[1][0].id}
    shared = on_shared_folds(rows, lambda run: run if run.id in finished else None)
    assert [row.tasks for row in shared[:3]] == 3 * [("human-f2",)]
    assert [row.runs for row in shared[:3]] == [(row.runs[1],) for row in rows[:3]]
    of_two = on_shared_folds(rows[:2], lambda run: run if run.id in finished else None)
    assert [row.tasks for row in of_two] == 2 * [("human-f1", "human-f2", "human-f3")]


def test_a_row_of_table_2_that_lacks_folds_does_not_cut_the_others_down():
    rows = [row for row in paper_rows({"table 2"}, Extent()) if row.tasks[0] == "human-f1"]
    network, authors = rows[:2]
    assert authors.method == AUTHORS_NAME
    finished = {runs[0].id for runs in (*network.runs, *authors.runs[:2])}

    def find(run):
        return run if run.id in finished else None

    shared = on_shared_folds(rows, find)
    assert shared[0] == network
    assert not all(find(run) for runs in shared[1].runs for run in runs)  # and so it is not measured
    finished -= {network.runs[0][0].id}
    assert [row.tasks for row in on_shared_folds(rows, find)[:2]] == 2 * [("human-f2",)]


def test_processes_side_by_side_give_the_same_scores(done, data, tmp_path):
    runs = [r for r in runs_of(paper_rows({"table 3"}, Extent(2, 1, 2, 2, (1,)))) if r.method == PAPER_NAME]
    lines = []
    assert execute(runs, output=tmp_path, data=data, workers=2, progress=lines.append) == []
    assert lines[0] == "0 of 2 training runs are there already"
    assert len(lines) == 3
    for run in runs:
        np.testing.assert_allclose(
            read_finished(tmp_path, run).scores, read_finished(done.output, run).scores, atol=1e-6
        )


def test_a_failed_training_is_named_and_the_others_go_on(data, tmp_path, capsys):
    folder = tmp_path / "deepmirgene"
    shutil.copytree(data, folder)
    write_fasta(folder / "test" / "human" / "human_pos_test.fa", {"bad": "ACGNNN"})
    asked = ["--table", "2", "--seeds", "1", "--epochs", "1", "--folds", "1", "--workers", "1", "--quiet"]
    code = main(["reproduce", "-o", str(tmp_path / "out"), "--data", str(tmp_path), *asked])
    _, err = capsys.readouterr()
    assert code == 1
    assert err.count("failed: ") == 4
    assert "human-test, seed 0 failed: mirsweep.scanner.errors.InputError" in err
    assert "holds N" in err
    document = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    assert {each["task"] for each in document["missing"]} == {"human-test"}
    assert {row["held_out"][0] for row in document["rows"]} == {"cross-test", "human-f1", "cross-f1"}


def test_an_interrupted_training_goes_on_where_it_was(data, tmp_path):
    asked = ["--data", data, "--table", "4", "--epochs", 400, "--folds", "1", "--workers", 1]
    process = start_mirsweep("reproduce", "-o", tmp_path, *asked)
    wait_until(lambda: list(tmp_path.glob("runs/*/state")), process)
    os.killpg(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    kept = {"tables": ("4",), "epochs": 400, "folds": (1,)}
    assert sum(each.epochs_done for each in planned_runs(output=tmp_path, **kept)) >= 5


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--folds", "1,6"], "folds must be of 1, 2, 3, 4, 5"),
        (["--folds", "x"], "no list of numbers"),
        (["--seeds", "0"], "at least 1"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--data", "nowhere"], "the paper's benchmark is not there"),
    ],
)
def test_bad_options_are_code_2(data, tmp_path, capsys, asked, message):
    code = main(["reproduce", "-o", str(tmp_path), "--data", str(data), *asked])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert message in err


def test_damaged_scores_are_one_sentence(done, data, tmp_path):
    shutil.copytree(done.output, tmp_path / "out")
    next((tmp_path / "out" / "runs").glob("new-s0-*/scores.tsv")).write_text("label\tis_clean\tscore\n1\tx\n")
    with pytest.raises(InputError, match=r"damaged .*; remove the folder and run the same command again"):
        jobs.reproduce(output=tmp_path / "out", data=data, tables=("3",), **FIRST)
