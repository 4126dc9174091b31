"""Cards and weights that someone else wrote: refused before memory is taken for them, and no score that is none."""

import hashlib
import json
import resource
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from helpers_jobs import make_model, slice_bases, write_fasta
from helpers_training import make_genome_model
from mirsweep.jobs import query, score
from mirsweep.jobs.cli.main import main
from mirsweep.model import ModelError, load_model
from mirsweep.model.checkpoint import save
from mirsweep.model.net import Net, NetConfig

KINDS = {"paper": make_model, "genome": make_genome_model}


@pytest.fixture(params=KINDS)
def weights(request, tmp_path):
    return KINDS[request.param](tmp_path / "m.safetensors")


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    return write_fasta(tmp_path_factory.mktemp("genome") / "g.fa", {"c": slice_bases(0, 20_000)})


def change_card(weights: Path, **fields) -> None:
    card = weights.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | fields))


def change_config(weights: Path, **fields) -> None:
    change_card(weights, config=json.loads(weights.with_suffix(".json").read_text())["config"] | fields)


SIZES = {
    "paper": ["max_length", "n_hidden1", "n_hidden2", "n_dense1", "n_dense2", "n_heads", "conv_width"],
    "genome": ["n_channels", "kernel", "n_heads", "n_hidden", "n_words", "max_length"],
}


@pytest.mark.parametrize("size", [1_000_000_000, 4001, 10**30, 0, -1, 1.5, "9", None, True])
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in SIZES.items() for name in names])
def test_sizes_of_a_card_are_checked_before_memory_is_taken(tmp_path, kind, name, size):
    weights = KINDS[kind](tmp_path / "m.safetensors")
    change_config(weights, **{name: size})
    limit = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + (1 << 28), limit[1]))
    try:
        if size == 4001 and (kind, name) in {("genome", "max_length"), ("paper", "conv_width")}:
            load_model(weights)  # no tensor of this network depends on it
            return
        if name == "n_words" and size == 0:
            load_model(weights)  # as it has
            return
        with pytest.raises(ModelError, match=r"m\.(json|safetensors): "):
            load_model(weights)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limit)


@pytest.mark.parametrize(
    "config",
    [
        {"dilations": [1] * 100_000},
        {"dilations": [10**9]},
        {"dilations": 7},
        {"dilations": [[1]]},
        {"second": [{}] * 100_000, "first": {}, "rescored_from": 0},
        {"second": [{}], "first": {"second": []}, "rescored_from": 0},
        {"second": [{}], "first": {}, "rescored_from": float("nan")},
        {"second": 5, "first": {}, "rescored_from": 0},
    ],
)
def test_other_odd_sizes(tmp_path, config):
    weights = make_genome_model(tmp_path / "m.safetensors")
    if "second" in config:
        change_card(weights, config=config)
    else:
        change_config(weights, **config)
    with pytest.raises(ModelError, match=r"m\.(json|safetensors): "):
        load_model(weights)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, '{"name": ' + "[" * 50_000 + "]" * 50_000 + "}", "9" * 10_000, "\x00", "NaN"],
)
def test_a_card_nested_too_deeply_is_a_sentence(weights, genome, tmp_path, text, capsys):
    weights.with_suffix(".json").write_text(text)
    assert main(["scan", str(genome), "-o", str(tmp_path / "out"), "--model", str(weights), "--local"]) == 2
    said = capsys.readouterr().err
    assert "m.json" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("fields", [{"name": 7}, {"name": ""}, {"name": None}, {"digest": 5}, {"digest": None}])
def test_a_card_with_fields_of_another_kind(weights, fields):
    change_card(weights, **fields)
    with pytest.raises(ModelError, match="name or digest"):
        load_model(weights)


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    "calibration",
    [
        {"score": [0.1, 0.5], "fp_per_mb": [1.0, 2.0]},
        {"score": [0.5, 0.1], "fp_per_mb": [2.0, 1.0]},
        {"score": [0.1, 0.1], "fp_per_mb": [2.0, 1.0]},
        {"score": [0.1, 0.5], "fp_per_mb": [1.0, 0.0]},
        {"score": [0.1, 0.5], "fp_per_mb": [1.0, -1.0]},
        {"score": [0.1, NAN], "fp_per_mb": [2.0, 1.0]},
        {"score": [0.1, 0.5], "fp_per_mb": [NAN, NAN]},
        {"score": [0.1, 0.5], "fp_per_mb": [INFINITE, 1.0]},
        {"score": [0.1, 0.5], "fp_per_mb": [10**400, 1.0]},
        {"score": [0.1, 0.5], "fp_per_mb": [2.0]},
        {"score": [], "fp_per_mb": []},
        {"score": ["0.1"], "fp_per_mb": ["1"]},
        {"score": [0.1]},
        [[0.1], [1.0]],
        "none",
        7,
    ],
)
def test_a_calibration_that_is_none_is_refused(weights, calibration):
    change_card(weights, calibration=calibration)
    with pytest.raises(ModelError, match=r"m\.json: its calibration is none"):
        load_model(weights)


def with_huge_weights(weights: Path) -> Path:
    """Finite weights, by which the network's arithmetic runs over: infinity less infinity."""
    tensors = load_file(weights)
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            tensors[name] = torch.full_like(tensor, 3e38) * torch.where(torch.rand_like(tensor) < 0.5, -1, 1)
    save_file(tensors, weights)
    change_card(weights, digest=hashlib.sha256(weights.read_bytes()).hexdigest())
    return weights


def test_weights_that_give_no_number_make_no_row(weights, genome, tmp_path, capsys):
    with_huge_weights(weights)
    arguments = ["scan", genome, "-o", tmp_path / "out", "--model", weights, "--local", "--decoys", "none"]
    assert main([str(each) for each in arguments]) == 1, "its shards fail"
    said = capsys.readouterr().err
    assert "model m:" in said
    assert "gives no score" in said
    assert "Traceback" not in said
    assert not query(tmp_path / "out").num_rows
    hairpins = write_fasta(tmp_path / "h.fa", {"h": "GGGAAAGCUCCAGCUUCGGCUGGAGCUUUCCC" * 2})
    for command in (["score", hairpins], ["explain", hairpins], ["evaluate", hairpins, hairpins]):
        assert main([*map(str, command), "--model", str(weights)]) == 2
        assert "gives no score" in capsys.readouterr().err
    with pytest.raises(ModelError, match="gives no score"):
        score(hairpins, model=weights)


def test_training_that_ends_in_no_numbers_writes_no_model(tmp_path):
    net = Net(NetConfig(n_dense1=8, n_dense2=8))
    with torch.no_grad():
        next(net.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="weights that are not finite"):
        save(tmp_path / "m", net, data="none", licence="none", protocol="none", metrics={})
    assert not list(tmp_path.iterdir())
