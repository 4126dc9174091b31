"""The command ``mirsweep``: finds the subcommand, runs it, and turns errors into sentences and exit codes."""

import gc
import importlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import wraps
from importlib.metadata import version
from typing import Any

import click

from mirsweep._spared import spare
from mirsweep.jobs.cli.streams import forgiving_stderr, open_closed_streams
from mirsweep.jobs.results.messages import printable
from mirsweep.jobs.results.names import did_you_mean
from mirsweep.scanner.errors import InputError

__all__ = ["cli", "main"]

DONE, SOME_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
_LARGEST = 2**63 - 1

COMMANDS = {
    "scan": "Scan genomes for candidate precursor microRNAs.",
    "plan": "Reckon the time, memory and disk that a scan will take.",
    "status": "Tell how far a scan is, from another terminal or on another day.",
    "query": "Print candidates of a scan, filtered and sorted.",
    "loci": "Find the loci of a finished scan.",
    "annotate": "Name the loci of a scan by known miRNAs, and tell what they overlap.",
    "evidence": "Count small-RNA reads on the loci of a scan, and judge each locus by published criteria.",
    "check": "Check that the output of a scan is as it was written.",
    "compare": "Compare a scan with known precursors.",
    "report": "Write one page of a scan, to look at in a web browser.",
    "tracks": "Make the loci ready for the genome browsers IGV and JBrowse 2.",
    "draw": "Draw hairpins of a scan's loci, for papers.",
    "demo": "Scan a bundled slice of a real genome and compare it with the known loci.",
    "score": "Fold and score given sequences, each as one hairpin.",
    "explain": "Show where the model looks in each hairpin.",
    "evaluate": "Measure a model on labelled sequences.",
    "mine": "Mine negatives for training from a finished scan.",
    "plant": "Make training examples of known precursors inserted into genomic sequence.",
    "adapt": "Adapt a genome model to a species.",
    "train": "Train the paper's network on your own data.",
    "reproduce": "Train and measure the paper's tables and figures anew.",
}
"""Subcommands and what ``mirsweep --help`` says of them, so that it imports none; each is the attribute ``command`` of
the module of its name in this package."""
_FOR_MODELS = ("evaluate", "mine", "plant", "adapt", "train", "reproduce")
"""Those that only who builds and measures models needs; help lists them last."""
_NEEDS_AN_END = "_duckdb"
"""A module that complains of what is left of its objects."""


class _Commands(click.Group):
    """Imports a subcommand only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return _checked(importlib.import_module(f"mirsweep.jobs.cli.{cmd_name}").command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            ctx.fail(f"no command {name!r}: {did_you_mean(name, COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, is_for_models in (("Commands", False), ("Commands to build and measure models", True)):
            rows = [(name, what) for name, what in COMMANDS.items() if (name in _FOR_MODELS) == is_for_models]
            with formatter.section(title):
                formatter.write_dl(rows)


def _checked(command: click.Command) -> click.Command:
    """The command, with values refused that are bad for every option.

    An empty one (``-o ""``) comes from an unset variable of a script, and must not mean this folder, or all. A number
    beyond 64 bits fits no column.
    """
    checked, run = copy(command), command.callback
    assert run is not None

    @wraps(run)
    def run_checked(*args: Any, **kwargs: Any) -> Any:
        ctx = click.get_current_context()
        for param in command.params:
            given = ctx.params.get(param.name or "")
            for value in given if isinstance(given, tuple) else (given,):
                if value == "":
                    raise click.BadParameter("is empty: give a value, or leave it out.", ctx=ctx, param=param)
                if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
                    raise click.BadParameter(f"{value} is too large a number.", ctx=ctx, param=param)
        return run(*args, **kwargs)

    checked.callback = run_checked
    return checked


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="mirsweep COMMAND --help tells more, with examples. mirsweep demo is the place to begin.",
)
@click.version_option(version("mirsweep"), prog_name="mirsweep")
def cli() -> None:
    """Scan whole genomes for candidate precursor microRNAs: FASTA in, scored Parquet out."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    0 done, 1 finished but some shards failed, 2 bad usage or bad input, 130 interrupted.
    """
    open_closed_streams()
    if argv is None:
        spare()
    with forgiving_stderr(), _termination_as_interrupt():
        try:
            return cli.main(args=argv, prog_name="mirsweep", standalone_mode=False) or DONE
        except click.Abort as error:
            return _say(_sentence(error.__cause__) or "interrupted.", INTERRUPTED)
        except click.UsageError as error:
            error.show()
            return BAD_INPUT
        except click.ClickException as error:
            return _say(error.format_message(), BAD_INPUT)
        except (InputError, OSError) as error:
            return _say(_sentence(error), BAD_INPUT)
        except ValueError as error:
            if not _is_model_error(error):
                raise
            return _say(_sentence(error), BAD_INPUT)
        finally:
            if argv is None and _NEEDS_AN_END not in sys.modules:
                gc.freeze()  # else Python looks through all that numba holds as it ends, 0.25 s


def _is_model_error(error: ValueError) -> bool:
    """Without importing the model package, which takes long, for commands that need none."""
    module: Any = sys.modules.get("mirsweep.model.errors")
    return module is not None and isinstance(error, module.ModelError)


def _sentence(error: BaseException | None) -> str:
    return " ".join(str(error).split()) if error else ""


def _say(sentence: str, code: int) -> int:
    print(f"mirsweep: {printable(sentence)}", file=sys.stderr)
    return code


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt  # not SIGINT itself, which shells set to be ignored for what runs in the background


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """A termination signal ends a scan as Ctrl-C does, and so does the end of the terminal, unless under ``nohup``."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are not ours to handle
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    ours = [number for number, handler in kept.items() if handler is not signal.SIG_IGN]
    for number in ours:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, kept[number])


if __name__ == "__main__":
    sys.exit(main())
