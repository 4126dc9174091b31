"""The genome model, ready to score: class, calibrated rate of false positives, and mature arms."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from mirsweep.model._stem_kernels import BRANCH, LOOP, NOWHERE
from mirsweep.model.arms import decode_arms
from mirsweep.model.devices import resolve_device
from mirsweep.model.encode import encode
from mirsweep.model.errors import ModelError
from mirsweep.model.genome_fused import FusedGenomeNet, Readings
from mirsweep.model.genome_net import ENDS, GenomeNet, StemBatch, to_batch
from mirsweep.model.prediction import (
    BATCH_SIZE,
    Arms,
    Prediction,
    checked_lengths,
    checked_scores,
    make_buckets,
    no_arms,
)
from mirsweep.model.stem import Library, Stems, lay_out
from mirsweep.model.two_stage import TwoStageNet, blend
from mirsweep.texts import Texts, texts_of

__all__ = ["GenomeModel", "OnDevice", "expected_fp_per_mb", "terminal_columns"]

WIDTH_STEP = 8
"""Batches are padded to multiples of this many columns, so that few shapes of the kernels are kept."""

_CHUNK = 4096
"""Hairpins laid out at once, which bounds the memory (14 MB at 400 nt)."""
_ON_DEVICE = 2048
"""Hairpins computed at once on a GPU."""


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


class OnDevice:
    """A network in torch, batches of similar width."""

    def __init__(self, net: GenomeNet, device: torch.device):
        self._net, self._device = net, device

    @torch.inference_mode()
    def __call__(self, stems: Stems, *, with_ends: bool = True) -> Readings:
        """What the network says of hairpins; as :class:`mirsweep.model.genome_fused.FusedGenomeNet` has it."""
        n, widest = stems.tokens.shape[:2]
        found = Readings(
            np.empty(n, np.float32),
            np.empty(n, np.float32),
            np.full((n, ENDS, widest), NOWHERE, np.float32) if with_ends else np.empty((n, 0, 0), np.float32),
        )
        for rows in make_buckets(stems.n_columns, _ON_DEVICE) if n else ():
            output = self._net(*to_batch(stems, rows, width_step=WIDTH_STEP, device=self._device))
            found.logits[rows] = output.logits.cpu().numpy()
            found.arm_logits[rows] = output.arm_logits.cpu().numpy()
            if with_ends:
                ends = output.ends.log_softmax(2).cpu().numpy()[:, :, :widest]
                found.ends[rows, :, : ends.shape[2]] = ends
        return found


def _logistic(logits: np.ndarray) -> np.ndarray:
    """Probabilities of log-odds; float32, (n,)."""
    return torch.from_numpy(logits).sigmoid().numpy()


class GenomeModel:
    """A trained genome model.

    Parameters
    ----------
    net
        Trained network or networks, in evaluation mode from here on.
    card
        Where the weights come from; its ``calibration``, if it has one, gives the expected rate of false positives.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.

    Attributes
    ----------
    name, digest, card, device, max_length
        As of :class:`mirsweep.model.prediction.Scorer`.
    net
        As given, on the device.
    network
        The first network, which reads every hairpin that the sieve, if there is one, lets through.
    library
        14-mers of known mature sequences, from the weights file.
    """

    def __init__(self, net: GenomeNet | TwoStageNet, card: dict[str, Any], *, device: str = "cpu"):
        self.device = resolve_device(device)
        self.card = card
        self.name: str = card["name"]
        self.digest: str = card["digest"]
        self.max_length = net.config.max_length
        self.net = net.to(self.device).eval().requires_grad_(False)
        self.network = net.first if isinstance(net, TwoStageNet) else net
        members = net.members if isinstance(net, TwoStageNet) else [net]
        self._readers = [self._reader(member) for member in members]
        self._sieve: _Reader | None = None
        self._rescored_from = self._read_from = 0.0
        if isinstance(net, TwoStageNet):
            self._rescored_from, self._read_from = net.config.rescored_from, net.config.read_from
            self._sieve = None if net.sieve is None else self._reader(net.sieve)
        words = self.network.words.cpu().numpy().astype(np.int64)
        self.library = Library(words, np.zeros(len(words), np.int32))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label!r}, device={str(self.device)!r})"

    def _reader(self, net: GenomeNet) -> _Reader:
        return FusedGenomeNet(net) if self.device.type == "cpu" else OnDevice(net, self.device)

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
    ) -> Iterator[tuple[np.ndarray, StemBatch, np.ndarray]]:
        """Indices (B,), columns and the columns' places, int16 (B, c, 2), of the batches in which all are computed.

        Raises
        ------
        ModelError
            As :meth:`score`.
        """
        texts = self._checked(sequences, structures, flanks_5p, flanks_3p, batch_size=batch_size)
        for part, stems in self._laid_out(texts):
            for rows in make_buckets(stems.n_columns, batch_size):
                places = stems.places[rows, : int(stems.n_columns[rows].max())]
                yield part.start + rows, to_batch(stems, rows, width_step=WIDTH_STEP, device=self.device), places

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
