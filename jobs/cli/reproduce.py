"""``mirsweep reproduce``."""

from typing import Any

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.paper.reproduce import FIGURES, TABLES, planned_runs, reproduce

__all__ = ["command"]

SOME_FAILED = 1


def _folds(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of numbers such as 1,2,3.") from None


@click.command(
    "reproduce",
    epilog=options.examples(
        "reproduce --quick --data benchmark -o out",
        "reproduce --table 2 --data benchmark -o out",
    ),
)
@click.option("-o", "--output", required=True, metavar="OUT", help="Folder for training runs and report.")
@click.option("--data", metavar="DIR", help="Folder of the benchmark (or set MIRSWEEP_DATA).")
@click.option("--table", "tables", multiple=True, type=click.Choice(TABLES), help="Only these; can be repeated.")
@click.option("--figure", "figures", multiple=True, type=click.Choice(FIGURES), help="Only these; can be repeated.")
@click.option("--seeds", default=5, show_default=True, metavar="N", help="Training runs of each network for a test.")
@click.option("--fold-seeds", default=1, show_default=True, metavar="N", help="The same for each validation fold.")
@click.option("--epochs", default=150, show_default=True, metavar="N", help="Epochs.")
@click.option("--candidate-epochs", default=25, show_default=True, metavar="N", help="The same for the candidates.")
@click.option("--folds", default="1,2,3,4,5", show_default=True, callback=_folds, metavar="LIST", help="Which folds.")
@click.option("--quick", is_flag=True, help="One seed, one fold, 20 epochs: a look within minutes.")
@click.option("--workers", type=int, metavar="N", help="Training runs at once; as many as there are cores by default.")
@click.option("--device", type=click.Choice(["cpu", "cuda", "auto"]), default="cpu", show_default=True)
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be trained and how far it is; train nothing.")
@click.option("--report-only", is_flag=True, help="Train nothing; report what is there.")
@options.as_json
@options.quiet
def command(
    output: str,
    data: str | None,
    only_plan: bool,
    report_only: bool,
    workers: int | None,
    device: str,
    as_json: bool,
    quiet: bool,
    **asked: Any,
) -> int | None:
    """Train and measure the paper's tables and figures anew.

    Finished training runs in OUT are kept and interrupted ones go on when the same command is given again. Writes
    OUT/accuracy.json, OUT/accuracy.md, pictures, and the scores of every held-out hairpin.
    """
    if only_plan:
        for run, epochs_done, minutes in planned_runs(output=output, **asked):
            state = f"done, {minutes:.1f} min" if minutes is not None else f"{epochs_done} epochs done"
            click.echo(f"{run.id}\t{run.method}\t{run.task}\t{run.seed}\t{state}")
        return None
    where: dict[str, Any] = {"output": output, "data": data, "workers": workers, "device": device, "quiet": quiet}
    report = reproduce(report_only=report_only, **where, **asked)
    if as_json:
        failed = [(run.method, run.task, run.seed, reason) for run, reason in report.failures]
        failures = [dict(zip(("method", "task", "seed", "reason"), each, strict=True)) for each in failed]
        options.print_json({"report": report.output / "accuracy.json", "failures": failures})
    else:
        click.echo(report.output / "accuracy.md")
    for run, reason in report.failures:
        click.echo(f"mirsweep: {run.method}, {run.task}, seed {run.seed} failed: {reason}", err=True)
    return SOME_FAILED if report.failures else None
