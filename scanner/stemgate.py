"""The gate before folding: of the prefilter's hairpins, drop those whose best stem-loop is unlike any precursor's.

A network of one hidden layer on 68 features of the stem-loop; fitted by ``benchmarks/make_stem_gate.py``.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mirsweep.scanner import _stemgate_kernels as kernels
from mirsweep.scanner._stemloop_kernels import pair_stem_loops
from mirsweep.scanner.energy import stem_loop_energies
from mirsweep.scanner.units import UNITS_PER_KCAL

__all__ = ["Gate", "StemLoops", "describe_stem_loops", "find_stem_loops", "passes", "read_gates", "score_stem_loops"]

GATES = Path(__file__).parent / "stemgates.safetensors"
"""The fitted gates."""


class StemLoops(NamedTuple):
    """Best stem-loops of hairpins.

    Attributes
    ----------
    partners, offsets
        Each base's partner within its hairpin, -1 for none, int16, hairpin after hairpin; where each begins, int64,
        shape (n,).
    energies
        kcal/mol, without what an A-U or wobble pair at the stem's end costs; float32, shape (n,).
    """

    partners: np.ndarray
    offsets: np.ndarray
    energies: np.ndarray


class Gate(NamedTuple):
    """A fitted gate: what ``_stemgate_kernels.score_stem_loops`` takes, float32, and the least log odds that pass."""

    centre: np.ndarray
    scale: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    last: np.ndarray
    last_bias: np.ndarray
    threshold: float


def find_stem_loops(codes: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> StemLoops:
    """Best stem-loop of each hairpin ``codes[starts[k]:ends[k]]``, first and last base paired.

    Of several of the same energy, the one whose loops, from the outer pair inwards, have the fewest unpaired bases.

    Parameters
    ----------
    codes
        Base codes, uint8; those of hairpins 0 to 3.
    starts, ends
        As the prefilter finds them, so that the ends can pair; int64, shape (n,).
    """
    lengths = ends - starts
    offsets = np.cumsum(lengths) - lengths
    partners, energies = np.empty(int(lengths.sum()), np.int16), np.empty(len(starts), np.int16)
    tables = stem_loop_energies(int(lengths.max(initial=0)))
    order = np.argsort(lengths, kind="stable")
    pair_stem_loops(order, codes, starts, ends, tables.stack, tables[1:], partners, offsets, energies)
    return StemLoops(partners, offsets, (energies / UNITS_PER_KCAL).astype(np.float32))


def describe_stem_loops(
    codes: np.ndarray, starts: np.ndarray, ends: np.ndarray, found: StemLoops, penalised: np.ndarray
) -> np.ndarray:
    """Features of the stem-loops of hairpins; float32, shape (n, 68), see ``_stemgate_kernels._describe``.

    Parameters
    ----------
    penalised
        Penalised energies of the prefilter, kcal/mol, float32, shape (n,).
    """
    out = np.empty((len(starts), kernels.N_FEATURES), np.float32)
    kernels.describe_stem_loops(
        codes, starts, ends, found.partners, found.offsets, found.energies, penalised.astype(np.float32), out
    )
    return out


def score_stem_loops(features: np.ndarray, gate: Gate) -> np.ndarray:
    """Log odds of being a precursor, at equal numbers of both; float32, shape (n,)."""
    out = np.empty(len(features), np.float32)
    kernels.score_stem_loops(features, *gate[:-1], out)
    return out


@cache
def read_gates() -> dict[str, Gate]:
    """The fitted gates, by name of the stem filter that they go with."""
    from safetensors.numpy import load_file

    tensors = load_file(GATES)
    found: dict[str, dict[str, Any]] = {}
    for name, tensor in sorted(tensors.items()):
        kind, _, field = name.partition(".")
        found.setdefault(kind, {})[field] = float(tensor[0]) if field == "threshold" else tensor
    return {kind: Gate(**fields) for kind, fields in found.items()}


def passes(
    name: str,
    codes: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    penalised: np.ndarray,
    *,
    find: Callable[[np.ndarray, np.ndarray, np.ndarray], StemLoops] = find_stem_loops,
) -> np.ndarray:
    """Which hairpins a gate lets through, ``"none"`` all; bool, shape (n,). Each depends on its own bases only.

    ``find`` is what finds the stem-loops, here or on a GPU.
    """
    if name == "none":
        return np.ones(len(starts), bool)
    gate = read_gates()[name]
    found = find(codes, starts, ends)
    return score_stem_loops(describe_stem_loops(codes, starts, ends, found, penalised), gate) >= gate.threshold
