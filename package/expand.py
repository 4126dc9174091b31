"""Rows repeated, each as often as it is to be: how ragged lists are laid end to end without a loop."""

import numpy as np

__all__ = ["expanded"]


def expanded(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row as often as its count says, and which time it is, from 0 on; int64, shape (counts.sum(),) both."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
