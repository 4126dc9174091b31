"""Slow plain-Python oracles of the model package: written from the formulas, sharing no code with it."""

import math
import re

from mirsweep.model import token_features as s
from reference_fold import pair_table


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


def partners_reference(sequence: str, structure: str) -> list[int]:
    """1 + base of each position's partner, 0 where unpaired, by removing innermost pairs."""
    bases, partners, left = sequence.upper().replace("T", "U"), [0] * len(sequence), structure
    while found := re.search(r"\(([^()]*)\)", left):
        i, j = found.start(), found.end() - 1
        partners[i], partners[j] = 1 + "ACGU".index(bases[j]), 1 + "ACGU".index(bases[i])
        left = left[:i] + "." + left[i + 1 : j] + "." + left[j + 1 :]
    return partners


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


def bilstm_reference(inputs, p, name, n_hidden):
    """Both directions side by side."""
    forth, back = (
        lstm_reference(x, p[f"{name}.{way}.w_in"], p[f"{name}.{way}.w_state"], p[f"{name}.{way}.bias"], n_hidden)
        for way, x in (("forth", inputs), ("back", inputs[::-1]))
    )
    return [a + b for a, b in zip(forth, back[::-1], strict=True)]


def conv_reference(inputs, weight, bias):
    """Filters [out][in][offset] centred on each position, zeros beyond the ends, then ReLU."""
    half, outputs = len(weight[0][0]) // 2, []
    for t in range(len(inputs)):
        places = [(offset, t + offset - half) for offset in range(2 * half + 1)]
        seen = [(offset, inputs[place]) for offset, place in places if 0 <= place < len(inputs)]
        sums = [sum(w[c][o] * x[c] for o, x in seen for c in range(len(x))) for w in weight]
        outputs.append([max(0.0, s + b) for s, b in zip(sums, bias, strict=True)])
    return outputs


def columns_reference(sequence, structure, config):
    """Input columns from the letters."""
    marked = re.sub(r"(?<=\()\.+(?=\))", lambda dots: ":" * len(dots.group()), structure)
    partners = partners_reference(sequence, structure)
    columns = []
    for base, symbol, partner in zip(sequence, marked, partners, strict=True):
        if config.inputs == "sequence":
            row = [float(base == letter) for letter in "ACGU"]
        elif config.inputs == "structure":
            row = [float(symbol == letter) for letter in "().:"]
        else:
            row = [float((base, symbol) == (a, b)) for a in "ACGU" for b in "().:"]
        columns.append(row + ([float(partner == number) for number in (1, 2, 3, 4)] if config.partner else []))
    return columns


def layers_reference(x, p, config):
    """States of the last layer."""
    for i in range(config.n_convolutions):
        x = conv_reference(x, p[f"front.{i}.conv.weight"], p[f"front.{i}.conv.bias"])
    for number, (kind, n_hidden) in enumerate(config.layers, start=1):
        if kind == "conv":
            x = conv_reference(x, p[f"conv{number}.conv.weight"], p[f"conv{number}.conv.bias"])
        elif kind == "bilstm":
            x = bilstm_reference(x, p, f"lstm{number}", n_hidden)
        else:
            name = f"lstm{number}"
            x = lstm_reference(x, p[f"{name}.w_in"], p[f"{name}.w_state"], p[f"{name}.bias"], n_hidden)
    return x


def softmax(energies):
    powers = [math.exp(e) for e in energies]
    return [power / sum(powers) for power in powers]


def features_reference(x, p, config, statistics):
    """What the dense layers see: the summary, if there is one, then the positions."""
    columns = list(zip(*x, strict=True))
    summary = [len(x) / 100, *(sum(c) / len(x) for c in columns), *map(max, columns)] if config.summary else []
    return statistics + summary + positions_reference(x, p, config)


def positions_reference(x, p, config):
    """States under the attention; positions are counted from the last of ``max_length`` back."""
    first = config.max_length - len(x)
    zeros = [0.0] * (first * config.n_states)
    if config.attention == "pooled":
        heads = [softmax([dot(vector, h) for h in x]) for vector in p["attention"]]
        return [sum(a * h[k] for a, h in zip(head, x, strict=True)) for head in heads for k in range(config.n_states)]
    if config.attention == "none" and config.layers[-1][0] == "conv":
        return zeros + [value for h in x for value in h]
    if config.attention == "none":
        n_hidden = config.layers[-1][1]
        return x[-1][:n_hidden] + x[0][n_hidden:]
    vectors = p["attention"] * config.max_length if config.attention == "shared" else p["attention"]
    weights = softmax([dot(vectors[first + t], h) for t, h in enumerate(x)])
    return zeros + [a * value for a, h in zip(weights, x, strict=True) for value in h]


def network_reference(sequence, structure, parameters, config, statistics=()) -> float:
    """Probability of pre-miRNA of one hairpin (paper, section 3.2).

    ``parameters`` maps tensor names to nested lists; ``statistics`` are those of the hairpin, standardised.
    """
    statistics = list(statistics)
    p = parameters
    x = columns_reference(sequence, structure, config)
    if config.padding == "zeros":
        x = [[0.0] * config.n_input] * (config.max_length - len(x)) + x
    if config.encoding == "soft":
        x = [[dot(column, row) for column in zip(*p["embedding"], strict=True)] for row in x]
    flat = features_reference(layers_reference(x, p, config), p, config, statistics)
    for number, layer in enumerate(("dense1", "dense2")):
        weights, bias = p[f"{layer}.weight"], p[f"{layer}.bias"]
        sums = [dot(row, flat) + b for row, b in zip(weights, bias, strict=True)]
        if config.batch_norm:
            names = ("running_mean", "running_var", "weight", "bias")
            columns = zip(sums, *(p[f"norms.{number}.{name}"] for name in names), strict=True)
            sums = [(v - mean) / math.sqrt(var + 1e-5) * weight + b for v, mean, var, weight, b in columns]
        flat = [max(0.0, v) if config.activation == "relu" else sigmoid(v) for v in sums]
    return softmax([dot(row, flat) + b for row, b in zip(p["output.weight"], p["output.bias"], strict=True)])[0]


def stabilities_reference(sequence: str, structure: str) -> list[float]:
    """Minus the energy of stacks and loops, as ``STABILITIES``; each pair closes one loop."""
    partners, n, total, stacking = pair_table(structure), len(sequence), 0.0, 0.0
    for i, j in enumerate(partners):
        if j <= i:
            continue
        inner = children(partners, i, j)
        unpaired = j - i - 1 - sum(partners[k] - k + 1 for k in inner)
        if not inner:
            total += s._HAIRPIN[min(unpaired, 30)] - 0.8
        elif len(inner) > 1:
            total += 1 + au_end(sequence, i, j)
        else:
            k, m = inner[0], partners[inner[0]]
            ends = au_end(sequence, i, j) + au_end(sequence, k, m)
            if unpaired <= 1:
                outer, inside = sequence[i] + sequence[j], sequence[m] + sequence[k]
                if outer in s._PAIRS and inside in s._PAIRS:
                    stacking += s._STACKS[s._PAIRS.index(outer)][s._PAIRS.index(inside)]
            if unpaired == 1:
                total += s._BULGE[1]
            elif unpaired and (k == i + 1 or m == j - 1):
                total += s._BULGE[min(unpaired, 30)] + ends
            elif unpaired:
                asymmetry = abs((k - i) - (j - m))
                total += s._INTERIOR[min(unpaired, 30)] + 1.4 * ends + min(3.0, 0.6 * asymmetry)
    total, stacking = max(0.0, -total - stacking), max(0.0, -stacking)
    gc, n_pairs = (sequence.count("G") + sequence.count("C")) / n, max(1, structure.count("("))
    return [total, total / n, total / n / max(gc, 0.01), total / n_pairs, stacking, stacking / n]


def au_end(sequence, i, j):
    return 0.0 if sequence[i] + sequence[j] in ("CG", "GC") else 0.5


def children(partners, i, j):
    """Opening places of the pairs that stand directly within (i, j)."""
    found, k = [], i + 1
    while k < j:
        if partners[k] > k:
            found.append(k)
            k = partners[k]
        k += 1
    return found
