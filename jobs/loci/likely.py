"""The candidates that the second pass looks at: the best-scored ones."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from mirsweep.jobs.results.sound_rows import sound

__all__ = ["lowest_score", "rows_from"]

PER_MB = 400
"""Candidates per Mb; of C. elegans X the best-scored 16 %."""
_FEWEST, _MOST = 2_000, 200_000
"""A virus has all of its candidates looked at; of a large genome as many as bound the memory (400 MB for their
15-mers), 65 per Mb of a human one."""


def lowest_score(candidates: ds.Dataset, mb: float) -> float:
    """Score of the last candidate that is looked at, of so many Mb; 0 if all are."""
    scores = sound(candidates.to_table(columns=["score"]))["score"].to_numpy()
    n = int(np.clip(PER_MB * mb, _FEWEST, _MOST))
    return float(np.partition(scores, len(scores) - n)[len(scores) - n]) if n < len(scores) else 0.0


def rows_from(candidates: ds.Dataset, score: float) -> pa.Table:
    """Candidates with at least this score, in their order, all columns."""
    rows = candidates.to_table(filter=pc.field("score") >= pa.scalar(score, pa.float32()))
    return sound(rows).unify_dictionaries()
