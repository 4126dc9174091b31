"""Minimum-free-energy structures of short sequences, as RNAfold prints them."""

from collections.abc import Sequence

import numpy as np
import RNA

from mirsweep.scanner import _candidate_kernels as kernels
from mirsweep.scanner.batchfold import fold_batch, fold_batch_texts
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.foldinput import Folded, FoldedTexts, Nesting
from mirsweep.scanner.params import ENGINES
from mirsweep.texts import Texts, texts_of

__all__ = ["Folded", "fold", "fold_texts", "terminal_loops"]


def _fold_vienna(sequences: Sequence[str]) -> Folded:
    folded = [RNA.fold(sequence) for sequence in sequences]
    return Folded([s for s, _ in folded], np.array([e for _, e in folded], np.float32))


def _fold_batch(sequences: Sequence[str]) -> Folded:
    return fold_batch(sequences)


def _fold_cuda(sequences: Sequence[str]) -> Folded:
    from mirsweep.scanner.cudafold import fold_cuda  # brings numba's CUDA target

    return fold_cuda(sequences)


_ENGINES = {"batch": _fold_batch, "vienna": _fold_vienna, "cuda": _fold_cuda}


def fold(sequences: Sequence[str], *, engine: str = "batch") -> Folded:
    """Fold each sequence on its own (Turner 2004, 37 degrees C, -d2).

    Parameters
    ----------
    sequences
        RNA or DNA letters; each result depends on its own sequence only.
    engine
        ``"batch"``: many sequences side by side, RNAfold's energies and structures (``fold_batch``);
        ``"vienna"``: ViennaRNA's ``RNA.fold``, one by one, the reference; ``"cuda"``: the batched recursion on an
        NVIDIA GPU (``fold_cuda``).

    Raises
    ------
    InputError
        If the engine is unknown, cannot run here (no GPU), or cannot fold a sequence (all but ``"vienna"``: at most
        400 nt), or if one string is given instead of several: a string is a sequence of letters, each of which would be
        folded.
    """
    if isinstance(sequences, str | bytes):
        raise InputError(f"fold takes a list of sequences, not one string: write fold([{_shown(sequences)}]).")
    if engine not in _ENGINES:
        raise InputError(f"fold engine {engine!r} is unknown: choose one of {', '.join(ENGINES)}.")
    return _ENGINES[engine](sequences)


def fold_texts(sequences: Texts, *, engine: str = "batch", nesting: Nesting | None = None) -> FoldedTexts:
    """The same as :func:`fold`, without a Python string for each sequence and structure.

    Parameters
    ----------
    nesting
        Which sequences are parts of others, for the engines that make use of it.
    """
    if engine == "batch":
        return fold_batch_texts(sequences, nesting=nesting)
    if engine == "cuda":
        from mirsweep.scanner.cudafold import fold_cuda_texts  # brings numba's CUDA target

        return fold_cuda_texts(sequences, nesting=nesting)
    folded = fold(sequences, engine=engine)
    return FoldedTexts(texts_of(folded.structures), folded.energies)


def _shown(sequence: str | bytes) -> str:
    """The sequence as Python writes it, cut to a readable length."""
    text = sequence.decode(errors="replace") if isinstance(sequence, bytes) else sequence
    return repr(text if len(text) <= 20 else text[:20] + "...")


def terminal_loops(structures: Texts) -> np.ndarray:
    """Terminal loop of each structure: of its hairpin loops, the one that most pairs enclose, the first if they tie.

    Returns
    -------
    int64, shape (n, 2): its unpaired bases, 0-based half-open; (0, 0) where nothing pairs.
    """
    found = np.empty((len(structures), 2), np.int64)
    kernels.terminal_loops(structures.letters, structures.offsets, found)
    return found
