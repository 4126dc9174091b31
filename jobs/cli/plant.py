"""``mirsweep plant``."""

import click

from mirsweep.jobs.training.plant import KINGDOMS, plant
from mirsweep.scanner.params import PRESETS

__all__ = ["command"]


@click.command("plant")
@click.option("--mirbase", required=True, metavar="TABLE", help="miRBase's precursors, tab-separated.")
@click.option("--mirgenedb", metavar="FASTA", help="MirGeneDB's precursors.")
@click.option(
    "--genome", "genomes", multiple=True, required=True, metavar="FASTA", help="Genome to plant in; may be given again."
)
@click.option("-o", "path", required=True, metavar="FILE.parquet", help="File to write.")
@click.option(
    "--kingdom", "kingdoms", type=click.Choice(KINGDOMS), multiple=True, help="Only these; may be given again."
)
@click.option("--preset", type=click.Choice(list(PRESETS)), default="animal", show_default=True, help="Of the scan.")
@click.option(
    "--without-species", "species", multiple=True, metavar="CODE", help="Leave out, as cel; may be given again."
)
@click.option(
    "--without-family", "families", multiple=True, metavar="NAME", help="Leave out, as mir17; may be given again."
)
@click.option("--seed", default=0, show_default=True, metavar="N", help="Of places and basal stems.")
def command(**asked: object) -> None:
    """Plant known precursors in a genome and take what a scan finds there as training examples.

    A precursor cut at its record's ends could be told from a genome's hairpins by its length alone. Planted between
    150 nt of genome, found, cut and folded by the scanner, it is what a scan would see. For mirsweep train --positives.
    """
    n_found, n_known = plant(**asked)
    click.echo(f"{asked['path']}: {n_found} of {n_known} precursors found.", err=True)
