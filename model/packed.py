"""Matrices of weights in fixed point: what weights files hold in place of float32 where size matters.

A matrix ``NAME`` (n_out, n_in) is stored as three arrays: ``NAME.high`` and ``NAME.low``, int8, shape (n_in, n_out),
and ``NAME.step``, float32, shape (n_in,), with ``NAME = (256 * high + low) * step``, a step for each input. The high
bytes of inputs that need few bits are all 0, and inputs lie one after the other, so that deflate (a wheel, gzip) packs
them well. The weights of a convolution have two dimensions of inputs, channels and taps.

Ascending numbers ``NAME`` (n,), such as the 14-mers of mature sequences, are stored without loss as ``NAME.gaps``,
uint8, shape (4, n): the highest bytes of the differences from the number before first, which are nearly all 0.
"""

from collections.abc import Mapping

import numpy as np

from mirsweep.model.errors import ModelError

__all__ = ["MOST_STEPS", "pack", "pack_ascending", "pack_in_steps", "unpack"]

_PARTS = (".high", ".low", ".step")
_GAPS = ".gaps"
_BYTE = 256
_WORD_BYTES = 4
MOST_STEPS = 32_600
"""Of a weight, either way: what two bytes hold, with room for the low byte's sign."""


def pack(steps: np.ndarray, step: np.ndarray, *, name: str) -> dict[str, np.ndarray]:
    """A matrix in fixed point.

    Parameters
    ----------
    steps
        The weights in steps, whole numbers of at most :data:`MOST_STEPS` either way, shape (n_out, n_in) or more.
    step
        Step of each input, shape (n_in,) or as many as there are inputs, positive.
    name
        Of the matrix.

    Returns
    -------
    The three arrays, by name.
    """
    turned = np.moveaxis(steps.astype(np.int32), 0, -1)
    low = (turned + _BYTE // 2) % _BYTE - _BYTE // 2
    high = (turned - low) // _BYTE
    both = [np.ascontiguousarray(each, np.int8) for each in (high, low)]
    return dict(zip((name + part for part in _PARTS), [*both, step.astype(np.float32)], strict=True))


def pack_in_steps(weights: np.ndarray, n_steps: int, *, name: str) -> dict[str, np.ndarray]:
    """Weights rounded to steps of which each input's largest weight has ``n_steps``, packed; shapes as for ``pack``."""
    largest = np.abs(weights).max(axis=0).astype(np.float64)
    step = np.where(largest > 0, largest / n_steps, 1.0)
    return pack(np.rint(weights / step), step, name=name)


def pack_ascending(numbers: np.ndarray) -> np.ndarray:
    """Gaps of ascending numbers from 0 on, int32, shape (n,); uint8, shape (4, n)."""
    gaps = np.diff(numbers.astype(np.int64), prepend=0)
    planes = gaps.astype(">u4").view(np.uint8).reshape(-1, _WORD_BYTES).T
    return np.ascontiguousarray(planes)


def _summed(name: str, gaps: np.ndarray) -> np.ndarray:
    if gaps.dtype != np.uint8 or gaps.ndim != 2 or len(gaps) != _WORD_BYTES:
        raise ModelError(f"{name} are no gaps of ascending numbers")
    planes = np.ascontiguousarray(gaps.T)
    numbers = np.cumsum(planes.view(">u4").ravel().astype(np.int64))
    if numbers.size and numbers[-1] > np.iinfo(np.int32).max:
        raise ModelError(f"{name} add up to more than numbers of 32 bits hold")
    return numbers.astype(np.int32)


def unpack(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays, with each matrix in fixed point as float32, under its name.

    Raises
    ------
    ModelError
        If the three parts of a matrix do not fit together, or gaps are none.
    """
    ascending = [name for name in arrays if name.endswith(_GAPS)]
    arrays = dict(arrays) | {name.removesuffix(_GAPS): _summed(name, arrays[name]) for name in ascending}
    arrays = {name: array for name, array in arrays.items() if name not in ascending}
    names = [name.removesuffix(_PARTS[0]) for name in arrays if name.endswith(_PARTS[0])]
    of_packed = {f"{name}{part}" for name in names for part in _PARTS}
    found = {name: array for name, array in arrays.items() if name not in of_packed}
    return found | {name: _unpacked(name, *(arrays.get(f"{name}{part}") for part in _PARTS)) for name in names}


def _unpacked(name: str, high: np.ndarray | None, low: np.ndarray | None, step: np.ndarray | None) -> np.ndarray:
    if high is None or low is None or step is None:
        raise ModelError(f"of the matrix {name} not all of {', '.join(_PARTS)} are there")
    is_sound = high.dtype == low.dtype == np.int8 and step.dtype == np.float32
    if not is_sound or high.ndim < 2 or high.shape != low.shape or step.shape != high.shape[:-1]:
        raise ModelError(f"{', '.join(_PARTS)} of the matrix {name} do not fit together")
    steps = high.astype(np.float32)
    steps *= _BYTE
    steps += low
    steps *= step[..., None]
    return np.ascontiguousarray(np.moveaxis(steps, -1, 0))
