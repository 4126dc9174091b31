"""Mature sequences of both arms by a kernel of numba's CUDA target, which reads torch's tensors where they are."""

from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

from mirsweep.model.arms import LENGTHS_NT, WITHIN_NT
from mirsweep.model.arms_on_device import ArmTerms
from mirsweep.model.columns_on_device import DeviceStems

__all__ = ["decode_hairpins", "has_kernel"]

_THREADS = 64


@cache
def has_kernel(device: torch.device) -> bool:
    """Whether numba can compile for this device."""
    if device.type != "cuda" or find_spec("numba_cuda") is None:
        return False
    from numba import cuda

    return bool(cuda.is_available())


def decode_hairpins(
    stems: DeviceStems, rows: Tensor, facts: Tensor, ends: Tensor, terms: ArmTerms, longest: int
) -> tuple[Tensor, Tensor]:
    """The best pair of mature sequences; where only one arm has room for one, the best of that.

    Parameters
    ----------
    rows, facts
        Number of each hairpin, int64, shape (B,), and its columns, start and end of the loop, and length, int64, shape
        (B, 4).
    ends
        Log probabilities of the columns, float32, shape (B, 4, c).
    longest
        Bases of the longest.

    Returns
    -------
    Spans, int16, and near, float32, shape (B, 4), as in ``arms.Decoded``.
    """
    from numba import cuda

    from mirsweep.cuda_kernels import few_are_few
    from mirsweep.model._cudaarms_kernels import decode_hairpins as kernel

    n, device = len(rows), ends.device
    spans = torch.full((n, 4), -1, dtype=torch.int16, device=device)
    near = torch.zeros((n, 4), device=device)
    best = torch.empty((n, longest), dtype=torch.float64, device=device)
    given = (rows, facts, stems.base_firsts, stems.base_columns, ends.contiguous())
    weights = LENGTHS_NT[0], *map(cuda.as_cuda_array, (terms.lengths, terms.overhangs))
    own = torch.cuda.current_stream(device).cuda_stream
    launch = kernel[-(-n // _THREADS), _THREADS, cuda.external_stream(own) if own else 0]
    with few_are_few():
        launch(*map(cuda.as_cuda_array, given), weights, WITHIN_NT, *map(cuda.as_cuda_array, (best, spans, near)))
    return spans, near
