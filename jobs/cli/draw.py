"""``mirsweep draw``."""

from typing import Any

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.report.draw import MOST_DRAWN, draw

__all__ = ["command"]


@click.command(
    "draw",
    epilog=options.examples(
        "draw out --top 10 -o best.pdf",
        "draw out --locus chrX:101-190:+ -o hairpin.svg",
    ),
)
@click.argument("out", metavar="OUT")
@click.option("--locus", multiple=True, metavar="ID", help="Draw this locus, chrX:101-190:+; can be repeated.")
@click.option("--top", type=int, metavar="N", help=f"Draw the N best loci, {MOST_DRAWN} at most  [default: 1]")
@click.option("--genome", metavar="NAME", help="Of a scan of several genomes, loci of this one only.")
@click.option(
    "--attention/--no-attention",
    default=True,
    show_default=True,
    help="Shade the bases by the attention of the model that scored them.",
)
@click.option("-o", "--output", required=True, metavar="FILE.svg|.pdf|.png", help="The picture.")
@options.as_json
@options.no_messages
def command(out: str, output: str, as_json: bool, **asked: Any) -> None:
    """Draw hairpins of a scan's loci, for papers.

    The hairpin with the sequences of both arms, where the network looks, coordinates, score and energy. A PDF has a
    page a hairpin; SVG and PNG have one below the other.
    """
    path = draw(out, output, **asked)
    if as_json:
        options.print_json({"picture": path})
