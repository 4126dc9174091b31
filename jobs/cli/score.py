"""``mirsweep score``."""

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.results.outputs import check_file
from mirsweep.jobs.results.writers import write
from mirsweep.jobs.sequences.score import score_batches

__all__ = ["command"]


@click.command(
    "score",
    epilog=options.examples(
        "score hairpins.fa",
        "score hairpins.fa --model paper-cross --json",
        "score - < hairpins.fa",
    ),
)
@click.argument("sequences", metavar="SEQS.fa")
@options.model
@options.device
@click.option("--format", "file_format", type=click.Choice(["tsv", "json", "jsonl"]), default="tsv", show_default=True)
@options.json_format
@options.no_messages
@click.option("-o", "--output", metavar="FILE", help="Write here instead of to standard output.")
def command(sequences: str, model: str, device: str, file_format: str, is_json: bool, output: str | None) -> None:
    """Fold and score given sequences, each as one hairpin.

    Prints a table: id, score (probability of being a pre-miRNA), mfe (kcal/mol), structure, length (nt), what else the
    model predicts, and the model.
    """
    if output is not None:
        check_file(output)
    reader = score_batches(sequences, model=model, device=device)
    with options.stdout_or_file(output) as stream:
        write(reader, stream, "json" if is_json else file_format)
