"""The command ``mirsweep``: finds the subcommand, runs it, and turns errors into sentences and exit codes."""

import importlib
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import click

from mirsweep.scanner.errors import InputError

__all__ = ["cli", "main"]

DONE, SOME_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

COMMANDS = {
    "scan": "Scan genomes for candidate precursor microRNAs.",
    "query": "Print candidates of a scan, filtered and sorted.",
    "compare": "Compare a scan with known precursors.",
    "demo": "Scan a bundled slice of a real genome and compare it with the known loci.",
    "score": "Fold and score given sequences, each as one hairpin.",
    "explain": "Show where the model looks in each hairpin.",
    "evaluate": "Measure a model on labelled sequences.",
    "mine": "Mine negatives for training from a finished scan.",
    "plant": "Plant known precursors in a genome and take what a scan finds there as training examples.",
    "train": "Train a network on own data.",
    "reproduce": "Train and measure the paper's tables and figures anew.",
}
"""Subcommands and what ``mirsweep --help`` says of them, so that it imports none; each is the attribute ``command`` of
the module of its name in this package."""


class _Commands(click.Group):
    """Imports a subcommand only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"mirsweep.jobs.cli.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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
    with _termination_as_interrupt():
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


def _is_model_error(error: ValueError) -> bool:
    """Without importing the model package, which takes long, for commands that need none."""
    module: Any = sys.modules.get("mirsweep.model.errors")
    return module is not None and isinstance(error, module.ModelError)


def _sentence(error: BaseException | None) -> str:
    return " ".join(str(error).split()) if error else ""


def _say(sentence: str, code: int) -> int:
    print(f"mirsweep: {sentence}", file=sys.stderr)
    return code


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt  # not SIGINT itself, which shells set to be ignored for what runs in the background


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """A termination signal ends a scan as Ctrl-C does; not where signals are not ours to handle."""
    try:
        kept = signal.signal(signal.SIGTERM, _interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, kept)


if __name__ == "__main__":
    sys.exit(main())
