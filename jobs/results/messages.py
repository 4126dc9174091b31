"""Messages on standard error, which never end what they tell of."""

import logging
import sys
from contextlib import suppress
from functools import cache

__all__ = ["call", "named", "printable", "say", "warn", "warn_once"]

_NAMES: dict[str, str] = {}
"""By folder what messages call it."""

_log = logging.getLogger("mirsweep")
_log.addHandler(logging.NullHandler())  # what is said stands on standard error already


def say(line: str) -> None:
    """Print a line on standard error; nothing happens where that is closed or full. It goes to the log, too."""
    _log.info("%s", printable(line))
    with suppress(OSError, ValueError):
        print(printable(line), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """The text with what steers a terminal spelled out: names of contigs and files may hold anything.

    >>> printable("contig \\x1b[2J")
    'contig \\x1b[2J'
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in named(text))


def call(folder: str, name: str) -> None:
    """Let messages call a folder by another name: a copy by that of which it is one."""
    _NAMES[folder] = name


def named(text: str) -> str:
    """The text with folders called by their other names."""
    for folder, name in _NAMES.items():
        text = text.replace(folder, name)
    return text


def warn(sentence: str) -> None:
    """Print a warning."""
    say(f"mirsweep: warning: {sentence}")


@cache
def warn_once(sentence: str) -> None:
    """Print a warning the first time only, however often it is due."""
    warn(sentence)
