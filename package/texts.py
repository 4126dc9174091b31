"""Many short strings as one array of letters, as kernels read them: no Python object for each."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, overload

import numpy as np

__all__ = ["Texts", "texts_of"]


class Texts(Sequence[str]):
    """Strings of ASCII letters end to end; a sequence of ``str`` for whoever wants one.

    Parameters
    ----------
    letters
        All letters, uint8, shape (t,); a letter outside ASCII is "?".
    offsets
        Where each string begins, and the end; int64, shape (n + 1,).
    """

    __slots__ = ("letters", "offsets")

    def __init__(self, letters: np.ndarray, offsets: np.ndarray):
        self.letters, self.offsets = letters, offsets

    @classmethod
    def from_arrow(cls, column: Any) -> "Texts":
        """The strings of a pyarrow array or chunked array, none of them null; those of one chunk are not copied."""
        import pyarrow as pa

        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if not len(array):
            return texts_of([])
        wide = array.cast(pa.large_string())
        _, offsets, letters = wide.buffers()
        bounds = np.frombuffer(offsets, np.int64)[wide.offset : wide.offset + len(wide) + 1]
        text = np.empty(0, np.uint8) if letters is None else np.frombuffer(letters, np.uint8)
        return cls(text[bounds[0] : bounds[-1]], bounds - bounds[0])

    def to_arrow(self) -> Any:
        """The strings as a pyarrow array of type string."""
        import pyarrow as pa

        offsets = pa.py_buffer(self.offsets.astype(np.int32))
        return pa.StringArray.from_buffers(len(self), offsets, pa.py_buffer(np.ascontiguousarray(self.letters)))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "Texts": ...
    def __getitem__(self, index: int | slice) -> "str | Texts":
        if isinstance(index, slice):
            first, last, step = index.indices(len(self))
            if step != 1:
                return self.take(np.arange(first, last, step))
            offsets = self.offsets[first : max(first, last) + 1]
            return Texts(self.letters[offsets[0] : offsets[-1]], offsets - offsets[0])
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        start, end = self.offsets[index % len(self) :][:2]
        return self.letters[start:end].tobytes().decode("ascii", "replace")

    def __iter__(self) -> Iterator[str]:
        text = self.letters.tobytes().decode("ascii", "replace")
        bounds = self.offsets.tolist()
        return (text[start:end] for start, end in pairwise(bounds))

    @property
    def lengths(self) -> np.ndarray:
        """Length of each string, int64, shape (n,)."""
        return np.diff(self.offsets)

    def take(self, rows: np.ndarray) -> "Texts":
        """The strings at some indices, int64, shape (m,)."""
        lengths = self.lengths[rows]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return Texts(self.letters[np.repeat(self.offsets[:-1][rows], lengths) + within], offsets)


def texts_of(strings: Sequence[str]) -> Texts:
    """Strings as such; as they are if they are such already."""
    if isinstance(strings, Texts):
        return strings
    offsets = np.zeros(len(strings) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, strings), np.int64, len(strings)), out=offsets[1:])
    return Texts(np.frombuffer("".join(strings).encode("ascii", "replace"), np.uint8), offsets)
