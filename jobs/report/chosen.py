"""Which loci are drawn, and where the network looked in them."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mirsweep.jobs.results.dataset import open_loci
from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.results.names import did_you_mean
from mirsweep.jobs.results.query import query
from mirsweep.jobs.results.sound_rows import sound
from mirsweep.scanner.errors import InputError

__all__ = ["attention_of", "best_loci", "named_loci"]


def best_loci(output: str | os.PathLike, n: int, *, genome: str | None = None) -> pa.Table:
    """The n best loci of a scan, best first; equals by position."""
    return query(output, loci=True, sort="score", limit=n, genome=genome)


def named_loci(output: str | os.PathLike, names: list[str], *, genome: str | None = None) -> pa.Table:
    """Loci by their names (``chrX:101-190:+``), in the order of these.

    Raises
    ------
    InputError
        If a name is that of no locus, or of loci of several genomes and none is named.
    """
    opened = open_loci(output)
    with opened.intact():
        columns = sound(opened.dataset().to_table(columns=["locus", "genome"])).unify_dictionaries()
        rows = [_row_of(name, columns, genome, opened.path) for name in names]
        return sound(opened.dataset().take(rows)).unify_dictionaries()


def _row_of(name: str, loci: pa.Table, genome: str | None, output: Path) -> int:
    is_it = pc.equal(loci["locus"], name)
    if genome is not None:
        is_it = pc.and_(is_it, pc.equal(loci["genome"].cast(pa.string()), genome))
    found = np.flatnonzero(is_it.to_numpy(zero_copy_only=False))
    if not len(found):
        raise InputError(f"{output}: has no locus {name!r}: {did_you_mean(name, set(loci['locus'].to_pylist()))}")
    if len(found) > 1:
        genomes = ", ".join(loci["genome"].take(found[:3]).to_pylist())
        raise InputError(f"{output}: {name!r} is a locus of several genomes ({genomes}): name one with --genome.")
    return int(found[0])


def attention_of(output: str | os.PathLike, loci: pa.Table) -> list[np.ndarray] | None:
    """Attention of the bases of each locus, by the model that scored it; one array of shape (n,) each.

    None, with a warning that says why, if the model has no attention or is not at hand.
    """
    from mirsweep.jobs.sequences.explain import attention_of_rows
    from mirsweep.model.errors import ModelError

    if not loci.num_rows:
        return []
    try:
        found = attention_of_rows(output, loci)
    except (InputError, ModelError) as error:
        warn(f"drawn without attention: {error}")
        return None
    if found is None:
        warn("drawn without attention: the model that scored the loci has none.")
    return found
