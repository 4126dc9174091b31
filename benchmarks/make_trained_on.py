"""Write into the cards of the bundled models of the paper's benchmark which sequences they were trained on, as digests.

    python benchmarks/make_trained_on.py

The weights stay as they are. Ends with an error where the number of sequences is not that of the card.
"""

import json

from harness import find_data
from mirsweep.jobs.paper.benchmark import TASKS, find_benchmark, read_task
from mirsweep.model.checkpoint import BUNDLED, write_whole
from mirsweep.model.seen import describe_sequences

MODELS = {"paper-cross": "new", "best-cross": "new", "paper-human": "human-test", "best-human": "human-test"}
"""By model the task whose training set was its own."""


def main() -> None:
    """Write the cards."""
    folder = find_benchmark(find_data())
    for model, task in MODELS.items():
        train = read_task(folder, TASKS[task]).train.dataset
        path = BUNDLED / f"{model}.json"
        card = json.loads(path.read_text())
        told = [card["data"].get(f"n_train_{kind}", card["data"].get(f"n_{kind}")) for kind in ("pos", "neg")]
        if told != [train.n_pos, train.n_neg]:
            raise SystemExit(f"{model}: trained on {told} sequences, but {task} has {[train.n_pos, train.n_neg]}")
        card["data"]["sequences"] = describe_sequences(train.sequences)
        write_whole(path, (json.dumps(card, indent=2) + "\n").encode())
        print(f"{model}: {len(train.sequences)} sequences")


if __name__ == "__main__":
    main()
