"""The genome model's network as one compiled loop: the same as torch's layers, and for each hairpin by itself."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers_model import random_examples
from mirsweep.model.examples import concatenate
from mirsweep.model.genome_config import GenomeConfig
from mirsweep.model.genome_fused import FusedGenomeNet
from mirsweep.model.genome_net import GenomeNet, to_batch, weights_of
from mirsweep.model.stem import Stems, lay_out


def some_stems(seed: int, n: int = 12, *, with_flanks: bool = True) -> Stems:
    rng = np.random.default_rng(seed)
    examples = concatenate([random_examples(rng, n, 1), random_examples(rng, n, 0)])
    flanks = (examples.flanks_5p, examples.flanks_3p) if with_flanks else (None, None)
    stems = lay_out(examples.sequences, examples.structures, *flanks)
    return stems._replace(matches=rng.integers(0, 2, stems.matches.shape, np.uint8) * (stems.places >= 0))


def some_net(seed: int, config: GenomeConfig) -> GenomeNet:
    """Random weights, and statistics of batches that are no longer those of the first step."""
    torch.manual_seed(seed)
    net = GenomeNet(config)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 2)
                module.bias.normal_()
    return net.eval()


CONFIGS = st.builds(
    GenomeConfig,
    n_channels=st.sampled_from([3, 4, 16, 21]),
    kernel=st.sampled_from([1, 3, 5, 7]),
    dilations=st.sampled_from([(1,), (1, 2), (1, 2, 4), (9,)]),
    n_heads=st.integers(1, 5),
    n_hidden=st.integers(1, 40),
)


@given(st.integers(0, 2**31), CONFIGS, st.booleans())
@settings(max_examples=12, deadline=None)
def test_it_reads_as_torch_does(seed, config, with_flanks):
    net, stems = some_net(seed, config), some_stems(seed, with_flanks=with_flanks)
    found = FusedGenomeNet(weights_of(net))(stems)
    with torch.inference_mode():
        expected = net(*to_batch(stems, np.arange(len(stems.n_columns))))
    np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.arm_logits, expected.arm_logits, rtol=1e-4, atol=1e-4)
    shares = expected.ends.log_softmax(2).numpy()
    is_base = shares > -5000
    np.testing.assert_allclose(found.ends[is_base], shares[is_base], rtol=1e-4, atol=1e-4)
    assert (found.ends[~is_base] < -5000).all()


@given(st.integers(0, 2**31), st.integers(1, 24))
@settings(max_examples=10)
def test_to_the_last_bit_a_hairpin_is_read_by_itself(seed, n):
    net, stems = FusedGenomeNet(weights_of(some_net(1, GenomeConfig(n_channels=16, n_hidden=8)))), some_stems(seed)
    together = net(stems)
    rows = np.random.default_rng(seed).permutation(len(stems.n_columns))[:n]
    apart = net(stems.take(rows))
    assert np.array_equal(together.logits[rows], apart.logits)
    width = apart.ends.shape[2]
    assert np.array_equal(together.ends[rows, :, :width], apart.ends)


def test_more_hairpins_than_a_row_holds_and_none():
    net, stems = FusedGenomeNet(weights_of(some_net(2, GenomeConfig(n_channels=8)))), some_stems(5, 60)
    many = net(stems, with_ends=False)
    assert many.ends.shape == (120, 0, 0)
    assert np.array_equal(many.logits, net(stems).logits)
    assert net(stems.take(np.empty(0, np.int64))).logits.shape == (0,)


def test_a_long_hairpin_fits():
    net = some_net(3, GenomeConfig(n_channels=8, max_length=2000))
    stems = lay_out(["A" * 1900], ["." * 1900])
    with torch.inference_mode():
        expected = net(*to_batch(stems, np.arange(1))).logits
    np.testing.assert_allclose(FusedGenomeNet(weights_of(net))(stems).logits, expected, rtol=1e-4)


def test_weights_too_large_give_no_number():
    net = some_net(4, GenomeConfig(n_channels=8))
    with torch.no_grad():
        net.residuals[0].convolution.weight.fill_(3e38)
        net.residuals[1].convolution.weight.fill_(-3e38)
    assert not np.isfinite(FusedGenomeNet(weights_of(net))(some_stems(1)).logits).any()
