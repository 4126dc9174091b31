"""The network is the paper's, its gradient is right, and training and scoring compute the same function."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mirsweep.model import _lstm_kernels as lstm_kernels
from mirsweep.model.encode import encode
from mirsweep.model.errors import ModelError
from mirsweep.model.features import CLASSICAL, classical_features
from mirsweep.model.lstm import LstmLayer, lstm_steps, with_padding_column
from mirsweep.model.net import FusedNet, Net, NetConfig, draw_masks
from mirsweep.model.recipes import ARCHITECTURES, CANDIDATES, INPUT_KINDS, PAPER, SHORTER, VARIANTS
from reference_model import network_reference, stabilities_reference


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Such small networks only wait for a second thread."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


SMALL = {"max_length": 12, "n_hidden1": 4, "n_hidden2": 3, "n_dense1": 6, "n_dense2": 5}


def make_net(*, seed=0, config=PAPER.config, **changes) -> Net:
    """A network with weights so large that every gate, position and unit matters to the score."""
    net = Net(replace(config, **changes))
    generator = torch.Generator().manual_seed(seed)
    fan_in = {"dense2.weight": net.config.n_dense1, "output.weight": net.config.n_dense2}
    reach = {"attention": 5, "dense1.weight": 50} | {name: 12 / n**0.5 for name, n in fan_in.items()}
    if net.config.activation == "relu":  # which, other than sigmoids, do not bound what they are given
        reach |= {"dense1.weight": 0.1, "dense2.weight": 0.2, "output.weight": 0.3}
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.uniform_(-1, 1, generator=generator).mul_(reach.get(name, 1))
    return net


def random_tokens(lengths, *, width=None, seed=0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    tokens = np.zeros((len(lengths), width or max(lengths)), np.uint8)
    for row, length in zip(tokens, lengths, strict=True):
        row[len(row) - length :] = rng.integers(1, 17, length)
    return torch.from_numpy(tokens)


def train_path(net: Net, tokens: torch.Tensor) -> torch.Tensor:
    return net(tokens, draw_masks(net.config, tokens, rate=0, generator=None)).softmax(dim=1)[:, 0]


def naive_steps(projected, w_state, keep):
    """The recurrence written with autograd's own operations; gate blocks o i f g."""
    n = w_state.shape[1]
    state = cell = torch.zeros_like(keep)
    outputs = []
    for x in projected:
        o, i, f, g = (x + (state * keep) @ w_state.t()).split(n, dim=1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        state = o.sigmoid() * cell.tanh()
        outputs.append(state)
    return torch.stack(outputs)


def test_default_sizes_are_the_papers():
    shapes = {name: tuple(p.shape) for name, p in Net().named_parameters()}
    assert shapes["lstm1.w_in"] == (80, 16)
    assert shapes["lstm2.w_in"] == (40, 20)
    assert shapes["attention"] == (400, 10)
    assert shapes["dense1.weight"] == (400, 4000)
    assert shapes["dense2.weight"] == (100, 400)
    assert shapes["output.weight"] == (2, 100)
    assert tuple(Net(NetConfig(attention="shared")).attention.shape) == (1, 10)


NAMED = {name: r.config for name, r in (ARCHITECTURES | SHORTER | INPUT_KINDS | VARIANTS | CANDIDATES).items()}
NAMED["batch norm"] = replace(PAPER.config, batch_norm=True)
NAMED["paper with summary"] = replace(PAPER.config, summary=True)


def small(config: NetConfig) -> NetConfig:
    return replace(config, **SMALL, conv_width=3)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize(
    ("sequence", "structure"), [("A", "."), ("CG", ".."), ("GAUACUC", "((...))"), ("ACGGAUACCGAU", "..(((..))).."[:12])]
)
def test_equals_the_plain_python_network(name, sequence, structure):
    net = make_net(config=small(NAMED[name])).eval()
    for norm in net.norms if net.config.batch_norm else ():
        norm.running_mean.fill_(0.3)
        norm.running_var.fill_(1.7)
    parameters = {key: p.tolist() for key, p in net.state_dict().items()}
    tokens = np.zeros((1, 12), np.uint8)
    tokens[:, 12 - len(sequence) :] = encode([sequence], [structure], partner=net.config.partner)
    tokens = torch.from_numpy(tokens)
    statistics = []
    if net.config.statistics:
        features = classical_features([sequence], [structure], [0])[0]
        statistics = [v for v, feature in zip(features, CLASSICAL, strict=True) if not feature.startswith("mfe")]
        if net.config.energies:
            statistics += stabilities_reference(sequence, structure)
        statistics = np.clip((np.concatenate((statistics, np.log1p(statistics))) - 0.1) / 2, -5, 5).tolist()
        net.statistics_mean.fill_(0.1)
        net.statistics_scale.fill_(2)
    expected = network_reference(sequence, structure, parameters, net.config, statistics)
    assert train_path(net, tokens).item() == pytest.approx(expected, abs=3e-6)
    assert FusedNet(net)(tokens).item() == pytest.approx(expected, abs=3e-6)


@pytest.mark.parametrize("name", NAMED)
def test_training_and_scoring_are_the_same_function_whatever_the_padding(name):
    net = make_net(config=NAMED[name]).eval()
    lengths = [1, 57, 90, 130, 109]
    bases = np.random.default_rng(0).choice(list("ACGU"), (5, 130))
    sequences = ["".join(row[:length]) for row, length in zip(bases, lengths, strict=True)]
    structures = ["(" * (n // 3) + "." * (n - n // 3 * 2) + ")" * (n // 3) for n in lengths]
    tokens = torch.from_numpy(encode(sequences, structures, partner=net.config.partner))
    narrow, middle, wide = (torch.nn.functional.pad(tokens, (width - 130, 0)) for width in (130, 136, 144))
    scores, wider = FusedNet(net)(narrow), FusedNet(net)(wide)
    trained = train_path(net, middle).detach()
    torch.testing.assert_close(scores, trained, atol=1e-5, rtol=0)
    torch.testing.assert_close(scores, wider, atol=4e-6, rtol=0)


@pytest.mark.parametrize("attention", ["per-position", "shared"])
def test_training_and_scoring_agree_at_the_longest(attention):
    net = make_net(attention=attention)
    tokens = random_tokens([400, 1, 57, 90, 130, 399])
    scores = FusedNet(net)(tokens)
    assert scores.std() > 0.02
    torch.testing.assert_close(scores, train_path(net, tokens).detach(), atol=1e-5, rtol=0)


def test_gradient_by_hand_passes_the_numerical_check():
    generator = torch.Generator().manual_seed(0)
    projected = torch.randn(5, 3, 16, generator=generator, dtype=torch.float64, requires_grad=True)
    w_state = torch.randn(16, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    keep = (torch.rand(3, 4, generator=generator) > 0.3).double() / 0.7
    assert torch.autograd.gradcheck(lambda x, w: lstm_steps(x, w, keep), (projected, w_state))


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_gradient_by_hand_equals_autograds(n_steps, n_batch, n_hidden, seed):
    generator = torch.Generator().manual_seed(seed)
    arrays = [
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((n_steps, n_batch, 4 * n_hidden), (4 * n_hidden, n_hidden), (n_steps, n_batch, n_hidden))
    ]
    keep = (torch.rand(n_batch, n_hidden, generator=generator) > 0.3).double() / 0.7
    results = []
    for steps in (lstm_steps, naive_steps):
        inputs = [array.clone().requires_grad_() for array in arrays[:2]]
        outputs = steps(*inputs, keep)
        results.append((outputs, *torch.autograd.grad((outputs * arrays[2]).sum(), inputs)))
    for ours, naive in zip(*results, strict=True):
        torch.testing.assert_close(ours, naive)


@given(
    st.integers(1, 9), st.integers(1, 40), st.integers(1, 7), st.integers(1, 9), st.booleans(), st.integers(0, 2**31)
)
@settings(deadline=None, max_examples=60)
def test_compiled_layer_equals_autograds(n_steps, n_batch, n_input, n_hidden, is_first, seed):
    generator = torch.Generator().manual_seed(seed)
    layer = LstmLayer(n_input, n_hidden)
    for parameter in layer.parameters():
        parameter.data.normal_(generator=generator)
    x = torch.randn(n_steps, n_batch, n_input, generator=generator, requires_grad=not is_first)
    upstream = torch.randn(n_steps, n_batch, n_hidden, generator=generator)
    masks = [(torch.rand(n_batch, n, generator=generator) > 0.3).float() / 0.7 for n in (n_input, n_hidden)]
    is_padding = torch.arange(n_steps)[:, None] < torch.randint(0, n_steps, (n_batch,), generator=generator)
    outputs = layer(x, is_padding, keep_input=masks[0], keep_state=masks[1])
    inputs = [each for each in (x, *layer.parameters()) if each.requires_grad]
    ours = (outputs, *torch.autograd.grad((outputs * upstream).sum(), inputs))

    exact = [each.detach().double().requires_grad_(each.requires_grad) for each in (x, *layer.parameters())]
    columns = with_padding_column(exact[0] * masks[0].double(), is_padding)
    closing = layer.w_in_with_padding()[:, -1:].detach().double()
    projected = columns @ torch.cat((exact[1], closing), dim=1).t() + exact[3]
    outputs = naive_steps(projected, exact[2], masks[1].double())
    wanted = [each for each in exact if each.requires_grad]
    naive = (outputs, *torch.autograd.grad((outputs * upstream.double()).sum(), wanted))
    assert (ours[0][is_padding] == 0).all()
    for one, other in zip(ours, naive, strict=True):
        torch.testing.assert_close(one, other.float(), atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize(
    ("ours", "exact"),
    [(lstm_kernels._sigmoid, lambda x: 1 / (1 + np.exp(-x))), (lstm_kernels._tanh, np.tanh)],
    ids=["sigmoid", "tanh"],
)
def test_compiled_activations_are_exact_to_float32(ours, exact):
    values = np.concatenate((np.linspace(-80, 80, 2001), np.linspace(-1, 1, 2001), [-1e-6, 1e-6])).astype(np.float32)
    given_ = np.array([ours(value) for value in values])
    np.testing.assert_allclose(given_, exact(values.astype(np.float64)), rtol=6e-7, atol=1e-38)
    assert [ours(np.float32(far)) for far in (-1e4, 1e4)] == [exact(-700.0).round(), 1]


def test_padding_gets_no_attention_and_keeps_the_state_zero():
    net = make_net()
    tokens = random_tokens([3, 20])
    is_padding = tokens.t() == 0
    states = torch.full((20, 2, 10), 0.3)
    attention = net.attend(states, is_padding)
    assert (attention[is_padding] == 0).all()
    torch.testing.assert_close(attention.sum(dim=0), torch.ones(2))
    masks = draw_masks(net.config, tokens, rate=0.5, generator=torch.Generator().manual_seed(0))
    columns = torch.nn.functional.one_hot(tokens.t().long(), 17)[..., 1:].float()
    states = net.lstm1(columns, is_padding, keep_input=masks.input1, keep_state=masks.state1)
    assert (states[is_padding] == 0).all()
    assert (states[~is_padding] != 0).any()


def test_attention_of_a_position_is_counted_from_the_3_prime_end():
    net = make_net(**SMALL)
    states, is_padding = torch.randn(5, 1, 3, generator=torch.Generator().manual_seed(1)), torch.zeros(5, 1).bool()
    expected = (states[:, 0] * net.attention[7:]).sum(dim=1).softmax(dim=0)
    torch.testing.assert_close(net.attend(states, is_padding)[:, 0], expected)


def test_gradients_do_not_depend_on_padding():
    net = make_net()
    gradients = []
    for width in (30, 50):
        net.zero_grad()
        net(random_tokens([30, 21], width=width), _no_dropout(net, 2, width)).log_softmax(dim=1)[:, 0].sum().backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    for narrow, wide in zip(*gradients, strict=True):
        torch.testing.assert_close(narrow, wide, atol=1e-6, rtol=1e-4)


def _no_dropout(net, n, width):
    return draw_masks(net.config, torch.zeros(n, width), rate=0, generator=None)


def test_dropout_masks_hold_for_the_sequence_and_keep_the_mean():
    tokens = random_tokens([90] * 500)
    masks = draw_masks(NetConfig(), tokens, rate=0.1, generator=torch.Generator().manual_seed(0))
    assert masks.input1.shape == (500, 16)
    assert masks.state2.shape == (500, 10)
    for mask in masks:
        assert {round(v, 4) for v in mask.unique().tolist()} == {0.0, 1.1111}
        assert mask.mean().item() == pytest.approx(1, abs=0.02)


def test_initial_weights():
    net = Net()
    net.initialise(torch.Generator().manual_seed(3))
    weights = torch.cat([p.flatten() for name, p in net.named_parameters() if not name.endswith("bias")])
    assert weights.abs().max() <= 0.05
    assert weights.std().item() == pytest.approx(0.1 / 12**0.5, rel=0.01)
    assert net.lstm1.bias.tolist() == [0] * 40 + [1] * 20 + [0] * 20


def test_scoring_copy_is_not_touched_by_further_training():
    net = make_net()
    tokens = random_tokens([30])
    fused = FusedNet(net)
    before = fused(tokens)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1)
    assert torch.equal(fused(tokens), before)
    assert all(parameter.requires_grad for parameter in net.parameters())


@pytest.mark.parametrize(
    "change",
    [
        {"attention": "some"},
        {"n_hidden1": 0},
        {"max_length": 4.5},
        {"layer1": "none"},
        {"inputs": "structure", "partner": True},
        {"n_heads": 2},
        {"conv_width": 4},
        {"summary": 1},
        {"activation": "tanh"},
        {"statistics": True, "inputs": "sequence"},
        {"energies": True},
        {"encoding": "softer"},
        {"padding": "back"},
    ],
)
def test_impossible_networks_are_refused(change):
    with pytest.raises(ModelError):
        NetConfig(**change)
