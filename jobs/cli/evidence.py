"""``mirsweep evidence``."""

import click

from mirsweep.cores import n_cores
from mirsweep.jobs.cli import options
from mirsweep.jobs.evidence.criteria import CRITERIA, VERDICTS
from mirsweep.jobs.evidence.evidence import evidence

__all__ = ["command"]


@click.command(
    "evidence",
    epilog=options.examples(
        "evidence out reads.bam",
        "evidence out brain.bam liver.bam --criteria animal",
        "evidence out --libraries libraries.tsv --workers 8",
        "evidence out reads.bam --rescue rescued.tsv",
        "evidence out reads.cram --reference genome.fa --json",
    ),
)
@click.argument("out", metavar="OUT")
@click.argument("reads", nargs=-1, metavar="[READS.bam ...]")
@click.option("--genome", metavar="NAME", help="Of a scan of several genomes, the one that READS were mapped to.")
@click.option(
    "--libraries", metavar="TSV", help="Table of libraries; columns library, file and, if known, total_reads."
)
@click.option(
    "--criteria",
    type=click.Choice(list(CRITERIA)),
    help="Criteria that reads are judged by  [default: plant if the scan was of plants, else animal]",
)
@click.option("--reference", metavar="FASTA", help="Genome that CRAM files were made with.")
@click.option(
    "--workers", type=int, metavar="N", help="Processes; libraries are counted side by side  [default: cores]"
)
@click.option(
    "--rescue", metavar="FILE.tsv|.parquet", help="Write a table of candidates that are no loci and that reads support."
)
@click.option("--report/--no-report", default=True, help="Renew OUT/report.html, if it is there  [default: renew]")
@options.as_json
@options.quiet
def command(
    out: str,
    reads: tuple[str, ...],
    libraries: str | None,
    criteria: str | None,
    reference: str | None,
    genome: str | None,
    rescue: str | None,
    workers: int | None,
    report: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Count small-RNA reads on the loci of a scan, and judge each locus by published criteria.

    OUT is the output folder of a scan. READS are BAM or CRAM files of small-RNA reads that were mapped to the same
    genome, sorted and indexed, a library each; reads may be collapsed (seq_1_x123). What is found is written to
    OUT/evidence.parquet, and query --loci shows it; it takes the place of what an earlier call found.
    """
    table = evidence(
        out,
        reads,
        libraries=libraries,
        criteria=criteria,
        reference=reference,
        genome=genome,
        rescue=rescue,
        workers=n_cores() if workers is None else workers,
        report=report,
        quiet=quiet,
    )
    if as_json:
        verdicts = table["evidence"].to_pylist()
        counts = {verdict.replace(" ", "_"): verdicts.count(verdict) for verdict in VERDICTS}
        options.print_json({"output": out, "n_loci": table.num_rows} | counts)
