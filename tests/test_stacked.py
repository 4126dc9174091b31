"""Stacked networks compute and learn what each would alone; what is packed comes back."""

import importlib
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from helpers_model import random_examples
from mirsweep.model import genome_train as plain
from mirsweep.model import load_model
from mirsweep.model.genome_config import GenomeConfig
from mirsweep.model.genome_examples import lay_out_examples, mature_library, species_numbers
from mirsweep.model.genome_model import GenomeModel
from mirsweep.model.genome_net import GenomeNet, to_batch, weights_of
from mirsweep.model.genome_train import GenomeTrainParams, logits_of, train_genome_net
from mirsweep.model.schedule import one_cycle
from mirsweep.model.threads import one_torch_thread

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
SMALL = GenomeConfig(n_channels=8, n_hidden=8, dilations=(1, 2))
FAST = GenomeTrainParams(
    n_epochs=3, n_pos=100, n_neg_per_pos=2, batch_size=32, mining=(1, 2), mutated=0.0, bfloat16=False
)
MUTATED = replace(FAST, mutated=0.5)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_torch_thread():
        yield


@pytest.fixture(scope="module")
def stacked():
    """The modules, of which some names are imported by others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        names = ("stacked_nets", "stacked_data", "genome_pack", "make_stacked_networks", "make_genome_models")
        yield {name: importlib.import_module(name) for name in names}


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(1)
    return [random_examples(rng, 40, 1), random_examples(rng, 60, 0), random_examples(rng, 30, 0)]


@pytest.fixture(scope="module")
def packed(stacked, examples, tmp_path_factory):
    """Two runs; the second leaves out a third of the block that both read. Its last network, and a third run, change
    columns."""
    folder = tmp_path_factory.mktemp("pack")
    positives, shared, own = examples
    part = replace(shared, weights=np.where(np.arange(60) % 3, shared.weights, 0).astype(np.float32))
    pack, block, recipe = (stacked["genome_pack"].__dict__[name] for name in ("Pack", "Block", "Recipe"))
    pack, even = pack(), np.arange(1, 41)
    pack.add("one", recipe((FAST, FAST), SMALL), block("positives", positives), [block("shared", shared)], even)
    others = [block("shared", part), block("own", own)]
    pack.add("two", recipe((FAST, FAST, MUTATED), SMALL), block("positives", positives), others, even)
    pack.add("three", recipe((MUTATED,), SMALL), block("positives", positives), [block("own", own)], even)
    pack.write(folder)
    return folder


def some_nets(n: int) -> list[GenomeNet]:
    """Untrained networks with norms that do something."""
    nets = []
    for seed in range(n):
        torch.manual_seed(seed)
        nets.append(GenomeNet(SMALL))
        for name, buffer in nets[-1].named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(std=0.3)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    return nets


def states_of(nets: list[GenomeNet]) -> list[dict[str, np.ndarray]]:
    is_counted = lambda name: name != "words" and not name.endswith("num_batches_tracked")
    return [{k: t.numpy().copy() for k, t in net.state_dict().items() if is_counted(k)} for net in nets]


@pytest.mark.parametrize("is_training", [False, True])
def test_a_stack_computes_what_each_network_does_alone(stacked, examples, is_training, monkeypatch):
    monkeypatch.setattr(stacked["stacked_nets"], "DROPOUT", 0.0)
    nets, texts = some_nets(3), examples[0]
    library = mature_library(examples[0], dict.fromkeys(examples[0].species, 1))
    stems = lay_out_examples(texts, library, {}, np.arange(40) % 2 == 0)
    batches = [to_batch(stems, np.arange(k, 39, 3)) for k in range(3)]
    width = max(batch.tokens.shape[1] for batch in batches)
    padded = [torch.nn.functional.pad(b.tokens, (0, 0, 0, width - b.tokens.shape[1])) for b in batches]
    matches = [torch.nn.functional.pad(b.matches, (0, 0, 0, width - b.matches.shape[1])) for b in batches]
    assert sum(float(m.sum()) for m in matches) > 0
    columns = stacked["stacked_nets"].Columns(
        torch.stack(padded, 2).to(torch.uint8),
        torch.stack(matches, 2).to(torch.uint8),
        torch.stack([b.n_columns for b in batches], 1),
    )
    stack = stacked["stacked_nets"].StackedNets(asdict(SMALL), states_of(nets), "cpu")
    stack.is_training = is_training
    found = stack(columns)
    for m, net in enumerate(nets):
        net.train(is_training)
        net.dropout.p = 0.0
        alone = net(padded[m], matches[m], batches[m].n_columns)
        torch.testing.assert_close(found.logits[:, m, 0], alone.logits, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found.logits[:, m, 1], alone.arm_logits, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found.ends[:, :, m].transpose(1, 2), alone.ends, atol=1e-5, rtol=1e-4)
        after = states_of([net])[0]
        for name, array in stack.state(m).items():
            np.testing.assert_allclose(array, after[name], atol=1e-5, err_msg=name)
        assert (
            stack.state(m).keys()
            == after.keys()
            == stacked["stacked_nets"].initial_state(asdict(SMALL), np.random.default_rng(0)).keys()
        )


def test_packed_hairpins_are_laid_out_as_the_plain_trainer_does(stacked, examples, packed):
    data = stacked["stacked_data"].PackedData(packed, "cpu")
    positives, shared, own = examples
    species = {name: i + 1 for i, name in enumerate(sorted(set(positives.species) - {""}))}
    library = mature_library(positives, species)
    kept = np.flatnonzero(np.arange(60) % 3)
    for name, others in (("one", [shared]), ("two", [shared.take(kept), own])):
        run, begin = data.runs[name], 0
        assert float(run.other_chance.sum()) == pytest.approx(1)
        for part in (positives, *others):
            has_flanks = np.random.default_rng(2).random(len(part)) < 0.5
            expected = lay_out_examples(part, library, species, has_flanks)
            rows = torch.arange(begin, begin + len(part))
            begin += len(part)
            width = int(expected.n_columns.max())
            found = data.columns(
                run.rows[rows, None],
                run.match_at[rows, None],
                torch.from_numpy(has_flanks)[:, None],
                torch.zeros(len(part), 1, dtype=torch.bool),
                width,
            )
            np.testing.assert_array_equal(found.n_columns[:, 0], expected.n_columns)
            np.testing.assert_array_equal(found.tokens[:, :, 0], expected.tokens[:, :width])
            np.testing.assert_array_equal(found.matches[:, :, 0], expected.matches[:, :width])
        assert begin == len(run.rows)


def test_a_step_of_a_stack_is_the_plain_trainers(stacked, examples, packed, monkeypatch):
    """The same batches, without dropout: the same loss, the same gradients, cut alike, at the same rate."""
    monkeypatch.setattr(stacked["stacked_nets"], "DROPOUT", 0.0)
    make = stacked["make_stacked_networks"]
    data = make.PackedData(packed, "cpu")
    members = [make.Net("one", 0), make.Net("two", 1)]
    training = make.Training(data, members)
    drawn = torch.stack([torch.arange(20, 60), torch.arange(30, 70)], 1)
    hidden = torch.zeros(40, 2, dtype=torch.bool)
    alone, losses, columns = [], [], []
    for m in range(2):
        net = GenomeNet(SMALL)
        state = {k: torch.from_numpy(v.copy()) for k, v in training.nets.state(m).items()}
        net.load_state_dict(net.state_dict() | state)
        net.dropout.p = 0.0
        alone.append(net)
        at = drawn[:, m] + training._begin[m]
        rows, match_at, flanks = training._rows[at], training._match_at[at], training._has_flanks[at]
        columns.append(data.columns(rows[:, None], match_at[:, None], flanks[:, None], hidden[:, :1], 250))
    widest = max(int(c.n_columns.max()) for c in columns)
    found = training._step(drawn, drawn + training._begin, hidden, widest)
    for m, (net, own) in enumerate(zip(alone, columns, strict=True)):
        tokens, matches = own.tokens[:, :widest, 0].long(), own.matches[:, :widest, 0].float()
        output = net(tokens, matches, own.n_columns[:, 0])
        is_positive = drawn[:, m] < 40
        targets = is_positive * plain.TARGET_SPAN + plain.TARGET_OF_OTHERS
        loss = torch.nn.functional.binary_cross_entropy_with_logits(output.logits, targets)
        losses.append(float(loss.detach()))
        run, chosen = data.runs[members[m].run], drawn[is_positive, m]
        arms = (output.ends[is_positive], output.arm_logits[is_positive], run.ends[chosen], run.arm[chosen])
        (loss + FAST.arms_weight * plain._arms_loss(*arms)).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), plain.GRADIENT_NORM)
        for name, tensor in net.named_parameters():
            own_gradient = training.nets.weights[name].grad[m]
            torch.testing.assert_close(own_gradient, tensor.grad, atol=1e-6, rtol=1e-3, msg=name)
    np.testing.assert_allclose(found, losses, rtol=1e-5)
    group = training._optimiser.param_groups[0]
    rate_and_momentum = one_cycle(0, plain.n_steps_of(FAST), peak=FAST.learning_rate)
    assert (group["lr"], group["betas"][0]) == pytest.approx(rate_and_momentum)


def test_batches_may_be_narrower_than_a_runs_first_pre_mirna(stacked, packed):
    make = stacked["make_stacked_networks"]
    training = make.Training(make.PackedData(packed, "cpu"), [make.Net("one", 0)])
    training._ends[0] = 300
    drawn = torch.arange(40, 60)[:, None]  # negatives alone
    assert torch.isfinite(training._step(drawn, drawn, torch.zeros_like(drawn, dtype=torch.bool), 200)).all()


def test_a_stack_learns_as_the_plain_trainer_does(stacked, examples, packed):
    """The draws differ: the mean of several random seeds is the same within what these differ by."""
    make = stacked["make_stacked_networks"]
    data = make.PackedData(packed, "cpu")
    for params in data.runs["one"].params:
        params["arms_weight"] = 0.0  # so that both tell the loss of the class
    _, losses = make.train(data, [make.Net("one", seed) for seed in range(0, 12, 2)])
    alone: list[list[float]] = []
    for seed in range(6):
        alone.append([])
        params, note = replace(FAST, seed=seed, arms_weight=0.0), alone[-1].append
        train_genome_net(*examples[:2], config=SMALL, params=params, after_epoch=lambda e, _, note=note: note(e.loss))
    assert np.mean(losses, 1) == pytest.approx(np.mean(alone, 0), rel=0.15)
    assert np.mean(losses[2]) < np.mean(losses[0]) - 0.1


def test_hidden_examples_are_changed_and_others_are_not(stacked, packed, monkeypatch):
    make = stacked["make_stacked_networks"]
    data, seen = make.PackedData(packed, "cpu"), []
    training = make.Training(data, [make.Net("three", 0)])
    monkeypatch.setattr(training, "nets", lambda columns: seen.append(columns.tokens) or 1 / 0)
    drawn, hidden = torch.arange(60)[:, None], (torch.arange(60) % 2 == 0)[:, None]
    with pytest.raises(ZeroDivisionError):
        training._step(drawn, drawn, hidden, 250)
    flanks = training._has_flanks[drawn]
    as_they_are = data.columns(training._rows[drawn], training._match_at[drawn], flanks, hidden, 250).tokens
    is_changed = (seen[0] != as_they_are).flatten(1).any(1)
    assert not is_changed[1::2].any()
    assert is_changed[::2].sum() > 25


def test_a_run_whose_networks_read_no_flanks_shows_none(stacked, packed):
    make = stacked["make_stacked_networks"]
    data, is_shown = make.PackedData(packed, "cpu"), []
    for reads_flanks in (True, False):
        data.runs["one"].config["reads_flanks"] = reads_flanks
        is_shown.append(bool(make.Training(data, [make.Net("one", 0)])._has_flanks.any()))
    assert is_shown == [True, False]


def test_every_second_network_draws_by_other_weights(stacked, packed):
    make = stacked["make_stacked_networks"]
    data = make.PackedData(packed, "cpu")
    assert data.runs["one"].chances[1].tolist() == pytest.approx((np.arange(1, 41) / 820).tolist())
    drawn = []
    training = make.Training(data, [make.Net("one", seed) for seed in (0, 1)])
    training._drawn = lambda chance, n: drawn.append(chance) or torch.zeros(n, dtype=torch.int64)
    training.epoch(0)
    own = data.runs["one"].chances
    assert [chance is expected for chance, expected in zip(drawn[1::2], own, strict=True)] == [True, True]


def test_networks_and_log_odds_are_written_and_collected(stacked, examples, packed, tmp_path, monkeypatch):
    make = stacked["make_stacked_networks"]
    monkeypatch.setattr("sys.argv", ["make_stacked_networks.py", str(packed), str(tmp_path), "--device", "cpu"])
    make.main()
    names = {name for name in GenomeNet(SMALL).state_dict() if name != "words" and "num_batches" not in name}
    written = [np.load(tmp_path / f"networks-{k}.npz").files for k in range(2)]
    stacks = (("one/0", "one/1", "two/0", "two/1"), ("two/2", "three/0"))  # by what they are trained with
    for found, own in zip(written, stacks, strict=True):
        assert set(found) == {f"{net}/{name}" for net in own for name in names}
    data, positives = make.PackedData(packed, "cpu"), examples[0]
    species = {name: i + 1 for i, name in enumerate(sorted(set(positives.species) - {""}))}
    library = mature_library(positives, species)
    stems = lay_out_examples(positives, library, species, np.ones(len(positives), bool))
    for k, run in enumerate(("one", "two", "three")):
        logits = np.load(tmp_path / f"logits-{k // 2}.npz")[run]
        assert logits.shape == data.runs[run].rows.shape
        assert np.isfinite(logits).all()
        nets, teacher = stacked["make_genome_models"].trained_elsewhere(tmp_path, run, library, SMALL)
        assert np.array_equal(teacher, logits.astype(np.float32))
        assert [len(net.words) for net in nets] == [len(library.words), 0, 0][: len(nets)]
        assert len(nets) == len(data.runs[run].params)
        said = logits_of(nets[0], stems)
        shown = rows_with_flanks(make, data, run)[: len(positives)]
        np.testing.assert_allclose(said[shown], teacher[: len(positives)][shown], atol=0.05)
        assert all(np.abs(said - logits_of(net, stems)).max() > 0.01 for net in nets[1:])
    with pytest.raises(SystemExit, match="no networks of four"):
        stacked["make_genome_models"].trained_elsewhere(tmp_path, "four", library, SMALL)


@pytest.mark.parametrize(("name", "reads_flanks"), [("genome", True), ("genome-plant", False)])
def test_a_models_threshold_is_that_of_hairpins_as_it_reads_them(
    stacked, examples, tmp_path, monkeypatch, name, reads_flanks
):
    make, (positives, negatives, _) = stacked["make_genome_models"], examples
    planted = SimpleNamespace(positives=positives, n_found=len(positives))
    for attribute, found in (("planted_of", planted), ("negatives_of", negatives)):
        monkeypatch.setattr(make, attribute, lambda *_, found=found: found)
    monkeypatch.setattr(make, "examples_of", lambda table: table)
    library = mature_library(positives, species_numbers(positives))
    nets = some_nets(2)
    nets[0] = GenomeNet(replace(SMALL, n_words=len(library.words))).eval()
    nets[0].words.copy_(torch.from_numpy(library.words))
    given = np.linspace(-9, 1, 100).astype(np.float32)  # as if with flanks
    make.keep(SimpleNamespace(folder=tmp_path), name, nets, given, command="-", with_sieve=False)
    model = load_model(tmp_path / f"{name}.safetensors")
    assert model.weights.config.reads_flanks is reads_flanks
    texts = (negatives.sequences, negatives.structures)
    own = GenomeModel(weights_of(nets[0]), model.card).score(*texts).astype(np.float64)
    expected = given[40:] if reads_flanks else np.log(own / (1 - own))
    assert model.weights.config.rescored_from == pytest.approx(np.quantile(expected, 0.95), abs=1e-4)
    with_flanks = model.score(*texts, negatives.flanks_5p, negatives.flanks_3p)
    assert np.array_equal(model.score(*texts), with_flanks) is not reads_flanks


def rows_with_flanks(make, data, run: str) -> np.ndarray:
    """Which examples of a run its first network has read with flanks."""
    members = next(own for own in make.alike(data) if any(net.run == run for net in own))
    training = make.Training(data, members)
    begin = int(training._begin[next(m for m, net in enumerate(members) if net.run == run)])
    return training._has_flanks[begin : begin + len(data.runs[run].rows)].numpy()
