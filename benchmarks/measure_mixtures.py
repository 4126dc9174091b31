"""How far mixtures of unlike networks get on human: AUPR on its five validation folds.

    python benchmarks/measure_mixtures.py --work DIR

A mixture is the sum of its members' log-odds, all of the same weight, or weighted by a logistic regression that is
fitted on the other four folds. Members are training runs whose scores are committed (``accuracy_scores``): networks of
the candidates, gradient boosting, and networks that see no classical features. Three more are trained here, which read
a hairpin as the genome models do, by columns from the terminal loop outwards, without flanks and mature sequences:

- "columns, nothing human": trained on precursors of other animals and viruses against windows of genomes, without human
  precursors, their families and what shares 16 nt with the human benchmark (``measure_pretraining.py``);
- "columns, then this fold": the same, trained further on the training part of the fold; mean of three seeds;
- "columns, this fold alone": not pre-trained, on the first fold.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genome_runs import Work
from harness import write_result
from measure_pretraining import CHOSEN, examples, known_scores, log_odds
from mirsweep.jobs.paper.benchmark import FOLDS, TASKS, TaskData, find_benchmark, read_task
from mirsweep.model.bootstrap import HeldOut, intervals
from mirsweep.model.data import Dataset
from mirsweep.model.examples import Examples
from mirsweep.model.genome_examples import lay_out_examples
from mirsweep.model.genome_net import GenomeNet
from mirsweep.model.genome_train import GenomeTrainParams, logits_of, train_genome_net
from mirsweep.model.stem import EMPTY
from mirsweep.model.threads import one_thread, one_torch_thread

TASK_NAMES = tuple(f"human-f{k}" for k in FOLDS)
UNRELATED, TUNED, ALONE = "columns, nothing human", "columns, then this fold", "columns, this fold alone"
FEATURES = (CHOSEN, "LSTM(2)+ATT+statistics, distilled", "LSTM(2)+ATT+statistics+energies", "LSTM(2)+ATT+statistics")
BOOSTING, PLAIN = "gradient boosting", ("BiLSTM(2)+ATT", "authors-code")
COMMITTED = (*FEATURES, BOOSTING, *PLAIN)
MIXTURES = {
    "chosen network, boosting": (CHOSEN, BOOSTING),
    "chosen network, boosting, columns, nothing human": (CHOSEN, BOOSTING, UNRELATED),
    "chosen network, boosting, columns, then this fold": (CHOSEN, BOOSTING, TUNED),
    "four networks with features": FEATURES,
    "four networks with features, boosting": (*FEATURES, BOOSTING),
    "these and two networks without features": COMMITTED,
    "these and columns, nothing human": (*COMMITTED, UNRELATED),
    "these and columns, then this fold": (*COMMITTED, TUNED),
}
PENALTY = 0.03
"""Inverse strength of the regression's penalty on its weights."""
SEEDS = (0, 1, 2)
_PLAIN = GenomeTrainParams(n_epochs=6, mining=(), match_dropout=0.0, flank_dropout=0.0, mutated=0.0, bfloat16=False)
PRETRAINING = replace(_PLAIN, n_epochs=4, n_neg_per_pos=5)
FINE_TUNING = replace(_PLAIN, n_epochs=6, batch_size=128, learning_rate=1e-3)
"""Of 3, 6 and 12 epochs 6 did best on the second and fourth fold."""
FROM_NOTHING = replace(_PLAIN, n_epochs=15, batch_size=128)
"""Better than 40 epochs on the first fold."""


def as_examples(dataset: Dataset) -> Examples:
    """Hairpins without flanks, species and mature sequences, all of the same weight."""
    n, none = len(dataset), [""] * len(dataset)
    return Examples(
        sequences=list(dataset.sequences),
        structures=list(dataset.structures),
        flanks_5p=none,
        flanks_3p=none,
        labels=dataset.labels,
        weights=np.ones(n, np.float32),
        species=none,
        families=none,
        arms=np.full((n, 4), -1, np.int16),
    )


def trained(dataset: Dataset, params: GenomeTrainParams, *, seed: int = 0, start: GenomeNet | None = None) -> GenomeNet:
    """A network of columns; each epoch draws as many pre-miRNAs as there are."""
    examples_of_both, is_pos = as_examples(dataset), dataset.labels == 1
    params = replace(params, n_pos=int(is_pos.sum()), seed=seed)
    positives, negatives = examples_of_both.take(is_pos), examples_of_both.take(~is_pos)
    return train_genome_net(positives, negatives, params=params, start_from=start)


def scored(net: GenomeNet, dataset: Dataset) -> np.ndarray:
    """Log-odds of hairpins; float32, shape (n,)."""
    return logits_of(net, lay_out_examples(as_examples(dataset), EMPTY, {}, np.zeros(len(dataset), bool)))


class Columns:
    """The networks of columns and their scores, each made once and kept in the work folder."""

    def __init__(self, work: Work):
        self.work = work

    def unrelated(self) -> GenomeNet:
        """The network that has seen nothing human."""
        path = self.work.folder / "unrelated.pt"
        if not path.is_file():
            dataset, counts = examples(self.work)
            print(counts, flush=True)
            torch.save(trained(dataset, PRETRAINING), path)
        return torch.load(path, weights_only=False)

    def scores(self, name: str, make: Callable[[], GenomeNet], dataset: Dataset) -> np.ndarray:
        path = self.work.folder / f"{name}.npy"
        if not path.is_file():
            np.save(path, scored(make(), dataset))
            print(path.name, flush=True)
        return np.load(path)

    def tuned(self, task: str, data: TaskData, seed: int) -> np.ndarray:
        """Log-odds of what the fold holds out, by a network that was trained further on its training part."""

        def network() -> GenomeNet:
            return trained(data.train.dataset, FINE_TUNING, seed=seed, start=self.unrelated())

        return self.scores(f"{task}-tuned-s{seed}", network, data.held_out.dataset)

    def alone(self, task: str, data: TaskData) -> np.ndarray:
        """The same by a network that was trained on nothing else."""
        return self.scores(f"{task}-alone", lambda: trained(data.train.dataset, FROM_NOTHING), data.held_out.dataset)


def members(columns: Columns, tasks: dict[str, TaskData]) -> dict[str, list[np.ndarray]]:
    """Each member's log-odds by fold."""
    scores = {name: [log_odds(known_scores(task, name)) for task in tasks] for name in COMMITTED}
    scores[UNRELATED] = [
        columns.scores(f"{task}-unrelated", columns.unrelated, data.held_out.dataset) for task, data in tasks.items()
    ]
    scores[TUNED] = [
        np.mean([columns.tuned(task, data, seed) for seed in SEEDS], axis=0) for task, data in tasks.items()
    ]
    return scores


def weighted_by_others(parts: Sequence[Sequence[np.ndarray]], labels: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Log-odds by fold, the members' weights fitted on the other folds."""
    folds = [np.column_stack(part) for part in zip(*parts, strict=True)]
    found = []
    for k, fold in enumerate(folds):
        others = [i for i in range(len(folds)) if i != k]
        machine = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=2000))
        machine.fit(np.concatenate([folds[i] for i in others]), np.concatenate([labels[i] for i in others]))
        found.append(machine.decision_function(fold))
    return found


def figures(scores: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> dict[str, Any]:
    """AUPR by fold; its mean, that of AUROC and that of F at a score of 0.5, with intervals."""
    sets = [HeldOut(y, 1 / (1 + np.exp(-s[None]))) for y, s in zip(labels, scores, strict=True)]
    found = intervals(sets)
    by_fold = [round(float(average_precision_score(y, s)), 4) for y, s in zip(labels, scores, strict=True)]
    means = {
        name: {"mean": round(found[name].mean, 4), "low": round(found[name].low, 4), "high": round(found[name].high, 4)}
        for name in ("AUPR", "AUROC", "F")
    }
    return {"AUPR_by_fold": by_fold} | means


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder of networks and scores, to go on from")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    columns = Columns(Work(options.work))
    tasks = {name: read_task(find_benchmark(columns.work.data), TASKS[name]) for name in TASK_NAMES}
    labels = [data.held_out.dataset.labels for data in tasks.values()]
    with one_torch_thread(), one_thread():
        scores = members(columns, tasks)
        first = columns.alone(TASK_NAMES[0], tasks[TASK_NAMES[0]])
    found = {name: figures(each, labels) for name, each in scores.items()}
    mixtures: dict[str, Any] = {}
    for name, parts in MIXTURES.items():
        of_parts = [scores[part] for part in parts]
        equal = [np.mean(fold, axis=0) for fold in zip(*of_parts, strict=True)]
        ways = {"equal_weights": equal, "weights_of_the_other_folds": weighted_by_others(of_parts, labels)}
        mixtures[name] = {"members": parts} | {way: figures(each, labels) for way, each in ways.items()}
        print(name, *(mixtures[name][way]["AUPR"] for way in ways), flush=True)
    document = {"command": "python benchmarks/measure_mixtures.py --work DIR", "folds": list(tasks), "members": found}
    alone = {ALONE: round(float(average_precision_score(labels[0], first)), 4)}
    print(write_result("mixtures", document | {"AUPR_first_fold": alone, "mixtures": mixtures}))


if __name__ == "__main__":
    main()
