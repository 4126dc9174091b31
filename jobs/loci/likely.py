"""The candidates that the second pass looks at: the best-scored ones."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from mirsweep.jobs.results.sound_rows import sound

__all__ = ["MOST", "PER_MB", "lowest_score", "lowest_scores", "rows_from"]

PER_MB = 400
"""Candidates per Mb; of C. elegans X the best-scored 16 %."""
_FEWEST, MOST = 2_000, 200_000
"""A virus has all of its candidates looked at; of a large genome as many as bound the memory, 65 per Mb of a human
one."""


def lowest_score(candidates: ds.Dataset, mb: float) -> float:
    """Score of the last candidate that is looked at, of so many Mb; 0 if all are."""
    best = _Best(mb)
    for batch in candidates.to_batches(columns=["score"]):
        best.add(sound(batch)["score"].to_numpy())
    return best.lowest


def lowest_scores(candidates: ds.Dataset, mb: Mapping[str, float]) -> dict[str, float]:
    """The same of each of several genomes, by name; ``mb`` are those that were scanned of each."""
    best = {genome: _Best(own) for genome, own in mb.items()}
    for batch in candidates.to_batches(columns=["genome", "score"]):
        genomes, scores = sound(batch)["genome"], batch["score"].to_numpy()
        codes, names = genomes.indices.to_numpy(), genomes.dictionary.to_pylist()
        for code in np.unique(codes).tolist():
            if names[code] in best:
                best[names[code]].add(scores[codes == code])
    return {genome: own.lowest for genome, own in best.items()}


class _Best:
    """The best scores of those that are added, as many as are looked at of so many Mb, and at times twice as many."""

    def __init__(self, mb: float):
        self._n = int(np.clip(PER_MB * mb, _FEWEST, MOST))
        self._scores: list[np.ndarray] = []
        self._n_held = self._n_added = 0

    def add(self, scores: np.ndarray) -> None:
        """Add scores, float32, shape (m,)."""
        self._scores.append(scores)
        self._n_held += len(scores)
        self._n_added += len(scores)
        if self._n_held >= 2 * self._n:
            self._scores, self._n_held = [self._best()], self._n

    @property
    def lowest(self) -> float:
        """Score of the last that is looked at; 0 if no more were added."""
        if self._n_added <= self._n:
            return 0.0
        return float(self._best().min())

    def _best(self) -> np.ndarray:
        held = np.concatenate(self._scores)
        return np.partition(held, len(held) - self._n)[len(held) - self._n :].copy()


def rows_from(candidates: ds.Dataset, lowest: Mapping[str, float]) -> pa.Table:
    """Candidates of some genomes, by name the lowest score of each, in their order, all columns."""
    rows = candidates.to_table(filter=pc.field("score") >= pa.scalar(min(lowest.values()), pa.float32()))
    rows = sound(rows).unify_dictionaries().combine_chunks()
    genomes = rows["genome"].combine_chunks()
    least = np.array([lowest.get(name, np.inf) for name in genomes.dictionary.to_pylist()], np.float32)
    is_wanted = rows["score"].to_numpy() >= least[genomes.indices.to_numpy()] if rows.num_rows else np.empty(0, bool)
    return rows if is_wanted.all() else rows.filter(pa.array(is_wanted))
