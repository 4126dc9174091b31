"""The second pass on disk: loci.parquet, and the likeliest loci in the formats of other tools."""

import io
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mirsweep.jobs.loci.error_rate import NO_DECOYS, DecoyScores
from mirsweep.jobs.loci.find import Scanned, find_decoys, find_loci
from mirsweep.jobs.results.dataset import Output
from mirsweep.jobs.results.export import Selection, export, open_compressed
from mirsweep.jobs.results.files import open_atomically, write_atomically
from mirsweep.jobs.results.layout import INDEX_SUFFIXES, LOCI, LOCI_FILES, REPORT
from mirsweep.jobs.results.loci_schema import by_score
from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.results.query import FP_PRESETS, Q_PRESETS, Filters
from mirsweep.jobs.results.side_tables import remove_stale
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome
from mirsweep.scanner.reversed import Reversed

__all__ = ["loci_sentence", "second_pass"]

WRITTEN = "balanced"
"""Which loci go into the files for other tools."""
_ROW_GROUP = 2048


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
    What run.json tells: number of loci in all (``n_loci``) and at each preset, the column that the presets limit
    (``presets_by``), the same of the decoys, and the seconds it took.
    """
    began = time.perf_counter()
    opened = Output(output, None)
    scanned = Scanned(opened.dataset(), mb, genomes)
    backwards = _decoys_of(opened, genomes)
    with opened.intact():
        decoys = NO_DECOYS if backwards is None else find_decoys(scanned, backwards)
        found = find_loci(scanned, decoys)
    write_atomically(output / LOCI, _parquet_bytes(found))
    remove_stale(output)
    (output / REPORT).unlink(missing_ok=True)  # tells of other loci
    column, limits = ("q_value", Q_PRESETS) if decoys.mb else ("locus_fp_per_mb", FP_PRESETS)
    lowest = {name: _lowest_score(found, column, limit) for name, limit in limits.items()}
    counts = _counts_from(found["locus_score"].to_numpy(), lowest)
    _write_files(replace(opened, is_loci=True), n_loci=counts[WRITTEN])
    of_decoys = None if backwards is None else _describe_decoys(backwards, decoys, lowest)
    seconds = round(time.perf_counter() - began, 3)
    return counts | {"presets_by": column, "decoys": of_decoys, "seconds": seconds}


def _decoys_of(output: Output, genomes: list[Genome]) -> Scanned | None:
    """The decoys that were scanned with an output; None for none."""
    decoys = output.decoys
    if decoys is None or decoys.run is None:
        return None
    return Scanned(decoys.dataset(), decoys.run["counts"]["n_scanned"] / 1e6, [Reversed(genome) for genome in genomes])


def _describe_decoys(scanned: Scanned, found: DecoyScores, lowest: dict[str, float]) -> dict[str, Any]:
    n_candidates = scanned.candidates.count_rows()
    counts = _counts_from(found.scores.astype(np.float32), lowest)
    counted = {"n_scanned": round(found.mb * 1e6), "n_candidates": n_candidates} | counts
    return counted | {"by_score": by_score(found.scores).tolist()}


def _lowest_score(found: pa.Table, column: str, limit: float) -> float:
    """Lowest ``locus_score`` of the loci that a limit lets pass; infinite where it lets none."""
    passed = found.filter(pc.less_equal(found[column], pa.scalar(limit, pa.float32())))
    return float(pc.min(passed["locus_score"]).as_py()) if passed.num_rows else math.inf


def _counts_from(scores: np.ndarray, lowest: dict[str, float]) -> dict[str, int]:
    """Number of loci in all, and from the lowest score of each preset on."""
    return {"n_loci": len(scores)} | {name: int((scores >= least).sum()) for name, least in lowest.items()}


def loci_sentence(output: Path, summary: dict[str, Any]) -> str:
    """The closing line of a second pass."""
    rate = f"{FP_PRESETS[WRITTEN]:g} false positive per Mb"
    if summary["presets_by"] == "q_value":
        rate = f"false discovery rate of {Q_PRESETS[WRITTEN]:.0%}".replace("%", " %")
    return f"{summary[WRITTEN]} loci in {output} at an expected {rate} ({summary['n_loci']} in {LOCI})"


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
