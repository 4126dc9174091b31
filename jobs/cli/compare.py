"""``mirsweep compare``."""

import json

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.results.compare import Comparison, compare
from mirsweep.jobs.results.formats.bed import check_contig
from mirsweep.jobs.results.known import PRECURSOR_TYPES
from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.results.names import some

__all__ = ["command", "table"]


@click.command(
    "compare",
    epilog=options.examples(
        "compare out known.gff3 --loci",
        "compare out known.bed --missed",
        "compare out known.gff3 --json",
        "compare out known.gff3 --loci --plot curves.pdf",
    ),
)
@click.argument("out", metavar="OUT")
@click.argument("known", metavar="KNOWN.gff3|.bed")
@click.option("--genome", metavar="NAME", help="Of a scan of several genomes, compare this one only.")
@click.option("--loci", is_flag=True, help="Compare the loci, ranked by their own score, rather than the candidates.")
@click.option("--min-score", type=float, metavar="P", help="Leave out candidates with a lower score.")
@options.max_fp_per_mb
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help=f"GFF3 feature type that means a precursor; can be repeated  [default: {', '.join(PRECURSOR_TYPES)}]",
)
@click.option(
    "--missed", is_flag=True, help="List the loci that no candidate recovers, as BED, instead of the figures."
)
@click.option(
    "--plot", metavar="FILE.svg|.pdf|.png", help="Draw precision by recall, recall by false positives, and error rates."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@options.no_messages
def command(
    out: str,
    known: str,
    genome: str | None,
    loci: bool,
    min_score: float | None,
    max_fp_per_mb: float | str | None,
    types: tuple[str, ...],
    missed: bool,
    plot: str | None,
    as_json: bool,
) -> None:
    """Compare a scan with known precursors.

    A known locus is recovered when a candidate on its strand covers at least 70 % of it and at least 40 % of the
    candidate lies on it. For the ranking, the best-scored candidate of each locus counts as a hit and other candidates
    on it are left out.
    """
    if missed and as_json:
        raise click.UsageError("--missed and --json cannot go together.")
    kinds = types or PRECURSOR_TYPES
    result = compare(
        out, known, genome=genome, min_score=min_score, max_fp_per_mb=max_fp_per_mb, types=kinds, loci=loci, plot=plot
    )
    if result.trained_on:
        contigs = "contig" if len(result.trained_on) == 1 else "contigs"
        warn(
            f"{result.model} was trained on {contigs} {some(result.trained_on)} of this scan: the figures tell how "
            "well it knows that, not what it finds elsewhere."
        )
    if missed:
        for locus in result.missed:
            check_contig(locus.contig)
            name = " ".join(locus.name.split())  # a name from GFF3 may have any letter
            click.echo(f"{locus.contig}\t{locus.start}\t{locus.end}\t{name}\t0\t{locus.strand}")
    else:
        click.echo(json.dumps(result.as_json()) if as_json else table(result))


def table(result: Comparison) -> str:
    """The figures for people."""
    share = 100 * result.n_recovered / result.n_known
    lines = [
        f"known loci           {result.n_known}",
        f"recovered            {result.n_recovered} ({share:.1f} %)",
        f"candidates           {result.n_candidates} ({result.n_candidates / max(result.scanned_mb, 1e-9):.1f} per Mb)",
        f"average precision    {result.average_precision:.4f}",
    ]
    lines += [f"outside the scan     {result.n_outside}"] if result.n_outside else []
    lines += [f"in the top {k:<9} {n}" for k, n in result.top.items()]
    lines += [f"recall at {rate:>4g} FP/Mb {recall:.3f}" for rate, recall in result.recall_at_fp_per_mb.items()]
    return "\n".join([*lines, *([f"model                {result.model}"] if result.model else [])])
