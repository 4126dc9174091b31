"""Sequence and structure together as small integers, the network's input (paper, section 3.1)."""

from collections.abc import Sequence

import numpy as np

from mirsweep.model._encode_kernels import BAD_BASE, BAD_SYMBOL, add_partners, encode_batch
from mirsweep.model.errors import ModelError
from mirsweep.texts import Texts

__all__ = ["N_TOKENS", "PADDING", "encode", "lengths_of"]

N_TOKENS = 16
"""Joint symbols: 4 bases times 4 structure symbols, tokens 1 to 16."""

PADDING = 0
"""Token in front of the sequences that are shorter than the batch's longest."""


def lengths_of(sequences: Sequence[str]) -> np.ndarray:
    """Length of each sequence in nt; int64, shape (n,)."""
    if isinstance(sequences, Texts):
        return sequences.lengths
    return np.fromiter(map(len, sequences), np.int64, len(sequences))


def encode(sequences: Sequence[str], structures: Sequence[str], *, partner: bool = False) -> np.ndarray:
    """Joint tokens of a batch of hairpins (paper, section 3.1; letter order of its worked example).

    Parameters
    ----------
    sequences
        n sequences of A C G U, upper or lower case; T is read as U.
    structures
        Their dot-bracket structures. The unpaired bases of a hairpin loop, those between ``(`` and ``)`` with
        nothing else between, are told apart from other unpaired bases here; the caller writes dots for both.
    partner
        Add ``N_TOKENS * (1 + base)`` of the base that it pairs with to the token of each paired base.

    Returns
    -------
    uint8, shape (n, longest): 4 * base + symbol + 1 with base 0-3 = A C G U and symbol 0-3 = ``( ) . :``;
    0 is padding, in front of each sequence that is shorter than the longest.

    Raises
    ------
    ModelError
        If a structure is not as long as its sequence, holds another letter, or has brackets without partner.
    """
    lengths = lengths_of(sequences)
    _check_lengths(lengths, structures)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    tokens = np.zeros((len(sequences), lengths.max(initial=0)), np.uint8)
    error, record, position = encode_batch(_ascii(sequences), _ascii(structures), offsets, tokens)
    if error:
        raise ModelError(_explain(error, record, position, sequences[record], structures[record]))
    if partner:
        add_partners(tokens, np.uint8(N_TOKENS), np.empty(tokens.shape[1], np.int64))
    return tokens


def _ascii(texts: Sequence[str]) -> np.ndarray:
    """All texts end to end; a letter outside ASCII becomes '?', which no alphabet here holds."""
    return np.frombuffer("".join(texts).encode("ascii", errors="replace"), np.uint8)


def _check_lengths(lengths: np.ndarray, structures: Sequence[str]) -> None:
    if len(structures) != len(lengths):
        raise ModelError(f"{len(lengths)} sequences but {len(structures)} structures: give one structure each.")
    different = np.flatnonzero(lengths_of(structures) != lengths)
    if different.size:
        first = int(different[0])
        raise ModelError(
            f"sequence {first + 1} has {lengths[first]} nt but its structure has {len(structures[first])} symbols: "
            "they must be equally long."
        )


def _explain(error: int, record: int, position: int, sequence: str, structure: str) -> str:
    """Sentence for the kernel's error; records and positions count from 1."""
    where = f"sequence {record + 1}, position {position + 1}:"
    if error == BAD_BASE:
        return f"{where} {sequence[position]!r} is not a base; only A, C, G, U and T can be scored."
    if error == BAD_SYMBOL:
        return f"{where} {structure[position]!r} is not a structure symbol; use dot-bracket, '(', ')' and '.'."
    return f"{where} the brackets of {structure!r} do not pair up; each '(' needs its ')'."
