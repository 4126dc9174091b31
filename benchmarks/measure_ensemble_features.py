"""What the classical features of a hairpin do not hold: would they help a classifier to see it?

    python benchmarks/measure_ensemble_features.py [--json]

Two groups are added to the 72 features of the baseline "gradient boosting": those of the ensemble of structures
(ensemble energy, frequency of the MFE structure, diversity, entropies, base-pair probabilities, centroid), and the MFE
among those of shuffled sequences (20, of the same dinucleotides). Measured on the benchmark's validation folds of both
species, mean over folds; no test is looked at. Takes 20 minutes of two cores, nearly all for folding.
"""

import argparse
import os
import random
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise

import numpy as np
import RNA

from harness import find_data, write_result
from mirsweep.jobs.paper.benchmark import FOLDS, TASKS, TaskData, find_benchmark, read_task
from mirsweep.model.baselines import new_boosting
from mirsweep.model.features import classical_features
from mirsweep.model.metrics import evaluate

N_SHUFFLES = 20
SEEDS = (0, 1)
MEASURES = ("AUROC", "AUPR", "F")
KT = 0.61632
"""kcal/mol at 37 degrees C."""


def of_ensemble(sequence: str) -> list[float]:
    """Eleven features of the ensemble of structures."""
    n = len(sequence)
    fold = RNA.fold_compound(sequence)
    structure, mfe = fold.mfe()
    fold.exp_params_rescale(mfe)
    _, ensemble_energy = fold.pf()
    pairs = np.array(fold.bpp())[1:, 1:]
    pairs = pairs + pairs.T
    free = 1 - pairs.sum(axis=1)
    entropy = -_x_log_x(pairs).sum(axis=1) - _x_log_x(free)
    partner = np.array(RNA.ptable(structure)[1:]) - 1
    is_paired = partner >= 0
    of_pairs = pairs[np.nonzero(is_paired)[0], partner[is_paired]]
    _, centroid_distance = fold.centroid()
    return [
        ensemble_energy / n,
        (mfe - ensemble_energy) / n,
        float(np.exp((ensemble_energy - mfe) / KT)),
        float((pairs * (1 - pairs)).sum()) / n,
        float(entropy.mean()),
        _mean(entropy[is_paired]),
        _mean(entropy[~is_paired]),
        float(pairs.max(axis=1).mean()),
        _mean(of_pairs),
        float(of_pairs.min(initial=1.0)),
        centroid_distance / n,
    ]


def of_shuffles(sequence: str) -> list[float]:
    """Five features of the MFE among those of shuffled sequences: z-score, mean, difference, spread, rank."""
    rng = random.Random(sequence)
    mfe = RNA.fold(sequence)[1]
    energies = np.array([RNA.fold(shuffle_dinucleotides(sequence, rng))[1] for _ in range(N_SHUFFLES)])
    mean, spread, n = energies.mean(), energies.std(), len(sequence)
    return [(mfe - mean) / (spread + 0.5), mean / n, (mfe - mean) / n, spread, float((energies <= mfe).sum())]


def shuffle_dinucleotides(sequence: str, rng: random.Random) -> str:
    """A random sequence of exactly the same dinucleotides (Altschul and Erickson 1985)."""
    followers = defaultdict(list)
    for first, second in pairwise(sequence):
        followers[first].append(second)
    last = sequence[-1]
    while True:
        exits = {base: rng.choice(found) for base, found in followers.items() if base != last}
        if all(_leads_to(last, base, exits) for base in exits):
            break
    for base, found in followers.items():
        if base in exits:
            found.remove(exits[base])
        rng.shuffle(found)
        if base in exits:
            found.append(exits[base])
    queues = {base: iter(found) for base, found in followers.items()}
    shuffled = [sequence[0]]
    while len(shuffled) < len(sequence):
        shuffled.append(next(queues[shuffled[-1]]))
    return "".join(shuffled)


def _leads_to(last: str, base: str, exits: dict[str, str]) -> bool:
    for _ in range(4):
        if base == last:
            return True
        base = exits[base]
    return base == last


def _x_log_x(p: np.ndarray) -> np.ndarray:
    return p * np.log2(np.maximum(p, 1e-12))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def features_of(sequence: str) -> tuple[list[float], list[float]]:
    return of_ensemble(sequence), of_shuffles(sequence)


def measure(data: TaskData, known: dict[str, tuple[list[float], list[float]]]) -> dict[str, list[list[float]]]:
    """``MEASURES`` of each seed, by features."""
    tables: dict[str, list[np.ndarray]] = defaultdict(list)
    for dataset, energies in (data.train, data.held_out):
        classical = classical_features(dataset.sequences, dataset.structures, energies)
        ensemble, shuffles = (np.array([known[sequence][group] for sequence in dataset.sequences]) for group in (0, 1))
        tables["classical"].append(classical)
        tables["and ensemble"].append(np.hstack([classical, ensemble]))
        tables["and shuffles"].append(np.hstack([classical, shuffles]))
        tables["and both"].append(np.hstack([classical, ensemble, shuffles]))
    labels = data.held_out.dataset.labels
    found = defaultdict(list)
    for name, (train, held_out) in tables.items():
        for seed in SEEDS:
            scores = new_boosting(seed).fit(train, data.train.dataset.labels).predict_proba(held_out)[:, 1]
            measured = evaluate(scores, labels)
            found[name].append([getattr(measured, key) for key in MEASURES])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/ensemble_features.json")
    arguments = parser.parse_args()
    folder = find_benchmark(find_data())
    results: dict[str, dict[str, dict[str, float]]] = {}
    for species in ("human", "cross"):
        folds = [read_task(folder, TASKS[f"{species}-f{k}"]) for k in FOLDS]
        sequences = sorted(
            {s for data in folds for part in (data.train, data.held_out) for s in part.dataset.sequences}
        )
        with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            known = dict(zip(sequences, pool.map(features_of, sequences, chunksize=50), strict=True))
        by_fold = [measure(data, known) for data in folds]
        results[species] = {}
        for name in by_fold[0]:
            means = np.mean([each[name] for each in by_fold], axis=(0, 1)).round(4).tolist()
            results[species][name] = dict(zip(MEASURES, means, strict=True))
            print(species, name, *(f"{key} {value:.4f}" for key, value in results[species][name].items()), flush=True)
    if arguments.json:
        print(write_result("ensemble_features", {"shuffles": N_SHUFFLES, "seeds": len(SEEDS), "species": results}))


if __name__ == "__main__":
    main()
