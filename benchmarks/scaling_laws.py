"""Laws of time and memory fitted to ``measure_scaling.py``'s scans, and what a human genome takes by them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirsweep.jobs.loci.likely import MOST, PER_MB

STAGES = ("read", "prefilter", "fold", "score", "write", "second pass", "rest")
SERIAL = ("second pass",)
"""What one process does while the others have nothing to do."""
GENOME_MB, DECOYS_MB = 3_100, 50
CORES = (1, 2, 16, 64)
SHARD_MB = 1
MOST_MB = MOST / PER_MB
"""From there on the second pass looks at no more candidates, and takes no more memory."""
LEAST = 1e-3
"""Seconds are known so well, and smaller ones have no residual of weight."""

Rows = Sequence[Mapping[str, Any]]


def values(rows: Rows, name: str) -> np.ndarray:
    """A figure, or the seconds of a stage, of each row; float64, shape (n,)."""
    return np.array([row[name] if name in row else row["seconds"].get(name, 0.0) for row in rows], float)


def line(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """``y = fixed + per_unit * x``, by least squares of the relative residuals; ``fixed`` is not below 0.

    Returns
    -------
    Both, with the root mean square and the largest of the relative residuals.
    """
    weights = 1 / np.maximum(y, LEAST)
    columns = np.column_stack([np.ones_like(x), x]) * weights[:, None]
    fixed, per_unit = np.linalg.lstsq(columns, np.ones_like(x), rcond=None)[0]
    if fixed < 0:
        fixed, per_unit = 0.0, np.linalg.lstsq(columns[:, 1:], np.ones_like(x), rcond=None)[0][0]
    return rounded({"fixed": fixed, "per_unit": per_unit} | residuals(fixed + per_unit * x, y))


def power(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """``y = factor * x ** exponent``, by least squares of the logarithms."""
    exponent, log_factor = np.polyfit(np.log(x), np.log(y), 1)
    factor = float(np.exp(log_factor))
    return rounded({"factor": factor, "exponent": exponent} | residuals(factor * x**exponent, y))


def exponential(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """``y = factor * exp(rate * x)``, by least squares of the logarithms."""
    rate, log_factor = np.polyfit(x, np.log(y), 1)
    factor = float(np.exp(log_factor))
    return rounded({"factor": factor, "rate": rate} | residuals(factor * np.exp(rate * x), y))


def residuals(fitted: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Root mean square and largest of the relative residuals."""
    relative = np.abs(y - fitted) / np.maximum(fitted, LEAST)
    return {"rms_residual": float(np.sqrt((relative**2).mean())), "largest_residual": float(relative.max())}


def rounded(law: Mapping[str, float]) -> dict[str, float]:
    """Numbers to five significant digits; what is less than a billionth is 0."""
    return {name: float(f"{value:.5g}") if abs(value) > 1e-9 else 0.0 for name, value in law.items()}


def laws(groups: Mapping[str, Any]) -> dict[str, Any]:
    """Every law that the groups of scans give."""
    sizes, spans, contigs = groups["sizes"], animal(groups["spans"]), groups["contigs"]
    mb, n_contigs = values(sizes, "mb"), values(contigs, "n_contigs")
    per_mb = {name: values(spans, name) / values(spans, "mb") for name in ("prefilter", "fold", "score", "all")}
    return {
        "size": {name: line(mb, values(sizes, name)) for name in (*STAGES, "all")},
        "candidates": line(mb, values(sizes, "n_candidates")),
        "output_mb": line(mb, values(sizes, "output_mb")),
        "memory_of_scan": line(mb, np.array([row["peaks_mb"]["driver"] for row in sizes], float)),
        "memory": line(mb, values(sizes, "peak_mb")),
        "span": {name: power(values(spans, "span"), y) for name, y in per_mb.items()},
        "gc": {name: gc_law(groups["gc"]["random"], name) for name in ("n_candidates", "fold", "all")},
        "contigs": {name: line(n_contigs, values(contigs, name)) for name in ("rest", "write", "read")},
        "cores": cores_laws(groups["cores"]),
    }


def animal(spans: Rows) -> Rows:
    """The rows of other longest spans alone, without that of the plants' preset."""
    return [row for row in spans if row["preset"] == "animal"]


def gc_law(rows: Rows, name: str) -> dict[str, float]:
    return exponential(values(rows, "gc"), values(rows, name) / values(rows, "mb"))


def cores_laws(rows: Rows) -> dict[str, dict[str, float]]:
    """By number of worker processes, what they take by the clock: a start, and seconds a Mb."""
    found = {}
    for n in sorted({row["cores"] for row in rows}):
        own = [row for row in rows if row["cores"] == n]
        found[str(n)] = line(values(own, "mb"), values(own, "all") - values(own, "second pass"))
    return found


def human(groups: Mapping[str, Any], found: Mapping[str, Any], driver: Mapping[str, Any]) -> dict[str, Any]:
    """What a human genome takes, with the decoys that a scan takes by itself.

    Parameters
    ----------
    groups, found
        Scans and laws.
    driver
        ``results/driver.json``: shards a second that one driver feeds.

    Returns
    -------
    Core seconds by stage; by number of cores the seconds by the clock, what part of it one core works alone, and how
    far each was measured.
    """
    mb = GENOME_MB + DECOYS_MB
    core_seconds = {name: found["size"][name]["per_unit"] * mb for name in STAGES}
    core_seconds["page"] = groups["whole_command"]["page"]
    rows = [human_row(n, core_seconds, found["cores"], driver["most_shards_per_s"]) for n in CORES]
    return {
        "mb": mb,
        "core_seconds": core_seconds,
        "n_candidates": found["candidates"]["per_unit"] * GENOME_MB,
        "output_gb": found["output_mb"]["per_unit"] * GENOME_MB / 1e3,
        "memory_gb": (found["memory"]["fixed"] + found["memory"]["per_unit"] * min(mb, MOST_MB)) / 1e3,
        "rows": rows,
    }


def human_row(
    n: int, core_seconds: Mapping[str, float], on_cores: Mapping[str, Any], most_shards: float
) -> dict[str, Any]:
    """Seconds by the clock on ``n`` cores: rates measured on so many where there are any, else divided ones."""
    mb = GENOME_MB + DECOYS_MB
    alone = core_seconds["page"] + sum(core_seconds[name] for name in SERIAL)
    shared = sum(core_seconds.values()) - alone
    measured = on_cores.get(str(n))
    if n == 1 or not on_cores:
        start, together = 0.0, shared / n
    else:
        most = max(map(int, on_cores))
        nearest, share = (measured, 1.0) if measured else (on_cores[str(most)], most / n)
        start, together = nearest["fixed"], nearest["per_unit"] * mb * share
    feeding = mb / SHARD_MB / most_shards if n > 1 else 0.0
    return {
        "cores": n,
        "rate_is_measured": n == 1 or measured is not None,
        "start": start,
        "together": together,
        "feeding": feeding,
        "alone": alone,
        "seconds": start + max(together, feeding) + alone,
    }
