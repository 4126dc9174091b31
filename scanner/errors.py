"""The one exception that stands for a user's mistake."""

__all__ = ["InputError", "quoted"]


class InputError(ValueError):
    """Bad input: one sentence that names the file, the record and the remedy.

    The command line prints the sentence and exits with code 2; it never shows a traceback for it.
    """


_MOST_LETTERS = 100
"""Of a name that a message quotes: a damaged file may have names as long as a page."""


def quoted(name: str) -> str:
    """A name of a file's record as messages show it.

    >>> quoted("chr1"), len(quoted("A" * 9000))
    ("'chr1'", 105)
    """
    return repr(name) if len(name) <= _MOST_LETTERS else f"{name[:_MOST_LETTERS]!r}..."
