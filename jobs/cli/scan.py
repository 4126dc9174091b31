"""``mirsweep scan``."""

from pathlib import Path
from typing import Any

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.cli.logs import logged
from mirsweep.jobs.loci.second_pass import loci_sentence
from mirsweep.jobs.results.layout import REPORT
from mirsweep.jobs.results.object_store import is_store
from mirsweep.jobs.scanning.decoys import MOST_NT
from mirsweep.jobs.scanning.opening import DECOY_GROUPS
from mirsweep.jobs.scanning.scan import scan
from mirsweep.jobs.scanning.shards import SHARD_NT
from mirsweep.scanner.params import ENGINES, PRESETS, STEM_FILTERS

__all__ = ["command"]


@click.command(
    "scan",
    epilog=options.examples(
        "scan genome.fa.gz -o out",
        "scan genome.fa --preset plant -o out",
        "scan genome.fa.gz --contig 'chr?' --exclude-contig chrM -o out",
        "scan one.fa two.fa.gz --workers 16 -o out",
        "scan --manifest viruses.tsv --preset virus --decoy-group all -o out",
    ),
)
@click.argument("genomes", nargs=-1, metavar="GENOME...")
@click.option(
    "--manifest",
    metavar="FILE",
    help="Instead of GENOME, a table of genomes: name, path and maybe group, by tabs.",
)
@click.option("-o", "--output", required=True, metavar="OUT", help="Folder for the results.")
@options.scan_model
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="animal",
    show_default=True,
    help="What the options from --min-span to --stem-filter are when not given.",
)
@click.option("--min-span", type=int, metavar="NT", help="Shortest hairpin  [default: 45]")
@click.option("--max-span", type=int, metavar="NT", help="Longest hairpin, without flanks  [default: 150; plant 384]")
@click.option(
    "--per-nt", type=float, metavar="KCAL", help="Penalty on length, kcal/mol per nt  [default: 0.15; plant 0.25]"
)
@click.option(
    "--threshold",
    type=float,
    metavar="KCAL",
    help="Energy threshold, penalties included, kcal/mol; lower gives fewer  [default: -7.5; plant -2; virus -6]",
)
@click.option(
    "--long-span", type=int, metavar="NT", help="A hairpin longer than this pays ...  [default: 95; plant 130]"
)
@click.option("--long-penalty", type=float, metavar="KCAL", help="... so much more, kcal/mol  [default: 8; plant 5]")
@click.option(
    "--nested/--no-nested",
    "--alternatives/--no-alternatives",
    "nested",
    cls=options.Renamed,
    former=("--alternatives", "--no-alternatives"),
    default=None,
    help="Keep hairpins nested in longer ones, or only the better of the two  [default: nested; plant no-nested]",
)
@click.option("--flank", type=int, metavar="NT", help="Bases added to a hairpin on each side  [default: 0; plant 8]")
@click.option(
    "--stem-filter",
    type=click.Choice(STEM_FILTERS),
    help="Which stems pass before and after folding  [default: animal; plant plant; virus none]",
)
@click.option("--strand", type=click.Choice(["both", "+", "-"]), default="both", show_default=True)
@click.option(
    "--fold-engine",
    "--folder",
    "fold_engine",
    cls=options.Renamed,
    former=("--folder",),
    type=click.Choice(ENGINES),
    default="batch",
    show_default=True,
    help="What folds hairpins; vienna is RNAfold's own, slower.",
)
@click.option("--name", metavar="NAME", help="Name of the assembly in the results  [default: the file's name]")
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="CHR:START-END",
    help="Only hairpins that start here; 1-based, both ends included, or a whole contig. Can be repeated.",
)
@click.option(
    "--regions",
    "bed_files",
    multiple=True,
    metavar="BED",
    help="Only hairpins that start in these intervals (0-based half-open), plain or gzip. Can be repeated.",
)
@click.option(
    "--contig",
    "contigs",
    multiple=True,
    metavar="NAME",
    help="Only this contig, or a pattern: 'chr?'. Can be repeated.",
)
@click.option(
    "--exclude-contig",
    "exclude_contigs",
    multiple=True,
    metavar="NAME",
    help="Not this contig, or a pattern: 'chrUn_*'. Can be repeated.",
)
@click.option("--min-contig", type=int, default=0, metavar="NT", help="Leave out shorter contigs.")
@click.option(
    "--decoys",
    default=str(MOST_NT),
    show_default=True,
    metavar="NT|none",
    help="Most bases of the genome read backwards to scan beside it, which tell the error rate of the loci.",
)
@click.option(
    "--decoy-group",
    type=click.Choice(DECOY_GROUPS),
    help="Of several genomes, whose decoys tell the error rates  [default: the manifest's groups; else each its own]",
)
@click.option("--workers", type=int, metavar="N", help="Most shards that are worked on at once  [default: all CPUs]")
@click.option("--local/--ray", default=None, help="In this process, or on Ray  [default: this machine's cores]")
@options.scan_device
@click.option(
    "--shard-nt", type=int, metavar="NT", help=f"Bases in a unit of work and of resume  [default: {SHARD_NT}]"
)
@click.option(
    "--loci/--no-loci", default=True, help="Find the loci at the end, or leave that to mirsweep loci  [default: find]"
)
@options.report
@options.overwrite
@click.option("--log", metavar="FILE", help="Append what happens to each shard to this file.")
@options.as_json
@options.quiet
@click.pass_context
def command(
    ctx: click.Context,
    /,
    genomes: tuple[str, ...],
    regions: tuple[str, ...],
    bed_files: tuple[str, ...],
    log: str | None,
    as_json: bool,
    quiet: bool,
    **asked: Any,
) -> None:
    """Scan genomes for candidate precursor microRNAs.

    GENOME is a FASTA file, plain or packed, a pipe, or - for standard input. OUT becomes a Parquet dataset of
    candidates with run.json beside it. A scan that was interrupted goes on when the same command is given again.
    """
    with logged(log):
        report = scan(genomes, regions=(*regions, *map(Path, bed_files)), quiet=quiet, **asked)
    options.say_failures(report)
    if not quiet:
        seconds = report.run["seconds"]["wall"]
        place = asked["output"].rstrip("/") if is_store(asked["output"]) else report.output
        click.echo(f"{report.n_candidates} candidates in {place} ({seconds:.1f} s)", err=True)
        if REPORT in report.run.get("digests", {}):
            click.echo(f"{place}/{REPORT}: to look at in a web browser", err=True)
        if "loci" in report.run:
            click.echo(loci_sentence(place, report.run["loci"]), err=True)
    if as_json:
        options.print_json(options.scan_facts(report))
    ctx.exit(1 if report.failures or report.failed_genomes else 0)
