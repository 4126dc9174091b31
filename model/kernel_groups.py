"""The kernels of this package in groups that are compiled side by side, see ``mirsweep.first_run``."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mirsweep.first_run import KernelGroup
from mirsweep.model._genome_kernels import forward
from mirsweep.model.arms import decode_ends, read_arm_weights
from mirsweep.model.encode import encode
from mirsweep.model.stem import lay_out

__all__ = ["GROUPS", "scoring_kernels"]

_HAIRPIN = ["GGGAAACCC"], ["(((...)))"]
_PLACES, _ENDS = np.zeros((1, 1, 2), np.int16), np.zeros((1, 4, 1), np.float32)


def _read_nothing() -> None:
    """The network's loop, for no hairpin; layers of one channel."""
    stems, floats = np.zeros((0, 1, 2), np.uint8), np.zeros(1, np.float32)
    rows, steps = floats.reshape(1, 1), np.zeros(1, np.int64)
    layers = (rows.reshape(1, 1, 1), rows, steps.reshape(1, 1), steps)
    first, last = (rows, rows, floats, floats, floats), (rows, floats, rows, floats)
    logits, ends = np.zeros((0, 2), np.float32), np.zeros((0, 0, 0), np.float32)
    forward(stems, stems, np.zeros(0, np.int64), first, layers, (rows, floats, steps), last, 1, logits, ends, rows)


GROUPS = {
    "encode": KernelGroup(0.4, lambda: encode(*_HAIRPIN, partner=True)),
    "columns": KernelGroup(1.7, lambda: lay_out(*_HAIRPIN)),
    "network": KernelGroup(3.5, _read_nothing),
    "arms": KernelGroup(2.0, lambda: decode_ends(_PLACES, np.zeros(1, np.int64), _ENDS, read_arm_weights())),
}


def scoring_kernels(card: Mapping[str, Any]) -> list[str]:
    """Names of the groups that a model needs, by its card."""
    names = ("columns", "network", "arms") if "kind" in card["config"] else ("encode",)
    return [f"{__name__}:{name}" for name in names]
