"""Rows of evidence for hairpins of any table: loci, or candidates."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.jobs.evidence.alignments import Source
from mirsweep.jobs.evidence.count import Place, Spans, count_reads
from mirsweep.jobs.evidence.criteria import Criterion
from mirsweep.jobs.evidence.rows import Counted, row_of

__all__ = ["Map", "Reads", "columns_of", "rows_of"]

_AT_ONCE = 4000
"""Hairpins whose reads are held at a time."""


Map = Callable[[Callable[[Source], Any], Sequence[Source]], Iterable[Any]]
"""``map`` over libraries, here or by other processes."""


class Reads(NamedTuple):
    """Libraries and how they are judged.

    Attributes
    ----------
    sources
        The libraries.
    totals
        Mapped reads of each, by name.
    criteria
        By which hairpins are judged.
    spread
        Counts the libraries side by side.
    """

    sources: Sequence[Source]
    totals: Mapping[str, float]
    criteria: Sequence[Criterion]
    spread: Map

    def of(self, genome: str, by_library: Sequence[Spans]) -> tuple[list[Spans], dict[str, float]]:
        """Of the counts by library, and of the totals, those of libraries of a genome."""
        own = [source.library.is_of(genome) for source in self.sources]
        names = [source.library.name for source, is_own in zip(self.sources, own, strict=True) if is_own]
        counts = [spans for spans, is_own in zip(by_library, own, strict=True) if is_own]
        return counts, {name: self.totals[name] for name in names}


def rows_of(hairpins: pa.Table, reads: Reads, *, least: float = 0.0) -> list[dict[str, Any]]:
    """Columns of each hairpin; some are counted at a time.

    Parameters
    ----------
    hairpins
        With place, structure and terminal loop.
    least
        Of hairpins with fewer reads within them, on their strand, the columns are empty.
    """
    order = _by_place(hairpins)
    rows: list[dict[str, Any]] = [{}] * hairpins.num_rows
    for first in range(0, len(order), _AT_ONCE):
        numbers = order[first : first + _AT_ONCE]
        some = hairpins.take(numbers)
        counted: list[list[Spans]] = list(reads.spread(partial(count_reads, places=_places_of(some)), reads.sources))
        columns = (some[name].to_pylist() for name in ("genome", "structure", "loop_start", "loop_end"))
        for number, genome, structure, start, end, *every in zip(numbers.tolist(), *columns, *counted, strict=True):
            if not least or _n_within(every, len(structure)) >= least:
                by_library, totals = reads.of(genome, every)
                rows[number] = row_of(Counted(structure, (start, end), by_library), totals, reads.criteria)
    return rows


def _by_place(hairpins: pa.Table) -> np.ndarray:
    """Rows by contig and start; int64, shape (n,)."""
    contigs = hairpins["contig"].cast(pa.string()).combine_chunks().dictionary_encode().indices.to_numpy()
    return np.lexsort((hairpins["end"].to_numpy(), hairpins["start"].to_numpy(), contigs))


def _places_of(hairpins: pa.Table) -> list[Place]:
    columns = (hairpins[name].to_pylist() for name in ("contig", "start", "end", "strand", "genome"))
    return [Place(*each) for each in zip(*columns, strict=True)]


def _n_within(by_library: Iterable[Spans], length: int) -> float:
    keys = (item for spans in by_library for item in spans.items())
    return sum(n for (start, end, is_sense), n in keys if is_sense and start >= 0 and end <= length)


def columns_of(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> list[pa.Array]:
    """The columns of a schema from rows; null where a row has not the column."""
    return [_array([row.get(field.name) for row in rows], field.type) for field in schema]


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode().cast(kind)
    return pa.array(values, kind)
