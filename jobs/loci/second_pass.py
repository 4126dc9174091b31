"""The second pass on disk: loci.parquet, and the likeliest loci in the formats of other tools."""

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mirsweep.jobs.loci.find import FoundLoci, Scanned, find_decoys, find_loci
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


def second_pass(output: Path, described: Sequence[Mapping[str, Any]], genomes: Sequence[Genome]) -> dict[str, Any]:
    """Find the loci among the candidates that lie in the output, and write them.

    Parameters
    ----------
    output
        Output folder of a scan all of whose shards are done; run.json need not stand yet.
    described
        What run.json tells of the genomes: ``name``, how much was scanned (``counts``), and the group whose decoys tell
        their error rates (``decoy_group``; by default each is its own).
    genomes
        The same, open.

    Returns
    -------
    What run.json tells: number of loci in all (``n_loci``) and at each preset, the column that the presets limit
    (``presets_by``), the same of the decoys, and the seconds it took.
    """
    began = time.perf_counter()
    opened = Output(output, None)
    groups = {each["name"]: each.get("decoy_group", each["name"]) for each in described}
    scanned = Scanned(opened, genomes, _mb_of(described))
    backwards = _decoys_of(opened, genomes)
    with opened.intact():
        decoys = None if backwards is None else find_decoys(scanned, backwards, groups)
        found = find_loci(scanned, groups, decoys)
    write_atomically(output / LOCI, _parquet_bytes(found.table))
    remove_stale(output)
    (output / REPORT).unlink(missing_ok=True)  # tells of other loci
    has_decoys = any(each.mb for each in found.decoys)
    column, limits = ("q_value", Q_PRESETS) if has_decoys else ("locus_fp_per_mb", FP_PRESETS)
    counts, of_decoys = _count(found, limits, column)
    counts["presets_by"] = column
    _write_files(replace(opened, is_loci=True), n_loci=counts[WRITTEN])
    told = None if backwards is None else _describe_decoys(backwards, found) | of_decoys
    return counts | {"decoys": told, "seconds": round(time.perf_counter() - began, 3)}


def _mb_of(described: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    return {each["name"]: each["counts"]["n_scanned"] / 1e6 for each in described}


def _decoys_of(output: Output, genomes: Sequence[Genome]) -> Scanned | None:
    """The decoys that were scanned with an output; None for none."""
    decoys = output.decoys
    if decoys is None or decoys.run is None:
        return None
    return Scanned(decoys, [Reversed(genome) for genome in genomes], _mb_of(decoys.run["genomes"]))


def _count(found: FoundLoci, limits: Mapping[str, float], column: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Number of loci and of decoys in all, and of those that each preset lets pass: in each group from its score on."""
    scores, values = found.table["locus_score"].to_numpy(), found.table[column].to_numpy()
    counts: dict[str, Any] = {"n_loci": len(scores)} | dict.fromkeys(limits, 0)
    of_decoys: dict[str, Any] = {"n_loci": sum(len(each.scores) for each in found.decoys)} | dict.fromkeys(limits, 0)
    for number, own_decoys in enumerate(found.decoys):
        own = found.group == number
        for name, limit in limits.items():
            passed = scores[own][values[own] <= np.float32(limit)]
            if len(passed):
                counts[name] += int((scores[own] >= passed.min()).sum())
                of_decoys[name] += int((own_decoys.scores.astype(np.float32) >= passed.min()).sum())
    return counts, of_decoys


def _describe_decoys(scanned: Scanned, found: FoundLoci) -> dict[str, Any]:
    counted = {
        "n_scanned": round(sum(scanned.mb.values()) * 1e6),
        "n_candidates": scanned.output.dataset().count_rows(),
        "n_precursors": found.n_precursors,
    }
    return counted | {"by_score": by_score(np.concatenate([each.scores for each in found.decoys])).tolist()}


def loci_sentence(output: Path | str, summary: dict[str, Any]) -> str:
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
