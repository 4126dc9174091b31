"""Training the genome model: imbalance, hard negatives in rounds, one cycle of the learning rate.

Each epoch draws ``n_pos`` pre-miRNAs by weight and ``n_neg_per_pos`` times as many negatives. From the first round of
mining on, a negative is drawn in proportion to a power of the probability that the network gave it, so that the hard
ones come often and none is out of reach. What the logit means in a genome is told by calibration, not by this loss.
"""

import copy
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mirsweep.model.devices import multiplies_bfloat16, resolve_device
from mirsweep.model.errors import ModelError
from mirsweep.model.examples import Examples
from mirsweep.model.genome_config import GenomeConfig
from mirsweep.model.genome_examples import (
    batches_of_width,
    check_lengths,
    join,
    lay_out_examples,
    mature_library,
    positives_of,
    species_numbers,
)
from mirsweep.model.genome_net import GenomeNet, to_batch
from mirsweep.model.mutation import mutate
from mirsweep.model.schedule import one_cycle
from mirsweep.model.sieve import SIEVE, SieveParams, train_sieve
from mirsweep.model.stem import Library, Stems
from mirsweep.model.training_state import (
    TrainingState,
    optimiser_tensors,
    read_state,
    restore_optimiser,
    under,
    write_state,
)
from mirsweep.model.two_stage import TwoStageNet

__all__ = [
    "SECOND",
    "GenomeEpoch",
    "GenomeTrainParams",
    "logits_of",
    "train_genome_net",
    "train_two_stage",
]

SECOND = (GenomeConfig(),)
"""Sizes of the second networks, unless others are asked for."""
RESCORED_SHARE = 0.05
"""Share of the negatives that pass the threshold of the second stage."""

TARGET_OF_OTHERS, TARGET_SPAN = 0.005, 0.98
"""Probabilities that the loss asks for, 0.005 and 0.985: databases hold records that are no precursors, and a genome
precursors that no database holds; without the margin such labels would pull the logits without bound."""

LEAST_HARDNESS, SHARE_OF_MEAN = 1e-4, 0.02
"""Added to each negative's power of the probability, the second times the mean probability: easy negatives stay in
reach of the draw, so that they are not forgotten and the next mining can find them hard."""

GRADIENT_NORM = 1.0
"""Gradients are cut to this norm: a batch whose hard negatives are mislabelled precursors must not upset the rest."""


@dataclass(frozen=True)
class GenomeTrainParams:
    """How to train; the defaults are those of the bundled ``genome``.

    Attributes
    ----------
    n_epochs, n_pos, n_neg_per_pos, batch_size
        Epochs; pre-miRNAs drawn for each, negatives for each of them, and hairpins in a step.
    mining
        Epochs, counted from 0, before which the negatives are scored: all of them the first time, later the third
        that was hardest.
    hardness
        Power of the probability by which negatives are drawn after mining; 0 draws all alike.
    match_dropout, flank_dropout
        Share of examples whose matches to known mature sequences, or flanks, are hidden: the first anew in each epoch,
        so that the network does without homologues, the second for the whole training, so that it scores
        sequences that come without flanks. Of a network that reads no flanks all are hidden.
    mutated
        Largest share of the columns that is changed in an example whose matches are hidden
        (:func:`mirsweep.model.mutation.mutate`); each has a share of its own, from 0 on.
    arms_weight
        Weight of the loss of the mature arms' ends.
    learning_rate, weight_decay
        Highest learning rate of the one-cycle schedule; of AdamW.
    seed
        Of weights, draws and dropout.
    bfloat16
        Multiply in bfloat16 where the processor does (some 1.6 times as fast).

    Raises
    ------
    ModelError
        If a value is out of its range.
    """

    n_epochs: int = 7
    n_pos: int = 15000
    n_neg_per_pos: int = 8
    batch_size: int = 256
    mining: tuple[int, ...] = (2, 4)
    hardness: float = 0.75
    match_dropout: float = 0.5
    flank_dropout: float = 0.1
    mutated: float = 0.3
    arms_weight: float = 0.1
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    seed: int = 0
    bfloat16: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "mining", tuple(self.mining))
        counts = (self.n_epochs, self.n_pos, self.n_neg_per_pos)
        if not all(type(count) is int and count > 0 for count in counts):
            raise ModelError(f"numbers of epochs, pre-miRNAs and negatives must be whole and at least 1, not {counts}.")
        if type(self.batch_size) is not int or self.batch_size < 2:
            raise ModelError(f"the batch size must be at least 2 (batches are normalised), not {self.batch_size}.")
        if not all(type(number) is int and number >= 0 for number in (self.seed, *self.mining)):
            raise ModelError(
                f"the random seed and the epochs of mining must be whole numbers from 0 on, not {self.seed} and "
                f"{self.mining}."
            )
        shares = (self.match_dropout, self.flank_dropout, self.mutated)
        if not all(0 <= share <= 1 for share in shares):
            raise ModelError(
                f"shares of hidden matches and flanks, and of changed columns, must lie in [0, 1], not {shares}."
            )
        self._check_rates()

    def _check_rates(self) -> None:
        rates = ("learning_rate", "weight_decay", "hardness", "arms_weight")
        for name in rates:
            if not 0 <= getattr(self, name) < math.inf:
                raise ModelError(f"{name} must be at least 0 and finite, not {getattr(self, name)}.")
        if self.learning_rate == 0:
            raise ModelError("the learning rate must be above 0.")


def n_steps_of(params: GenomeTrainParams) -> int:
    """Steps that the schedule of a training run is made for: at least as many as there are."""
    return params.n_epochs * (params.n_pos * (1 + params.n_neg_per_pos) // params.batch_size + 2)


def shown_flanks(n: int, config: GenomeConfig, params: GenomeTrainParams, rng: np.random.Generator) -> np.ndarray:
    """Which of ``n`` examples a network sees with flanks in training; bool, shape (n,)."""
    return (rng.random(n) >= params.flank_dropout) & config.reads_flanks


class GenomeEpoch(NamedTuple):
    """What happened in an epoch: its number from 1, mean loss, seconds."""

    number: int
    loss: float
    seconds: float


def train_genome_net(
    positives: Examples,
    negatives: Examples,
    *,
    config: GenomeConfig | None = None,
    params: GenomeTrainParams | None = None,
    start_from: GenomeNet | None = None,
    device: str = "cpu",
    state_path: str | os.PathLike | None = None,
    after_epoch: Callable[[GenomeEpoch, GenomeNet], None] | None = None,
) -> GenomeNet:
    """Train a genome model, or go on where an interrupted training run of the same stopped.

    The same examples, parameters, kind of processor and number of threads give the same weights, interrupted or not.
    Torch's own random numbers are left as they were.

    Parameters
    ----------
    positives, negatives
        Pre-miRNAs, with species and arms, and other hairpins.
    config
        Sizes; ``n_words`` is set from the positives' mature sequences.
    params
        How to train; those of the bundled models by default.
    start_from
        Network to go on from (its sizes and 14-mers are kept, it is copied); default: random weights.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``; on the CPU torch's number of threads is used.
    state_path
        File that keeps the state after each epoch, for resuming; none by default.
    after_epoch
        Called after each epoch with what happened and with the network as it is.

    Returns
    -------
    The network, in evaluation mode, on the device.

    Raises
    ------
    ModelError
        If one of the classes is empty, a hairpin cannot be laid out or is too long, or the state file belongs to
        another training run.
    """
    params, target = params or GenomeTrainParams(), torch.device(resolve_device(device))
    _check_both(positives, negatives)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(params.seed)
        run = _Run(positives, negatives, config or GenomeConfig(), params, start_from, target)
        run.finish(state_path, after_epoch)
    return run.net.eval()


def train_two_stage(
    positives: Examples,
    negatives: Examples,
    *,
    second: Sequence[GenomeConfig] = SECOND,
    params: GenomeTrainParams | None = None,
    sieve_params: SieveParams | None = None,
    start_from: TwoStageNet | None = None,
    device: str = "cpu",
    state_path: str | os.PathLike | None = None,
    after_epoch: Callable[[GenomeEpoch, GenomeNet], None] | None = None,
) -> TwoStageNet:
    """Train a genome model of two stages, or go on where an interrupted training run of the same stopped.

    The first network is trained as by :func:`train_genome_net`. The others draw the negatives that are hard for it,
    from the first mining on, and have random seeds of their own. All read the same examples. Last a sieve learns from
    the first network (:mod:`mirsweep.model.sieve`).

    Parameters
    ----------
    second
        Sizes of the second networks.
    sieve_params
        How the sieve is trained; as those of the bundled models by default.
    start_from
        Networks to go on from, all of them; their sizes are kept.
    state_path
        File that keeps the first network's state; those of the others stand beside it, with their number at the end.

    Other parameters, errors and result are those of :func:`train_genome_net`. The threshold of the second stage lets
    5 % of the negatives pass.
    """
    params, target = params or GenomeTrainParams(), torch.device(resolve_device(device))
    _check_both(positives, negatives)
    given = start_from.members if start_from is not None else [None] * (1 + len(second))
    configs = [GenomeConfig(), *second] if start_from is None else [net.config for net in start_from.members]
    nets: list[GenomeNet] = []
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(params.seed)
        first = _Run(positives, negatives, configs[0], params, given[0], target)
        first.finish(state_path, after_epoch)
        logits = first.logits()
        hardness = first.hard(logits)
        for k in range(1, len(configs)):
            own = replace(params, seed=params.seed + k)
            torch.manual_seed(own.seed)
            run = _Run(positives, negatives, configs[k], own, given[k], target, like=first, hardness=hardness)
            run.finish(None if state_path is None else f"{os.fspath(state_path)}.{k}", after_epoch)
            nets.append(run.net.eval())
    rescored_from = float(np.quantile(logits, 1 - RESCORED_SHARE))
    sieve = train_sieve(
        first.net.eval(),
        first.positives.stems,
        first.others,
        rescored_from=rescored_from,
        seed=params.seed,
        params=sieve_params,
        config=SIEVE if start_from is None or start_from.sieve is None else start_from.sieve.config,
    )
    return TwoStageNet.of(first.net, nets, rescored_from=rescored_from, sieve=sieve)


def _check_both(positives: Examples, negatives: Examples) -> None:
    if not len(positives) or not len(negatives):
        raise ModelError(f"{len(positives)} pre-miRNAs and {len(negatives)} other hairpins: give some of both.")


def logits_of(
    net: GenomeNet, stems: Stems, rows: np.ndarray | None = None, *, batch_size: int = 1024, bfloat16: bool = False
) -> np.ndarray:
    """Log-odds of pre-miRNA of some rows, int64 (n,), or of all; float32, shape (n,)."""
    net.eval()
    device = net.words.device
    rows = np.arange(len(stems.n_columns)) if rows is None else rows
    out = np.empty(len(rows), np.float32)
    order = np.argsort(stems.n_columns[rows], kind="stable")
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        for start in range(0, len(order), batch_size):
            part = order[start : start + batch_size]
            out[part] = net(*to_batch(stems, rows[part], device=device)).logits.float().cpu().numpy()
    return out


class _Run:
    """Network, optimiser, examples and history of one training run."""

    def __init__(
        self,
        positives: Examples,
        negatives: Examples,
        config: GenomeConfig,
        params: GenomeTrainParams,
        start_from: GenomeNet | None,
        device: torch.device,
        *,
        like: "_Run | None" = None,
        hardness: np.ndarray | None = None,
    ):
        """``like``: a run on the same examples, laid out already; ``hardness``: what takes the place of mining."""
        self.params, self.device = params, device
        self.bfloat16 = params.bfloat16 and multiplies_bfloat16(device.type)
        self.losses: list[float] = []
        self.n_steps_done = 0
        self.rng = np.random.default_rng(params.seed)
        species = species_numbers(positives)
        if like is None:
            self.net, library = _start(positives, species, config, start_from)
        else:
            self.net = GenomeNet(config) if start_from is None else copy.deepcopy(start_from).requires_grad_(True)
        self.fingerprint = _fingerprint(positives, negatives, self.net if start_from else None, self.net.config, params)
        self.net.to(device)
        for examples in (positives, negatives):
            check_lengths(examples, self.net.config.max_length)
        if like is None:
            stems, self.others = (
                lay_out_examples(each, library, species, shown_flanks(len(each), self.net.config, params, self.rng))
                for each in (positives, negatives)
            )
            self.positives = positives_of(positives, stems)
        else:
            self.positives, self.others = like.positives, like.others
        self.weights = negatives.weights / negatives.weights.sum(dtype=np.float64)
        self.given, self.hardness = hardness, self.weights
        self.last = np.full(len(negatives), np.nan, np.float32)
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay
        )

    @property
    def n_steps(self) -> int:
        """Steps that the schedule is made for: at least as many as there are."""
        return n_steps_of(self.params)

    def finish(
        self, state_path: str | os.PathLike | None, after_epoch: Callable[[GenomeEpoch, GenomeNet], None] | None
    ) -> None:
        """All epochs that are not done."""
        if state_path:
            self.resume(Path(state_path))
        for number in range(len(self.losses) + 1, self.params.n_epochs + 1):
            started = time.perf_counter()
            loss = self.epoch(number)
            if state_path:
                self.save(Path(state_path))
            if after_epoch:
                after_epoch(GenomeEpoch(number, loss, time.perf_counter() - started), self.net)

    def epoch(self, number: int) -> float:
        """One epoch, counted from 1; its mean loss. A batch holds its pre-miRNAs and its negatives side by side."""
        p = self.params
        if number - 1 in p.mining:
            self.hardness = self.hard(self.logits()) if self.given is None else self.given
        drawn_pos = self.rng.choice(len(self.positives.chance), p.n_pos, p=self.positives.chance)
        drawn_neg = self.rng.choice(len(self.hardness), p.n_pos * p.n_neg_per_pos, p=self.hardness)
        widths = np.concatenate([self.positives.stems.n_columns[drawn_pos], self.others.n_columns[drawn_neg]])
        is_hidden = self.rng.random(len(widths)) < p.match_dropout
        self.net.train()
        losses = []
        for rows in batches_of_width(widths, p.batch_size, self.rng):
            of_pos, of_neg = rows[rows < p.n_pos], rows[rows >= p.n_pos]
            hidden = is_hidden[np.concatenate([of_pos, of_neg])]
            losses.append(self._step(drawn_pos[of_pos], drawn_neg[of_neg - p.n_pos], hidden))
        self.losses.append(float(np.mean(losses)))
        return self.losses[-1]

    def logits(self) -> np.ndarray:
        """Log-odds that the network gives each negative now; float32, shape (n,).

        The first time all are scored; later the third that was hardest then, while the others keep what they had.
        """
        rows = np.arange(len(self.last))
        if not np.isnan(self.last).any():
            rows = np.sort(np.argpartition(-self.last, len(rows) // 3)[: len(rows) // 3 + 1])
        self.last[rows] = logits_of(self.net, self.others, rows, bfloat16=self.bfloat16)
        return self.last

    def hard(self, logits: np.ndarray) -> np.ndarray:
        """Chance of each negative to be drawn, by its weight and the probability given to it; float64, shape (n,)."""
        probability = 1 / (1 + np.exp(-logits.astype(np.float64)))
        hardness = probability**self.params.hardness + SHARE_OF_MEAN * probability.mean() + LEAST_HARDNESS
        weighted = hardness * self.weights
        return weighted / weighted.sum()

    def _step(self, rows_pos: np.ndarray, rows_neg: np.ndarray, is_hidden: np.ndarray) -> float:
        batch = join(self.positives.stems, rows_pos, self.others, rows_neg, is_hidden)
        if self.params.mutated:
            hidden = torch.from_numpy(is_hidden)
            shares = torch.rand(len(hidden)) * self.params.mutated * hidden
            rows = mutate(batch.tokens[..., 0], batch.tokens[..., 1], shares)
            batch = batch._replace(tokens=torch.stack(rows, 2))
        tensors = (tensor.to(self.device) for tensor in batch)
        self._set_rate()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            output = self.net(*tensors)
        labels = torch.zeros(len(is_hidden), device=self.device)
        labels[: len(rows_pos)] = 1
        targets = labels * TARGET_SPAN + TARGET_OF_OTHERS
        loss = nn.functional.binary_cross_entropy_with_logits(output.logits.float(), targets)
        if len(rows_pos):
            ends, arm_logits = output.ends[: len(rows_pos)].float(), output.arm_logits[: len(rows_pos)].float()
            known, arm = (
                torch.from_numpy(part[rows_pos]).to(self.device) for part in (self.positives.ends, self.positives.arm)
            )
            loss = loss + self.params.arms_weight * _arms_loss(ends, arm_logits, known, arm)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), GRADIENT_NORM)
        self.optimiser.step()
        self.n_steps_done += 1
        return loss.item()

    def _set_rate(self) -> None:
        rate, momentum = one_cycle(self.n_steps_done, self.n_steps, peak=self.params.learning_rate)
        for group in self.optimiser.param_groups:
            group["lr"], group["betas"] = rate, (momentum, group["betas"][1])

    def save(self, path: Path) -> None:
        """Write weights, moments, chances of the draw, random numbers and the history."""
        tensors = {f"net.{name}": tensor for name, tensor in self.net.state_dict().items()}
        tensors |= optimiser_tensors(self.optimiser, "adam.")
        tensors |= {"hardness": torch.from_numpy(self.hardness), "mined": torch.from_numpy(self.last)}
        tensors["random.cpu"] = torch.get_rng_state()
        if self.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.device)
        facts = {"losses": self.losses, "n_steps": self.n_steps_done, "random": self.rng.bit_generator.state}
        write_state(path, TrainingState(tensors, facts), fingerprint=self.fingerprint)

    def resume(self, path: Path) -> None:
        """Take up a saved state, if there is one."""
        state = read_state(path, fingerprint=self.fingerprint)
        if state is None:
            return
        self.losses, self.n_steps_done = state.facts["losses"], state.facts["n_steps"]
        self.rng.bit_generator.state = state.facts["random"]
        self.net.load_state_dict(under(state.tensors, "net."))
        restore_optimiser(self.optimiser, state.tensors, "adam.")
        self.hardness, self.last = (state.tensors[name].numpy() for name in ("hardness", "mined"))
        torch.set_rng_state(state.tensors["random.cpu"])
        if "random.cuda" in state.tensors and self.device.type == "cuda":
            torch.cuda.set_rng_state(state.tensors["random.cuda"], self.device)


def _start(
    positives: Examples, species: dict[str, int], config: GenomeConfig, start_from: GenomeNet | None
) -> tuple[GenomeNet, Library]:
    """The network before the first step, and its library of 14-mers."""
    if start_from is not None:
        words = start_from.words.cpu().numpy().astype(np.int64)
        return copy.deepcopy(start_from).requires_grad_(True), Library(words, np.zeros(len(words), np.int32))
    library = mature_library(positives, species)
    net = GenomeNet(replace(config, n_words=len(library.words)))
    net.words.copy_(torch.from_numpy(library.words))
    return net, library


def _fingerprint(
    positives: Examples, negatives: Examples, start: GenomeNet | None, config: GenomeConfig, params: GenomeTrainParams
) -> str:
    """What makes two training runs the same: examples, sizes, parameters and the weights that they start from."""
    digest = hashlib.sha256(json.dumps([asdict(config), asdict(params)]).encode())
    for examples in (positives, negatives):
        for field in fields(examples):
            values = getattr(examples, field.name)
            digest.update(values.tobytes() if isinstance(values, np.ndarray) else "\n".join(values).encode())
            digest.update(b"\0")
    for tensor in start.state_dict().values() if start is not None else ():
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def _arms_loss(ends: Tensor, arm_logits: Tensor, columns: Tensor, is_5p: Tensor) -> Tensor:
    """Cross entropy of the known ends, and of the arm where only one is annotated; of pre-miRNAs alone."""
    known = columns >= 0
    loss = nn.functional.cross_entropy(ends[known], columns[known]) if known.any() else ends.sum() * 0
    has_arm = is_5p >= 0
    if has_arm.any():
        loss = loss + nn.functional.binary_cross_entropy_with_logits(arm_logits[has_arm], is_5p[has_arm])
    return loss
