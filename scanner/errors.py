"""The one exception that stands for a user's mistake."""

__all__ = ["InputError"]


class InputError(ValueError):
    """Bad input: one sentence that names the file, the record and the remedy.

    The command line prints the sentence and exits with code 2; it never shows a traceback for it.
    """
