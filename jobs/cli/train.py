"""``mirsweep train``."""

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.training import train

__all__ = ["command"]


@click.command("train")
@click.argument("positives", metavar="POS.fa")
@click.argument("negatives", metavar="NEG.fa")
@click.option("-o", "--output", required=True, metavar="MODEL.safetensors", help="Weights file to write.")
@click.option("--epochs", default=120, show_default=True, metavar="N", help="Passes over the data.")
@click.option("--batch-size", default=128, show_default=True, metavar="N", help="Hairpins per step.")
@click.option("--learning-rate", default=1e-3, show_default=True, metavar="R", help="Of Adam.")
@click.option("--dropout", default=0.1, show_default=True, metavar="P", help="Rate of dropout.")
@click.option("--seed", default=0, show_default=True, metavar="N", help="Of initial weights, order and dropout.")
@options.device
@click.option("--licence", default="not stated", show_default=True, help="Licence of the data, for the model's card.")
@options.quiet
def command(quiet: bool, **asked: object) -> None:
    """Train the paper's network on own sequences.

    POS.fa holds pre-miRNAs, NEG.fa other hairpins. Beside the weights goes a card, MODEL.json. A training that was
    interrupted goes on when the same command is given again.
    """
    report = train(quiet=quiet, **asked)
    if not quiet:
        click.echo(f"{report.path}: trained, last loss {report.losses[-1]:.4f}", err=True)
