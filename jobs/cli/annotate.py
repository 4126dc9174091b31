"""``mirsweep annotate``."""

import json

import click

from mirsweep.jobs.annotate.annotate import annotate
from mirsweep.jobs.annotate.completeness import Completeness, FoundFamily, completeness, read_families
from mirsweep.jobs.cli import options
from mirsweep.jobs.results.messages import say

__all__ = ["command"]


@click.command(
    "annotate",
    epilog=options.examples(
        "annotate out --mature mature.fa --hairpin hairpin.fa --species xyz",
        "annotate out --features genes.gff3 --features repeats.bed.gz --exclude trnas.bed",
        "annotate out --genome other_out --groups groups.tsv",
        "annotate out --families families.tsv --clade Metazoa --json",
    ),
)
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
@click.option(
    "--genome", multiple=True, metavar="OTHER_OUT", help="Scan of another genome; loci that are alike are grouped."
)
@click.option(
    "--groups", metavar="FILE.tsv|.parquet", help="With --genome: write a table of the groups, one row a group."
)
@click.option("--families", metavar="TSV", help="Print which of these families were found; columns family and clade.")
@click.option("--clade", multiple=True, metavar="NAME", help="With --families: only families of this clade.")
@click.option("--report/--no-report", default=True, help="Renew OUT/report.html, if it is there  [default: renew]")
@click.option("--json", "as_json", is_flag=True, help="With --families: print JSON rather than a table.")
@options.quiet
def command(
    out: str,
    mature: tuple[str, ...],
    hairpin: tuple[str, ...],
    known: tuple[str, ...],
    species: str | None,
    features: tuple[str, ...],
    exclude: tuple[str, ...],
    genome: tuple[str, ...],
    groups: str | None,
    families: str | None,
    clade: tuple[str, ...],
    report: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Name the loci of a scan by known miRNAs, and tell what they overlap.

    OUT is the output folder of a scan. Files can be plain or packed, and each option can be repeated. What is found is
    written to OUT/annotation.parquet, and query --loci shows it; it takes the place of what an earlier call found.
    --families prints which conserved families were found; alone, by the names that are there.
    """
    if families is None and (clade or as_json):
        raise click.UsageError("--clade and --json are for --families.")
    if families is not None:
        read_families(families, clade)  # what is wrong with it is told before the work
    if families is None or any((mature, hairpin, known, features, exclude, genome, groups)):
        annotate(
            out,
            mature=mature,
            hairpin=hairpin,
            known=known,
            species=species,
            features=features,
            exclude=exclude,
            genome=genome,
            groups=groups,
            report=report,
            quiet=quiet,
        )
    if families is not None:
        found = completeness(out, families, clade=clade)
        click.echo(json.dumps(found.as_json()) if as_json else _table(found))
        if not quiet:
            say(_sentence(found))


def _table(found: Completeness) -> str:
    rows = [FoundFamily._fields, *found.families]
    return "\n".join("\t".join("" if value is None else str(value) for value in row) for row in rows)


def _sentence(found: Completeness) -> str:
    missing = f"; missing: {', '.join(found.missing)}" if found.missing else ""
    return f"{found.n_found} of {len(found.families)} conserved families found (score {found.score:.1f}){missing}"
