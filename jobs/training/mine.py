"""Negatives for training, mined from finished scans: candidates far from every known precursor, hard ones first."""

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.files import open_atomically
from mirsweep.jobs.results.fit import read_fitting_loci
from mirsweep.jobs.results.known import Locus
from mirsweep.jobs.results.outputs import check_file
from mirsweep.jobs.results.overlap import SortedIntervals
from mirsweep.jobs.results.regions import parse_region
from mirsweep.jobs.results.sound_rows import sound
from mirsweep.jobs.training.examples import MINED_SCHEMA, ExampleFacts, assemble, with_scanned_mb
from mirsweep.scanner.errors import InputError

__all__ = ["Mined", "mine", "near_loci"]

_ROWS_AT_ONCE = 20_000
"""Rows that are read, completed and written at one time: some 10 MB."""


class Mined(NamedTuple):
    """What was mined: the file, rows written, candidates looked at, and those left out near known precursors."""

    path: Path
    n_rows: int
    n_candidates: int
    n_near: int


def near_loci(contigs: np.ndarray, starts: np.ndarray, ends: np.ndarray, loci: Sequence[Locus]) -> np.ndarray:
    """Which candidates come within ``NEAR_NT`` of a locus on either strand.

    Parameters
    ----------
    contigs, starts, ends
        Places of the candidates, shape (n,).

    Returns
    -------
    bool, shape (n,).
    """
    out = np.zeros(len(starts), bool)
    for contig, own in groupby(sorted(loci), key=lambda locus: locus.contig):
        candidates = SortedIntervals.of(starts, ends, np.flatnonzero(contigs == contig))
        for locus in own:
            out[candidates.near(locus.start, locus.end)] = True
    return out


def mine(
    output: str | os.PathLike,
    known: Sequence[str | os.PathLike],
    *,
    path: str | os.PathLike,
    hardest: int | None = None,
    random: int | None = None,
    region: str | None = None,
    seed: int = 0,
) -> Mined:
    """Mine negatives from a finished scan.

    Parameters
    ----------
    output
        Output folder of the scan.
    known
        GFF3 or BED of known precursors; no candidate within ``NEAR_NT`` of one of them is taken.
    path
        Parquet file to write (``MINED_SCHEMA``); give it to :func:`mirsweep.jobs.adapt` as ``negatives``.
    hardest
        Take so many with the highest scores: those that the model of the scan takes for pre-miRNAs.
    random
        Take so many more at random; without both numbers, all are taken.
    region
        Only candidates that start in CONTIG or CONTIG:START-END, as in ``query``.
    seed
        Random seed.

    Raises
    ------
    InputError
        If an input is bad, the known precursors do not fit the scan's contigs, the scan is not complete, the file
        cannot be written, or nothing is left.
    """
    check_file(path)
    opened = open_output(output)
    if opened.run is None:
        raise InputError(f"{opened.path}: the scan is not complete; run it again to finish, then mine it.")
    loci = [
        locus
        for annotation in known
        for locus in read_fitting_loci(
            annotation, opened.contigs.lengths_of(), where="the scan", consequence="no candidate lies near them"
        )
    ]
    dataset = opened.dataset()
    with opened.intact():
        light = sound(dataset.to_table(columns=["contig", "start", "end", "score"]))
    contigs = np.array(light["contig"].cast(pa.string()).to_pylist())
    starts, ends, scores = (light[name].to_numpy() for name in ("start", "end", "score"))
    near = near_loci(contigs, starts, ends, loci)
    wanted = ~near & _starts_in(region, contigs, starts)
    rows = _choose(np.flatnonzero(wanted), scores, hardest, random, np.random.default_rng(seed))
    if not len(rows):
        raise InputError(f"{opened.path}: no candidate is left to mine; widen the region or ask for more.")
    is_whole = hardest is None and random is None and region is None
    schema = with_scanned_mb(opened.run["counts"]["n_scanned"] / 1e6) if is_whole else MINED_SCHEMA
    with open_atomically(Path(path)) as stream, pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            with opened.intact():
                part = sound(dataset.take(rows[start : start + _ROWS_AT_ONCE]))
            facts = ExampleFacts.plain(part.num_rows, label=False, source=opened.path.name)
            writer.write_table(assemble(part, facts, schema=schema))
    return Mined(Path(path), len(rows), light.num_rows, int(near.sum()))


def _starts_in(region: str | None, contigs: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Which candidates start in a region, all without one; bool, shape (n,)."""
    if region is None:
        return np.ones(len(starts), bool)
    asked = parse_region(region)
    return (contigs == asked.contig) & (starts >= asked.start) & (starts < (np.inf if asked.end is None else asked.end))


def _choose(
    rows: np.ndarray, scores: np.ndarray, hardest: int | None, random: int | None, rng: np.random.Generator
) -> np.ndarray:
    """The rows of highest score and others at random, or all; ascending."""
    if hardest is None and random is None:
        return rows
    falling = rows[np.argsort(-scores[rows], kind="stable")]
    top, rest = falling[: hardest or 0], falling[hardest or 0 :]
    return np.sort(np.concatenate([top, rng.choice(rest, min(random or 0, len(rest)), replace=False)]))
