"""The genome model, ready to score: class, calibrated rate of false positives, and mature arms."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from mirsweep.model._stem_kernels import BRANCH, LOOP
from mirsweep.model.arms import decode_arms
from mirsweep.model.devices import resolve_device
from mirsweep.model.encode import encode
from mirsweep.model.errors import ModelError
from mirsweep.model.genome_net import GenomeNet, StemBatch, to_batch
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

__all__ = ["GenomeModel", "expected_fp_per_mb", "terminal_columns"]

WIDTH_STEP = 8
"""Batches are padded to multiples of this many columns, so that few shapes of the kernels are kept."""

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


def terminal_columns(batch: StemBatch) -> np.ndarray:
    """Columns of each hairpin's terminal loop, which come first; int64, shape (B,)."""
    left = batch.tokens[:, :, 0]
    return np.asarray(((left >= LOOP) & (left < BRANCH)).sum(1).cpu().numpy())


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
        The network that reads every hairpin.
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
        words = self.network.words.cpu().numpy().astype(np.int64)
        self.library = Library(words, np.zeros(len(words), np.int32))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label!r}, device={str(self.device)!r})"

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
        n = len(sequences)
        logits = np.empty(n, np.float32)
        arms = no_arms(n)
        for rows, batch, places in self.batches(sequences, structures, flanks_5p, flanks_3p, batch_size=batch_size):
            logits[rows], found = self._predict_batch(batch, places)
            for column, values in zip(arms, found, strict=True):
                column[rows] = values
        if isinstance(self.net, TwoStageNet):
            self._rescore(self.net, logits, (sequences, structures, flanks_5p, flanks_3p), batch_size)
        scores = checked_scores(torch.from_numpy(logits).sigmoid().numpy(), label=self.label)
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
        sizes = {"max_length": self.max_length, "batch_size": batch_size}
        checked_lengths(sequences, structures, flanks_5p, flanks_3p, name=self.name, **sizes)
        for start in range(0, len(sequences), _CHUNK):
            part = slice(start, start + _CHUNK)
            stems = self._lay_out(sequences, structures, flanks_5p, flanks_3p, part)
            for rows in make_buckets(stems.n_columns, batch_size):
                places = stems.places[rows, : int(stems.n_columns[rows].max())]
                yield start + rows, to_batch(stems, rows, width_step=WIDTH_STEP, device=self.device), places

    def _lay_out(
        self,
        sequences: Sequence[str],
        structures: Sequence[str],
        flanks_5p: Sequence[str] | None,
        flanks_3p: Sequence[str] | None,
        part: slice,
    ) -> Stems:
        upper = [sequence.upper().replace("T", "U") for sequence in sequences[part]]
        flanks = [None if flank is None else flank[part] for flank in (flanks_5p, flanks_3p)]
        try:
            return lay_out(upper, structures[part], *flanks, library=self.library)
        except ModelError:
            encode(sequences, structures)  # the same fault, counted in the caller's order
            raise

    @torch.inference_mode()
    def _predict_batch(self, batch: StemBatch, places: np.ndarray) -> tuple[np.ndarray, Arms]:
        output = self.network(*batch)
        ends = output.ends.log_softmax(2).cpu().numpy()
        is_matched = batch.matches.any(2).any(1).cpu().numpy()
        arms = decode_arms(places, terminal_columns(batch), ends, output.arm_logits.cpu().numpy(), is_matched)
        return output.logits.cpu().numpy(), arms

    @torch.inference_mode()
    def _rescore(self, net: TwoStageNet, logits: np.ndarray, texts: tuple[Any, ...], batch_size: int) -> None:
        """Let the second networks read the likely hairpins, and put the log-odds of all into their places."""
        likely = np.flatnonzero(logits > net.config.rescored_from)
        own = [None if column is None else [column[i] for i in likely.tolist()] for column in texts]
        for part, batch, _ in self.batches(own[0] or [], own[1] or [], own[2], own[3], batch_size=batch_size):
            others = [member(*batch).logits.cpu().numpy() for member in net.members[1:]]
            rows = likely[part]
            logits[rows] = blend(logits[rows], others, net.config.rescored_from)
