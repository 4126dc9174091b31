"""Slow plain-Python oracles of the model package: written from the formulas, sharing no code with it."""

import math
import re


def encode_reference(sequence: str, structure: str, width: int) -> list[int]:
    """Joint tokens, right-aligned: 4 * base + symbol + 1, ':' for the dots between '(' and ')'."""
    marked = re.sub(r"(?<=\()\.+(?=\))", lambda dots: ":" * len(dots.group()), structure)
    bases = ["ACGU".index(letter) for letter in sequence.upper().replace("T", "U")]
    tokens = [4 * base + "().:".index(symbol) + 1 for base, symbol in zip(bases, marked, strict=True)]
    return [0] * (width - len(tokens)) + tokens


def is_balanced(structure: str) -> bool:
    """Whether repeated removal of the innermost pairs removes every bracket."""
    brackets = structure.replace(".", "")
    while "()" in brackets:
        brackets = brackets.replace("()", "")
    return brackets == ""


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def dot(weights: list[float], values: list[float]) -> float:
    return sum(w * v for w, v in zip(weights, values, strict=True))


def lstm_reference(inputs, w_in, w_state, bias, n_hidden):
    """One LSTM layer over a list of vectors, state zero before the first; gate rows o, i, f, g."""
    state, cell, outputs = [0.0] * n_hidden, [0.0] * n_hidden, []
    for x in inputs:
        gates = [dot(w_in[r], x) + dot(w_state[r], state) + bias[r] for r in range(4 * n_hidden)]
        o, i, f = ([sigmoid(v) for v in gates[k * n_hidden : (k + 1) * n_hidden]] for k in range(3))
        g = [math.tanh(v) for v in gates[3 * n_hidden :]]
        cell = [f[k] * cell[k] + i[k] * g[k] for k in range(n_hidden)]
        state = [o[k] * math.tanh(cell[k]) for k in range(n_hidden)]
        outputs.append(state)
    return outputs


def network_reference(tokens, parameters, config) -> float:
    """Probability of pre-miRNA of one sequence (paper, section 3.2), from its unpadded tokens.

    ``parameters`` maps tensor names to nested lists; flattened positions are counted from the 400th back.
    """
    p = parameters
    x = [[1.0 if token == column + 1 else 0.0 for column in range(16)] for token in tokens]
    for layer, n_hidden in (("lstm1", config.n_hidden1), ("lstm2", config.n_hidden2)):
        x = lstm_reference(x, p[f"{layer}.w_in"], p[f"{layer}.w_state"], p[f"{layer}.bias"], n_hidden)
    first = config.max_length - len(tokens)
    vectors = p["attention"] * config.max_length if config.attention == "shared" else p["attention"]
    energies = [dot(vectors[first + t], h) for t, h in enumerate(x)]
    total = sum(math.exp(e) for e in energies)
    flat = [0.0] * (first * config.n_hidden2)
    flat += [math.exp(e) / total * value for e, h in zip(energies, x, strict=True) for value in h]
    for layer in ("dense1", "dense2"):
        weights, bias = p[f"{layer}.weight"], p[f"{layer}.bias"]
        flat = [sigmoid(dot(row, flat) + b) for row, b in zip(weights, bias, strict=True)]
    logits = [dot(row, flat) + b for row, b in zip(p["output.weight"], p["output.bias"], strict=True)]
    return math.exp(logits[0]) / (math.exp(logits[0]) + math.exp(logits[1]))
