"""Hairpins as columns: both arms side by side from the terminal loop outwards, the genome model's input.

Column 0 is the apex of the terminal loop. Each column holds a base of the 5' arm (left) and one of the 3' arm (right):
the two of a base pair, or unpaired ones opposite each other, or one with nothing opposite. Beyond the hairpin's ends
come the flanks, of which only is told whether opposite bases could pair: an inverted repeat goes on pairing there,
a precursor does not, and what the bases are could betray where an example was taken from.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mirsweep.model._encode_kernels import BASE_OF
from mirsweep.model._stem_kernels import FLANK, MATCH_NT, lay_out_batch
from mirsweep.model.encode import encode
from mirsweep.texts import Texts, texts_of

__all__ = [
    "MATCH_NT",
    "N_FLANK",
    "N_STEM_TOKENS",
    "HairpinTexts",
    "Library",
    "Stems",
    "lay_out",
    "mature_words",
    "of_bases",
]

N_STEM_TOKENS = FLANK + 3
"""Tokens: 0 nothing, then 1 + base unpaired, 5 + base paired in the stem, 9 + base in the terminal loop, 13 + base in a
branch, 17 to 19 a flank column (no pair, wobble, Watson-Crick)."""

N_FLANK = 24
"""Flank columns, nt on either side."""


class HairpinTexts(NamedTuple):
    """Sequences, structures and both flanks, which are None where they are not known."""

    sequences: Texts
    structures: Texts
    flanks_5p: Texts | None
    flanks_3p: Texts | None

    def part(self, part: slice) -> "HairpinTexts":
        """Some of the hairpins, one after the other."""
        flanks = [None if flank is None else flank[part] for flank in (self.flanks_5p, self.flanks_3p)]
        return HairpinTexts(self.sequences[part], self.structures[part], *flanks)


class Library(NamedTuple):
    """14-mers of known mature sequences: how much of a hairpin stands in a mature sequence of another species.

    Attributes
    ----------
    words
        k-mers of ``MATCH_NT`` bases as numbers, ascending, int64, shape (w,).
    species
        Number of the species that has it, 0 if several have; int32, shape (w,).
    """

    words: np.ndarray
    species: np.ndarray


EMPTY = Library(np.empty(0, np.int64), np.empty(0, np.int32))


class Stems(NamedTuple):
    """Hairpins as columns.

    Attributes
    ----------
    tokens
        uint8, shape (n, c, 2): left and right row.
    matches
        Does the base lie in a 14-mer of the library; uint8, shape (n, c, 2).
    places
        Index of the base in its sequence, -1 for none; int16, shape (n, c, 2).
    n_columns
        int64, shape (n,); columns after these are padding.
    """

    tokens: np.ndarray
    matches: np.ndarray
    places: np.ndarray
    n_columns: np.ndarray

    def take(self, rows: np.ndarray) -> "Stems":
        """Some of the hairpins, by index, as wide as the widest of them."""
        n_columns = self.n_columns[rows]
        width = int(n_columns.max(initial=0))
        return Stems(self.tokens[rows, :width], self.matches[rows, :width], self.places[rows, :width], n_columns)


def mature_words(matures: Sequence[str], species: Sequence[int]) -> Library:
    """Library of mature sequences (ACGU); species are numbers from 1 on."""
    words, owners = [], []
    for mature, owner in zip(matures, species, strict=True):
        codes = BASE_OF[np.frombuffer(mature.encode(), np.uint8)]
        for i in range(len(codes) - MATCH_NT + 1):
            word = 0
            for code in codes[i : i + MATCH_NT].tolist():
                word = word << 2 | code
            words.append(word)
            owners.append(owner)
    pairs = np.unique(np.column_stack([np.array(words, np.int64), np.array(owners, np.int64)]).reshape(-1, 2), axis=0)
    distinct, first, counts = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    return Library(distinct, np.where(counts > 1, 0, pairs[first, 1]).astype(np.int32))


def lay_out(
    sequences: Sequence[str],
    structures: Sequence[str],
    flanks_5p: Sequence[str] | None = None,
    flanks_3p: Sequence[str] | None = None,
    *,
    library: Library = EMPTY,
    species: np.ndarray | None = None,
    has_flanks: np.ndarray | None = None,
) -> Stems:
    """Lay hairpins out as columns.

    Parameters
    ----------
    sequences, structures
        As for :func:`mirsweep.model.encode.encode`.
    flanks_5p, flanks_3p
        What precedes and follows each hairpin on its own strand; None leaves the flank columns out.
    library, species
        Known mature sequences, and each hairpin's own species, whose 14-mers do not count (0: all count).
    has_flanks
        Which hairpins get flank columns; bool, shape (n,); default all.

    Raises
    ------
    ModelError
        If a sequence or structure is malformed.
    """
    texts, symbols = texts_of(sequences), texts_of(structures)
    if not np.array_equal(texts.offsets, symbols.offsets):
        encode(sequences, structures)  # says which
    n = len(texts)
    has_both = flanks_5p is not None and flanks_3p is not None
    before, after = (texts_of(flanks if has_both and flanks else [""] * n) for flanks in (flanks_5p, flanks_3p))
    with_flank = np.full(n, has_both) if has_flanks is None else has_flanks & has_both
    shape = (n, int(texts.lengths.max(initial=0)) + N_FLANK * has_both, 2)
    tokens, matches, places = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8), np.full(shape, -1, np.int16)
    n_columns = np.zeros(n, np.int64)
    own = np.full(n, -1, np.int64) if species is None else np.where(species > 0, species, -1).astype(np.int64)
    hairpins = (texts.letters, symbols.letters, texts.offsets)
    flanks = (before.letters, before.offsets, after.letters, after.offsets, with_flank, N_FLANK)
    if not lay_out_batch(hairpins, flanks, tuple(library), own, tokens, matches, places, n_columns):
        encode(sequences, structures)  # says what is malformed
    widest = int(n_columns.max(initial=0))
    return Stems(tokens[:, :widest], matches[:, :widest], places[:, :widest], n_columns)


def of_bases(places: np.ndarray, values: np.ndarray, length: int) -> tuple[np.ndarray, float]:
    """Each base's share of its column's value, float32, shape (length,), and the sum of columns without bases.

    Parameters
    ----------
    places
        Of one hairpin, shape (c, 2), as in ``Stems``.
    values
        Of its columns, shape (c,).
    """
    is_base = places >= 0
    n_bases = is_base.sum(axis=1)
    column, _ = np.nonzero(is_base)
    own = np.zeros(length, np.float32)
    own[places[is_base]] = values[column] / n_bases[column]
    return own, float(values[n_bases == 0].sum())
