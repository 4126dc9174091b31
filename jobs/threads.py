"""How many threads the numerical libraries use."""

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits

__all__ = ["one_thread"]


def one_thread() -> AbstractContextManager:
    """Scoring inside this block runs on one core.

    The network's layers are so small that a second thread only waits: 6,000 hairpins took 0.2 s with one thread and,
    on two cores with other work on them, 2.8 s with two.
    """
    return threadpool_limits(1)
