"""What small-RNA reads say of the loci of a scan, written beside them."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from mirsweep.jobs.evidence.alignments import Source, check_library, reads_in
from mirsweep.jobs.evidence.combine import posterior
from mirsweep.jobs.evidence.count import Place, Spans, count_reads
from mirsweep.jobs.evidence.criteria import CRITERIA, VERDICTS
from mirsweep.jobs.evidence.libraries import Library, libraries_of
from mirsweep.jobs.evidence.rows import Counted, row_of
from mirsweep.jobs.evidence.schema import EVIDENCE_SCHEMA
from mirsweep.jobs.results.dataset import Output, open_loci, read_loci
from mirsweep.jobs.results.hold import hold
from mirsweep.jobs.results.layout import EVIDENCE
from mirsweep.jobs.results.messages import say
from mirsweep.jobs.results.side_tables import POSTERIOR, write_side_table
from mirsweep.scanner.errors import InputError

__all__ = ["evidence"]

Files = str | os.PathLike | Iterable[str | os.PathLike]
"""One file or several."""
_AT_ONCE = 4000
"""Loci whose reads are held at a time."""
_ABOUT = b"mirsweep.evidence"
"""Metadata of the table: criteria, and of each library its name, file and total."""


class _Map(Protocol):
    """``map``, here or by other processes."""

    def __call__(self, function: Any, sources: Sequence[Source], /) -> Iterable[Any]: ...


def evidence(
    output: str | os.PathLike,
    reads: Files = (),
    *,
    libraries: str | os.PathLike | None = None,
    criteria: str | None = None,
    reference: str | os.PathLike | None = None,
    workers: int = 1,
    quiet: bool = False,
) -> pa.Table:
    """Count small-RNA reads on the loci of a scan, and judge each by published criteria.

    What is found is written beside the loci, to evidence.parquet, which it replaces.

    Parameters
    ----------
    output
        Output folder of a scan with loci.
    reads
        BAM or CRAM of small-RNA reads against the scanned genome, sorted and indexed; a library each.
    libraries
        TSV with the columns ``library``, ``file`` (relative to the table's folder) and, if known, ``total_reads``.
    criteria
        ``"animal"`` or ``"plant"``; by default as the genome was scanned.
    reference
        FASTA that CRAM is decoded with.
    workers
        Processes; libraries are counted side by side. A script that asks for several needs the guard
        ``if __name__ == "__main__":``.
    quiet
        No closing line on standard error.

    Returns
    -------
    What was written (``EVIDENCE_SCHEMA``), one row a locus.

    Raises
    ------
    InputError
        If there are no reads, a file is no sorted and indexed alignment of small-RNA reads against the genome of the
        scan, or the output has no loci or cannot be written.
    """
    if workers < 1:
        raise InputError(f"{workers} workers cannot count: give 1 or more.")
    if criteria is not None and criteria not in CRITERIA:
        raise InputError(f"criteria {criteria!r} are unknown: choose one of {', '.join(CRITERIA)}.")
    listed = libraries_of((reads,) if isinstance(reads, str | os.PathLike) else tuple(reads), libraries)
    opened = open_loci(output, excluded=True)
    loci = read_loci(output, side_tables=False)
    chosen = criteria or _usual_criteria(opened)
    sources = _sources(opened, loci, listed, reference)
    with closing(hold(opened.path)), _mapping(workers, len(sources)) as spread:
        totals = dict(zip((each.name for each in listed), spread(reads_in, sources), strict=True))
        rows = _rows(loci, sources, totals, chosen, spread)
        together = posterior(loci["locus_score"].to_numpy(), [row["evidence"] for row in rows])
        rows = [row | {POSTERIOR: each} for row, each in zip(rows, together.tolist(), strict=True)]
        table = _table(loci, rows).replace_schema_metadata({_ABOUT: _about(chosen, listed, totals)})
        write_side_table(opened.path, EVIDENCE, table)
    if not quiet:
        say(_sentence(opened.path, table, chosen))
    return table


def _usual_criteria(output: Output) -> str:
    parameters = (output.run or {}).get("parameters", {})
    return "plant" if parameters.get("stem_filter") == "plant" else "animal"


def _sources(
    output: Output, loci: pa.Table, listed: Sequence[Library], reference: str | os.PathLike | None
) -> list[Source]:
    """The libraries, each fit for the loci."""
    with_loci = frozenset(loci["contig"].unique().to_pylist())
    counts = Counter(output.contigs.table["contig"].to_pylist())
    twice = sorted(name for name in with_loci if counts[name] > 1)
    if twice:
        raise InputError(
            f"{output.path}: contig {twice[0]!r} is in several genomes of the scan, and reads do not tell which is "
            "meant: scan the genomes one by one."
        )
    lengths = output.contigs.lengths_of()
    return [check_library(library, lengths, with_loci, reference=reference) for library in listed]


@contextmanager
def _mapping(workers: int, n_sources: int) -> Iterator[_Map]:
    """A ``map`` over libraries: by other processes where several can work."""
    n = min(workers, n_sources)
    if n <= 1:
        yield lambda function, sources: map(function, sources)
        return
    with ProcessPoolExecutor(n, mp_context=get_context("spawn")) as pool:
        yield lambda function, sources: pool.map(function, sources)


def _rows(
    loci: pa.Table, sources: Sequence[Source], totals: dict[str, float], criteria: str, spread: _Map
) -> list[dict[str, Any]]:
    """Columns of each locus; some loci are counted at a time."""
    order = _by_place(loci)
    rows: list[dict[str, Any]] = [{}] * loci.num_rows
    for first in range(0, len(order), _AT_ONCE):
        some = order[first : first + _AT_ONCE]
        hairpins = loci.take(some)
        places, structures, loops = places_of(hairpins), hairpins["structure"].to_pylist(), loops_of(hairpins)
        counted: list[list[Spans]] = list(spread(partial(count_reads, places=places), sources))
        for row, structure, loop, *by_library in zip(some.tolist(), structures, loops, *counted, strict=True):
            rows[row] = row_of(Counted(structure, loop, by_library), totals, CRITERIA[criteria])
    return rows


def _by_place(loci: pa.Table) -> np.ndarray:
    """Rows by contig and start; int64, shape (n,)."""
    contigs = loci["contig"].cast(pa.string()).combine_chunks().dictionary_encode().indices.to_numpy()
    return np.lexsort((loci["end"].to_numpy(), loci["start"].to_numpy(), contigs))


def places_of(hairpins: pa.Table) -> list[Place]:
    """Where hairpins lie."""
    columns = (hairpins[name].to_pylist() for name in ("contig", "start", "end", "strand"))
    return [Place(*each) for each in zip(*columns, strict=True)]


def loops_of(hairpins: pa.Table) -> list[tuple[int, int]]:
    """Terminal loop of each within its sequence, 0-based half-open."""
    return list(zip(hairpins["loop_start"].to_pylist(), hairpins["loop_end"].to_pylist(), strict=True))


def _table(loci: pa.Table, rows: Sequence[dict[str, Any]]) -> pa.Table:
    arrays = []
    for field in EVIDENCE_SCHEMA:
        if field.name in ("genome", "locus"):
            arrays.append(loci[field.name].cast(field.type))
        else:
            arrays.append(_array([row.get(field.name) for row in rows], field.type))
    return pa.Table.from_arrays(arrays, schema=EVIDENCE_SCHEMA)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode().cast(kind)
    return pa.array(values, kind)


def _about(criteria: str, listed: Sequence[Library], totals: dict[str, float]) -> bytes:
    told = [{"library": each.name, "file": each.path.name, "total_reads": totals[each.name]} for each in listed]
    return json.dumps({"criteria": criteria, "libraries": told}).encode()


def _sentence(output: Path, table: pa.Table, criteria: str) -> str:
    verdicts = table["evidence"].to_pylist()
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in VERDICTS)
    return f"{table.num_rows} loci by the {criteria} criteria: {counts} ({output / EVIDENCE})"
