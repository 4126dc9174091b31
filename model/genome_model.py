"""The genome model, ready to score: class, calibrated rate of false positives, and mature arms."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mirsweep.model.blend import blend
from mirsweep.model.devices import resolve_device
from mirsweep.model.encode import encode
from mirsweep.model.errors import ModelError
from mirsweep.model.genome_config import TwoStageConfig
from mirsweep.model.genome_fused import FusedGenomeNet
from mirsweep.model.genome_on_cpu import OnCpu
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
from mirsweep.model.stem import HairpinTexts, Library, of_bases
from mirsweep.texts import texts_of

if TYPE_CHECKING:
    from mirsweep.model.genome_net import GenomeNet, StemBatch
    from mirsweep.model.two_stage import TwoStageNet

__all__ = ["GenomeModel", "expected_fp_per_mb"]


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


class _Network(Protocol):
    """A network on hairpins that are laid out as its platform does it."""

    def logits(self, stems: Any) -> np.ndarray: ...
    def read(self, stems: Any) -> tuple[np.ndarray, Arms]: ...


class _Platform(Protocol):
    """What computes: :class:`mirsweep.model.genome_on_cpu.OnCpu`, or torch on a device."""

    def parts(self, texts: HairpinTexts) -> Iterator[slice]: ...
    def lay_out(self, texts: HairpinTexts) -> Any: ...
    def network(self, weights: GenomeWeights) -> _Network: ...


def _platform(library: Library, device: str, *, as_tensors: bool) -> _Platform:
    if not as_tensors:
        return OnCpu(library)
    from mirsweep.model.genome_on_device import OnDevice  # brings torch

    return OnDevice(library, device)


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
    as_tensors
        Compute by torch's tensors on a CPU, too, instead of by compiled loops, which are faster there: to compare what
        a GPU computes.

    Attributes
    ----------
    name, digest, card, device, max_length
        As of :class:`mirsweep.model.prediction.Scorer`.
    weights
        As given.
    library
        14-mers of known mature sequences, from the weights file.
    """

    def __init__(self, weights: GenomeWeights, card: dict[str, Any], *, device: str = "cpu", as_tensors: bool = False):
        self.device = resolve_device(device)
        self.card, self.weights = card, weights
        self.name: str = card["name"]
        self.digest: str = card["digest"]
        config, members, sieve = weights.config, weights.members, weights.sieve
        self.max_length = config.max_length
        words = members[0].arrays["words"].astype(np.int64)
        self.library = Library(words, np.zeros(len(words), np.int32))
        self._platform = _platform(self.library, self.device, as_tensors=as_tensors or self.device != "cpu")
        self._networks = [self._platform.network(member) for member in members]
        self._sieve = None if sieve is None else self._platform.network(sieve)
        self._rescored_from = self._read_from = 0.0
        if isinstance(config, TwoStageConfig):
            self._rescored_from, self._read_from = config.rescored_from, config.read_from

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label!r}, device={self.device!r})"

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
        for part, stems in self._laid_out(texts, self._platform):
            logits[part], rows, found = self._predict_part(stems)
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
        for part, stems in self._laid_out(texts, OnCpu(self.library)):
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
        for _, stems in self._laid_out(texts, OnCpu(self.library)):
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
    ) -> HairpinTexts:
        sizes = {"max_length": self.max_length, "batch_size": batch_size}
        checked_lengths(sequences, structures, flanks_5p, flanks_3p, name=self.name, **sizes)
        given = (flanks_5p, flanks_3p) if self.weights.config.reads_flanks else (None, None)
        flanks = [None if flank is None else texts_of(flank) for flank in given]
        return HairpinTexts(texts_of(sequences), texts_of(structures), *flanks)

    def _laid_out(self, texts: HairpinTexts, platform: _Platform) -> Iterator[tuple[slice, Any]]:
        """Columns of the hairpins, some at a time, with the part of all that these are."""
        for part in platform.parts(texts):
            try:
                stems = platform.lay_out(texts.part(part))
            except ModelError:
                encode(texts.sequences, texts.structures)  # the same fault, counted in the caller's order
                raise
            yield part, stems

    def _predict_part(self, stems: Any) -> tuple[np.ndarray, np.ndarray, Arms]:
        """Log-odds of hairpins, float32 (n,), the indices of those that the first network has read, and their arms."""
        first, *others = self._networks
        if self._sieve is None:
            own, arms = first.read(stems)
            logits, rows = own, np.arange(len(own))
        else:
            logits = self._sieve.logits(stems)
            rows = np.flatnonzero(logits > self._read_from)
            stems = stems.take(rows)
            own, arms = first.read(stems)
        if others:
            likely = np.flatnonzero(own > self._rescored_from)
            of_likely = stems.take(likely)
            own[likely] = blend(own[likely], [net.logits(of_likely) for net in others], self._rescored_from)
        logits[rows] = own
        return logits, rows, arms
