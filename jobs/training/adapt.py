"""Genome models: from tables of examples to weights, and from a user's genome and known precursors to a model of it."""

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow.dataset import Dataset

from mirsweep.jobs.results.compare import match
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.known import read_loci
from mirsweep.jobs.training.mine import is_near, read_examples
from mirsweep.model.defaults import default_model
from mirsweep.model.threads import one_thread
from mirsweep.scanner.errors import InputError

if TYPE_CHECKING:
    from mirsweep.model.examples import Examples
    from mirsweep.model.genome_model import GenomeModel
    from mirsweep.model.genome_net import GenomeNet
    from mirsweep.model.genome_train import GenomeEpoch

__all__ = ["GenomeTraining", "calibrate", "examples_of", "predict_rows", "train_on_genome"]

BLOCK_NT = 500_000
"""Training and held-out part of a user's genome alternate in blocks of so many nt: every fifth is held out."""
_N_POINTS = 80
_N_HARDEST = 200_000
"""Best-scored negatives to learn from, and as many others; 400,000 examples take 0.6 GB."""
_TEXTS = ("sequence", "structure", "flank_5p", "flank_3p")


class GenomeTraining(NamedTuple):
    """A finished training on a user's genome.

    Attributes
    ----------
    path, card
        Weights file and its card.
    n_positives, n_negatives
        Candidates of the training blocks on known precursors, and others.
    held_out
        Precursors, candidates and average precision of the held-out blocks, of the model that it started from
        (``before``) and of the new one (``after``); empty if no known precursor lies there.
    """

    path: Path
    card: dict[str, Any]
    n_positives: int
    n_negatives: int
    held_out: dict[str, float]


def examples_of(table: pa.Table) -> "Examples":
    """Examples of a table of ``mirsweep mine`` or ``mirsweep plant``."""
    from mirsweep.model.examples import Examples

    names = ("mature5_start", "mature5_end", "mature3_start", "mature3_end")
    texts = {name: table[name].cast(pa.string()).to_pylist() for name in ("species", "family")}
    return Examples(
        table["sequence"].to_pylist(),
        table["structure"].to_pylist(),
        table["flank_5p"].to_pylist(),
        table["flank_3p"].to_pylist(),
        table["label"].to_numpy().astype(np.uint8),
        table["weight"].to_numpy().astype(np.float32),
        [text or "" for text in texts["species"]],
        [text or "" for text in texts["family"]],
        np.column_stack([table[name].to_numpy() for name in names]).astype(np.int16),
    )


def calibrate(scores: np.ndarray, mb: float) -> dict[str, list[float]]:
    """Calibration of a model: how many candidates of unannotated sequence reach a score, per Mb of genome.

    Parameters
    ----------
    scores
        Scores of all candidates of unannotated sequence.
    mb
        How much of it there is, Mb (both strands of it: 1 Mb of genome is 1 Mb).

    Returns
    -------
    ``score``, rising strictly, and ``fp_per_mb``, falling: some 80 points, evenly spaced in the logarithm of the rank.
    """
    falling = np.sort(np.asarray(scores, float))[::-1]
    if not len(falling) or mb <= 0:
        raise InputError("a calibration needs candidates of unannotated sequence; there are none.")
    ranks = np.unique(np.geomspace(1, len(falling), _N_POINTS).round().astype(int))
    rate_at = {float(falling[rank - 1]): float((falling >= falling[rank - 1]).sum() / mb) for rank in ranks}
    rising = sorted(rate_at)
    return {"score": rising, "fp_per_mb": [rate_at[score] for score in rising]}


def predict_rows(model: "GenomeModel", table: pa.Table, *, size: int = 20_000) -> np.ndarray:
    """Scores of the candidates of a table; float32, shape (n,)."""
    parts = [np.empty(0, np.float32)]
    with one_thread():
        for start in range(0, table.num_rows, size):
            part = table.slice(start, size)
            parts.append(model.score(*(part[name].to_pylist() for name in _TEXTS)))
    return np.concatenate(parts)


class _Split(NamedTuple):
    """Candidates of a scan without their texts; which recover a known precursor, are near none, are held out."""

    table: pa.Table
    is_positive: np.ndarray
    is_negative: np.ndarray
    is_held_out: np.ndarray


def _split(table: pa.Table, known: str | os.PathLike) -> _Split:
    loci = read_loci(known)
    is_positive = np.zeros(table.num_rows, bool)
    is_positive[match(table, loci)[:, 0]] = True
    starts, ends = table["start"].to_numpy(), table["end"].to_numpy()
    contigs = np.array(table["contig"].cast(pa.string()).to_pylist())
    return _Split(table, is_positive, ~is_near(contigs, starts, ends, loci), (starts // BLOCK_NT) % 5 == 4)


def _hardest_and_others(split: _Split, rng: np.random.Generator) -> np.ndarray:
    """Rows to learn from as negatives: the best-scored, and as many others by chance; int64, ascending."""
    rows = np.flatnonzero(split.is_negative & ~split.is_held_out)
    if len(rows) <= 2 * _N_HARDEST:
        return rows
    falling = rows[np.argsort(-split.table["score"].to_numpy()[rows], kind="stable")]
    return np.sort(np.concatenate([falling[:_N_HARDEST], rng.choice(falling[_N_HARDEST:], _N_HARDEST, replace=False)]))


def _own_examples(dataset: Dataset, rows: np.ndarray, label: int) -> "Examples":
    from mirsweep.model.examples import Examples

    table, n = dataset.take(rows, columns=list(_TEXTS)), len(rows)
    return Examples(
        *(table[name].to_pylist() for name in _TEXTS),
        np.full(n, label, np.uint8),
        np.ones(n, np.float32),
        [""] * n,
        [""] * n,
        np.full((n, 4), -1, np.int16),
    )


def _say_epoch(epoch: "GenomeEpoch", _: "GenomeNet") -> None:
    print(f"epoch {epoch.number}: loss {epoch.loss:.4f}, {epoch.seconds:.0f} s", file=sys.stderr, flush=True)


def train_on_genome(
    genomes: Sequence[str | os.PathLike],
    known: str | os.PathLike,
    *,
    output: str | os.PathLike,
    start_from: str | os.PathLike | None = None,
    preset: str = "animal",
    positives: Sequence[str | os.PathLike] = (),
    epochs: int = 4,
    seed: int = 0,
    licence: str = "not stated",
    quiet: bool = False,
) -> GenomeTraining:
    """Adapt a genome model to a species: scan its genome, learn from its known precursors against everything else.

    Four of five blocks of 500 kb are trained on; the fifth is held out, tells the average precision before and
    after, and calibrates ``expected_fp_per_mb``.

    Parameters
    ----------
    genomes
        FASTA files of the genome.
    known
        GFF3 or BED of its known precursors.
    output
        Weights file to write, ending in ``.safetensors``; its card goes beside it as ``.json``.
    start_from
        Model to go on from; by default that of the preset.
    preset
        Preset of the scan, see ``mirsweep scan``.
    positives
        More pre-miRNAs, Parquet files of ``mirsweep plant``.
    epochs
        Passes; each draws every pre-miRNA some ten times.
    seed
        Of order and dropout.
    licence
        Licence of the data, for the card.
    quiet
        No progress on standard error.

    Raises
    ------
    InputError, ModelError
        If an input is bad, no candidate recovers a known precursor in the training blocks, no candidate is held out,
        or the model to start from is no genome model.
    """
    from mirsweep.jobs.scanning.scan import scan
    from mirsweep.model.checkpoint import load, save
    from mirsweep.model.examples import concatenate
    from mirsweep.model.genome_model import GenomeModel
    from mirsweep.model.genome_net import GenomeNet
    from mirsweep.model.genome_train import GenomeTrainParams, train_genome_net

    start_from = start_from or default_model(preset)
    base = load(start_from)
    if not isinstance(base.net, GenomeNet):
        raise InputError(f"{start_from}: not a genome model; start from genome, genome-plant or one trained from them.")
    with tempfile.TemporaryDirectory() as folder:
        scan(genomes, output=Path(folder) / "scan", model=start_from, preset=preset, quiet=quiet)
        opened = open_output(Path(folder) / "scan")
        dataset, scanned_mb = opened.dataset(), opened.run["counts"]["n_scanned"] / 1e6
        split = _split(dataset.to_table(columns=["contig", "start", "end", "strand", "score"]), known)
        rows_pos = np.flatnonzero(split.is_positive & ~split.is_held_out)
        rows_neg = _hardest_and_others(split, np.random.default_rng(seed))
        rows_held_out = np.flatnonzero(split.is_held_out & (split.is_positive | split.is_negative))
        if not len(rows_pos):
            raise InputError(
                f"{known}: no candidate of the training blocks lies on a known precursor: nothing to learn."
            )
        if not len(rows_neg) or not split.is_negative[rows_held_out].any():
            raise InputError(
                f"{Path(genomes[0])}: too short to hold a part out; give a genome of at least {5 * BLOCK_NT} nt."
            )
        learn = concatenate(
            [_own_examples(dataset, rows_pos, 1), *map(examples_of, read_examples(positives, label=True))]
        )
        others, unseen = _own_examples(dataset, rows_neg, 0), dataset.take(rows_held_out, columns=list(_TEXTS))
    params = GenomeTrainParams(
        n_epochs=epochs,
        n_pos=10 * len(learn),
        mining=(0, max(1, epochs // 2)),
        learning_rate=5e-4,
        seed=seed,
    )
    with one_thread():
        net = train_genome_net(
            learn, others, params=params, start_from=base.net, after_epoch=None if quiet else _say_epoch
        )
    after = predict_rows(GenomeModel(net, base.card | {"digest": "", "calibration": None}), unseen)
    is_positive = split.is_positive[rows_held_out]
    share = len(rows_held_out) / max(1, int((split.is_positive | split.is_negative).sum()))
    held_out = _held_out(is_positive, split.table["score"].to_numpy()[rows_held_out], after)
    card = save(
        output,
        net,
        data={"known": Path(known).name, "genomes": [Path(g).name for g in genomes], "start_from": base.card["name"]},
        licence=licence,
        protocol=asdict(params) | {"held_out": f"every fifth block of {BLOCK_NT} nt"},
        metrics=held_out,
        calibration=calibrate(after[~is_positive], scanned_mb * share),
    )
    return GenomeTraining(Path(output), card, len(rows_pos), len(rows_neg), held_out)


def _held_out(is_positive: np.ndarray, before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    """Average precision among the held-out candidates; empty without a known precursor there."""
    from sklearn.metrics import average_precision_score

    if not is_positive.any():
        return {}
    return {
        "n_positives": int(is_positive.sum()),
        "n_candidates": len(is_positive),
        "average_precision_before": float(average_precision_score(is_positive, before)),
        "average_precision_after": float(average_precision_score(is_positive, after)),
    }
