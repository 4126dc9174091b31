"""Attention and class activation map: the formulas, independence of the batch, the command and its pictures."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from helpers_jobs import make_model, slice_bases, write_fasta
from mirsweep import jobs
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.sequences.explain import as_text, draw
from mirsweep.model import ModelError, load_model
from mirsweep.model.checkpoint import save
from mirsweep.model.explain import explain, on_common_axis
from mirsweep.model.net import Net, NetConfig
from mirsweep.model.predict import Model
from mirsweep.model.recipes import ARCHITECTURES, CANDIDATES, PAPER

LET_7 = "UACACUGUGGAUCCGGUGAGGUAGUAGGUUGUAUAGUUUGGAAUAUUACCACCGGUGAACUAUGCAAUUUUCUACCUUACCGGAGACAGAACUCUUCGA"
LET_7_FOLD = ".....(.((..(((((((((((((.((((((((((((........(((((...))))))))))))))))).)))))))))))))..)).)........."
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


def test_models_of_another_kind_have_no_map():
    with pytest.raises(ModelError, match="the model genome is of another kind than the paper's"):
        explain(SimpleNamespace(name="genome"), SEQUENCES, STRUCTURES)


def test_without_attention_there_is_no_map():
    with pytest.raises(ModelError, match="random has no attention"):
        explain(make(replace(ARCHITECTURES["LSTM(2)"].config, n_dense1=4)), ["A"], ["."])
    with pytest.raises(ModelError, match="map 'saliency' is unknown"):
        explain(load_model(), ["A"], ["."], activation="saliency")


def test_profiles_of_all_lengths_on_one_axis():
    assert on_common_axis(np.arange(10.0), 10).tolist() == list(range(10))
    np.testing.assert_allclose(on_common_axis(np.array([2.0]), 5), 2)
    short, long = (on_common_axis(np.linspace(0, 1, n)) for n in (60, 120))
    np.testing.assert_allclose(short, long, atol=0.01)


@pytest.fixture(scope="module")
def fasta(tmp_path_factory):
    return write_fasta(tmp_path_factory.mktemp("explain") / "x.fa", {"let-7": LET_7, "second": "GGGGAAAACCCC"})


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
    assert draw(jobs.explain(fasta)).count("<rect") == 1 + 2 * (len(LET_7) + 12)


def test_best_candidates_of_a_scan(capsys, tmp_path):
    genome = write_fasta(tmp_path / "g.fa", {"c": slice_bases(0, 12_000)})
    jobs.scan(genome, output=tmp_path / "out", model="paper-cross", local=True, quiet=True)
    best = jobs.query(tmp_path / "out", sort="score", limit=3)
    table = jobs.explain(tmp_path / "out", limit=3)
    assert table["sequence"].to_pylist() == best["sequence"].to_pylist()
    np.testing.assert_allclose(table["score"].to_numpy(), best["score"].to_numpy(), atol=1e-5)
    assert jobs.explain(tmp_path / "out").num_rows == 10
    code, _, err = run(capsys, "explain", genome, "--region", "c:1-50")
    assert (code, "--region goes with the output folder of a scan" in err) == (2, True)
    code, _, err = run(capsys, "explain", tmp_path / "out", "--limit", 0)
    assert (code, "at least 1" in err) == (2, True)


def test_a_model_without_attention_is_bad_input(capsys, fasta, tmp_path):
    net = Net(replace(ARCHITECTURES["1D-CNN(2)"].config, n_dense1=4, n_dense2=4))
    net.initialise(torch.Generator().manual_seed(0))
    save(tmp_path / "cnn", net, data="none", licence="none", protocol="untrained", metrics={})
    code, out, err = run(capsys, "explain", fasta, "--model", tmp_path / "cnn.safetensors")
    assert (code, out) == (2, "")
    assert err == (
        "mirsweep: the model cnn has no attention, and so no map of its classes: choose one that has, such as "
        "paper-cross.\n"
    )
    assert run(capsys, "explain", fasta, "--model", make_model(tmp_path / "small.safetensors"))[0] == 0
