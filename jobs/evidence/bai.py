"""BAI indices of BAM files, checked before they are used: they have no checksum, and htslib trusts them."""

import struct
from pathlib import Path

import numpy as np

from mirsweep.scanner.errors import InputError

__all__ = ["check_bai"]

_MAGIC = b"BAI\1"
_META_BIN = 37450
"""Bin of the numbers of reads, not of places; the highest that there is."""
_BEYOND = "it tells of places beyond the end of the file: that is cut short, or another"
_COUNT, _BIN = struct.Struct("<i"), struct.Struct("<Ii")


class _DamagedError(ValueError):
    """The index is not as the format has it."""


def check_bai(bam: Path) -> None:
    """Make sure that the BAI of a BAM file, if it has one, is whole, and speaks of places within the file.

    Indices of other kinds (CSI, CRAI) are packed, with a checksum.

    Raises
    ------
    InputError
        If it is damaged.
    """
    for path in (Path(f"{bam}.bai"), bam.with_suffix(".bai")):
        if path.is_file():
            try:
                _check(path.read_bytes(), bam.stat().st_size)
            except (_DamagedError, struct.error) as error:
                why = error if isinstance(error, _DamagedError) else "it is cut short"
                raise InputError(f"{path}: does not fit {bam} ({why}): samtools index {bam} makes it anew.") from error
            return


def _check(content: bytes, bam_bytes: int) -> None:
    if content[:4] != _MAGIC:
        raise _DamagedError("it does not begin as a BAI")
    (n_contigs,) = _COUNT.unpack_from(content, 4)
    at = 8
    for _ in range(n_contigs):
        at = _check_bins(content, at, bam_bytes)
        (n_windows,) = _COUNT.unpack_from(content, at)
        offsets, at = _offsets(content, at + 4, n_windows)
        if (offsets >> 16 > bam_bytes).any():
            raise _DamagedError(_BEYOND)
    if n_contigs < 0 or len(content) - at not in (0, 8):
        raise _DamagedError("it has not the length that it tells")


def _check_bins(content: bytes, at: int, bam_bytes: int) -> int:
    """Check the bins of a contig; returns where they end."""
    (n_bins,) = _COUNT.unpack_from(content, at)
    at += 4
    seen: set[int] = set()
    for _ in range(n_bins):
        number, n_chunks = _BIN.unpack_from(content, at)
        offsets, at = _offsets(content, at + _BIN.size, 2 * n_chunks)
        if number > _META_BIN or number in seen or n_chunks < 0:
            raise _DamagedError("it has a bin that cannot be")
        seen.add(number)
        if number == _META_BIN:
            if n_chunks != 2:
                raise _DamagedError("it has a bin that cannot be")
            offsets = offsets[:2]
        if (offsets[::2] > offsets[1::2]).any() or (offsets >> 16 > bam_bytes).any():
            raise _DamagedError(_BEYOND)
    return at


def _offsets(content: bytes, at: int, n: int) -> tuple[np.ndarray, int]:
    """Offsets, uint64, shape (n,), and where they end."""
    end = at + 8 * n
    if n < 0 or end > len(content):
        raise _DamagedError("it is cut short")
    return np.frombuffer(content, np.dtype("<u8"), n, at), end
