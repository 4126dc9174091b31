"""The genome model's networks: a sieve for every hairpin, one for those that it lets through, more for the likely ones.

The sieve, a small network (:mod:`mirsweep.model.sieve`), gives each hairpin a log-odds; where that exceeds
``read_from``, the first network's takes its place. A model without a sieve has the first network read all. Where its
log-odds exceeds ``rescored_from``, the mean of all networks takes its place (:mod:`mirsweep.model.blend`), in
proportion over the first ``BLEND`` above it and whole from there on, but never below ``rescored_from``. So the score
stays one scale, without a step, and no hairpin that was read again by all ranks below one that the first alone has
read.
"""

from dataclasses import replace

import torch
from torch import nn

from mirsweep.model.genome_config import TwoStageConfig
from mirsweep.model.genome_net import GenomeNet
from mirsweep.model.genome_weights import GenomeWeights
from mirsweep.model.sieve import Sieve

__all__ = ["TwoStageNet", "network_of"]


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


def network_of(weights: GenomeWeights) -> GenomeNet | TwoStageNet:
    """The network, or networks, with these weights, in torch and in evaluation mode."""
    config = weights.config
    net = TwoStageNet(config) if isinstance(config, TwoStageConfig) else GenomeNet(config)
    net.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.arrays.items()})
    return net.eval()
