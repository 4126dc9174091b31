"""Attention and class activation map: the formulas, independence of the batch, the command and its pictures."""

import copy
import json
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from helpers_jobs import make_model, slice_bases, write_fasta
from helpers_model import LET_7, LET_7_FOLD
from mirsweep import jobs
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.sequences.drawing import draw
from mirsweep.jobs.sequences.explain import as_text
from mirsweep.model import ModelError, load_model
from mirsweep.model.checkpoint import save
from mirsweep.model.explain import explain, on_common_axis
from mirsweep.model.genome_model import GenomeModel
from mirsweep.model.genome_net import to_batch
from mirsweep.model.net import Net, NetConfig
from mirsweep.model.predict import Model
from mirsweep.model.recipes import ARCHITECTURES, CANDIDATES, PAPER
from mirsweep.model.stem import lay_out

SEQUENCES = [LET_7, "GGGGAAAACCCC", "A", LET_7[10:90]]
STRUCTURES = [LET_7_FOLD, "((((....))))", ".", "." * 80]


def make(config: NetConfig, *, seed: int = 0) -> Model:
    net = Net(config)
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return Model(net, {"name": "random", "digest": ""})


SMALL = replace(PAPER.config, n_dense1=8, n_dense2=6)
NETWORKS = {
    "paper": SMALL,
    "shared": replace(SMALL, attention="shared"),
    "with summary": replace(SMALL, summary=True),
    "pooled": replace(CANDIDATES["CNN(2)+pooled+statistics"].config, n_dense1=8, n_dense2=6),
}


@pytest.mark.parametrize("activation", ["cam", "gradient"])
@pytest.mark.parametrize("config", NETWORKS.values(), ids=NETWORKS)
def test_each_hairpin_is_explained_by_itself(config, activation):
    model = make(config)
    together = explain(model, SEQUENCES, STRUCTURES, activation=activation)
    scores = model.score(SEQUENCES, STRUCTURES)
    for sequence, structure, found, score in zip(SEQUENCES, STRUCTURES, together, scores, strict=True):
        (alone,) = explain(model, [sequence], [structure], activation=activation)
        assert found.score == pytest.approx(score, abs=1e-6)
        assert len(found.attention) == len(found.activation) == len(sequence)
        assert found.attention.sum() == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(found.attention, alone.attention, atol=1e-6)
        np.testing.assert_allclose(found.activation, alone.activation, rtol=1e-5, atol=1e-5)


def test_map_of_a_network_of_one_position_is_state_times_derivative_by_finite_difference():
    """Of one position the map is sum_k h_k dS/dh_k: how fast the class score S grows when H_att does."""
    model = make(SMALL)
    net = model.network.net
    states, is_padding = model.network.states(torch.tensor([[3]], dtype=torch.uint8))
    weighted = net.weigh(states, net.attend(states, is_padding)).double()
    net.double()

    def margin(factor: float) -> float:
        logits = net.classify(net.collect(weighted * factor))
        return (logits[0, 0] - logits[0, 1]).item()

    expected = (margin(1 + 1e-5) - margin(1 - 1e-5)) / 2e-5
    net.float()
    for activation in ("cam", "gradient"):
        (found,) = explain(model, ["A"], ["."], activation=activation)
        assert found.activation[0] == pytest.approx(expected, rel=1e-3)


def test_map_is_the_papers_where_the_output_layer_follows_the_pooling():
    """With pooled attention the derivative is the same at all positions, so both maps are the same."""
    model = make(NETWORKS["pooled"])
    maps = [explain(model, SEQUENCES, STRUCTURES, activation=kind) for kind in ("cam", "gradient")]
    for cam, gradient in zip(*maps, strict=True):
        np.testing.assert_allclose(cam.activation, gradient.activation, rtol=1e-5, atol=1e-5)


def test_models_of_an_unknown_kind_are_refused():
    with pytest.raises(ModelError, match="the model other is of a kind that cannot be explained"):
        explain(SimpleNamespace(name="other"), SEQUENCES, STRUCTURES)


FLANKS = (["ACGUACGUACGUACGUACGUACGU", "", "GGG", "U" * 24], ["ACGUACGUACGUACGUACGUACGU", "A", "CCC", "A" * 24])
BRANCHED = ("GGGAGGGAAACCCAGGGAAACCCACCCUU", "(((.(((...))).(((...))).)))..")


@pytest.fixture(scope="module")
def genome_model() -> GenomeModel:
    return load_model("genome")


@pytest.mark.parametrize("flanks", [(), FLANKS], ids=["alone", "with flanks"])
def test_a_genome_models_attention_is_that_of_the_scored_hairpin(genome_model, flanks):
    scores = genome_model.score(SEQUENCES, STRUCTURES, *flanks)
    together = explain(genome_model, SEQUENCES, STRUCTURES, *flanks)
    for i, (found, score) in enumerate(zip(together, scores, strict=True)):
        own = ([texts[i]] for texts in (SEQUENCES, STRUCTURES, *flanks))
        (alone,) = explain(genome_model, *own, batch_size=1)
        assert found.score == pytest.approx(score, abs=1e-6)
        assert len(found.attention) == len(found.activation) == len(SEQUENCES[i])
        assert found.attention.sum() + found.flank_attention == pytest.approx(1, abs=1e-5)
        assert (found.flank_attention > 0) == bool(flanks)
        np.testing.assert_allclose(found.attention, alone.attention, atol=1e-5)
        np.testing.assert_allclose(found.activation, alone.activation, rtol=1e-4, atol=1e-5)
        assert found[3:] == pytest.approx(alone[3:], abs=1e-5)


def test_a_columns_attention_goes_to_the_bases_that_stand_in_it(genome_model):
    """By a plain loop over the columns; the two bases of a pair share alike."""
    net = genome_model.network
    for sequence, structure in ((LET_7, LET_7_FOLD), BRANCHED):
        stems = lay_out([sequence], [structure], ["A" * 24], ["U" * 24], library=genome_model.library)
        with torch.no_grad():
            attention = net.attend(*net.states(*to_batch(stems, np.array([0]))))[0].mean(0).tolist()
        expected, on_flanks = [0.0] * len(sequence), 0.0
        for weight, places in zip(attention, stems.places[0].tolist(), strict=True):
            bases = [place for place in places if place >= 0]
            for place in bases:
                expected[place] += weight / len(bases)
            on_flanks += 0 if bases else weight
        (found,) = explain(genome_model, [sequence], [structure], ["A" * 24], ["U" * 24])
        np.testing.assert_allclose(found.attention, expected, atol=1e-6)
        assert found.flank_attention == pytest.approx(on_flanks, abs=1e-6)
    (found,) = explain(genome_model, [LET_7], [LET_7_FOLD])
    for i, j in pairs_of(LET_7_FOLD):
        assert found.attention[i] == found.attention[j]
        assert found.activation[i] == found.activation[j]


@pytest.mark.parametrize("flanks", [(), FLANKS], ids=["alone", "with flanks"])
def test_attention_without_torch_is_what_is_explained(genome_model, flanks):
    explained = explain(genome_model, SEQUENCES, STRUCTURES, *flanks)
    for own, expected in zip(genome_model.attention(SEQUENCES, STRUCTURES, *flanks), explained, strict=True):
        np.testing.assert_allclose(own, expected.attention, atol=1e-5)


def pairs_of(structure: str) -> list[tuple[int, int]]:
    opened, pairs = [], []
    for i, symbol in enumerate(structure):
        if symbol == "(":
            opened.append(i)
        elif symbol == ")":
            pairs.append((opened.pop(), i))
    return pairs


def test_a_genome_models_map_is_what_scaling_the_pooled_states_does_to_the_logit(genome_model):
    """Its sum is dS/dt of the log-odds S at (1 + t) times the pooled states, by finite difference."""
    model = genome_model.network
    tokens, matches, n_columns = to_batch(lay_out([LET_7], [LET_7_FOLD], library=genome_model.library), np.array([0]))
    with torch.no_grad():
        states, mask = model.states(tokens, matches, n_columns)
        pooled = model.pool(states, model.attend(states, mask), mask).double()
        net = copy.deepcopy(model).double()
        high, low = (net.classify(pooled * (1 + t), tokens, matches.double())[0, 0].item() for t in (1e-6, -1e-6))
    for kind in ("cam", "gradient"):
        (found,) = explain(genome_model, [LET_7], [LET_7_FOLD], activation=kind)
        assert found.activation.sum() + found.flank_activation == pytest.approx((high - low) / 2e-6, rel=1e-3)


def test_attention_of_let_7_lies_on_its_mature_sequences(genome_model):
    """More of it than their share of the bases."""
    (found,) = explain(genome_model, [LET_7], [LET_7_FOLD])
    arms = genome_model.predict([LET_7], [LET_7_FOLD]).arms
    in_arms = np.zeros(len(LET_7), bool)
    in_arms[arms.mature_start[0] : arms.mature_end[0]] = True
    in_arms[arms.star_start[0] : arms.star_end[0]] = True
    assert found.attention[in_arms].sum() > in_arms.mean()


def test_without_attention_there_is_no_map():
    with pytest.raises(ModelError, match="random has no attention"):
        explain(make(replace(ARCHITECTURES["LSTM(2)"].config, n_dense1=4)), ["A"], ["."])
    with pytest.raises(ModelError, match="map 'saliency' is unknown"):
        explain(load_model("paper-cross"), ["A"], ["."], activation="saliency")


def test_profiles_of_all_lengths_on_one_axis():
    assert on_common_axis(np.arange(10.0), 10).tolist() == list(range(10))
    np.testing.assert_allclose(on_common_axis(np.array([2.0]), 5), 2)
    short, long = (on_common_axis(np.linspace(0, 1, n)) for n in (60, 120))
    np.testing.assert_allclose(short, long, atol=0.01)


@pytest.fixture(scope="module")
def fasta(tmp_path_factory):
    return write_fasta(
        tmp_path_factory.mktemp("explain") / "x.fa", {"let-7": LET_7, "second": "G" * 18 + "AAAA" + "C" * 18}
    )


def run(capsys, *arguments) -> tuple[int, str, str]:
    code = main([str(a) for a in arguments])
    return code, *capsys.readouterr()


def test_command_prints_text_and_rows(capsys, fasta):
    table = jobs.explain(fasta, activation="gradient")
    code, out, err = run(capsys, "explain", fasta, "--map", "gradient")
    assert (code, err) == (0, "")
    assert out.splitlines() == list(as_text(table))
    assert out.splitlines()[1] == LET_7
    code, out, _ = run(capsys, "explain", fasta, "--format", "json", "--limit", 1)
    (row,) = json.loads(out)
    assert row["id"] == "let-7"
    assert len(row["attention"]) == len(row["activation"]) == len(LET_7)


def test_picture_is_xml_that_holds_each_base(capsys, fasta, tmp_path):
    code, _, _ = run(capsys, "explain", fasta, "--picture", tmp_path / "a.svg", "-o", tmp_path / "a.txt")
    assert code == 0
    root = ET.parse(tmp_path / "a.svg").getroot()
    letters = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text") if len(node.text) == 1]
    assert "".join(letters[::2]).startswith(LET_7)
    assert "let-7" in (tmp_path / "a.txt").read_text()
    assert draw(jobs.explain(fasta)).count("<rect") == 1 + 2 * (len(LET_7) + 40)


def test_hairpin_is_drawn_with_each_base_as_dark_as_its_attention(fasta):
    table = jobs.explain(fasta, limit=1)
    root = ET.fromstring(draw(table))
    svg = "{http://www.w3.org/2000/svg}"
    discs = list(root.iter(f"{svg}circle"))
    assert len(discs) == len(LET_7)
    attention = np.array(table["attention"][0].as_py())
    shades = sorted(float(disc.get("fill-opacity")) for disc in discs)
    np.testing.assert_allclose(shades, np.sort(attention / attention.max()), atol=6e-4)
    n_pairs = LET_7_FOLD.count("(")
    assert len([line for line in root.iter(f"{svg}line") if line.get("x1") == line.get("x2")]) == n_pairs
    by_x = {}
    for disc in discs:
        by_x.setdefault(disc.get("cx"), []).append(disc.get("cy"))
    assert sorted(len(set(places)) for places in by_x.values())[-n_pairs:] == [2] * n_pairs


@pytest.fixture(scope="module", params=["genome", "paper-cross"])
def scanned(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    genome = write_fasta(folder / "g.fa", {"c": slice_bases(0, 12_000)})
    jobs.scan(genome, output=folder / "out", model=request.param, local=True, quiet=True)
    return folder / "out"


def test_best_candidates_of_a_scan_are_explained_by_its_own_model(capsys, scanned):
    """The attention belongs to the score of the row."""
    best = jobs.query(scanned, sort="score", limit=3)
    table = jobs.explain(scanned, limit=3)
    assert capsys.readouterr().err == ""
    assert table["sequence"].to_pylist() == best["sequence"].to_pylist()
    assert table["model"].to_pylist() == best["model"].to_pylist()
    np.testing.assert_allclose(table["score"].to_numpy(), best["score"].to_numpy(), rtol=0, atol=1e-5)
    (label,) = set(table["model"].to_pylist())
    is_genome = label.startswith("genome:")
    assert [value is not None for value in table["flank_attention"].to_pylist()] == [is_genome] * 3
    for own, of_flanks in zip(table["attention"].to_pylist(), table["flank_attention"].to_pylist(), strict=True):
        assert sum(own) + (of_flanks or 0) == pytest.approx(1, abs=1e-5)
    lines = list(as_text(table))
    assert f"model={label}" in lines[0]
    assert any(line.startswith("flanks: ") for line in lines) == is_genome
    assert jobs.explain(scanned).num_rows == 10


def test_scores_that_are_not_those_of_the_rows_are_told(capsys, scanned):
    """An output without the place of its weights and with other scores, as another version may have left it."""
    best = jobs.query(scanned, sort="score", limit=3)
    run_json = json.loads((scanned / "run.json").read_text())
    assert run_json["model"].pop("weights") == best["model"][0].as_py().split(":")[0]
    older = scanned.with_name("older")
    shutil.copytree(scanned, older)
    (older / "run.json").write_text(json.dumps(run_json))
    for path in (older / "candidates").rglob("*.parquet"):
        table = pq.read_table(path)
        other = pc.subtract(table["score"], pa.scalar(0.01, pa.float32()))
        pq.write_table(table.set_column(table.column_names.index("score"), "score", other), path)
    shutil.rmtree(older / "_shards", ignore_errors=True)  # which knows the former sizes
    table = jobs.explain(older, limit=3)
    assert table["score"].to_numpy() == pytest.approx(best["score"].to_numpy(), abs=1e-5)
    assert "3 of 3 scores are not those of its rows" in capsys.readouterr().err


def test_another_model_than_the_scans_is_named(capsys, scanned):
    (label,) = set(jobs.query(scanned, limit=1)["model"].to_pylist())
    other = "paper-cross" if label.startswith("genome:") else "genome"
    code, out, err = run(capsys, "explain", scanned, "--limit", 2, "--model", other, "--format", "jsonl")
    found = [json.loads(line) for line in out.splitlines()]
    theirs = load_model(other)
    assert code == 0
    assert [row["model"] for row in found] == [theirs.label] * 2
    assert err == f"mirsweep: note: {scanned} was scored by {label}; the scores shown are those of {theirs.label}.\n"
    rows = jobs.query(scanned, sort="score", limit=2)
    texts = (rows[name].to_pylist() for name in ("sequence", "structure", "flank_5p", "flank_3p"))
    np.testing.assert_allclose([row["score"] for row in found], theirs.score(*texts), atol=1e-5)


def test_a_scan_by_ones_own_model_finds_its_weights_again(capsys, tmp_path, monkeypatch):
    genome = write_fasta(tmp_path / "g.fa", {"c": slice_bases(0, 12_000)})
    make_model(tmp_path / "own.safetensors")
    monkeypatch.chdir(tmp_path)
    jobs.scan(genome, output=tmp_path / "out", model="own.safetensors", local=True, quiet=True)
    monkeypatch.chdir("/")
    best = jobs.query(tmp_path / "out", sort="score", limit=1)
    (row,) = jobs.explain(tmp_path / "out", limit=1).to_pylist()
    assert (row["score"], row["model"]) == (pytest.approx(best["score"][0].as_py(), abs=1e-5), best["model"][0].as_py())
    (tmp_path / "kept").mkdir()
    for path in tmp_path.glob("own.*"):
        path.rename(tmp_path / "kept" / path.name)
    code, _, err = run(capsys, "explain", tmp_path / "out")
    assert (code, err) == (
        2,
        f"mirsweep: {tmp_path / 'out'}: the weights that scored it, {row['model']}, are not where the scan found them: "
        "name their file with --model.\n",
    )
    code, _, err = run(capsys, "explain", tmp_path / "out", "--model", tmp_path / "kept" / "own.safetensors")
    assert (code, err) == (0, "")


def test_bad_requests(capsys, scanned, fasta):
    code, _, err = run(capsys, "explain", fasta, "--region", "c:1-50")
    assert (code, "--region goes with the output folder of a scan" in err) == (2, True)
    code, _, err = run(capsys, "explain", scanned, "--limit", 0)
    assert (code, "at least 1" in err) == (2, True)


def test_a_model_without_attention_is_bad_input(capsys, fasta, tmp_path):
    net = Net(replace(ARCHITECTURES["1D-CNN(2)"].config, n_dense1=4, n_dense2=4))
    net.initialise(torch.Generator().manual_seed(0))
    save(tmp_path / "cnn", net, data="none", licence="none", protocol="untrained", metrics={})
    code, out, err = run(capsys, "explain", fasta, "--model", tmp_path / "cnn.safetensors")
    assert (code, out) == (2, "")
    assert err == (
        "mirsweep: the model cnn has no attention, and so no map of its classes: choose one that has, such as genome "
        "or paper-cross.\n"
    )
    assert run(capsys, "explain", fasta, "--model", make_model(tmp_path / "small.safetensors"))[0] == 0
