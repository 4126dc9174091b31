"""Candidates of a scan, filtered and sorted."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from operator import and_
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from mirsweep.jobs.results.dataset import Output, open_loci, open_output
from mirsweep.jobs.results.names import did_you_mean
from mirsweep.jobs.results.overlap import overlaps_by_half
from mirsweep.jobs.results.part_files import Place
from mirsweep.jobs.results.regions import LARGEST, Region, parse_region
from mirsweep.jobs.results.side_tables import POSTERIOR
from mirsweep.jobs.results.sound_rows import sound
from mirsweep.scanner.candidates import SCHEMA
from mirsweep.scanner.errors import InputError

__all__ = [
    "FP_PRESETS",
    "Q_PRESETS",
    "SORTS",
    "Filters",
    "check_columns",
    "contigs_found",
    "fp_limit",
    "query",
    "scanner_of",
    "select",
]

SORTS = ("position", "score", "posterior")
FP_PRESETS = {"strict": 0.1, "balanced": 1.0, "sensitive": 10.0}
"""Highest expected number of false positives per Mb of genome, by name."""
Q_PRESETS = {"strict": 0.05, "balanced": 0.10, "sensitive": 0.50}
"""The same names for loci whose genome has decoys: highest ``q_value``, the share of false ones among them."""
BATCH_ROWS = 65_536
"""Rows read at once."""


@dataclass(frozen=True)
class Filters:
    """Which candidates are wanted; None means any. See :func:`query`."""

    contig: str | None = None
    region: str | None = None
    strand: str | None = None
    min_score: float | None = None
    max_fp_per_mb: float | str | None = None
    max_mfe: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    genome: str | None = None
    max_q: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.max_fp_per_mb, str) and self.max_fp_per_mb not in FP_PRESETS:
            raise InputError(
                f"{self.max_fp_per_mb!r} false positives per Mb are unknown: give a number, or one of "
                f"{', '.join(FP_PRESETS)}."
            )
        if self.max_q is not None and not 0 <= self.max_q <= 1:
            raise InputError(f"a q-value of {self.max_q:g} cannot be: it is a share, from 0 to 1 (0.1 is 10 %).")
        if self.strand not in (None, "+", "-"):
            raise InputError(f"strand {self.strand!r} is unknown: choose + or -.")
        for name, value in (("min-length", self.min_length), ("max-length", self.max_length)):
            if value is not None and abs(value) > LARGEST:
                raise InputError(f"{name} {value} is too large a number: give a length in nt.")
        if "" in (self.contig, self.region):
            raise InputError("the contig or region asked for is empty: give a name, or None for all.")
        if self.contig and self.region:
            raise InputError("--contig and --region cannot go together: a region names its contig.")


def query(
    output: str | os.PathLike,
    *,
    genome: str | None = None,
    contig: str | None = None,
    region: str | None = None,
    strand: str | None = None,
    min_score: float | None = None,
    max_fp_per_mb: float | str | None = None,
    max_q: float | None = None,
    max_mfe: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    distinct: bool = False,
    limit: int | None = None,
    sort: str = "position",
    columns: Sequence[str] | None = None,
    sql: str | None = None,
    loci: bool = False,
    excluded: bool = False,
) -> pa.Table:
    """Candidates of a scan, or its loci, as an Arrow table.

    Parameters
    ----------
    output
        Output folder of a scan.
    genome
        Only candidates of this genome; names which contig is meant where two genomes have one of the same name.
    contig
        Only candidates on this contig.
    region
        Only candidates that overlap ``chr:start-end``, 1-based with both ends included, as samtools and genome browsers
        write it; ``chr:start-`` and ``chr`` alone mean up to the end and the whole contig. If a contig has the whole of
        it for its name, that is taken; ``{chr}:start-end`` says where the name ends.
    strand
        ``"+"`` or ``"-"``.
    min_score
        Lowest score.
    max_fp_per_mb
        Highest ``expected_fp_per_mb``, the expected number of false positives per Mb of genome. A number, or
        ``"strict"`` (0.1), ``"balanced"`` (1), ``"sensitive"`` (10). Of loci the highest ``fp_per_mb``; the names
        stand for a ``q_value`` of 0.05, 0.1 and 0.5 there if decoys were scanned.
    max_q
        Highest ``q_value`` of loci, 0 to 1: the share of false ones among those that pass.
    max_mfe
        Highest minimum free energy, kcal/mol (-20: at least as stable as that).
    min_length, max_length
        Length of the candidate, nt.
    distinct
        Of the candidates that pass and overlap on a strand by half of the shorter one or more, only the best-scored:
        each hairpin once, where it was cut short and long.
    limit
        At most so many rows, the first in the order asked for.
    sort
        ``"position"``: by genome, contig, start, end, strand, contigs in the genome's order; ``"score"``: highest
        first, equals by position; ``"posterior"``: the same of loci by score and reads together, once
        ``mirsweep evidence`` has counted them.
    columns
        Only these columns, in this order; all if None.
    sql
        Instead of all these, one SELECT statement for DuckDB over the views ``candidates`` and ``loci``.
    loci
        The loci rather than the candidates: scores and false positives per Mb are then those of the loci
        (``locus_score``, ``fp_per_mb``), and the columns of annotation.parquet and evidence.parquet follow theirs.
    excluded
        With the loci that ``mirsweep annotate --exclude`` left out.

    Raises
    ------
    InputError
        If the output, a filter or the statement is bad, or false positives are limited and the scan's model has no
        calibration.
    """
    if sql is not None:
        from mirsweep.jobs.results.sql import run_sql

        return run_sql(replace(open_output(output), has_excluded=excluded), sql).read_all()
    filters = Filters(contig, region, strand, min_score, max_fp_per_mb, max_mfe, min_length, max_length, genome, max_q)
    opened = open_loci(output, excluded=excluded) if loci else open_output(output)
    schema = opened.schema if columns is None else check_columns(columns, opened.schema)
    batches = select(opened, filters, distinct=distinct, limit=limit, sort=sort)
    return pa.Table.from_batches((batch.select(schema.names) for batch in batches), schema=schema)


def check_columns(columns: Sequence[str], schema: pa.Schema = SCHEMA) -> pa.Schema:
    """Schema of some columns of the candidates or the loci, in the order given.

    Raises
    ------
    InputError
        If there is none, or a name is unknown or given twice.
    """
    for name in columns:
        if name not in schema.names:
            raise InputError(f"a scan has no column {name!r}: {did_you_mean(name, schema.names)}")
    if not columns or len(set(columns)) < len(columns):
        raise InputError(f"columns {', '.join(columns)!r} cannot be shown: name at least one, and each once.")
    return pa.schema([schema.field(name) for name in columns])


def contigs_found(output: Output, filters: Filters, *, limit: int | None = None) -> list[str]:
    """Contigs with rows that pass, in the order of the rows; reads no more columns than the filters need.

    Parameters
    ----------
    limit
        Only the contigs of so many rows, the first.
    """
    batches = _batches(output, filters, columns=["contig"])
    found: dict[str, None] = {}
    for batch in _first(batches, limit):
        found.update(dict.fromkeys(batch.column("contig").unique().to_pylist()))
    return list(found)


def select(
    output: Output,
    filters: Filters,
    *,
    distinct: bool = False,
    limit: int | None = None,
    sort: str = "position",
    batch_rows: int = BATCH_ROWS,
) -> Iterator[pa.RecordBatch]:
    """Batches of the rows that pass, in order; options as in :func:`query`.

    By position, or by score with a limit, memory does not grow with the number of candidates; by score without a
    limit all that pass are held.

    Raises
    ------
    InputError
        If a filter is bad.
    """
    if sort not in SORTS:
        raise InputError(f"sort {sort!r} is unknown: choose one of {', '.join(SORTS)}.")
    if limit is not None and limit < 0:
        raise InputError(f"limit {limit} cannot be met: give 0 or more.")
    limit = None if limit is None else min(limit, LARGEST)
    if sort == POSTERIOR and POSTERIOR not in output.schema.names:
        loci = "" if output.is_loci else "loci (--loci) and "
        raise InputError(f"{output.path}: to sort by {POSTERIOR} takes {loci}reads: mirsweep evidence counts them.")
    passed = _batches(output, filters, batch_size=batch_rows)
    passed = _distinct(passed, output.score_column) if distinct else passed
    ranked = POSTERIOR if sort == POSTERIOR else output.score_column
    batches = _first(passed, limit) if sort == "position" else _best(passed, limit, batch_rows, ranked)
    schema = output.schema
    return (batch.cast(schema) if batch.schema != schema else batch for batch in batches)


def scanner_of(output: Output, filters: Filters, **options: Any) -> ds.Scanner:
    """An Arrow scanner of the rows that pass, by position, which opens only the part files that can have some.

    Parameters
    ----------
    options
        Of the scanner, such as ``columns``.

    Raises
    ------
    InputError
        If the scan has no such genome or contig, two of its genomes have the contig, or its model has no calibration
        and the filters need one.
    """
    place, condition = _wanted(output, filters)
    return output.dataset(place).scanner(filter=condition, **options)


def _batches(output: Output, filters: Filters, **options: Any) -> Iterator[pa.RecordBatch]:
    """Batches of the rows that pass, by position; who stops early has opened few files."""
    place, condition = _wanted(output, filters)
    options |= {"filter": condition, "use_threads": False}
    return _intact(output, (batch for some in output.datasets(place) for batch in some.scanner(**options).to_batches()))


def _intact(output: Output, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    with output.intact():
        yield from map(sound, batches)


def _wanted(output: Output, filters: Filters) -> tuple[Place | None, pc.Expression]:
    """Where the rows are that pass (None: anywhere), and what each of them fulfils."""
    try:
        place, terms = _place(output, filters)
    except InputError as error:
        raise InputError(f"{output.path}: {error}") from error
    return place, reduce(and_, terms + _terms(output, filters), pc.scalar(True))


def _place(output: Output, filters: Filters) -> tuple[Place | None, list[pc.Expression]]:
    """The genome, contig or interval asked for, and its condition."""
    contigs, genome = output.contigs, filters.genome
    terms = [] if genome is None else [pc.field("genome") == genome]
    text = filters.contig or filters.region
    if not text:
        return (None if genome is None else Place(*contigs.ranks_of_genome(genome))), terms
    is_name = bool(filters.contig) or bool(contigs.ranks(text, genome))
    region = Region(text) if is_name else parse_region(text)
    rank = contigs.rank(region.contig, genome)
    terms += [pc.field("contig") == region.contig, pc.field("end") > region.start]
    if region.end is not None:
        terms.append(pc.field("start") < region.end)
    return Place(rank, rank, region.start, region.end), terms


def _terms(output: Output, filters: Filters) -> list[pc.Expression]:
    """What a row must fulfil wherever it lies."""
    length = pc.field("end") - pc.field("start")
    terms = []
    if filters.strand:
        terms.append(pc.field("strand") == filters.strand)
    if filters.min_score is not None:
        terms.append(pc.field(output.score_column) >= pa.scalar(filters.min_score, pa.float32()))
    if filters.max_fp_per_mb is not None:
        _check_calibrated(output)
        terms.append(_at_most(*fp_limit(output, filters.max_fp_per_mb)))
    if filters.max_q is not None:
        if not output.is_loci:
            raise InputError(f"{output.path}: candidates have no q-values, only loci have: add --loci.")
        terms.append(_at_most("q_value", filters.max_q))
    if filters.max_mfe is not None:
        terms.append(pc.field("mfe") <= pa.scalar(filters.max_mfe, pa.float32()))
    if filters.min_length is not None:
        terms.append(length >= filters.min_length)
    if filters.max_length is not None:
        terms.append(length <= filters.max_length)
    return terms


def fp_limit(output: Output, asked: float | str) -> tuple[str, float]:
    """The column that a limit on false positives is about, and its highest value.

    Parameters
    ----------
    asked
        A number per Mb, or one of ``FP_PRESETS``, which are q-values of loci where those have decoys.
    """
    if not isinstance(asked, str):
        return output.fp_column, asked
    return ("q_value", Q_PRESETS[asked]) if output.has_decoys else (output.fp_column, FP_PRESETS[asked])


def _at_most(column: str, limit: float) -> pc.Expression:
    return pc.field(column) <= pa.scalar(limit, pa.float32())


def _check_calibrated(output: Output) -> None:
    """All rows of a run have an expected rate of false positives, or none has: the first one tells; loci all have."""
    if output.is_loci:
        return
    columns = ["expected_fp_per_mb", "model"]
    firsts = (row for some in output.datasets() for row in some.head(1, columns=columns).to_pylist())
    with output.intact():
        row = next(firsts, None)
    if row is not None and row["expected_fp_per_mb"] is None:
        raise InputError(
            f"{output.path}: the scan's model {row['model']} has no calibration, so false positives per Mb are not "
            "known: filter by --min-score, or scan with a model that has one."
        )


def _distinct(batches: Iterator[pa.RecordBatch], ranked: str) -> Iterator[pa.RecordBatch]:
    """Of overlapping rows the best ones; batches come by position, and little more than one is held."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        table = pa.Table.from_batches([*held, batch]).unify_dictionaries().combine_chunks()
        firsts = _first_of_groups(table)
        done = int(firsts[-1]) if len(firsts) else 0  # the last group may go on in the next batch
        yield from _best_of_groups(table.slice(0, done), firsts[:-1], ranked)
        held = table.slice(done).to_batches()
    if held:
        table = pa.Table.from_batches(held)
        yield from _best_of_groups(table, _first_of_groups(table), ranked)


def _first_of_groups(table: pa.Table) -> np.ndarray:
    """Rows at which no earlier row of the same contig, of either strand, goes on; ascending."""
    starts, ends = table["start"].to_numpy(), table["end"].to_numpy()
    is_first = np.zeros(len(starts), bool)
    is_first[:1] = True
    for name in ("genome", "contig"):
        codes = table[name].combine_chunks().indices.to_numpy()
        is_first[1:] |= codes[1:] != codes[:-1]
    reach = 0
    for k, (start, end, first) in enumerate(zip(starts.tolist(), ends.tolist(), is_first.tolist(), strict=True)):
        is_first[k] = first or start >= reach
        reach = end if is_first[k] else max(reach, end)
    return np.flatnonzero(is_first)


def _best_of_groups(table: pa.Table, firsts: np.ndarray, ranked: str) -> Iterator[pa.RecordBatch]:
    """The rows that stay when, best first, each drops those that it overlaps by half of the shorter one or more."""
    rows = list(zip(*(table[name].to_pylist() for name in ("strand", "start", "end", ranked)), strict=True))
    kept = np.zeros(len(rows), bool)
    for first, last in pairwise([*firsts.tolist(), len(rows)]):
        chosen: list[int] = []
        for k in sorted(range(first, last), key=lambda k: -rows[k][3]):
            if not any(_is_same(rows[k], rows[other]) for other in chosen):
                chosen.append(k)
        kept[chosen] = True
    yield from table.filter(kept).to_batches()


def _is_same(one: tuple, other: tuple) -> bool:
    """Whether two (strand, start, end, ...) are the same hairpin with other ends."""
    return one[0] == other[0] and overlaps_by_half(*one[1:3], *other[1:3])


def _first(batches: Iterator[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
    """The first rows; the files come in order."""
    left = limit
    while left is None or left > 0:
        batch = next(batches, None)
        if batch is None:
            return
        kept = batch if left is None else batch.slice(0, left)
        left = None if left is None else left - kept.num_rows
        if kept.num_rows:
            yield kept


def _best(batches: Iterator[pa.RecordBatch], limit: int | None, spare: int, ranked: str) -> Iterator[pa.RecordBatch]:
    """The rows of highest score, best first; never holds much more than twice ``limit`` and ``spare`` rows."""
    held: list[pa.RecordBatch] = []
    n_held = 0
    for batch in batches:
        held.append(batch)
        n_held += batch.num_rows
        if limit is not None and n_held > 2 * limit + spare:
            held = _by_score(held, ranked)[:limit].to_batches()
            n_held = limit
    if held:
        yield from _by_score(held, ranked)[:limit].to_batches()


def _by_score(batches: list[pa.RecordBatch], ranked: str) -> pa.Table:
    """Rows by falling score; equals stay in the order in which they came, which is that of the genome."""
    table = pa.Table.from_batches(batches).unify_dictionaries()
    scores = pc.fill_null(table[ranked], -1.0).to_numpy()  # a side table may lack a locus
    return table.take(np.argsort(-scores, kind="stable"))
