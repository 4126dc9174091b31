"""Training examples as tables: their columns, assembling them from candidates, reading them, and the model's form."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mirsweep.jobs.results.parquet import open_parquet
from mirsweep.scanner.errors import InputError

if TYPE_CHECKING:
    from mirsweep.model.examples import Examples

__all__ = [
    "ARM_COLUMNS",
    "EXAMPLE_SCHEMA",
    "MINED_SCHEMA",
    "TEXT_COLUMNS",
    "ExampleFacts",
    "assemble",
    "examples_of",
    "read_examples",
    "scanned_mb_of",
    "with_scanned_mb",
]

TEXT_COLUMNS = ("sequence", "structure", "flank_5p", "flank_3p")
"""What a genome model reads of a candidate."""
ARM_COLUMNS = ("mature5_start", "mature5_end", "mature3_start", "mature3_end")

EXAMPLE_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in TEXT_COLUMNS),
        ("label", pa.bool_()),
        ("weight", pa.float32()),
        ("species", pa.string()),
        ("family", pa.string()),
        ("source", pa.string()),
        *((name, pa.int16()) for name in ARM_COLUMNS),
    ]
)
"""Columns of training examples: a candidate's, and for a pre-miRNA its weight, origin and mature sequences (0-based
half-open within ``sequence``, -1 where unknown)."""

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
_SCANNED_MB = b"mirsweep.scanned_mb"
_WITHOUT_GAPS = ("sequence", "structure", "label", "weight", *ARM_COLUMNS, "start", "end", "score")


@dataclass(frozen=True)
class ExampleFacts:
    """What makes n candidates examples.

    Attributes
    ----------
    label
        Whether they are pre-miRNAs.
    weights
        How often to draw each, relative to the others; float32, shape (n,).
    species, families, sources
        Of each; empty strings where there is none.
    arms
        Start and end of the 5' arm's mature sequence, then of the 3' arm's, within the sequence, -1 if unknown; int16,
        shape (n, 4).
    """

    label: bool
    weights: np.ndarray
    species: Sequence[str]
    families: Sequence[str]
    sources: Sequence[str]
    arms: np.ndarray

    @classmethod
    def plain(cls, n: int, *, label: bool, source: str, weight: float = 1.0) -> "ExampleFacts":
        """Of n candidates of equal weight, of which nothing else is known."""
        nothing = [""] * n
        return cls(label, np.full(n, weight, np.float32), nothing, nothing, [source] * n, np.full((n, 4), -1, np.int16))

    def columns(self) -> dict[str, pa.Array]:
        """By name, as in ``EXAMPLE_SCHEMA``."""
        n = len(self.weights)
        facts = {
            "label": np.full(n, self.label),
            "weight": self.weights,
            "species": list(self.species),
            "family": list(self.families),
            "source": list(self.sources),
        } | {name: self.arms[:, k] for k, name in enumerate(ARM_COLUMNS)}
        return {name: pa.array(values, EXAMPLE_SCHEMA.field(name).type) for name, values in facts.items()}


def assemble(candidates: pa.Table, facts: ExampleFacts, *, schema: pa.Schema = EXAMPLE_SCHEMA) -> pa.Table:
    """Examples of candidates, row by row: each column from the facts, else from the candidates, by its name.

    Parameters
    ----------
    candidates
        ``TEXT_COLUMNS`` at least, n rows.
    facts
        Of the n rows.
    schema
        ``EXAMPLE_SCHEMA`` or ``MINED_SCHEMA``.
    """
    given = facts.columns()
    columns = [given[f.name] if f.name in given else candidates[f.name].cast(f.type) for f in schema]
    return pa.table(columns, schema=schema)


def examples_of(table: pa.Table) -> "Examples":
    """Examples as a genome model learns from them, of a table with ``EXAMPLE_SCHEMA``'s columns."""
    from mirsweep.model.examples import Examples

    texts = {name: [text or "" for text in table[name].to_pylist()] for name in (*TEXT_COLUMNS, "species", "family")}
    return Examples(
        sequences=texts["sequence"],
        structures=texts["structure"],
        flanks_5p=texts["flank_5p"],
        flanks_3p=texts["flank_3p"],
        labels=table["label"].to_numpy().astype(np.uint8),
        weights=table["weight"].to_numpy().astype(np.float32),
        species=texts["species"],
        families=texts["family"],
        arms=np.column_stack([table[name].to_numpy() for name in ARM_COLUMNS]).astype(np.int16),
    )


def with_scanned_mb(mb: float) -> pa.Schema:
    """``MINED_SCHEMA`` of a file that holds all negatives of a scan of so many Mb: such files can calibrate a model."""
    return MINED_SCHEMA.with_metadata({_SCANNED_MB: str(mb).encode()})


def scanned_mb_of(table: pa.Table) -> float | None:
    """Mb of genome, all negatives of which a table holds; None if it holds others or a choice of them."""
    written = (table.schema.metadata or {}).get(_SCANNED_MB)
    if written is None:
        return None
    mb = float(written)
    if not 0 <= mb < math.inf:
        raise ValueError(f"it tells of {mb} Mb")
    return mb


def read_examples(paths: Sequence[str | os.PathLike], *, label: bool) -> Iterator[pa.Table]:
    """Examples of files of ``mine`` or ``plant``, checked; one table a file.

    Parameters
    ----------
    label
        What all of them must be: pre-miRNAs, or other hairpins.

    Raises
    ------
    InputError
        If a file is no Parquet file of examples, holds none, or has the other label.
    """
    for path in paths:
        try:
            table = _read_table(Path(path))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: not a Parquet file of examples ({error}).") from error
        missing = set(EXAMPLE_SCHEMA.names) - set(table.column_names)
        if missing:
            raise InputError(f"{path}: no column {', '.join(sorted(missing))}; give a file of mirsweep plant or mine.")
        if not table.num_rows:
            raise InputError(f"{path}: holds no example; leave it out.")
        table = _sound(table, path)
        if set(table["label"].to_pylist()) != {label}:
            there, other = ("pre-miRNAs", "--negatives") if label else ("other hairpins", "--examples")
            raise InputError(f"{path}: holds examples that are not {there}; give it with {other}.")
        yield table


def _read_table(path: Path) -> pa.Table:
    """A Parquet file, its texts checked."""
    table = open_parquet(path).read()
    table.validate(full=True)
    return table


def _sound(table: pa.Table, path: str | os.PathLike[str]) -> pa.Table:
    """The examples with the columns' own types, and without gaps."""
    try:
        for field in MINED_SCHEMA:
            if field.name in table.column_names:
                place = table.column_names.index(field.name)
                table = table.set_column(place, field, table[field.name].cast(field.type))
        scanned_mb_of(table)
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise InputError(f"{path}: no file of mirsweep plant or mine ({error}).") from error
    gaps = [name for name in _WITHOUT_GAPS if name in table.column_names and table[name].null_count]
    if gaps:
        raise InputError(f"{path}: holds examples without {gaps[0]}; give a file of mirsweep plant or mine.")
    return table
