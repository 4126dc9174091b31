"""``mirsweep loci``."""

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.loci.second_pass import loci

__all__ = ["command"]


@click.command("loci")
@click.argument("out", metavar="OUT")
@options.quiet
def command(out: str, quiet: bool) -> None:
    """Find the loci of a finished scan.

    A scan does so at its end. OUT is its output folder; the genome must still be where it was. Writes loci.parquet, and
    the likeliest loci as GFF3, BED, FASTA and TSV.
    """
    loci(out, quiet=quiet)
