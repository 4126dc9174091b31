"""Training of your own models, and their measures on labelled sequences."""

import hashlib
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mirsweep._shown import shown
from mirsweep.jobs.results.outputs import check_weights
from mirsweep.jobs.sequences.score import checked_sequences
from mirsweep.model.defaults import DEFAULT_MODEL
from mirsweep.model.threads import one_thread
from mirsweep.scanner.containers import is_stream, label_of
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import read_sequences
from mirsweep.scanner.fold import fold

if TYPE_CHECKING:
    from mirsweep.model import Dataset

__all__ = ["Evaluation", "TrainReport", "evaluate", "train"]


@shown("path", "losses")
class TrainReport(NamedTuple):
    """A finished training run: the weights file, its card, and the mean loss of each epoch."""

    path: Path
    card: dict[str, Any]
    losses: list[float]


class Evaluation(NamedTuple):
    """Measures of a model on labelled sequences: the fields of :class:`mirsweep.model.metrics.Metrics`, and its label.

    Attributes
    ----------
    model
        Name and start of the digest of the model that was measured.
    n_trained_on
        Of these sequences, those that it was trained on, by its card; None if that does not tell.
    """

    n_pos: int
    n_neg: int
    SE: float
    SP: float
    PPV: float
    F: float
    g_mean: float
    AUROC: float
    AUPR: float
    model: str
    n_trained_on: int | None


def train(
    positives: str | os.PathLike,
    negatives: str | os.PathLike,
    *,
    output: str | os.PathLike,
    epochs: int = 120,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    dropout: float = 0.1,
    seed: int = 0,
    device: str = "auto",
    licence: str = "not stated",
    quiet: bool = False,
) -> TrainReport:
    """Train the paper's network on labelled sequences; an interrupted run goes on when called again.

    Parameters
    ----------
    positives, negatives
        FASTA files of pre-miRNAs and of other hairpins.
    output
        Weights file to write, ending in ``.safetensors``; its card goes beside it as ``.json``.
    epochs, batch_size, learning_rate, dropout, seed
        See :class:`mirsweep.model.train.TrainParams`.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``, a GPU if there is one.
    licence
        Licence of the data, for the card.
    quiet
        No progress on standard error.

    Raises
    ------
    InputError, ModelError
        If a file or a parameter is bad.
    """
    from mirsweep.model.checkpoint import save
    from mirsweep.model.net import NetConfig
    from mirsweep.model.seen import describe_sequences
    from mirsweep.model.train import TrainParams
    from mirsweep.model.train import train as train_network

    output = check_weights(output)
    params = TrainParams(
        n_epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, dropout=dropout, seed=seed
    )
    for path in (positives, negatives):
        if is_stream(Path(path)):
            raise InputError(f"{label_of(Path(path))}: a pipe; training describes its files in the card: give a file.")
    data = _read_labelled(positives, negatives, longest=NetConfig().max_length)
    state = output.with_suffix(".state")
    trained = train_network(
        data, params=params, device=device, state_path=state, progress=None if quiet else _Epochs(epochs)
    )
    card = save(
        output,
        trained.net,
        data={
            "files": [_describe(path) for path in (positives, negatives)],
            "sequences": describe_sequences(data.sequences),
        },
        licence=licence,
        protocol=asdict(params) | {"losses": [round(loss, 5) for loss in trained.losses]},
        metrics={},
    )
    state.unlink(missing_ok=True)
    return TrainReport(output.with_suffix(".safetensors"), card, trained.losses)


def evaluate(
    positives: str | os.PathLike,
    negatives: str | os.PathLike,
    *,
    model: str | os.PathLike = DEFAULT_MODEL,
    device: str = "auto",
) -> Evaluation:
    """Measure a model on labelled sequences.

    Parameters
    ----------
    positives, negatives
        FASTA files of pre-miRNAs and of other hairpins.
    model
        Name of bundled weights, or path of a weights file; by default that of a scan.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``, a GPU if there is one.

    Returns
    -------
    n_pos, n_neg and the paper's seven measures, at the score 0.5 where one needs a threshold; the model's label; how
    many of the sequences it was trained on.

    Raises
    ------
    InputError, ModelError
        If a file or the model is bad.
    """
    from mirsweep.model import evaluate as measure
    from mirsweep.model import load_model
    from mirsweep.model.seen import is_seen

    scorer = load_model(model, device=device)
    data = _read_labelled(positives, negatives, longest=scorer.max_length)
    with one_thread():
        scores = scorer.score(data.sequences, data.structures)
    seen = is_seen(scorer.card, data.sequences)
    return Evaluation(*measure(scores, data.labels), scorer.label, None if seen is None else int(seen.sum()))


class _Epochs:
    """Says on standard error how training goes: ten times in all."""

    def __init__(self, n_epochs: int):
        self._n_epochs, self._step = n_epochs, max(1, n_epochs // 10)

    def __call__(self, epoch: Any) -> None:
        if epoch.number % self._step == 0 or epoch.number == self._n_epochs:
            print(
                f"epoch {epoch.number} of {self._n_epochs}: loss {epoch.loss:.4f}, {epoch.seconds:.1f} s an epoch",
                file=sys.stderr,
            )


def _read_labelled(positives: str | os.PathLike, negatives: str | os.PathLike, *, longest: int) -> "Dataset":
    from mirsweep.model import Dataset

    read = [checked_sequences(Path(path), read_sequences(path), longest=longest) for path in (positives, negatives)]
    labels = np.repeat([1, 0], [len(sequences) for sequences in read]).astype(np.uint8)
    sequences = [sequence for each in read for sequence in each]
    return Dataset(sequences, fold(sequences).structures, labels)


def _describe(path: str | os.PathLike) -> dict[str, Any]:
    content = Path(path).read_bytes()
    return {"file": Path(path).name, "sha256": hashlib.sha256(content).hexdigest()}
