"""Calibration of a genome model: how many candidates without a known precursor reach a score, per Mb of genome."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mirsweep.jobs.training.examples import TEXT_COLUMNS
from mirsweep.model.threads import one_thread
from mirsweep.scanner.errors import InputError

if TYPE_CHECKING:
    from mirsweep.model.prediction import Scorer

__all__ = ["calibrate", "score_rows"]

_N_POINTS = 80
"""Points of a calibration: of 50,000 candidates some 17 for each tenfold of the rate; more only lengthen the card."""
_ROWS_AT_ONCE = 20_000
"""Rows whose texts are Python strings at one time: some 10 MB."""


def calibrate(scores: np.ndarray, mb: float) -> dict[str, list[float]]:
    """Calibration from the candidates of genome without known precursors.

    Parameters
    ----------
    scores
        Their scores; float, shape (n,).
    mb
        How much genome they come from, Mb (both strands of it: 1 Mb of genome is 1 Mb).

    Returns
    -------
    ``score``, rising strictly, and ``fp_per_mb``, falling: some 80 points, evenly spaced in the logarithm of the rank.

    Raises
    ------
    InputError
        If there is no candidate, or no genome.
    """
    falling = np.sort(np.asarray(scores, float))[::-1]
    if not len(falling) or mb <= 0:
        raise InputError("a calibration needs candidates away from known precursors; there are none.")
    ranks = np.unique(np.geomspace(1, len(falling), _N_POINTS).round().astype(int))
    rate_at = {float(falling[rank - 1]): float((falling >= falling[rank - 1]).sum() / mb) for rank in ranks}
    rising = sorted(rate_at)
    return {"score": rising, "fp_per_mb": [rate_at[score] for score in rising]}


def score_rows(model: "Scorer", table: pa.Table, *, rows_at_once: int = _ROWS_AT_ONCE) -> np.ndarray:
    """Scores of the candidates of a table with ``TEXT_COLUMNS``; float32, shape (n,)."""
    parts = [np.empty(0, np.float32)]
    with one_thread():
        for start in range(0, table.num_rows, rows_at_once):
            part = table.slice(start, rows_at_once)
            sequences, structures, flanks_5p, flanks_3p = (part[name].to_pylist() for name in TEXT_COLUMNS)
            parts.append(model.score(sequences, structures, flanks_5p, flanks_3p))
    return np.concatenate(parts)
