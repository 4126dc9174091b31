"""Train and measure the bundled weights ``paper-cross`` on the paper's cross-species benchmark.

    python benchmarks/make_paper_cross.py choose    # cross-validation: number of epochs, kinds of attention
    python benchmarks/make_paper_cross.py train     # final training runs, reports, weights

Neither step looks at a test set before its weights are final: ``choose`` uses the authors' training folds only, and
``train`` runs the number of epochs below. ``make_packed_models.py`` packs the weights then.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from harness import find_data, write_result
from mirsweep.model.checkpoint import BUNDLED, save
from mirsweep.model.data import Dataset, deduplicate, is_known, shares_kmer
from mirsweep.model.metrics import Metrics, evaluate
from mirsweep.model.net import Net, NetConfig
from mirsweep.model.predict import Model
from mirsweep.model.train import Epoch, TrainParams, train
from mirsweep.scanner.fasta import read_sequences
from mirsweep.scanner.fold import fold

ATTENTIONS = ("per-position", "shared")
"""The paper's and its authors' code's."""
N_EPOCHS = 150
"""The end of what was cross-validated: there F has been flat since epoch 80 and AUPR gains less than 0.002 in 10 epochs
(benchmarks/results/paper_cross_choose.json)."""
LONGEST_NT = NetConfig().max_length
CHOOSE_FOLDS = (1,)
CHOOSE_EPOCHS = 150
CHOOSE_EVERY = 10
LICENCE = (
    "Training sequences: miRBase pre-miRNAs and non-miRNA hairpins of the deepMiRGene benchmark (github.com/eleventh83/"
    "deepMiRGene, reproduce/dataset), published without a licence statement; the weights hold none of the sequences."
)


class Folder:
    """Reads and folds labelled FASTA files below the benchmark's folder, each sequence once."""

    def __init__(self, root: Path):
        self.root = root
        self.structures: dict[str, str] = {}
        self.n_too_long = 0

    def read(self, pattern: str) -> Dataset:
        """Positives and negatives of a file pattern with ``{}`` for pos and neg, without the too long ones."""
        by_class = [self._sequences(self.root / pattern.format(kind)) for kind in ("pos", "neg")]
        sequences = by_class[0] + by_class[1]
        new = [s for s in dict.fromkeys(sequences) if s not in self.structures]
        self.structures |= dict(zip(new, fold(new, engine="vienna").structures, strict=True))
        labels = np.repeat([1, 0], [len(by_class[0]), len(by_class[1])])
        return Dataset(sequences, [self.structures[s] for s in sequences], labels)

    def _sequences(self, path: Path) -> list[str]:
        sequences = [record.sequence for record in read_sequences(path)]
        kept = [s for s in sequences if len(s) <= LONGEST_NT]
        self.n_too_long += len(sequences) - len(kept)
        return kept


class Cleaned(NamedTuple):
    """A test set without what stands in, or is a close homologue of one in, the training set."""

    dataset: Dataset
    n_known: int
    n_kin: int


def clean(test_set: Dataset, train_set: Dataset) -> Cleaned:
    """Leave out sequences of the training set (either class) and those sharing 24 nt with one of their own class."""
    known = is_known(test_set, train_set)
    homologues = shares_kmer(test_set, train_set) & ~known
    return Cleaned(test_set.take(~known & ~homologues), int(known.sum()), int(homologues.sum()))


def measure(net: Net, dataset: Dataset) -> Metrics:
    """Seven measures of a network as it is now."""
    model = Model(net, {"name": "trial", "digest": ""})
    return evaluate(model.score(dataset.sequences, dataset.structures), dataset.labels)


def say(epoch: Epoch) -> None:
    print(f"epoch {epoch.number}: loss {epoch.loss:.4f}, {epoch.seconds:.1f} s", file=sys.stderr, flush=True)


def choose(folder: Folder, work: Path, attentions: list[str], folds: list[int]) -> None:
    """Validation measures by kind of attention, fold and epoch; runs that ended before are not repeated."""
    for attention in attentions:
        for number in folds:
            path = _choice_path(work, attention, number)
            if not path.exists():
                by_epoch = cross_validate(folder, attention, number)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(by_epoch))
    print(write_result("paper_cross_choose", _collect(work)))


def _choice_path(work: Path, attention: str, fold_number: int) -> Path:
    return work / f"choose-{attention}-{fold_number}.json"


def _collect(work: Path) -> dict[str, Any]:
    """All runs so far, and the mean AUPR over folds and over neighbouring epochs, by which the number is chosen."""
    runs = {(a, f): _choice_path(work, a, f) for a in ATTENTIONS for f in CHOOSE_FOLDS}
    measured = {key: json.loads(path.read_text()) for key, path in runs.items() if path.exists()}
    means = {}
    for attention in dict.fromkeys(attention for attention, _ in measured):
        aupr = np.mean(
            [[m["AUPR"] for m in run.values()] for (a, _), run in measured.items() if a == attention], axis=0
        )
        smooth = np.convolve(aupr, np.ones(3) / 3, mode="valid")
        epochs = range(2 * CHOOSE_EVERY, CHOOSE_EPOCHS, CHOOSE_EVERY)
        means[attention] = {str(e): round(v, 4) for e, v in zip(epochs, smooth.tolist(), strict=True)}
    return {
        "command": "python benchmarks/make_paper_cross.py choose",
        "validation": {f"{attention}, fold {number}": run for (attention, number), run in measured.items()},
        "mean_aupr_of_3_neighbouring_epochs": means,
        "best_epoch": {attention: int(max(by_epoch, key=by_epoch.get)) for attention, by_epoch in means.items()},
    }


def cross_validate(folder: Folder, attention: str, fold_number: int) -> dict[int, dict[str, float]]:
    """Measures on one of the authors' validation folds, every few epochs of training on the other four."""
    train_set = folder.read(f"cv/whole/train/whole_{{}}_train_f{fold_number}.fa")
    validation = folder.read(f"cv/whole/val/whole_{{}}_val_f{fold_number}.fa")
    by_epoch: dict[int, dict[str, float]] = {}

    def watch(epoch: Epoch) -> None:
        say(epoch)
        if epoch.number % CHOOSE_EVERY == 0:
            by_epoch[epoch.number] = rounded(measure(epoch.net, validation))

    params = TrainParams(n_epochs=CHOOSE_EPOCHS, seed=fold_number)
    train(train_set, config=NetConfig(attention=attention), params=params, progress=watch)
    return by_epoch


def report(net: Net, test_set: Dataset, train_set: Dataset) -> dict[str, Any]:
    """Measures on a test set as published, and cleaned of what the training set holds."""
    cleaned = clean(test_set, train_set)
    return {
        "published": rounded(measure(net, test_set)),
        "cleaned": rounded(measure(net, cleaned.dataset)),
        "n_left_out": {"in_training_set": cleaned.n_known, "24_nt_shared_within_class": cleaned.n_kin},
    }


def rounded(metrics: Metrics) -> dict[str, float]:
    return {name: round(value, 4) for name, value in metrics._asdict().items()}


def fit(dataset: Dataset, state: Path) -> tuple[Net, dict[str, Any]]:
    """Train on a set without its conflicting labels; the network and what the training was."""
    unique = deduplicate(dataset)
    trained = train(unique.dataset, params=TrainParams(n_epochs=N_EPOCHS), state_path=state, progress=say)
    facts = {
        "n_pos": unique.dataset.n_pos,
        "n_neg": unique.dataset.n_neg,
        "n_repeats_left_out": unique.n_repeats,
        "n_conflicting_left_out": len(unique.conflicts),
        "final_loss": round(trained.losses[-1], 5),
        "seconds": round(sum(trained.seconds), 1),
        "seconds_of_fastest_epoch": round(min(trained.seconds), 2),
    }
    return trained.net, facts


def train_final(folder: Folder, work: Path) -> None:
    """Both training runs, their reports, and the weights."""
    test, new = folder.read("test/whole/whole_{}_test.fa"), folder.read("sequences/new_{}.fa")
    part, whole = folder.read("cv/whole/whole_{}_all.fa"), folder.read("sequences/whole_{}.fa")
    part_net, part_facts = fit(part, work / "part.state")
    whole_net, whole_facts = fit(whole, work / "whole.state")
    reports = {
        "cross-species": {"trained_on": "cv/whole/whole_*_all.fa (the 90 %)"} | report(part_net, test, part),
        "new": {"trained_on": "sequences/whole_*.fa"} | report(whole_net, new, whole),
    }
    protocol = {
        "params": asdict(TrainParams(n_epochs=N_EPOCHS)),
        "config": asdict(NetConfig()),
        "folder": "ViennaRNA, Turner 2004, 37 degrees C",
        "threads": torch.get_num_threads(),
        "command": "python benchmarks/make_paper_cross.py train",
    }
    data = {"name": "deepmirgene whole (cross-species)", "n_too_long_left_out": folder.n_too_long} | whole_facts
    save(BUNDLED / "paper-cross", whole_net, data=data, licence=LICENCE, protocol=protocol, metrics=reports)
    figures = protocol | {"trainings": {"cross-species": part_facts, "new": whole_facts}, "reports": reports}
    print(write_result("paper_cross", figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("choose", "train"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("build") / "paper_cross", help="states for resuming")
    parser.add_argument(
        "--attention", nargs="+", choices=ATTENTIONS, default=list(ATTENTIONS), help="choose: which kinds"
    )
    parser.add_argument("--fold", nargs="+", type=int, choices=CHOOSE_FOLDS, default=list(CHOOSE_FOLDS))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    folder = Folder(find_data() / "deepmirgene")
    if options.step == "choose":
        choose(folder, options.work, options.attention, options.fold)
    else:
        train_final(folder, options.work)


if __name__ == "__main__":
    main()
