"""Weights of the genome model as arrays: what scoring on the CPU needs, which so does without torch."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mirsweep.model.genome_config import EMBEDDING, ENDS, N_SUMMARY, GenomeConfig, TwoStageConfig
from mirsweep.model.stem import N_STEM_TOKENS

__all__ = ["Form", "GenomeWeights", "forms_of"]

_PLACES = 5
"""What the first convolution reads beside the embeddings: two matches, two distances, one."""


class Form(NamedTuple):
    """Shape and type of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype


class GenomeWeights(NamedTuple):
    """A network or several, and their arrays by the names that torch gives them (``GenomeNet``, ``TwoStageNet``)."""

    config: GenomeConfig | TwoStageConfig
    arrays: Mapping[str, np.ndarray]

    @property
    def members(self) -> list["GenomeWeights"]:
        """Each network but the sieve, the first one first."""
        if isinstance(self.config, GenomeConfig):
            return [self]
        others = [self._part(f"second.{k}.", config) for k, config in enumerate(self.config.second)]
        return [self._part("first.", self.config.first), *others]

    @property
    def sieve(self) -> "GenomeWeights | None":
        """The sieve, if there is one."""
        if isinstance(self.config, GenomeConfig) or self.config.sieve is None:
            return None
        return self._part("sieve.", self.config.sieve)

    def _part(self, prefix: str, config: GenomeConfig) -> "GenomeWeights":
        arrays = {name.removeprefix(prefix): a for name, a in self.arrays.items() if name.startswith(prefix)}
        return GenomeWeights(config, arrays)


def forms_of(config: GenomeConfig | TwoStageConfig) -> dict[str, Form]:
    """Shapes and types of the arrays of a network or of several, by name."""
    if isinstance(config, GenomeConfig):
        return _forms_of_one(config)
    parts = {"first.": config.first} | {f"second.{k}.": each for k, each in enumerate(config.second)}
    if config.sieve is not None:
        parts["sieve."] = config.sieve
    return {prefix + name: form for prefix, each in parts.items() for name, form in _forms_of_one(each).items()}


def _forms_of_one(config: GenomeConfig) -> dict[str, Form]:
    c, width = config, config.n_channels
    found = {
        "embed_left.weight": _floats(N_STEM_TOKENS, EMBEDDING),
        "embed_right.weight": _floats(N_STEM_TOKENS, EMBEDDING),
        **_layer("first", width, 2 * EMBEDDING + _PLACES, c.kernel),
        **_norm("first_norm", width),
        **_layer("attention", c.n_heads, width, 1),
        **_layer("ends", ENDS, width, 1),
        **_norm("summary_norm", N_SUMMARY),
        **_layer("dense", c.n_hidden, (c.n_heads + 2) * width + N_SUMMARY),
        **_layer("output", 2, c.n_hidden),
        "words": Form((c.n_words,), np.dtype(np.int32)),
    }
    for k in range(len(c.dilations)):
        found |= _layer(f"residuals.{k}.convolution", width, width, c.kernel) | _norm(f"residuals.{k}.norm", width)
    return found


def _floats(*shape: int) -> Form:
    return Form(shape, np.dtype(np.float32))


def _layer(name: str, n_out: int, *others: int) -> dict[str, Form]:
    """Weights and biases of a convolution or dense layer."""
    return {f"{name}.weight": _floats(n_out, *others), f"{name}.bias": _floats(n_out)}


def _norm(name: str, width: int) -> dict[str, Form]:
    """A batch normalisation."""
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": _floats(width) for part in parts} | {
        f"{name}.num_batches_tracked": Form((), np.dtype(np.int64))
    }
