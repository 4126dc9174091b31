"""``mirsweep loci``."""

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.loci.second_pass import loci
from mirsweep.jobs.results.dataset import open_output

__all__ = ["command"]


@click.command(
    "loci",
    epilog=options.examples(
        "loci out",
    ),
)
@click.argument("out", metavar="OUT")
@options.as_json
@options.quiet
def command(out: str, as_json: bool, quiet: bool) -> None:
    """Find the loci of a finished scan.

    A scan does so at its end. OUT is its output folder; the genome must still be where it was. Writes loci.parquet, and
    the likeliest loci as GFF3, BED, FASTA and TSV.
    """
    loci(out, quiet=quiet)
    if as_json:
        options.print_json((open_output(out).run or {})["loci"])
