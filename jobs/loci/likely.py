"""The candidates that the second pass looks at: the best-scored ones."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from mirsweep.jobs.results.sound_rows import sound

__all__ = ["lowest_score", "lowest_scores", "rows_from"]

PER_MB = 400
"""Candidates per Mb; of C. elegans X the best-scored 16 %."""
_FEWEST, _MOST = 2_000, 200_000
"""A virus has all of its candidates looked at; of a large genome as many as bound the memory (400 MB for their
15-mers), 65 per Mb of a human one."""


def lowest_score(candidates: ds.Dataset, mb: float) -> float:
    """Score of the last candidate that is looked at, of so many Mb; 0 if all are."""
    return _lowest(sound(candidates.to_table(columns=["score"]))["score"].to_numpy(), mb)


def lowest_scores(candidates: ds.Dataset, mb: Mapping[str, float]) -> dict[str, float]:
    """The same of each of several genomes, by name; ``mb`` are those that were scanned of each."""
    table = sound(candidates.to_table(columns=["genome", "score"])).unify_dictionaries().combine_chunks()
    codes, scores = table["genome"].combine_chunks().indices.to_numpy(), table["score"].to_numpy()
    found = dict.fromkeys(mb, 0.0)
    for code, genome in enumerate(table["genome"].combine_chunks().dictionary.to_pylist()):
        if genome in mb:
            found[genome] = _lowest(scores[codes == code], mb[genome])
    return found


def _lowest(scores: np.ndarray, mb: float) -> float:
    n = int(np.clip(PER_MB * mb, _FEWEST, _MOST))
    return float(np.partition(scores, len(scores) - n)[len(scores) - n]) if n < len(scores) else 0.0


def rows_from(candidates: ds.Dataset, lowest: Mapping[str, float]) -> pa.Table:
    """Candidates of some genomes, by name the lowest score of each, in their order, all columns."""
    rows = candidates.to_table(filter=pc.field("score") >= pa.scalar(min(lowest.values()), pa.float32()))
    rows = sound(rows).unify_dictionaries().combine_chunks()
    genomes = rows["genome"].combine_chunks()
    least = np.array([lowest.get(name, np.inf) for name in genomes.dictionary.to_pylist()], np.float32)
    is_wanted = rows["score"].to_numpy() >= least[genomes.indices.to_numpy()] if rows.num_rows else np.empty(0, bool)
    return rows if is_wanted.all() else rows.filter(pa.array(is_wanted))
