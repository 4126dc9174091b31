"""Negatives for training, mined from finished scans: candidates far from every known precursor, hard ones first."""

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.files import open_atomically
from mirsweep.jobs.results.known import read_loci
from mirsweep.jobs.results.regions import parse_region
from mirsweep.jobs.training.plant import EXAMPLE_SCHEMA
from mirsweep.scanner.errors import InputError

__all__ = ["MINED_SCHEMA", "NEAR_NT", "Mined", "is_near", "mine"]

NEAR_NT = 100
"""A candidate that comes so close to a known precursor, on either strand, is no negative."""
_CHUNK = 20_000

MINED_SCHEMA = pa.schema(
    [
        *EXAMPLE_SCHEMA,
        ("contig", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("strand", pa.string()),
        ("score", pa.float32()),
    ]
)
"""Columns of mined examples: those of all examples, place, and the score of the scan that they were mined from."""


class Mined(NamedTuple):
    """What was mined: the file, rows written, candidates looked at, and those left out near known precursors."""

    path: Path
    n_rows: int
    n_candidates: int
    n_near: int


def is_near(contigs: np.ndarray, starts: np.ndarray, ends: np.ndarray, known: Sequence) -> np.ndarray:
    """Which places come within ``NEAR_NT`` of a locus on either strand; bool, shape (n,)."""
    out = np.zeros(len(starts), bool)
    longest = int((ends - starts).max(initial=0))
    for contig, loci in groupby(sorted(known), key=lambda locus: locus.contig):
        rows = np.flatnonzero(contigs == contig)
        rows = rows[np.argsort(starts[rows], kind="stable")]
        sorted_starts = starts[rows]
        for locus in loci:
            first = np.searchsorted(sorted_starts, locus.start - NEAR_NT - longest)
            last = np.searchsorted(sorted_starts, locus.end + NEAR_NT)
            around = rows[first:last]
            out[around] |= ends[around] > locus.start - NEAR_NT
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
        GFF3 or BED files of known precursors; what comes within 100 nt of one, on either strand, is left out.
    path
        Parquet file to write (``MINED_SCHEMA``), in the order of the scan.
    hardest
        Take so many with the highest scores.
    random
        Take so many more by chance; without both numbers, all are taken.
    region
        Only candidates that start in CONTIG or CONTIG:START-END, as in ``query``.
    seed
        Of the chance.

    Raises
    ------
    InputError
        If an input is bad, the scan is not complete, or nothing is left.
    """
    opened = open_output(output)
    if opened.run is None:
        raise InputError(f"{opened.path}: the scan is not complete; run it again to finish, then mine it.")
    dataset = opened.dataset()
    light = dataset.to_table(columns=["contig", "start", "end", "score"])
    contigs = np.array(light["contig"].cast(pa.string()).to_pylist())
    starts, ends, scores = (light[name].to_numpy() for name in ("start", "end", "score"))
    near = is_near(contigs, starts, ends, [locus for annotation in known for locus in read_loci(annotation)])
    wanted = ~near
    if region is not None:
        asked = parse_region(region)
        wanted &= (contigs == asked.contig) & (starts >= asked.start)
        wanted &= starts < (np.inf if asked.end is None else asked.end)
    rows = _choose(np.flatnonzero(wanted), scores, hardest, random, np.random.default_rng(seed))
    if not len(rows):
        raise InputError(f"{opened.path}: no candidate is left to mine; widen the region or ask for more.")
    with open_atomically(Path(path)) as stream, pq.ParquetWriter(stream, MINED_SCHEMA, compression="zstd") as writer:
        for start in range(0, len(rows), _CHUNK):
            writer.write_table(_examples(dataset.take(rows[start : start + _CHUNK]), opened.path.name))
    return Mined(Path(path), len(rows), light.num_rows, int(near.sum()))


def _choose(
    rows: np.ndarray, scores: np.ndarray, hardest: int | None, random: int | None, rng: np.random.Generator
) -> np.ndarray:
    if hardest is None and random is None:
        return rows
    falling = rows[np.argsort(-scores[rows], kind="stable")]
    top, rest = falling[: hardest or 0], falling[hardest or 0 :]
    return np.sort(np.concatenate([top, rng.choice(rest, min(random or 0, len(rest)), replace=False)]))


def _examples(table: pa.Table, source: str) -> pa.Table:
    n = table.num_rows
    given = {"label": False, "weight": 1.0, "species": "", "family": "", "source": source}
    return pa.table([_column(table, field, given, n) for field in MINED_SCHEMA], schema=MINED_SCHEMA)


def _column(table: pa.Table, field: pa.Field, given: dict[str, object], n: int) -> pa.ChunkedArray | pa.Array:
    if field.name in table.column_names:
        return table[field.name].cast(field.type)
    return pa.array([given.get(field.name, -1)] * n, field.type)


def read_examples(paths: Sequence[str | os.PathLike], *, label: bool) -> Iterator[pa.Table]:
    """Examples of files of ``mine`` or ``plant``, checked.

    Raises
    ------
    InputError
        If a file is no Parquet file of examples, or has the other label.
    """
    for path in paths:
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"{path}: not a Parquet file of examples ({error}).") from error
        missing = set(EXAMPLE_SCHEMA.names) - set(table.column_names)
        if missing:
            raise InputError(f"{path}: no column {', '.join(sorted(missing))}; give a file of mirsweep plant or mine.")
        if table.num_rows and set(table["label"].to_pylist()) != {label}:
            kind = "pre-miRNAs" if label else "other hairpins"
            raise InputError(f"{path}: holds examples that are not {kind}; give it to the other option.")
        yield table
