"""The genome model, ready to score: class, calibrated rate of false calls, and mature arms."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mirsweep.model.devices import resolve_device
from mirsweep.model.genome_net import GenomeNet
from mirsweep.model.prediction import BATCH_SIZE, Arms, Prediction, checked_lengths, make_buckets
from mirsweep.model.stem import Library, Stems, lay_out

__all__ = ["GenomeModel", "decode_arms", "expected_fp_per_mb"]

WIDTH_STEP = 8
"""Batches are padded to multiples of this many columns, so that few shapes of the kernels are kept."""

_CHUNK = 4096
"""Hairpins laid out at once, which bounds the memory (14 MB at 400 nt)."""

_LENGTHS = np.array([18, 26])
"""Shortest and longest mature sequence that is predicted, nt."""


def expected_fp_per_mb(scores: np.ndarray, calibration: dict[str, list[float]]) -> np.ndarray:
    """False calls per Mb of genome at a cut-off of each score, between the points of the calibration.

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
    n = len(places)
    arms = []
    for row in range(2):
        on_row = places[:, :, row].astype(np.int64)
        length = int(on_row.max(initial=0)) + 1
        by_base = np.full((n, 2, length + _LENGTHS[1]), -1e9, np.float32)
        record, column = np.nonzero(on_row >= 0)
        for k in range(2):
            by_base[record, k, on_row[record, column]] = ends[record, 2 * row + k, column]
        best = np.full(n, -np.inf, np.float32)
        start, end = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
        for size in range(_LENGTHS[0], _LENGTHS[1] + 1):
            both = by_base[:, 0, :length] + by_base[:, 1, size - 1 : size - 1 + length]
            first = both.argmax(1)
            value = both[np.arange(n), first]
            better = (value > best) & (value > -1e4)
            best[better], start[better], end[better] = value[better], first[better], first[better] + size
        arms.append((start, end))
    mature = [np.where(is_5p, five, three) for five, three in zip(*arms, strict=True)]
    star = [np.where(is_5p, three, five) for five, three in zip(*arms, strict=True)]
    return Arms(*(column.astype(np.int16) for column in (*mature, *star)), is_5p)


class GenomeModel:
    """A trained genome model.

    Parameters
    ----------
    net
        Trained network, in evaluation mode from here on.
    card
        Where the weights come from; its ``calibration``, if it has one, gives the expected rate of false calls.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.

    Attributes
    ----------
    name, digest, card, device
        As of :class:`mirsweep.model.prediction.Scorer`.
    """

    def __init__(self, net: GenomeNet, card: dict[str, Any], *, device: str = "cpu"):
        self.device = resolve_device(device)
        self.card = card
        self.name: str = card["name"]
        self.digest: str = card["digest"]
        self.max_length = net.config.max_length
        self._library = Library(net.words.cpu().numpy().astype(np.int64), np.zeros(len(net.words), np.int32))
        self._net = net.to(self.device).eval().requires_grad_(False)

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
        checked_lengths(
            sequences,
            structures,
            flanks_5p,
            flanks_3p,
            name=self.name,
            max_length=self.max_length,
            batch_size=batch_size,
        )
        upper = [sequence.upper().replace("T", "U") for sequence in sequences]
        scores, is_5p = np.empty(n, np.float32), np.empty(n, bool)
        columns = [np.empty(n, np.int16) for _ in range(4)]
        for start in range(0, n, _CHUNK):
            part = slice(start, start + _CHUNK)
            flanks = (None, None) if flanks_5p is None else (flanks_5p[part], flanks_3p[part])
            stems = lay_out(upper[part], structures[part], *flanks, library=self._library)
            for rows in make_buckets(stems.n_columns, batch_size):
                scores[start + rows], arms = self._predict_batch(stems, rows)
                is_5p[start + rows] = arms.is_5p
                for column, values in zip(columns, arms[:4], strict=True):
                    column[start + rows] = values
        calibration = self.card.get("calibration")
        rates = None if calibration is None else expected_fp_per_mb(scores, calibration)
        return Prediction(scores, rates, Arms(*columns, is_5p))

    @torch.inference_mode()
    def _predict_batch(self, stems: Stems, rows: np.ndarray) -> tuple[np.ndarray, Arms]:
        width = int(stems.n_columns[rows].max())
        padding = -width % WIDTH_STEP
        tokens, matches = (
            np.pad(part[rows, :width], ((0, 0), (0, padding), (0, 0))) for part in (stems.tokens, stems.matches)
        )
        output = self._net(
            torch.from_numpy(tokens.astype(np.int64)).to(self.device),
            torch.from_numpy(matches.astype(np.float32)).to(self.device),
            torch.from_numpy(stems.n_columns[rows]).to(self.device),
        )
        ends = output.ends.log_softmax(2).cpu().numpy()[:, :, :width]
        arms = decode_arms(stems.places[rows, :width], ends, (output.arm_logits > 0).cpu().numpy())
        return output.logits.sigmoid().cpu().numpy(), arms
