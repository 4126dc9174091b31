"""``mirsweep annotate``."""

import click

from mirsweep.jobs.annotate.annotate import annotate
from mirsweep.jobs.cli import options

__all__ = ["command"]


@click.command("annotate")
@click.argument("out", metavar="OUT")
@click.option("--mature", multiple=True, metavar="FASTA", help="Known mature sequences, as miRBase's mature.fa.")
@click.option(
    "--hairpin", multiple=True, metavar="FASTA", help="Known precursors: miRBase's hairpin.fa, MirGeneDB's FASTA."
)
@click.option("--known", multiple=True, metavar="GFF3|BED", help="Known precursors of this genome, by their places.")
@click.option("--species", metavar="CODE", help="Put before proposed names, such as cel.")
@click.option(
    "--features", multiple=True, metavar="GFF3|GTF|BED", help="Genes, repeats and others that loci may overlap."
)
@click.option("--exclude", multiple=True, metavar="GFF3|GTF|BED", help="Leave out loci that overlap these by half.")
@options.quiet
def command(
    out: str,
    mature: tuple[str, ...],
    hairpin: tuple[str, ...],
    known: tuple[str, ...],
    species: str | None,
    features: tuple[str, ...],
    exclude: tuple[str, ...],
    quiet: bool,
) -> None:
    """Name the loci of a scan by known miRNAs, and tell what they overlap.

    OUT is the output folder of a scan. Files can be plain or packed, and each option can be repeated. What is found is
    written to OUT/annotation.parquet, and query --loci shows it; it takes the place of what an earlier call found.
    """
    annotate(
        out,
        mature=mature,
        hairpin=hairpin,
        known=known,
        species=species,
        features=features,
        exclude=exclude,
        quiet=quiet,
    )
