"""``mirsweep check``."""

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.results.messages import say
from mirsweep.jobs.scanning.check import Checked, check

__all__ = ["command"]


@click.command("check")
@click.argument("out", metavar="OUT")
@click.option("--repair", is_flag=True, help="Make anew what is damaged, by scanning the shards concerned again.")
@click.option(
    "--genome",
    "genomes",
    multiple=True,
    metavar="FASTA",
    help="Where a genome is now, if it has moved since the scan; for several, in the order of the scan.",
)
@options.quiet
@click.pass_context
def command(ctx: click.Context, /, out: str, repair: bool, genomes: tuple[str, ...], quiet: bool) -> None:
    """Check that the output of a scan is as it was written.

    Prints a line for each file that is damaged or missing: its name, a tab, and what is wrong. The exit code is 1 if
    something is damaged.
    """
    if genomes and not repair:
        raise click.UsageError("--genome is for --repair.", ctx=ctx)
    found = check(out, repair=repair, genomes=genomes, quiet=quiet)
    for each in found.damage:
        click.echo(f"{each.file}\t{each.what}")
    if not quiet:
        say(_sentence(found, repair))
    ctx.exit(0 if found.is_sound else 1)


def _sentence(found: Checked, repair: bool) -> str:
    what = f"{found.n_rows} candidates in {found.n_files} parts" + ("" if found.is_complete else ", not complete")
    repaired = f"; made anew: {', '.join(each.file for each in found.repaired)}" if found.repaired else ""
    if found.is_sound:
        return f"{found.output}: sound ({what}){repaired}"
    remedy = "" if repair else "; --repair makes anew what is damaged"
    return f"{found.output}: {len(found.damage)} damaged ({what}){repaired}{remedy}."
