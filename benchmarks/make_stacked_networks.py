"""Trains the networks of many runs at once on a GPU: what ``mirsweep.model.genome_train`` does, side by side.

    python benchmarks/make_stacked_networks.py PACK OUT

Where it runs it needs torch, NumPy, mirsweep's ``model/`` and this folder's ``stacked_*.py``. PACK is what
``make_genome_models.py export`` wrote; OUT gets the networks and the first one's log-odds of all examples, which
``make_genome_models.py collect`` makes models of. Runs whose networks are alike in size and parameters are trained
together. Random draws depend on the kind of device.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stacked_data import PackedData, RunData
from stacked_nets import Output, StackedNets, initial_state

_SCORED_COLUMNS = 2**21
"""Columns of a batch to score, times networks."""


class Net(NamedTuple):
    """A network to train: its run, and its random seed, which tells its place among the run's networks, too."""

    run: str
    seed: int


def hardness(logits: Tensor, run: RunData, power: float, facts: dict[str, Any]) -> Tensor:
    """Chance of each negative to be drawn, by its weight and a power of its probability; float64, sum 1."""
    p = torch.sigmoid(logits.double())
    weighted = (p**power + facts["share_of_mean"] * p.mean() + facts["least_hardness"]) * run.other_chance
    return weighted / weighted.sum()


class Training:
    """One training of M networks, those of a run one after the other.

    Parameters
    ----------
    data
        Examples.
    members
        Which networks, alike in sizes and parameters.
    """

    def __init__(self, data: PackedData, members: Sequence[Net]):
        self._data, self._members = data, members
        self._runs = [data.runs[net.run] for net in members]
        config, (self._p, self._schedule) = self._runs[0].config, self._runs[0].plan(members[0].seed)
        states = [initial_state(config, np.random.default_rng([net.seed, 5])) for net in members]
        self.nets = StackedNets(config, states, data.device)
        self._hard = [run.other_chance for run in self._runs]
        self.logits: list[Tensor] = []
        self._n_steps = 0
        self._generator = torch.Generator(data.device).manual_seed(1 + members[0].seed)
        self._join_examples(members)
        is_cuda = data.device.startswith("cuda")
        self._optimiser = torch.optim.AdamW(
            self.nets.weights.values(), lr=self._p["learning_rate"], weight_decay=self._p["weight_decay"], fused=is_cuda
        )

    @property
    def n_epochs(self) -> int:
        """Epochs of the training."""
        return int(self._p["n_epochs"])

    def _join_examples(self, members: Sequence[Net]) -> None:
        """All networks' examples one after the other, so that a batch is one look-up."""
        sizes = [len(run.rows) for run in self._runs]
        self._begin = torch.tensor(np.cumsum([0, *sizes[:-1]]), device=self._data.device)
        self._rows = torch.cat([run.rows for run in self._runs])
        self._match_at = torch.cat([run.match_at for run in self._runs])
        self._has_flanks = torch.cat(
            [
                (self._random(n, seed=net.seed) >= self._p["flank_dropout"]) & self.nets.config["reads_flanks"]
                for n, net in zip(sizes, self._members, strict=True)
            ]
        )
        n_positives = [run.n_positives for run in self._runs]
        self._n_positives = torch.tensor(n_positives, device=self._data.device)
        self._first_positive = torch.tensor(np.cumsum([0, *n_positives[:-1]]), device=self._data.device)
        self._ends = torch.cat([run.ends for run in self._runs])
        self._arm = torch.cat([run.arm for run in self._runs])

    def _random(self, n: int, seed: int) -> Tensor:
        rng = torch.Generator(self._data.device).manual_seed(77 + seed)
        return torch.rand(n, device=self._data.device, generator=rng)

    def _drawn(self, chance: Tensor, n: int) -> Tensor:
        """Indices drawn with replacement, int64, shape (n,)."""
        at = torch.rand(n, device=self._data.device, dtype=torch.float64, generator=self._generator)
        return torch.searchsorted(chance.cumsum(0), at).clamp(max=len(chance) - 1)

    def epoch(self, number: int) -> list[float]:
        """One epoch, counted from 0; each network's mean loss of the class."""
        self._mine(number)
        n_pos, batch = self._p["n_pos"], self._p["batch_size"]
        columns = []
        for m, run in enumerate(self._runs):
            others = run.n_positives + self._drawn(self._hard[m], n_pos * self._p["n_neg_per_pos"])
            drawn = torch.cat([self._drawn(run.chances[self._members[m].seed % 2], n_pos), others])
            has_flanks = self._has_flanks[self._begin[m] + drawn]
            widths = self._data.n_columns[run.rows[drawn]] + 24 * has_flanks
            noise = torch.randn(len(drawn), device=self._data.device, generator=self._generator)
            columns.append(drawn[(widths + self._data.facts["width_jitter"] * noise).argsort()])
        drawn = torch.stack(columns, 1)  # (examples, M): all networks' batches are of similar width
        at = drawn + self._begin
        widths = (self._data.n_columns[self._rows[at]] + 24 * self._has_flanks[at]).amax(1)
        starts = [k for k in range(0, len(drawn), batch) if len(drawn) - k > 1]
        widest = torch.stack([widths[k : k + batch].amax() for k in starts]).tolist()
        is_hidden = (
            torch.rand(drawn.shape, device=self._data.device, generator=self._generator) < (self._p["match_dropout"])
        )
        losses = torch.zeros(len(self._members), device=self._data.device)
        for k in np.random.default_rng([number, self._members[0].seed]).permutation(len(starts)).tolist():
            part = slice(starts[k], starts[k] + batch)
            losses += self._step(drawn[part], at[part], is_hidden[part], widest[k])
        return (losses / len(starts)).tolist()

    def _step(self, drawn: Tensor, at: Tensor, is_hidden: Tensor, width: int) -> Tensor:
        mutated = None
        if self._p["mutated"]:
            share = torch.rand(is_hidden.shape, device=self._data.device, generator=self._generator)
            mutated = share * self._p["mutated"] * is_hidden
        columns = self._data.columns(
            self._rows[at],
            self._match_at[at],
            self._has_flanks[at],
            is_hidden,
            width,
            mutated=mutated,
            generator=self._generator,
        )
        rate, momentum = self._schedule[self._n_steps]
        for group in self._optimiser.param_groups:
            group["lr"], group["betas"] = float(rate), (float(momentum), group["betas"][1])
        of_class, of_arms = self._losses(self.nets(columns), drawn)
        self._optimiser.zero_grad()
        (of_class + self._p["arms_weight"] * of_arms).sum().backward()
        self._cut_gradients()
        self._optimiser.step()
        self._n_steps += 1
        return of_class.detach()

    def _losses(self, output: Output, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Losses of the class and of the mature arms, (M,)."""
        facts, is_positive = self._data.facts, drawn < self._n_positives
        targets = is_positive * facts["target_span"] + facts["target_of_others"]
        of_class = F.binary_cross_entropy_with_logits(output.logits[..., 0], targets, reduction="none").mean(0)
        at = self._first_positive + torch.where(is_positive, drawn, 0)
        ends, arm = self._ends[at], self._arm[at]  # (B, M, 4), (B, M)
        is_known = (ends >= 0) & is_positive[..., None]
        columns = torch.where(is_known, ends, 0)  # another hairpin's may lie beyond this batch's columns
        chances = output.ends.log_softmax(1).gather(1, columns[:, None])[:, 0]
        of_ends = -(chances * is_known).sum((0, 2)) / is_known.sum((0, 2)).clamp(min=1)
        has_arm = (arm >= 0) & is_positive
        by_arm = F.binary_cross_entropy_with_logits(output.logits[..., 1], arm.clamp(min=0), reduction="none")
        return of_class, of_ends + (by_arm * has_arm).sum(0) / has_arm.sum(0).clamp(min=1)

    def _cut_gradients(self) -> None:
        """Cut each network's gradient to the largest norm."""
        gradients = [tensor.grad for tensor in self.nets.weights.values()]
        norms = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0).sqrt()
        share = (self._data.facts["gradient_norm"] / (norms + 1e-6)).clamp(max=1.0)
        torch._foreach_mul_(gradients, [share.view(-1, *[1] * (g.dim() - 1)) for g in gradients])

    def _mine(self, number: int) -> None:
        if number not in self._p["mining"]:
            return
        names = [net.run for net in self._members]
        found: list[Tensor] = []
        for name in dict.fromkeys(names):
            first, n = names.index(name), names.count(name)
            run, members = self._data.runs[name], slice(first, first + n)
            if not self.logits:
                found += self.score(members, torch.arange(run.n_positives, len(run.rows), device=self._data.device))
                continue
            last = torch.stack(self.logits[members])
            top = last.mean(0).topk(last.shape[1] // 3 + 1).indices
            last[:, top] = self.score(members, run.n_positives + top)
            found += last
        self.logits = found
        self._hard = [
            hardness(own, run, self._p["hardness"], self._data.facts)
            for own, run in zip(found, self._runs, strict=True)
        ]

    def score(self, members: slice, examples: Tensor) -> Tensor:
        """Log-odds that networks of one run give to some of its examples, float32, shape (members, n)."""
        run, nets = self._runs[members.start], self.nets.part(members.start, members.stop)
        n_nets = members.stop - members.start
        flags = [self._has_flanks[self._begin[m] + examples] for m in range(members.start, members.stop)]
        has_flanks = torch.stack(flags, 1)
        order = self._data.n_columns[run.rows[examples]].argsort()
        widths = self._data.n_columns[run.rows[examples[order]]] + 24
        found = torch.empty(n_nets, len(examples), device=self._data.device)
        per_batch = max(256, _SCORED_COLUMNS // (64 * n_nets))
        starts = range(0, len(order), per_batch)
        widest = widths[[min(k + per_batch, len(order)) - 1 for k in starts]].tolist()
        with torch.no_grad():
            for start, width in zip(starts, widest, strict=True):
                part = order[start : start + per_batch]
                own = examples[part][:, None]
                shown = torch.zeros(len(part), 1, dtype=torch.bool, device=self._data.device)
                columns = self._data.columns(run.rows[own], run.match_at[own], has_flanks[part], shown, width)
                found[:, part] = nets(columns).logits[..., 0].T
        return found


def train(data: PackedData, members: Sequence[Net]) -> tuple[Training, list[list[float]]]:
    """Train networks; each epoch's losses with them."""
    torch.manual_seed(members[0].seed)
    training, losses = Training(data, members), []
    n_epochs = training.n_epochs
    for epoch in range(n_epochs):
        began = time.perf_counter()
        losses.append(training.epoch(epoch))
        seconds = time.perf_counter() - began
        print(f"epoch {epoch + 1} of {n_epochs}: {np.round(losses[-1], 3)}, {seconds:.1f} s", flush=True)
    return training, losses


def alike(data: PackedData) -> list[list[Net]]:
    """The networks of all runs, by what can be trained together."""
    found: dict[str, list[Net]] = {}
    for name, run in data.runs.items():
        for seed, params in enumerate(run.params):
            found.setdefault(json.dumps([params, run.config]), []).append(Net(name, seed))
    return list(found.values())


def main() -> None:
    """Train all networks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cuda")
    a = parser.parse_args()
    began = time.perf_counter()
    a.out.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = True
    data = PackedData(a.pack, a.device)
    print(f"read in {time.perf_counter() - began:.1f} s", flush=True)
    for k, members in enumerate(alike(data)):
        training, _ = train(data, members)
        save(a.out / f"networks-{k}.npz", training, members)
        save_logits(a.out / f"logits-{k}.npz", data, training, members)
        print(f"{len(members)} networks done at {time.perf_counter() - began:.1f} s", flush=True)
    if a.device.startswith("cuda"):
        print(f"{torch.cuda.get_device_name()}, {torch.cuda.max_memory_allocated() / 1e9:.1f} GB", flush=True)


def save(path: Path, training: Training, members: Sequence[Net]) -> None:
    """Write the networks, by run, seed and name of the weights."""
    states = {f"{net.run}/{net.seed}": training.nets.state(m) for m, net in enumerate(members)}
    np.savez(path, **{f"{own}/{name}": array for own, state in states.items() for name, array in state.items()})


def save_logits(path: Path, data: PackedData, training: Training, members: Sequence[Net]) -> None:
    """Write the log-odds that each run's first network, if it is one of these, gives to all its examples."""
    found = {}
    for m, net in enumerate(members):
        if net.seed == 0:
            examples = torch.arange(len(data.runs[net.run].rows), device=data.device)
            found[net.run] = training.score(slice(m, m + 1), examples)[0].half().cpu().numpy()
    np.savez_compressed(path, **found)


if __name__ == "__main__":
    main()
