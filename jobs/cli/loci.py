"""``mirsweep loci``."""

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.scanning.loci_again import loci

__all__ = ["command"]


@click.command(
    "loci",
    epilog=options.examples(
        "loci out",
        "loci out --no-report",
    ),
)
@click.argument("out", metavar="OUT")
@options.report
@options.as_json
@options.quiet
def command(out: str, report: bool, as_json: bool, quiet: bool) -> None:
    """Find the loci of a finished scan.

    A scan does so at its end. OUT is its output folder; the genome must still be where it was. Writes loci.parquet, and
    the likeliest loci as GFF3, BED, FASTA and TSV, and the page of the scan.
    """
    loci(out, report=report, quiet=quiet)
    if as_json:
        options.print_json((open_output(out).run or {})["loci"])
