"""Classical features of hairpins computed from tokens, many at once, where the network computes."""

from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from mirsweep.model.encode import N_TOKENS, PADDING
from mirsweep.model.features import CLASSICAL

__all__ = ["STABILITIES", "STATISTICS", "token_stabilities", "token_statistics"]

STATISTICS = tuple(name for name in CLASSICAL if not name.startswith("mfe"))
"""Names of the features, those of :mod:`mirsweep.model.features` that need no energy."""

STABILITIES = (
    "stability",
    "stability_per_nt",
    "stability_per_nt_per_gc",
    "stability_per_pair",
    "stacking",
    "stacking_per_nt",
)
"""Names of the features that stand in for the energy: minus an energy of stacks and loops, at least 0."""

_OPEN, _CLOSE, _LOOP = 0, 1, 3

_PAIRS = ("CG", "GC", "GU", "UG", "AU", "UA")
_STACKS = (
    (-2.4, -3.3, -2.1, -1.4, -2.1, -2.1),
    (-3.3, -3.4, -2.5, -1.5, -2.2, -2.4),
    (-2.1, -2.5, 1.3, -0.5, -1.4, -1.3),
    (-1.4, -1.5, -0.5, 0.3, -0.6, -1.0),
    (-2.1, -2.2, -1.4, -0.6, -1.1, -0.9),
    (-2.1, -2.4, -1.3, -1.0, -0.9, -1.3),
)
"""kcal/mol: a pair on the pair that it encloses, the latter read backwards (Turner 2004, as in ViennaRNA)."""
_HAIRPIN = (*3 * [0.0], 5.4, 5.6, 5.7, 5.4, 6.0, 5.5, 6.4, 6.5, 6.6, 6.7, 6.8, 6.9, 6.9, 7.0, 7.1, 7.1, 7.2, 7.2, 7.3,
            7.3, 7.4, 7.4, 7.5, 7.5, 7.5, 7.6, 7.6, 7.7)  # fmt: skip
_BULGE = (0.0, 3.8, 2.8, 3.2, 3.6, 4.0, 4.4, 4.6, 4.7, 4.8, 4.9, 5.0, 5.1, 5.2, 5.3, 5.4, 5.4, 5.5, 5.5, 5.6, 5.7, 5.7,
          5.8, 5.8, 5.8, 5.9, 5.9, 6.0, 6.0, 6.0, 6.1)  # fmt: skip
_INTERIOR = (*2 * [0.0], 1.0, 1.0, 1.1, 2.0, 2.0, 2.1, 2.3, 2.4, 2.5, 2.6, 2.7, 2.8, 2.9, 2.9, 3.0, 3.1, 3.1, 3.2, 3.3,
             3.3, 3.4, 3.4, 3.5, 3.5, 3.5, 3.6, 3.6, 3.7, 3.7)  # fmt: skip
"""kcal/mol by unpaired bases, those of 30 beyond."""
_MISMATCH, _BRANCH, _AU_END, _AU_LOOP, _ASYMMETRY, _MOST_ASYMMETRY = -0.8, 1.0, 0.5, 0.7, 0.6, 3.0
"""kcal/mol: in place of a hairpin loop's mismatch; of a loop with branches; of pairs other than C-G at bulges and
branches, and at interior loops; of interior loops, per nt of difference of their sides, and at most."""


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
    base, symbol, is_real = _decoded(tokens)
    shape = _shape(base, symbol, is_real)
    n = is_real.sum(dim=1, keepdim=True)
    composition = _counts(base, is_real, 4) / n.clamp(min=1)
    gc = composition[:, 1:2] + composition[:, 2:3]
    steps = _counts(4 * base[:, :-1] + base[:, 1:], is_real[:, :-1], 16) / (n - 1).clamp(min=1)
    is_free = (symbol >= 2).long()
    middle = 8 * base[:, 1:-1] + 4 * is_free[:, :-2] + 2 * is_free[:, 1:-1] + is_free[:, 2:]
    triplets = _counts(middle, is_real[:, :-2], 32) / (n - 2).clamp(min=1)
    return torch.cat((shape, composition, gc, steps, triplets), dim=1)


def _decoded(tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Base and symbol (2, unpaired, at padding) of each token, and whether it is none of the padding; (B, L)."""
    tokens = tokens.long()
    is_real = tokens != PADDING
    joint = (tokens - 1) % N_TOKENS
    return joint // 4, torch.where(is_real, joint % 4, 2), is_real


def token_stabilities(tokens: Tensor) -> Tensor:
    """Minus an estimate of each hairpin's energy: stacks, and loops by their size, without mismatches.

    On the hairpins of the paper's human set it correlates with RNAfold's energies by 0.96.

    Parameters
    ----------
    tokens
        Front-padded tokens, shape (B, L), with or without the pairing partner's base.

    Returns
    -------
    float32, shape (B, 6), columns as ``STABILITIES``.
    """
    base, symbol, is_real = _decoded(tokens)
    n, n_pairs = (each.sum(dim=1).clamp(min=1) for each in (is_real, is_real & (symbol == _OPEN)))
    gc = (is_real & ((base == 1) | (base == 2))).sum(dim=1) / n
    loops, stacks = (each.sum(dim=1) for each in _energies(base, symbol, is_real))
    total, stacking = (-(loops + stacks)).clamp(min=0), (-stacks).clamp(min=0)
    columns = (total, total / n, total / n / gc.clamp(min=0.01), total / n_pairs, stacking, stacking / n)
    return torch.stack(columns, dim=1)


def _energies(base: Tensor, symbol: Tensor, is_real: Tensor) -> tuple[Tensor, Tensor]:
    """At each opening place, energy of the loop that the pair closes and of its stack on the pair within; (B, L)."""
    place = torch.arange(base.shape[1], device=base.device).expand_as(base)
    is_open, is_close = (is_real & (symbol == kind) for kind in (_OPEN, _CLOSE))
    partner = _partners(is_open, is_close, place)
    around = _around(is_open, partner, place)
    size, difference = around.left + around.right, (around.left - around.right).abs()
    closing, enclosed = _pair_code(base, place, partner), _pair_code(base, around.following, around.partner)
    stack = torch.tensor(_STACK_TABLE, device=base.device)[16 * closing + enclosed]
    is_cg = torch.tensor([code in (6, 9) for code in range(16)], device=base.device)  # CG, GC
    n_au = (~is_cg[closing]).float() + (~is_cg[enclosed]).float()
    hairpin, bulge, interior = (torch.tensor(table, device=base.device) for table in (_HAIRPIN, _BULGE, _INTERIOR))
    clamped = size.clamp(max=30)
    is_bulge = (around.left == 0) | (around.right == 0)
    of_bulge = bulge[clamped] + torch.where(size == 1, 0, _AU_END * n_au)
    of_interior = interior[clamped] + _AU_LOOP * n_au + (_ASYMMETRY * difference).clamp(max=_MOST_ASYMMETRY)
    of_inner = torch.where(size == 0, 0, torch.where(is_bulge, of_bulge, of_interior))
    of_hairpin = hairpin[(partner - place - 1).clamp(0, 30)] + _MISMATCH
    of_branch = _BRANCH + _AU_END * (~is_cg[closing]).float()
    of_rest = torch.where(around.following < partner, of_branch, of_hairpin)
    n_opened = is_open.cumsum(dim=1)
    is_inner = around.is_inner & (n_opened.gather(1, around.partner) == n_opened.gather(1, partner))
    loops = torch.where(is_open, torch.where(is_inner, of_inner, of_rest), 0)
    return loops, torch.where(is_inner & (size <= 1), stack, 0)


def _pair_code(base: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """4 * base + base of two places, (B, L)."""
    last = base.shape[1] - 1
    return 4 * base.gather(1, first.clamp(max=last)) + base.gather(1, second.clamp(max=last))


def _stack_table() -> list[float]:
    """Energy by 16 times the outer pair's code and the inner pair's; 0 where either is no pair."""
    codes = ["".join(pair) for pair in product("ACGU", repeat=2)]
    values = zip(product(_PAIRS, repeat=2), sum(_STACKS, ()), strict=True)
    known = {(outer, inner[::-1]): energy for (outer, inner), energy in values}
    return [known.get((outer, inner), 0.0) for outer in codes for inner in codes]


_STACK_TABLE = _stack_table()


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


class _Around(NamedTuple):
    """Of each opening place: the next pair, whether it lies within this one, and if so the nt between; (B, L)."""

    following: Tensor
    partner: Tensor
    is_inner: Tensor
    left: Tensor
    right: Tensor


def _around(is_open: Tensor, partner: Tensor, place: Tensor) -> _Around:
    width = place.shape[1]
    opens = torch.where(is_open, place, width)
    following = torch.cat((opens[:, 1:], torch.full_like(opens[:, :1], width)), dim=1)
    following = following.flip(1).cummin(dim=1).values.flip(1)
    partner_of_following = partner.gather(1, following.clamp(max=width - 1))
    is_inner = is_open & (following < width) & (partner_of_following < partner)
    left = torch.where(is_inner, following - place - 1, 0)
    right = torch.where(is_inner, partner - partner_of_following - 1, 0)
    return _Around(following, partner_of_following, is_inner, left, right)


def _stem(is_open: Tensor, partner: Tensor, place: Tensor) -> list[Tensor]:
    """Loops between a pair and the next that it encloses: number, largest, unpaired bases, asymmetry; longest helix."""
    around = _around(is_open, partner, place)
    sizes = around.left + around.right
    helix = _runs(around.is_inner & (sizes == 0), place).amax(dim=1) + is_open.any(dim=1).long()
    return [
        (sizes > 0).sum(dim=1),
        sizes.amax(dim=1),
        sizes.sum(dim=1),
        (around.left - around.right).abs().sum(dim=1),
        helix,
    ]


def _runs(is_in: Tensor, place: Tensor) -> Tensor:
    """Number of places in an unbroken row that ends here, 0 outside; (B, L)."""
    last_out = torch.where(is_in, -1, place).cummax(dim=1).values
    return torch.where(is_in, place - last_out, 0)
