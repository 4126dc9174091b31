"""``mirsweep plant``."""

from typing import Any

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.results.messages import say
from mirsweep.jobs.training.plant import plant
from mirsweep.jobs.training.precursors import KINGDOMS
from mirsweep.scanner.params import PRESETS

__all__ = ["command"]


@click.command(
    "plant",
    epilog=options.examples(
        "plant --mirbase mirbase.tsv --genome genome.fa --without-species cel -o positives.parquet",
    ),
)
@click.option("--mirbase", required=True, metavar="TABLE", help="miRBase's precursors, tab-separated.")
@click.option("--mirgenedb", metavar="FASTA", help="MirGeneDB's precursors.")
@click.option(
    "--genome",
    "genomes",
    multiple=True,
    required=True,
    metavar="FASTA",
    help="Genome to insert into; may be given again.",
)
@click.option("-o", "path", required=True, metavar="FILE.parquet", help="File to write.")
@click.option(
    "--kingdom", "kingdoms", type=click.Choice(KINGDOMS), multiple=True, help="Only these; may be given again."
)
@click.option(
    "--preset", type=click.Choice(list(PRESETS)), default="animal", show_default=True, help="Preset of the scan."
)
@click.option("--without-species", multiple=True, metavar="CODE", help="Leave out, as cel; may be given again.")
@click.option(
    "--without-family",
    "without_families",
    multiple=True,
    metavar="NAME",
    help="Leave out, as mir17; may be given again.",
)
@click.option(
    "--antisense", metavar="FILE.parquet", help="File to write the hairpins on the precursors' other strand to."
)
@click.option(
    "--in-place/--elsewhere",
    default=True,
    show_default=True,
    help="Where precursors of the genome itself go: where they are, or into random places.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Random seed.")
@options.as_json
@options.quiet
def command(as_json: bool, quiet: bool, **asked: Any) -> None:
    """Make training examples of known precursors inserted into genomic sequence.

    A precursor that ends where its record ends could be told from a genome's hairpins by its length alone. Inserted
    between 150 nt of genome, and found, bounded and folded by the scanner, it is what a scan would see. One that stands
    in the genome itself stays there. For mirsweep adapt --examples; the file of --antisense is for --negatives.
    """
    done = plant(**asked)
    message = f"{done.path}: {done.n_found} of {done.n_inserted} precursors found, as {done.n_rows} candidates"
    if done.n_in_place:
        message += f"; {done.n_in_place} were left where they are in the genome"
    if asked["antisense"] is not None:
        message += f"; {asked['antisense']}: {done.n_antisense} candidates on the other strand"
    if done.n_wrong_strand:
        message += f"; left out {done.n_wrong_strand} records that are the other strand of better known ones"
    if as_json:
        options.print_json(done._asdict())
    if not quiet:
        say(f"{message}.")
