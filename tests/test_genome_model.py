"""The genome model: scores of each hairpin by itself, calibration, mature arms, and what it refuses."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers_model import random_examples
from mirsweep.model import ModelError, load_model
from mirsweep.model.checkpoint import load, save
from mirsweep.model.examples import concatenate
from mirsweep.model.genome_config import GenomeConfig
from mirsweep.model.genome_model import GenomeModel, expected_fp_per_mb
from mirsweep.model.genome_net import GenomeNet, weights_of

LET7 = "UGGGAUGAGGUAGUAGGUUGUAUAGUUUUAGGGUCACACCCACCACUGGGAGAUAACUAUACAAUCUACUGUCUUUCCUA"
LET7_STRUCTURE = "(((((.(((((((((((((((((((((.....(((...((((....)))).)))))))))))))))))))))))))))))"
CALIBRATION = {"score": [0.1, 0.5, 0.9], "fp_per_mb": [100.0, 10.0, 0.1]}
CARD = {"name": "small", "digest": "0" * 64}


def small_net(seed: int = 0, **sizes: int) -> GenomeNet:
    torch.manual_seed(seed)
    return GenomeNet(GenomeConfig(n_channels=8, n_hidden=8, dilations=(1, 2), **sizes)).eval()


@given(st.integers(1, 40), st.integers(0, 2**31))
@settings(max_examples=15)
def test_scores_do_not_depend_on_the_batch(batch_size, seed):
    rng = np.random.default_rng(seed)
    examples = concatenate([random_examples(rng, 20, 1), random_examples(rng, 10, 0)])
    texts = (examples.sequences, examples.structures, examples.flanks_5p, examples.flanks_3p)
    model = GenomeModel(weights_of(small_net()), CARD)
    together, apart = model.predict(*texts), model.predict(*texts, batch_size=batch_size)
    np.testing.assert_allclose(together.scores, apart.scores, atol=1e-5)
    for a, b in zip(together.arms, apart.arms, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 if a.dtype == np.float32 else 0)


def test_padding_does_not_matter():
    model = GenomeModel(weights_of(small_net()), CARD)
    alone = model.score([LET7], [LET7_STRUCTURE])
    beside = model.score([LET7, "A" * 400], [LET7_STRUCTURE, "." * 400])
    np.testing.assert_allclose(alone[0], beside[0], atol=1e-6)


def test_flanks_matter_and_may_be_absent():
    model = GenomeModel(weights_of(small_net()), CARD)
    without = model.score([LET7], [LET7_STRUCTURE])
    with_flanks = model.score([LET7], [LET7_STRUCTURE], ["ACGUACGUACGUACGU"], ["ACGUACGUACGUACGU"])
    assert without[0] != with_flanks[0]


@pytest.mark.parametrize("as_tensors", [False, True], ids=["compiled", "tensors"])
def test_a_network_that_reads_no_flanks_does_not_see_them(as_tensors):
    model = GenomeModel(weights_of(small_net(reads_flanks=False)), CARD, as_tensors=as_tensors)
    alone = [LET7], [LET7_STRUCTURE]
    flanked = (*alone, ["ACGUACGUACGUACGU"], ["ACGUACGUACGUACGU"])
    score = model.score(*flanked)[0]
    assert score == model.score(*alone)[0]
    reader = GenomeModel(weights_of(small_net()), CARD, as_tensors=as_tensors)
    assert score == reader.score(*alone)[0] != reader.score(*flanked)[0]
    np.testing.assert_array_equal(model.attention(*alone)[0], model.attention(*flanked)[0])
    assert model.attention(*flanked)[0].sum() == pytest.approx(1, abs=1e-5)


def test_calibration_is_monotone_and_between_its_points():
    scores = np.array([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0], np.float32)
    rates = expected_fp_per_mb(scores, CALIBRATION)
    assert (np.diff(rates) <= 0).all()
    np.testing.assert_allclose(rates[[0, 1, 3, 5, 6]], [100, 100, 10, 0.1, 0.1], rtol=1e-5)
    np.testing.assert_allclose(rates[2], (100 * 10) ** 0.5, rtol=1e-4)


def test_a_model_goes_to_disk_and_back(tmp_path):
    net = small_net(n_words=3)
    net.words.copy_(torch.tensor([1, 5, 9], dtype=torch.int32))
    facts = {"data": "d", "licence": "l", "protocol": "p", "metrics": {}}
    save(tmp_path / "own.safetensors", net, **facts, calibration=CALIBRATION)
    model = load_model(tmp_path / "own.safetensors")
    assert isinstance(model, GenomeModel)
    prediction = model.predict([LET7], [LET7_STRUCTURE])
    direct = GenomeModel(weights_of(net), CARD).score([LET7], [LET7_STRUCTURE])
    assert prediction.scores[0] == direct[0]
    assert prediction.expected_fp_per_mb.shape == (1,)
    assert load(tmp_path / "own.safetensors").net.words.tolist() == [1, 5, 9]


def test_bad_input_is_named():
    model = GenomeModel(weights_of(small_net()), CARD)
    with pytest.raises(ModelError, match="give one structure each"):
        model.score([LET7], [])
    with pytest.raises(ModelError, match="both flanks or none"):
        model.score([LET7], [LET7_STRUCTURE], ["A"])
    with pytest.raises(ModelError, match="1 sequences but 2 flanks of a side"):
        model.score([LET7], [LET7_STRUCTURE], ["A"], ["A", "C"])
    with pytest.raises(ModelError, match="401 nt"):
        model.score(["A" * 401], ["." * 401])
