"""Figures of matplotlib that are the same each time they are made, as SVG, PDF or PNG."""

import io
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.results.outputs import check_file
from mirsweep.scanner.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["INK", "PICTURES", "check_picture", "new_figure", "save"]

PICTURES = (".svg", ".pdf", ".png")
"""Endings of the formats."""
INK = "#222222"
_DPI = 200
_SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "svg.fonttype": "none",  # text stays text, which can be searched and edited
    "svg.hashsalt": "mirsweep",
    "pdf.fonttype": 42,
    "text.parse_math": False,
}
_UNDATED: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
    ".png": {"Software": "mirsweep"},
}


def check_picture(picture: str | os.PathLike) -> Path:
    """Check that a picture can be written, before it is made.

    Raises
    ------
    InputError
        If its name ends in none of ``PICTURES``, or the place cannot be written.
    """
    path = Path(picture)
    if path.suffix.lower() not in PICTURES:
        raise InputError(f"{path}: the ending says the format: choose one of {', '.join(PICTURES)}.")
    return check_file(path.with_suffix(path.suffix.lower()) if path.suffix != path.suffix.lower() else path)


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure, inches, on white."""
    from matplotlib.figure import Figure

    with _settings():
        return Figure(figsize=(width, height), facecolor="white")


def save(path: Path, figures: Iterable["Figure"]) -> None:
    """Write figures: of a PDF a page each, else the only one.

    Raises
    ------
    InputError
        If the place cannot be written.
    """
    content = io.BytesIO()
    with _settings():
        if path.suffix == ".pdf":
            from matplotlib.backends.backend_pdf import PdfPages

            with PdfPages(content, metadata=_UNDATED[".pdf"]) as pages:
                for figure in figures:
                    pages.savefig(figure)
        else:
            (figure,) = figures
            figure.savefig(content, format=path.suffix[1:], dpi=_DPI, metadata=_UNDATED[path.suffix])
    write_atomically(path, content.getvalue())


@contextmanager
def _settings() -> Iterator[None]:
    """Matplotlib's own settings, whatever the user's file of them says, and ours."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # of a contig's name
        matplotlib.rcdefaults()
        own: Any = matplotlib.rcParams  # whose keys are literals to mypy
        own.update(_SETTINGS)
        yield
