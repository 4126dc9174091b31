"""``mirsweep train``."""

from typing import Any

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.sequences.train import train

__all__ = ["command"]


@click.command(
    "train",
    epilog=options.examples(
        "train positives.fa negatives.fa -o own.safetensors",
    ),
)
@click.argument("positives", metavar="POS.fa", required=False)
@click.argument("negatives", metavar="NEG.fa", required=False)
@click.option("-o", "--output", required=True, metavar="MODEL.safetensors", help="Weights file to write.")
@click.option("--epochs", type=click.IntRange(1), default=120, show_default=True, metavar="N", help="Epochs.")
@click.option(
    "--batch-size", type=click.IntRange(1), default=128, show_default=True, metavar="N", help="Hairpins per step."
)
@click.option("--learning-rate", type=float, default=1e-3, show_default=True, metavar="R", help="Of Adam.")
@click.option("--dropout", type=float, default=0.1, show_default=True, metavar="P", help="Rate of dropout.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Random seed.")
@click.option("--genome", multiple=True, hidden=True)
@click.option("--known", hidden=True)
@options.device
@click.option("--licence", default="not stated", show_default=True, help="Licence of the data, for the model's card.")
@options.as_json
@options.quiet
def command(
    positives: str | None,
    negatives: str | None,
    genome: tuple[str, ...],
    known: str | None,
    as_json: bool,
    quiet: bool,
    **asked: Any,
) -> None:
    """Train the paper's network on your own data.

    POS.fa holds pre-miRNAs, NEG.fa other hairpins. A training run that was interrupted goes on when the same command is
    given again. Beside the weights goes a card, MODEL.json. To adapt a genome model to a species: mirsweep adapt.
    """
    if genome or known:
        raise click.UsageError(
            "train is for the paper's network; adapt a genome model with: mirsweep adapt GENOME --known KNOWN -o MODEL."
        )
    if positives is None or negatives is None:
        raise click.UsageError("give POS.fa (pre-miRNAs) and NEG.fa (other hairpins).")
    report = train(positives, negatives, quiet=quiet, **asked)
    if as_json:
        options.print_json({"path": report.path, "losses": report.losses})
    if not quiet:
        click.echo(f"{report.path}: trained, last loss {report.losses[-1]:.4f}", err=True)
