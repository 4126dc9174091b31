"""Many networks of the genome model's kind side by side: one matrix product for all, which keeps a GPU busy.

What :class:`mirsweep.model.genome_net.GenomeNet` computes, with torch alone (a test compares them). In the shapes are B
hairpins of a batch, C columns, M networks, H channels; each network reads hairpins of its own.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

NOWHERE = -1e4
COLUMN_UNIT = 40.0
N_TOKENS, EMBEDDING, ENDS, N_SUMMARY, N_PLACES = 20, 16, 4, 6, 5
DROPOUT = 0.2
State = dict[str, np.ndarray]


class Columns(NamedTuple):
    """Hairpins as the networks read them.

    Attributes
    ----------
    tokens, matches
        Left and right row, uint8, shape (B, C, M, 2).
    n_columns
        Number of real columns, int64, shape (B, M).
    """

    tokens: Tensor
    matches: Tensor
    n_columns: Tensor


class Output(NamedTuple):
    """Log-odds of pre-miRNA and of a mature sequence on the 5' arm, (B, M, 2); weights of the ends, (B, C, M, 4)."""

    logits: Tensor
    ends: Tensor


def initial_state(config: dict[str, Any], rng: np.random.Generator) -> State:
    """Random weights of one network, distributed as torch's layers have them."""
    width, kernel = config["n_channels"], config["kernel"]
    state: State = {}

    def layer(name: str, *shape: int) -> None:
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        state[f"{name}.weight"], state[f"{name}.bias"] = (rng.uniform(-bound, bound, s) for s in (shape, shape[:1]))

    def norm(name: str, n: int) -> None:
        state[f"{name}.weight"], state[f"{name}.bias"] = np.ones(n), np.zeros(n)
        state[f"{name}.running_mean"], state[f"{name}.running_var"] = np.zeros(n), np.ones(n)

    for row in ("embed_left.weight", "embed_right.weight"):
        state[row] = rng.normal(size=(N_TOKENS, EMBEDDING))
        state[row][0] = 0
    layer("first", width, 2 * EMBEDDING + N_PLACES, kernel)
    norm("first_norm", width)
    for k in range(len(config["dilations"])):
        layer(f"residuals.{k}.convolution", width, width, kernel)
        norm(f"residuals.{k}.norm", width)
    layer("attention", config["n_heads"], width, 1)
    layer("ends", ENDS, width, 1)
    norm("summary_norm", N_SUMMARY)
    layer("dense", config["n_hidden"], (config["n_heads"] + 2) * width + N_SUMMARY)
    layer("output", 2, config["n_hidden"])
    return {name: array.astype(np.float32) for name, array in state.items()}


class StackedNets:
    """M networks of the same sizes.

    Parameters
    ----------
    config
        Sizes, as a card has them.
    states
        Weights of each by the names that ``GenomeNet`` gives them.
    device
        As torch names it. On a GPU matrices are multiplied in bfloat16.

    Attributes
    ----------
    weights
        What is trained, by name; the first dimension is that of the networks.
    is_training
        Whether batches are normalised by themselves and numbers dropped out.
    """

    def __init__(self, config: dict[str, Any], states: Sequence[State], device: str):
        self.config, self.device = config, device
        stacked = {name: torch.from_numpy(np.stack([s[name] for s in states])).to(device) for name in states[0]}
        self._running = {name: t for name, t in stacked.items() if ".running_" in name}
        self.weights = {name: t.requires_grad_() for name, t in stacked.items() if name not in self._running}
        self.is_training = True
        self._dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32

    def part(self, start: int, end: int) -> "StackedNets":
        """Some of the networks, to score with: the same weights, not a copy."""
        found = object.__new__(StackedNets)
        found.__dict__ |= self.__dict__
        found._running = {name: t[start:end] for name, t in self._running.items()}
        found.weights = {name: t.detach()[start:end] for name, t in self.weights.items()}
        found.is_training = False
        return found

    def state(self, m: int) -> State:
        """Weights of one network."""
        return {name: t[m].detach().float().cpu().numpy() for name, t in (self.weights | self._running).items()}

    def __call__(self, columns: Columns) -> Output:
        """What each network says of its hairpins."""
        tokens, matches, n_columns = columns
        n_positions = tokens.shape[1]
        position = torch.arange(n_positions, device=self.device)[:, None]  # (C, 1)
        is_real = position < n_columns[:, None]  # (B, C, M)
        mask = is_real[..., None].to(self._dtype)
        h = self._embedded(columns, position, is_real)
        h = self._normalised(self._convolved(h, "first", 1), "first_norm").relu() * mask  # (B, C, M, H)
        for k, dilation in enumerate(self.config["dilations"]):
            own = self._convolved(h, f"residuals.{k}.convolution", dilation)
            h = h + self._normalised(own, f"residuals.{k}.norm").relu() * mask
        heads = torch.cat([self._taps("attention"), self._taps("ends")], 2)
        biases = torch.cat([self.weights["attention.bias"], self.weights["ends.bias"]], 1)
        said = self._multiplied(h.flatten(0, 1), heads, biases).float().unflatten(0, h.shape[:2])
        attention, ends = said.split([self.config["n_heads"], ENDS], 3)
        pooled = torch.cat([self._pooled(h, attention, is_real, n_columns), self._summary(tokens, matches)], 2)
        is_base = ((tokens > 0) & (tokens <= 16)).repeat_interleave(2, 3)
        return Output(self._classified(pooled), ends.masked_fill(~is_base, NOWHERE))

    def _embedded(self, columns: Columns, position: Tensor, is_real: Tensor) -> Tensor:
        """What the first convolution reads, (B, C, M, 2E + 5)."""
        tokens, matches, n_columns = columns
        kinds = torch.arange(1, N_TOKENS, device=self.device, dtype=torch.uint8)
        hot = [(tokens[..., row, None] == kinds).to(self._dtype) for row in (0, 1)]
        to_end = (n_columns[:, None] - position) / COLUMN_UNIT
        places = torch.stack([(position / COLUMN_UNIT).expand_as(to_end), to_end, torch.ones_like(to_end)], 3)
        read = torch.cat([*hot, matches.to(self._dtype), (places * is_real[..., None]).to(self._dtype)], 3)
        n, n_hot = len(self.weights["embed_left.weight"]), N_TOKENS - 1
        table = torch.zeros(n, 2 * n_hot + N_PLACES, 2 * EMBEDDING + N_PLACES, device=self.device)
        table[:, :n_hot, :EMBEDDING] = self.weights["embed_left.weight"][:, 1:]
        table[:, n_hot : 2 * n_hot, EMBEDDING : 2 * EMBEDDING] = self.weights["embed_right.weight"][:, 1:]
        table[:, 2 * n_hot :, 2 * EMBEDDING :] = torch.eye(N_PLACES, device=self.device)
        product = torch.bmm(read.flatten(0, 1).transpose(0, 1), table.to(self._dtype))
        return product.transpose(0, 1).unflatten(0, read.shape[:2])

    def _taps(self, name: str) -> Tensor:
        """Weights of a convolution as a matrix of each network, (M, taps * channels read, channels)."""
        weights = self.weights[f"{name}.weight"]  # (M, O, I, K)
        return weights.permute(0, 3, 2, 1).flatten(1, 2)

    def _multiplied(self, x: Tensor, weights: Tensor, biases: Tensor) -> Tensor:
        """(N, M, I) by (M, I, O), plus (M, O): (N, M, O)."""
        biases, x, weights = (each.to(self._dtype) for each in (biases[:, None], x.transpose(0, 1), weights))
        return torch.baddbmm(biases, x, weights).transpose(0, 1)

    def _convolved(self, x: Tensor, name: str, dilation: int) -> Tensor:
        """A convolution along the columns, (B, C, M, I) to (B, C, M, O)."""
        n_taps, n_columns = self.config["kernel"], x.shape[1]
        reach = dilation * (n_taps // 2)
        padded = F.pad(x, (0, 0, 0, 0, reach, reach))
        taps = torch.cat([padded[:, k * dilation : k * dilation + n_columns] for k in range(n_taps)], 3)
        product = self._multiplied(taps.flatten(0, 1), self._taps(name), self.weights[f"{name}.bias"])
        return product.unflatten(0, x.shape[:2])

    def _normalised(self, x: Tensor, name: str) -> Tensor:
        """Batch normalisation of each network's channels, (..., M, H)."""
        flat = x.flatten(0, -3).flatten(1)  # (N, M * H)
        mean, var = (self._running[f"{name}.running_{what}"].view(-1) for what in ("mean", "var"))
        weight, bias = (self.weights[f"{name}.{what}"].flatten() for what in ("weight", "bias"))
        with torch.backends.cudnn.flags(enabled=False):
            return F.batch_norm(flat, mean, var, weight, bias, self.is_training, 0.1, 1e-5).view(x.shape)

    def _pooled(self, h: Tensor, attention: Tensor, is_real: Tensor, n_columns: Tensor) -> Tensor:
        """Each head's weighted sum, maximum and mean, (B, M, (A + 2) * H)."""
        is_padding = ~is_real[..., None]
        shares = attention.masked_fill(is_padding, NOWHERE).softmax(1).to(self._dtype)
        weighted = shares.permute(0, 2, 3, 1) @ h.transpose(1, 2)  # (B, M, A, H)
        highest = h.masked_fill(is_padding, NOWHERE).amax(1)
        mean = h.sum(1, dtype=torch.float32) / n_columns[..., None].clamp(min=1)
        return torch.cat([weighted.flatten(2).float(), highest.float(), mean], 2)

    def _summary(self, tokens: Tensor, matches: Tensor) -> Tensor:
        """Figures of each hairpin, normalised, (B, M, 6)."""
        is_base = (tokens > 0) & (tokens <= 16)
        code = tokens - is_base.to(torch.uint8)
        kind, base = code // 4, code % 4

        def count(which: Tensor) -> Tensor:
            return which.sum((1, 3), dtype=torch.float32)

        n = count(is_base).clamp(min=1)
        stem, loop, branch = (count(is_base & (kind == k)) for k in (1, 2, 3))
        gc = count(is_base & ((base == 1) | (base == 2)))
        figures = [n / 100, stem / n, loop / 10, gc / n, branch / 10, count(matches) / 20]
        return self._normalised(torch.stack(figures, 2), "summary_norm")

    def _classified(self, pooled: Tensor) -> Tensor:
        x = pooled
        for k, name in enumerate(("dense", "output")):
            x = F.dropout(x.relu() if k else x, DROPOUT, self.is_training)
            x = self._multiplied(x, self.weights[f"{name}.weight"].transpose(1, 2), self.weights[f"{name}.bias"])
        return x.float()
