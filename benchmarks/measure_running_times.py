"""CPU time of training and of prediction of every method of docs/accuracy.md, on one core (the paper's appendix C).

    python benchmarks/measure_running_times.py

Every network of table 4, ``authors-code``, what validation chose for human, and the baselines: trained on the first
fold of human, and scoring what it holds out. A network is trained for three epochs; the faster of the last two, times
its number of epochs, is its training time. It is the process's own CPU time, so that others on the machine hardly
count. The rows of the page's table are printed.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from harness import find_data, write_result
from mirsweep.jobs.paper.benchmark import TASKS, TaskData, find_benchmark, read_task
from mirsweep.jobs.paper.experiments import Extent
from mirsweep.model.baselines import BASELINES, fit_baseline, out_of_fold
from mirsweep.model.predict import Model
from mirsweep.model.recipes import ARCHITECTURES, AUTHORS, AUTHORS_NAME, CANDIDATES, Recipe
from mirsweep.model.threads import one_thread, one_torch_thread
from mirsweep.model.train import train
from mirsweep.scanner.fold import fold

TASK, CHOSEN = "human-f1", "LSTM(2)+ATT+statistics+energies, distilled"
N_EPOCHS, N_REPEATS = 3, 3


def cpu_seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU time that a call takes, and what it gives."""
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def of_network(recipe: Recipe, n_epochs: int, data: TaskData) -> dict[str, float]:
    train_set, held_out = data.train.dataset, data.held_out.dataset
    of_teacher, teacher = 0.0, None
    if recipe.teacher:
        of_teacher, teacher = cpu_seconds(lambda: out_of_fold(recipe.teacher, *data.train, seed=0))
    params = replace(recipe.params, n_epochs=N_EPOCHS)
    by_epoch: list[float] = []
    ended = [time.process_time()]

    def note(_: object) -> None:
        by_epoch.append(time.process_time() - ended[0])
        ended[0] = time.process_time()

    trained = train(train_set, teacher=teacher, config=recipe.config, params=params, progress=note)
    seconds = of_teacher + n_epochs * min(by_epoch[1:])  # the first compiles
    model = Model(trained.net, {"name": "measured", "digest": ""})
    return summary(seconds, lambda: model.score(held_out.sequences, held_out.structures), data) | {"epochs": n_epochs}


def of_baseline(name: str, data: TaskData) -> dict[str, float]:
    seconds, predict = cpu_seconds(lambda: fit_baseline(name, *data.train, seed=0))
    return summary(seconds, lambda: predict(*data.held_out), data)


def summary(seconds: float, predict: Callable[[], Any], data: TaskData) -> dict[str, float]:
    predict()
    of_scoring = min(cpu_seconds(predict)[0] for _ in range(N_REPEATS))
    n_train, n_held_out = len(data.train.dataset), len(data.held_out.dataset)
    return {
        "training_s": round(seconds, 1),
        "training_ms_per_sequence": round(1e3 * seconds / n_train, 2),
        "prediction_ms_per_sequence": round(1e3 * of_scoring / n_held_out, 4),
    }


def networks(extent: Extent) -> dict[str, tuple[Recipe, int]]:
    """Recipe and number of epochs of every network, by name."""
    of_table_4 = {name: (recipe, extent.epochs) for name, recipe in ARCHITECTURES.items()}
    return of_table_4 | {
        AUTHORS_NAME: (AUTHORS, 2 * extent.epochs),
        CHOSEN: (CANDIDATES[CHOSEN], extent.candidate_epochs),
    }


def page_row(name: str, figures: dict[str, Any]) -> str:
    epochs = f", {figures['epochs']} epochs" if "epochs" in figures else ""
    each, scored = figures["training_ms_per_sequence"], figures["prediction_ms_per_sequence"]
    return f"| {name}{epochs} | {figures['training_s']:.3g} s | {each:.2g} ms | {scored:.2g} ms |"


def main() -> None:
    data = read_task(find_benchmark(find_data()), TASKS[TASK])
    methods: dict[str, Any] = {}
    with one_torch_thread(), one_thread():
        of_fold = min(cpu_seconds(lambda: fold(data.held_out.dataset.sequences))[0] for _ in range(N_REPEATS))
        methods |= {name: of_baseline(name, data) for name in BASELINES}
        methods |= {name: of_network(*given, data) for name, given in networks(Extent()).items()}
    sizes = {"n_train": len(data.train.dataset), "n_held_out": len(data.held_out.dataset)}
    folding = {"folding_ms_per_sequence": round(1e3 * of_fold / sizes["n_held_out"], 4)}
    document = {"command": "python benchmarks/measure_running_times.py", "task": TASK} | sizes | folding
    print(write_result("running_times", document | {"methods": methods}))
    print(*(page_row(name, figures) for name, figures in methods.items()), sep="\n")


if __name__ == "__main__":
    main()
