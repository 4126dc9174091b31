"""The paper's network, ready to score hairpins."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from mirsweep.model.devices import resolve_device
from mirsweep.model.encode import encode
from mirsweep.model.errors import ModelError
from mirsweep.model.net import FusedNet, Net
from mirsweep.model.prediction import BATCH_SIZE, Prediction, checked_lengths, checked_scores, make_buckets

__all__ = ["Model"]

WIDTH_STEP = 8
"""Batches are padded to multiples of this and hold 1, 2, 4 ... hairpins: oneDNN keeps compiled kernels for each shape
that it meets, and 750 small calls of free shapes left 430 MB of them behind, of these shapes 67 MB."""


class Model:
    """A trained network, ready to score.

    Parameters
    ----------
    net
        Trained network; it is copied as it is now.
    card
        Where the weights come from (see :mod:`mirsweep.model.checkpoint`).
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.

    Attributes
    ----------
    name, digest
        Name of the weights and sha256 of their file, hex.
    card
        As given.
    device
        The device that computes.
    config
        Sizes and kinds of the network's parts.
    network
        The network, on the device.
    """

    def __init__(self, net: Net, card: dict[str, Any], *, device: str = "cpu"):
        self.device = resolve_device(device)
        self.card = card
        self.name: str = card["name"]
        self.digest: str = card["digest"]
        self.max_length = net.config.max_length
        self.config = net.config
        self.network = FusedNet(net.to(self.device))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label!r}, device={self.device!r})"

    @property
    def label(self) -> str:
        """Name and start of the digest: what a candidate's ``model`` column holds."""
        return f"{self.name}:{self.digest[:12]}"

    def predict(
        self,
        sequences: Sequence[str],
        structures: Sequence[str],
        flanks_5p: Sequence[str] | None = None,
        flanks_3p: Sequence[str] | None = None,
        *,
        batch_size: int = BATCH_SIZE,
    ) -> Prediction:
        """All that the model says of each hairpin: of this kind of network, the score alone."""
        return Prediction(self.score(sequences, structures, flanks_5p, flanks_3p, batch_size=batch_size))

    def score(
        self,
        sequences: Sequence[str],
        structures: Sequence[str],
        flanks_5p: Sequence[str] | None = None,
        flanks_3p: Sequence[str] | None = None,
        *,
        batch_size: int = BATCH_SIZE,
    ) -> np.ndarray:
        """Probability that each hairpin is a pre-miRNA; float32, shape (n,).

        Parameters and errors are those of :meth:`mirsweep.model.prediction.Scorer.score`; this kind of network does not
        look at the flanks.
        """
        scores = np.empty(len(sequences), np.float32)
        for rows, tokens in self.batches(sequences, structures, batch_size=batch_size):
            scores[rows] = self._score_batch(tokens)
        return checked_scores(scores, label=self.label)

    def batches(
        self, sequences: Sequence[str], structures: Sequence[str], *, batch_size: int = BATCH_SIZE
    ) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Indices (B,) and encoded hairpins (B, L), on the device, of the batches in which all are computed.

        Raises
        ------
        ModelError
            As :meth:`score`.
        """
        lengths = checked_lengths(
            sequences, structures, None, None, name=self.name, max_length=self.max_length, batch_size=batch_size
        )
        for rows in make_buckets(lengths, batch_size):
            yield rows, self._encode(sequences, structures, rows)

    def _pad(self, tokens: np.ndarray) -> np.ndarray:
        """Tokens (B, L) with L rounded up to a multiple of ``WIDTH_STEP``, at most ``max_length``."""
        length = tokens.shape[1]
        width = min(length + -length % WIDTH_STEP, self.max_length)
        return np.pad(tokens, ((0, 0), (width - length, 0)))

    def _encode(self, sequences: Sequence[str], structures: Sequence[str], rows: np.ndarray) -> torch.Tensor:
        partner = self.config.partner
        try:
            tokens = encode([sequences[i] for i in rows], [structures[i] for i in rows], partner=partner)
        except ModelError:
            encode(sequences, structures)  # the same fault, counted in the caller's order
            raise
        return torch.from_numpy(self._pad(tokens)).to(self.device)

    @torch.inference_mode()
    def _score_batch(self, tokens: torch.Tensor) -> np.ndarray:
        if self.device == "cpu":
            return self.network(tokens).numpy()
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # TF32 would cost three digits
            return self.network(tokens).cpu().numpy()
