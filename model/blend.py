"""How the log-odds of several networks become one scale."""

from collections.abc import Sequence

import numpy as np

__all__ = ["BLEND", "blend"]

BLEND = 1.0
"""Log-odds above ``rescored_from`` over which the mean gains its full weight."""


def blend(first: np.ndarray, others: Sequence[np.ndarray], rescored_from: float) -> np.ndarray:
    """Log-odds of hairpins that all networks have read.

    Parameters
    ----------
    first, others
        Log-odds of each network, float32, shape (n,); the first one's above ``rescored_from``.
    rescored_from
        See :class:`mirsweep.model.genome_config.TwoStageConfig`.

    Returns
    -------
    float32, shape (n,).
    """
    share = np.clip((first - rescored_from) / BLEND, 0, 1)
    mean = np.mean([first, *others], 0)
    return np.maximum(first + share * (mean - first), rescored_from).astype(np.float32)
