"""Hairpins as columns by torch's tensors, on any device: what ``stem.lay_out`` gives, for a whole batch at once.

All bases of all hairpins stand end to end, nothing is padded and no step is a loop over hairpins: sums over the row,
one sort, look-ups. Integers only, so that the columns are exactly those of ``_stem_kernels`` on every device.
Positions count along the row of all bases. T is the number of bases, n of hairpins, C of columns.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mirsweep.model._encode_kernels import BASE_OF, NOT_A_BASE, NOT_A_SYMBOL, SYMBOL_OF
from mirsweep.model._stem_kernels import BRANCH, CLOSE, FLANK, LOOP, MATCH_NT, OPEN, STEM, UNPAIRED
from mirsweep.model.genome_net import summary_of
from mirsweep.model.stem import N_FLANK, HairpinTexts
from mirsweep.texts import Texts

__all__ = ["DeviceStems", "HairpinTensors", "lay_out", "send", "to_device", "to_host"]


class _Row(NamedTuple):
    """Texts end to end: ASCII, uint8 (t,); where each begins, and the end, int64 (n + 1,)."""

    letters: Tensor
    offsets: Tensor


class HairpinTensors(NamedTuple):
    """Hairpins as they are laid out, on a device.

    Attributes
    ----------
    sequences
        Letters and where each sequence begins.
    symbols
        Dot-brackets end to end, ASCII, uint8, shape (T,).
    flanks
        What precedes and follows each; None where they are not known.
    longest
        Longest sequence, nt.
    """

    sequences: _Row
    symbols: Tensor
    flanks: tuple[_Row, _Row] | None
    longest: int


class DeviceStems(NamedTuple):
    """Hairpins as columns, the columns of all end to end, on a device; what the host needs of each on the host.

    Attributes
    ----------
    tokens, matches
        As in ``Stems``; uint8, shape (C, 2).
    firsts
        First column of each hairpin, int64, shape (n,).
    base_columns
        Column of each base, counted from its hairpin's first, int64, shape (T,).
    base_firsts
        First base of each hairpin, int64, shape (n,).
    summaries
        What the networks' dense layers read of each hairpin (``genome_net.summary_of``), float32, shape (n, 6).
    rows
        The hairpins that are meant, on the host, int64, shape (m,): indices of ``firsts`` and of the arrays below.
    n_columns
        Columns of each hairpin, on the host, int64, shape (n,).
    loops
        Start and end of its terminal loop in the sequence, 0-based half-open, on the host, int64, shape (n, 2).
    lengths
        Its bases, on the host, int64, shape (n,).
    is_matched
        Whether one of its bases lies in a 14-mer of the library, on the host, bool, shape (n,).
    """

    tokens: Tensor
    matches: Tensor
    firsts: Tensor
    base_columns: Tensor
    base_firsts: Tensor
    summaries: Tensor
    rows: np.ndarray
    n_columns: np.ndarray
    loops: np.ndarray
    lengths: np.ndarray
    is_matched: np.ndarray

    def take(self, rows: np.ndarray) -> "DeviceStems":
        """Some of the hairpins, by index into those that are meant; nothing is copied."""
        return self._replace(rows=self.rows[rows])

    def columns(self, rows: Tensor, n_columns: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """Tokens and matches, uint8, shape (B, width, 2), of hairpins by number and with so many columns."""
        column = torch.arange(width, device=rows.device)
        index = self.firsts[rows][:, None] + column  # (B, width)
        is_real = (column < n_columns[:, None])[..., None]
        index = index.clamp(max=len(self.tokens) - 1)
        return self.tokens[index] * is_real, self.matches[index] * is_real


def to_device(array: np.ndarray, device: torch.device | str) -> Tensor:
    """An array on a device; on the way to a GPU, by way of pinned memory, the host does not wait."""
    if torch.device(device).type == "cpu":
        return torch.from_numpy(array if array.flags.writeable else array.copy())
    pinned = torch.empty(array.shape, dtype=torch.from_numpy(np.empty(0, array.dtype)).dtype, pin_memory=True)
    pinned.numpy()[...] = array
    return pinned.to(device, non_blocking=True)


def to_host(*tensors: Tensor) -> list[np.ndarray]:
    """Tensors as arrays of the host, which waits for the device once, whatever their number."""
    if not tensors or tensors[0].device.type == "cpu":
        return [tensor.numpy() for tensor in tensors]
    pinned = [torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True) for tensor in tensors]
    for place, tensor in zip(pinned, tensors, strict=True):
        place.copy_(tensor, non_blocking=True)
    torch.cuda.current_stream(tensors[0].device).synchronize()
    return [place.numpy() for place in pinned]


def send(texts: HairpinTexts, device: torch.device | str) -> HairpinTensors:
    """Hairpins on their way to a device: 2 bytes a base, a byte a letter of the flanks."""
    sequences = _row(texts.sequences, device)
    flanks = None
    if texts.flanks_5p is not None and texts.flanks_3p is not None:
        flanks = _row(texts.flanks_5p, device), _row(texts.flanks_3p, device)
    longest = int(texts.sequences.lengths.max(initial=0))
    return HairpinTensors(sequences, to_device(texts.structures.letters, device), flanks, longest)


def _row(texts: Texts, device: torch.device | str) -> _Row:
    return _Row(to_device(texts.letters, device), to_device(texts.offsets, device))


class _Owners(NamedTuple):
    """Of each base: its position, and its hairpin's number, start, end; int64, shape (T,)."""

    position: Tensor
    hairpin: Tensor
    start: Tensor
    end: Tensor


def _owners(offsets: Tensor, n_bases: int) -> _Owners:
    starts, ends = offsets[:-1], offsets[1:]
    hairpin = torch.repeat_interleave(
        torch.arange(len(starts), device=offsets.device), ends - starts, output_size=n_bases
    )
    return _Owners(torch.arange(n_bases, device=offsets.device), hairpin, starts[hairpin], ends[hairpin])


def _before(sums: Tensor, position: Tensor) -> Tensor:
    """Sum of what stands before a position, of sums that hold the position's own; 0 at the row's start."""
    return torch.where(position > 0, sums[(position - 1).clamp(min=0)], 0)


def _sums(flags: Tensor, offsets: Tensor) -> Tensor:
    """How many bases of each hairpin are marked; bool (T,) to int64 (n,)."""
    sums = flags.long().cumsum(0)
    return sums[offsets[1:] - 1] - _before(sums, offsets[:-1])


def _is_malformed(bases: Tensor, symbols: Tensor, depth: Tensor, ends: Tensor) -> Tensor:
    """Whether a letter is no base, a symbol none of dot-bracket, or brackets do not pair; bool, shape ()."""
    is_symbol = to_device(SYMBOL_OF, symbols.device)[symbols.long()] != NOT_A_SYMBOL
    return (bases == NOT_A_BASE).any() | ~is_symbol.all() | (depth < 0).any() | (depth[ends - 1] != 0).any()


class _Bases(NamedTuple):
    """Base codes, opening and closing brackets, and depth of each base's pair, from 0 on, (T,); is one malformed, ().

    If so, there are no brackets, so that every look-up finds a place.
    """

    codes: Tensor
    is_open: Tensor
    is_close: Tensor
    depth: Tensor
    is_malformed: Tensor


def _read(letters: Tensor, symbols: Tensor, ends: Tensor) -> _Bases:
    codes = to_device(BASE_OF, letters.device)[letters.long()]
    is_open, is_close = symbols == OPEN, symbols == CLOSE
    depth = (is_open.int() - is_close.int()).cumsum(0)
    is_malformed = _is_malformed(codes, symbols, depth, ends)
    return _Bases(codes & 3, is_open & ~is_malformed, is_close & ~is_malformed, depth - is_open.int(), is_malformed)


class _Pairs(NamedTuple):
    """Partner of each base, -1 for none, (T,); start and end of each hairpin's terminal loop, (n,). Positions."""

    partner: Tensor
    loop_start: Tensor
    loop_end: Tensor


def _pairs(bases: _Bases, owners: _Owners, offsets: Tensor, longest: int) -> _Pairs:
    """Pairs by one sort: brackets of a hairpin by depth, deepest first; an opening one is then followed by its partner.

    The deepest pair encloses no other, so it closes the terminal loop that most pairs enclose, and of several the first
    one in the sequence comes first.
    """
    is_bracket = bases.is_open | bases.is_close
    deepest = longest // 2 + 1  # deeper than pairs can be
    key = torch.where(is_bracket, deepest - 1 - bases.depth, deepest)
    key = owners.hairpin * (deepest + 1) + key
    is_small = len(offsets) * (deepest + 2) < 2**31
    order = torch.sort(key.int() if is_small else key, stable=True).indices
    beside = owners.start + ((owners.position - owners.start) ^ 1)
    found = torch.where(is_bracket[order], order[beside.clamp(max=len(order) - 1)], -1)
    partner = torch.empty_like(found).scatter_(0, order, found)
    starts, lengths = offsets[:-1], offsets[1:] - offsets[:-1]
    opening = order[starts]
    middle = starts + lengths // 2
    has_pair = is_bracket[opening]
    return _Pairs(
        partner,
        torch.where(has_pair, opening + 1, middle),
        torch.where(has_pair, partner[opening], middle),
    )


def _neighbours(is_one: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
    """Nearest marked position before each position, -1 for none, and after it, T for none; int64, shape (T,)."""
    n = len(position)
    count = is_one.long().cumsum(0)
    table = torch.full((n + 3,), n, device=position.device)
    table[0] = -1
    table.scatter_(0, torch.where(is_one, count, n + 2), position)  # the last place is read by none
    return table[count - is_one.long()], table[count + 1]


class _Laid(NamedTuple):
    """Column and side (0 left, 1 right) of each base, (T,), and its kind; columns of each hairpin's bases, (n,)."""

    column: Tensor
    side: Tensor
    kind: Tensor
    n_columns: Tensor


def _columns(pairs: _Pairs, owners: _Owners, offsets: Tensor) -> _Laid:
    """Where each base stands: its distance from the stem pair that is next towards the loop, and that pair's column.

    From one stem pair to the next outwards there are as many columns as bases on the longer side.
    """
    partner, position = pairs.partner, owners.position
    start, end = pairs.loop_start[owners.hairpin], pairs.loop_end[owners.hairpin]
    half = (end - start + 1) // 2
    is_stem_left = (position < start) & (partner >= end)
    is_stem_right = (position >= end) & (partner >= 0) & (partner < start)
    inner_left = torch.minimum(_neighbours(is_stem_left, position)[1], start)
    inner_right = torch.where(inner_left < start, partner[inner_left.clamp(max=len(partner) - 1)], end - 1)
    steps = torch.where(is_stem_left, torch.maximum(inner_left - position, partner - inner_right), 0)
    sums = steps.cumsum(0)
    left = half - 1 + _before(sums, start) - _before(sums, position)
    left = left + torch.where(is_stem_left, 0, inner_left - position)
    inner = torch.maximum(_neighbours(is_stem_right, position)[0], end - 1)
    of_inner = torch.where(inner >= end, left[partner[inner.clamp(min=0)].clamp(min=0)], half - 1)
    right = torch.where(is_stem_right, left[partner.clamp(min=0)], of_inner + position - inner)
    is_left = position < start + half
    apex = start + half - 1
    of_loop = torch.where(is_left, apex - position, position - apex - 1 + (end - start) % 2)
    is_loop = (position >= start) & (position < end)
    column = torch.where(is_loop, of_loop, torch.where(position < start, left, right))
    kind = torch.where(partner >= 0, BRANCH, UNPAIRED)
    kind = torch.where(is_stem_left | is_stem_right, STEM, torch.where(is_loop, LOOP, kind))
    outer = torch.maximum(column[offsets[:-1]], column[offsets[1:] - 1])
    apart = (pairs.loop_end - pairs.loop_start + 1) // 2
    return _Laid(column, (~is_left).long(), kind, torch.maximum(outer + 1, apart))


def _matches(bases: Tensor, owners: _Owners, words: Tensor) -> Tensor:
    """Which bases lie in one of the 14-mers, numbers in ascending order; bool, shape (T,)."""
    if not len(words) or not len(bases):
        return torch.zeros_like(bases, dtype=torch.bool)
    one = torch.nn.functional.pad(bases.int(), (0, MATCH_NT - 1))
    two = one[:-1] << 2 | one[1:]  # the k-mers that begin at each base
    four = two[:-2] << 4 | two[2:]
    eight = four[:-4] << 8 | four[4:]
    word = eight[: len(bases)] << 12 | four[8 : 8 + len(bases)] << 4 | two[12 : 12 + len(bases)]
    place = torch.searchsorted(words, word).clamp(max=len(words) - 1)
    begins = (words[place] == word) & (owners.position + MATCH_NT <= owners.end)
    sums = begins.long().cumsum(0)
    before = sums[(owners.position - MATCH_NT).clamp(min=0)]
    return sums > torch.where(owners.position >= MATCH_NT, before, 0)


def _flank_tokens(flanks: tuple[_Row, _Row]) -> Tensor:
    """Tokens of the flank columns, nearest to the hairpin first; int64, shape (n, N_FLANK)."""
    (before, before_at), (after, after_at) = flanks
    step = torch.arange(N_FLANK, device=before.device)
    left, right = before_at[1:, None] - 1 - step, after_at[:-1, None] + step
    a = _bases_at(before, left, left >= before_at[:-1, None])
    b = _bases_at(after, right, right < after_at[1:, None])
    pairing = 2 * (a + b == 3) + (a + b == 5).long()
    return FLANK + pairing * ((a < 4) & (b < 4))


def _bases_at(letters: Tensor, index: Tensor, is_there: Tensor) -> Tensor:
    """Base codes at places of a row of letters, ``NOT_A_BASE`` where none is; int64."""
    if not len(letters):
        return torch.full_like(index, NOT_A_BASE)
    found = to_device(BASE_OF, letters.device)[letters[index.clamp(0, len(letters) - 1)].long()].long()
    return torch.where(is_there, found, NOT_A_BASE)


def _fill(places: Tensor, values: Tensor, n_columns: int) -> Tensor:
    """Values at places (2 * column + side), 0 elsewhere; uint8, shape (2 * C,)."""
    row = torch.zeros(2 * n_columns, dtype=torch.uint8, device=places.device)
    return row.scatter_(0, places, values.to(torch.uint8))


def lay_out(hairpins: HairpinTensors, words: Tensor) -> DeviceStems | None:
    """Hairpins as columns; None if one of them is malformed.

    Parameters
    ----------
    words
        14-mers of known mature sequences as numbers, ascending, int32, shape (w,).
    """
    letters, offsets = hairpins.sequences
    n, n_flank = len(offsets) - 1, 0 if hairpins.flanks is None else N_FLANK
    owners = _owners(offsets, len(letters))
    bases = _read(letters, hairpins.symbols, offsets[1:])
    pairs = _pairs(bases, owners, offsets, hairpins.longest)
    laid = _columns(pairs, owners, offsets)
    is_match = _matches(bases.codes, owners, words)
    firsts = offsets[:-1] + n_flank * torch.arange(n, device=offsets.device)
    room = len(letters) + n_flank * n  # no hairpin has more columns than bases
    places = 2 * (firsts[owners.hairpin] + laid.column) + laid.side
    tokens, matches = _fill(places, laid.kind + bases.codes, room), _fill(places, is_match, room)
    if hairpins.flanks is not None:
        of_flanks = (firsts + laid.n_columns)[:, None] + torch.arange(n_flank, device=letters.device)
        tokens.scatter_(0, 2 * of_flanks.flatten(), _flank_tokens(hairpins.flanks).to(torch.uint8).flatten())
    counts = _counts(bases.codes, laid.kind, is_match, pairs, offsets)
    facts = _facts(pairs, laid.n_columns + n_flank, counts, bases.is_malformed, offsets)
    if facts.is_malformed:
        return None
    return DeviceStems(
        tokens.view(-1, 2), matches.view(-1, 2), firsts, laid.column, offsets[:-1], summary_of(counts),
        np.arange(n), facts.n_columns, facts.loops, facts.lengths, facts.is_matched,
    )  # fmt: skip


def _counts(codes: Tensor, kind: Tensor, is_match: Tensor, pairs: _Pairs, offsets: Tensor) -> Tensor:
    """What ``summary_of`` counts of each hairpin, int64, shape (n, 6)."""
    flags = (kind == STEM, (codes == 1) | (codes == 2), kind == BRANCH, is_match)
    stem, gc, branch, matched = (_sums(flag, offsets) for flag in flags)
    lengths, loops = offsets[1:] - offsets[:-1], pairs.loop_end - pairs.loop_start
    return torch.stack([lengths, stem, loops, gc, branch, matched], 1)


class _Facts(NamedTuple):
    """What the host is told, as in ``DeviceStems``; and whether a hairpin is malformed."""

    n_columns: np.ndarray
    loops: np.ndarray
    lengths: np.ndarray
    is_matched: np.ndarray
    is_malformed: bool


def _facts(pairs: _Pairs, n_columns: Tensor, counts: Tensor, is_malformed: Tensor, offsets: Tensor) -> _Facts:
    starts = offsets[:-1]
    lengths, matched = counts[:, 0], counts[:, 5]
    columns = [n_columns, pairs.loop_start - starts, pairs.loop_end - starts, lengths, matched]
    found = to_host(torch.stack([*columns, is_malformed.expand(len(starts)).long()]).int())[0].astype(np.int64)
    return _Facts(found[0], found[1:3].T, found[3], found[4] > 0, bool(found[5].any()))
