"""``mirsweep train``."""

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.sequences.train import train
from mirsweep.jobs.training.adapt import train_on_genome
from mirsweep.scanner.params import PRESETS

__all__ = ["command"]

_PAPER = ("batch_size", "learning_rate", "dropout", "device")
_GENOME = ("start_from", "preset", "examples")


@click.command("train")
@click.argument("positives", metavar="[POS.fa", required=False)
@click.argument("negatives", metavar="NEG.fa]", required=False)
@click.option("--genome", "genomes", multiple=True, metavar="FASTA", help="Adapt to this genome; may be given again.")
@click.option("--known", metavar="GFF3|BED", help="Known precursors of the genome.")
@click.option("-o", "--output", required=True, metavar="MODEL.safetensors", help="Weights file to write.")
@click.option(
    "--epochs", type=click.IntRange(1), metavar="N", help="Passes over the data  [default: 120; with --genome 4]"
)
@click.option("--batch-size", type=click.IntRange(1), metavar="N", help="Hairpins per step  [default: 128]")
@click.option("--learning-rate", type=float, metavar="R", help="Of Adam  [default: 0.001]")
@click.option("--dropout", type=float, metavar="P", help="Rate of dropout  [default: 0.1]")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where to train  [default: auto]")
@click.option("--start-from", metavar="MODEL", help="Genome model to go on from  [default: the preset's]")
@click.option("--preset", type=click.Choice(list(PRESETS)), help="Preset of the scan  [default: animal]")
@click.option(
    "--examples", multiple=True, metavar="PARQUET", help="More pre-miRNAs (mirsweep plant); may be given again."
)
@click.option("--seed", default=0, show_default=True, metavar="N", help="Of initial weights, order and dropout.")
@click.option("--licence", default="not stated", show_default=True, help="Licence of the data, for the model's card.")
@options.quiet
def command(
    positives: str | None,
    negatives: str | None,
    genomes: tuple[str, ...],
    known: str | None,
    output: str,
    epochs: int | None,
    seed: int,
    licence: str,
    quiet: bool,
    **asked: object,
) -> None:
    """Train a network on own data.

    With --genome and --known: adapt a genome model to a species. The genome is scanned; candidates on known precursors
    are learnt against all others. Every fifth block of 500 kb is held out, measures the model before and after, and
    calibrates it.

    With POS.fa (pre-miRNAs) and NEG.fa (other hairpins): the paper's network, from nothing. A training that was
    interrupted goes on when the same command is given again.

    Beside the weights goes a card, MODEL.json.
    """
    given = {name: value for name, value in asked.items() if value not in (None, ())}
    common = {"output": output, "seed": seed, "licence": licence, "quiet": quiet}
    common |= {} if epochs is None else {"epochs": epochs}
    if genomes and known and not positives:
        _refuse(given, _PAPER, "POS.fa and NEG.fa")
        done = train_on_genome(genomes, known, **{_PYTHON.get(k, k): v for k, v in given.items()}, **common)
        if not quiet:
            click.echo(_told(done), err=True)
    elif positives and negatives and not genomes and not known:
        _refuse(given, _GENOME, "--genome and --known")
        report = train(positives, negatives, **given, **common)
        if not quiet:
            click.echo(f"{report.path}: trained, last loss {report.losses[-1]:.4f}", err=True)
    else:
        raise click.UsageError("give either POS.fa and NEG.fa, or --genome and --known.")


_PYTHON = {"examples": "positives"}


def _refuse(given: dict[str, object], others: tuple[str, ...], what: str) -> None:
    wrong = [f"--{name.replace('_', '-')}" for name in others if name in given]
    if wrong:
        raise click.UsageError(f"{', '.join(wrong)} goes with {what} only.")


def _told(done: object) -> str:
    text = f"{done.path}: trained on {done.n_positives} candidates of known precursors and {done.n_negatives} others"
    if not done.held_out:
        return f"{text}; no known precursor is held out to measure it."
    before, after = (done.held_out[f"average_precision_{when}"] for when in ("before", "after"))
    return f"{text}; average precision on the blocks held out {before:.3f} before, {after:.3f} after."
