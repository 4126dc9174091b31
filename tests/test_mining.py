import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from mirsweep.jobs import scan
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.demo.demo import DATA
from mirsweep.jobs.results.compare import match
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.known import read_loci
from mirsweep.jobs.training import adapt as genome_training
from mirsweep.jobs.training.adapt import calibrate, examples_of, train_on_genome
from mirsweep.jobs.training.mine import MINED_SCHEMA, NEAR_NT, mine, read_examples
from mirsweep.model import load_model
from mirsweep.model.checkpoint import save
from mirsweep.model.genome_net import GenomeConfig, GenomeNet
from mirsweep.scanner.errors import InputError

GENOME, KNOWN = DATA / "slice.fa.gz", DATA / "mirbase.gff3"


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "untrained.safetensors"
    net = GenomeNet(GenomeConfig(n_channels=8, n_hidden=8, dilations=(1,)))
    save(path, net, data="none", licence="none", protocol="none", metrics={}, calibration=None)
    return path


@pytest.fixture(scope="module")
def scanned(untrained, tmp_path_factory):
    output = tmp_path_factory.mktemp("scan") / "out"
    scan([GENOME], output=output, model=untrained, quiet=True)
    return output


def test_all_negatives_lie_far_from_known_precursors(scanned, tmp_path):
    mined = mine(scanned, [KNOWN], path=tmp_path / "n.parquet")
    table = pq.read_table(tmp_path / "n.parquet")
    assert table.schema == MINED_SCHEMA
    everything = open_output(scanned).dataset().to_table(columns=["start", "end"])
    loci = read_loci(KNOWN)
    starts, ends = (everything[name].to_numpy() for name in ("start", "end"))
    n_far = sum(
        all(end + NEAR_NT <= x.start or start - NEAR_NT >= x.end for x in loci)
        for start, end in zip(starts, ends, strict=True)
    )
    assert mined.n_rows == table.num_rows == n_far
    assert mined.n_near == mined.n_candidates - n_far
    assert not any(table["label"].to_pylist())
    assert not len(match(table, loci))


def test_hardest_come_first_and_chance_repeats_itself(scanned, tmp_path):
    for name in ("a", "b"):
        mine(scanned, [KNOWN], path=tmp_path / name, hardest=100, random=50, seed=7)
    first = pq.read_table(tmp_path / "a")
    assert first.num_rows == 150
    assert first.equals(pq.read_table(tmp_path / "b"))
    mine(scanned, [KNOWN], path=tmp_path / "all")
    best = np.sort(pq.read_table(tmp_path / "all")["score"].to_numpy())[-100]
    assert (first["score"].to_numpy() >= best).sum() >= 100


def test_a_region_holds_what_starts_in_it(scanned, tmp_path):
    contig = read_loci(KNOWN)[0].contig
    mine(scanned, [KNOWN], path=tmp_path / "r", region=f"{contig}:100,001-200,000")
    starts = pq.read_table(tmp_path / "r")["start"].to_numpy()
    assert starts.min() >= 100_000
    assert starts.max() < 200_000


def test_bad_input_of_mining_is_named(scanned, tmp_path):
    with pytest.raises(InputError, match="no candidate is left"):
        mine(scanned, [KNOWN], path=tmp_path / "x", region="elsewhere")
    assert not (tmp_path / "x").exists()
    assert main(["mine", str(tmp_path), "--known", str(KNOWN), "-o", str(tmp_path / "x")]) == 2
    mine(scanned, [KNOWN], path=tmp_path / "n.parquet", hardest=5)
    with pytest.raises(InputError, match="not pre-miRNAs"):
        list(read_examples([tmp_path / "n.parquet"], label=True))
    assert len(examples_of(next(read_examples([tmp_path / "n.parquet"], label=False)))) == 5


def test_calibration_counts_candidates_per_mb():
    scores = np.array([0.9, 0.8, 0.8, 0.1])
    found = calibrate(scores, 2.0)
    assert dict(zip(found["score"], found["fp_per_mb"], strict=True)) == {0.1: 2.0, 0.8: 1.5, 0.9: 0.5}
    with pytest.raises(InputError, match="there are none"):
        calibrate(np.empty(0), 1.0)


def test_a_model_adapts_to_a_genome(untrained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(genome_training, "BLOCK_NT", 60_000)
    output = tmp_path / "own.safetensors"
    asked = ["--genome", GENOME, "--known", KNOWN, "-o", output, "--start-from", untrained, "--epochs", "2"]
    assert main(["train", *map(str, asked)]) == 0
    assert "average precision on the blocks held out" in capsys.readouterr().err
    model = load_model(output)
    assert model.card["calibration"]["score"] == sorted(model.card["calibration"]["score"])
    assert model.card["metrics"]["n_positives"] > 0
    assert model.card["data"]["known"] == KNOWN.name


def test_a_paper_model_cannot_be_adapted(tmp_path):
    with pytest.raises(InputError, match="not a genome model"):
        train_on_genome([GENOME], KNOWN, output=tmp_path / "m.safetensors", start_from="paper-cross", quiet=True)


@pytest.mark.parametrize("asked", [["pos.fa"], ["--genome", "g.fa"], ["p.fa", "n.fa", "--genome", "g.fa"]])
def test_train_wants_either_sequences_or_a_genome(asked, tmp_path):
    assert main(["train", *asked, "-o", str(tmp_path / "m.safetensors")]) == 2
