"""``mirsweep plan``."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta

import click

from mirsweep.jobs.cli import options
from mirsweep.jobs.scanning.decoys import MOST_NT
from mirsweep.jobs.scanning.plan import Plan, plan
from mirsweep.scanner.params import PRESETS

__all__ = ["command"]


@click.command(
    "plan",
    epilog=options.examples(
        "plan genome.fa.gz",
        "plan genome.fa.gz --cores 64 --price 0.04",
        "plan *.fa.gz --preset plant --decoys none --json",
    ),
)
@click.argument("genomes", nargs=-1, required=True, metavar="GENOME...")
@click.option("--cores", type=int, metavar="N", help="Cores that the scan will have  [default: as scan takes here]")
@click.option("--gpus", type=int, default=0, metavar="M", help="GPUs that will score.")
@click.option("--price", type=float, metavar="X", help="What a core hour costs, in any currency.")
@click.option("--preset", type=click.Choice(list(PRESETS)), default="animal", show_default=True, help="As in scan.")
@options.scan_model
@click.option("--decoys", default=str(MOST_NT), show_default=True, metavar="NT|none", help="As in scan.")
@options.as_json
@options.no_messages
def command(
    genomes: tuple[str, ...],
    cores: int | None,
    gpus: int,
    price: float | None,
    preset: str,
    model: str | None,
    decoys: str,
    as_json: bool,
) -> None:
    """Reckon the time, memory and disk that a scan will take.

    Scans some stretches of the genomes on this machine, which takes some seconds, and reckons the rest from them.
    """
    found = plan(genomes, cores=cores, gpus=gpus, model=model, preset=preset, decoys=decoys)
    if as_json:
        cost = {} if price is None else {"cost": price * found.core_hours}
        options.print_json(asdict(found) | {"core_hours": found.core_hours} | cost)
        return
    for line in _lines(found, price):
        click.echo(line)


def _lines(found: Plan, price: float | None) -> Iterator[str]:
    decoys = f", and {found.n_decoys / 1e6:.1f} Mb of decoys" if found.n_decoys else ""
    yield f"genomes     {found.n_bases / 1e6:.1f} Mb{decoys}"
    yield f"candidates  about {float(f'{found.n_candidates:.2g}'):,.0f}"
    stages = ", ".join(
        f"{stage} {_duration(seconds)}" for stage, seconds in found.core_seconds.items() if seconds >= 0.5
    )
    yield f"core time   {_duration(sum(found.core_seconds.values()))}: {stages}"
    gpus = f" and {found.gpus} GPUs, taken to keep up" if found.gpus else ""
    yield f"time        {_duration(found.seconds)} on {_cores(found.cores)}{gpus}"
    yield f"memory      {found.memory_mb / 1000:.1f} GB"
    yield f"disk        {found.disk_mb:.0f} MB"
    if price is not None:
        yield f"cost        {price * found.core_hours:.2f} for {found.core_hours:.2f} core hours"
    yield (
        f"from        {found.n_sampled / 1e6:.1f} Mb, scanned here on {_cores(found.sample_workers)} in "
        f"{found.sample_seconds:.0f} s"
    )


def _cores(n: int) -> str:
    return "1 core" if n == 1 else f"{n} cores"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else str(timedelta(seconds=round(seconds)))
