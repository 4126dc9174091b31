"""The one exception of this package that stands for a user's mistake."""

__all__ = ["ModelError"]


class ModelError(ValueError):
    """Bad input or a bad weights file: one sentence that names the file or the record and the remedy."""
