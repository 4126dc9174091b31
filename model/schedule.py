"""One cycle of the learning rate (Smith 2018, arXiv:1803.09820)."""

import math

__all__ = ["one_cycle"]

_WARM_UP, _FIRST_DIVISOR, _LAST_DIVISOR = 0.3, 25.0, 1e4
"""One cycle: share of the steps in which the learning rate rises; peak over its first value; first over last."""

_MOMENTUM = (0.95, 0.85)
"""Adam's first momentum at the lowest and at the highest learning rate, which it mirrors (Smith 2018, section 4.3)."""


def one_cycle(step: int, n_steps: int, *, peak: float) -> tuple[float, float]:
    """Learning rate and Adam's first momentum of a step, counted from 0, of ``n_steps``.

    Along half a cosine each, the learning rate rises from ``peak`` / 25 to ``peak`` within the first 30 % of the steps
    and falls to ``peak`` / 250,000. It is torch's ``OneCycleLR`` as a function of the step alone, so that a resumed
    run needs no schedule on disk.
    """
    first, turn = peak / _FIRST_DIVISOR, _WARM_UP * n_steps - 1
    if step <= turn:
        share = step / turn
        return _half_cosine(first, peak, share), _half_cosine(_MOMENTUM[0], _MOMENTUM[1], share)
    share = (step - max(turn, 0.0)) / (n_steps - 1 - max(turn, 0.0))
    return _half_cosine(peak, first / _LAST_DIVISOR, share), _half_cosine(_MOMENTUM[1], _MOMENTUM[0], share)


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (math.cos(math.pi * share) + 1)
