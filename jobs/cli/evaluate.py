"""``mirsweep evaluate``."""

import json

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.results.messages import warn
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
    found = evaluate(positives, negatives, model=model, device=device)
    if found.n_trained_on:
        warn(
            f"{found.model} was trained on {found.n_trained_on} of these {found.n_pos + found.n_neg} sequences: on "
            "those the figures tell what it knows, not how it does on others."
        )
    measures = {name: value for name, value in found._asdict().items() if as_json or value is not None}
    if as_json:
        click.echo(json.dumps(measures))
        return
    for name, value in measures.items():
        click.echo(f"{name:<14}{value:.4f}" if isinstance(value, float) else f"{name:<14}{value}")
