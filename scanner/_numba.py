"""One place for numba's settings: where compiled kernels are cached and how kernels are declared."""

import os
import tempfile
from pathlib import Path

import numba


def _cache_folder() -> Path:
    """Folder for compiled kernels, outside site-packages so that an uninstall leaves nothing stale behind."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(base) / "mirsweep" / f"numba-{numba.__version__}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(tempfile.gettempdir()) / f"mirsweep-numba-{numba.__version__}-{os.getuid()}"


if "NUMBA_CACHE_DIR" not in os.environ:
    numba.config.CACHE_DIR = str(_cache_folder())  # type: ignore[attr-defined]  # numba makes its settings at run time

kernel = numba.njit(cache=True, nogil=True)
"""Decorator of every kernel: compiled once, cached, and run without the interpreter lock."""

__all__ = ["kernel"]
