"""Training the genome model: imbalance, hard negatives in rounds, one pass of the learning rate.

Each epoch draws ``n_pos`` pre-miRNAs by weight and ``n_neg_per_pos`` times as many negatives. From the first round of
mining on, a negative is drawn in proportion to a power of the probability that the network gave it, so that the hard
ones come often and none is out of reach. What the logit means in a genome is told by calibration, not by this loss.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mirsweep.model.errors import ModelError
from mirsweep.model.examples import Examples
from mirsweep.model.genome_net import ENDS, GenomeConfig, GenomeNet
from mirsweep.model.stem import EMPTY, Library, Stems, lay_out, mature_words

__all__ = ["GenomeEpoch", "GenomeTrainParams", "logits_of", "mature_library", "train_genome_net"]


@dataclass(frozen=True)
class GenomeTrainParams:
    """How to train.

    Attributes
    ----------
    n_epochs, n_pos, n_neg_per_pos, batch_size
        Epochs; pre-miRNAs drawn for each, negatives for each of them, and hairpins in a step.
    mining
        Epochs before which all negatives are scored anew.
    hardness
        Power of the probability by which negatives are drawn after mining.
    match_dropout, flank_dropout
        Share of examples whose matches to known mature sequences, or flanks, are hidden in an epoch.
    arms_weight
        Weight of the loss of the mature arms' ends.
    learning_rate, weight_decay
        Highest learning rate of the one-cycle schedule; of AdamW.
    seed
        Of weights, draws and dropout.
    bfloat16
        Multiply in bfloat16 (some 1.6 times as fast where the processor knows it).
    """

    n_epochs: int = 6
    n_pos: int = 15000
    n_neg_per_pos: int = 8
    batch_size: int = 256
    mining: tuple[int, ...] = (2, 4)
    hardness: float = 0.75
    match_dropout: float = 0.4
    flank_dropout: float = 0.1
    arms_weight: float = 0.1
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    seed: int = 0
    bfloat16: bool = True


@dataclass(frozen=True)
class GenomeEpoch:
    """What happened in an epoch: its number from 1, mean loss, seconds."""

    number: int
    loss: float
    seconds: float


def mature_library(examples: Examples, species: dict[str, int]) -> Library:
    """Words of the mature sequences of the pre-miRNAs among the examples; species by number from 1 on."""
    matures, owners = [], []
    for sequence, name, arms in zip(examples.sequences, examples.species, examples.arms.tolist(), strict=True):
        for start, end in (arms[:2], arms[2:]):
            if 0 <= start < end:
                matures.append(sequence[start:end])
                owners.append(species[name])
    return mature_words(matures, owners) if matures else EMPTY


@dataclass(frozen=True)
class _Batch:
    tokens: Tensor
    matches: Tensor
    n_columns: Tensor


def _batch(stems: Stems, rows: np.ndarray, hidden: np.ndarray | None = None) -> _Batch:
    width = int(stems.n_columns[rows].max())
    matches = stems.matches[rows, :width]
    if hidden is not None:
        matches = matches * ~hidden[:, None, None]
    return _Batch(
        torch.from_numpy(stems.tokens[rows, :width].astype(np.int64)),
        torch.from_numpy(matches.astype(np.float32)),
        torch.from_numpy(stems.n_columns[rows]),
    )


def logits_of(net: GenomeNet, stems: Stems, *, batch_size: int = 1024, bfloat16: bool = False) -> np.ndarray:
    """Log-odds of pre-miRNA; float32, shape (n,)."""
    net.eval()
    out = np.empty(len(stems.n_columns), np.float32)
    order = np.argsort(stems.n_columns, kind="stable")
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = _batch(stems, rows)
            out[rows] = net(batch.tokens, batch.matches, batch.n_columns).logits.float().numpy()
    return out


def _end_columns(stems: Stems, arms: np.ndarray) -> np.ndarray:
    """Column of the first and last base of each arm's mature sequence, -1 where unknown; int64, shape (n, 4)."""
    wanted = np.where(arms >= 0, arms - np.array([0, 1, 0, 1]), -2)
    rows = (0, 0, 1, 1)
    out = np.full(arms.shape, -1, np.int64)
    for k in range(ENDS):
        is_there = stems.places[:, :, rows[k]] == wanted[:, k, None]
        found = is_there.any(1)
        out[found, k] = is_there[found].argmax(1)
    return out


def _arms_loss(ends: Tensor, arm_logits: Tensor, columns: Tensor, is_5p: Tensor) -> Tensor:
    """Cross entropy of the known ends, and of the arm where only one is annotated; of pre-miRNAs alone."""
    known = columns >= 0
    loss = nn.functional.cross_entropy(ends[known], columns[known]) if known.any() else ends.sum() * 0
    has_arm = is_5p >= 0
    if has_arm.any():
        loss = loss + nn.functional.binary_cross_entropy_with_logits(arm_logits[has_arm], is_5p[has_arm])
    return loss


def _which_arm(arms: np.ndarray) -> np.ndarray:
    """1 if only the 5' arm is annotated, 0 if only the 3' arm, -1 if both or none; float32, shape (n,)."""
    has5, has3 = arms[:, 0] >= 0, arms[:, 2] >= 0
    return np.where(has5 == has3, -1, has5).astype(np.float32)


def _stems_of(examples: Examples, library: Library, species: dict[str, int], has_flanks: np.ndarray | None) -> Stems:
    own = np.array([species.get(name, 0) for name in examples.species], np.int64)
    return lay_out(
        examples.sequences,
        examples.structures,
        examples.flanks_5p,
        examples.flanks_3p,
        library=library,
        species=own,
        has_flanks=has_flanks,
    )


def _slices(n_columns: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Batches of similar width in random order."""
    order = np.argsort(n_columns + rng.normal(0, 4, len(n_columns)))
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    rng.shuffle(batches)
    return [batch for batch in batches if len(batch) > 1]


def train_genome_net(
    positives: Examples,
    negatives: Examples,
    *,
    config: GenomeConfig | None = None,
    params: GenomeTrainParams | None = None,
    start_from: GenomeNet | None = None,
    after_epoch: Callable[[GenomeEpoch, GenomeNet], None] | None = None,
) -> GenomeNet:
    """Train a genome model.

    Parameters
    ----------
    positives, negatives
        Pre-miRNAs, with species and arms, and other hairpins.
    config
        Sizes; ``n_words`` is set from the positives' mature sequences.
    start_from
        Network to go on from (its sizes and words are kept); default: random weights.
    after_epoch
        Called after each epoch.

    Raises
    ------
    ModelError
        If one of the classes is empty.
    """
    p = params or GenomeTrainParams()
    if not len(positives) or not len(negatives):
        raise ModelError(f"{len(positives)} pre-miRNAs and {len(negatives)} other hairpins: give some of both.")
    torch.manual_seed(p.seed)
    rng = np.random.default_rng(p.seed)
    species = {name: i + 1 for i, name in enumerate(sorted(set(positives.species) - {""}))}
    if start_from is None:
        library = mature_library(positives, species)
        net = GenomeNet(GenomeConfig(**{**vars(config or GenomeConfig()), "n_words": len(library.words)}))
        net.words.copy_(torch.from_numpy(library.words))
    else:
        net = start_from
        library = Library(net.words.numpy().astype(np.int64), np.zeros(len(net.words), np.int32))
    keep = rng.random(len(positives)) >= p.flank_dropout
    stems = _stems_of(positives, library, species, keep)
    others = _stems_of(negatives, library, species, rng.random(len(negatives)) >= p.flank_dropout)
    columns, arm = _end_columns(stems, positives.arms), _which_arm(positives.arms)
    optimiser = torch.optim.AdamW(net.parameters(), lr=p.learning_rate, weight_decay=p.weight_decay)
    n_drawn = p.n_pos * (1 + p.n_neg_per_pos)
    n_steps = p.n_epochs * (n_drawn // p.batch_size + 2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, p.learning_rate, total_steps=n_steps)
    chance = positives.weights / positives.weights.sum(dtype=np.float64)
    hardness = np.full(len(negatives), 1 / len(negatives))
    for epoch in range(p.n_epochs):
        began = time.perf_counter()
        if epoch in p.mining:
            probability = 1 / (1 + np.exp(-logits_of(net, others, bfloat16=p.bfloat16).astype(np.float64)))
            hardness = probability**p.hardness + 0.02 * probability.mean() + 1e-4
            hardness /= hardness.sum()
        drawn_pos = rng.choice(len(positives), p.n_pos, p=chance)
        drawn_neg = rng.choice(len(negatives), p.n_pos * p.n_neg_per_pos, p=hardness)
        losses = _epoch(
            net, optimiser, schedule, (stems, drawn_pos, columns, arm), (others, drawn_neg), p, rng
        )  # fmt: skip
        if after_epoch:
            after_epoch(GenomeEpoch(epoch + 1, float(np.mean(losses)), time.perf_counter() - began), net)
    net.eval()
    return net


def _epoch(net, optimiser, schedule, positives, negatives, p: GenomeTrainParams, rng) -> list[float]:
    """One epoch; losses by step. A batch holds its pre-miRNAs and its negatives side by side."""
    stems, drawn_pos, columns, arm = positives
    others, drawn_neg = negatives
    widths = np.concatenate([stems.n_columns[drawn_pos], others.n_columns[drawn_neg]])
    hidden = rng.random(len(widths)) < p.match_dropout
    n_pos = len(drawn_pos)
    losses = []
    net.train()
    for batch in _slices(widths, p.batch_size, rng):
        rows_pos, rows_neg = drawn_pos[batch[batch < n_pos]], drawn_neg[batch[batch >= n_pos] - n_pos]
        order = np.concatenate([batch[batch < n_pos], batch[batch >= n_pos]])
        joined = _join(stems, rows_pos, others, rows_neg, hidden[order])
        labels = torch.zeros(len(order))
        labels[: len(rows_pos)] = 1
        with torch.autocast("cpu", torch.bfloat16, enabled=p.bfloat16):
            output = net(joined.tokens, joined.matches, joined.n_columns)
        targets = labels * 0.98 + 0.005
        loss = nn.functional.binary_cross_entropy_with_logits(output.logits.float(), targets)
        if len(rows_pos):
            arms = _arms_loss(
                output.ends[: len(rows_pos)].float(),
                output.arm_logits[: len(rows_pos)].float(),
                torch.from_numpy(columns[rows_pos]),
                torch.from_numpy(arm[rows_pos]),
            )
            loss = loss + p.arms_weight * arms
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def _join(stems: Stems, rows: np.ndarray, others: Stems, other_rows: np.ndarray, hidden: np.ndarray) -> _Batch:
    """One batch of two sets, as wide as its widest."""
    n_columns = np.concatenate([stems.n_columns[rows], others.n_columns[other_rows]])
    width = int(n_columns.max())
    tokens, matches = np.zeros((len(n_columns), width, 2), np.int64), np.zeros((len(n_columns), width, 2), np.float32)
    for part, own, place in ((stems, rows, slice(0, len(rows))), (others, other_rows, slice(len(rows), None))):
        own_width = min(width, part.tokens.shape[1])
        tokens[place, :own_width] = part.tokens[own, :own_width]
        matches[place, :own_width] = part.matches[own, :own_width]
    matches *= ~hidden[:, None, None]
    return _Batch(torch.from_numpy(tokens), torch.from_numpy(matches), torch.from_numpy(n_columns))
