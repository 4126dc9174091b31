"""Matrices of weights in fixed point: what weights files hold in place of float32 where size matters.

A matrix ``NAME`` (n_out, n_in) is stored as three tensors: ``NAME.high`` and ``NAME.low``, int8, shape (n_in, n_out),
and ``NAME.step``, float32, shape (n_in,), with ``NAME = (256 * high + low) * step``, a step for each input. The high
bytes of inputs that need few bits are all 0, and inputs lie one after the other, so that deflate (a wheel, gzip) packs
them well.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from mirsweep.model.errors import ModelError

__all__ = ["MOST_STEPS", "pack", "unpack"]

_PARTS = (".high", ".low", ".step")
_BYTE = 256
MOST_STEPS = 32_600
"""Of a weight, either way: what two bytes hold, with room for the low byte's sign."""


def pack(steps: np.ndarray, step: np.ndarray, *, name: str) -> dict[str, Tensor]:
    """A matrix in fixed point.

    Parameters
    ----------
    steps
        The weights in steps, whole numbers of at most :data:`MOST_STEPS` either way, shape (n_out, n_in).
    step
        Step of each input, shape (n_in,), positive.
    name
        Of the matrix.

    Returns
    -------
    The three tensors, by name.
    """
    turned = steps.astype(np.int32).T
    low = (turned + _BYTE // 2) % _BYTE - _BYTE // 2
    high = (turned - low) // _BYTE
    arrays = (np.ascontiguousarray(high, np.int8), np.ascontiguousarray(low, np.int8), step.astype(np.float32))
    return {f"{name}{part}": torch.from_numpy(array) for part, array in zip(_PARTS, arrays, strict=True)}


def unpack(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, with each matrix in fixed point as float32, under its name.

    Raises
    ------
    ModelError
        If the three parts of a matrix do not fit together.
    """
    names = [name.removesuffix(_PARTS[0]) for name in tensors if name.endswith(_PARTS[0])]
    of_packed = {f"{name}{part}" for name in names for part in _PARTS}
    found = {name: tensor for name, tensor in tensors.items() if name not in of_packed}
    return found | {name: _unpacked(name, *(tensors.get(f"{name}{part}") for part in _PARTS)) for name in names}


def _unpacked(name: str, high: Tensor | None, low: Tensor | None, step: Tensor | None) -> Tensor:
    if high is None or low is None or step is None:
        raise ModelError(f"of the matrix {name} not all of {', '.join(_PARTS)} are there")
    is_sound = high.dtype == low.dtype == torch.int8 and step.dtype == torch.float32
    if not is_sound or high.dim() != 2 or high.shape != low.shape or step.shape != high.shape[:1]:
        raise ModelError(f"{', '.join(_PARTS)} of the matrix {name} do not fit together")
    steps = high.float().mul_(_BYTE).add_(low)
    return steps.mul_(step[:, None]).t().contiguous()
