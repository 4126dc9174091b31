"""Examples of many training runs in one small folder, for a machine with a GPU that has torch and NumPy alone.

A block is a table of hairpins, laid out as columns and compressed once, whichever runs read it; each run names its
blocks, and has its own weights and matches. ``stacked_data.py`` reads the folder there.
"""

import json
import lzma
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mirsweep.model import genome_train as plain
from mirsweep.model.examples import Examples
from mirsweep.model.genome_config import GenomeConfig
from mirsweep.model.genome_examples import WIDTH_JITTER, lay_out_examples, mature_library, positives_of, species_numbers
from mirsweep.model.genome_train import GenomeTrainParams
from mirsweep.model.schedule import one_cycle
from mirsweep.model.stem import EMPTY, N_FLANK, N_STEM_TOKENS, Library, Stems

_AT_ONCE = 8000
_TRITS = np.array([81, 27, 9, 3, 1], np.uint8)
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 4, "dict_size": 1 << 27, "lc": 4, "lp": 0, "pb": 0}]
"""Large enough for hairpins that two blocks have to be found again; bytes are columns, each with its own neighbours."""


class Block(NamedTuple):
    """Negatives that runs share: their name, and the hairpins."""

    name: str
    examples: Examples


class Recipe(NamedTuple):
    """How the networks of a run are trained, one by one but for their random seeds, their sizes, and whether the model
    made of them reads flanks, as they do in training."""

    params: tuple[GenomeTrainParams, ...]
    config: GenomeConfig
    reads_flanks: bool = True


class _Packed(NamedTuple):
    """Columns of all hairpins one after the other, uint8; their numbers, uint16 (n,); flanks, uint8 (n, 5)."""

    columns: np.ndarray
    n_columns: np.ndarray
    flanks: np.ndarray


def _parts(examples: Examples, library: Library, species: dict[str, int]) -> Iterator[Stems]:
    for start in range(0, len(examples), _AT_ONCE):
        part = examples.take(np.arange(start, min(len(examples), start + _AT_ONCE)))
        yield lay_out_examples(part, library, species, np.ones(len(part), bool))


def _is_hairpin(stems: Stems) -> np.ndarray:
    """Which columns are the hairpin's own, without flanks; bool, (n, c)."""
    return np.arange(stems.tokens.shape[1]) < (stems.n_columns - N_FLANK)[:, None]


def _pack(examples: Examples) -> _Packed:
    """A block without its matches."""
    columns, numbers, flanks = [], [], []
    for stems in _parts(examples, EMPTY, {}):
        own = stems.n_columns - N_FLANK
        columns.append((stems.tokens[..., 0] * np.uint16(N_STEM_TOKENS) + stems.tokens[..., 1])[_is_hairpin(stems)])
        numbers.append(own.astype(np.uint16))
        beyond = np.take_along_axis(stems.tokens[:, :, 0], own[:, None] + np.arange(N_FLANK), 1)
        digits = np.pad(beyond - (N_STEM_TOKENS - 3), ((0, 0), (0, 1))).reshape(-1, 5, 5)
        flanks.append((digits * _TRITS).sum(2).astype(np.uint8))
    return _Packed(np.concatenate(columns), np.concatenate(numbers), np.concatenate(flanks))


def _matches(examples: Examples, library: Library, species: dict[str, int]) -> np.ndarray:
    """Matches of the columns of a block, left and right, as bits."""
    parts = [stems.matches[_is_hairpin(stems)] for stems in _parts(examples, library, species)]
    return np.packbits(np.concatenate(parts))


def _schedule(params: GenomeTrainParams) -> np.ndarray:
    """Learning rate and momentum of each step, float64, shape (n_steps, 2)."""
    n_steps = plain.n_steps_of(params)
    return np.array([one_cycle(step, n_steps, peak=params.learning_rate) for step in range(n_steps)])


class Pack:
    """What is to be written."""

    def __init__(self) -> None:
        self._facts = {
            "n_tokens": N_STEM_TOKENS,
            "target_of_others": plain.TARGET_OF_OTHERS,
            "target_span": plain.TARGET_SPAN,
            "least_hardness": plain.LEAST_HARDNESS,
            "share_of_mean": plain.SHARE_OF_MEAN,
            "gradient_norm": plain.GRADIENT_NORM,
            "width_jitter": WIDTH_JITTER,
        }
        self._blocks: dict[str, _Packed] = {}
        self._runs: dict[str, dict] = {}
        self._arrays: dict[str, np.ndarray] = {}
        self._bits: list[np.ndarray] = []

    def add(self, run: str, recipe: Recipe, positives: Block, others: Sequence[Block], evened: np.ndarray) -> None:
        """Add a training run; blocks of the same name are the same but for their weights, of which 0 leaves one out.

        ``evened`` are the weights of the positives for every second network.
        """
        species = species_numbers(positives.examples)
        library = mature_library(positives.examples, species)
        for block in (positives, *others):
            if block.name not in self._blocks:
                self._blocks[block.name] = _pack(block.examples)
            self._bits.append(_matches(block.examples, library, species))
        ends, arm = [], []
        for start in range(0, len(positives.examples), _AT_ONCE):
            part = positives.examples.take(np.arange(start, min(len(positives.examples), start + _AT_ONCE)))
            known = positives_of(part, lay_out_examples(part, EMPTY, {}, np.ones(len(part), bool)))
            ends.append(known.ends.astype(np.int16))
            arm.append(known.arm.astype(np.int8))
        self._runs[run] = {
            "positives": positives.name,
            "others": [block.name for block in others],
            "params": [asdict(params) for params in recipe.params],
            "config": asdict(recipe.config),
        }
        self._arrays |= {f"{run}.schedule.{k}": _schedule(params) for k, params in enumerate(recipe.params)}
        self._arrays |= {
            f"{run}.evened_weights": evened.astype(np.float32),
            f"{run}.ends": np.concatenate(ends),
            f"{run}.arm": np.concatenate(arm),
            f"{run}.weights": positives.examples.weights,
            f"{run}.other_weights": np.concatenate([block.examples.weights for block in others]),
        }

    def write(self, folder: Path) -> None:
        """Write the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        kinds, columns = np.unique(np.concatenate([b.columns for b in self._blocks.values()]), return_inverse=True)
        if len(kinds) > 256:
            raise ValueError(f"{len(kinds)} kinds of columns do not fit a byte")
        facts = self._facts | {
            "blocks": {name: [len(b.n_columns), len(b.columns)] for name, b in self._blocks.items()},
            "kinds": kinds.tolist(),
            "runs": self._runs,
        }
        (folder / "pack.json").write_text(json.dumps(facts, indent=1) + "\n")
        np.savez_compressed(folder / "runs.npz", **self._arrays)
        for name, array in (
            ("columns", columns.astype(np.uint8)),
            ("n_columns", np.concatenate([b.n_columns for b in self._blocks.values()])),
            ("flanks", np.concatenate([b.flanks for b in self._blocks.values()])),
            ("matches", np.concatenate(self._bits)),
        ):
            content = lzma.compress(np.ascontiguousarray(array), lzma.FORMAT_XZ, filters=_FILTERS)
            (folder / f"{name}.xz").write_bytes(content)
