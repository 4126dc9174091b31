"""``mirsweep status``."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.results.messages import printable
from mirsweep.jobs.scanning.amounts import amount_done, rate_text
from mirsweep.jobs.scanning.status import Status, status

__all__ = ["command"]

_MOST_FAILURES = 10
_REMEDY = {"stopped": "; the same command as before goes on", "running": "", "complete": ""}


@click.command(
    "status",
    epilog=options.examples(
        "status out",
        "status out --json",
    ),
)
@click.argument("out", metavar="OUT")
@options.as_json
@options.no_messages
def command(out: str, as_json: bool) -> None:
    """Tell how far a scan is, from another terminal or on another day.

    OUT is the output folder of a scan that runs, here or on another machine, has stopped, or is complete. Reads a few
    small files and disturbs nothing.
    """
    found = status(out)
    if as_json:
        options.print_json(asdict(found))
        return
    for line in _lines(found):
        click.echo(printable(line))


def _lines(found: Status) -> Iterator[str]:
    who = f" (process {found.pid} on {found.host})" if found.pid is not None else ""
    stage = f", {found.stage}" if found.state == "running" else ""
    yield f"{found.output}: {found.state}{stage}{who}{_REMEDY[found.state]}"
    yield f"scan      {_amount(found)}"
    if found.decoys is not None:
        yield f"decoys    {_amount(found.decoys)}"
    if found.seconds_by_stage:
        times = ", ".join(f"{stage} {_duration(seconds)}" for stage, seconds in found.seconds_by_stage.items())
        yield f"cores     {times}"
    if found.seconds_since_shard is not None and found.state == "running":
        yield f"last      a shard {_duration(found.seconds_since_shard)} before the last sign of life"
    for shard, reason in list(found.failures.items())[:_MOST_FAILURES]:
        yield f"failed    shard {shard}: {reason}"
    if found.n_failed > min(len(found.failures), _MOST_FAILURES):
        yield f"failed    {found.n_failed} shards in all"


def _amount(found: Status) -> str:
    if found.n_bases is None:
        return f"{found.n_shards_done} shards, {found.n_candidates} candidates"
    parts = [
        amount_done(found.n_bases_done, found.n_bases),
        f"{found.n_shards_done} of {found.n_shards} shards" if found.n_shards is not None else "",
        f"{found.n_candidates} candidates",
        rate_text(found.rate, found.n_bases) if found.rate and found.state == "running" else "",
        f"{_duration(found.seconds_left)} left" if found.seconds_left is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else str(timedelta(seconds=round(seconds)))
