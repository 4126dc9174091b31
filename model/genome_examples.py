"""Examples as a training run of a genome model reads them: laid out, with the columns of their mature arms, batched."""

from typing import NamedTuple

import numpy as np
import torch

from mirsweep.model.encode import lengths_of
from mirsweep.model.errors import ModelError
from mirsweep.model.examples import Examples
from mirsweep.model.genome_config import ENDS
from mirsweep.model.genome_net import StemBatch
from mirsweep.model.stem import EMPTY, Library, Stems, lay_out, mature_words

__all__ = [
    "Positives",
    "batches_of_width",
    "check_lengths",
    "join",
    "lay_out_examples",
    "mature_library",
    "positives_of",
    "species_numbers",
]

WIDTH_JITTER = 4.0
"""Deviation of the noise on the widths by which batches are sorted, columns: little padding, and other batches in each
epoch."""


class Positives(NamedTuple):
    """Pre-miRNAs laid out.

    Attributes
    ----------
    stems
        Their columns.
    ends
        Column of the first and last base of each arm's mature sequence, -1 where unknown; int64, shape (n, 4).
    arm
        1 if only the 5' arm is annotated, 0 if only the 3' arm, -1 if both or none; float32, shape (n,).
    chance
        How often each is drawn; float64, shape (n,), sum 1.
    """

    stems: Stems
    ends: np.ndarray
    arm: np.ndarray
    chance: np.ndarray


def positives_of(examples: Examples, stems: Stems) -> Positives:
    """Pre-miRNAs with what the loss needs of their arms."""
    chance = examples.weights / examples.weights.sum(dtype=np.float64)
    return Positives(stems, _end_columns(stems, examples.arms), _which_arm(examples.arms), chance)


def species_numbers(examples: Examples) -> dict[str, int]:
    """Numbers of the species that the examples are of, from 1 on."""
    return {name: i + 1 for i, name in enumerate(sorted(set(examples.species) - {""}))}


def mature_library(examples: Examples, species: dict[str, int]) -> Library:
    """14-mers of the mature sequences of the pre-miRNAs among the examples; species by number from 1 on."""
    matures, owners = [], []
    for sequence, name, arms in zip(examples.sequences, examples.species, examples.arms.tolist(), strict=True):
        for start, end in (arms[:2], arms[2:]):
            if 0 <= start < end:
                matures.append(sequence[start:end])
                owners.append(species[name])
    return mature_words(matures, owners) if matures else EMPTY


def check_lengths(examples: Examples, longest: int) -> None:
    """Refuse empty and too long sequences.

    Raises
    ------
    ModelError
        If a sequence is not 1 to ``longest`` nt long.
    """
    lengths = lengths_of(examples.sequences)
    bad = np.flatnonzero((lengths < 1) | (lengths > longest))
    if bad.size:
        kind = "pre-miRNA" if examples.labels[bad[0]] else "other hairpin"
        raise ModelError(
            f"{kind} {bad[0] + 1} to train on has {lengths[bad[0]]} nt; the network reads 1 to {longest} nt: "
            "leave it out."
        )


def lay_out_examples(examples: Examples, library: Library, species: dict[str, int], has_flanks: np.ndarray) -> Stems:
    """Columns of the examples; a species' own 14-mers are no matches, and ``has_flanks`` says which get flanks."""
    return lay_out(
        examples.sequences,
        examples.structures,
        examples.flanks_5p,
        examples.flanks_3p,
        library=library,
        species=np.array([species.get(name, 0) for name in examples.species], np.int64),
        has_flanks=has_flanks,
    )


def _end_columns(stems: Stems, arms: np.ndarray) -> np.ndarray:
    """Column of the first and last base of each arm's mature sequence, -1 where unknown; int64, shape (n, 4)."""
    wanted = np.where(arms >= 0, arms - np.array([0, 1, 0, 1]), -2)
    rows = (0, 0, 1, 1)
    out = np.full(arms.shape, -1, np.int64)
    for k in range(ENDS):
        is_there = stems.places[:, :, rows[k]] == wanted[:, k, None]
        found = is_there.any(1)
        out[found, k] = is_there[found].argmax(1)
    return out


def _which_arm(arms: np.ndarray) -> np.ndarray:
    """1 if only the 5' arm is annotated, 0 if only the 3' arm, -1 if both or none; float32, shape (n,)."""
    has5, has3 = arms[:, 0] >= 0, arms[:, 2] >= 0
    return np.where(has5 == has3, -1, has5).astype(np.float32)


def batches_of_width(n_columns: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Batches of similar width in random order; a last one of a single hairpin, which has no deviation, is left out."""
    order = np.argsort(n_columns + rng.normal(0, WIDTH_JITTER, len(n_columns)))
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    rng.shuffle(batches)
    return [batch for batch in batches if len(batch) > 1]


def join(stems: Stems, rows: np.ndarray, others: Stems, other_rows: np.ndarray, is_hidden: np.ndarray) -> StemBatch:
    """One batch of two sets, as wide as its widest; matches are hidden where asked for, bool (B,)."""
    n_columns = np.concatenate([stems.n_columns[rows], others.n_columns[other_rows]])
    width = int(n_columns.max())
    tokens, matches = np.zeros((len(n_columns), width, 2), np.int64), np.zeros((len(n_columns), width, 2), np.float32)
    for part, own, place in ((stems, rows, slice(0, len(rows))), (others, other_rows, slice(len(rows), None))):
        own_width = min(width, part.tokens.shape[1])
        tokens[place, :own_width] = part.tokens[own, :own_width]
        matches[place, :own_width] = part.matches[own, :own_width]
    matches *= ~is_hidden[:, None, None]
    return StemBatch(torch.from_numpy(tokens), torch.from_numpy(matches), torch.from_numpy(n_columns))
