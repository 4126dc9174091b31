"""``mirsweep demo``."""

import os
from pathlib import Path

import click
import pyarrow as pa

from mirsweep.jobs.cli import options
from mirsweep.jobs.demo.demo import KNOWN, DemoReport, demo

__all__ = ["command"]


@click.command(
    "demo",
    epilog=options.examples(
        "demo",
        "demo -o somewhere --json",
    ),
)
@click.option("-o", "--output", default="demo_out", show_default=True, metavar="OUT", help="Folder for the results.")
@options.scan_model
@options.overwrite
@options.as_json
@options.quiet
@click.pass_context
def command(ctx: click.Context, output: str, model: str | None, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Scan a bundled slice of a real genome and compare it with the known loci.

    The slice is 1.8 Mb of C. elegans chromosome X. Writes a Parquet dataset, GFF3 with its tabix index,
    BED, and a page to look at in a web browser.
    """
    report = demo(output=output, model=model, overwrite=overwrite, quiet=quiet)
    options.say_failures(report.scan)
    if as_json:
        compared = {name: found.as_json() for name, found in report.comparisons.items()}
        options.print_json(options.scan_facts(report.scan) | {"compared": compared, "files": report.files})
    else:
        click.echo(_text(report))
    ctx.exit(1 if report.scan.failures else 0)


def _text(report: DemoReport) -> str:
    megabases = report.scan.run["counts"]["n_bases"] / 1e6
    lines = [
        f"{report.scan.n_candidates} candidate pre-miRNAs in {megabases:.1f} Mb of C. elegans chromosome X,",
        f"scored by {report.scan.run['model']['label']}. The best{_what(report)}:",
        "",
        *_best(report.best),
        "",
    ]
    for name, result in report.comparisons.items():
        lines.append(f"{result.n_recovered} of {result.n_known} known loci of {name} are among the candidates.")
    lines += ["", "Written:", *(f"  {path}" for path in report.files), "", "Next:", *_next(report)]
    return "\n".join(lines)


def _what(report: DemoReport) -> str:
    if "loci" not in report.scan.run:
        return ""
    knows = any(each.trained_on for each in report.comparisons.values())
    learnt = " (the model was trained on this chromosome)" if knows else ""
    return f" of {report.scan.run['loci']['n_loci']} loci{learnt}"


def _best(best: pa.Table) -> list[str]:
    header = f"{'contig':<22} {'start':>9} {'end':>9}  {'':1} {'score':>6} {'mfe':>7} {'nt':>4}  sequence"
    lines = [header]
    score = "locus_score" if "locus_score" in best.schema.names else "score"
    for row in best.to_pylist():
        length = row["end"] - row["start"]
        lines.append(
            f"{row['contig']:<22} {row['start']:>9} {row['end']:>9}  {row['strand']} {row[score]:>6.4f} "
            f"{row['mfe']:>7.1f} {length:>4}  {row['sequence']}"
        )
    return lines


def _next(report: DemoReport) -> list[str]:
    out = report.scan.output
    return [
        f"  mirsweep query {out} --loci --balanced --sort score --limit 20",
        f"  mirsweep compare {out} {_short(KNOWN['MirGeneDB'])}",
        "  mirsweep scan your_genome.fa.gz -o your_out",
    ]


def _short(path: Path) -> str:
    """The path as one would type it from here."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)
