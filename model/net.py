"""The paper's network (section 3.2), whole, and the variations on it that NetConfig names.

    tokens -> one-hot 16 -> LSTM 20 -> LSTM 10 -> attention -> flatten -> dense 400 -> dense 100 -> dense 2

Shapes in the comments: B sequences in a batch, L its longest length, H a layer's width, K attention heads.
"""

import copy
import itertools
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mirsweep.model.conv import ConvLayer
from mirsweep.model.encode import N_TOKENS, PADDING
from mirsweep.model.errors import ModelError
from mirsweep.model.lstm import BiLstmLayer, FusedLstm, LstmLayer
from mirsweep.model.token_features import STABILITIES, STATISTICS, token_stabilities, token_statistics

__all__ = [
    "ACTIVATIONS",
    "ATTENTIONS",
    "ENCODINGS",
    "INITIALISATIONS",
    "INPUTS",
    "LAYERS",
    "PADDINGS",
    "PRE_MIRNA",
    "FusedNet",
    "Masks",
    "Net",
    "NetConfig",
    "draw_masks",
]

ATTENTIONS = ("per-position", "shared", "pooled", "none")
LAYERS = ("lstm", "bilstm", "conv", "none")
INPUTS = ("both", "sequence", "structure")
ENCODINGS = ("hard", "soft")
PADDINGS = ("masked", "zeros")
ACTIVATIONS = ("sigmoid", "relu")
INITIALISATIONS = ("uniform", "glorot")

PRE_MIRNA = 0
"""Output column of the class pre-miRNA (the paper's label 0)."""

_N_BASES = _N_SYMBOLS = 4
_LARGEST = 4096
"""Of any size, longest sequence included: what a card may ask for. The paper's network has 400."""
_MOST_CONVOLUTIONS = 8
_DIRECTIONS = {"lstm": 1, "bilstm": 2, "conv": 0, "none": 0}


@dataclass(frozen=True)
class NetConfig:
    """Sizes and kinds of the network's parts; the defaults are the paper's.

    Attributes
    ----------
    max_length
        Longest sequence, nt; the first dense layer has weights for each of these positions, counted from the 3' end.
    n_hidden1, n_hidden2
        Widths of the two layers below the attention, of each direction if there are two.
    n_dense1, n_dense2
        Widths of the first two dense layers.
    attention
        ``"per-position"``: one weight vector for each position (paper, equation 3); ``"shared"``: one for all
        positions (the authors' code); ``"pooled"``: shared vectors, ``n_heads`` of them, and the dense layers see the
        attention-weighted sum over the positions in place of all positions side by side; ``"none"``: the dense layers
        see the last state of a recurrent layer (of each direction), or all positions of a convolution.
    layer1, layer2
        ``"lstm"``, ``"bilstm"``, ``"conv"`` (convolution and ReLU); ``layer2`` also ``"none"``.
    inputs
        ``"both"``; ``"sequence"`` or ``"structure"`` alone (paper, figure 3).
    encoding
        ``"hard"``: one-hot; ``"soft"``: each symbol is a vector that is learned with the rest.
    partner
        Whether the base that a position pairs with is an input too, one-hot.
    padding
        ``"masked"``: padding changes nothing; ``"zeros"``: every sequence is led by zero vectors up to ``max_length``,
        and layers and attention run over them.
    n_convolutions
        Convolutions with ReLU in front of the first layer, of ``n_hidden1`` filters each.
    n_heads
        Vectors of the pooled attention.
    conv_width
        Positions that a convolution's filter sees.
    summary
        Whether the dense layers also see the length and the mean and largest of each state over the positions.
    statistics
        Whether they also see classical features of the hairpin (:mod:`mirsweep.model.token_features`) and their
        logarithms, standardised by the training set's mean and deviation.
    energies
        Whether these also hold what stands in for the folding energy
        (:func:`mirsweep.model.token_features.token_stabilities`).
    activation
        Of the first two dense layers: ``"sigmoid"`` or ``"relu"``.
    batch_norm
        Whether these layers' sums are normalised over the batch in training, and by their running mean and deviation in
        scoring.
    """

    max_length: int = 400
    n_hidden1: int = 20
    n_hidden2: int = 10
    n_dense1: int = 400
    n_dense2: int = 100
    attention: str = "per-position"
    layer1: str = "lstm"
    layer2: str = "lstm"
    inputs: str = "both"
    encoding: str = "hard"
    partner: bool = False
    padding: str = "masked"
    n_convolutions: int = 0
    n_heads: int = 1
    conv_width: int = 7
    summary: bool = False
    statistics: bool = False
    energies: bool = False
    activation: str = "sigmoid"
    batch_norm: bool = False

    def __post_init__(self) -> None:
        names = ("max_length", "n_hidden1", "n_hidden2", "n_dense1", "n_dense2", "n_heads", "conv_width")
        sizes = [getattr(self, name) for name in names]
        if not all(type(size) is int and size > 0 for size in sizes):
            raise ModelError(f"the network's sizes must be positive whole numbers, not {sizes}.")
        if type(self.n_convolutions) is not int or not 0 <= self.n_convolutions <= _MOST_CONVOLUTIONS:
            raise ModelError(
                f"the number of convolutions must be 0 to {_MOST_CONVOLUTIONS}, not {self.n_convolutions!r}."
            )
        if max(sizes) > _LARGEST:
            raise ModelError(f"the network's sizes must be {_LARGEST} at most, not {max(sizes)}.")
        choices = {"attention": ATTENTIONS, "layer1": LAYERS[:-1], "layer2": LAYERS, "inputs": INPUTS}
        choices |= {"encoding": ENCODINGS, "padding": PADDINGS, "activation": ACTIVATIONS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ModelError(f"{name} {getattr(self, name)!r} is unknown: choose one of {', '.join(known)}.")
        for name in ("summary", "partner", "statistics", "energies", "batch_norm"):
            if type(getattr(self, name)) is not bool:
                raise ModelError(f"{name} must be true or false, not {getattr(self, name)!r}.")
        if (self.partner or self.statistics) and self.inputs != "both":
            raise ModelError("partner and statistics can be inputs only where sequence and structure both are.")
        if self.energies and not self.statistics:
            raise ModelError("energies are inputs only beside the statistics.")
        if self.n_heads > 1 and self.attention != "pooled":
            raise ModelError("several attention heads need the pooled attention.")
        if self.conv_width % 2 == 0:
            raise ModelError(f"a convolution's width must be odd, not {self.conv_width}.")

    @property
    def n_input(self) -> int:
        """Columns of the input."""
        return (N_TOKENS if self.inputs == "both" else _N_BASES) + (_N_BASES if self.partner else 0)

    @property
    def n_read(self) -> int:
        """Columns that the first layer reads: the input's, or the filters of the last convolution before it."""
        return self.n_hidden1 if self.n_convolutions else self.n_input

    @property
    def layers(self) -> tuple[tuple[str, int], ...]:
        """Kind and width of the layers that there are, but for the convolutions in front."""
        both = ((self.layer1, self.n_hidden1), (self.layer2, self.n_hidden2))
        return tuple((kind, width) for kind, width in both if kind != "none")

    @property
    def n_states(self) -> int:
        """Width of what the last of them gives for each position."""
        return _n_outputs(*self.layers[-1])

    def n_flat(self, length: int) -> int:
        """Width of the first dense layer's input for a batch of this length."""
        if self.attention == "pooled":
            return self.n_summary + self.n_heads * self.n_states
        is_last_state = self.attention == "none" and self.layers[-1][0] != "conv"
        return self.n_summary + (self.n_states if is_last_state else length * self.n_states)

    @property
    def n_summary(self) -> int:
        """Width of what is not by position, which stands first in that input: statistics and summary."""
        return self.n_statistics + (2 * self.n_states + 1 if self.summary else 0)

    @property
    def n_statistics(self) -> int:
        """Width of the statistics and their logarithms."""
        return 2 * (len(STATISTICS) * self.statistics + len(STABILITIES) * self.energies)

    def statistics_of(self, tokens: Tensor) -> Tensor:
        """Statistics that the network sees of tokens (B, L), not standardised; float32 (B, n_statistics / 2)."""
        found = token_statistics(tokens)
        return torch.cat((found, token_stabilities(tokens)), dim=1) if self.energies else found


def _n_outputs(kind: str, n_hidden: int) -> int:
    return n_hidden * max(1, _DIRECTIONS[kind])


class Masks(NamedTuple):
    """Dropout masks of one batch: 0, or 1 / (1 - rate) where kept.

    The first four hold for all steps of a sequence (variational dropout). Widths are those of the paper's network; a
    layer that has no state or is absent has masks of width 0.
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
    n_batch, length = tokens.shape
    if config.padding == "zeros":
        length = config.max_length
    widths = (*_layer_widths(config), config.n_flat(length), config.n_dense1, config.n_dense2)
    if rate == 0:
        return Masks(*(torch.ones(n_batch, width, device=tokens.device) for width in widths))
    kept = (torch.rand(n_batch, width, generator=generator) >= rate for width in widths)
    return Masks(*((mask / (1 - rate)).to(tokens.device) for mask in kept))


def _layer_widths(config: NetConfig) -> list[int]:
    """Widths of input and state of both layers, 0 for an absent one."""
    widths, n_input = [], config.n_read
    for kind, n_hidden in config.layers:
        widths += [n_input, n_hidden * _DIRECTIONS[kind]]
        n_input = _n_outputs(kind, n_hidden)
    return [*widths, 0, 0][:4]


def input_columns(tokens: Tensor, config: NetConfig) -> tuple[Tensor, Tensor]:
    """Tokens (B, L) to one-hot columns, time first: float32 (L, B, n_input), zero at padding; and padding (L, B)."""
    if config.padding == "zeros":
        tokens = nn.functional.pad(tokens, (config.max_length - tokens.shape[1], 0))
    tokens = tokens.t().long()  # (L, B)
    is_padding = tokens == PADDING
    if config.inputs == "sequence":
        columns = _one_hot((tokens + _N_SYMBOLS - 1) // _N_SYMBOLS, _N_BASES)  # 0, or 1 + base
    elif config.inputs == "structure":
        columns = _one_hot(torch.where(is_padding, 0, (tokens - 1) % _N_SYMBOLS + 1), _N_SYMBOLS)
    elif config.partner:
        joint = torch.where(is_padding, 0, (tokens - 1) % N_TOKENS + 1)
        partner = torch.where(is_padding, 0, (tokens - 1) // N_TOKENS)  # 0 where unpaired, or 1 + base
        columns = torch.cat((_one_hot(joint, N_TOKENS), _one_hot(partner, _N_BASES)), dim=2)
    else:
        columns = _one_hot(tokens, N_TOKENS)
    return columns, torch.zeros_like(is_padding) if config.padding == "zeros" else is_padding


def _one_hot(values: Tensor, n_columns: int) -> Tensor:
    """Values (L, B) of 0 to n to float32 (L, B, n); 0 has no column."""
    columns = torch.zeros(*values.shape, n_columns + 1, device=values.device)
    return columns.scatter_(2, values[..., None], 1)[..., 1:]


class Net(nn.Module):
    """The network with its weights, as trained.

    Parameters
    ----------
    config
        Sizes and kinds of its parts.
    """

    statistics_mean: Tensor
    statistics_scale: Tensor

    def __init__(self, config: NetConfig | None = None):
        super().__init__()
        self.config = c = config or NetConfig()
        if c.encoding == "soft":
            self.embedding = nn.Parameter(torch.empty(c.n_input, c.n_input))
        filters = [c.n_input] + c.n_convolutions * [c.n_hidden1]
        if c.n_convolutions:
            self.front = nn.ModuleList(ConvLayer(*pair, c.conv_width) for pair in itertools.pairwise(filters))
        n_input = c.n_read
        for number, (kind, n_hidden) in enumerate(c.layers, start=1):
            setattr(self, _layer_name(kind, number), _make_layer(kind, n_input, n_hidden, c.conv_width))
            n_input = _n_outputs(kind, n_hidden)
        if c.attention != "none":
            n_vectors = {"per-position": c.max_length, "shared": 1, "pooled": c.n_heads}[c.attention]
            self.attention = nn.Parameter(torch.empty(n_vectors, c.n_states))
        if c.statistics:
            self.register_buffer("statistics_mean", torch.zeros(c.n_statistics))
            self.register_buffer("statistics_scale", torch.ones(c.n_statistics))
        self.dense1 = nn.Linear(c.n_flat(c.max_length), c.n_dense1)
        self.dense2 = nn.Linear(c.n_dense1, c.n_dense2)
        self.output = nn.Linear(c.n_dense2, 2)
        if c.batch_norm:
            self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in (c.n_dense1, c.n_dense2))

    @property
    def layers(self) -> list[LstmLayer | BiLstmLayer | ConvLayer]:
        """The layers below the attention, first to last, but for the convolutions in front."""
        return [getattr(self, _layer_name(kind, i)) for i, (kind, _) in enumerate(self.config.layers, start=1)]

    @torch.no_grad()
    def initialise(self, generator: torch.Generator, kind: str = "uniform") -> None:
        """Draw the weights; biases are 0, but 1 for the forget gates (as Keras, the authors' library).

        ``"uniform"``: in [-0.05, 0.05] (paper, section 3.3); ``"glorot"``: Glorot's uniform, and orthogonal for an LSTM
        layer's weights of the state before (Keras' defaults, which the authors' code took).
        """
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif kind == "uniform":
                parameter.uniform_(-0.05, 0.05, generator=generator)
            elif name.endswith("w_state"):
                nn.init.orthogonal_(parameter, generator=generator)
            elif parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter, generator=generator)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm1d):
                layer.reset_parameters()
            if isinstance(layer, LstmLayer):
                layer.bias[2 * layer.n_hidden : 3 * layer.n_hidden] = 1

    def embed(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Input of the first layer (L, B, n_read) and padding, bool (L, B), of tokens (B, L)."""
        columns, is_padding = input_columns(tokens, self.config)
        columns = columns @ self.embedding if self.config.encoding == "soft" else columns
        for convolution in self.front if self.config.n_convolutions else ():
            columns = convolution(columns, is_padding)
        return columns, is_padding

    def attend(self, states: Tensor, is_padding: Tensor) -> Tensor:
        """Attention of each position (paper, equation 3), sums to 1 over real positions.

        (L, B, H2) to (L, B); with the pooled attention, which has several heads, to (L, B, K).
        """
        if self.config.attention == "pooled":
            energies = torch.einsum("lbh,kh->lbk", states, self.attention)
            return energies.masked_fill(is_padding[..., None], -torch.inf).softmax(dim=0)
        vectors = self.attention[-states.shape[0] :]  # (L or 1, H2), right-aligned
        energies = torch.einsum("lbh,lh->lb", states, vectors.expand(states.shape[0], -1))
        return energies.masked_fill(is_padding, -torch.inf).softmax(dim=0)

    def weigh(self, states: Tensor, attention: Tensor) -> Tensor:
        """States times attention (the paper's H_att): (L, B, H2), or with K heads (L, B, K * H2)."""
        if attention.dim() == 2:
            return states * attention[..., None]
        return (attention[..., None] * states[:, :, None]).flatten(2)

    def collect(self, weighted: Tensor) -> Tensor:
        """What the dense layers see: the positions side by side (B, L * H2), or their sum (B, K * H2)."""
        return weighted.sum(dim=0) if self.config.attention == "pooled" else weighted.transpose(0, 1).flatten(1)

    @torch.no_grad()
    def standardise(self, statistics: Tensor) -> None:
        """Take the mean and deviation of the training set's statistics (n, n_statistics / 2) as the standard's."""
        deviation, mean = torch.std_mean(_with_logarithms(statistics), dim=0, correction=0)
        self.statistics_mean.copy_(mean)
        self.statistics_scale.copy_(deviation.clamp(min=1e-6))

    def summarise(self, tokens: Tensor, states: Tensor, is_padding: Tensor) -> Tensor:
        """What is not by position, (B, n_summary), of tokens (B, L) and states (L, B, H2); at most 5 deviations away.

        Standardised statistics; length in hundreds of nt, mean and maximum of the states over real positions.
        """
        parts = []
        if self.config.statistics:
            statistics = _with_logarithms(self.config.statistics_of(tokens))
            parts.append(((statistics - self.statistics_mean) / self.statistics_scale).clamp(-5, 5))
        if self.config.summary:
            is_padding = is_padding[..., None]  # (L, B, 1)
            n_real = (~is_padding).sum(dim=0)  # (B, 1)
            mean = states.masked_fill(is_padding, 0).sum(dim=0) / n_real
            parts += [n_real / 100, mean, states.masked_fill(is_padding, -torch.inf).amax(dim=0)]
        return torch.cat(parts, dim=1) if parts else states.new_zeros(states.shape[1], 0)

    def read_out(self, tokens: Tensor, states: Tensor, is_padding: Tensor) -> Tensor:
        """Features (B, n_flat) of tokens (B, L) and the last layer's states (L, B, H2)."""
        positions = self._read_positions(states, is_padding)
        return torch.cat((self.summarise(tokens, states, is_padding), positions), dim=1)

    def _read_positions(self, states: Tensor, is_padding: Tensor) -> Tensor:
        if self.config.attention != "none":
            return self.collect(self.weigh(states, self.attend(states, is_padding)))
        kind, n_hidden = self.config.layers[-1]
        if kind == "conv":
            return states.transpose(0, 1).flatten(1)
        first = is_padding.sum(dim=0)  # where each sequence begins, which is where the backward direction ends
        ends = states[first, torch.arange(len(first), device=first.device)]
        return torch.cat((states[-1, :, :n_hidden], ends[:, n_hidden:]), dim=1)

    def classify(self, flat: Tensor, masks: Masks | None = None) -> Tensor:
        """Logits (B, 2) of features (B, n_flat); positions side by side are the right end of the paper's 400."""
        n_summary, weight = self.config.n_summary, self.dense1.weight
        if flat.shape[1] < weight.shape[1]:  # what lies before the positions that there are is multiplied by 0
            weight = weight[:, n_summary - flat.shape[1] :]
            if n_summary:
                weight = torch.cat((self.dense1.weight[:, :n_summary], weight), dim=1)
        x = flat if masks is None else flat * masks.flat
        x = self._activate(nn.functional.linear(x, weight, self.dense1.bias), 0)  # (B, D1)
        x = self._activate(self.dense2(x if masks is None else x * masks.dense1), 1)  # (B, D2)
        return self.output(x if masks is None else x * masks.dense2)

    def _activate(self, sums: Tensor, layer: int) -> Tensor:
        """Output of one of the first two dense layers, 0 or 1; a batch of one has nothing to be normalised over."""
        if self.config.batch_norm and not (self.training and len(sums) == 1):
            sums = self.norms[layer](sums)
        return torch.relu(sums) if self.config.activation == "relu" else torch.sigmoid(sums)

    def forward(self, tokens: Tensor, masks: Masks) -> Tensor:
        """Logits (B, 2) of tokens (B, L), L <= max_length, under the given dropout."""
        states, is_padding = self.embed(tokens)  # (L, B, n_read), (L, B)
        by_layer = ((masks.input1, masks.state1), (masks.input2, masks.state2))
        for layer, (keep_input, keep_state) in zip(self.layers, by_layer, strict=False):
            states = layer(states, is_padding, keep_input=keep_input, keep_state=keep_state)  # (L, B, H)
        return self.classify(self.read_out(tokens, states, is_padding), masks)


def _with_logarithms(statistics: Tensor) -> Tensor:
    return torch.cat((statistics, statistics.log1p()), dim=1)


def _layer_name(kind: str, number: int) -> str:
    return f"{'conv' if kind == 'conv' else 'lstm'}{number}"


def _make_layer(kind: str, n_input: int, n_hidden: int, conv_width: int) -> LstmLayer | BiLstmLayer | ConvLayer:
    if kind == "conv":
        return ConvLayer(n_input, n_hidden, conv_width)
    return (BiLstmLayer if kind == "bilstm" else LstmLayer)(n_input, n_hidden)


class FusedNet(nn.Module):
    """The trained network for scoring: the same function without dropout, on torch's fused LSTM kernels.

    Parameters
    ----------
    net
        Trained network; it is copied as it is now.
    """

    def __init__(self, net: Net):
        super().__init__()
        self.net = copy.deepcopy(net).requires_grad_(False).eval()
        fused = [layer if isinstance(layer, ConvLayer) else FusedLstm(layer) for layer in self.net.layers]
        self.layers = nn.ModuleList(fused)

    def states(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """States of the last layer (L, B, H2) and padding, bool (L, B), of tokens (B, L), L <= max_length."""
        states, is_padding = self.net.embed(tokens)
        for layer in self.layers:
            states = layer(states, is_padding)
        return states, is_padding

    def forward(self, tokens: Tensor) -> Tensor:
        """Probability of pre-miRNA, float32 (B,), of tokens (B, L), L <= max_length."""
        return self.net.classify(self.net.read_out(tokens, *self.states(tokens))).softmax(dim=1)[:, PRE_MIRNA]
