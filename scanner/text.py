"""Text files as users have them: plain or packed, any line end, a byte order mark or none, any locale.

Bytes are read as UTF-8 whatever the locale. Bytes that are not UTF-8 are read as Latin-1, one by one, so that every
name is valid text and can be written to Parquet.
"""

import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from mirsweep.scanner.containers import label_of, open_bytes
from mirsweep.scanner.errors import InputError

__all__ = ["BYTE_ORDER_MARK", "decode", "explained", "open_text"]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LATIN_1 = "mirsweep.latin1"


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error(_LATIN_1, _as_latin_1)


def decode(text: bytes) -> str:
    """Bytes of a text file as text: UTF-8, and Latin-1 where they are not."""
    return text.decode("utf-8", errors=_LATIN_1)


@contextmanager
def open_text(path: str | Path, *, wanted: str) -> Iterator[TextIO]:
    r"""Open a text file, plain, gzip, bgzip, bzip2, xz or zstd, or standard input (``-``).

    Lines end in ``\n``, whatever they end in there; a byte order mark is left out.

    Parameters
    ----------
    wanted
        What the file should be, as messages say it: ``"FASTA"``, ``"GFF3 or BED"``.

    Raises
    ------
    InputError
        If the file is missing, unreadable, empty, damaged, or of a kind that is not text.
    """
    path = Path(path)
    with explained(path), open_bytes(path, wanted=wanted).stream as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors=_LATIN_1)
        yield text


@contextmanager
def explained(path: Path, *, advice: str = "check the path and its permissions") -> Iterator[None]:
    """Turn what goes wrong while a file is read or unpacked into one sentence about it, which ends with the advice."""
    label = label_of(path)
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise InputError(f"{label}: the packed data are damaged or cut off ({error}); fetch the file again.") from error
    except OSError as error:
        if error.errno is None:  # bz2 and zstd say so of damaged data
            raise InputError(
                f"{label}: the packed data are damaged or cut off ({error}); fetch the file again."
            ) from error
        place = error.filename or label
        raise InputError(
            f"{label}: could not be opened or unpacked ({error.strerror or error} at {place}); {advice}."
        ) from error
