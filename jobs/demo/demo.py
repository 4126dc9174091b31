"""The demonstration: a slice of a real genome, scanned and compared with what is known of it."""

import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from mirsweep._shown import shown
from mirsweep.jobs.report.report import report
from mirsweep.jobs.results.compare import Comparison, compare
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.export import Selection, export, open_compressed
from mirsweep.jobs.results.files import open_atomically
from mirsweep.jobs.results.outputs import here
from mirsweep.jobs.results.query import query
from mirsweep.jobs.scanning.run import ScanReport
from mirsweep.jobs.scanning.scan import scan

__all__ = ["DATA", "KNOWN", "DemoReport", "demo"]

DATA = Path(__file__).parent / "data"
"""The slice and its known loci; see the README there."""
KNOWN = {"MirGeneDB": DATA / "mirgenedb.gff3", "miRBase": DATA / "mirbase.gff3"}
"""Known loci of the slice, by database."""
_N_BEST = 10


@shown("scan", "best", "comparisons", "files")
@dataclass(frozen=True)
class DemoReport:
    """What the demonstration found.

    Attributes
    ----------
    scan
        The scan itself.
    best
        The best loci, highest ``locus_score`` first; of a model without calibration the best candidates, of overlapping
        ones the best.
    comparisons
        By database, the slice's known loci beside the candidates.
    files
        Parquet folder, GFF3 (bgzip) with its tabix index, BED, and the page with the known loci of miRBase that were
        written; no page with a model without calibration.
    """

    scan: ScanReport
    best: pa.Table
    comparisons: dict[str, Comparison]
    files: tuple[Path, ...]


def demo(
    *,
    output: str | os.PathLike = "demo_out",
    model: str | os.PathLike | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> DemoReport:
    """Scan the bundled slice of *C. elegans* chromosome X and compare the candidates with the known loci.

    Parameters
    ----------
    output
        Folder for the results: those of a scan, the candidates as GFF3 and BED, and the page of the scan.
    model
        Name of bundled weights, or path of a weights file; a scan's default if None.
    overwrite
        Replace what is in the output.
    quiet
        No progress on standard error.

    Raises
    ------
    InputError, ModelError
        If the output belongs to another scan or cannot be written, or the model is bad.
    """
    output = here(output)
    done = scan(
        DATA / "slice.fa.gz",
        output=output,
        model=model,
        name="ce2-slice",
        decoys="none",  # the models know this chromosome: the error rate among its loci would say nothing of others
        report=False,
        overwrite=overwrite,
        quiet=quiet,
    )
    has_loci = "loci" in done.run
    pages = [report(output, known=KNOWN["miRBase"])] if has_loci else []
    return DemoReport(
        scan=done,
        best=query(output, loci=has_loci, distinct=True, sort="score", limit=_N_BEST),
        comparisons={name: compare(output, path) for name, path in KNOWN.items()},
        files=(output / "candidates", *_export(output), *pages),
    )


def _export(output: Path) -> list[Path]:
    """All candidates as compressed GFF3 with its index, and as BED."""
    opened, selection = open_output(output), Selection()
    gff3, bed = output / "candidates.gff3.gz", output / "candidates.bed"
    with open_compressed(opened, gff3, "gff3") as stream:
        export(opened, stream, "gff3", selection)
    with open_atomically(bed) as stream:
        export(opened, stream, "bed", selection)
    return [gff3, gff3.with_name(f"{gff3.name}.tbi"), bed]
