"""numba's CUDA target, loaded with whatever NumPy there is, and kernels that it compiles once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
from numba import cuda
from numba.core.errors import NumbaPerformanceWarning
from numpy.lib import NumpyVersion

__all__ = ["WARP", "few_are_few", "kept_kernel"]

WARP = 32
"""Threads that step together: a block has whole warps."""


def _load_target() -> None:
    """Load numba's CUDA target where NumPy 2.5 has dropped a name that it asks for, by way of that name's successor."""
    if NumpyVersion(np.__version__) < "2.5.0":
        return
    namespace: Any = np
    namespace.row_stack = np.vstack
    try:
        with suppress(ImportError):  # the simulator has no such module
            import_module("numba.cuda.np.arrayobj")
    finally:
        del namespace.row_stack


_load_target()


def kept_kernel(kernel: Callable) -> Any:
    """A kernel that numba compiles once for each kind of GPU, where it finds a folder to keep it in."""
    try:
        return cuda.jit(cache=True)(kernel)
    except RuntimeError:
        return cuda.jit(kernel)


@contextmanager
def few_are_few() -> Iterator[None]:
    """Launch kernels without numba's warning that a small batch leaves most of the GPU idle."""
    with catch_warnings():
        simplefilter("ignore", NumbaPerformanceWarning)
        yield
