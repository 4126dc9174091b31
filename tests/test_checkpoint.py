"""Weights come back as they were written; wrong or damaged files are refused in one sentence."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from mirsweep.model.checkpoint import CARD_KEYS, load, save
from mirsweep.model.errors import ModelError
from mirsweep.model.net import Net, NetConfig

SMALL = NetConfig(max_length=20, n_hidden1=4, n_hidden2=3, n_dense1=6, n_dense2=5, attention="shared")


@pytest.fixture
def net():
    net = Net(SMALL)
    net.initialise(torch.Generator().manual_seed(0))
    return net


@pytest.fixture
def weights(tmp_path, net):
    """Path of intact weights."""
    save(tmp_path / "mine", net, data="toy", licence="none", protocol="none", metrics={})
    return tmp_path / "mine.safetensors"


def rewrite(path, change) -> None:
    """Change the tensors of a weights file and put the new digest on its card."""
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    edit_card(path, lambda card: card.update(digest=hashlib.sha256(path.read_bytes()).hexdigest()))


def edit_card(path, change) -> None:
    card = json.loads(path.with_suffix(".json").read_text())
    change(card)
    path.with_suffix(".json").write_text(json.dumps(card))


def test_round_trip(weights, net):
    checkpoint = load(weights)
    assert checkpoint.net.config == SMALL
    assert set(checkpoint.card) == set(CARD_KEYS)
    assert checkpoint.card["name"] == "mine"
    assert checkpoint.card["digest"] == checkpoint.digest
    for name, tensor in net.state_dict().items():
        assert torch.equal(checkpoint.net.state_dict()[name], tensor)
    assert sorted(path.name for path in weights.parent.iterdir()) == ["mine.json", "mine.safetensors"]


def test_same_weights_same_digest(weights, net, tmp_path):
    card = save(tmp_path / "again.safetensors", net, data="", licence="", protocol="", metrics="")
    assert card["digest"] == load(weights).digest


def test_path_without_ending(weights):
    assert load(weights.with_suffix("")).card["name"] == "mine"


def test_no_such_file(tmp_path):
    with pytest.raises(ModelError, match="no such weights file"):
        load(tmp_path / "absent")
    with pytest.raises(ModelError, match="paper-cross"):
        load("papre-cross")


def test_missing_card(weights):
    weights.with_suffix(".json").unlink()
    with pytest.raises(ModelError, match=r"its card mine\.json is missing"):
        load(weights)


@pytest.mark.parametrize("text", ["", "{", "[]", '"digest"', "\xff"])
def test_card_that_is_none(weights, text):
    weights.with_suffix(".json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match="card"):
        load(weights)


@pytest.mark.parametrize("key", CARD_KEYS)
def test_incomplete_card(weights, key):
    edit_card(weights, lambda card: card.pop(key))
    with pytest.raises(ModelError, match=f"lacks {key}"):
        load(weights)


@pytest.mark.parametrize("config", [None, [], {"layers": 3}, {"max_length": -1}, {"attention": 7}])
def test_card_of_another_network(weights, config):
    edit_card(weights, lambda card: card.update(config=config))
    with pytest.raises(ModelError, match="describes no network of ours"):
        load(weights)


def test_damaged_weights(weights):
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match="sha256 differs"):
        load(weights)


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\x80\x04pickle" * 100])
def test_not_safetensors(weights, content):
    weights.write_bytes(content)
    edit_card(weights, lambda card: card.update(digest=hashlib.sha256(content).hexdigest()))
    with pytest.raises(ModelError, match="not an intact safetensors file"):
        load(weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("attention"), "attention"),
        (lambda t: t.update(extra=torch.zeros(1)), "extra"),
        (lambda t: t.update(attention=torch.zeros(20, 3)), r"attention is float32 \(20, 3\)"),
        (lambda t: t.update(attention=torch.zeros(1, 3, dtype=torch.float64)), "is float64"),
        (lambda t: t["attention"].fill_(float("nan")), "not finite"),
    ],
)
def test_wrong_tensors(weights, change, message):
    rewrite(weights, change)
    with pytest.raises(ModelError, match=message):
        load(weights)


def test_saving_where_it_cannot_be(net, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be written"):
        save(tmp_path / "file" / "mine", net, data="", licence="", protocol="", metrics="")
    with pytest.raises(ModelError, match=r"written as \.safetensors"):
        save(tmp_path / "mine.pt", net, data="", licence="", protocol="", metrics="")
