"""``mirsweep evaluate``."""

import json

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.sequences.train import evaluate

__all__ = ["command"]


@click.command(
    "evaluate",
    epilog=options.examples(
        "evaluate positives.fa negatives.fa --model paper-cross",
    ),
)
@click.argument("positives", metavar="POS.fa")
@click.argument("negatives", metavar="NEG.fa")
@options.model
@options.device
@click.option("--json", "as_json", is_flag=True, help="Print the measures as JSON.")
@options.no_messages
def command(positives: str, negatives: str, model: str, device: str, as_json: bool) -> None:
    """Measure a model on labelled sequences.

    POS.fa holds pre-miRNAs, NEG.fa other hairpins. SE, SP, PPV, F and g_mean are at the score 0.5.
    """
    measures = evaluate(positives, negatives, model=model, device=device)._asdict()
    if as_json:
        click.echo(json.dumps(measures))
        return
    for name, value in measures.items():
        click.echo(f"{name:<8}{value:.4f}" if isinstance(value, float) else f"{name:<8}{value}")
