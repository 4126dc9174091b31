"""What small-RNA reads say of the loci of a scan, written beside them."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mirsweep.jobs.evidence.alignments import Source, check_library, reads_in
from mirsweep.jobs.evidence.combine import posterior
from mirsweep.jobs.evidence.criteria import CRITERIA, VERDICTS
from mirsweep.jobs.evidence.hairpins import Map, Reads, columns_of, rows_of
from mirsweep.jobs.evidence.libraries import Library, libraries_of
from mirsweep.jobs.evidence.rescue import find_rescued
from mirsweep.jobs.evidence.schema import EVIDENCE_SCHEMA
from mirsweep.jobs.results.dataset import Output, open_loci, read_loci
from mirsweep.jobs.results.formats.files import write_table
from mirsweep.jobs.results.hold import hold
from mirsweep.jobs.results.layout import EVIDENCE
from mirsweep.jobs.results.messages import say
from mirsweep.jobs.results.outputs import check_file
from mirsweep.jobs.results.side_tables import ABOUT_READS, POSTERIOR, write_side_table
from mirsweep.jobs.results.stored import changes_output
from mirsweep.scanner.errors import InputError

__all__ = ["evidence"]

Files = str | os.PathLike | Iterable[str | os.PathLike]
"""One file or several."""


@changes_output
def evidence(
    output: str | os.PathLike,
    reads: Files = (),
    *,
    libraries: str | os.PathLike | None = None,
    criteria: str | None = None,
    reference: str | os.PathLike | None = None,
    genome: str | None = None,
    rescue: str | os.PathLike | None = None,
    workers: int = 1,
    report: bool = True,
    quiet: bool = False,
) -> pa.Table:
    """Count small-RNA reads on the loci of a scan, and judge each by published criteria.

    What is found is written beside the loci, to evidence.parquet, which it replaces.

    Parameters
    ----------
    output
        Output folder of a scan with loci, or address of one in an object store.
    reads
        BAM or CRAM of small-RNA reads against the scanned genome, sorted and indexed; a library each.
    libraries
        TSV with the columns ``library``, ``file`` (relative to the table's folder) and, if known, ``total_reads``; of a
        scan of several genomes also ``genome``.
    criteria
        ``"animal"`` or ``"plant"``; by default as the genome was scanned.
    reference
        FASTA that CRAM is decoded with.
    genome
        Of a scan of several genomes that share names of contigs, the one that the reads were mapped to, where the
        table does not tell.
    rescue
        Where a table is written of candidates that are no loci and that reads support: TSV, or Parquet by its ending.
    workers
        Processes; libraries are counted side by side. A script that asks for several needs the guard
        ``if __name__ == "__main__":``.
    report
        Whether to renew the page of the scan, if it has one; otherwise the page stays as it is.
    quiet
        No closing lines on standard error.

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
    if rescue is not None:
        check_file(rescue)
    listed = libraries_of((reads,) if isinstance(reads, str | os.PathLike) else tuple(reads), libraries, genome)
    opened = open_loci(output, excluded=True)
    loci = read_loci(output, side_tables=False)
    chosen = criteria or _usual_criteria(opened)
    sources = _sources(opened, loci, listed, reference)
    with closing(hold(opened.path)), _mapping(workers, len(sources)) as spread:
        totals = dict(zip((each.name for each in listed), spread(reads_in, sources), strict=True))
        counted = Reads(sources, totals, CRITERIA[chosen], spread)
        table = _table(loci, counted).replace_schema_metadata({ABOUT_READS: _about(chosen, listed, totals)})
        write_side_table(opened.path, EVIDENCE, table)
        rescued = None if rescue is None else find_rescued(opened, loci, counted)
    if rescue is not None and rescued is not None:
        write_table(rescued, rescue)
    if not quiet:
        say(_sentence(opened.path, table, chosen))
        if rescued is not None:
            say(f"{rescued.num_rows} candidates that are no loci are supported ({rescue})")
    if report:
        from mirsweep.jobs.report.report import renew  # what draws is not needed before

        renew(opened.path, quiet=quiet)
    return table


def _usual_criteria(output: Output) -> str:
    parameters = (output.run or {}).get("parameters", {})
    return "plant" if parameters.get("stem_filter") == "plant" else "animal"


def _sources(
    output: Output, loci: pa.Table, listed: Sequence[Library], reference: str | os.PathLike | None
) -> list[Source]:
    """The libraries, each fit for the loci of its genome."""
    counts = Counter(output.contigs.table["contig"].to_pylist())
    found = []
    for library in listed:
        own = (
            loci if library.genome is None else loci.filter(pc.equal(loci["genome"].cast(pa.string()), library.genome))
        )
        with_loci = frozenset(own["contig"].unique().to_pylist())
        twice = sorted(name for name in with_loci if counts[name] > 1) if library.genome is None else []
        if twice:
            raise InputError(
                f"{library.path}: contig {twice[0]!r} is in several genomes of the scan, and reads do not tell which "
                "is meant: name it with --genome, or in a column genome of the table of libraries."
            )
        found.append(check_library(library, output.contigs.lengths_of(library.genome), with_loci, reference=reference))
    return found


@contextmanager
def _mapping(workers: int, n_sources: int) -> Iterator[Map]:
    """A ``map`` over libraries: by other processes where several can work."""
    n = min(workers, n_sources)
    if n <= 1:
        yield lambda function, sources: map(function, sources)
        return
    with ProcessPoolExecutor(n, mp_context=get_context("spawn")) as pool:
        yield lambda function, sources: pool.map(function, sources)


def _table(loci: pa.Table, reads: Reads) -> pa.Table:
    rows = rows_of(loci, reads)
    together = posterior(loci["locus_score"].to_numpy(), [row["evidence"] for row in rows])
    keys = loci["genome"].to_pylist(), loci["locus"].to_pylist()
    told = [
        row | {"genome": genome, "locus": locus, POSTERIOR: probability}
        for row, genome, locus, probability in zip(rows, *keys, together.tolist(), strict=True)
    ]
    return pa.Table.from_arrays(columns_of(told, EVIDENCE_SCHEMA), schema=EVIDENCE_SCHEMA)


def _about(criteria: str, listed: Sequence[Library], totals: dict[str, float]) -> bytes:
    told = [{"library": each.name, "file": each.path.name, "total_reads": totals[each.name]} for each in listed]
    return json.dumps({"criteria": criteria, "libraries": told}).encode()


def _sentence(output: Path, table: pa.Table, criteria: str) -> str:
    verdicts = table["evidence"].to_pylist()
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in VERDICTS)
    return f"{table.num_rows} loci by the {criteria} criteria: {counts} ({output / EVIDENCE})"
