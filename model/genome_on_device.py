"""A network of the genome model on a GPU: torch's own layers, batches of similar width."""

import numpy as np
import torch

from mirsweep.model._stem_kernels import NOWHERE
from mirsweep.model.genome_config import ENDS
from mirsweep.model.genome_fused import Readings
from mirsweep.model.genome_net import GenomeNet, to_batch
from mirsweep.model.genome_weights import GenomeWeights
from mirsweep.model.prediction import make_buckets
from mirsweep.model.stem import Stems
from mirsweep.model.two_stage import network_of

__all__ = ["WIDTH_STEP", "OnDevice"]

WIDTH_STEP = 8
"""Batches are padded to multiples of this many columns, so that few shapes of the kernels are kept."""
_AT_ONCE = 2048
"""Hairpins computed at once."""


class OnDevice:
    """One network, ready to score.

    Parameters
    ----------
    weights
        Of one network.
    device
        ``"cuda"``, or ``"cpu"`` for a comparison.
    """

    def __init__(self, weights: GenomeWeights, device: str):
        net = network_of(weights)
        assert isinstance(net, GenomeNet)
        self._net, self._device = net.to(device).requires_grad_(False), device

    @torch.inference_mode()
    def __call__(self, stems: Stems, *, with_ends: bool = True) -> Readings:
        """What the network says of hairpins; as :class:`mirsweep.model.genome_fused.FusedGenomeNet` has it."""
        n, widest = stems.tokens.shape[:2]
        found = Readings(
            np.empty(n, np.float32),
            np.empty(n, np.float32),
            np.full((n, ENDS, widest), NOWHERE, np.float32) if with_ends else np.empty((n, 0, 0), np.float32),
            np.empty((n, 0), np.float32),
        )
        for rows in make_buckets(stems.n_columns, _AT_ONCE) if n else ():
            output = self._net(*to_batch(stems, rows, width_step=WIDTH_STEP, device=self._device))
            found.logits[rows] = output.logits.cpu().numpy()
            found.arm_logits[rows] = output.arm_logits.cpu().numpy()
            if with_ends:
                ends = output.ends.log_softmax(2).cpu().numpy()[:, :, :widest]
                found.ends[rows, :, : ends.shape[2]] = ends
        return found
