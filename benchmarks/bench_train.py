"""Training: the compiled LSTM layers beside torch operations, in one run.

    python benchmarks/bench_train.py [--json] [--n 2048]

One thread. An epoch of the paper's network on random hairpins, each way; and its first layer alone, forward and
backward, 100 positions of 128 hairpins, also by torch's own LSTM, which cannot drop recurrent connections. Writes
benchmarks/results/train.json.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from harness import best_seconds, random_hairpins, write_result
from mirsweep.model import Dataset
from mirsweep.model.lstm import LstmLayer, lstm_steps, with_padding_column
from mirsweep.model.train import TrainParams, train

N_STEPS, N_BATCH, N_INPUT, N_HIDDEN = 100, 128, 16, 20


def by_operations(self: LstmLayer, x: Tensor, is_padding: Tensor, *, keep_input: Tensor, keep_state: Tensor) -> Tensor:
    """A layer's states by torch operations, as on a GPU."""
    x = with_padding_column(x * keep_input, is_padding)
    return lstm_steps(nn.functional.linear(x, self.w_in_with_padding(), self.bias), self.w_state, keep_state)


def measure_epoch(n: int) -> dict[str, float]:
    """Seconds of an epoch of ``n`` hairpins, the fastest of three, each way; and the difference of the losses."""
    sequences, structures = random_hairpins(n)
    labels = (np.arange(n) % 5 == 0).astype(np.uint8)
    params = TrainParams(n_epochs=3)
    compiled = train(Dataset(sequences, structures, labels), params=params)
    with mock.patch.object(LstmLayer, "forward", by_operations):
        plain = train(Dataset(sequences, structures, labels), params=params)
    return {
        "compiled_s": round(min(compiled.seconds), 3),
        "operations_s": round(min(plain.seconds), 3),
        "ratio": round(min(plain.seconds) / min(compiled.seconds), 2),
        "largest_relative_difference_of_loss": float(np.abs(np.divide(compiled.losses, plain.losses) - 1).max()),
    }


def measure_layer() -> dict[str, float]:
    """Milliseconds of one layer, forward and backward, three ways."""
    generator = torch.Generator().manual_seed(0)
    layer, torchs = LstmLayer(N_INPUT, N_HIDDEN), nn.LSTM(N_INPUT, N_HIDDEN)
    for parameter in layer.parameters():
        parameter.data.uniform_(-0.05, 0.05, generator=generator)
    x = torch.rand(N_STEPS, N_BATCH, N_INPUT, generator=generator)
    is_padding = torch.zeros(N_STEPS, N_BATCH, dtype=torch.bool)
    masks = {"keep_input": torch.ones(N_BATCH, N_INPUT), "keep_state": torch.ones(N_BATCH, N_HIDDEN)}
    ways: dict[str, Callable[[], Tensor]] = {
        "compiled_ms": lambda: layer(x, is_padding, **masks),
        "operations_ms": lambda: by_operations(layer, x, is_padding, **masks),
        "torch_lstm_ms": lambda: torchs(x)[0],
    }
    return {
        name: round(1e3 * best_seconds(lambda way=way: way().sum().backward(), repeats=20), 2)
        for name, way in ways.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--n", type=int, default=2048, help="hairpins of an epoch")
    options = parser.parse_args()
    torch.set_num_threads(1)
    figures = {
        "command": f"python benchmarks/{Path(__file__).name} --n {options.n}",
        "n_hairpins": options.n,
        "epoch": measure_epoch(options.n),
        "layer": measure_layer(),
    }
    write_result("train", figures)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        print(f"train: an epoch {figures['epoch']['ratio']} times as fast; a layer {figures['layer']} ms")


if __name__ == "__main__":
    main()
