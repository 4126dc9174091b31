"""What the threads of a block do together."""

from numba import cuda

__all__ = ["least_of"]


@cuda.jit(device=True)
def least_of(value, cell):
    """The least value of the block's threads; ``cell`` is in shared memory, int32, shape (1,)."""
    cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        cell[0] = value
    cuda.syncthreads()
    cuda.atomic.min(cell, 0, value)
    cuda.syncthreads()
    return cell[0]
