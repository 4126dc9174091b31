"""The genome model, ready to score: class, calibrated rate of false positives, and mature arms."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from mirsweep.model._stem_kernels import BRANCH, LOOP
from mirsweep.model.arms import decode_arms
from mirsweep.model.blend import blend
from mirsweep.model.devices import resolve_device
from mirsweep.model.encode import encode
from mirsweep.model.errors import ModelError
from mirsweep.model.genome_config import TwoStageConfig
from mirsweep.model.genome_fused import FusedGenomeNet, Readings
from mirsweep.model.genome_weights import GenomeWeights
from mirsweep.model.prediction import (
    BATCH_SIZE,
    Arms,
    Prediction,
    checked_lengths,
    checked_scores,
    make_buckets,
    no_arms,
)
from mirsweep.model.stem import Library, Stems, lay_out, of_bases
from mirsweep.texts import Texts, texts_of

if TYPE_CHECKING:
    from mirsweep.model.genome_net import GenomeNet, StemBatch
    from mirsweep.model.two_stage import TwoStageNet

__all__ = ["GenomeModel", "expected_fp_per_mb", "terminal_columns"]

_CHUNK = 4096
"""Hairpins laid out at once, which bounds the memory (14 MB at 400 nt)."""


def expected_fp_per_mb(scores: np.ndarray, calibration: dict[str, list[float]]) -> np.ndarray:
    """False positives per Mb of genome at a threshold of each score, between the points of the calibration.

    Parameters
    ----------
    calibration
        ``score``, ascending, and ``fp_per_mb`` at it, falling and positive; beyond the points the nearest one's.

    Returns
    -------
    float32, shape (n,): linear in score and in the logarithm of the rate.
    """
    rates = np.log(np.asarray(calibration["fp_per_mb"], float))
    return np.exp(np.interp(scores.astype(float), calibration["score"], rates)).astype(np.float32)


def terminal_columns(tokens: np.ndarray) -> np.ndarray:
    """Columns of each hairpin's terminal loop, which come first; (n, c, 2) to int64, shape (n,)."""
    left = tokens[:, :, 0]
    return np.asarray(((left >= LOOP) & (left < BRANCH)).sum(1))


class _HairpinTexts(NamedTuple):
    sequences: Texts
    structures: Texts
    flanks_5p: Texts | None
    flanks_3p: Texts | None


class _Reader(Protocol):
    """A network that reads hairpins, wherever it computes."""

    def __call__(self, stems: Stems, *, with_ends: bool = True) -> Readings: ...


def _logistic(logits: np.ndarray) -> np.ndarray:
    """Probabilities of log-odds; float32, (n,)."""
    with np.errstate(over="ignore"):
        return (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)


class GenomeModel:
    """A trained genome model. On the CPU it scores without torch.

    Parameters
    ----------
    weights
        Of the network or networks (:func:`mirsweep.model.genome_net.weights_of` has those of networks in torch).
    card
        Where the weights come from; its ``calibration``, if it has one, gives the expected rate of false positives.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.

    Attributes
    ----------
    name, digest, card, device, max_length
        As of :class:`mirsweep.model.prediction.Scorer`.
    weights
        As given.
    library
        14-mers of known mature sequences, from the weights file.
    """

    def __init__(self, weights: GenomeWeights, card: dict[str, Any], *, device: str = "cpu"):
        self.device = resolve_device(device)
        self.card, self.weights = card, weights
        self.name: str = card["name"]
        self.digest: str = card["digest"]
        config, members, sieve = weights.config, weights.members, weights.sieve
        self.max_length = config.max_length
        self._readers = [self._reader(member) for member in members]
        self._sieve = None if sieve is None else self._reader(sieve)
        self._rescored_from = self._read_from = 0.0
        if isinstance(config, TwoStageConfig):
            self._rescored_from, self._read_from = config.rescored_from, config.read_from
        words = members[0].arrays["words"].astype(np.int64)
        self.library = Library(words, np.zeros(len(words), np.int32))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label!r}, device={self.device!r})"

    def _reader(self, weights: GenomeWeights) -> _Reader:
        if self.device == "cpu":
            return FusedGenomeNet(weights)
        from mirsweep.model.genome_on_device import OnDevice

        return OnDevice(weights, self.device)

    @cached_property
    def net(self) -> "GenomeNet | TwoStageNet":
        """The network, or networks, in torch, on the device, in evaluation mode."""
        from mirsweep.model.two_stage import network_of

        return network_of(self.weights).to(self.device).requires_grad_(False)

    @property
    def network(self) -> "GenomeNet":
        """The first network in torch, which reads every hairpin that the sieve, if there is one, lets through."""
        from mirsweep.model.genome_net import GenomeNet

        return self.net if isinstance(self.net, GenomeNet) else self.net.first

    @property
    def label(self) -> str:
        """Name and start of the digest: what a candidate's ``model`` column holds."""
        return f"{self.name}:{self.digest[:12]}"

    def score(
        self,
        sequences: Sequence[str],
        structures: Sequence[str],
        flanks_5p: Sequence[str] | None = None,
        flanks_3p: Sequence[str] | None = None,
        *,
        batch_size: int = BATCH_SIZE,
    ) -> np.ndarray:
        """Probability that each hairpin is a pre-miRNA; parameters as for ``predict``; float32, shape (n,)."""
        return self.predict(sequences, structures, flanks_5p, flanks_3p, batch_size=batch_size).scores

    def predict(
        self,
        sequences: Sequence[str],
        structures: Sequence[str],
        flanks_5p: Sequence[str] | None = None,
        flanks_3p: Sequence[str] | None = None,
        *,
        batch_size: int = BATCH_SIZE,
    ) -> Prediction:
        """Score hairpins, each by itself.

        Parameters and errors are those of :meth:`mirsweep.model.prediction.Scorer.score`.
        """
        texts = self._checked(sequences, structures, flanks_5p, flanks_3p, batch_size=batch_size)
        n = len(sequences)
        logits, arms = np.empty(n, np.float32), no_arms(n)
        for part, stems in self._laid_out(texts):
            logits[part], rows, found = self._predict_chunk(stems)
            for column, values in zip(arms, found, strict=True):
                column[part][rows] = values
        scores = checked_scores(_logistic(logits), label=self.label)
        calibration = self.card.get("calibration")
        rates = None if calibration is None else expected_fp_per_mb(scores, calibration)
        return Prediction(scores, rates, arms)

    def batches(
        self,
        sequences: Sequence[str],
        structures: Sequence[str],
        flanks_5p: Sequence[str] | None = None,
        flanks_3p: Sequence[str] | None = None,
        *,
        batch_size: int = BATCH_SIZE,
    ) -> "Iterator[tuple[np.ndarray, StemBatch, np.ndarray]]":
        """Indices (B,), columns in torch and the columns' places, int16 (B, c, 2), of batches of similar width.

        Raises
        ------
        ModelError
            As :meth:`score`.
        """
        from mirsweep.model.genome_net import to_batch
        from mirsweep.model.genome_on_device import WIDTH_STEP

        texts = self._checked(sequences, structures, flanks_5p, flanks_3p, batch_size=batch_size)
        for part, stems in self._laid_out(texts):
            for rows in make_buckets(stems.n_columns, batch_size):
                places = stems.places[rows, : int(stems.n_columns[rows].max())]
                yield part.start + rows, to_batch(stems, rows, width_step=WIDTH_STEP, device=self.device), places

    def attention(
        self,
        sequences: Sequence[str],
        structures: Sequence[str],
        flanks_5p: Sequence[str] | None = None,
        flanks_3p: Sequence[str] | None = None,
    ) -> list[np.ndarray]:
        """Attention of each base, float32, shape (n,), for each hairpin: the first network's, the mean of its heads.

        A column's is shared equally by its bases; what is missing to 1 the flanks have. Parameters and errors are those
        of :meth:`score`.
        """
        texts = self._checked(sequences, structures, flanks_5p, flanks_3p, batch_size=BATCH_SIZE)
        reader = FusedGenomeNet(self.weights.members[0])
        found = []
        for _, stems in self._laid_out(texts):
            attention = reader(stems, with_ends=False, with_attention=True).attention
            lengths = (stems.places >= 0).sum((1, 2))
            found += [of_bases(*row)[0] for row in zip(stems.places, attention, lengths, strict=True)]
        return found

    def _checked(
        self,
        sequences: Sequence[str],
        structures: Sequence[str],
        flanks_5p: Sequence[str] | None,
        flanks_3p: Sequence[str] | None,
        *,
        batch_size: int,
    ) -> _HairpinTexts:
        sizes = {"max_length": self.max_length, "batch_size": batch_size}
        checked_lengths(sequences, structures, flanks_5p, flanks_3p, name=self.name, **sizes)
        flanks = [None if flank is None else texts_of(flank) for flank in (flanks_5p, flanks_3p)]
        return _HairpinTexts(texts_of(sequences), texts_of(structures), *flanks)

    def _laid_out(self, texts: _HairpinTexts) -> Iterator[tuple[slice, Stems]]:
        """Columns of the hairpins, some at a time, with the part of all that these are."""
        for start in range(0, len(texts.sequences), _CHUNK):
            part = slice(start, start + _CHUNK)
            flanks = [None if flank is None else flank[part] for flank in (texts.flanks_5p, texts.flanks_3p)]
            try:
                yield part, lay_out(texts.sequences[part], texts.structures[part], *flanks, library=self.library)
            except ModelError:
                encode(texts.sequences, texts.structures)  # the same fault, counted in the caller's order
                raise

    def _predict_chunk(self, stems: Stems) -> tuple[np.ndarray, np.ndarray, Arms]:
        """Log-odds of hairpins, float32 (n,), the indices of those that the first network has read, and their arms."""
        first, *others = self._readers
        logits = np.empty(len(stems.n_columns), np.float32)
        rows = np.arange(len(logits))
        if self._sieve is not None:
            logits[:] = self._sieve(stems, with_ends=False).logits
            rows = np.flatnonzero(logits > self._read_from)
            stems = stems.take(rows)
        output = first(stems)
        is_matched = np.asarray(stems.matches.any(axis=(1, 2)))
        arms = decode_arms(stems.places, terminal_columns(stems.tokens), output.ends, output.arm_logits, is_matched)
        own = output.logits
        if others:
            likely = np.flatnonzero(own > self._rescored_from)
            of_likely = stems.take(likely)
            read = [net(of_likely, with_ends=False).logits for net in others]
            own[likely] = blend(own[likely], read, self._rescored_from)
        logits[rows] = own
        return logits, rows, arms
