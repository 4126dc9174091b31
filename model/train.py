"""Training with the paper's loss, optimiser and dropout (section 3.3)."""

import copy
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mirsweep.model.augment import trim_flanks
from mirsweep.model.data import Dataset
from mirsweep.model.devices import resolve_device
from mirsweep.model.encode import encode, lengths_of
from mirsweep.model.errors import ModelError
from mirsweep.model.net import INITIALISATIONS, PRE_MIRNA, Net, NetConfig, draw_masks
from mirsweep.model.training_state import (
    TrainingState,
    optimiser_tensors,
    read_state,
    restore_optimiser,
    under,
    write_state,
)

__all__ = [
    "CLASS_WEIGHTS",
    "OPTIMISERS",
    "SCHEDULES",
    "Epoch",
    "TrainParams",
    "Trained",
    "class_weights",
    "train",
    "weighted_log_loss",
]

CLASS_WEIGHTS = ("balanced", "none")
SCHEDULES = ("constant", "cosine")
OPTIMISERS = ("adam", "rmsprop", "sgd")

_POOL_BATCHES = 16
"""Batches are cut from pools of this many batches, sorted by length: 12 % of positions are padding on the paper's
cross-species set, against 58 % when batches are cut at random."""


@dataclass(frozen=True)
class TrainParams:
    """How to train; the defaults are the paper's, but for the number of epochs, which docs/model.md explains.

    Attributes
    ----------
    n_epochs
        Epochs; fixed beforehand, nothing is selected on the way.
    batch_size
        Hairpins per step.
    learning_rate
        Of the optimiser.
    dropout
        Rate at the inputs and states of both LSTM layers (one mask for the whole sequence) and before each dense layer.
    seed
        Of initial weights, order and dropout.
    save_every
        Epochs between two states saved for resuming.
    initialisation
        ``"uniform"`` in +-0.05 (paper) or ``"glorot"`` (see :meth:`mirsweep.model.net.Net.initialise`).
    weighting
        ``"balanced"`` classes (paper, equation 6), or ``"none"``: the authors' code asks for balance with a word that
        its library ignores.
    schedule
        ``"constant"`` learning rate, or ``"cosine"``: falling to 0 at ``n_epochs``.
    weight_decay
        Decoupled from the loss (AdamW); with Adam only.
    averaging
        Share of the mean weights that each step keeps; they are the result in place of the last step's. 0: none.
    trim
        Most nt cut at random from each end of a hairpin (:func:`mirsweep.model.augment.trim_flanks`).
    optimiser
        ``"adam"``; ``"rmsprop"``, its squared gradients' mean kept by 0.9; or ``"sgd"`` with a momentum of 0.9.
    output_dropout
        Whether dropout precedes the last dense layer, too (paper); in the authors' code it does not.
    """

    n_epochs: int = 150
    batch_size: int = 128
    learning_rate: float = 1e-3
    dropout: float = 0.1
    seed: int = 0
    save_every: int = 5
    initialisation: str = "uniform"
    weighting: str = "balanced"
    schedule: str = "constant"
    weight_decay: float = 0.0
    averaging: float = 0.0
    trim: int = 0
    optimiser: str = "adam"
    output_dropout: bool = True

    def __post_init__(self) -> None:
        if min(self.n_epochs, self.batch_size, self.save_every) < 1:
            raise ModelError("numbers of epochs and batch size must be at least 1.")
        if not (0 <= self.dropout < 1 and self.learning_rate > 0):
            raise ModelError("the dropout rate must be in [0, 1) and the learning rate above 0.")
        if not (0 <= self.averaging < 1 and self.weight_decay >= 0 and self.trim >= 0):
            raise ModelError("averaging must be in [0, 1), weight decay and trimming at least 0.")
        choices = {"initialisation": INITIALISATIONS, "weighting": CLASS_WEIGHTS, "schedule": SCHEDULES}
        for name, known in (choices | {"optimiser": OPTIMISERS}).items():
            if getattr(self, name) not in known:
                raise ModelError(f"{name} {getattr(self, name)!r} is unknown: choose one of {', '.join(known)}.")
        if self.weight_decay and self.optimiser != "adam":
            raise ModelError("weight decay needs the optimiser adam.")


class Epoch(NamedTuple):
    """One finished epoch: its number from 1, the mean weighted loss, the seconds it took, and the network as it is.

    The network is the one that training would return now: that of the mean weights where weights are averaged.
    """

    number: int
    loss: float
    seconds: float
    net: Net


class Trained(NamedTuple):
    """The trained network; of each epoch, also those before an interruption, the mean weighted loss and the seconds."""

    net: Net
    losses: list[float]
    seconds: list[float]


def class_weights(labels: np.ndarray) -> np.ndarray:
    """Weights that balance the classes (paper, equation 6): n / (2 n_c); float32, shape (2,), for labels 0 and 1.

    Raises
    ------
    ModelError
        If one class is absent.
    """
    counts = np.bincount(labels, minlength=2)
    if not counts.all():
        raise ModelError("training needs sequences of both classes, pre-miRNAs and others.")
    return (len(labels) / (2 * counts)).astype(np.float32)


def weighted_log_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Class-weighted log loss, mean over the batch (paper, equation 6).

    Parameters
    ----------
    logits
        Network output, shape (B, 2); column ``PRE_MIRNA`` is the pre-miRNA class.
    labels
        1 = pre-miRNA, int64, shape (B,).
    weights
        Weights of labels 0 and 1, shape (2,).
    """
    columns = torch.where(labels == 1, PRE_MIRNA, 1 - PRE_MIRNA)
    return (weights[labels] * nn.functional.cross_entropy(logits, columns, reduction="none")).mean()


def soft_log_loss(logits: Tensor, teacher: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Class-weighted cross entropy against a teacher's probabilities, mean over the batch.

    Parameters
    ----------
    logits
        Network output, shape (B, 2).
    teacher
        The teacher's probabilities of pre-miRNA, float32, shape (B,).
    labels
        1 = pre-miRNA, int64, shape (B,); they choose the weight only.
    weights
        Weights of labels 0 and 1, shape (2,).
    """
    targets = torch.empty_like(logits)
    targets[:, PRE_MIRNA], targets[:, 1 - PRE_MIRNA] = teacher, 1 - teacher
    return (weights[labels] * nn.functional.cross_entropy(logits, targets, reduction="none")).mean()


def train(
    train_set: Dataset,
    *,
    teacher: np.ndarray | None = None,
    config: NetConfig | None = None,
    params: TrainParams | None = None,
    initial: Net | None = None,
    device: str = "cpu",
    state_path: str | os.PathLike | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Train a network from scratch, or go on where an interrupted training run of the same stopped.

    The same data, parameters, device and number of threads give the same weights, interrupted or not.

    Parameters
    ----------
    train_set
        Labelled hairpins.
    teacher
        Probabilities of pre-miRNA that another model, an ensemble say, gives them, shape (n,); the loss is then the
        mean of that against the labels and that against these (distillation).
    config, params
        Network and training; the paper's by default.
    initial
        A trained network of the same configuration whose weights, and means and deviations of statistics, are gone on
        with (fine-tuning); by default weights are drawn.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``; on the CPU torch's number of threads is used.
    state_path
        File that keeps the state every ``params.save_every`` epochs, for resuming; none by default.
    progress
        Called after each epoch.

    Raises
    ------
    ModelError
        If a class is absent, a sequence is empty, longer than ``config.max_length`` or cannot be encoded, the initial
        network is of another configuration, or the state file belongs to another training run.
    """
    config, params = config or NetConfig(), params or TrainParams()
    _check_set(train_set, config)
    if teacher is not None:
        teacher = _check_teacher(teacher, len(train_set))
    if initial is not None and initial.config != config:
        raise ModelError("the initial network is of another configuration: give its own, or train from scratch.")
    run = _Run(train_set, teacher, config, params, torch.device(resolve_device(device)), initial)
    if state_path:
        run.resume(Path(state_path))
    for number in range(len(run.losses) + 1, params.n_epochs + 1):
        started = time.perf_counter()
        run.losses.append(run.epoch(number))
        run.seconds.append(time.perf_counter() - started)
        if state_path and (number % params.save_every == 0 or number == params.n_epochs):
            run.save(Path(state_path))
        if progress:
            progress(Epoch(number, run.losses[-1], run.seconds[-1], run.result))
    return Trained(run.result, run.losses, run.seconds)


def make_batches(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Indices of the batches of one epoch: random, of similar lengths, in random order; each index once."""
    order = rng.permutation(len(lengths))
    pool = _POOL_BATCHES * batch_size
    pools = (order[i : i + pool] for i in range(0, len(order), pool))
    ordered = np.concatenate([rows[np.argsort(lengths[rows], kind="stable")] for rows in pools])
    batches = [ordered[i : i + batch_size] for i in range(0, len(ordered), batch_size)]
    yield from (batches[i] for i in rng.permutation(len(batches)))


def _check_set(train_set: Dataset, config: NetConfig) -> None:
    """Refuse what would only fail in the middle of the first epoch."""
    lengths = lengths_of(train_set.sequences)
    bad = np.flatnonzero((lengths < 1) | (lengths > config.max_length))
    if bad.size:
        raise ModelError(
            f"training sequence {bad[0] + 1} has {lengths[bad[0]]} nt; the network reads 1 to {config.max_length} nt: "
            "leave the sequence out."
        )
    encode(train_set.sequences, train_set.structures)


def _check_teacher(teacher: np.ndarray, n: int) -> np.ndarray:
    teacher = np.asarray(teacher, np.float32)
    if teacher.shape != (n,) or not ((teacher >= 0) & (teacher <= 1)).all():
        raise ModelError(f"the teacher must give {n} probabilities, one for each training sequence.")
    return teacher


def _changed(own: NetConfig | TrainParams, default: NetConfig | TrainParams) -> dict[str, Any]:
    """Fields that are not at their defaults."""
    known = asdict(default)
    return {name: value for name, value in asdict(own).items() if value != known[name]}


def _digest(net: Net) -> str:
    """What tells a network's weights and buffers from others."""
    digest = hashlib.sha256()
    for name, tensor in sorted(net.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


class _Run:
    """Network, optimiser, data and history of one training run."""

    def __init__(
        self,
        data: Dataset,
        teacher: np.ndarray | None,
        config: NetConfig,
        params: TrainParams,
        device: torch.device,
        initial: Net | None = None,
    ):
        self.data, self.teacher, self.params, self.device = data, teacher, params, device
        self.losses: list[float] = []
        self.seconds: list[float] = []
        self.lengths = lengths_of(data.sequences)
        weights = class_weights(data.labels)
        weights = weights if params.weighting == "balanced" else np.ones_like(weights)
        self.weights = torch.from_numpy(weights).to(device)
        self.net = Net(config)
        self.net.initialise(torch.Generator().manual_seed(params.seed), params.initialisation)
        self.net.to(device)
        self.initial = "" if initial is None else _digest(initial)
        if initial is not None:
            self.net.load_state_dict(initial.state_dict())
        elif config.statistics:
            self.net.standardise(self._statistics())
        self.mean_net = copy.deepcopy(self.net).requires_grad_(False) if params.averaging else None
        self.optimiser = self._optimiser()

    @property
    def result(self) -> Net:
        """The network as training would return it now."""
        return self.mean_net or self.net

    def _statistics(self) -> Tensor:
        """Statistics of the training set, (n, n_statistics / 2)."""
        chunks = [np.arange(start, min(start + 1024, len(self.data))) for start in range(0, len(self.data), 1024)]
        parts = [self.data.take(rows) for rows in chunks]
        tokens = (torch.from_numpy(encode(part.sequences, part.structures)).to(self.device) for part in parts)
        return torch.cat([self.net.config.statistics_of(each) for each in tokens])

    def _optimiser(self) -> torch.optim.Optimizer:
        p, weights = self.params, self.net.parameters()
        if p.optimiser == "sgd":
            return torch.optim.SGD(weights, lr=p.learning_rate, momentum=0.9)
        if p.optimiser == "rmsprop":
            return torch.optim.RMSprop(weights, lr=p.learning_rate, alpha=0.9)
        if p.weight_decay:
            return torch.optim.AdamW(weights, lr=p.learning_rate, weight_decay=p.weight_decay, fused=True)
        return torch.optim.Adam(weights, lr=p.learning_rate, fused=True)

    def epoch(self, number: int) -> float:
        """One epoch; order and dropout follow from seed and number alone, so that a resumed run repeats them."""
        rng = np.random.default_rng((self.params.seed, number))
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        batches = list(make_batches(self.lengths, self.params.batch_size, rng))
        total = 0.0
        for i, rows in enumerate(batches):
            self._set_rate((number - 1 + i / len(batches)) / self.params.n_epochs)
            total += self._step(rows, generator, rng) * len(rows)
        return total / len(self.data)

    def _set_rate(self, share_done: float) -> None:
        if self.params.schedule == "cosine":
            for group in self.optimiser.param_groups:
                group["lr"] = self.params.learning_rate * (1 + math.cos(math.pi * share_done)) / 2

    def _step(self, rows: np.ndarray, generator: torch.Generator, rng: np.random.Generator) -> float:
        config, batch = self.net.config, self.data.take(rows)
        if self.params.trim:
            batch = trim_flanks(batch, self.params.trim, rng)
        encoded = encode(batch.sequences, batch.structures, partner=config.partner)
        tokens = torch.from_numpy(encoded).to(self.device)
        labels = torch.from_numpy(batch.labels).long().to(self.device)
        masks = draw_masks(config, tokens, rate=self.params.dropout, generator=generator)
        if not self.params.output_dropout:
            masks = masks._replace(dense2=torch.ones_like(masks.dense2))
        logits = self.net(tokens, masks)
        loss = weighted_log_loss(logits, labels, self.weights)
        if self.teacher is not None:
            teacher = torch.from_numpy(self.teacher[rows]).to(self.device)
            loss = (loss + soft_log_loss(logits, teacher, labels, self.weights)) / 2
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self._average()
        return loss.item()

    @torch.no_grad()
    def _average(self) -> None:
        if self.mean_net is not None:
            for mean, now in zip(self.mean_net.parameters(), self.net.parameters(), strict=True):
                mean.lerp_(now, 1 - self.params.averaging)
            for own, latest in zip(self.mean_net.buffers(), self.net.buffers(), strict=True):
                own.copy_(latest)

    def fingerprint(self) -> str:
        """What makes two training runs the same, but for how many epochs they run and how often they save.

        Options at their defaults do not count, so that a new one leaves the states of old runs as they are.
        """
        free = {"save_every"} if self.params.schedule == "cosine" else {"n_epochs", "save_every"}
        params = {k: v for k, v in _changed(self.params, TrainParams()).items() if k not in free}
        teacher = [] if self.teacher is None else self.teacher.tolist()
        own = [_changed(self.net.config, NetConfig()), params, self.data.labels.tolist(), teacher]
        settings = json.dumps(own + [self.initial] * bool(self.initial))
        return hashlib.sha256("\n".join([settings, *self.data.sequences, *self.data.structures]).encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Write weights, the optimiser's moments and the history."""
        tensors = {f"net.{name}": tensor for name, tensor in self.net.state_dict().items()}
        if self.mean_net is not None:
            tensors |= {f"mean.{name}": tensor for name, tensor in self.mean_net.state_dict().items()}
        tensors |= optimiser_tensors(self.optimiser, "optimiser.")
        history = {"losses": self.losses, "seconds": self.seconds}
        write_state(path, TrainingState(tensors, history), fingerprint=self.fingerprint())

    def resume(self, path: Path) -> None:
        """Take up a saved state, if there is one."""
        state = read_state(path, fingerprint=self.fingerprint())
        if state is None:
            return
        self.losses, self.seconds = state.facts["losses"], state.facts["seconds"]
        if len(self.losses) > self.params.n_epochs:
            raise ModelError(
                f"{path}: this training run is past epoch {self.params.n_epochs} already; ask for more epochs."
            )
        self.net.load_state_dict(under(state.tensors, "net."))
        if self.mean_net is not None:
            self.mean_net.load_state_dict(under(state.tensors, "mean."))
        restore_optimiser(self.optimiser, state.tensors, "optimiser.")
