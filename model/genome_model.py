"""The genome model, ready to score: class, calibrated rate of false positives, and mature arms."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from mirsweep.model.devices import resolve_device
from mirsweep.model.encode import encode
from mirsweep.model.errors import ModelError
from mirsweep.model.genome_net import GenomeNet, StemBatch, to_batch
from mirsweep.model.prediction import BATCH_SIZE, Arms, Prediction, checked_lengths, make_buckets
from mirsweep.model.stem import Library, Stems, lay_out

__all__ = ["GenomeModel", "decode_arms", "expected_fp_per_mb"]

WIDTH_STEP = 8
"""Batches are padded to multiples of this many columns, so that few shapes of the kernels are kept."""

_CHUNK = 4096
"""Hairpins laid out at once, which bounds the memory (14 MB at 400 nt)."""

_LENGTHS = np.array([18, 26])
"""Shortest and longest mature sequence that is predicted, nt."""

_NO_BASE = -1e9
"""Log-weight where an arm has no base: no pair of ends that takes part in it is ever the best."""


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


def decode_arms(places: np.ndarray, ends: np.ndarray, is_5p: np.ndarray) -> Arms:
    """Mature sequences from the network's weights of the columns.

    Of each arm the first and last base are taken together: the pair of the highest summed log-probability that makes
    18 to 26 nt.

    Parameters
    ----------
    places
        int16, shape (n, c, 2), as in ``Stems``.
    ends
        Log-weights, float32, shape (n, 4, c).
    is_5p
        Whether the mature sequence lies on the 5' arm, bool, shape (n,).
    """
    arms = [_best_span(places[:, :, row].astype(np.int64), ends[:, 2 * row : 2 * row + 2]) for row in range(2)]
    starts, stops = zip(*arms, strict=True)
    columns = [
        np.where(is_5p == is_mature, each[0], each[1]).astype(np.int16)
        for is_mature in (True, False)
        for each in (starts, stops)
    ]
    return Arms(columns[0], columns[1], columns[2], columns[3], is_5p)


def _best_span(places: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of the best mature sequence of one arm, -1 for none; int64, shape (n,).

    Shapes (n, c) and (n, 2, c): index of each column's base on this arm, log-weights of the first and last base.
    """
    n, length = len(places), int(places.max(initial=0)) + 1
    by_base = np.full((n, 2, length + _LENGTHS[1]), _NO_BASE, np.float32)
    record, column = np.nonzero(places >= 0)
    for k in range(2):
        by_base[record, k, places[record, column]] = ends[record, k, column]
    best = np.full(n, -np.inf, np.float32)
    start, end = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    for size in range(_LENGTHS[0], _LENGTHS[1] + 1):
        both = by_base[:, 0, :length] + by_base[:, 1, size - 1 : size - 1 + length]
        first = both.argmax(1)
        value = both[np.arange(n), first]
        better = (value > best) & (value > -1e4)
        best[better], start[better], end[better] = value[better], first[better], first[better] + size
    return start, end


class GenomeModel:
    """A trained genome model.

    Parameters
    ----------
    net
        Trained network, in evaluation mode from here on.
    card
        Where the weights come from; its ``calibration``, if it has one, gives the expected rate of false positives.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.

    Attributes
    ----------
    name, digest, card, device, max_length
        As of :class:`mirsweep.model.prediction.Scorer`.
    network
        The network, on the device.
    library
        14-mers of known mature sequences, from the weights file.
    """

    def __init__(self, net: GenomeNet, card: dict[str, Any], *, device: str = "cpu"):
        self.device = resolve_device(device)
        self.card = card
        self.name: str = card["name"]
        self.digest: str = card["digest"]
        self.max_length = net.config.max_length
        self.library = Library(net.words.cpu().numpy().astype(np.int64), np.zeros(len(net.words), np.int32))
        self.network = net.to(self.device).eval().requires_grad_(False)

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
        scores, is_5p = np.empty(n, np.float32), np.empty(n, bool)
        columns = [np.empty(n, np.int16) for _ in range(4)]
        for rows, batch, places in self.batches(sequences, structures, flanks_5p, flanks_3p, batch_size=batch_size):
            scores[rows], arms = self._predict_batch(batch, places)
            is_5p[rows] = arms.is_5p
            for column, values in zip(columns, arms[:4], strict=True):
                column[rows] = values
        calibration = self.card.get("calibration")
        rates = None if calibration is None else expected_fp_per_mb(scores, calibration)
        return Prediction(scores, rates, Arms(columns[0], columns[1], columns[2], columns[3], is_5p))

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
        ends = output.ends.log_softmax(2).cpu().numpy()[:, :, : places.shape[1]]
        arms = decode_arms(places, ends, (output.arm_logits > 0).cpu().numpy())
        return output.logits.sigmoid().cpu().numpy(), arms
