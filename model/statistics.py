"""Classical features of hairpins computed from tokens, many at once, where the network computes."""

import torch
from torch import Tensor

from mirsweep.model.encode import N_TOKENS, PADDING
from mirsweep.model.features import CLASSICAL

__all__ = ["STATISTICS", "token_statistics"]

STATISTICS = tuple(name for name in CLASSICAL if not name.startswith("mfe"))
"""Names of the features, those of :mod:`mirsweep.model.features` that need no energy."""

_OPEN, _CLOSE, _LOOP = 0, 1, 3


def token_statistics(tokens: Tensor) -> Tensor:
    """Features of each hairpin of a batch; equal to :func:`mirsweep.model.features.classical_features`.

    Parameters
    ----------
    tokens
        Front-padded tokens, shape (B, L), with or without the pairing partner's base.

    Returns
    -------
    float32, shape (B, 68), columns as ``STATISTICS``.
    """
    tokens = tokens.long()
    is_real = tokens != PADDING
    joint = (tokens - 1) % N_TOKENS
    base, symbol = joint // 4, torch.where(is_real, joint % 4, 2)
    shape = _shape(base, symbol, is_real)
    n = is_real.sum(dim=1, keepdim=True)
    composition = _counts(base, is_real, 4) / n.clamp(min=1)
    gc = composition[:, 1:2] + composition[:, 2:3]
    steps = _counts(4 * base[:, :-1] + base[:, 1:], is_real[:, :-1], 16) / (n - 1).clamp(min=1)
    is_free = (symbol >= 2).long()
    middle = 8 * base[:, 1:-1] + 4 * is_free[:, :-2] + 2 * is_free[:, 1:-1] + is_free[:, 2:]
    triplets = _counts(middle, is_real[:, :-2], 32) / (n - 2).clamp(min=1)
    return torch.cat((shape, composition, gc, steps, triplets), dim=1)


def _counts(values: Tensor, is_counted: Tensor, n_values: int) -> Tensor:
    """How often each value stands in a row: (B, L) to float32 (B, n_values)."""
    zeros = torch.zeros(len(values), n_values, device=values.device)
    return zeros.scatter_add_(1, values.clamp(min=0), is_counted.float())


def _shape(base: Tensor, symbol: Tensor, is_real: Tensor) -> Tensor:
    """The features of length, pairs and loops, float32 (B, 15)."""
    place = torch.arange(base.shape[1], device=base.device).expand_as(base)
    is_open, is_close, is_loop = (is_real & (symbol == kind) for kind in (_OPEN, _CLOSE, _LOOP))
    partner = _partners(is_open, is_close, place)
    n, n_pairs = is_real.sum(dim=1), is_open.sum(dim=1)
    low, high = _pair_bases(base, partner)
    kinds = [
        (is_open & (low == a) & (high == b)).sum(dim=1) / n_pairs.clamp(min=1) for a, b in ((0, 3), (1, 2), (2, 3))
    ]
    width, has_pairs = base.shape[1], n_pairs > 0
    first = torch.where(is_open, place, width).amin(dim=1) - (width - n)
    last = torch.where(is_close, place, -1).amax(dim=1)
    columns = [
        n,
        n_pairs,
        n_pairs / n.clamp(min=1),
        *kinds,
        (is_loop & ~is_loop.roll(1, dims=1)).sum(dim=1),
        _runs(is_loop, place).amax(dim=1),
        *_stem(is_open, partner, place),
        torch.where(has_pairs, first, 0),
        torch.where(has_pairs, width - 1 - last, 0),
    ]
    return torch.stack([column.float() for column in columns], dim=1)


def _partners(is_open: Tensor, is_close: Tensor, place: Tensor) -> Tensor:
    """Place of each bracket's partner, (B, L); at the other places without meaning.

    Brackets of one depth open and close in turn, so that, sorted by depth and place, neighbours are partners.
    """
    width = place.shape[1]
    depth = (is_open.long() - is_close.long()).cumsum(dim=1) + is_close.long()
    order = torch.where(is_open | is_close, depth * width + place, (width + 1) * width + place).argsort(dim=1)
    couples = order[:, : width // 2 * 2].unflatten(1, (-1, 2))
    first, second = couples.unbind(2)
    return torch.zeros_like(place).scatter(1, first, second).scatter(1, second, first)


def _pair_bases(base: Tensor, partner: Tensor) -> tuple[Tensor, Tensor]:
    other = base.gather(1, partner)
    return torch.minimum(base, other), torch.maximum(base, other)


def _stem(is_open: Tensor, partner: Tensor, place: Tensor) -> list[Tensor]:
    """Loops between a pair and the next that it encloses: number, largest, unpaired bases, asymmetry; longest helix."""
    width = place.shape[1]
    opens = torch.where(is_open, place, width)
    following = torch.cat((opens[:, 1:], torch.full_like(opens[:, :1], width)), dim=1)
    following = following.flip(1).cummin(dim=1).values.flip(1)
    partner_of_following = partner.gather(1, following.clamp(max=width - 1))
    is_around = is_open & (following < width) & (partner_of_following < partner)
    left = torch.where(is_around, following - place - 1, 0)
    right = torch.where(is_around, partner - partner_of_following - 1, 0)
    sizes = left + right
    helix = _runs(is_around & (sizes == 0), place).amax(dim=1) + is_open.any(dim=1).long()
    return [
        (sizes > 0).sum(dim=1),
        sizes.amax(dim=1),
        sizes.sum(dim=1),
        (left - right).abs().sum(dim=1),
        helix,
    ]


def _runs(is_in: Tensor, place: Tensor) -> Tensor:
    """Number of places in an unbroken row that ends here, 0 outside; (B, L)."""
    last_out = torch.where(is_in, -1, place).cummax(dim=1).values
    return torch.where(is_in, place - last_out, 0)
