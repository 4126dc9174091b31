"""The loci of a finished scan, found again, and what is made of them."""

import os
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from mirsweep.jobs.loci.second_pass import loci_sentence, second_pass
from mirsweep.jobs.results.dataset import Output, open_output, read_loci
from mirsweep.jobs.results.genomes import open_scanned_genomes
from mirsweep.jobs.results.hold import hold
from mirsweep.jobs.results.messages import say
from mirsweep.jobs.results.run_json import write_run
from mirsweep.jobs.results.stored import changes_output
from mirsweep.scanner.errors import InputError

__all__ = ["loci"]


@changes_output
def loci(output: str | os.PathLike, *, report: bool = True, quiet: bool = False) -> pa.Table:
    """Find the loci of a finished scan (again), and write them into its output.

    Parameters
    ----------
    output
        Output folder of a scan, or address of one in an object store.
    report
        Whether to write the page of the scan anew; without, it is removed, since it tells of the former loci.
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
        genomes = open_scanned_genomes(opened.run["genomes"])
        summary = second_pass(opened.path, _described(opened.path, opened.run), genomes)
        for genome in genomes:
            genome.check_unchanged()
        run = write_run(opened.path, opened.run | {"loci": summary})
        if report:
            from mirsweep.jobs.report.chosen import attention_of
            from mirsweep.jobs.report.report import write_report

            write_report(opened.path, run, partial(attention_of, opened.path))
            write_run(opened.path, run)
    if not quiet:
        say(loci_sentence(opened.path, summary))
    return read_loci(opened.path)


def _described(output: Path, run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What run.json tells of the genomes, with how much was scanned of each."""
    genomes = run["genomes"]
    if len(genomes) == 1:
        return [{"counts": run["counts"], **genomes[0]}]
    if not all("counts" in genome for genome in genomes):
        raise InputError(f"{output}: an older version of mirsweep wrote it, without counts by genome: scan again.")
    return list(genomes)


def _check_calibrated(output: Output) -> None:
    with output.intact():
        first = output.dataset().head(1, columns=["expected_fp_per_mb", "model"]).to_pylist()
    if first and first[0]["expected_fp_per_mb"] is None:
        raise InputError(
            f"{output.path}: the scan's model {first[0]['model']} has no calibration, and the second pass is made for "
            "the genome models: scan with one of them."
        )
