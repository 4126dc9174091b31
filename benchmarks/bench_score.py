"""Scoring: length-sorted, fused batches beside a plain torch network that pads to 400 positions, in one run.

    python benchmarks/bench_score.py [--json] [--n 8192] [--threads 1] [--device cpu]
    python benchmarks/bench_score.py --model genome --device cuda [--genome FILE] [--n 262144] [--json]

Also the other bundled models that score hairpins alone, in turn. Writes benchmarks/results/score.json. Peak memory is
that of the whole process, before the other models and the plain network run.

With ``--model genome``, on a GPU or a CPU: torch's tensors beside the compiled loops of the CPU, on candidates of a
genome, by part, and whether they agree. Writes benchmarks/results/score-genome-DEVICE.json; exit code 1 if a score
differs by more than 1e-4.
"""

import argparse
import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import genome_scoring
from harness import best_seconds, command_line, random_hairpins, write_result
from mirsweep.model import Model, load_model
from mirsweep.model.checkpoint import BUNDLED, load
from mirsweep.model.devices import resolve_device
from mirsweep.model.encode import encode
from mirsweep.model.lstm import LstmLayer
from mirsweep.model.net import PRE_MIRNA, Net, input_columns

N_PLAIN = 512
BATCH_SIZES = (64, 256, 512, 1024, 2048)


class PlainNet(nn.Module):
    """The network as one writes it first: 400 positions always, padding masked step by step, a loop of LSTM cells."""

    def __init__(self, net: Net):
        super().__init__()
        self.net = net
        self.cells = nn.ModuleList([plain_cell(net.lstm1), plain_cell(net.lstm2)])

    @torch.inference_mode()
    def score(self, sequences: Sequence[str], structures: Sequence[str]) -> np.ndarray:
        """Probabilities, float32 (n,)."""
        parts = [slice(i, i + 128) for i in range(0, len(sequences), 128)]
        return np.concatenate([self(self.pad(encode(sequences[p], structures[p]))).numpy() for p in parts])

    def pad(self, tokens: np.ndarray) -> Tensor:
        """Tokens (B, L) to (B, 400)."""
        return torch.from_numpy(np.pad(tokens, ((0, 0), (self.net.config.max_length - tokens.shape[1], 0))))

    def forward(self, tokens: Tensor) -> Tensor:
        """Probabilities (B,) of tokens (B, 400)."""
        x, is_padding = input_columns(tokens, self.net.config)
        for cell in self.cells:
            x = self.run(cell, x, is_padding)
        return self.net.classify(self.net.read_out(tokens, x, is_padding)).softmax(dim=1)[:, PRE_MIRNA]

    def run(self, cell: nn.LSTMCell, x: Tensor, is_padding: Tensor) -> Tensor:
        """States (400, B, H); the state before is kept at padding."""
        state = memory = torch.zeros(x.shape[1], cell.hidden_size)
        outputs = []
        for step, masked in zip(x, is_padding[..., None], strict=True):
            new_state, new_memory = cell(step, (state, memory))
            state, memory = torch.where(masked, state, new_state), torch.where(masked, memory, new_memory)
            outputs.append(state)
        return torch.stack(outputs)


def plain_cell(layer: LstmLayer) -> nn.LSTMCell:
    """Our layer as torch's cell, whose gate blocks are i f g o."""
    cell = nn.LSTMCell(layer.w_in.shape[1], layer.n_hidden)
    blocks = {"weight_ih": layer.w_in, "weight_hh": layer.w_state, "bias_ih": layer.bias}
    state = {name: torch.cat([w.detach().chunk(4)[k] for k in (1, 2, 3, 0)]) for name, w in blocks.items()}
    cell.load_state_dict(state | {"bias_hh": torch.zeros_like(layer.bias)})
    return cell


def measure(n: int, device: str) -> dict[str, Any]:
    """Hairpins a second of both, and the largest difference of their scores, on random hairpins of 45 to 130 nt."""
    sequences, structures = random_hairpins(n)
    checkpoint = load("paper-cross")
    model = Model(checkpoint.net, checkpoint.card, device=device)
    model.score(sequences[:8], structures[:8])  # compiles and loads what stays
    before = peak_mib()
    rates = {
        size: n / best_seconds(lambda size=size: model.score(sequences, structures, batch_size=size), repeats=3)
        for size in BATCH_SIZES
    }
    grown = peak_mib() - before
    others = measure_others(sequences, structures, device)
    few = sequences[:N_PLAIN], structures[:N_PLAIN]
    plain = PlainNet(checkpoint.net)
    difference = float(np.abs(plain.score(*few) - model.score(*few)).max())
    plain_rate = N_PLAIN / best_seconds(lambda: plain.score(*few), repeats=2)
    options = f"--n {n} --threads {torch.get_num_threads()} --device {device}"
    return {
        "command": f"python benchmarks/{Path(__file__).name} {options}",
        "n_hairpins": n,
        "threads": torch.get_num_threads(),
        "device": device,
        "hairpins_per_s_by_batch_size": {str(size): round(rate) for size, rate in rates.items()},
        "hairpins_per_s": round(max(rates.values())),
        "hairpins_per_s_by_model": others,
        "plain_hairpins_per_s": round(plain_rate),
        "ratio": round(max(rates.values()) / plain_rate, 1),
        "largest_difference": difference,
        "memory_grown_mib": round(grown, 1),
    }


def measure_others(sequences: Sequence[str], structures: Sequence[str], device: str) -> dict[str, int]:
    """Hairpins a second of every bundled model of this kind, the fastest of three rounds through all of them."""
    models = {path.stem: load_model(path, device=device) for path in sorted(BUNDLED.glob("*.safetensors"))}
    models = {name: model for name, model in models.items() if isinstance(model, Model)}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(3):
        for name, model in models.items():
            seconds[name].append(best_seconds(lambda model=model: model.score(sequences, structures), repeats=1))
    return {name: round(len(sequences) / min(each)) for name, each in seconds.items()}


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--model", default="paper-cross", choices=("paper-cross", "genome"))
    parser.add_argument("--genome", type=Path, help="whose candidates the genome model scores")
    parser.add_argument("--n", type=int, help="hairpins")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda", "auto"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.model == "genome":
        return compare_devices(options)
    figures = measure(options.n or 8192, options.device)
    write_result("score", figures)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        print(
            f"score: {figures['hairpins_per_s']} hairpins/s, plain network {figures['plain_hairpins_per_s']}, "
            f"ratio {figures['ratio']}, largest difference {figures['largest_difference']:.1e}"
        )
    return 0


def compare_devices(options: argparse.Namespace) -> int:
    """The genome model by tensors and by loops; 1 if their scores differ."""
    device = resolve_device(options.device)
    n = options.n or (262_144 if device == "cuda" else 20_000)
    genome = options.genome or genome_scoring.default_genome()
    figures = {"command": command_line()} | genome_scoring.measure(genome, n=n, device=device)
    write_result(f"score-genome-{device}", figures)
    print(json.dumps(figures, indent=2) if options.json else genome_scoring.show(figures))
    return int(figures["agreement_with_loops"]["n_beyond_tolerance"] > 0)


if __name__ == "__main__":
    sys.exit(main())
