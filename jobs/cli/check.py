"""``mirsweep check``."""

from typing import Any

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.results.messages import say
from mirsweep.jobs.scanning.check import Checked, check

__all__ = ["command"]


@click.command(
    "check",
    epilog=options.examples(
        "check out",
        "check out --repair",
    ),
)
@click.argument("out", metavar="OUT")
@click.option("--repair", is_flag=True, help="Make anew what is damaged, by scanning the shards concerned again.")
@click.option(
    "--genome",
    "genomes",
    multiple=True,
    metavar="FASTA",
    help="Where a genome is now, if it has moved since the scan; for several, in the order of the scan.",
)
@options.as_json
@options.quiet
@click.pass_context
def command(
    ctx: click.Context, /, out: str, repair: bool, genomes: tuple[str, ...], as_json: bool, quiet: bool
) -> None:
    """Check that the output of a scan is as it was written.

    Prints a line for each file that is damaged or missing: its name, a tab, and what is wrong. The exit code is 1 if
    something is damaged.
    """
    if genomes and not repair:
        raise click.UsageError("--genome is for --repair.", ctx=ctx)
    found = check(out, repair=repair, genomes=genomes, quiet=quiet)
    if as_json:
        options.print_json(_facts(found))
    for each in () if as_json else found.damage:
        click.echo(f"{each.file}\t{each.what}")
    if not quiet:
        say(_sentence(found, repair))
    ctx.exit(0 if found.is_sound else 1)


def _facts(found: Checked) -> dict[str, Any]:
    lists = {"damage": found.damage, "repaired": found.repaired}
    counts = {name: getattr(found, name) for name in ("n_rows", "n_files", "is_complete", "is_sound")}
    return {"output": found.output} | counts | {key: [each._asdict() for each in list_] for key, list_ in lists.items()}


def _sentence(found: Checked, repair: bool) -> str:
    what = f"{found.n_rows} candidates in {found.n_files} parts" + ("" if found.is_complete else ", not complete")
    repaired = f"; made anew: {', '.join(each.file for each in found.repaired)}" if found.repaired else ""
    if found.is_sound:
        return f"{found.output}: sound ({what}){repaired}"
    remedy = "" if repair else "; --repair makes anew what is damaged"
    return f"{found.output}: {len(found.damage)} damaged ({what}){repaired}{remedy}."
