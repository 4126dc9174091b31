"""The second pass on disk: loci.parquet, and the likeliest loci in the formats of other tools."""

import io
import os
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mirsweep.jobs.loci.find import find_loci
from mirsweep.jobs.results.dataset import Output, open_output, read_loci
from mirsweep.jobs.results.export import Selection, export, open_compressed
from mirsweep.jobs.results.files import open_atomically, write_atomically
from mirsweep.jobs.results.hold import hold
from mirsweep.jobs.results.layout import INDEX_SUFFIXES, LOCI, LOCI_FILES, RUN
from mirsweep.jobs.results.messages import say, warn
from mirsweep.jobs.results.query import FP_PRESETS, Filters
from mirsweep.jobs.results.run_json import write_run
from mirsweep.scanner.containers import is_stream
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome, open_genome

__all__ = ["loci", "loci_sentence", "second_pass"]

WRITTEN = "balanced"
"""Which loci go into the files for other tools."""
_ROW_GROUP = 2048


def loci(output: str | os.PathLike, *, quiet: bool = False) -> pa.Table:
    """Find the loci of a finished scan (again), and write them into its output.

    Parameters
    ----------
    output
        Output folder of a scan.
    quiet
        No closing line on standard error.

    Returns
    -------
    The loci, ``LOCI_SCHEMA``, in the genome's order.

    Raises
    ------
    InputError
        If the scan is not complete, its model has no calibration, a genome is gone or has changed, or the output cannot
        be written.
    """
    opened = open_output(output)
    if opened.run is None:
        raise InputError(f"{opened.path}: the scan is not complete; run it again to finish.")
    _check_calibrated(opened)
    with closing(hold(opened.path)):
        genomes = [_same_genome(described) for described in opened.run["genomes"]]
        summary = second_pass(opened.path, opened.run["counts"]["n_scanned"] / 1e6, genomes)
        write_run(opened.path, opened.run | {"loci": summary})
    if not quiet:
        say(loci_sentence(opened.path, summary))
    return read_loci(opened.path)


def second_pass(output: Path, mb: float, genomes: list[Genome]) -> dict[str, Any]:
    """Find the loci among the candidates that lie in the output, and write them.

    Parameters
    ----------
    output
        Output folder of a scan all of whose shards are done; run.json need not stand yet.
    mb
        Mb of genome that were scanned.
    genomes
        The open genomes.

    Returns
    -------
    What run.json tells: number of loci in all (``n_loci``) and at each of ``FP_PRESETS``, and the seconds it took.
    """
    began = time.perf_counter()
    opened = Output(output, None)
    found = find_loci(opened.dataset(), mb, genomes)
    write_atomically(output / LOCI, _parquet_bytes(found))
    counts = {name: _n_at_most(found, limit) for name, limit in FP_PRESETS.items()}
    _write_files(replace(opened, is_loci=True), n_loci=counts[WRITTEN])
    return {"n_loci": found.num_rows} | counts | {"seconds": round(time.perf_counter() - began, 3)}


def loci_sentence(output: Path, summary: dict[str, Any]) -> str:
    """The closing line of a second pass."""
    n, limit = summary[WRITTEN], FP_PRESETS[WRITTEN]
    return f"{n} loci in {output} at an expected {limit:g} false positive per Mb ({summary['n_loci']} in {LOCI})"


def _n_at_most(found: pa.Table, fp_per_mb: float) -> int:
    return int(pc.sum(pc.less_equal(found["locus_fp_per_mb"], fp_per_mb)).as_py() or 0)


def _parquet_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=_ROW_GROUP)
    return sink.getvalue()


def _write_files(found: Output, *, n_loci: int) -> None:
    """The likeliest loci for other tools; files without a row where there is none.

    A format that cannot hold the contigs' names (those that two genomes share only tables can) costs its file, not the
    scan.
    """
    by_position = Selection(Filters(max_fp_per_mb=WRITTEN), limit=None if n_loci else 0)
    best_first = replace(by_position, sort="score")
    for name, file_format in LOCI_FILES.items():
        path = found.path / name
        for stale in (path, *(Path(f"{path}{suffix}") for suffix in INDEX_SUFFIXES)):
            stale.unlink(missing_ok=True)
        content = io.BytesIO()
        try:
            export(found, content, file_format, by_position if name.endswith(".gz") else best_first)
        except InputError as error:
            warn(f"{path} is not written: {error}")
            continue
        with open_compressed(found, path, file_format) if name.endswith(".gz") else open_atomically(path) as stream:
            stream.write(content.getvalue())


def _check_calibrated(output: Output) -> None:
    first = output.dataset().head(1, columns=["expected_fp_per_mb", "model"]).to_pylist()
    if first and first[0]["expected_fp_per_mb"] is None:
        raise InputError(
            f"{output.path}: the scan's model {first[0]['model']} has no calibration, and the second pass is made for "
            "the genome models: scan with one of them."
        )


def _same_genome(described: dict[str, Any]) -> Genome:
    """The genome that run.json describes, if it is still there and the same."""
    if is_stream(Path(described["file"])):
        raise InputError(
            f"genome {described['name']} was read from a pipe, and cannot be read again: scan a file of it instead."
        )
    genome = open_genome(described["file"], name=described["name"])
    if genome.digest != described["digest"]:
        raise InputError(
            f"{described['file']}: has changed since the scan ({RUN} has its digest): put the former one back, or scan "
            "again."
        )
    return genome
