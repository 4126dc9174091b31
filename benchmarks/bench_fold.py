"""Folding: the batched folder beside RNA.fold, on the same sequences, in one run.

    python benchmarks/bench_fold.py [--json] [--seconds 2]
    python benchmarks/bench_fold.py --fold-engine cuda [--json] [--seconds 2]

Random sequences of 60 to 200 nt on one core, and real hairpins of the deepMiRGene sets where the data lie; then all
cores, the batched folder in threads and RNA.fold in processes. Writes benchmarks/results/fold.json.

With ``--fold-engine cuda``: a GPU beside the batched folder and RNA.fold, on 131,072 random sequences of each length;
what several have folded must be equal. Writes benchmarks/results/fold-cuda.json.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import RNA
from numba import cuda

from harness import find_data, write_result
from mirsweep.scanner import InputError, fold, read_sequences
from mirsweep.scanner.batchfold import fold_batch
from mirsweep.scanner.fold import fold_texts
from mirsweep.texts import texts_of

LENGTHS = (60, 80, 100, 130, 200)
N_BATCH = 4096
N_GPU = 131_072
REPEATS = 3


def vienna(sequences: Sequence[str]) -> list[tuple[str, float]]:
    """What a user would otherwise call."""
    return [tuple(RNA.fold(sequence)) for sequence in sequences]


def random_sequences(n: int, length: int) -> list[str]:
    letters = np.random.default_rng(length).choice(list("ACGU"), (n, length))
    return ["".join(row) for row in letters]


def _few(sequences: Sequence[str], seconds: float) -> list[str]:
    """As many of the first sequences as RNA.fold folds in about so many seconds."""
    started = time.perf_counter()
    vienna(sequences[:20])
    per_sequence = (time.perf_counter() - started) / 20
    return list(sequences[: max(50, min(len(sequences), int(seconds / per_sequence)))])


def _per_second(work: Callable[[Sequence[str]], object], sequences: Sequence[str]) -> float:
    started = time.perf_counter()
    work(sequences)
    return len(sequences) / (time.perf_counter() - started)


def compare(sequences: Sequence[str], seconds: float) -> dict[str, float | int]:
    """Sequences a second of both, in turn, the best of several; they must agree on what both folded."""
    few = _few(sequences, seconds)
    expected = vienna(few)
    folded = fold_batch(few)
    assert [s for s, _ in expected] == folded.structures
    assert np.array_equal(np.array([e for _, e in expected], np.float32), folded.energies)
    batch, reference = 0.0, 0.0
    for _ in range(REPEATS):
        batch = max(batch, _per_second(fold_batch, sequences))
        reference = max(reference, _per_second(vienna, few))
    return {
        "mean_length": round(float(np.mean([len(s) for s in sequences])), 1),
        "batch_per_s": round(batch),
        "rnafold_per_s": round(reference, 1),
        "ratio": round(batch / reference, 1),
    }


def _parts(sequences: Sequence[str], n: int) -> list[Sequence[str]]:
    return [sequences[k::n] for k in range(n)]


def compare_all_cores(sequences: Sequence[str], seconds: float) -> dict[str, float | int]:
    """The same with every core: threads for the batched folder, a pool of warm processes for RNA.fold."""
    cores = len(os.sched_getaffinity(0))
    few = _few(sequences, seconds * cores)
    with ThreadPoolExecutor(cores) as threads, ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as processes:
        list(processes.map(vienna, [["GGGGAAAACCCC"]] * 4 * cores))
        reference = max(
            _per_second(lambda s: list(processes.map(vienna, _parts(s, 4 * cores))), few) for _ in range(REPEATS)
        )
        batch = max(
            _per_second(lambda s: list(threads.map(fold_batch, _parts(s, cores))), sequences) for _ in range(REPEATS)
        )
    return {
        "cores": cores,
        "batch_per_s": round(batch),
        "rnafold_per_s": round(reference, 1),
        "ratio": round(batch / reference, 1),
    }


def _real_hairpins() -> list[str]:
    path = find_data() / "deepmirgene" / "sequences" / "whole_pos.fa"
    return [record.sequence for record in read_sequences(path) if len(record.sequence) <= 200]


def measure(seconds: float) -> dict:
    fold_batch(random_sequences(32, 60))  # compiles, or loads what was compiled
    one_core = {str(length): compare(random_sequences(N_BATCH, length), seconds) for length in LENGTHS}
    return {
        "command": "python benchmarks/bench_fold.py",
        "one_core_by_length": one_core,
        "one_core_real_hairpins": compare(_real_hairpins(), seconds),
        "all_cores_by_length": {
            str(length): compare_all_cores(random_sequences(4 * N_BATCH, length), seconds) for length in LENGTHS
        },
        "load_at_the_end": round(os.getloadavg()[0], 1),
    }


def compare_gpu(length: int, seconds: float) -> dict[str, float | int]:
    """Sequences a second of a GPU, of the batched folder on all cores, and of RNA.fold on one."""
    sequences = random_sequences(N_GPU, length)
    few, cores = _few(sequences, seconds), len(os.sched_getaffinity(0))
    expected, folded, batched = vienna(few), fold(sequences, engine="cuda"), fold_batch(sequences[:N_BATCH])
    assert [s for s, _ in expected] == folded.structures[: len(few)]
    assert np.array_equal(np.array([e for _, e in expected], np.float32), folded.energies[: len(few)])
    assert batched.structures == folded.structures[:N_BATCH]
    assert np.array_equal(batched.energies, folded.energies[:N_BATCH])
    texts = texts_of(sequences)
    gpu = max(_per_second(lambda texts: fold_texts(texts, engine="cuda"), texts) for _ in range(REPEATS))
    some = sequences[: cores * N_BATCH]
    with ThreadPoolExecutor(cores) as threads:
        batch = max(
            _per_second(lambda s: list(threads.map(fold_batch, _parts(s, cores))), some) for _ in range(REPEATS)
        )
    return {
        "gpu_per_s": round(gpu),
        "cores": cores,
        "batch_per_s": round(batch),
        "rnafold_per_s": round(_per_second(vienna, few), 1),
        "ratio": round(gpu / batch, 1),
    }


def measure_gpu(seconds: float) -> dict:
    fold(random_sequences(64, 60), engine="cuda")  # compiles
    fold_batch(random_sequences(32, 60))
    name = cuda.get_current_device().name
    return {
        "command": "python benchmarks/bench_fold.py --fold-engine cuda",
        "device": name if isinstance(name, str) else name.decode(),
        "by_length": {str(length): compare_gpu(length, seconds) for length in LENGTHS},
    }


def _show_gpu(figures: dict) -> None:
    for length, row in figures["by_length"].items():
        print(f"{length} nt: {row['gpu_per_s']}/s on {figures['device']}, {row['batch_per_s']}/s on {row['cores']} "
              f"cores, RNA.fold {row['rnafold_per_s']}/s on one; GPU to cores {row['ratio']}")  # fmt: skip


def _print(name: str, row: dict) -> None:
    print(f"{name:14} {row['batch_per_s']:7}/s batched, {row['rnafold_per_s']:7}/s RNA.fold, ratio {row['ratio']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--seconds", type=float, default=2.0, help="time for RNA.fold in each comparison")
    parser.add_argument("--fold-engine", default="batch", choices=("batch", "cuda"))
    options = parser.parse_args()
    if options.fold_engine == "cuda":
        try:
            figures = measure_gpu(options.seconds)
        except InputError as error:
            raise SystemExit(str(error)) from None
        write_result("fold-cuda", figures)
        if options.json:
            print(json.dumps(figures, indent=2))
        else:
            _show_gpu(figures)
        return
    figures = measure(options.seconds)
    write_result("fold", figures)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for length, row in figures["one_core_by_length"].items():
        _print(f"{length} nt", row)
    _print("real hairpins", figures["one_core_real_hairpins"])
    for length, row in figures["all_cores_by_length"].items():
        _print(f"{length} nt, cores", row)


if __name__ == "__main__":
    main()
