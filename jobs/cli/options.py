"""Options and outputs that several subcommands share."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from mirsweep.jobs.results.files import open_atomically
from mirsweep.jobs.results.layout import FAILED_GENOMES
from mirsweep.jobs.results.messages import named
from mirsweep.jobs.results.outputs import here
from mirsweep.jobs.results.query import FP_PRESETS, Q_PRESETS
from mirsweep.model.defaults import DEFAULT_MODEL, default_model
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.params import PRESETS

if TYPE_CHECKING:
    from mirsweep.jobs.scanning.run import ScanReport

__all__ = [
    "Renamed",
    "as_json",
    "device",
    "examples",
    "json_format",
    "max_fp_per_mb",
    "model",
    "no_messages",
    "overwrite",
    "print_json",
    "quiet",
    "report",
    "say_failures",
    "scan_device",
    "scan_facts",
    "scan_model",
    "stdout_or_file",
]


class Renamed(click.Option):
    """An option that also answers to its former spellings, which help and messages do not show.

    Parameters
    ----------
    former
        The former spellings, which are among the declarations too.
    """

    def __init__(self, *declarations: Any, former: Sequence[str], **settings: Any):
        super().__init__(*declarations, **settings)
        self.former = tuple(former)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """What ``--help`` says of it."""
        return click.Option.get_help_record(self._as_it_is_called_now(), ctx)

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """How messages name it."""
        return click.Option.get_error_hint(self._as_it_is_called_now(), ctx)

    def _as_it_is_called_now(self) -> "Renamed":
        shown = copy(self)
        shown.opts = [option for option in self.opts if option not in self.former]
        shown.secondary_opts = [option for option in self.secondary_opts if option not in self.former]
        return shown


def _default_models() -> str:
    """The default of each preset, in words."""
    usual = DEFAULT_MODEL
    others = {preset: default_model(preset) for preset in PRESETS if default_model(preset) != usual}
    return "; ".join([usual, *(f"{preset} {name}" for preset, name in others.items())])


model = click.option(
    "--model", default=DEFAULT_MODEL, show_default=True, help="Bundled model's name, or path of a .safetensors file."
)
scan_model = click.option(
    "--model", help=f"Bundled model's name, or path of a .safetensors file  [default: {_default_models()}]"
)
_device = partial(
    click.option, "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True
)
device = _device(help="Where the network runs; auto takes a GPU if there is one.")
scan_device = _device(help="Where the network runs; auto takes GPUs if they fold, too, or if Ray has some.")
quiet = click.option("--quiet", is_flag=True, help="No progress on standard error.")
no_messages = click.option(
    "--quiet", is_flag=True, expose_value=False, help="As for other commands: nothing but warnings on standard error."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON, on one line.")
json_format = click.option("--json", "is_json", is_flag=True, help="The same as --format json.")
report = click.option(
    "--report/--no-report", default=True, help="Write OUT/report.html, to look at in a web browser  [default: write]"
)
overwrite = click.option("--overwrite", is_flag=True, help="Replace what an earlier scan left in OUT.")


def max_fp_per_mb(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --max-fp-per-mb and its presets; it is called with ``max_fp_per_mb``, one of them or None."""

    @wraps(command)
    def with_one_limit(*args: Any, max_fp_per_mb: float | None, **asked: Any) -> Any:
        given: list[float | str] = [] if max_fp_per_mb is None else [max_fp_per_mb]
        given += [preset for preset in FP_PRESETS if asked.pop(preset)]
        if len(given) > 1:
            raise click.UsageError(f"--max-fp-per-mb, --{' and --'.join(FP_PRESETS)} exclude each other: give one.")
        return command(*args, max_fp_per_mb=given[0] if given else None, **asked)

    for preset, limit in reversed(FP_PRESETS.items()):
        text = f"The same as --max-fp-per-mb {limit:g}; of loci a q-value of {Q_PRESETS[preset]:g} if there are decoys."
        with_one_limit = click.option(f"--{preset}", is_flag=True, help=text)(with_one_limit)
    return click.option(
        "--max-fp-per-mb",
        type=float,
        metavar="X",
        help="Only candidates with at most X expected false positives per Mb.",
    )(with_one_limit)


def examples(*lines: str) -> str:
    """The end of a command's help: what one would type."""
    return "\b\nExamples:\n" + "\n".join(f"  mirsweep {line}" for line in lines)


def print_json(facts: Mapping[str, Any]) -> None:
    """Print facts on one line of standard output."""
    click.echo(json.dumps(facts, default=lambda value: named(str(value))))


def scan_facts(report: "ScanReport") -> dict[str, Any]:
    """What ``--json`` tells of a scan."""
    return {
        "output": report.output,
        "n_candidates": report.n_candidates,
        "n_shards": report.n_shards,
        "n_shards_resumed": report.n_resumed,
        "failures": [
            {"shard": each.shard.id, "reason": each.reason, "pieces": each.shard.pieces} for each in report.failures
        ],
        "failed_genomes": [{"genome": each.name, "reason": each.reason} for each in report.failed_genomes],
        "seconds": report.run["seconds"]["wall"],
        "loci": report.run.get("loci"),
    }


def say_failures(report: "ScanReport") -> None:
    """Name the genomes that could not be read, and the shards that failed for good."""
    if report.failed_genomes:
        n_failed, place = len(report.failed_genomes), report.output / FAILED_GENOMES
        click.echo(f"mirsweep: {n_failed} genomes could not be read and are left out: {place} names them", err=True)
    for failure in report.failures:
        click.echo(f"mirsweep: {failure.shard.where} failed: {failure.reason}", err=True)


@contextmanager
def stdout_or_file(path: str | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that appears only when it is whole."""
    if path is not None:
        with open_atomically(here(path)) as stream:
            yield stream
        return
    if sys.stdout is None:
        raise InputError("standard output is closed: give -o FILE, or let the output go somewhere.")
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `mirsweep query OUT | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
