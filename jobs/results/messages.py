"""Messages on standard error, which never end what they tell of."""

import sys
from contextlib import suppress
from functools import cache

__all__ = ["say", "warn", "warn_once"]


def say(line: str) -> None:
    """Print a line on standard error; nothing happens where that is closed or full."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def warn(sentence: str) -> None:
    """Print a warning."""
    say(f"mirsweep: warning: {sentence}")


@cache
def warn_once(sentence: str) -> None:
    """Print a warning the first time only, however often it is due."""
    warn(sentence)
