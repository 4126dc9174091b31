"""Scoring with genome networks on the CPU: hairpins laid out, read and decoded by compiled loops, without torch."""

from collections.abc import Iterator

import numpy as np

from mirsweep.model._stem_kernels import BRANCH, LOOP
from mirsweep.model.arms import decode_arms
from mirsweep.model.genome_fused import FusedGenomeNet
from mirsweep.model.genome_weights import GenomeWeights
from mirsweep.model.prediction import Arms
from mirsweep.model.stem import HairpinTexts, Library, Stems, lay_out

__all__ = ["CpuNetwork", "OnCpu", "terminal_columns"]

_AT_ONCE = 4096
"""Hairpins laid out at once, which bounds the memory (14 MB at 400 nt)."""


def terminal_columns(tokens: np.ndarray) -> np.ndarray:
    """Columns of each hairpin's terminal loop, which come first; (n, c, 2) to int64, shape (n,)."""
    left = tokens[:, :, 0]
    return np.asarray(((left >= LOOP) & (left < BRANCH)).sum(1))


class CpuNetwork:
    """One network, ready to score.

    Parameters
    ----------
    weights
        Of one network.
    """

    def __init__(self, weights: GenomeWeights):
        self._net = FusedGenomeNet(weights)

    def logits(self, stems: Stems) -> np.ndarray:
        """Log-odds of pre-miRNA, float32, shape (n,)."""
        return self._net(stems, with_ends=False).logits

    def read(self, stems: Stems) -> tuple[np.ndarray, Arms]:
        """Log-odds of pre-miRNA, float32, shape (n,), and the mature sequences."""
        found = self._net(stems)
        is_matched = np.asarray(stems.matches.any(axis=(1, 2)))
        arms = decode_arms(stems.places, terminal_columns(stems.tokens), found.ends, found.arm_logits, is_matched)
        return found.logits, arms


class OnCpu:
    """What a genome model computes with on the CPU.

    Parameters
    ----------
    library
        14-mers of known mature sequences.
    """

    def __init__(self, library: Library):
        self._library = library

    def parts(self, texts: HairpinTexts) -> Iterator[slice]:
        """The hairpins, so many at once as the memory is to hold."""
        n = len(texts.sequences)
        return (slice(start, min(n, start + _AT_ONCE)) for start in range(0, n, _AT_ONCE))

    def lay_out(self, texts: HairpinTexts) -> Stems:
        """Hairpins as columns.

        Raises
        ------
        ModelError
            If a sequence or structure is malformed.
        """
        return lay_out(*texts, library=self._library)

    def network(self, weights: GenomeWeights) -> CpuNetwork:
        """A network, ready to score."""
        return CpuNetwork(weights)
