"""``mirsweep mine``."""

from typing import Any

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.results.messages import say
from mirsweep.jobs.training.mine import mine

__all__ = ["command"]


@click.command(
    "mine",
    epilog=options.examples(
        "mine out --known known.gff3 -o negatives.parquet",
        "mine out --known known.gff3 --hardest 20000 --random 20000 -o negatives.parquet",
    ),
)
@click.argument("output", metavar="OUT")
@click.option("--known", multiple=True, required=True, metavar="GFF3|BED", help="Known precursors; may be given again.")
@click.option("-o", "path", required=True, metavar="FILE.parquet", help="File to write.")
@click.option("--hardest", type=click.IntRange(0), metavar="N", help="Take the N with the highest scores.")
@click.option("--random", type=click.IntRange(0), metavar="N", help="Take N more at random.")
@click.option(
    "--region", metavar="CONTIG[:START-END]", help="Only candidates that start there; 1-based, both ends included."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Random seed.")
@options.as_json
@options.quiet
def command(known: tuple[str, ...], as_json: bool, quiet: bool, **asked: Any) -> None:
    """Mine negatives for training from a finished scan.

    Takes the candidates of OUT that lie further than 100 nt from every known precursor: all of them, or the
    hardest for the model that scored them and others at random. For mirsweep adapt --negatives.
    """
    mined = mine(known=known, **asked)
    if as_json:
        options.print_json(mined._asdict())
    if not quiet:
        told = f"{mined.n_rows} of {mined.n_candidates} candidates; {mined.n_near} lie near known precursors"
        say(f"{mined.path}: {told}.")
