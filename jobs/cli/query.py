"""``mirsweep query``."""

from typing import Any

import click
import pyarrow as pa

from mirsweep.jobs.cli import options
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.query import SORTS, Filters, select
from mirsweep.jobs.results.sql import run_sql
from mirsweep.jobs.results.writers import FORMATS, write
from mirsweep.scanner.candidates import SCHEMA

__all__ = ["command"]


@click.command("query")
@click.argument("out", metavar="OUT")
@click.option("--contig", metavar="NAME", help="Only candidates on this contig.")
@click.option(
    "--region",
    metavar="CHR:START-END",
    help="Only candidates that overlap; 1-based, both ends included, as samtools and genome browsers write it.",
)
@click.option("--strand", type=click.Choice(["+", "-"]))
@click.option("--min-score", type=float, metavar="P", help="Lowest score, 0 to 1.")
@options.max_fp_per_mb
@click.option("--max-mfe", type=float, metavar="KCAL", help="Highest minimum free energy, kcal/mol, such as -20.")
@click.option("--min-length", type=int, metavar="NT", help="Shortest candidate.")
@click.option("--max-length", type=int, metavar="NT", help="Longest candidate.")
@click.option("--distinct", is_flag=True, help="Of candidates that overlap on a strand only the best-scored.")
@click.option("--limit", type=int, metavar="N", help="At most so many rows.")
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="position",
    show_default=True,
    help="By place, or the highest score first.",
)
@click.option("--sql", metavar="SELECT", help="Instead of filters: one SELECT for DuckDB over the view candidates.")
@click.option("--format", "file_format", type=click.Choice(list(FORMATS)), default="tsv", show_default=True)
@click.option("-o", "--output", metavar="FILE", help="Write here instead of to standard output; needed for parquet.")
def command(
    out: str,
    distinct: bool,
    limit: int | None,
    sort: str,
    sql: str | None,
    file_format: str,
    output: str | None,
    **filters: Any,
) -> None:
    """Print candidates of a scan, filtered and sorted.

    OUT is the output folder of a scan. Coordinates are 0-based half-open in tsv, json, jsonl, parquet and bed, 1-based
    closed in gff3.
    """
    if file_format == "parquet" and output is None:
        raise click.UsageError("--format parquet needs -o FILE.")
    is_plain = limit is None and sort == "position" and not distinct and all(v is None for v in filters.values())
    if sql is not None and not is_plain:
        raise click.UsageError(
            "--sql cannot go with filters, --distinct, --sort or --limit: write them into the statement."
        )
    opened = open_output(out)
    if sql is not None:
        reader = run_sql(opened, sql)
    else:
        batches = select(opened, Filters(**filters), distinct=distinct, limit=limit, sort=sort)
        reader = pa.RecordBatchReader.from_batches(SCHEMA, batches)
    with options.stdout_or_file(output) as stream:
        write(reader, stream, file_format)
