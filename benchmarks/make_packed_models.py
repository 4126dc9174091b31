"""Pack the weights of the bundled models of the paper's network, and measure what that changes.

    python benchmarks/make_packed_models.py NAME.safetensors ...    # copies as training wrote them, cards beside them

The packed weights become bundled models, or lie in the folder that ``--into`` names; figures of other models are kept.
The matrices of the dense layers become numbers in fixed point (mirsweep.model.packed). In the first, each position of
a hairpin and state has a step of its own, in inverse ratio to how far its input is from 0 (root of the mean square over
the hairpins of the paper's benchmark that reach this position), so that all add about the same error. What rounding one
input's weights changes is made good in those that are not rounded yet, as far as their inputs vary together on these
hairpins (Frantar et al. 2022, "GPTQ", arXiv:2210.17323): scores change a fifth as much as without.
"""

import argparse
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save as tensors_to_bytes

from harness import ROOT, find_data, random_hairpins, write_result
from mirsweep.model.checkpoint import BUNDLED, Checkpoint, load, write_whole
from mirsweep.model.net import Net
from mirsweep.model.packed import pack
from mirsweep.model.predict import Model
from mirsweep.scanner.fasta import read_sequences
from mirsweep.scanner.fold import fold

STEP = 6e-5
"""Step of an input times the root mean square of the input. Half of it halves the changes of scores, and adds a tenth
of the size."""
SMALLEST = 1e-5
"""Of these roots: what no hairpin of the benchmark reaches keeps a step that fits."""
DAMPING = 0.01
"""Share of an input's mean square that counts as independent of all others: weights stay near what was trained."""
BLOCK = 128
LONGEST_NT = 400


class Inputs(NamedTuple):
    """What the first dense layer sees: mean products (n, n), and root mean squares (n,) where there is an input."""

    products: np.ndarray
    sizes: np.ndarray


def hairpins(root: Path) -> tuple[list[str], list[str]]:
    """All sequences of the benchmark that the network takes, and their structures."""
    paths = sorted(root.rglob("*.fa"))
    sequences = sorted({record.sequence for path in paths for record in read_sequences(path)})
    sequences = [sequence for sequence in sequences if len(sequence) <= LONGEST_NT]
    return sequences, list(fold(sequences).structures)


@torch.inference_mode()
def see_inputs(model: Model, sequences: list[str], structures: list[str]) -> Inputs:
    """Inputs of the first dense layer over these hairpins."""
    net, n_summary = model.network.net, model.config.n_summary
    n = net.dense1.weight.shape[1]
    products, counts = np.zeros((n, n)), np.zeros(n)
    for _, tokens in model.batches(sequences, structures):
        states, is_padding = model.network.states(tokens)
        flat = net.read_out(tokens, states, is_padding).numpy().astype(float)
        places = np.r_[:n_summary, n - flat.shape[1] + n_summary : n]
        products[np.ix_(places, places)] += flat.T @ flat
        n_real = np.repeat((~is_padding).sum(dim=1).numpy(), net.config.n_states)
        counts[places] += np.r_[np.full(n_summary, len(flat)), n_real]
    sizes = np.sqrt(np.diag(products) / np.maximum(counts, 1))
    return Inputs(products / len(sequences), np.maximum(sizes, SMALLEST))


def rounded(weights: np.ndarray, step: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Whole steps (n_out, n_in) of the weights, rounded one input after the other, those that vary most first."""
    order = np.argsort(-np.diag(products), kind="stable")
    damped = products + np.diag(DAMPING * np.diag(products) + 1e-12)
    factor = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    left, steps = weights[:, order].astype(float), np.empty(weights.shape)
    for start in range(0, len(order), BLOCK):
        end = min(start + BLOCK, len(order))
        errors = np.zeros((len(weights), end - start))
        for i in range(start, end):
            steps[:, order[i]] = np.rint(left[:, i] / step[order[i]])
            errors[:, i - start] = (left[:, i] - steps[:, order[i]] * step[order[i]]) / factor[i, i]
            left[:, i:end] -= np.outer(errors[:, i - start], factor[i, i:end])
        left[:, end:] -= errors @ factor[start:end, end:]
    return steps


def packed(checkpoint: Checkpoint, inputs: Inputs) -> bytes:
    """The network's file with both large matrices in fixed point; the second, which is small, in the finest steps."""
    assert isinstance(checkpoint.net, Net)
    tensors = dict(checkpoint.net.state_dict())
    first, second = (tensors.pop(f"dense{i}.weight").numpy() for i in (1, 2))
    step = np.maximum(STEP / inputs.sizes, finest(first))
    tensors |= pack(rounded(first, step, inputs.products), step, name="dense1.weight")
    tensors |= pack(np.rint(second / finest(second)), finest(second), name="dense2.weight")
    return tensors_to_bytes(tensors)


def finest(weights: np.ndarray) -> np.ndarray:
    """Finest step of each input, with room for what rounding moves; shape (n_in,)."""
    return np.abs(weights).max(axis=0) / 32_000


def deflated(content: bytes) -> int:
    """Bytes that a file takes in a wheel."""
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("weights", content)
    return len(buffer.getvalue())


def make(path: Path, folder: Path, sequences: list[str], structures: list[str]) -> dict[str, Any]:
    """Write one model's packed weights and card; what changed."""
    before = load(path)
    model = Model(before.net, before.card)
    scores = model.score(sequences, structures)
    content = packed(before, see_inputs(model, sequences, structures))
    card = before.card | {"digest": hashlib.sha256(content).hexdigest(), "trained_digest": before.digest}
    write_whole(folder / path.name, content)
    write_whole((folder / path.name).with_suffix(".json"), (json.dumps(card, indent=2) + "\n").encode())
    after = load(folder / path.name)
    again = Model(after.net, after.card).score(sequences, structures)
    others = random_hairpins(20_000)
    return {
        "bytes_in_a_wheel": [deflated(path.read_bytes()), deflated(content)],
        "benchmark": changes(scores, again),
        "random hairpins": changes(model.score(*others), Model(after.net, after.card).score(*others)),
    }


def changes(scores: np.ndarray, again: np.ndarray) -> dict[str, Any]:
    """How far scores (n,) are from those before."""
    change = np.abs(again - scores)
    return {
        "n_hairpins": len(scores),
        "largest_change": float(f"{change.max():.1e}"),
        "change_of_99_percent_at_most": float(f"{np.quantile(change, 0.99):.1e}"),
        "mean_change": float(f"{change.mean():.1e}"),
        "n_on_the_other_side_of_0.5": int(((scores >= 0.5) != (again >= 0.5)).sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="+", type=Path, metavar="NAME.safetensors")
    parser.add_argument("--into", type=Path, default=BUNDLED, metavar="DIR")
    arguments = parser.parse_args()
    sequences, structures = hairpins(find_data() / "deepmirgene")
    known = json.loads((ROOT / "benchmarks" / "results" / "packed_models.json").read_text())["models"]
    figures = {path.stem: make(path, arguments.into, sequences, structures) for path in arguments.weights}
    models = dict(sorted((known | figures).items()))
    print(write_result("packed_models", {"command": "python benchmarks/make_packed_models.py", "models": models}))


if __name__ == "__main__":
    main()
