"""The genome model's networks: a sieve for every hairpin, one for those that it lets through, more for the likely ones.

The sieve, a small network (:mod:`mirsweep.model.sieve`), gives each hairpin a log-odds; where that exceeds
``read_from``, the first network's takes its place. A model without a sieve has the first network read all. Where its
log-odds exceeds ``rescored_from``, the mean of all networks takes its place, in proportion over the first ``BLEND``
above it and whole from there on, but never below ``rescored_from``. So the score stays one scale, without a step, and
no hairpin that was read again by all ranks below one that the first alone has read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from mirsweep.model.errors import ModelError
from mirsweep.model.genome_net import GenomeConfig, GenomeNet
from mirsweep.model.sieve import Sieve

__all__ = ["BLEND", "TwoStageConfig", "TwoStageNet", "blend"]

BLEND = 1.0
"""Log-odds above ``rescored_from`` over which the mean gains its full weight."""
_KIND = "two-stage"
_MOST_NETWORKS = 64


@dataclass(frozen=True)
class TwoStageConfig:
    """Sizes of the networks.

    Attributes
    ----------
    first
        Of the network that reads every hairpin that the sieve lets through.
    second
        Of those that read the likely ones; they share the first one's 14-mers.
    rescored_from
        Log-odds of the first from which on the others are asked.
    sieve
        Of the sieve, which shares the 14-mers, too; None for none.
    read_from
        Log-odds of the sieve from which on the first is asked.
    kind
        Always ``"two-stage"``.
    """

    first: GenomeConfig
    second: tuple[GenomeConfig, ...]
    rescored_from: float
    sieve: GenomeConfig | None = None
    read_from: float = 0.0
    kind: str = _KIND

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", _as_config(self.first))
        object.__setattr__(self, "second", tuple(map(_as_config, self.second)))
        object.__setattr__(self, "sieve", None if self.sieve is None else _as_config(self.sieve))
        if len(self.second) > _MOST_NETWORKS:
            raise ModelError(f"{len(self.second)} networks are too many: {_MOST_NETWORKS} at most.")
        if self.kind != _KIND or not self.second:
            raise ModelError(
                f"networks of kind {self.kind!r}, {len(self.second)} of them after the first, are unknown."
            )
        others = (*self.second, *([] if self.sieve is None else [self.sieve]))
        if any(each.n_words or each.max_length != self.first.max_length for each in others):
            raise ModelError("the other networks share 14-mers and longest sequence with the first.")
        for threshold in (self.rescored_from, self.read_from):
            if not isinstance(threshold, int | float) or not -100 < threshold < 100:
                raise ModelError(f"log-odds of {threshold!r} cannot be a threshold.")

    @property
    def max_length(self) -> int:
        """Longest sequence, nt."""
        return self.first.max_length


def _as_config(given: GenomeConfig | dict[str, Any]) -> GenomeConfig:
    """Sizes as they are, or as a card has them."""
    return given if isinstance(given, GenomeConfig) else GenomeConfig(**given)


class TwoStageNet(nn.Module):
    """The networks with their weights.

    Parameters
    ----------
    config
        Sizes.
    """

    def __init__(self, config: TwoStageConfig):
        super().__init__()
        self.config = config
        self.first = GenomeNet(config.first)
        self.second = nn.ModuleList(GenomeNet(each) for each in config.second)
        self.sieve = None if config.sieve is None else GenomeNet(config.sieve)

    @classmethod
    def of(
        cls, first: GenomeNet, second: list[GenomeNet], *, rescored_from: float, sieve: Sieve | None = None
    ) -> "TwoStageNet":
        """Put trained networks together."""
        config = TwoStageConfig(first.config, tuple(each.config for each in second), rescored_from)
        if sieve is not None:
            config = replace(config, sieve=sieve.net.config, read_from=sieve.read_from)
        net = cls(config)
        net.first.load_state_dict(first.state_dict())
        if net.sieve is not None and sieve is not None:
            net.sieve.load_state_dict(sieve.net.state_dict())
        for own, given in zip(net.second, second, strict=True):
            own.load_state_dict(given.state_dict())
        return net.eval()

    @property
    def members(self) -> list[GenomeNet]:
        """All networks but the sieve, the first one first."""
        return [self.first, *(each for each in self.second if isinstance(each, GenomeNet))]


def blend(first: np.ndarray, others: Sequence[np.ndarray], rescored_from: float) -> np.ndarray:
    """Log-odds of hairpins that all networks have read.

    Parameters
    ----------
    first, others
        Log-odds of each network, float32, shape (n,); the first one's above ``rescored_from``.
    rescored_from
        See ``TwoStageConfig``.

    Returns
    -------
    float32, shape (n,).
    """
    share = np.clip((first - rescored_from) / BLEND, 0, 1)
    mean = np.mean([first, *others], 0)
    return np.maximum(first + share * (mean - first), rescored_from).astype(np.float32)
