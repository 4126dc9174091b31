"""Warnings on standard error."""

import sys
from functools import cache

__all__ = ["warn"]


@cache
def warn(sentence: str) -> None:
    """Say it once, however often it is found."""
    print(f"mirsweep: warning: {sentence}", file=sys.stderr)
