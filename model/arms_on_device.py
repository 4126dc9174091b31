"""Mature sequences of both arms by torch's tensors, on any device: what ``arms.decode_ends`` gives, a batch at once.

No search is cut short here. The sum of a pair of mature sequences has two parts that meet in the pair's inner ends, so
for each pair of outer ends the best inner ones are found by two steps of as many operations as there are lengths,
instead of their square. In double precision, as the CPU's. Of pairs that tie the one whose outer ends come first is
taken, then the one with the shorter sequences.

Shapes in the comments: B hairpins, A5 and A3 bases of an arm at most. Bases count from 0 on each arm, 5' to 3'.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mirsweep.model._arms_kernels import OVERHANG_NT
from mirsweep.model.arms import LENGTHS_NT, WITHIN_NT

__all__ = ["ArmTerms", "DeviceArm", "decode_ends"]

_SHORTEST = LENGTHS_NT[0]
_N_LENGTHS = LENGTHS_NT[1] - LENGTHS_NT[0] + 1
_NEVER = float("-inf")


class ArmTerms(NamedTuple):
    """Log weights of lengths and of overhangs, as in ``ArmWeights``, on a device; float64."""

    lengths: Tensor
    overhangs: Tensor


class DeviceArm(NamedTuple):
    """One arm of B hairpins.

    Attributes
    ----------
    n_bases
        Bases of the arm, int64, shape (B,).
    columns
        Column of each, int64, shape (B, A), A the most bases; of what is beyond an arm's bases any column.
    ends
        Log probabilities of the columns to be a mature sequence's first and last base, float32, shape (B, 2, c).
    """

    n_bases: Tensor
    columns: Tensor
    ends: Tensor

    def weights(self) -> Tensor:
        """Log weights of the bases, float64, shape (B, 2, A)."""
        found = self.ends.gather(2, self.columns[:, None].expand(-1, 2, -1)).double()
        base = torch.arange(self.columns.shape[1], device=found.device)
        return found.masked_fill((base >= self.n_bases[:, None])[:, None], _NEVER)


def decode_ends(five: DeviceArm, three: DeviceArm, terms: ArmTerms) -> tuple[Tensor, Tensor]:
    """The best pair of mature sequences; where only one arm has room for one, the best of that.

    Returns
    -------
    Starts and ends on the 5' arm and on the 3' arm, 0-based half-open within each arm, -1 where none fits, int64, shape
    (B, 4); probability that the heads give to the bases near each of them, float32, shape (B, 4).
    """
    of_five, of_three = five.weights(), three.weights()
    spans = torch.cat([_alone(of_five, terms), _alone(of_three, terms)], 1)
    if min(of_five.shape[2], of_three.shape[2]) >= _SHORTEST:
        has_both = (five.n_bases >= _SHORTEST) & (three.n_bases >= _SHORTEST)
        pairs = _together(of_five, of_three, five.columns, three.columns, terms)
        spans = torch.where(has_both[:, None], pairs, spans)
    near = [_near(of_five, spans[:, :2]), _near(of_three, spans[:, 2:])]
    return spans, torch.cat(near, 1)


def _alone(weights: Tensor, terms: ArmTerms) -> Tensor:
    """The best mature sequence of one arm; weights (B, 2, A) to (B, 2)."""
    n_starts = weights.shape[2] - _SHORTEST + 1
    if n_starts < 1:
        return torch.full((len(weights), 2), -1, device=weights.device)
    last = torch.nn.functional.pad(weights[:, 1], (0, _N_LENGTHS - 1), value=_NEVER)
    by_length = last.unfold(1, _N_LENGTHS, 1)[:, _SHORTEST - 1 :] + terms.lengths  # (B, starts, lengths)
    best, place = (weights[:, 0, :n_starts, None] + by_length).flatten(1).max(1)
    start = place // _N_LENGTHS
    span = torch.stack([start, start + _SHORTEST + place % _N_LENGTHS], 1)
    return torch.where(torch.isneginf(best)[:, None], -1, span)


def _overhang(first: Tensor, second: Tensor, terms: ArmTerms) -> Tensor:
    """Log weight of what the second column lies further out than the first."""
    n = len(terms.overhangs)
    return terms.overhangs[(second - first - OVERHANG_NT + n // 2).clamp(0, n - 1)]


def _together(five: Tensor, three: Tensor, columns5: Tensor, columns3: Tensor, terms: ArmTerms) -> Tensor:
    """The best pair, if both arms have room; weights (B, 2, A5) and (B, 2, A3), columns (B, A5) and (B, A3) to (B, 4).

    Outer ends: the first base on the 5' arm and the last on the 3' arm; inner ends: the last, and the first.
    """
    n5, n3 = five.shape[2] - _SHORTEST + 1, three.shape[2] - _SHORTEST + 1  # possible outer ends
    more = _N_LENGTHS - 1
    inner = five[:, 1, _SHORTEST - 1 :, None] + three[:, 0, None, :n3]  # (B, n5, n3), by the inner ends
    inner = inner + _overhang(columns5[:, _SHORTEST - 1 :, None], columns3[:, None, :n3], terms)
    inner = torch.nn.functional.pad(inner, (more, 0, 0, more), value=_NEVER)
    best = _best_of([inner[:, k : k + n5] for k in range(_N_LENGTHS)], terms)  # (B, n5, more + n3): 5' outer, 3' inner
    both = _best_of([best[..., more - k : more - k + n3] for k in range(_N_LENGTHS)], terms)  # (B, n5, n3): outer ends
    both += five[:, 0, :n5, None] + three[:, 1, None, _SHORTEST - 1 :]
    both += _overhang(columns5[:, :n5, None], columns3[:, None, _SHORTEST - 1 :], terms)
    place = both.flatten(1).argmax(1)
    return _with_inner_ends(place // n3, place % n3, inner, terms)


def _best_of(by_length: list[Tensor], terms: ArmTerms) -> Tensor:
    """The highest sum of a length's log weight and what it leads to."""
    best = by_length[0] + terms.lengths[0]
    for values, weight in zip(by_length[1:], terms.lengths[1:], strict=True):
        torch.maximum(best, values + weight, out=best)
    return best


def _with_inner_ends(start5: Tensor, place3: Tensor, inner: Tensor, terms: ArmTerms) -> Tensor:
    """The pair with such outer ends, (B,) each, and the best inner ones; inner (B, n5 + more, more + n3) to (B, 4)."""
    k = torch.arange(_N_LENGTHS, device=inner.device)
    rows = torch.arange(len(inner), device=inner.device)[:, None, None]
    found = inner[rows, (start5[:, None] + k)[..., None], (place3[:, None] + (_N_LENGTHS - 1 - k))[:, None]]
    place = (found + (terms.lengths[:, None] + terms.lengths)).flatten(1).argmax(1)  # (B, lengths * lengths)
    end5 = start5 + _SHORTEST + place // _N_LENGTHS
    end3 = place3 + _SHORTEST
    return torch.stack([start5, end5, end3 - _SHORTEST - place % _N_LENGTHS, end3], 1)


def _near(weights: Tensor, span: Tensor) -> Tensor:
    """Probability of the bases of an arm near the start, and near the last base; (B, 2, A), (B, 2) to (B, 2)."""
    if not weights.shape[2]:
        return torch.zeros(len(weights), 2, device=weights.device)
    at = torch.stack([span[:, 0], span[:, 1] - 1], 1)
    index = at[..., None] + torch.arange(-WITHIN_NT, WITHIN_NT + 1, device=at.device)  # (B, 2, 2 * within + 1)
    chances = weights.gather(2, index.clamp(0, weights.shape[2] - 1)).exp()
    is_there = (index >= 0) & (index < weights.shape[2]) & (span[:, :1, None] >= 0)
    return torch.where(is_there, chances, 0).sum(2).float()
