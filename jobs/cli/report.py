"""``mirsweep report``."""

from typing import Any

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.report.browsers import BROWSERS, DEFAULT_BROWSERS
from mirsweep.jobs.report.report import report
from mirsweep.jobs.results.messages import say

__all__ = ["command"]


@click.command(
    "report",
    epilog=options.examples(
        "report out",
        "report out --known mirbase.gff3 --browser ucsc:ce11 --browser igv",
        "report out --browser 'https://my.org/jbrowse/?loc={contig}:{start}..{end}' -o page.html",
        "report out --multiqc qc/out_mqc.json",
    ),
)
@click.argument("out", metavar="OUT")
@click.option(
    "--known", metavar="GFF3|BED", help="Known precursors: which of them were found, and why others were not."
)
@click.option("--genome", metavar="NAME", help="Of a scan of several genomes, the one that --known belongs to.")
@click.option(
    "--browser",
    "browsers",
    multiple=True,
    metavar="NAME[:ASSEMBLY]|ADDRESS",
    help=f"Link loci to a genome browser: {', '.join(BROWSERS)}, or an address with {{contig}}, {{start}} and {{end}}; "
    f"can be repeated  [default: {', '.join(DEFAULT_BROWSERS)}]",
)
@click.option(
    "--attention/--no-attention",
    default=None,
    help="Shade the bases by the attention of the model that scored them  [default: shade]",
)
@click.option("--afresh", is_flag=True, help="Forget --known, --browser and --no-attention of the page before.")
@click.option("--multiqc", metavar="FILE_mqc.json", help="Also write the numbers of loci as custom content of MultiQC.")
@click.option("-o", "--output", metavar="FILE.html", help="Write here instead of to OUT/report.html.")
@options.as_json
@options.quiet
def command(out: str, browsers: tuple[str, ...], output: str | None, as_json: bool, quiet: bool, **asked: Any) -> None:
    """Write one page of a scan, to look at in a web browser.

    Loci in a table that sorts and filters, each with its hairpin; how many are false; where they lie. The page is one
    file, which opens without a network. What is not given is as it was for the page before.
    """
    path = report(out, path=output, browsers=browsers or None, **asked)
    if as_json:
        options.print_json({"page": path})
    elif not quiet:
        say(f"{path}: open it in a web browser.")
