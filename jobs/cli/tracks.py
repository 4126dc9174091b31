"""``mirsweep tracks``."""

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.results.messages import say
from mirsweep.jobs.results.tracks import tracks

__all__ = ["command"]


@click.command(
    "tracks",
    epilog=options.examples(
        "tracks out", "tracks out --copy-reference", "tracks out --reference https://my.org/genome.fa.gz"
    ),
)
@click.argument("out", metavar="OUT")
@click.option("--reference", metavar="FILE|ADDRESS", help="The genome for the browsers  [default: the file scanned]")
@click.option("--copy-reference", is_flag=True, help="Write a copy of the genome with its index into OUT.")
@options.as_json
@options.quiet
def command(out: str, reference: str | None, copy_reference: bool, as_json: bool, quiet: bool) -> None:
    """Make the loci ready for the genome browsers IGV and JBrowse 2.

    Writes igv_session.xml and jbrowse.json beside the tracks that a scan leaves. The genome must have an index (.fai,
    of bgzip also .gzi), or be copied.
    """
    if reference is not None and copy_reference:
        raise click.UsageError("--reference and --copy-reference exclude each other: give one.")
    done = tracks(out, reference=reference, copy_reference=copy_reference)
    if as_json:
        options.print_json(done._asdict())
    if not quiet:
        say(f"{done.igv}: open it in IGV. {done.jbrowse}: for JBrowse 2. Both show {done.reference}.")
