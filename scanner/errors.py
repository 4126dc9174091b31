"""The one exception that stands for a user's mistake."""

__all__ = ["InputError", "cause_of", "quoted"]


class InputError(ValueError):
    """Bad input: one sentence that names the file, the record and the remedy.

    The command line prints the sentence and exits with code 2; it never shows a traceback for it.
    """


_MOST_LETTERS = 100
"""Of a name that a message quotes: a damaged file may have names as long as a page."""


_MOST_OF_CAUSE = 200
"""Letters of a library's message that ours quote."""


def cause_of(error: BaseException, otherwise: str = "no message") -> str:
    """The first line of an error's message as ours quote it; what else to say where it has none.

    >>> cause_of(OSError("no route   to host\\nsecond line")), cause_of(OSError(), "OSError")
    ('no route to host', 'OSError')
    """
    return " ".join((str(error).splitlines() or [otherwise])[0].split())[:_MOST_OF_CAUSE]


def quoted(name: str) -> str:
    """A name of a file's record as messages show it.

    >>> quoted("chr1"), len(quoted("A" * 9000))
    ("'chr1'", 105)
    """
    return repr(name) if len(name) <= _MOST_LETTERS else f"{name[:_MOST_LETTERS]!r}..."
