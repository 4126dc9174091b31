"""Training of the genome model: learns, repeats exactly, resumes exactly, and refuses what it cannot use."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers_model import random_examples
from mirsweep.model import ModelError
from mirsweep.model.genome_config import GenomeConfig
from mirsweep.model.genome_model import GenomeModel
from mirsweep.model.genome_net import GenomeNet, weights_of
from mirsweep.model.genome_train import GenomeTrainParams, train_genome_net
from mirsweep.model.schedule import one_cycle

CARD = {"name": "small", "digest": "0" * 64}
SMALL = GenomeConfig(n_channels=16, n_hidden=16, dilations=(1, 2))
FAST = GenomeTrainParams(n_epochs=4, n_pos=60, n_neg_per_pos=2, batch_size=32, mining=(1, 3), bfloat16=False)


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(1)
    return random_examples(rng, 60, 1), random_examples(rng, 60, 0)


@pytest.fixture(autouse=True)
def one_thread():
    """Such small networks only wait for a second thread."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def all_weights(net: GenomeNet) -> torch.Tensor:
    return torch.cat([tensor.flatten().double() for tensor in net.state_dict().values()])


class Stop(Exception):  # noqa: N818 (no error: stands for an interruption)
    pass


def stop_after(number: int):
    def after_epoch(epoch, net):
        if epoch.number == number:
            raise Stop

    return after_epoch


def test_bfloat16_is_for_processors_that_multiply_in_it(examples, monkeypatch):
    params, both = replace(FAST, n_epochs=1), []
    plain = all_weights(train_genome_net(*examples, config=SMALL, params=params))
    for knows_it in (False, True):
        monkeypatch.setattr(
            "mirsweep.model.genome_train.multiplies_bfloat16", lambda device, knows_it=knows_it: knows_it
        )
        net = train_genome_net(*examples, config=SMALL, params=replace(params, bfloat16=True))
        both.append(torch.equal(all_weights(net), plain))
    assert both == [True, False]


def test_columns_change_where_matches_are_hidden(examples, monkeypatch):
    seen = []

    def mutate(left, right, shares):
        seen.append(shares)
        return left, right

    monkeypatch.setattr("mirsweep.model.genome_train.mutate", mutate)
    params = replace(FAST, n_epochs=2, match_dropout=0.6, mutated=0.4)
    train_genome_net(*examples, config=SMALL, params=params)
    shares = torch.cat(seen)
    assert float((shares > 0).float().mean()) == pytest.approx(0.6, abs=0.1)
    assert 0.35 < float(shares.max()) <= 0.4
    n_calls = len(seen)
    train_genome_net(*examples, config=SMALL, params=replace(params, mutated=0.0))
    assert len(seen) == n_calls


def test_flanks_change_nothing_in_training_a_network_that_reads_none(examples):
    others = [replace(part, flanks_5p=["A" * 24] * len(part), flanks_3p=["A" * 24] * len(part)) for part in examples]
    is_same = []
    for reads_flanks in (False, True):
        config = replace(SMALL, reads_flanks=reads_flanks)
        nets = [train_genome_net(*both, config=config, params=FAST) for both in (examples, others)]
        assert nets[0].config.reads_flanks is reads_flanks
        is_same.append(torch.equal(*map(all_weights, nets)))
    assert is_same == [True, False]


def test_training_learns_class_and_arms_and_repeats_itself(examples):
    positives, negatives = examples
    params = GenomeTrainParams(n_epochs=6, n_pos=200, n_neg_per_pos=2, batch_size=32, mining=(2,), bfloat16=False)
    losses = []
    nets = [
        train_genome_net(
            positives, negatives, config=SMALL, params=params, after_epoch=lambda e, _: losses.append(e.loss)
        )
        for _ in range(2)
    ]
    assert losses[:6] == losses[6:]
    assert losses[5] < losses[0]
    model = GenomeModel(weights_of(nets[0]), CARD)
    new = random_examples(np.random.default_rng(2), 20, 1)
    predicted = model.predict(new.sequences, new.structures, new.flanks_5p, new.flanks_3p)
    others = random_examples(np.random.default_rng(3), 20, 0)
    assert (
        predicted.scores.min()
        > model.score(others.sequences, others.structures, others.flanks_5p, others.flanks_3p).max()
    )
    assert (predicted.arms.mature_end > predicted.arms.mature_start).all()
    starts = np.where(predicted.arms.is_5p, predicted.arms.mature_start, predicted.arms.star_start)
    assert (np.abs(starts) <= 2).mean() > 0.8


@pytest.mark.parametrize("stop", [1, 3])
@pytest.mark.parametrize("is_adapted", [False, True], ids=["anew", "adapted"])
def test_interrupted_training_ends_in_the_same_weights(tmp_path, examples, stop, is_adapted):
    start = GenomeNet(replace(SMALL, n_channels=8)) if is_adapted else None
    options = {"config": SMALL, "params": FAST, "start_from": start}
    whole, losses = [], {}
    net = train_genome_net(*examples, **options, after_epoch=lambda e, _: whole.append(e.loss))
    state = tmp_path / "own.state"
    with pytest.raises(Stop):
        train_genome_net(*examples, **options, state_path=state, after_epoch=stop_after(stop))
    torch.rand(3)  # what happens in between does not count
    resumed = train_genome_net(
        *examples, **options, state_path=state, after_epoch=lambda e, _: losses.update({e.number: e.loss})
    )
    assert losses == {number: whole[number - 1] for number in range(stop + 1, 5)}
    assert torch.equal(all_weights(resumed), all_weights(net))


def test_state_of_another_training_is_refused(tmp_path, examples):
    state = tmp_path / "own.state"
    params = replace(FAST, n_epochs=1)
    train_genome_net(*examples, config=SMALL, params=params, state_path=state)
    positives, negatives = examples
    others = [
        (examples, {"params": replace(params, seed=1)}),
        (examples, {"params": replace(params, n_epochs=2)}),
        ((positives, negatives.take(np.arange(59))), {"params": params}),
        (examples, {"params": params, "start_from": GenomeNet(SMALL)}),
    ]
    for data, options in others:
        with pytest.raises(ModelError, match=r"own\.state: state of a training run on other data or with other"):
            train_genome_net(*data, config=SMALL, **options, state_path=state)
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(ModelError, match="not an intact training state"):
        train_genome_net(*examples, config=SMALL, params=params, state_path=state)


def test_training_leaves_the_network_it_starts_from_and_torchs_random_numbers(examples):
    start = GenomeNet(SMALL)
    before, random = all_weights(start), torch.get_rng_state()
    net = train_genome_net(*examples, params=replace(FAST, n_epochs=1), start_from=start)
    assert torch.equal(all_weights(start), before)
    assert torch.equal(torch.get_rng_state(), random)
    assert not torch.equal(all_weights(net), before)
    assert not net.training


@settings(max_examples=20)
@given(st.integers(4, 60), st.floats(1e-4, 1e-1))
def test_learning_rate_is_torchs_one_cycle(n_steps, peak):
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak, total_steps=n_steps)
    for step in range(n_steps):
        rate, momentum = one_cycle(step, n_steps, peak=peak)
        assert rate == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-9)
        assert momentum == pytest.approx(optimiser.param_groups[0]["betas"][0], rel=1e-9)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the last step of a schedule has no next one
            optimiser.step()
            schedule.step()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_epochs": 0}, "at least 1"),
        ({"n_pos": 1.5}, "whole"),
        ({"batch_size": 1}, "batch size must be at least 2"),
        ({"mining": (-1,)}, "from 0 on"),
        ({"seed": -1}, "from 0 on"),
        ({"match_dropout": 1.2}, "in \\[0, 1\\]"),
        ({"mutated": 1.5}, "in \\[0, 1\\]"),
        ({"flank_dropout": float("nan")}, "in \\[0, 1\\]"),
        ({"learning_rate": 0.0}, "above 0"),
        ({"weight_decay": -1.0}, "weight_decay must be at least 0"),
        ({"hardness": float("inf")}, "hardness must be at least 0 and finite"),
    ],
)
def test_bad_parameters_are_refused(change, message):
    with pytest.raises(ModelError, match=message):
        GenomeTrainParams(**change)


def test_bad_examples_are_refused(examples):
    positives, negatives = examples
    with pytest.raises(ModelError, match="0 pre-miRNAs and 60 other hairpins: give some of both"):
        train_genome_net(positives.take(np.arange(0)), negatives, params=FAST)
    short = GenomeConfig(max_length=50)
    with pytest.raises(ModelError, match="other hairpin 1 to train on has 56 nt; the network reads 1 to 50 nt"):
        train_genome_net(positives, negatives, config=short, params=FAST)
    with pytest.raises(ModelError, match="device 'tpu' is unknown"):
        train_genome_net(positives, negatives, params=FAST, device="tpu")
