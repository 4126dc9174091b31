"""How many threads the numerical libraries use."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from threadpoolctl import threadpool_limits

__all__ = ["one_thread", "one_torch_thread"]


def one_thread() -> AbstractContextManager:
    """Scoring inside this block runs on one core.

    The network's layers are so small that a second thread only waits: 6,000 hairpins took 0.2 s with one thread and,
    on two cores with other work on them, 2.8 s with two.
    """
    return threadpool_limits(1)


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Training inside this block runs on one core, whatever torch's own pool is."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
