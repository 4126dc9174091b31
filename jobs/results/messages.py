"""Messages on standard error, which never end what they tell of."""

import sys
from contextlib import suppress

__all__ = ["say", "warn"]


def say(line: str) -> None:
    """Print a line on standard error; nothing happens where that is closed or full."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def warn(sentence: str) -> None:
    """Print a warning."""
    say(f"mirsweep: warning: {sentence}")
