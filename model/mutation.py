"""Hairpins changed at random where evolution changes precursors, so that a network learns shapes rather than sequences.

A base pair becomes another pair, or is turned round; an unpaired base becomes any base. The structure stays, as it does
between precursors that are too far apart to share 14-mers.
"""

import torch
from torch import Tensor

from mirsweep.model._stem_kernels import BRANCH, STEM, UNPAIRED

__all__ = ["mutate"]

_PAIRS = ((0, 3), (3, 0), (1, 2), (2, 1), (2, 3), (3, 2))
"""Bases A C G U, left and right."""
_DRAWS = (21, 21, 24, 24, 5, 5)
"""How many of a hundred new pairs are each of these."""
_TURNED_SHARE = 0.5
"""Share of the changed pairs that are turned round, which keeps their composition."""
_N_BASES = 4


def mutate(
    left: Tensor, right: Tensor, shares: Tensor, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Change a share of each hairpin's columns at random.

    Parameters
    ----------
    left, right
        Tokens of the two rows (:data:`mirsweep.model.stem.N_STEM_TOKENS`), of any integer type, shape (B, C, ...).
        Flank columns hold no bases and stay.
    shares
        Chance of each column to change, shape (B, ...).
    generator
        Of the random draws, on the tokens' device; default: torch's own.

    Returns
    -------
    Both rows, as they are given.
    """

    def drawn(n: int) -> Tensor:
        return torch.randint(n, left.shape, device=left.device, generator=generator)

    def uniform() -> Tensor:
        return torch.rand(left.shape, device=left.device, generator=generator)

    is_changed, is_turned = uniform() < shares[:, None], uniform() < _TURNED_SHARE
    is_pair = (left >= STEM) & (left < STEM + _N_BASES) & (right >= STEM) & (right < STEM + _N_BASES)
    pairs = torch.tensor(_PAIRS, device=left.device).repeat_interleave(torch.tensor(_DRAWS, device=left.device), 0)
    new = pairs[drawn(sum(_DRAWS))] + STEM
    found = []
    for k, (row, opposite) in enumerate(((left, right), (right, left))):
        is_base = (row >= UNPAIRED) & (row < BRANCH + _N_BASES)
        kind = (row - UNPAIRED).div(_N_BASES, rounding_mode="floor") * _N_BASES + UNPAIRED
        other = torch.where(is_base, kind + drawn(_N_BASES).to(row.dtype), row)
        pair = torch.where(is_turned, opposite, new[..., k].to(row.dtype))
        found.append(torch.where(is_changed, torch.where(is_pair, pair, other), row))
    return found[0], found[1]
