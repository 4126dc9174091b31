"""bgzip files with their tabix index."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal, cast

from mirsweep.jobs.results.files import cannot_write, is_folder
from mirsweep.scanner.errors import InputError

__all__ = ["CSI_FROM_NT", "SUFFIX", "Preset", "check_name", "open_indexed"]

Preset = Literal["gff", "bed"]
"""tabix's name of a format."""

SUFFIX = ".gz"
"""How names of bgzip files end: tabix and genome browsers know them by it."""
CSI_FROM_NT = 2**29
"""Contigs longer than this do not fit a .tbi index and get a .csi."""


@contextmanager
def open_indexed(path: Path, preset: Preset, *, longest_nt: int) -> Iterator[BinaryIO]:
    """Open a bgzip file for writing; at the end it is indexed, and both appear whole or not at all.

    Parameters
    ----------
    path
        Ends in ``.gz``; the index stands beside it, with ``.tbi`` or ``.csi`` appended.
    preset
        ``gff`` or ``bed``.
    longest_nt
        Length of the longest contig: more than ``CSI_FROM_NT`` needs a .csi.

    Raises
    ------
    InputError
        If the place cannot be written or is full, or tabix refuses the lines; nothing is left behind.
    """
    import pysam  # takes 0.1 s, and is needed here only

    if path.is_dir():
        raise is_folder(path)
    kind, other = (".csi", ".tbi") if longest_nt > CSI_FROM_NT else (".tbi", ".csi")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp{SUFFIX}")
    index = Path(f"{temporary}{kind}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with pysam.BGZFile(str(temporary), "wb", index=None) as stream:
            yield cast(BinaryIO, stream)
        pysam.tabix_index(str(temporary), preset=preset, force=True, keep_original=True, csi=kind == ".csi")
        for written in (temporary, index):
            _flush(written)
        os.replace(temporary, path)
        os.replace(index, f"{path}{kind}")
        Path(f"{path}{other}").unlink(missing_ok=True)  # of an earlier file; readers would take it for this one's
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        for left in (temporary, index):
            with suppress(OSError):
                left.unlink()


def check_name(path: Path) -> None:
    """Refuse a name that readers would not know for bgzip.

    Raises
    ------
    InputError
        If it does not end in ``.gz``.
    """
    if path.suffix != SUFFIX:
        raise InputError(f"{path}: a bgzip file needs a name that ends in {SUFFIX}, as {path.name}{SUFFIX}.")


def _flush(path: Path) -> None:
    with open(path, "rb") as stream:
        os.fsync(stream.fileno())
