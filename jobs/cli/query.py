"""``mirsweep query``."""

import sys
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, BinaryIO

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.results.dataset import Output, open_loci, open_output
from mirsweep.jobs.results.export import Selection, export, open_compressed
from mirsweep.jobs.results.formats.table import COLUMNS as TABLE_COLUMNS
from mirsweep.jobs.results.formats.table import LOCI_COLUMNS
from mirsweep.jobs.results.messages import say
from mirsweep.jobs.results.outputs import here
from mirsweep.jobs.results.query import SORTS, Filters
from mirsweep.jobs.results.writers import FORMATS

__all__ = ["command"]


@click.command(
    "query",
    epilog=options.examples(
        "query out --loci --balanced --sort score",
        "query out --loci --format gff3 --compress -o loci.gff3.gz",
        "query out --region chr1:1,000,000-2,000,000 --min-score 0.9",
        "query out --sql 'SELECT contig, count(*) FROM loci GROUP BY contig'",
    ),
)
@click.argument("out", metavar="OUT")
@click.option("--genome", metavar="NAME", help="Only candidates of this genome, in a scan of several.")
@click.option("--contig", metavar="NAME", help="Only candidates on this contig.")
@click.option(
    "--region",
    metavar="CHR:START-END",
    help="Only candidates that overlap; 1-based, both ends included, as samtools and genome browsers write it.",
)
@click.option("--strand", type=click.Choice(["+", "-"]))
@click.option("--min-score", type=float, metavar="P", help="Lowest score, 0 to 1.")
@options.max_fp_per_mb
@click.option("--max-q", type=float, metavar="Q", help="With --loci: highest q-value, the share of false ones.")
@click.option("--max-mfe", type=float, metavar="KCAL", help="Highest minimum free energy, kcal/mol, such as -20.")
@click.option("--min-length", type=int, metavar="NT", help="Shortest candidate.")
@click.option("--max-length", type=int, metavar="NT", help="Longest candidate.")
@click.option("--loci", is_flag=True, help="The loci rather than the candidates; scores are then those of the loci.")
@click.option("--excluded", is_flag=True, help="With those loci that annotate --exclude left out.")
@click.option("--distinct", is_flag=True, help="Of candidates that overlap on a strand only the best-scored.")
@click.option("--limit", type=int, metavar="N", help="At most so many rows.")
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="position",
    show_default=True,
    help="By place, or the highest score first; of loci also by score and reads together (posterior).",
)
@click.option(
    "--sql", metavar="SELECT", help="Instead of filters: one SELECT for DuckDB over the views candidates and loci."
)
@click.option("--columns", metavar="A,B,C", help="Only these columns, in this order; not for gff3, bed and fasta.")
@click.option(
    "--format", "file_format", type=click.Choice(list(FORMATS)), help="tsv by default; on a terminal a table."
)
@click.option("-o", "--output", metavar="FILE", help="Write here instead of to standard output; needed for parquet.")
@options.json_format
@click.option("--quiet", is_flag=True, help="Nothing but warnings on standard error.")
@click.option("--compress", is_flag=True, help="With -o FILE.gz: gff3 or bed in bgzip, and a tabix index beside it.")
def command(
    out: str,
    distinct: bool,
    limit: int | None,
    sort: str,
    columns: str | None,
    sql: str | None,
    file_format: str | None,
    output: str | None,
    compress: bool,
    loci: bool,
    excluded: bool,
    is_json: bool,
    quiet: bool,
    **filters: Any,
) -> None:
    """Print candidates of a scan, filtered and sorted.

    OUT is the output folder of a scan. Coordinates are 0-based half-open, and 1-based closed in gff3. gff3 and bed come
    by position, whatever the order asked for. autosql describes the columns of bed6+.
    """
    is_plain = limit is None and sort == "position" and not distinct and all(v is None for v in filters.values())
    if sql is not None and not (is_plain and columns is None and not loci):
        raise click.UsageError(
            "--sql cannot go with filters, --loci, --distinct, --sort, --limit or --columns: write them into the "
            "statement."
        )
    if is_json:
        file_format = "json"
    chosen = file_format or ("table" if output is None and sys.stdout and sys.stdout.isatty() else "tsv")
    _check_place(chosen, output, compress)
    names = None if columns is None else [name.strip() for name in columns.split(",")]
    selection = Selection(Filters(**filters), distinct=distinct, limit=limit, sort=sort, columns=names, sql=sql)
    if excluded and not loci and sql is None:
        raise click.UsageError("--excluded is for --loci and --sql.")
    opened = open_loci(out, excluded=excluded) if loci else replace(open_output(out), has_excluded=excluded)
    with _open(opened, chosen, output, compress) as stream:
        export(opened, stream, chosen, selection)
    if chosen != file_format and chosen == "table" and names is None and sql is None and not quiet:
        shown = len(LOCI_COLUMNS if loci else TABLE_COLUMNS)
        say(f"mirsweep: {shown} of {len(opened.schema.names)} columns; --columns chooses, --format tsv prints all.")


def _check_place(file_format: str, output: str | None, compress: bool) -> None:
    """Refuse files that would not be what their names say."""
    if FORMATS[file_format].is_binary and output is None:
        raise click.UsageError(f"--format {file_format} needs -o FILE.")
    if compress and output is None:
        raise click.UsageError("--compress needs -o FILE.gz: the index stands beside the file.")
    if output is not None and output.endswith((".gz", ".bgz")) and not compress:
        remedy = "add --compress" if FORMATS[file_format].tabix else "leave the ending off, or pipe through gzip"
        raise click.UsageError(f"{output} would not be compressed: {remedy}.")


def _open(opened: Output, file_format: str, output: str | None, compress: bool) -> AbstractContextManager[BinaryIO]:
    if compress and output is not None:
        return open_compressed(opened, here(output), file_format)
    return options.stdout_or_file(output)
