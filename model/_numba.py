"""How kernels are declared in this package; where they are kept is settled in ``mirsweep.kernels``."""

from mirsweep.kernels import jit

__all__ = [
    "fused_kernel",
    "inner_fused_kernel",
    "inner_kernel",
    "inner_summing_kernel",
    "kernel",
    "summing_kernel",
]

kernel = jit()
"""Decorator of every kernel: compiled once, kept, and run without the interpreter lock."""

inner_kernel = jit(is_inner=True)
"""Decorator of kernels that only other kernels call."""

fused_kernel = jit(error_model="numpy", fastmath={"contract"})
"""Decorator of float kernels: a product and a sum may be one operation, and dividing by 0 gives infinity, so that loops
vectorise."""

summing_kernel = jit(error_model="numpy", fastmath={"contract", "reassoc"})
"""Decorator of float kernels that sum over a loop: the order of the terms is the compiler's too."""

inner_fused_kernel = jit(is_inner=True, error_model="numpy", fastmath={"contract"})
inner_summing_kernel = jit(is_inner=True, error_model="numpy", fastmath={"contract", "reassoc"})
"""The same of kernels that only other kernels call."""
