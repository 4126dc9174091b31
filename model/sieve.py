"""The sieve: a small network that learns from the first one of a genome model what it would say, and reads before it.

It is taught by the first network's log-odds of the training run's own hairpins (Hinton et al. 2015, "Distilling the
knowledge in a neural network", arXiv:1503.02531), not by their labels.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from mirsweep.model.blend import BLEND
from mirsweep.model.genome_config import GenomeConfig
from mirsweep.model.genome_examples import batches_of_width
from mirsweep.model.genome_fused import FusedGenomeNet
from mirsweep.model.genome_net import GenomeNet, to_batch, weights_of
from mirsweep.model.schedule import one_cycle
from mirsweep.model.stem import Stems

__all__ = ["SIEVE", "Sieve", "SieveParams", "train_sieve"]

SIEVE = GenomeConfig(n_channels=16, n_heads=2, n_hidden=32)
"""Sizes of the bundled models' sieves; each reaches as far as the network that it learns from."""
_LIKELY_SHARE = 0.1
"""Share of the negatives, those of the highest log-odds, that are drawn apart."""
_PASSED_SHARE = 0.99
"""Share of the negatives for which the second stage counts in full that the sieve lets through."""
_LIMITS = (-9.0, 6.0)
"""Log-odds beyond these need not be told apart."""
_SCORED_AT_ONCE = 4096


@dataclass(frozen=True)
class SieveParams:
    """How a sieve is trained.

    Attributes
    ----------
    n_likely, n_unlikely
        Negatives to learn from, of the tenth with the highest log-odds and of the rest.
    n_epochs, least_steps, batch_size
        Epochs, as many more as the steps need, and hairpins in a step.
    learning_rate, weight_decay
        Highest learning rate of the one-cycle schedule; of AdamW.
    """

    n_likely: int = 80_000
    n_unlikely: int = 170_000
    n_epochs: int = 4
    least_steps: int = 200
    batch_size: int = 256
    learning_rate: float = 4e-3
    weight_decay: float = 1e-3


class Sieve(NamedTuple):
    """A trained sieve, in evaluation mode, and the log-odds above which the first network reads a hairpin itself."""

    net: GenomeNet
    read_from: float


def train_sieve(
    first: GenomeNet,
    positives: Stems,
    negatives: Stems,
    *,
    rescored_from: float,
    seed: int,
    config: GenomeConfig = SIEVE,
    params: SieveParams | None = None,
    logits: tuple[np.ndarray, np.ndarray] | None = None,
) -> Sieve:
    """Train a sieve on the CPU; the same hairpins and parameters give the same one.

    Parameters
    ----------
    first
        The network that it learns from.
    positives, negatives
        What that was trained on, laid out as it was then.
    rescored_from
        Log-odds of the first network from which on the second stage reads. Of the negatives that lie above it by
        :data:`mirsweep.model.blend.BLEND`, where the mean of all networks counts in full, 99 % pass.
    seed
        Of weights, draws and dropout.
    config
        Sizes; the dilations are those of ``first``, and so is whether it reads flanks.
    logits
        What ``first`` says of both, float32, where that is known; default: it is asked.
    """
    params = params or SieveParams()
    if logits is None:
        teacher = FusedGenomeNet(weights_of(first))
        logits = _logits(teacher, positives), _logits(teacher, negatives)
    of_positives, of_negatives = logits
    rng = np.random.default_rng(seed)
    drawn = _drawn(of_negatives, params, rng)
    stems = _joined(positives, negatives.take(drawn))
    targets = np.concatenate([of_positives, of_negatives[drawn]]).clip(*_LIMITS).astype(np.float32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = GenomeNet(replace(config, dilations=first.config.dilations, reads_flanks=first.config.reads_flanks))
        _teach(net, stems, targets, params, rng)
    student = FusedGenomeNet(weights_of(net.eval()))
    in_full = len(of_positives) + np.flatnonzero(of_negatives[drawn] > rescored_from + BLEND)
    own = _logits(student, stems.take(in_full))
    return Sieve(net, float(np.quantile(own, 1 - _PASSED_SHARE)) if len(own) else _LIMITS[0])


def _drawn(logits: np.ndarray, params: SieveParams, rng: np.random.Generator) -> np.ndarray:
    """Indices of the negatives to learn from, ascending."""
    limit = np.quantile(logits, 1 - _LIKELY_SHARE)
    parts = ((np.flatnonzero(logits > limit), params.n_likely), (np.flatnonzero(logits <= limit), params.n_unlikely))
    return np.sort(np.concatenate([rng.choice(rows, min(n, len(rows)), replace=False) for rows, n in parts]))


def _teach(net: GenomeNet, stems: Stems, targets: np.ndarray, params: SieveParams, rng: np.random.Generator) -> None:
    n_batches = -(-len(targets) // params.batch_size)
    n_epochs = max(params.n_epochs, -(-params.least_steps // n_batches))
    optimiser = torch.optim.AdamW(net.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)
    wanted = torch.from_numpy(targets)
    net.train()
    step = 0
    for _ in range(n_epochs):
        for rows in batches_of_width(stems.n_columns, params.batch_size, rng):
            rate, _ = one_cycle(step, n_epochs * n_batches + 1, peak=params.learning_rate)
            for group in optimiser.param_groups:
                group["lr"] = rate
            loss = nn.functional.smooth_l1_loss(net(*to_batch(stems, rows)).logits, wanted[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1


def _logits(net: FusedGenomeNet, stems: Stems) -> np.ndarray:
    """Log-odds of all hairpins, float32, shape (n,)."""
    parts = [
        net(Stems(*(column[k : k + _SCORED_AT_ONCE] for column in stems)), with_ends=False).logits
        for k in range(0, len(stems.n_columns), _SCORED_AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def _joined(one: Stems, other: Stems) -> Stems:
    """Both, as wide as the wider."""
    width = max(one.tokens.shape[1], other.tokens.shape[1])
    pads = [((0, 0), (0, width - stems.tokens.shape[1]), (0, 0)) for stems in (one, other)]
    tokens, matches, places = (
        np.concatenate([np.pad(a, pads[0]), np.pad(b, pads[1])]) for a, b in zip(one[:3], other[:3], strict=True)
    )
    return Stems(tokens, matches, places, np.concatenate([one.n_columns, other.n_columns]))
