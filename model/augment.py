"""Hairpins cut at random in training, since where a precursor's record ends is arbitrary."""

import numpy as np

from mirsweep.model.data import Dataset

__all__ = ["trim_flanks"]


def trim_flanks(dataset: Dataset, longest: int, rng: np.random.Generator, *, keep: int = 40) -> Dataset:
    """Cut up to ``longest`` nt from each end of every second hairpin; a base that loses its partner is unpaired.

    Parameters
    ----------
    longest
        Most nt to cut from one end; 0 to ``longest`` are equally likely.
    keep
        A hairpin is not cut below this length, nt.

    Returns
    -------
    The hairpins in their order, with their labels.
    """
    cuts = rng.integers(0, longest + 1, (len(dataset), 2)) * (rng.random((len(dataset), 1)) < 0.5)
    sequences, structures = list(dataset.sequences), list(dataset.structures)
    for row, (left, right) in enumerate(cuts.tolist()):
        end = len(sequences[row]) - right
        if left + right and end - left >= keep:
            sequences[row] = sequences[row][left:end]
            structures[row] = _cut_structure(structures[row], left, end)
    return Dataset(sequences, structures, dataset.labels)


def _cut_structure(structure: str, start: int, end: int) -> str:
    """Dot-bracket of the interval, brackets without partner in it turned into dots."""
    part, opened = list(structure[start:end]), []
    for i, symbol in enumerate(part):
        if symbol == "(":
            opened.append(i)
        elif symbol == ")":
            if opened:
                opened.pop()
            else:
                part[i] = "."
    for i in opened:
        part[i] = "."
    return "".join(part)
