"""How far a list of loci can be trusted: its length and its false ones at each error rate, the decoys beside it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.jobs.report import numbers
from mirsweep.jobs.results.query import FP_PRESETS, Q_PRESETS

__all__ = ["Level", "Trust", "trust_of"]


class Level(NamedTuple):
    """Loci that a preset lets pass.

    Attributes
    ----------
    name, limit
        Of the preset; its limit in words.
    n_loci
        Loci that pass.
    n_false, low, high
        False ones expected among them, and the ends of its interval of 90 %; None where nobody can tell.
    n_decoys
        Decoys at the same score, as many as there would be in the same number of bases; None if none were scanned.
    """

    name: str
    limit: str
    n_loci: int
    n_false: float | None
    low: float | None
    high: float | None
    n_decoys: float | None


class Trust(NamedTuple):
    """Error rates of the loci.

    Attributes
    ----------
    levels
        Presets, strictest first.
    level_of
        Of each locus the number of the strictest level that it passes, ``len(levels)`` for none; int64, shape (n,).
    decoys
        What run.json tells of the decoys; None if none were scanned.
    scale
        Bases that were scanned by those of decoys; 0 without decoys.
    """

    levels: tuple[Level, ...]
    level_of: np.ndarray
    decoys: Mapping[str, Any] | None
    scale: float


def trust_of(loci: pa.Table, run: Mapping[str, Any]) -> Trust:
    """Error rates of all loci of a scan.

    Parameters
    ----------
    loci
        All of them, in any order.
    run
        What run.json tells.
    """
    told = run.get("loci", {})
    decoys = told.get("decoys")
    has_decoys = bool(decoys and decoys.get("n_scanned"))
    column, limits = ("q_value", Q_PRESETS) if has_decoys else ("locus_fp_per_mb", FP_PRESETS)
    n_scanned = run["counts"]["n_scanned"]
    scale = n_scanned / decoys["n_scanned"] if has_decoys else 0.0
    values = loci[column].to_numpy()
    passed = [values <= np.float32(limit) for limit in limits.values()]
    levels = tuple(
        _level(loci, rows, name, limit, n_scanned, decoys[name] * scale if has_decoys else None)
        for (name, limit), rows in zip(limits.items(), passed, strict=True)
    )
    level_of = np.asarray(len(levels) - np.sum(passed, axis=0, dtype=np.int64))
    return Trust(levels, level_of, decoys if has_decoys else None, scale)


def _level(
    loci: pa.Table, passed: np.ndarray, name: str, limit: float, n_scanned: int, n_decoys: float | None
) -> Level:
    words = f"q ≤ {numbers.share(limit)}" if n_decoys is not None else f"≤ {limit:g} per Mb"
    if not passed.any():
        return Level(name, words, 0, None, None, None, n_decoys)
    own = loci.filter(passed)
    last = own.take([int(np.argmax(own["fp_per_mb"].to_numpy()))]).to_pylist()[0]
    found = [last[each] for each in ("fp_per_mb", "fp_per_mb_low", "fp_per_mb_high")]
    most = own.num_rows  # rates of other genomes may promise more false ones than there are loci
    n_false, low, high = (None if rate is None else min(most, rate * n_scanned / 1e6) for rate in found)
    return Level(name, words, own.num_rows, n_false, low, high, n_decoys)
