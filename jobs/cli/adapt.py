"""``mirsweep adapt``."""

from typing import Any

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.training.adapt import BLOCK_NT, Adapted, adapt
from mirsweep.scanner.params import PRESETS

__all__ = ["command"]


@click.command(
    "adapt",
    epilog=options.examples(
        "adapt genome.fa.gz --known known.gff3 -o own.safetensors",
        "adapt --examples positives.parquet --negatives negatives.parquet -o own.safetensors",
    ),
)
@click.argument("genomes", nargs=-1, metavar="[GENOME...]")
@click.option("--known", metavar="GFF3|BED", help="Known precursors of the genome.")
@click.option("-o", "--output", required=True, metavar="MODEL.safetensors", help="Weights file to write.")
@click.option(
    "--examples", multiple=True, metavar="PARQUET", help="Pre-miRNAs from mirsweep plant; may be given again."
)
@click.option(
    "--negatives", multiple=True, metavar="PARQUET", help="Other hairpins from mirsweep mine; may be given again."
)
@click.option("--start-from", metavar="MODEL", help="Genome model to start from  [default: the preset's]")
@click.option(
    "--preset", type=click.Choice(list(PRESETS)), default="animal", show_default=True, help="Preset of the scan."
)
@click.option("--epochs", type=click.IntRange(1), default=4, show_default=True, metavar="N", help="Epochs.")
@click.option(
    "--block-nt",
    type=click.IntRange(1000),
    default=BLOCK_NT,
    show_default=True,
    metavar="NT",
    help="Length of the blocks of genome, every fifth of which is held out.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Random seed.")
@options.device
@click.option("--licence", default="not stated", show_default=True, help="Licence of the data, for the model's card.")
@options.as_json
@options.quiet
def command(genomes: tuple[str, ...], as_json: bool, quiet: bool, **asked: Any) -> None:
    """Adapt a genome model to a species.

    With GENOME and --known the genome is scanned, and the model is trained on known precursors against all others.
    Every fifth block is held out: it measures the model before and after, and calibrates it. --examples and
    --negatives add to what it is trained on.

    With --examples and --negatives alone the model is adapted to those files; every fifth family, and every fifth block
    that negatives were mined from, is held out.

    An interrupted adaptation goes on when the same command is given again. Beside the weights goes a card, MODEL.json.
    """
    done = adapt(genomes, quiet=quiet, **asked)
    if as_json:
        options.print_json({name: value for name, value in done._asdict().items() if name != "card"})
    if not quiet:
        click.echo(_told(done), err=True)


def _told(done: Adapted) -> str:
    text = f"{done.path}: adapted to {done.n_positives} pre-miRNAs and {done.n_negatives} other hairpins"
    if done.held_out:
        before, after = (done.held_out[f"average_precision_{when}"] for when in ("before", "after"))
        text += f"; average precision on what was held out {before:.3f} before, {after:.3f} after"
    else:
        text += "; no pre-miRNA was held out to measure it"
    if "calibration" not in done.card:
        text += (
            "; not calibrated, since the negatives are not all of a scan (mirsweep mine without --hardest, --random)"
        )
    return f"{text}."
