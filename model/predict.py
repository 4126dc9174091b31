"""Scores of hairpins by a trained network."""

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from mirsweep.model.checkpoint import load
from mirsweep.model.devices import resolve_device
from mirsweep.model.encode import encode, lengths_of
from mirsweep.model.errors import ModelError
from mirsweep.model.net import FusedNet, Net

__all__ = ["BATCH_SIZE", "Arms", "Model", "Prediction", "load_model", "make_buckets"]

BATCH_SIZE = 512
"""Hairpins scored at once, at most; the fastest of 64 to 2048 (benchmarks/results/score.json)."""

MAX_POSITIONS = 2**17
"""Positions (hairpins times longest) scored at once, which bounds a batch to some 60 MB on any input."""

WIDTH_STEP = 8
"""Batches are padded to multiples of this and hold 1, 2, 4 ... hairpins: oneDNN keeps compiled kernels for each shape
that it meets, and 750 small calls of free shapes left 430 MB of them behind, of these shapes 67 MB."""


class Arms(NamedTuple):
    """Where the mature and the star sequence lie within each of n hairpins.

    Attributes
    ----------
    mature_start, mature_end, star_start, star_end
        0-based half-open within the sequence, -1 where the model predicts none; int16, shape (n,).
    is_5p
        Whether the mature sequence lies on the 5' arm; bool, shape (n,).
    """

    mature_start: np.ndarray
    mature_end: np.ndarray
    star_start: np.ndarray
    star_end: np.ndarray
    is_5p: np.ndarray


class Prediction(NamedTuple):
    """What a model says of n hairpins; a model gives the later fields always or never.

    Attributes
    ----------
    scores
        Probability of pre-miRNA; float32, shape (n,).
    expected_fp_per_mb
        Candidates of unannotated sequence per Mb of genome, both strands, with a score at least this one; float32,
        shape (n,). None if the model has no calibration.
    arms
        None if the model predicts none.
    """

    scores: np.ndarray
    expected_fp_per_mb: np.ndarray | None = None
    arms: Arms | None = None


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
        """All that the model says of each hairpin: of this kind of network, the score alone.

        Parameters and errors are those of :meth:`score`.
        """
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
        """Probability that each hairpin is a pre-miRNA.

        A score depends on its own sequence and structure only, whatever else is scored with it.

        Parameters
        ----------
        sequences
            n sequences of A C G U (or T), either case, 1 to 400 nt.
        structures
            Their dot-bracket structures.
        flanks_5p, flanks_3p
            What precedes and follows each sequence on its own strand; this kind of network does not look at it.
        batch_size
            Most hairpins to compute at once; changes speed and memory only.

        Returns
        -------
        float32, shape (n,), between 0 and 1.

        Raises
        ------
        ModelError
            If a sequence is empty or too long, or sequences and structures cannot be encoded.
        """
        scores = np.empty(len(sequences), np.float32)
        for rows, tokens in self.batches(sequences, structures, batch_size=batch_size):
            scores[rows] = self._score_batch(tokens)
        return scores

    def batches(
        self, sequences: Sequence[str], structures: Sequence[str], *, batch_size: int = BATCH_SIZE
    ) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Indices (B,) and encoded hairpins (B, L), on the device, of the batches in which all are computed.

        Raises
        ------
        ModelError
            As :meth:`score`.
        """
        if batch_size < 1:
            raise ModelError(f"the batch size must be at least 1, not {batch_size}.")
        if len(sequences) != len(structures):
            raise ModelError(f"{len(sequences)} sequences but {len(structures)} structures: give one structure each.")
        lengths = lengths_of(sequences)
        self._check(lengths)
        for rows in make_buckets(lengths, batch_size):
            yield rows, self._encode(sequences, structures, rows)

    def _check(self, lengths: np.ndarray) -> None:
        bad = np.flatnonzero((lengths < 1) | (lengths > self.max_length))
        if bad.size:
            raise ModelError(
                f"sequence {bad[0] + 1} has {lengths[bad[0]]} nt; the model {self.name} scores 1 to "
                f"{self.max_length} nt: leave the sequence out or cut it."
            )

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
        if self.device.type == "cpu":
            return self.network(tokens).numpy()
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # TF32 would cost three digits
            return self.network(tokens).cpu().numpy()


def load_model(name_or_path: str | os.PathLike = "paper-cross", *, device: str = "cpu") -> Model:
    """Read a model by the name of bundled weights or by the path of a weights file.

    Parameters
    ----------
    name_or_path
        A bundled model (docs/model.md), such as ``"paper-cross"``: the paper's network trained on its cross-species
        set; or a ``.safetensors`` file with its card beside it.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU if there is one.

    Raises
    ------
    ModelError
        If there is no such model, its files are damaged or do not belong together, or there is no such device.
    """
    checkpoint = load(name_or_path)
    card = checkpoint.card | {"digest": checkpoint.digest}
    if isinstance(checkpoint.net, Net):
        return Model(checkpoint.net, card, device=device)
    from mirsweep.model.genome import GenomeModel  # imports this module

    return GenomeModel(checkpoint.net, card, device=device)
