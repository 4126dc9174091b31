"""Scoring with genome networks by torch's tensors, on any device: for GPUs, and on a CPU to compare.

A batch of tens of thousands of hairpins is sent as letters, laid out (:mod:`mirsweep.model.columns_on_device`), read by
torch's own layers in buckets of similar width, and its mature sequences decoded (:mod:`mirsweep.model.arms_on_device`).
The host waits for the device once for the columns' number and once for each network, however many buckets there are.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mirsweep.model.arms import Decoded, arms_of, read_arm_weights
from mirsweep.model.arms_on_device import ArmTerms, DeviceArm, decode_ends
from mirsweep.model.arms_on_gpu import decode_hairpins, has_kernel
from mirsweep.model.columns_on_device import DeviceStems, lay_out, send, to_device, to_host
from mirsweep.model.encode import encode
from mirsweep.model.errors import ModelError
from mirsweep.model.genome_net import GenomeNet
from mirsweep.model.genome_weights import GenomeWeights
from mirsweep.model.prediction import Arms
from mirsweep.model.stem import HairpinTexts, Library
from mirsweep.model.two_stage import network_of

__all__ = ["WIDTH_STEP", "DeviceNetwork", "OnDevice"]

WIDTH_STEP = 8
"""Buckets are padded to multiples of this many columns, so that few shapes of the kernels are kept."""
_HAIRPINS, _BASES = 65_536, 2**23
"""Hairpins and bases laid out at once, at most; see ``docs/model.md`` for the memory."""
_COLUMNS = 2**20
"""Columns of a bucket, padding included, at most."""
_LEAST_BUCKET = 2048
"""Hairpins of a bucket from which on much narrower ones get a bucket of their own."""
_PAIRS_OF_ENDS = 2**23
"""Pairs of bases, one on each arm, that are decoded at once, at most."""


class OnDevice:
    """What a genome model computes with on a device.

    Parameters
    ----------
    library
        14-mers of known mature sequences.
    device
        ``"cuda"``, or ``"cpu"`` for a comparison.
    """

    def __init__(self, library: Library, device: str):
        self._device = device
        self._words = to_device(library.words.astype(np.int32), device)

    def parts(self, texts: HairpinTexts) -> Iterator[slice]:
        """The hairpins, so many at once as the device's memory is to hold."""
        offsets = texts.sequences.offsets
        start, n = 0, len(offsets) - 1
        while start < n:
            most = int(np.searchsorted(offsets, offsets[start] + _BASES, side="right")) - 1
            end = min(n, start + _HAIRPINS, max(most, start + 1))
            yield slice(start, end)
            start = end

    @torch.inference_mode()
    def lay_out(self, texts: HairpinTexts) -> DeviceStems:
        """Hairpins as columns.

        Raises
        ------
        ModelError
            If a sequence or structure is malformed.
        """
        is_even = np.array_equal(texts.sequences.offsets, texts.structures.offsets)
        stems = lay_out(send(texts, self._device), self._words) if is_even else None
        if stems is None:
            encode(texts.sequences, texts.structures)  # says what is malformed
            raise ModelError("a hairpin is malformed.")
        return stems

    def network(self, weights: GenomeWeights) -> "DeviceNetwork":
        """A network, ready to score."""
        return DeviceNetwork(weights, self._device)


class _Bucket(NamedTuple):
    """Hairpins of similar width: which of the sorted ones, and columns that hold the widest."""

    part: slice
    width: int


def _buckets(n_columns: np.ndarray) -> Iterator[_Bucket]:
    """Buckets of hairpins that are sorted by their number of columns, most first."""
    start = 0
    while start < len(n_columns):
        width = int(n_columns[start])
        width += -width % WIDTH_STEP
        n_wide = int(np.searchsorted(-n_columns, -(width - width // 4), side="right"))
        most = max(1, _COLUMNS // width)
        end = min(len(n_columns), start + most, max(n_wide, start + _LEAST_BUCKET))
        yield _Bucket(slice(start, end), width)
        start = end


class _Sorted(NamedTuple):
    """Hairpins by their number of columns, most first.

    Attributes
    ----------
    order
        Where each stands among the given ones, on the host, int64, shape (m,).
    n_columns, loops, lengths
        Of each, on the host, as in ``DeviceStems``.
    rows, facts
        Number of each, int64, shape (m,), and its columns, start and end of the loop, and length, int64, shape (m, 4),
        on the device.
    """

    order: np.ndarray
    n_columns: np.ndarray
    loops: np.ndarray
    lengths: np.ndarray
    rows: Tensor
    facts: Tensor


def _sorted(stems: DeviceStems) -> _Sorted:
    own = stems.n_columns[stems.rows]
    order = np.argsort(-own.astype(np.int16), kind="stable")
    rows = stems.rows[order]
    n_columns, loops, lengths = own[order], stems.loops[rows], stems.lengths[rows]
    device = stems.tokens.device
    facts = to_device(np.column_stack([n_columns, loops, lengths]), device)
    return _Sorted(order, n_columns, loops, lengths, to_device(rows, device), facts)


class DeviceNetwork:
    """One network, ready to score.

    Parameters
    ----------
    weights
        Of one network.
    device
        As of :class:`OnDevice`.
    """

    def __init__(self, weights: GenomeWeights, device: str):
        net = network_of(weights)
        if not isinstance(net, GenomeNet):
            raise TypeError("these are several networks: take one of them")
        self._net = net.fold_norms().to(device).requires_grad_(False)
        fitted = read_arm_weights()
        self._terms = ArmTerms(to_device(fitted.lengths, device), to_device(fitted.overhangs, device))

    @torch.inference_mode()
    def logits(self, stems: DeviceStems) -> np.ndarray:
        """Log-odds of pre-miRNA, float32, shape (m,)."""
        given = _sorted(stems)
        found = [self._read(stems, given, bucket, with_arms=False)[0] for bucket in _buckets(given.n_columns)]
        logits = np.empty(len(given.order), np.float32)
        if found:
            logits[given.order] = to_host(torch.cat(found)[:, 0])[0]
        return logits

    @torch.inference_mode()
    def read(self, stems: DeviceStems) -> tuple[np.ndarray, Arms]:
        """Log-odds of pre-miRNA, float32, shape (m,), and the mature sequences."""
        given = _sorted(stems)
        m = len(given.order)
        logits, spans, near = np.empty((m, 2), np.float32), np.empty((m, 4), np.int16), np.empty((m, 4), np.float32)
        found = [self._read(stems, given, bucket, with_arms=True) for bucket in _buckets(given.n_columns)]
        if found:
            of_host = to_host(*(torch.cat(column) for column in zip(*found, strict=True)))
            logits[given.order], spans[given.order], near[given.order] = of_host
        arms = arms_of(Decoded(spans, near), logits[:, 1], stems.is_matched[stems.rows])
        return logits[:, 0].copy(), arms

    def _read(self, stems: DeviceStems, given: _Sorted, bucket: _Bucket, *, with_arms: bool) -> tuple[Tensor, ...]:
        """Log-odds (B, 2) of a bucket; and, if they are asked for, spans and near, (B, 4)."""
        net, part = self._net, bucket.part
        n_columns = given.facts[part, 0]
        tokens, matches = stems.columns(given.rows[part], n_columns, bucket.width)
        tokens, matches = tokens.long(), matches.float()
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # TF32 would cost three digits
            states, mask = net.states(tokens, matches, n_columns)
            pooled = net.pool(states, net.attend(states, mask), mask)
            logits = net.classify_summarised(pooled, stems.summaries[given.rows[part]])
            if not with_arms:
                return (logits,)
            ends = net.end_weights(states, tokens).log_softmax(2)
        return logits, *self._decode(stems, given, part, ends)

    def _decode(self, stems: DeviceStems, given: _Sorted, part: slice, ends: Tensor) -> tuple[Tensor, Tensor]:
        """Spans, int16, and near, float32, (B, 4), of a bucket; ends (B, 4, C)."""
        if has_kernel(ends.device):
            longest = int(given.lengths[part].max())
            return decode_hairpins(stems, given.rows[part], given.facts[part], ends, self._terms, longest)
        loops = given.loops[part]
        n_bases = np.column_stack([loops[:, 0], given.lengths[part] - loops[:, 1]])
        rows, facts = given.rows[part], given.facts[part]
        found, start = [], 0
        while start < len(loops):
            most = n_bases[start:].max(0)  # the widest come first, so that it falls
            end = start + max(1, _PAIRS_OF_ENDS // max(1, int(most.prod())))
            some = slice(start, end)
            n5, n3 = n_bases[some].max(0).tolist()
            found.append(self._decode_some(stems, rows[some], facts[some], ends[some], (n5, n3)))
            start = end
        spans, near = (torch.cat(column) for column in zip(*found, strict=True))
        return spans, near

    def _decode_some(
        self, stems: DeviceStems, rows: Tensor, facts: Tensor, ends: Tensor, most: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        _, loop_start, loop_end, length = facts.unbind(1)
        first, widest = stems.base_firsts[rows], ends.shape[2] - 1
        five = DeviceArm(loop_start, _columns_of(stems, first, most[0], widest), ends[:, :2])
        three = DeviceArm(length - loop_end, _columns_of(stems, first + loop_end, most[1], widest), ends[:, 2:])
        spans, near = decode_ends(five, three, self._terms)
        shift = torch.where(spans[:, 2:] >= 0, loop_end[:, None], 0)
        return torch.cat([spans[:, :2], spans[:, 2:] + shift], 1).to(torch.int16), near


def _columns_of(stems: DeviceStems, first: Tensor, n: int, widest: int) -> Tensor:
    """Columns of n bases from each of some bases on, (B,) to (B, n), at most ``widest``."""
    index = first[:, None] + torch.arange(n, device=first.device)
    return stems.base_columns[index.clamp(max=len(stems.base_columns) - 1)].clamp(max=widest)
