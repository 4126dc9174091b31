"""A genome model adapted to a species: from a genome or from files, resumed, and refused before any work."""

import gzip
import json
import os
import signal
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import mirsweep.jobs.training.adapt as adapt_module
from helpers_jobs import mirsweep, scan, start_mirsweep, wait_until
from helpers_training import GENOME, KNOWN, make_genome_model, with_a_locus_beyond_the_end, with_other_contigs
from mirsweep.jobs import adapt
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.training.adapt import AdaptParams
from mirsweep.jobs.training.calibrate import calibrate, score_rows
from mirsweep.jobs.training.examples import TEXT_COLUMNS
from mirsweep.jobs.training.learning_set import is_held_out
from mirsweep.model import ModelError, load_model
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import open_genome
from test_plant import LET7, MIR1

BLOCK = ["--block-nt", "60000"]


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    return make_genome_model(tmp_path_factory.mktemp("model") / "untrained.safetensors")


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


def weights_and_card(path: Path) -> tuple[bytes, dict]:
    card = json.loads(path.with_suffix(".json").read_text())
    return path.read_bytes(), {key: card[key] for key in ("digest", "metrics", "calibration", "protocol")}


def test_a_model_adapts_to_a_genome(untrained, tmp_path, capsys):
    output = tmp_path / "own.safetensors"
    asked = [GENOME, "--known", KNOWN, "-o", output, "--start-from", untrained, "--epochs", 2, *BLOCK]
    assert run("adapt", *asked) == 0
    said = capsys.readouterr().err
    assert "average precision on what was held out" in said
    assert "epoch 2 of 2: loss" in said
    model = load_model(output)
    assert model.card["calibration"]["score"] == sorted(model.card["calibration"]["score"])
    assert model.card["metrics"]["n_positives"] > 0
    assert model.card["data"]["known"] == [KNOWN.name]
    assert model.card["data"]["start_from"] == "untrained"
    with closing(open_genome(GENOME)) as genome:
        told = [{"contig": name, "length": nt, "refget": genome.refget(name)} for name, nt in genome.contigs]
    assert model.card["data"]["contigs"] == told
    assert not output.with_suffix(".adapt").exists()


def test_the_calibration_is_the_rate_of_held_out_candidates(untrained, tmp_path):
    done = adapt(GENOME, KNOWN, output=tmp_path / "own", start_from=untrained, epochs=1, block_nt=60_000, quiet=True)
    scan(GENOME, output=tmp_path / "out", model=done.path, quiet=True)
    table = open_output(tmp_path / "out").dataset().to_table(columns=[*TEXT_COLUMNS, "start", "expected_fp_per_mb"])
    held_out = is_held_out(table["start"].to_numpy(), 60_000)
    rates = table["expected_fp_per_mb"].to_numpy()[held_out]
    scanned_mb = open_output(tmp_path / "out").run["counts"]["n_scanned"] / 1e6 * held_out.mean()
    limit = 300
    assert (rates <= limit).sum() / scanned_mb == pytest.approx(limit, rel=0.15)


@pytest.mark.slow
def test_files_of_plant_and_mine_adapt_a_model(untrained, tmp_path, capsys):
    """The way that the commands' help shows: scan, mine, plant, adapt, scan."""
    rows = [["pre_name", "pre_seq", "m1_seq", "m2_seq"]]
    rng = np.random.default_rng(0)
    for k in range(12):  # families of two species each
        sequence = LET7 if k % 2 else MIR1
        place = int(rng.integers(20, 30))
        changed = sequence[:place] + "ACGU"[k % 4] + sequence[place + 1 :]
        rows += [[f"{species}-mir-{k + 1}", changed, sequence[5:27], ""] for species in ("hsa", "mmu")]
    with gzip.open(tmp_path / "mirbase.tsv.gz", "wt") as table:
        table.write("\n".join("\t".join(row) for row in rows) + "\n")
    out, positives, negatives = tmp_path / "out", tmp_path / "pos.parquet", tmp_path / "neg.parquet"
    assert run("scan", GENOME, "-o", out, "--model", untrained, "--decoys", "none", "--quiet") == 0
    assert run("mine", out, "--known", KNOWN, "-o", negatives) == 0
    asked = ["--mirbase", tmp_path / "mirbase.tsv.gz", "--genome", GENOME, "-o", positives]
    assert run("plant", *asked, "--without-species", "mmu") == 0
    assert "12 of 12 precursors found" in capsys.readouterr().err
    assert run("plant", *asked) == 0
    own = tmp_path / "own.safetensors"
    given = ["--examples", positives, "--negatives", negatives, "--start-from", untrained, "--epochs", 25]
    assert run("adapt", *given, "-o", own, *BLOCK) == 0
    said = capsys.readouterr().err
    assert "24 of 24 precursors found, as 44 candidates" in said
    assert "adapted to 37 pre-miRNAs" in said  # two of the twelve families, of two records each, are held out
    card = load_model(own).card
    assert card["data"] == {
        "examples": ["pos.parquet"],
        "negatives": ["neg.parquet"],
        "start_from": "untrained",
        "contigs": [],
    }
    assert card["metrics"]["n_positives"] == 7  # candidates, of those four records
    assert card["metrics"]["average_precision_after"] > card["metrics"]["average_precision_before"]
    assert len(card["calibration"]["score"]) > 20
    assert run("scan", GENOME, "-o", tmp_path / "again", "--model", own, "--decoys", "none", "--quiet") == 0
    assert run("mine", out, "--known", KNOWN, "-o", tmp_path / "hard.parquet", "--hardest", 300) == 0
    given[3] = tmp_path / "hard.parquet"
    assert run("adapt", *given, "-o", tmp_path / "b.safetensors", *BLOCK) == 0
    assert "not calibrated, since the negatives are not all of a scan" in capsys.readouterr().err


def test_an_interrupted_training_goes_on_without_a_second_scan(untrained, tmp_path, monkeypatch, capsys):
    asked = {"start_from": untrained, "epochs": 3, "block_nt": 60_000}
    whole = adapt(GENOME, KNOWN, output=tmp_path / "whole", quiet=True, **asked).path
    say = adapt_module.say

    def stop_after_epoch_2(line: str) -> None:
        say(line)
        if line.startswith("epoch 2"):
            raise KeyboardInterrupt

    monkeypatch.setattr(adapt_module, "say", stop_after_epoch_2)
    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        adapt(GENOME, KNOWN, output=tmp_path / "own", **asked)
    monkeypatch.setattr(adapt_module, "say", say)
    capsys.readouterr()
    own = adapt(GENOME, KNOWN, output=tmp_path / "own", **asked).path
    said = capsys.readouterr().err
    assert "this scan is complete already" in said
    assert "epoch 2 of 3" not in said
    assert "epoch 3 of 3" in said
    assert weights_and_card(own) == weights_and_card(whole)


@pytest.mark.slow
def test_a_signal_in_the_middle_of_training_keeps_what_is_done(untrained, tmp_path):
    own = tmp_path / "own.safetensors"
    asked = ["adapt", GENOME, "--known", KNOWN, "-o", own, "--start-from", untrained, "--epochs", 60, *BLOCK]
    process = start_mirsweep(*asked)
    wait_until(lambda: (tmp_path / "own.adapt" / "training.state").exists(), process)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in said
    assert not own.exists()
    assert mirsweep(*asked).returncode == 0
    assert own.exists()


def test_the_work_of_another_adaptation_is_not_taken_up(untrained, tmp_path, monkeypatch):
    asked = {"output": tmp_path / "own", "start_from": untrained, "block_nt": 60_000, "quiet": True}
    monkeypatch.setattr(adapt_module, "_train", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        adapt(GENOME, KNOWN, **asked)
    with pytest.raises(InputError, match=r"own\.adapt: holds the work of another adaptation \(seed: there 0, here 1\)"):
        adapt(GENOME, KNOWN, seed=1, **asked)


def test_calibration_counts_candidates_per_mb():
    scores = np.array([0.9, 0.8, 0.8, 0.1])
    found = calibrate(scores, 2.0)
    assert dict(zip(found["score"], found["fp_per_mb"], strict=True)) == {0.1: 2.0, 0.8: 1.5, 0.9: 0.5}
    with pytest.raises(InputError, match="there are none"):
        calibrate(np.empty(0), 1.0)


def test_rows_are_scored_in_any_portion(untrained, tmp_path):
    scan(GENOME, output=tmp_path / "out", model=untrained, quiet=True)
    table = open_output(tmp_path / "out").dataset().head(300)
    model = load_model(untrained)
    np.testing.assert_allclose(score_rows(model, table, rows_at_once=7), score_rows(model, table), atol=1e-6)
    np.testing.assert_allclose(score_rows(model, table), table["score"].to_numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("annotation", "sentence"),
    [
        (with_other_contigs, "none of its contigs (elsewhere) is in the genome"),
        (with_a_locus_beyond_the_end, "too-far ends at 1800050"),
    ],
)
def test_annotation_of_another_genome_is_refused_before_the_scan(untrained, tmp_path, capsys, annotation, sentence):
    known, own = annotation(tmp_path / "bad.gff3"), tmp_path / "own.safetensors"
    assert run("adapt", GENOME, "--known", known, "-o", own, "--start-from", untrained, *BLOCK) == 2
    assert sentence in capsys.readouterr().err
    assert not own.with_suffix(".adapt").exists()


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ([], "give GENOME with --known, or --examples"),
        ([GENOME], "a genome and its known precursors go together"),
        (["--known", KNOWN], "a genome and its known precursors go together"),
        (["--examples", "p.parquet"], "give GENOME with --known, or --examples"),
        ([GENOME, "--known", KNOWN], "too short to hold a part out"),
        ([GENOME, "--known", KNOWN, "--examples", KNOWN], "not a Parquet file of examples"),
        ([GENOME, "--known", KNOWN, "--start-from", "paper-cross"], "not a genome model"),
    ],
)
def test_what_cannot_be_adapted_is_refused_before_the_scan(asked, sentence, tmp_path, capsys):
    assert run("adapt", *asked, "-o", tmp_path / "own.safetensors") == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "own.adapt").exists()


@pytest.mark.parametrize(
    "wrong", [{"preset": "fungus"}, {"epochs": 0}, {"epochs": 1.5}, {"block_nt": 10}, {"seed": -1}]
)
def test_bad_parameters_are_refused(wrong):
    with pytest.raises(InputError):
        AdaptParams(**wrong)


def test_train_names_the_command_that_adapts(tmp_path, capsys):
    assert run("train", "--genome", GENOME, "--known", KNOWN, "-o", tmp_path / "m.safetensors") == 2
    assert "mirsweep adapt GENOME --known KNOWN" in capsys.readouterr().err


def test_an_output_that_is_no_weights_file_is_refused_at_once(untrained, tmp_path):
    with pytest.raises((InputError, ModelError), match=r"own\.pt: the file must end in \.safetensors"):
        adapt(GENOME, KNOWN, output=tmp_path / "own.pt", start_from=untrained, block_nt=60_000)
