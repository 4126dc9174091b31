"""What peers do before their networks read anything, by ViennaRNA's library: local structures, and windows."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import RNA

WINDOW_NT, STEP_NT, LEAST_PAIRS, LEAST_NT = 160, 30, 16, 60
"""HextractoR's defaults; mirDNN's authors cut genomes with it."""
SPAN_NT, SHORTEST_NT = 150, 45
"""A scan's spans, for RNALfold."""


class Hairpins(NamedTuple):
    """Folded stretches of a sequence.

    Attributes
    ----------
    start, end
        On the forward strand, 0-based half-open, int64, shape (n,).
    strand
        1 or -1, int64, shape (n,).
    sequences, structures, energies
        RNA, dot-bracket, kcal/mol.
    """

    start: np.ndarray
    end: np.ndarray
    strand: np.ndarray
    sequences: list[str]
    structures: list[str]
    energies: list[float]


def local_structures(strand: str) -> Iterator[tuple[int, int]]:
    """RNALfold's: intervals (0-based half-open) of locally optimal structures with pairs up to ``SPAN_NT`` apart."""
    model = RNA.md()
    model.window_size = model.max_bp_span = SPAN_NT
    found: list[tuple[int, int]] = []

    def keep(start: int, end: int, structure: str, energy: float, data: object = None) -> None:
        length = len(structure.rstrip("."))  # it reports one unpaired base behind the structure
        if length >= SHORTEST_NT:
            found.append((start - 1, start - 1 + length))

    RNA.fold_compound(strand, model, RNA.OPTION_MFE | RNA.OPTION_WINDOW).mfe_window_cb(keep)
    yield from found


def window_hairpins(strand: str) -> Iterator[tuple[int, int]]:
    """Hairpins of overlapping windows that RNAfold folds: of a single loop, with so many pairs, so long; each once."""
    seen = set()
    for first in range(0, len(strand) - WINDOW_NT + 1, STEP_NT):
        structure, _ = RNA.fold(strand[first : first + WINDOW_NT])
        for start, end, n_pairs in stem_loops(structure):
            place = (first + start, first + end)
            if n_pairs >= LEAST_PAIRS and end - start >= LEAST_NT and place not in seen:
                seen.add(place)
                yield place


def stem_loops(structure: str) -> Iterator[tuple[int, int, int]]:
    """Parts of a structure with one terminal loop, as wide as can be: start, end (half-open), and base pairs."""
    opened: list[int] = []
    runs: list[tuple[int, int, int]] = []  # the widest so far; a pair around two of them ends both
    for place, symbol in enumerate(structure):
        if symbol == "(":
            opened.append(place)
        elif symbol == ")":
            start = opened.pop()
            inner = [run for run in runs if run[0] > start]
            if not inner:
                runs.append((start, place + 1, 1))
            elif len(inner) == 1 and inner[0][2] > 0:
                runs[-1] = (start, place + 1, inner[0][2] + 1)
            else:  # a multiloop: what lies in it is told, what is around it is not
                yield from (run for run in inner if run[2])
                runs = [run for run in runs if run[0] < start] + [(start, place + 1, 0)]
    yield from (run for run in runs if run[2])


def folded_hairpins(letters: str, *, by_windows: bool) -> Hairpins:
    """Both strands' hairpins by either way, each folded by RNAfold by itself."""
    find = window_hairpins if by_windows else local_structures
    forward = letters.upper().replace("T", "U")
    backward = forward.translate(str.maketrans("ACGU", "UGCA"))[::-1]
    places = [(strand, *place) for strand, text in ((1, forward), (-1, backward)) for place in find(text)]
    sequences = [(forward if strand > 0 else backward)[start:end] for strand, start, end in places]
    folds = [RNA.fold(sequence) for sequence in sequences]
    strands, starts, ends = np.array(places, np.int64).reshape(-1, 3).T
    is_forward = strands > 0
    return Hairpins(
        np.where(is_forward, starts, len(letters) - ends),
        np.where(is_forward, ends, len(letters) - starts),
        strands,
        sequences,
        [structure for structure, _ in folds],
        [energy for _, energy in folds],
    )


def write_folds(hairpins: Hairpins, path: str) -> None:
    """As the program RNAfold writes them."""
    with open(path, "w") as file:
        rows = zip(hairpins.sequences, hairpins.structures, hairpins.energies, strict=True)
        for number, (sequence, structure, energy) in enumerate(rows):
            file.write(f">hairpin{number}\n{sequence}\n{structure} ({energy:6.2f})\n")
