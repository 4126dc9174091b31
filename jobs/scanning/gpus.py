"""The GPUs of this machine that worker processes share."""

import os

from mirsweep.model.devices import gpu_bytes
from mirsweep.scanner.errors import InputError

__all__ = ["GPU_WORKER_BYTES", "VISIBLE", "visible_gpus", "workers_on_gpus"]

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""CUDA's environment variable: the GPUs that a process may use."""
GPU_WORKER_BYTES = 3_000_000_000
"""GPU memory that a worker process is reckoned to take: CUDA itself, a batch of hairpins, and what folding needs."""


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    n = len(gpu_bytes())
    given = [name.strip() for name in os.environ.get(VISIBLE, "").split(",") if name.strip()]
    return given[:n] if len(given) >= n > 0 else [str(k) for k in range(n)]


def workers_on_gpus() -> int:
    """Worker processes that the GPUs have memory for.

    Raises
    ------
    InputError
        If they have none for a single one.
    """
    sizes = gpu_bytes()
    n = sum(size // GPU_WORKER_BYTES for size in sizes)
    if not n:
        raise InputError(f"the GPU has {max(sizes, default=0) / 1e9:.1f} GB, too few for a scan: give --device cpu.")
    return n
