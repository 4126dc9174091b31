"""Options and outputs that several subcommands share."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from mirsweep.jobs.files import open_atomically
from mirsweep.jobs.run import ScanReport

__all__ = ["device", "model", "overwrite", "quiet", "say_failures", "stdout_or_file"]

model = click.option(
    "--model", default="paper-cross", show_default=True, help="Bundled model's name, or path of a .safetensors file."
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where the network runs; auto takes a GPU if there is one.",
)
quiet = click.option("--quiet", is_flag=True, help="No progress on standard error.")
overwrite = click.option("--overwrite", is_flag=True, help="Replace what an earlier scan left in OUT.")


def say_failures(report: ScanReport) -> None:
    """Name the shards that failed for good."""
    for failure in report.failures:
        click.echo(f"mirsweep: shard {failure.shard.id} failed: {failure.reason}", err=True)


@contextmanager
def stdout_or_file(path: str | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that appears only when it is whole."""
    if path is not None:
        with open_atomically(Path(path)) as stream:
            yield stream
        return
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `mirsweep query OUT | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
