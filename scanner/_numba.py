"""How kernels are declared in this package; where they are kept is settled in ``mirsweep.kernels``."""

from mirsweep.kernels import jit

__all__ = ["kernel"]

kernel = jit()
"""Decorator of every kernel: compiled once, kept, and run without the interpreter lock."""
