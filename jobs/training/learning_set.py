"""What a model adapts to: pre-miRNAs and other hairpins to learn from, and candidates held out to measure it.

They come from a scan of a genome and its known precursors, or from files of ``mirsweep plant`` and ``mirsweep mine``.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.jobs.results.compare import match
from mirsweep.jobs.results.dataset import Output
from mirsweep.jobs.results.known import Locus
from mirsweep.jobs.results.sound_rows import sound
from mirsweep.jobs.training.examples import TEXT_COLUMNS, ExampleFacts, assemble, examples_of, scanned_mb_of
from mirsweep.jobs.training.mine import near_loci

if TYPE_CHECKING:
    from mirsweep.model.examples import Examples

__all__ = ["HELD_OUT_EVERY", "HeldOut", "LearningSet", "from_files", "from_scan", "is_held_out"]

HELD_OUT_EVERY = 5
"""Of the blocks of a genome, and of the families of given pre-miRNAs, one of so many is held out: a fifth is enough for
an average precision where a genome has a few dozen known loci, and leaves four fifths of them to learn from."""
N_HARDEST = 200_000
"""Best-scored negatives to learn from, and as many others at random; 400,000 examples take 0.6 GB."""


class HeldOut(NamedTuple):
    """Candidates that are not trained on.

    Attributes
    ----------
    table
        ``TEXT_COLUMNS``, n rows.
    is_positive
        Which are pre-miRNAs; bool, shape (n,).
    scanned_mb
        Mb of genome, all negatives of which they hold, so that they can calibrate; None if they do not.
    """

    table: pa.Table
    is_positive: np.ndarray
    scanned_mb: float | None


class LearningSet(NamedTuple):
    """Examples to learn from, and candidates held out."""

    positives: "Examples"
    negatives: "Examples"
    held_out: HeldOut


def is_held_out(starts: np.ndarray, block_nt: int) -> np.ndarray:
    """Which starts lie in a block that is held out, the last one of each ``HELD_OUT_EVERY``; bool, shape (n,)."""
    return np.asarray((starts // block_nt) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1)


def from_scan(output: Output, loci: Sequence[Locus], *, block_nt: int, rng: np.random.Generator) -> LearningSet:
    """Learn from a finished scan: candidates that recover a known precursor against those that lie near none.

    Parameters
    ----------
    output
        The scan.
    loci
        Known precursors.
    block_nt
        Learning and held-out part alternate in blocks of so many nt.
    rng
        Chooses negatives where there are more than can be held.
    """
    dataset = output.dataset()
    with output.intact():
        table = sound(dataset.to_table(columns=["contig", "start", "end", "strand", "score"]))
    starts, ends = table["start"].to_numpy(), table["end"].to_numpy()
    contigs = np.array(table["contig"].cast(pa.string()).to_pylist())
    is_positive = np.zeros(table.num_rows, bool)
    is_positive[match(table, loci)[:, 0]] = True
    is_negative = ~near_loci(contigs, starts, ends, loci)
    away = is_held_out(starts, block_nt)
    chosen = _hardest_and_others(np.flatnonzero(is_negative & ~away), table["score"].to_numpy(), rng)
    rows_held_out = np.flatnonzero(away & (is_positive | is_negative))
    with output.intact():
        parts = [
            sound(dataset.take(rows, columns=list(TEXT_COLUMNS)))
            for rows in (np.flatnonzero(is_positive & ~away), chosen, rows_held_out)
        ]
    share = is_negative[rows_held_out].sum() / max(1, is_negative.sum())
    scanned_mb = 0.0 if output.run is None else output.run["counts"]["n_scanned"] / 1e6 * float(share)
    return LearningSet(
        _as_examples(parts[0], label=True),
        _as_examples(parts[1], label=False),
        HeldOut(parts[2], is_positive[rows_held_out], scanned_mb),
    )


def from_files(positives: Sequence[pa.Table], negatives: Sequence[pa.Table], *, block_nt: int) -> LearningSet:
    """Learn from files of examples; a fifth of the families and of the blocks that were mined is held out.

    Negatives without a place, as artificial repeats are, are all trained on. The held-out negatives can calibrate if
    each file holds all negatives of a scan.

    Parameters
    ----------
    positives, negatives
        Tables of ``read_examples``, one a file.
    block_nt
        Length of the blocks, see ``from_scan``.
    """
    pre_mirnas = pa.concat_tables(positives, promote_options="default")
    families = sorted(set(pre_mirnas["family"].to_pylist()))
    of_pos = np.isin(pre_mirnas["family"].to_pylist(), families[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY])
    of_neg = [_has_held_out_place(table, block_nt) for table in negatives]
    unseen = [pre_mirnas.filter(of_pos), *(table.filter(rows) for table, rows in zip(negatives, of_neg, strict=True))]
    held_out = pa.concat_tables([table.select(TEXT_COLUMNS) for table in unseen])
    kept = [table.filter(~rows).select(pre_mirnas.column_names) for table, rows in zip(negatives, of_neg, strict=True)]
    return LearningSet(
        examples_of(pre_mirnas.filter(~of_pos)),
        examples_of(pa.concat_tables(kept)),
        HeldOut(held_out, np.arange(held_out.num_rows) < of_pos.sum(), _mb_held_out(negatives, of_neg)),
    )


def _has_held_out_place(table: pa.Table, block_nt: int) -> np.ndarray:
    if "start" not in table.column_names:
        return np.zeros(table.num_rows, bool)
    return is_held_out(table["start"].to_numpy(), block_nt)


def _mb_held_out(tables: Sequence[pa.Table], held_out: Sequence[np.ndarray]) -> float | None:
    """Mb that the held-out negatives come from, by their share; None if a file does not hold all of a scan."""
    total = 0.0
    for table, rows in zip(tables, held_out, strict=True):
        mb = scanned_mb_of(table)
        if mb is None:
            return None
        total += mb * float(rows.mean())
    return total or None


def _hardest_and_others(rows: np.ndarray, scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of these rows the best-scored, and as many others at random; int64, ascending."""
    if len(rows) <= 2 * N_HARDEST:
        return rows
    falling = rows[np.argsort(-scores[rows], kind="stable")]
    return np.sort(np.concatenate([falling[:N_HARDEST], rng.choice(falling[N_HARDEST:], N_HARDEST, replace=False)]))


def _as_examples(table: pa.Table, *, label: bool) -> "Examples":
    return examples_of(assemble(table, ExampleFacts.plain(table.num_rows, label=label, source="")))
