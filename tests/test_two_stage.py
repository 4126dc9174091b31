"""Two stages: one scale without a step, nothing that depends on batches, to disk and back, trained and resumed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers_model import random_examples
from mirsweep.model import ModelError, load_model
from mirsweep.model.blend import BLEND, blend
from mirsweep.model.checkpoint import load, save
from mirsweep.model.examples import concatenate
from mirsweep.model.explain import explain
from mirsweep.model.genome_config import GenomeConfig, TwoStageConfig
from mirsweep.model.genome_fused import FusedGenomeNet
from mirsweep.model.genome_model import GenomeModel
from mirsweep.model.genome_net import GenomeNet, weights_of
from mirsweep.model.genome_train import GenomeTrainParams, train_two_stage
from mirsweep.model.sieve import SieveParams, train_sieve
from mirsweep.model.stem import lay_out
from mirsweep.model.two_stage import TwoStageNet

CARD = {"name": "small", "digest": "0" * 64}
SMALL = GenomeConfig(n_channels=8, n_hidden=8, dilations=(1, 2))
DEEPER = replace(SMALL, n_channels=12, dilations=(1, 2, 4))
BRIEF = SieveParams(n_epochs=1, least_steps=1)
FAST = GenomeTrainParams(n_epochs=3, n_pos=60, n_neg_per_pos=2, batch_size=32, mining=(1,), bfloat16=False)


def small(rescored_from: float = 0.0) -> TwoStageNet:
    torch.manual_seed(0)
    return TwoStageNet(TwoStageConfig(SMALL, (DEEPER, SMALL), rescored_from)).eval()


def some_texts(seed: int) -> tuple:
    rng = np.random.default_rng(seed)
    examples = concatenate([random_examples(rng, 20, 1), random_examples(rng, 20, 0)])
    return examples.sequences, examples.structures, examples.flanks_5p, examples.flanks_3p


def logits_by(net: GenomeNet, texts: tuple) -> np.ndarray:
    scores = GenomeModel(weights_of(net), CARD).score(*texts).astype(np.float64)
    return np.log(scores / (1 - scores))


def typical(texts: tuple) -> float:
    """A threshold that half of the hairpins pass."""
    return float(np.median(logits_by(small().first, texts)))


@given(
    st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=8),
    st.floats(-5, 5, width=32),
    st.floats(-3, 3, width=32),
)
def test_blend_equals_its_plain_twin_and_has_no_step(others, first, threshold):
    def plain(own: float) -> float:
        share = min(1.0, max(0.0, (own - threshold) / BLEND))
        mean = (own + sum(others)) / (1 + len(others))
        return max(threshold, own + share * (mean - own))

    first = max(first, threshold)
    found = blend(np.float32([first]), [np.float32([other]) for other in others], threshold)[0]
    assert found == pytest.approx(plain(first), abs=1e-4)
    assert plain(threshold) == pytest.approx(threshold)
    assert abs(plain(first + 1e-4) - plain(first)) < 1e-2


def test_likely_hairpins_get_the_mean_and_none_falls_below_the_rest():
    texts = some_texts(1)
    threshold = typical(texts)
    net = small(threshold)
    first = logits_by(net.first, texts)
    scores = GenomeModel(weights_of(net), CARD).score(*texts).astype(np.float64)
    logits = np.log(scores / (1 - scores))
    is_likely = first > threshold
    assert 5 < is_likely.sum() < 35
    np.testing.assert_allclose(logits[~is_likely], first[~is_likely], atol=1e-4)
    assert logits[is_likely].min() >= logits[~is_likely].max() - 1e-5
    others = [logits_by(member, texts) for member in net.second]
    expected = blend(first.astype(np.float32), others, threshold)
    np.testing.assert_allclose(logits[is_likely], expected[is_likely], atol=1e-3)
    assert np.abs(logits - first)[is_likely].max() > 1e-3


@given(st.integers(1, 40), st.integers(0, 2**31))
@settings(max_examples=15)
def test_scores_do_not_depend_on_the_batch(batch_size, seed):
    texts = some_texts(seed)
    model = GenomeModel(weights_of(small(typical(texts))), CARD)
    np.testing.assert_allclose(model.score(*texts), model.score(*texts, batch_size=batch_size), atol=1e-5)


def test_padding_does_not_matter():
    model = GenomeModel(weights_of(small(-50.0)), CARD)
    sequence, structure = "GGGGCAUUGCAAAAGCAAUGCCCC", "((((((((((....))))))))))"
    beside = model.score([sequence, "A" * 400], [structure, "." * 400])[0]
    np.testing.assert_allclose(model.score([sequence], [structure])[0], beside, atol=1e-6)


def test_networks_go_to_disk_and_back(tmp_path):
    net, texts = small(-50.0), some_texts(2)
    save(tmp_path / "two.safetensors", net, data={}, licence="none", protocol={}, metrics={})
    checkpoint = load(tmp_path / "two.safetensors")
    assert isinstance(checkpoint.net, TwoStageNet)
    assert checkpoint.net.config == net.config
    before = GenomeModel(weights_of(net), CARD).score(*texts)
    assert np.array_equal(load_model(tmp_path / "two.safetensors").score(*texts), before)


def test_networks_in_fixed_point_say_nearly_the_same(tmp_path):
    net, texts = small(-50.0), some_texts(2)
    facts = {"data": {}, "licence": "none", "protocol": {}, "metrics": {}}
    save(tmp_path / "fixed.safetensors", net, **facts, n_steps=511)
    save(tmp_path / "again.safetensors", load(tmp_path / "fixed.safetensors").net, **facts, n_steps=511)
    before = GenomeModel(weights_of(net), CARD).score(*texts)
    found, again = (load_model(tmp_path / f"{name}.safetensors").score(*texts) for name in ("fixed", "again"))
    assert 0 < np.abs(found - before).max() < 0.01
    np.testing.assert_allclose(again, found, atol=1e-6)


def sieved(read_from: float, rescored_from: float = 1.0) -> TwoStageNet:
    torch.manual_seed(3)
    config = TwoStageConfig(SMALL, (DEEPER,), rescored_from, replace(SMALL, n_channels=4), read_from)
    return TwoStageNet(config).eval()


def test_what_the_sieve_holds_back_keeps_its_word_and_has_no_arms():
    texts = some_texts(4)
    own = logits_by(sieved(0.0).sieve, texts)
    read_from = float(np.median(own))
    net = sieved(read_from)
    prediction = GenomeModel(weights_of(net), CARD).predict(*texts)
    logits = np.log(prediction.scores / (1 - prediction.scores.astype(np.float64)))
    without = GenomeModel(weights_of(TwoStageNet.of(net.first, list(net.second), rescored_from=1.0)), CARD).predict(
        *texts
    )
    expected = np.log(without.scores / (1 - without.scores.astype(np.float64)))
    is_read = own > read_from
    assert 10 < is_read.sum() < 30
    np.testing.assert_allclose(logits[~is_read], own[~is_read], atol=1e-4)
    np.testing.assert_allclose(logits[is_read], expected[is_read], atol=1e-4)
    assert (prediction.arms.mature_start[~is_read] == -1).all()
    assert np.isnan(prediction.arms.confidence_5p[~is_read]).all()
    for found, wanted in zip(prediction.arms, without.arms, strict=True):
        np.testing.assert_array_equal(found[is_read], wanted[is_read])


def test_a_sieve_goes_to_disk_and_back(tmp_path):
    net, texts = sieved(-0.1), some_texts(2)
    save(tmp_path / "three.safetensors", net, data={}, licence="none", protocol={}, metrics={})
    assert load(tmp_path / "three.safetensors").net.config == net.config
    before = GenomeModel(weights_of(net), CARD).score(*texts)
    assert np.array_equal(load_model(tmp_path / "three.safetensors").score(*texts), before)


def test_a_sieve_learns_what_the_first_network_would_say():
    rng = np.random.default_rng(8)
    positives, negatives = (
        lay_out(each.sequences, each.structures, each.flanks_5p, each.flanks_3p)
        for each in (random_examples(rng, 40, 1), random_examples(rng, 160, 0))
    )
    torch.manual_seed(5)
    net = GenomeNet(SMALL).eval()
    with torch.no_grad():
        net.output.weight *= 30  # untrained networks say nearly the same of all
    first = FusedGenomeNet(weights_of(net))(negatives).logits
    rescored_from = float(np.quantile(first, 0.9))
    options = {"rescored_from": rescored_from, "seed": 1, "config": SMALL}
    options["params"] = SieveParams(least_steps=150, batch_size=64)
    sieve = train_sieve(net, positives, negatives, **options)
    said = FusedGenomeNet(weights_of(sieve.net))(negatives).logits
    assert np.corrcoef(said, first)[0, 1] > 0.7
    assert (said[first > rescored_from] >= sieve.read_from - 1e-6).mean() > 0.9
    assert train_sieve(net, positives, negatives, **options).read_from == sieve.read_from


def test_a_sieve_reads_what_the_first_network_reads_and_as_far():
    stems = lay_out(*some_texts(8)[:2])
    first = GenomeNet(replace(SMALL, dilations=(1, 3, 9), reads_flanks=False)).eval()
    options = {"rescored_from": -9.0, "seed": 1, "config": replace(SMALL, n_channels=4), "params": BRIEF}
    sieve = train_sieve(first, stems, stems, **options)
    assert sieve.net.config == replace(first.config, n_channels=4)
    assert TwoStageNet.of(first, [first], rescored_from=0.0, sieve=sieve).config.reads_flanks is False


@pytest.mark.parametrize(
    "change",
    [
        {"second": []},
        {"rescored_from": "high"},
        {"rescored_from": float("nan")},
        {"first": {"kernel": 2}},
        {"sieve": {"n_words": 4}},
        {"sieve": {"reads_flanks": False}},
        {"second": ({"reads_flanks": False},)},
        {"first": {"reads_flanks": "no"}},
        {"read_from": 1e9},
    ],
)
def test_odd_cards_are_refused(change, tmp_path):
    given = {"first": SMALL, "second": (DEEPER,), "rescored_from": 0.0}
    with pytest.raises(ModelError):
        TwoStageConfig(**(given | change))


def test_second_networks_share_the_words():
    with pytest.raises(ModelError, match="14-mers"):
        TwoStageConfig(SMALL, (replace(SMALL, n_words=3),), 0.0)


def test_explanations_tell_the_score_of_both_stages():
    texts = some_texts(3)
    model = GenomeModel(weights_of(small(-50.0)), CARD)
    told = [each.score for each in explain(model, *texts)]
    np.testing.assert_allclose(told, model.score(*texts), atol=1e-6)


class Stop(Exception):  # noqa: N818 (no error: stands for an interruption)
    pass


def test_training_resumes_in_either_stage_and_repeats_itself(tmp_path):
    rng = np.random.default_rng(1)
    data = random_examples(rng, 60, 1), random_examples(rng, 60, 0)
    options = {"second": (DEEPER,), "params": FAST, "sieve_params": BRIEF}
    n_epochs = []
    whole = train_two_stage(*data, **options, after_epoch=lambda e, _: n_epochs.append(e.number))
    assert n_epochs == [1, 2, 3, 1, 2, 3]
    for stop in (2, 5):
        state, done = tmp_path / f"{stop}.state", []

        def after_epoch(epoch, net, done=done, stop=stop):
            done.append(epoch.number)
            if len(done) == stop:
                raise Stop

        with pytest.raises(Stop):
            train_two_stage(*data, **options, state_path=state, after_epoch=after_epoch)
        again = train_two_stage(*data, **options, state_path=state, after_epoch=lambda e, _: n_epochs.append(e.number))
        assert again.config == whole.config
        for name, tensor in whole.state_dict().items():
            assert torch.equal(tensor, again.state_dict()[name]), name
    adapted = train_two_stage(
        *data, params=replace(FAST, n_epochs=1, mining=(0,)), sieve_params=BRIEF, start_from=whole
    )
    assert [net.config for net in adapted.members] == [net.config for net in whole.members]
    texts = some_texts(5)
    assert not np.array_equal(
        GenomeModel(weights_of(adapted), CARD).score(*texts), GenomeModel(weights_of(whole), CARD).score(*texts)
    )
