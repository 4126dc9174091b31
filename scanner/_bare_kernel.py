"""Kernels without reference counting: for loops that take many views of arrays which others own.

numba counts references to every view it makes or passes on, with atomic operations; in the batched fold engine that
took nine tenths of the time of backtracking. A bare kernel must not allocate or return arrays.
"""

from typing import Any

from numba.core.options import DefaultOptions

from mirsweep.kernels import jit

__all__ = ["bare_inner_kernel", "bare_kernel"]

# The option is numba's own, used for targets without its runtime; without it kernels are slower, not wrong.
_OPTIONS: dict[str, Any] = {"_nrt": False} if hasattr(DefaultOptions, "_nrt") else {}

bare_kernel = jit(**_OPTIONS)
"""Decorator: as ``mirsweep.scanner._numba.kernel``, without reference counting."""

bare_inner_kernel = jit(is_inner=True, **_OPTIONS)
"""The same for kernels that only other kernels call."""
