"""Where in a hairpin the network looks: attention, and the class activation map (paper, section 4.3)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mirsweep.model.errors import ModelError
from mirsweep.model.net import PRE_MIRNA, Net
from mirsweep.model.predict import Model
from mirsweep.model.prediction import BATCH_SIZE

__all__ = ["AXIS", "MAPS", "Explanation", "explain", "explain_batches", "on_common_axis"]

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
        Attention of each position, float32, shape (n,); sums to 1. With several heads, their mean.
    activation
        Activation of each position, float32, shape (n,); above 0 speaks for a pre-miRNA, below 0 against.
    """

    score: float
    attention: np.ndarray
    activation: np.ndarray


def explain(
    model: Model,
    sequences: Sequence[str],
    structures: Sequence[str],
    *,
    activation: str = "cam",
    batch_size: int = BATCH_SIZE,
) -> list[Explanation]:
    """Attention and class activation map of each hairpin.

    The paper pools the attention-weighted states H_att over the positions (global average pooling) to weigh their
    columns for a class, and maps each position's weighted sum. Its three dense layers stand between H_att and the
    classes, so the weights here are the pooled derivatives of the class score by H_att, which are the weights of the
    output layer where it follows the pooling at once (Selvaraju et al. 2017, section 3, "Grad-CAM").

    Parameters
    ----------
    model
        A model with attention.
    sequences, structures
        As in :meth:`mirsweep.model.prediction.Scorer.score`.
    activation
        ``"cam"``: as above, for the class pre-miRNA against the other (difference of the two outputs before the
        softmax); ``"gradient"``: each position's own derivatives in place of their mean over the positions.
    batch_size
        Most hairpins to compute at once; changes speed and memory only.

    Returns
    -------
    One a hairpin, in their order; each depends on its own hairpin only.

    Raises
    ------
    ModelError
        If the model is not of the paper's kind or has no attention, the activation is unknown, or a hairpin cannot be
        scored.
    """
    found: list[Explanation | None] = [None] * len(sequences)
    for rows, explained in explain_batches(model, sequences, structures, activation=activation, batch_size=batch_size):
        for row, explanation in zip(rows.tolist(), explained, strict=True):
            found[row] = explanation
    return [each for each in found if each is not None]


def explain_batches(
    model: Model, sequences: Sequence[str], structures: Sequence[str], *, activation: str, batch_size: int = BATCH_SIZE
) -> Iterator[tuple[np.ndarray, list[Explanation]]]:
    """The same, batch by batch with the hairpins' indices."""
    if not isinstance(model, Model):
        raise ModelError(
            f"the model {model.name} is of another kind than the paper's, which alone has the map of section 4.3: "
            "choose one that is, such as paper-cross."
        )
    if model.config.attention == "none":
        raise ModelError(
            f"the model {model.name} has no attention, and so no map of its classes: choose one that has, such as "
            "paper-cross."
        )
    if activation not in MAPS:
        raise ModelError(f"map {activation!r} is unknown: choose one of {', '.join(MAPS)}.")
    for rows, tokens in model.batches(sequences, structures, batch_size=batch_size):
        lengths = [len(sequences[i]) for i in rows]
        yield rows, _explain_batch(model, tokens, lengths, activation)


def on_common_axis(values: np.ndarray, n_points: int = AXIS) -> np.ndarray:
    """A profile along a hairpin at the centres of equal parts of it, linear in between; (n,) to (n_points,)."""
    at = (np.arange(n_points) + 0.5) / n_points * len(values) - 0.5
    return np.interp(at, np.arange(len(values)), values)


def _explain_batch(model: Model, tokens: Tensor, lengths: list[int], activation: str) -> list[Explanation]:
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
