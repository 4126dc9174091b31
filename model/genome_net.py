"""The genome model's network: convolutions along the stem, attention over its columns, heads for class and mature arms.

    columns -> embeddings -> convolution -> residual dilated convolutions -> attention, maximum, mean -> dense -> logit
                                                                        -> ends of the mature sequences, by column

Shapes in the comments: B hairpins in a batch, C columns, H channels.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mirsweep.model._stem_kernels import COLUMN_UNIT, NOWHERE
from mirsweep.model.genome_config import EMBEDDING, ENDS, N_SUMMARY, GenomeConfig
from mirsweep.model.genome_weights import GenomeWeights
from mirsweep.model.stem import N_STEM_TOKENS, Stems

__all__ = ["GenomeNet", "GenomeOutput", "StemBatch", "summary_of", "to_batch", "weights_of"]


class StemBatch(NamedTuple):
    """Hairpins as the network reads them.

    Attributes
    ----------
    tokens, matches
        Left and right row of the columns, int64 and float32, shape (B, C, 2).
    n_columns
        Number of real columns, int64, shape (B,).
    """

    tokens: Tensor
    matches: Tensor
    n_columns: Tensor


def to_batch(stems: Stems, rows: np.ndarray, *, width_step: int = 1, device: torch.device | str = "cpu") -> StemBatch:
    """Some of the hairpins, as wide as the widest of them, rounded up to a multiple of ``width_step`` columns."""
    width = int(stems.n_columns[rows].max())
    padding = ((0, 0), (0, -width % width_step), (0, 0))
    tokens, matches = (np.pad(part[rows, :width], padding) for part in (stems.tokens, stems.matches))
    return StemBatch(
        torch.from_numpy(tokens.astype(np.int64)).to(device),
        torch.from_numpy(matches.astype(np.float32)).to(device),
        torch.from_numpy(stems.n_columns[rows]).to(device),
    )


@dataclass(frozen=True)
class GenomeOutput:
    """What the network says of a batch.

    Attributes
    ----------
    logits
        Log-odds of pre-miRNA; (B,).
    arm_logits
        Log-odds that the mature sequence lies on the 5' arm; (B,).
    ends
        Log-weight of each column for each of ``ENDS``; (B, 4, C), -1e4 at columns that cannot be.
    """

    logits: Tensor
    arm_logits: Tensor
    ends: Tensor


class _Residual(nn.Module):
    def __init__(self, width: int, kernel: int, dilation: int):
        super().__init__()
        self.convolution = nn.Conv1d(width, width, kernel, padding=dilation * (kernel // 2), dilation=dilation)
        self.norm: nn.Module = nn.BatchNorm1d(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x + self.norm(self.convolution(x)).relu() * mask


def _folded(convolution: nn.Conv1d, norm: nn.Module) -> nn.Conv1d:
    """A convolution and its normalisation in one, in evaluation mode."""
    if not isinstance(norm, nn.BatchNorm1d):
        raise TypeError("there is no normalisation to fold in")
    return fuse_conv_bn_eval(convolution, norm)


def summary_of(counts: Tensor) -> Tensor:
    """Length, share of stem, loop, G+C, branches, matches, each near 1; (B, 6) to (B, 6).

    Of counts of bases: all, in the stem, in the terminal loop, G and C, in branches, in 14-mers of the library.
    """
    n, stem, loop, gc, branch, matched = counts.unbind(1)
    n = n.clamp(min=1)
    return torch.stack([n / 100, stem / n, loop / 10, gc / n, branch / 10, matched / 20], 1)


def _summary(tokens: Tensor, matches: Tensor) -> Tensor:
    """The summary of hairpins; tokens and matches (B, C, 2) to (B, 6)."""
    is_base = (tokens > 0) & (tokens <= 16)
    kind = (tokens - 1).div(4, rounding_mode="floor").masked_fill(~is_base, -1)
    base = (tokens - 1).remainder(4)
    gc = (is_base & ((base == 1) | (base == 2))).sum((1, 2))
    stem, loop, branch = ((kind == k).sum((1, 2)) for k in (1, 2, 3))
    return summary_of(torch.stack([is_base.sum((1, 2)), stem, loop, gc, branch, matches.sum((1, 2))], 1))


class GenomeNet(nn.Module):
    """The network with its weights, and the 14-mers of mature sequences that it was trained with.

    Parameters
    ----------
    config
        Sizes.
    """

    words: Tensor

    def __init__(self, config: GenomeConfig | None = None):
        super().__init__()
        self.config = c = config or GenomeConfig()
        self.embed_left = nn.Embedding(N_STEM_TOKENS, EMBEDDING, padding_idx=0)
        self.embed_right = nn.Embedding(N_STEM_TOKENS, EMBEDDING, padding_idx=0)
        self.first = nn.Conv1d(2 * EMBEDDING + 5, c.n_channels, c.kernel, padding=c.kernel // 2)
        self.first_norm: nn.Module = nn.BatchNorm1d(c.n_channels)
        self.residuals = nn.ModuleList(_Residual(c.n_channels, c.kernel, d) for d in c.dilations)
        self.attention = nn.Conv1d(c.n_channels, c.n_heads, 1)
        self.ends = nn.Conv1d(c.n_channels, ENDS, 1)
        self.summary_norm = nn.BatchNorm1d(N_SUMMARY)
        self.dense = nn.Linear((c.n_heads + 2) * c.n_channels + N_SUMMARY, c.n_hidden)
        self.output = nn.Linear(c.n_hidden, 2)
        self.dropout = nn.Dropout(0.2)
        self.register_buffer("words", torch.zeros(c.n_words, dtype=torch.int32))

    def fold_norms(self) -> "GenomeNet":
        """Multiply the convolutions' weights by what their normalisation does, which then is nothing: to score only."""
        self.first, self.first_norm = _folded(self.first, self.first_norm), nn.Identity()
        for each in (each for each in self.residuals if isinstance(each, _Residual)):
            each.convolution, each.norm = _folded(each.convolution, each.norm), nn.Identity()
        return self

    def forward(self, tokens: Tensor, matches: Tensor, n_columns: Tensor) -> GenomeOutput:
        """Tokens and matches (B, C, 2), int64 and float32, and the number of real columns (B,), int64."""
        states, mask = self.states(tokens, matches, n_columns)
        pooled = self.pool(states, self.attend(states, mask), mask)
        logits = self.classify(pooled, tokens, matches)
        return GenomeOutput(logits[:, 0], logits[:, 1], self.end_weights(states, tokens))

    def states(self, tokens: Tensor, matches: Tensor, n_columns: Tensor) -> tuple[Tensor, Tensor]:
        """States of the last convolution (B, H, C), and which columns are real, float32 (B, 1, C)."""
        position = torch.arange(tokens.shape[1], device=tokens.device)  # (C,)
        mask = (position < n_columns[:, None]).float()[:, None]  # (B, 1, C)
        from_apex = (position / COLUMN_UNIT).expand(tokens.shape[0], -1)
        to_end = (n_columns[:, None] - position) / COLUMN_UNIT
        places = torch.stack([from_apex, to_end, torch.ones_like(to_end)], 1) * mask  # (B, 3, C)
        rows = [self.embed_left(tokens[..., 0]), self.embed_right(tokens[..., 1]), matches]
        h = torch.cat([torch.cat(rows, 2).transpose(1, 2), places], 1)  # (B, 2E + 5, C)
        h = self.first_norm(self.first(h)).relu() * mask  # (B, H, C)
        for residual in self.residuals:
            h = residual(h, mask)
        return h, mask

    def attend(self, states: Tensor, mask: Tensor) -> Tensor:
        """Attention of each head, (B, A, C); sums to 1 over the real columns."""
        return self.attention(states).masked_fill(mask == 0, NOWHERE).softmax(2)

    def pool(self, states: Tensor, attention: Tensor, mask: Tensor) -> Tensor:
        """What the dense layer reads of the states: each head's weighted sum, maximum, mean; (B, (A + 2) * H)."""
        weighted = torch.einsum("bac,bhc->bah", attention, states).flatten(1)
        highest = states.masked_fill(mask == 0, NOWHERE).amax(2)
        mean = states.sum(2) / mask.sum(2).clamp(min=1)
        return torch.cat([weighted, highest, mean], 1)

    def end_weights(self, states: Tensor, tokens: Tensor) -> Tensor:
        """Log-weight of each column for each of ``ENDS``, (B, 4, C), -1e4 at columns that cannot be."""
        is_base = ((tokens > 0) & (tokens <= 16)).transpose(1, 2).repeat_interleave(2, 1)  # (B, 4, C)
        return self.ends(states).masked_fill(~is_base, NOWHERE)

    def classify(self, pooled: Tensor, tokens: Tensor, matches: Tensor) -> Tensor:
        """Log-odds of pre-miRNA and of a mature sequence on the 5' arm, (B, 2)."""
        return self.classify_summarised(pooled, _summary(tokens, matches))

    def classify_summarised(self, pooled: Tensor, summary: Tensor) -> Tensor:
        """The same of hairpins whose summary, (B, 6), is known."""
        z = torch.cat([pooled, self.summary_norm(summary)], 1)
        return self.output(self.dropout(self.dense(self.dropout(z)).relu()))


def weights_of(net: nn.Module) -> GenomeWeights:
    """Weights of a :class:`GenomeNet` or a :class:`mirsweep.model.two_stage.TwoStageNet`, as they are now."""
    config: Any = net.config
    arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in net.state_dict().items()}
    return GenomeWeights(config, arrays)
