"""What every model gives, whatever its network: the form of its predictions, and the batches that it computes in."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from mirsweep._shown import shown
from mirsweep.model.encode import lengths_of
from mirsweep.model.errors import ModelError

__all__ = ["BATCH_SIZE", "Arms", "Prediction", "Scorer", "checked_lengths", "checked_scores", "make_buckets", "no_arms"]

BATCH_SIZE = 512
"""Hairpins scored at once, at most; the fastest of 64 to 2048 (benchmarks/results/score.json)."""

MAX_POSITIONS = 2**17
"""Positions (hairpins times longest) scored at once, which bounds a batch to some 60 MB on any input."""


class Arms(NamedTuple):
    """Where the mature and the star sequence lie within each of n hairpins.

    Attributes
    ----------
    mature_start, mature_end, star_start, star_end
        0-based half-open within the sequence, -1 where the model predicts none; int16, shape (n,).
    is_5p
        Whether the mature sequence lies on the 5' arm, as the model guesses; bool, shape (n,).
    is_stated
        Whether that guess is sure enough to be relied on; bool, shape (n,).
    arm_confidence
        Probability that it is right; float32, shape (n,).
    confidence_5p, confidence_3p
        Probability that the 5' end of each arm's sequence is within 2 nt of the true one, if the hairpin is a
        pre-miRNA; float32, shape (n,), NaN where the model predicts no such sequence.
    """

    mature_start: np.ndarray
    mature_end: np.ndarray
    star_start: np.ndarray
    star_end: np.ndarray
    is_5p: np.ndarray
    is_stated: np.ndarray
    arm_confidence: np.ndarray
    confidence_5p: np.ndarray
    confidence_3p: np.ndarray


def checked_scores(scores: np.ndarray, *, label: str) -> np.ndarray:
    """The scores, float32, shape (n,).

    Raises
    ------
    ModelError
        If one is not a number: the weights are too large for the network's arithmetic.
    """
    n_odd = int(np.isnan(scores).sum())
    if n_odd:
        raise ModelError(
            f"model {label} gives no score for {n_odd} of {len(scores)} hairpins (NaN): its weights are damaged or "
            "badly trained; get or train them anew."
        )
    return scores


def no_arms(n: int) -> Arms:
    """Arms of n hairpins of which the model predicts none."""
    ends = [np.full(n, -1, np.int16) for _ in range(4)]
    return Arms(*ends, *(np.zeros(n, bool) for _ in range(2)), *(np.full(n, np.nan, np.float32) for _ in range(3)))


@shown("scores", "expected_fp_per_mb", "arms")
class Prediction(NamedTuple):
    """What a model says of n hairpins; a model gives the later fields always or never.

    Attributes
    ----------
    scores
        Probability of pre-miRNA; float32, shape (n,).
    expected_fp_per_mb
        Expected false positives per Mb of genome, both strands, with a score at least this one; float32,
        shape (n,). None if the model has no calibration.
    arms
        None if the model predicts none.
    """

    scores: np.ndarray
    expected_fp_per_mb: np.ndarray | None = None
    arms: Arms | None = None


class Scorer(Protocol):
    """A trained model of any kind, ready to score: what :func:`mirsweep.model.load.load_model` returns.

    Attributes
    ----------
    name, digest
        Name of the weights and sha256 of their file, hex.
    card
        Where the weights come from (see :mod:`mirsweep.model.checkpoint`).
    device
        The device that computes, ``"cpu"`` or ``"cuda"``.
    max_length
        Longest sequence that can be scored, nt.
    """

    name: str
    digest: str
    card: dict[str, Any]
    device: str
    max_length: int

    @property
    def label(self) -> str:
        """Name and start of the digest: what a candidate's ``model`` column holds."""

    def predict(
        self,
        sequences: Sequence[str],
        structures: Sequence[str],
        flanks_5p: Sequence[str] | None = None,
        flanks_3p: Sequence[str] | None = None,
        *,
        batch_size: int = BATCH_SIZE,
    ) -> Prediction:
        """All that the model says of each hairpin; parameters and errors are those of :meth:`score`."""

    def score(
        self,
        sequences: Sequence[str],
        structures: Sequence[str],
        flanks_5p: Sequence[str] | None = None,
        flanks_3p: Sequence[str] | None = None,
        *,
        batch_size: int = BATCH_SIZE,
    ) -> np.ndarray:
        """Probability that each hairpin is a pre-miRNA.

        A score depends on its own hairpin only, whatever else is scored with it.

        Parameters
        ----------
        sequences
            n sequences of A C G U (or T), either case, 1 to ``max_length`` nt.
        structures
            Their dot-bracket structures.
        flanks_5p, flanks_3p
            Up to 24 nt before and after each sequence on its own strand, None where they are not known; the paper's
            network does not look at them.
        batch_size
            Most hairpins to compute at once; changes speed and memory only.

        Returns
        -------
        float32, shape (n,), between 0 and 1.

        Raises
        ------
        ModelError
            If a sequence is empty or too long, or sequences, structures and flanks do not fit together.
        """


def checked_lengths(
    sequences: Sequence[str],
    structures: Sequence[str],
    flanks_5p: Sequence[str] | None,
    flanks_3p: Sequence[str] | None,
    *,
    name: str,
    max_length: int,
    batch_size: int,
) -> np.ndarray:
    """Lengths of the sequences, nt, int64, shape (n,), if the arguments of :meth:`Scorer.score` fit together.

    Raises
    ------
    ModelError
        As :meth:`Scorer.score`, of model ``name``.
    """
    if batch_size < 1:
        raise ModelError(f"the batch size must be at least 1, not {batch_size}.")
    if len(sequences) != len(structures):
        raise ModelError(f"{len(sequences)} sequences but {len(structures)} structures: give one structure each.")
    if (flanks_5p is None) != (flanks_3p is None):
        raise ModelError("flanks were given on one side of the sequences only: give both flanks or none.")
    for flanks in (flanks_5p, flanks_3p):
        if flanks is not None and len(flanks) != len(sequences):
            raise ModelError(f"{len(sequences)} sequences but {len(flanks)} flanks of a side: give one each.")
    lengths = lengths_of(sequences)
    bad = np.flatnonzero((lengths < 1) | (lengths > max_length))
    if bad.size:
        raise ModelError(
            f"sequence {bad[0] + 1} has {lengths[bad[0]]} nt; the model {name} scores 1 to {max_length} nt: leave the "
            "sequence out or cut it."
        )
    return lengths


def make_buckets(lengths: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Indices of batches of similar lengths, powers of two in size, at most ``batch_size`` and ``MAX_POSITIONS``.

    Parameters
    ----------
    lengths
        Lengths in nt, int64, shape (n,), all positive.

    Yields
    ------
    int64, shape (m,): every index once, longest first.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        most = min(batch_size, MAX_POSITIONS // int(lengths[order[start]]), len(order) - start)
        size = 2 ** (max(1, most).bit_length() - 1)
        yield order[start : start + size]
        start += size
