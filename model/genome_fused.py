"""The genome model's network for scoring on the CPU: weights with their normalisation folded in, one compiled loop.

Three times as fast as torch's convolutions, which serve in training, on GPUs and as the reference.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mirsweep.model._genome_kernels import SUMS, TERMS, forward
from mirsweep.model.genome_config import EMBEDDING, ENDS, GenomeConfig
from mirsweep.model.genome_weights import GenomeWeights
from mirsweep.model.stem import N_STEM_TOKENS, Stems

__all__ = ["FusedGenomeNet", "Readings"]

_EPSILON = np.float32(1e-5)
"""What torch's batch normalisation adds to a variance."""

Arrays = Mapping[str, np.ndarray]


class Readings(NamedTuple):
    """What the network says of n hairpins.

    Attributes
    ----------
    logits, arm_logits
        Log-odds of pre-miRNA, and of a mature sequence on the 5' arm; float32, shape (n,).
    ends
        Log probability of each column for each of ``genome_config.ENDS``, float32, shape (n, 4, c), -1e4 where no base
        is; (n, 0, 0) if they were not asked for.
    attention
        Attention of each column, the mean of the heads, float32, shape (n, c); (n, 0) if it was not asked for.
    """

    logits: np.ndarray
    arm_logits: np.ndarray
    ends: np.ndarray
    attention: np.ndarray


class FusedGenomeNet:
    """A trained network, ready to score.

    Parameters
    ----------
    weights
        Of one network.
    """

    def __init__(self, weights: GenomeWeights):
        config, arrays = weights
        if not isinstance(config, GenomeConfig):
            raise TypeError("these are several networks: take one of them")
        with np.errstate(over="ignore", invalid="ignore"):  # scores that are no numbers are refused later
            self._first = _first_tables(arrays)
            self._layers = _residual_weights(config, arrays)
            self._heads = _head_weights(config, arrays)
            self._last = _dense_weights(config, arrays)
        self._n_heads = config.n_heads

    def __call__(self, stems: Stems, *, with_ends: bool = True, with_attention: bool = False) -> Readings:
        """Score hairpins; what is said of each depends on it alone, to the last bit."""
        n, widest = stems.tokens.shape[:2]
        logits = np.empty((n, 2), np.float32)
        ends = np.empty((n, ENDS, widest) if with_ends else (n, 0, 0), np.float32)
        attention = np.zeros((n, widest if with_attention else 0), np.float32)
        tokens, matches = np.ascontiguousarray(stems.tokens), np.ascontiguousarray(stems.matches)
        forward(
            tokens, matches, stems.n_columns, self._first, self._layers, self._heads, self._last, self._n_heads,
            logits, ends, attention,
        )  # fmt: skip
        return Readings(logits[:, 0].copy(), logits[:, 1].copy(), ends, attention)


def _up(n: int, step: int) -> int:
    return -(-n // step) * step


def _array(values: np.ndarray, *shape: int) -> np.ndarray:
    """Values in the corner of an array of zeros, float32."""
    out = np.zeros(shape or values.shape, np.float32)
    out[tuple(map(slice, values.shape))] = values
    return out


def _scale(arrays: Arrays, norm: str) -> np.ndarray:
    """What a normalisation multiplies by, (H,)."""
    return np.asarray(arrays[f"{norm}.weight"] / np.sqrt(arrays[f"{norm}.running_var"] + _EPSILON))


def _folded(arrays: Arrays, convolution: str, norm: str) -> tuple[np.ndarray, np.ndarray]:
    """Weights (H, I, K) and biases (H,) of a convolution whose sums are normalised."""
    scale = _scale(arrays, norm)
    bias = (arrays[f"{convolution}.bias"] - arrays[f"{norm}.running_mean"]) * scale + arrays[f"{norm}.bias"]
    return arrays[f"{convolution}.weight"] * scale[:, None, None], bias


def _first_tables(arrays: Arrays) -> tuple[np.ndarray, ...]:
    """What each token adds to each channel by tap, on the left and the right, and what else the first layer reads."""
    weights, bias = _folded(arrays, "first", "first_norm")
    n_channels, n_taps = _up(len(bias), SUMS), weights.shape[2]
    by_row = []
    for row, name in enumerate(("embed_left.weight", "embed_right.weight")):
        own = weights[:, row * EMBEDDING : (row + 1) * EMBEDDING]  # (H, E, K)
        plain = np.einsum("te,hek->kth", arrays[name], own)
        matched = plain + weights[:, 2 * EMBEDDING + row].T[:, None]
        by_row.append(np.stack([plain, matched], 2).reshape(n_taps, 2 * N_STEM_TOKENS, -1))  # (K, 2 * tokens, H)
    apex, end, one = (weights[:, 2 * EMBEDDING + 2 + k].T for k in range(3))  # (K, H)
    by_row[0] = by_row[0] + one[:, None]
    tables = [_array(table[::-1], n_taps, 2 * N_STEM_TOKENS, n_channels) for table in by_row]
    tables = [np.ascontiguousarray(table.transpose(1, 0, 2)).reshape(len(table[0]), -1) for table in tables]
    places = [_array(each[::-1], n_taps, n_channels).ravel() for each in (apex, end)]
    return (*tables, *places, _array(bias, n_channels))


def _residual_weights(config: GenomeConfig, arrays: Arrays) -> tuple[np.ndarray, ...]:
    """Weights, biases and shifts of all residual convolutions, and the channel of each weight."""
    n_channels, n_taps = _up(config.n_channels, SUMS), config.kernel
    n_terms = _up(n_channels * n_taps, TERMS)
    n_layers = len(config.dilations)
    weights, biases = (
        np.zeros((n_layers, n_channels, n_terms), np.float32),
        np.zeros((n_layers, n_channels), np.float32),
    )
    shifts = np.zeros((n_layers, n_terms), np.int64)
    taps = np.tile(np.arange(n_taps) - n_taps // 2, n_channels)
    for layer, dilation in enumerate(config.dilations):
        folded, bias = _folded(arrays, f"residuals.{layer}.convolution", f"residuals.{layer}.norm")
        by_term = _array(folded, n_channels, n_channels, n_taps).reshape(n_channels, -1)
        weights[layer, :, : n_channels * n_taps] = by_term
        biases[layer] = _array(bias, n_channels)
        shifts[layer, : n_channels * n_taps] = taps * dilation
    channels = np.zeros(n_terms, np.int64)
    channels[: n_channels * n_taps] = np.repeat(np.arange(n_channels), n_taps)
    return weights, biases, shifts, channels


def _head_weights(config: GenomeConfig, arrays: Arrays) -> tuple[np.ndarray, ...]:
    """Weights and biases of attention and ends, and the channel of each weight."""
    n_channels = _up(config.n_channels, SUMS)
    n_terms = _up(n_channels, TERMS)
    weights = np.concatenate([arrays["attention.weight"], arrays["ends.weight"]])[..., 0]
    bias = np.concatenate([arrays["attention.bias"], arrays["ends.bias"]])
    n = _up(len(bias), SUMS)
    channels = np.minimum(np.arange(n_terms), n_channels - 1)
    return _array(weights, n, n_terms), _array(bias, n), channels


def _dense_weights(config: GenomeConfig, arrays: Arrays) -> tuple[np.ndarray, ...]:
    """Weights and biases of the dense layer, which reads the summary as it is, and of the output."""
    own, n_channels = config.n_channels, _up(config.n_channels, SUMS)
    n_parts = config.n_heads + 2
    scale = _scale(arrays, "summary_norm")
    of_pooled, of_summary = np.split(arrays["dense.weight"], [n_parts * own], axis=1)
    by_part = _array(of_pooled.T.reshape(n_parts, own, -1), n_parts, n_channels, config.n_hidden)
    dense = np.concatenate([by_part.reshape(n_parts * n_channels, -1), _array((of_summary * scale).T)])
    shift = arrays["summary_norm.bias"] - arrays["summary_norm.running_mean"] * scale
    bias = arrays["dense.bias"] + of_summary @ shift
    return dense, _array(bias), _array(arrays["output.weight"].T), _array(arrays["output.bias"])
