"""How kernels are declared in this package; where they are kept is settled in ``mirsweep.kernels``."""

from mirsweep.kernels import jit

__all__ = ["inner_kernel", "kernel"]

kernel = jit()
"""Decorator of every kernel: compiled once, kept, and run without the interpreter lock."""

inner_kernel = jit(is_inner=True)
"""Decorator of kernels that only other kernels call."""
