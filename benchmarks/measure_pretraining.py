"""Whether pre-training on pre-miRNAs of other species and hairpins of genomes helps on human: AUPR on validation folds.

    python benchmarks/measure_pretraining.py --work DIR [--fold 1 2]

The network that validation chose (``best-human``'s) is trained on precursors of animals and viruses against windows of
C. elegans X, Arabidopsis 1 and the Epstein-Barr virus, and then on the training part of a human fold as its recipe
says, beginning with these weights in place of drawn ones. Beside it stand the pre-trained network alone, gradient
boosting with its log-odds as one more feature, and its log-odds added to those of the recipe's own network.

Nothing human is pre-trained on. Left out is every human precursor, every family that has one in miRBase or MirGeneDB
(with what MirGeneDB joins with it), and every sequence that shares 16 nt with a human precursor or with any hairpin of
the human benchmark, of either class. The windows are as long as the benchmark's others and as the precursors; like the
benchmark's, they have 18 pairs and -15 kcal/mol at least. None is near a known locus.
"""

import argparse
import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score
from threadpoolctl import threadpool_limits

from genome_runs import ANNOTATIONS, ATH, EBV, Work, X
from harness import ROOT, write_result
from mirsweep.jobs.paper.benchmark import TASKS, TaskData, find_benchmark, read_task
from mirsweep.jobs.paper.experiments import Extent
from mirsweep.jobs.training.mine import near_loci
from mirsweep.jobs.training.precursors import equivalent_families, read_precursors
from mirsweep.model.baselines import new_boosting, out_of_fold
from mirsweep.model.data import Dataset
from mirsweep.model.features import classical_features
from mirsweep.model.net import Net
from mirsweep.model.predict import Model
from mirsweep.model.recipes import CANDIDATES
from mirsweep.model.threads import one_thread, one_torch_thread
from mirsweep.model.train import train
from mirsweep.scanner.alphabet import decode, encode, reverse_complement
from mirsweep.scanner.fasta import read_sequences
from mirsweep.scanner.fold import fold

CHOSEN = "LSTM(2)+ATT+statistics+energies, distilled"
RECIPE = CANDIDATES[CHOSEN]
N_EPOCHS = 6
N_WINDOWS = {X: 70_000, ATH: 90_000, EBV: 8_000}
SHORTEST, LONGEST = 55, 180
LENGTH, DEVIATION = 92, 7
"""Of half of the windows, nt: as the benchmark's others."""
FEWEST_PAIRS, HIGHEST_ENERGY = 18, -15.0
HOMOLOGOUS_NT = 16
WEIGHTS = (0.1, 0.2, 0.4)
"""Of the pre-trained network's log-odds beside the other's."""


def kmers(sequences: Iterable[str]) -> set[str]:
    return {s[i : i + HOMOLOGOUS_NT] for s in sequences for i in range(len(s) - HOMOLOGOUS_NT + 1)}


def examples(work: Work) -> tuple[Dataset, dict[str, int]]:
    """What is pre-trained on, and how many precursors and windows were left by each rule."""
    hairpins = work.data / "hairpins"
    known = read_precursors(hairpins / "mirbase_v22.tsv.gz", hairpins / "mirgenedb_precursors.fa.gz")
    human = [p for p in known if p.species == "hsa"]
    families = equivalent_families(known, [p.family for p in human])
    folder = find_benchmark(work.data) / "sequences"
    benchmark = [record.sequence for kind in ("pos", "neg") for record in read_sequences(folder / f"human_{kind}.fa")]
    of_human = kmers([p.sequence for p in human] + [s.upper().replace("T", "U") for s in benchmark])
    others = [p for p in known if p.species != "hsa" and p.kingdom != "plant"]
    unrelated = [p for p in others if p.family not in families]
    positives = sorted({p.sequence for p in unrelated if SHORTEST <= len(p.sequence) <= LONGEST})
    rng = np.random.default_rng(0)
    lengths = np.array([len(s) for s in positives])
    negatives = sorted({w for stem in N_WINDOWS for w in windows(work, stem, lengths, rng)})
    counts = {"animal_and_viral_precursors": len(others), "of_no_human_family": len(unrelated)}
    counts |= {"distinct_of_55_to_180_nt": len(positives), "windows": len(negatives)}
    dataset = Dataset(*hairpins_of(positives, negatives))
    kept = dataset.take(np.array([of_human.isdisjoint(kmers([s])) for s in dataset.sequences]))
    counts |= {"n_pos_before_16_nt": dataset.n_pos, "n_neg_before_16_nt": dataset.n_neg}
    return kept, counts | {"n_pos": kept.n_pos, "n_neg": kept.n_neg}


def windows(work: Work, stem: str, lengths: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Windows of a chromosome, either strand, that lie near no known locus."""
    with gzip.open(work.genome(stem), "rb") as lines:
        next(lines)
        codes = encode(b"".join(line.strip() for line in lines))
    n = N_WINDOWS[stem]
    widths = np.where(rng.random(n) < 0.5, rng.normal(LENGTH, DEVIATION, n), rng.choice(lengths, n))
    widths = widths.astype(np.int64).clip(SHORTEST, LONGEST)
    starts = rng.integers(0, len(codes) - LONGEST, n)
    loci = [locus for annotation in ANNOTATIONS[stem] for locus in work.loci(stem, annotation)]
    near = near_loci(np.full(n, loci[0].contig), starts, starts + widths, loci)
    found = []
    for start, width in zip(starts[~near].tolist(), widths[~near].tolist(), strict=True):
        piece = codes[start : start + width]
        found.append(decode(piece if rng.random() < 0.5 else reverse_complement(piece)))
    return [sequence for sequence in found if set(sequence) <= set("ACGU")]


def hairpins_of(positives: Sequence[str], negatives: Sequence[str]) -> tuple[list[str], list[str], np.ndarray]:
    """Sequences, structures and labels of what has enough pairs and energy."""
    sequences = [*positives, *negatives]
    structures, energies = fold(sequences)
    n_pairs = np.array([structure.count("(") for structure in structures])
    rows = np.flatnonzero((n_pairs >= FEWEST_PAIRS) & (np.asarray(energies) <= HIGHEST_ENERGY)).tolist()
    labels = np.array([row < len(positives) for row in rows])
    return [sequences[row] for row in rows], [structures[row] for row in rows], labels


def pretrained(dataset: Dataset, folder: Path) -> Net:
    params = replace(RECIPE.params, n_epochs=N_EPOCHS, averaging=0.998, save_every=1)
    return train(dataset, config=RECIPE.config, params=params, state_path=folder / "pretrained.state").net


def score(net: Net, dataset: Dataset) -> np.ndarray:
    return Model(net, {"name": "trial", "digest": ""}).score(dataset.sequences, dataset.structures)


def log_odds(scores: np.ndarray) -> np.ndarray:
    clipped = np.clip(np.asarray(scores, np.float64), 1e-7, 1 - 1e-7)
    return np.log(clipped / (1 - clipped))


def measure(data: TaskData, net: Net, known: np.ndarray, state: Path) -> dict[str, float]:
    """AUPR on a validation fold; ``known`` are the scores of the recipe's own network."""
    labels, train_set = data.held_out.dataset.labels, data.train.dataset
    teacher = out_of_fold(RECIPE.teacher or "", *data.train, seed=0)
    params = replace(RECIPE.params, n_epochs=Extent().candidate_epochs)
    tuned = train(train_set, teacher=teacher, initial=net, config=RECIPE.config, params=params, state_path=state).net
    seen, unseen = log_odds(score(net, train_set)), log_odds(score(net, data.held_out.dataset))
    features, more = (classical_features(d.sequences, d.structures, e) for d, e in (data.train, data.held_out))
    with threadpool_limits(1):
        boosting = new_boosting(0).fit(features, train_set.labels).predict_proba(more)[:, 1]
        with_it = new_boosting(0).fit(np.c_[features, seen], train_set.labels).predict_proba(np.c_[more, unseen])[:, 1]
    scores = {
        "drawn weights": known,
        "pre-trained, then this fold": score(tuned, data.held_out.dataset),
        "pre-trained alone": unseen,
        "gradient boosting": boosting,
        "gradient boosting with the pre-trained network's log-odds": with_it,
        **{f"log-odds and {w} of the pre-trained network's": log_odds(known) + w * unseen for w in WEIGHTS},
    }
    return {name: round(float(average_precision_score(labels, each)), 4) for name, each in scores.items()}


def known_scores(task: str, method: str = CHOSEN) -> np.ndarray:
    """Scores of a method's first training run, as committed; by default the recipe's own network."""
    results = ROOT / "benchmarks" / "results"
    records = json.loads((results / "accuracy.json").read_text())["trainings"]
    path = results / "accuracy_scores" / f"{task}.tsv.gz"
    names = np.loadtxt(path, dtype=str, max_rows=1, comments=None).tolist()
    runs = [name for name in names if name in records and records[name]["method"] == method and "-s0-" in name]
    return np.loadtxt(path, skiprows=1, usecols=names.index(runs[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder of states, to go on from")
    parser.add_argument("--fold", nargs="+", type=int, default=[1, 2])
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    work = Work(options.work)
    by_task: dict[str, Any] = {}
    with one_torch_thread(), one_thread():
        dataset, counts = examples(work)
        print(counts, flush=True)
        net = pretrained(dataset, options.work)
        for task in (f"human-f{k}" for k in options.fold):
            data = read_task(find_benchmark(work.data), TASKS[task])
            by_task[task] = measure(data, net, known_scores(task), options.work / f"{task}.state")
            print(task, by_task[task], flush=True)
    names = by_task[f"human-f{options.fold[0]}"]
    means = {name: round(float(np.mean([each[name] for each in by_task.values()])), 4) for name in names}
    document = {"command": "python benchmarks/measure_pretraining.py --work DIR", "recipe": CHOSEN, "examples": counts}
    print(write_result("pretraining", document | {"epochs": N_EPOCHS, "AUPR": by_task, "mean_AUPR": means}))


if __name__ == "__main__":
    main()
