"""The paper's network (section 3.2), whole.

    tokens -> one-hot 16 -> LSTM 20 -> LSTM 10 -> attention -> flatten -> dense 400 -> dense 100 -> dense 2

Shapes in the comments: B sequences in a batch, L its longest length, H a layer's width.
"""

import copy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mirsweep.model.encode import N_TOKENS, PADDING
from mirsweep.model.errors import ModelError
from mirsweep.model.lstm import FusedLstm, LstmLayer

__all__ = ["ATTENTIONS", "PRE_MIRNA", "FusedNet", "Masks", "Net", "NetConfig", "draw_masks"]

ATTENTIONS = ("per-position", "shared")

PRE_MIRNA = 0
"""Output column of the class pre-miRNA (the paper's label 0)."""


@dataclass(frozen=True)
class NetConfig:
    """Sizes of the network; the defaults are the paper's.

    Attributes
    ----------
    max_length
        Longest sequence, nt; the first dense layer has weights for each of these positions, counted from the 3' end.
    n_hidden1, n_hidden2
        Widths of the two LSTM layers.
    n_dense1, n_dense2
        Widths of the first two dense layers.
    attention
        ``"per-position"``: one weight vector for each position (paper, equation 3); ``"shared"``: one for all
        positions (the authors' code).
    """

    max_length: int = 400
    n_hidden1: int = 20
    n_hidden2: int = 10
    n_dense1: int = 400
    n_dense2: int = 100
    attention: str = "per-position"

    def __post_init__(self):
        sizes = (self.max_length, self.n_hidden1, self.n_hidden2, self.n_dense1, self.n_dense2)
        if not all(type(size) is int and size > 0 for size in sizes):
            raise ModelError(f"the network's sizes must be positive whole numbers, not {sizes}.")
        if self.attention not in ATTENTIONS:
            raise ModelError(f"attention {self.attention!r} is unknown: choose one of {', '.join(ATTENTIONS)}.")


class Masks(NamedTuple):
    """Dropout masks of one batch: 0, or 1 / (1 - rate) where kept.

    The first four hold for all steps of a sequence (variational dropout).
    """

    input1: Tensor  # (B, 16)
    state1: Tensor  # (B, H1)
    input2: Tensor  # (B, H1)
    state2: Tensor  # (B, H2)
    flat: Tensor  # (B, L * H2)
    dense1: Tensor  # (B, D1)
    dense2: Tensor  # (B, D2)


def draw_masks(config: NetConfig, tokens: Tensor, *, rate: float, generator: torch.Generator | None) -> Masks:
    """Masks for a batch of tokens (B, L), drawn on the CPU so that every device sees the same ones."""
    c, (n_batch, length) = config, tokens.shape
    widths = (N_TOKENS, c.n_hidden1, c.n_hidden1, c.n_hidden2, length * c.n_hidden2, c.n_dense1, c.n_dense2)
    if rate == 0:
        return Masks(*(torch.ones(n_batch, width, device=tokens.device) for width in widths))
    kept = (torch.rand(n_batch, width, generator=generator) >= rate for width in widths)
    return Masks(*((mask / (1 - rate)).to(tokens.device) for mask in kept))


def one_hot(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens (B, L) to one-hot columns, time first: float32 (L, B, 16), zero at padding, and padding, bool (L, B)."""
    tokens = tokens.t().long()  # (L, B)
    is_padding = tokens == PADDING
    columns = torch.zeros(*tokens.shape, N_TOKENS + 1, device=tokens.device).scatter_(2, tokens[..., None], 1)
    return columns[..., 1:], is_padding


class Net(nn.Module):
    """The network with its weights, as trained.

    Parameters
    ----------
    config
        Sizes and kind of attention.
    """

    def __init__(self, config: NetConfig | None = None):
        super().__init__()
        self.config = c = config or NetConfig()
        self.lstm1 = LstmLayer(N_TOKENS, c.n_hidden1)
        self.lstm2 = LstmLayer(c.n_hidden1, c.n_hidden2)
        n_vectors = 1 if c.attention == "shared" else c.max_length
        self.attention = nn.Parameter(torch.empty(n_vectors, c.n_hidden2))
        self.dense1 = nn.Linear(c.max_length * c.n_hidden2, c.n_dense1)
        self.dense2 = nn.Linear(c.n_dense1, c.n_dense2)
        self.output = nn.Linear(c.n_dense2, 2)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Weights uniform in [-0.05, 0.05], biases 0, but 1 for the forget gates (as Keras, the authors' library)."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            else:
                parameter.uniform_(-0.05, 0.05, generator=generator)
        for layer in (self.lstm1, self.lstm2):
            layer.bias[2 * layer.n_hidden : 3 * layer.n_hidden] = 1

    def attend(self, states: Tensor, is_padding: Tensor) -> Tensor:
        """Attention of each position (paper, equation 3): (L, B, H2) to (L, B), sums to 1 over real positions."""
        vectors = self.attention[-states.shape[0] :]  # (L or 1, H2), right-aligned
        energies = torch.einsum("lbh,lh->lb", states, vectors.expand(states.shape[0], -1))
        return energies.masked_fill(is_padding, -torch.inf).softmax(dim=0)

    def flatten(self, states: Tensor, attention: Tensor) -> Tensor:
        """Weighted states side by side: (L, B, H2) and (L, B) to (B, L * H2)."""
        return (states * attention[..., None]).transpose(0, 1).flatten(1)

    def classify(self, flat: Tensor, masks: Masks | None = None) -> Tensor:
        """Logits (B, 2) of flattened states (B, L * H2), which are the right end of the paper's (B, 400 * H2)."""
        weight = self.dense1.weight[:, -flat.shape[1] :]  # what lies before is multiplied by padding, zero
        x = flat if masks is None else flat * masks.flat
        x = nn.functional.linear(x, weight, self.dense1.bias).sigmoid()  # (B, D1)
        x = self.dense2(x if masks is None else x * masks.dense1).sigmoid()  # (B, D2)
        return self.output(x if masks is None else x * masks.dense2)

    def forward(self, tokens: Tensor, masks: Masks) -> Tensor:
        """Logits (B, 2) of tokens (B, L), L <= max_length, under the given dropout."""
        x, is_padding = one_hot(tokens)  # (L, B, 16), (L, B)
        h = self.lstm1(x, is_padding, keep_input=masks.input1, keep_state=masks.state1)  # (L, B, H1)
        h = self.lstm2(h, is_padding, keep_input=masks.input2, keep_state=masks.state2)  # (L, B, H2)
        return self.classify(self.flatten(h, self.attend(h, is_padding)), masks)


class FusedNet(nn.Module):
    """The trained network for scoring: the same function without dropout, on torch's fused LSTM kernels.

    Parameters
    ----------
    net
        Trained network; it is copied as it is now.
    """

    def __init__(self, net: Net):
        super().__init__()
        self.net = copy.deepcopy(net).requires_grad_(False)
        self.lstm1 = FusedLstm(self.net.lstm1)
        self.lstm2 = FusedLstm(self.net.lstm2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Probability of pre-miRNA, float32 (B,), of tokens (B, L), L <= max_length."""
        x, is_padding = one_hot(tokens)  # (L, B, 16), (L, B)
        h = self.lstm2(self.lstm1(x, is_padding), is_padding)  # (L, B, H2)
        flat = self.net.flatten(h, self.net.attend(h, is_padding))  # (B, L * H2)
        return self.net.classify(flat).softmax(dim=1)[:, PRE_MIRNA]
