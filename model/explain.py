"""Where in a hairpin the network looks: attention, and the class activation map (paper, section 4.3)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mirsweep.model.errors import ModelError
from mirsweep.model.genome_model import GenomeModel
from mirsweep.model.genome_net import GenomeNet, StemBatch
from mirsweep.model.net import PRE_MIRNA, Net
from mirsweep.model.predict import Model
from mirsweep.model.prediction import BATCH_SIZE, Scorer, checked_scores
from mirsweep.model.stem import of_bases

__all__ = ["AXIS", "MAPS", "Explanation", "explain", "on_common_axis"]

MAPS = ("cam", "gradient")
AXIS = 100
"""Points of the axis on which hairpins of all lengths are averaged (paper, figure 4: 0 to 100 %)."""


class Explanation(NamedTuple):
    """What one hairpin's score rests on.

    Attributes
    ----------
    score
        Probability of pre-miRNA.
    attention
        Attention of each position, float32, shape (n,), the mean of several heads; with ``flank_attention`` its sum
        is 1.
    activation
        Activation of each position, float32, shape (n,); above 0 speaks for a pre-miRNA, below 0 against.
    flank_attention, flank_activation
        The same of the flanks as a whole; 0 where the model saw none.
    """

    score: float
    attention: np.ndarray
    activation: np.ndarray
    flank_attention: float = 0.0
    flank_activation: float = 0.0


def explain(
    model: Scorer,
    sequences: Sequence[str],
    structures: Sequence[str],
    flanks_5p: Sequence[str] | None = None,
    flanks_3p: Sequence[str] | None = None,
    *,
    activation: str = "cam",
    batch_size: int = BATCH_SIZE,
) -> list[Explanation]:
    """Attention and class activation map of each hairpin.

    The paper pools the attention-weighted states H_att over the positions (global average pooling) to weigh their
    columns for a class, and maps each position's weighted sum. Its three dense layers stand between H_att and the
    classes, so the weights here are the pooled derivatives of the class score by H_att, which are the weights of the
    output layer where it follows the pooling at once (Selvaraju et al. 2017, section 3, "Grad-CAM").

    A genome model reads a hairpin by columns, of a base of each arm. Its dense layer follows the pooling of the columns
    at once, so that the map is what each column adds to the pooled states (by attention, mean and maximum) times the
    derivative of the log-odds by them. A column's attention and activation are shared equally by its bases; flank
    columns hold none.

    Parameters
    ----------
    model
        A model with attention.
    sequences, structures, flanks_5p, flanks_3p
        As in :meth:`mirsweep.model.prediction.Scorer.score`.
    activation
        ``"cam"``: as above, for the class pre-miRNA against the other (difference of the two outputs before the
        softmax); ``"gradient"``: each position's own derivatives in place of their mean over the positions. The same
        where the classes follow the pooling, as in a genome model.
    batch_size
        Most hairpins to compute at once; changes speed and memory only.

    Returns
    -------
    One a hairpin, in their order; each depends on its own hairpin only.

    Raises
    ------
    ModelError
        If the model has no attention, the activation is unknown, or a hairpin cannot be scored.
    """
    if activation not in MAPS:
        raise ModelError(f"map {activation!r} is unknown: choose one of {', '.join(MAPS)}.")
    if isinstance(model, GenomeModel):
        batches = _column_batches(model, sequences, structures, flanks_5p, flanks_3p, batch_size)
    elif isinstance(model, Model):
        batches = _position_batches(model, sequences, structures, activation, batch_size)
    else:
        raise ModelError(f"the model {model.name} is of a kind that cannot be explained: choose a bundled one.")
    found: list[Explanation | None] = [None] * len(sequences)
    for rows, explained in batches:
        for row, explanation in zip(rows.tolist(), explained, strict=True):
            found[row] = explanation
    checked_scores(np.array([each.score for each in found if each is not None], np.float32), label=model.label)
    return [each for each in found if each is not None]


def _position_batches(
    model: Model, sequences: Sequence[str], structures: Sequence[str], activation: str, batch_size: int
) -> Iterator[tuple[np.ndarray, list[Explanation]]]:
    """Explanations by a model of the paper's kind, batch by batch with the hairpins' indices."""
    if model.config.attention == "none":
        raise ModelError(
            f"the model {model.name} has no attention, and so no map of its classes: choose one that has, such as "
            "genome or paper-cross."
        )
    for rows, tokens in model.batches(sequences, structures, batch_size=batch_size):
        yield rows, _explain_positions(model, tokens, [len(sequences[i]) for i in rows.tolist()], activation)


def _column_batches(
    model: GenomeModel,
    sequences: Sequence[str],
    structures: Sequence[str],
    flanks_5p: Sequence[str] | None,
    flanks_3p: Sequence[str] | None,
    batch_size: int,
) -> Iterator[tuple[np.ndarray, list[Explanation]]]:
    """The same by a genome model."""
    texts = (sequences, structures, flanks_5p, flanks_3p)
    scores = model.score(*texts, batch_size=batch_size)
    for rows, batch, places in model.batches(*texts, batch_size=batch_size):
        found = _explain_columns(model.network, batch, places, [len(sequences[i]) for i in rows.tolist()])
        yield rows, [each._replace(score=float(scores[i])) for i, each in zip(rows.tolist(), found, strict=True)]


def on_common_axis(values: np.ndarray, n_points: int = AXIS) -> np.ndarray:
    """A profile along a hairpin at the centres of equal parts of it, linear in between; (n,) to (n_points,)."""
    at = (np.arange(n_points) + 0.5) / n_points * len(values) - 0.5
    return np.interp(at, np.arange(len(values)), values)


def _explain_positions(model: Model, tokens: Tensor, lengths: list[int], activation: str) -> list[Explanation]:
    net = model.network.net
    with torch.no_grad():
        states, is_padding = model.network.states(tokens)
        attention = net.attend(states, is_padding)
        weighted = net.weigh(states, attention)  # (L, B, C), the paper's H_att
        summary = net.summarise(tokens, states, is_padding)
    scores, gradient = _class_gradient(net, weighted, summary)
    if activation == "cam":
        is_real = ~is_padding[..., None]
        gradient = (gradient * is_real).sum(dim=0) / is_real.sum(dim=0)  # (B, C)
    activations = (weighted * gradient).sum(dim=2)  # (L, B)
    attention = attention.mean(dim=2) if attention.dim() == 3 else attention
    columns = (scores, attention.t(), activations.t())
    rows = zip(*(column.cpu().numpy() for column in columns), lengths, strict=True)
    return [Explanation(float(s), a[-n:].copy(), m[-n:].copy()) for s, a, m, n in rows]


def _class_gradient(net: Net, weighted: Tensor, summary: Tensor) -> tuple[Tensor, Tensor]:
    """Probability of pre-miRNA (B,), and the derivative of its logit less the other's by H_att, (L, B, C)."""
    with torch.enable_grad():
        weighted = weighted.clone().requires_grad_()
        logits = net.classify(torch.cat((summary, net.collect(weighted)), dim=1))
        margin = logits[:, PRE_MIRNA] - logits[:, 1 - PRE_MIRNA]
        (gradient,) = torch.autograd.grad(margin.sum(), weighted)
    return logits.detach().softmax(dim=1)[:, PRE_MIRNA], gradient


def _explain_columns(net: GenomeNet, batch: StemBatch, places: np.ndarray, lengths: Sequence[int]) -> list[Explanation]:
    """Explanations of a batch of columns; places int16 (B, c, 2), c at most the batch's number of columns."""
    with torch.no_grad():
        states, mask = net.states(*batch)
        attention = net.attend(states, mask)
        pooled = net.pool(states, attention, mask)
    logits, gradient = _logit_gradient(net, pooled, batch)
    activation = _column_activation(states, attention, mask, gradient)
    width = places.shape[1]
    columns = (each[:, :width].cpu().numpy() for each in (attention.mean(dim=1), activation))
    scores = logits.sigmoid().cpu().numpy()
    found = []
    for score, place, attended, activated, length in zip(scores, places, *columns, lengths, strict=True):
        (attention_of, of_flanks), (activation_of, by_flanks) = (
            of_bases(place, values, length) for values in (attended, activated)
        )
        found.append(Explanation(float(score), attention_of, activation_of, of_flanks, by_flanks))
    return found


def _logit_gradient(net: GenomeNet, pooled: Tensor, batch: StemBatch) -> tuple[Tensor, Tensor]:
    """Log-odds of pre-miRNA (B,), and their derivative by the pooled states, (B, (A + 2) * H)."""
    with torch.enable_grad():
        pooled = pooled.clone().requires_grad_()
        logits = net.classify(pooled, batch.tokens, batch.matches)[:, 0]
        (gradient,) = torch.autograd.grad(logits.sum(), pooled)
    return logits.detach(), gradient


def _column_activation(states: Tensor, attention: Tensor, mask: Tensor, gradient: Tensor) -> Tensor:
    """What each column adds to the pooled states, times the derivative by them; states (B, H, C) to (B, C)."""
    by_part = gradient.unflatten(1, (-1, states.shape[1]))  # (B, A + 2, H): heads, maximum, mean
    of_heads, of_highest, of_mean = by_part[:, :-2], by_part[:, -2], by_part[:, -1]
    attended = torch.einsum("bah,bac,bhc->bc", of_heads, attention, states)
    average = torch.einsum("bh,bhc->bc", of_mean, states) / mask.sum(2)
    highest, column = states.masked_fill(mask == 0, -torch.inf).max(dim=2)  # (B, H)
    return (attended + average).scatter_add(1, column, of_highest * highest)
