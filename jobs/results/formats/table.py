"""A table to read, as wide as the terminal."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa

from mirsweep.jobs.results.formats.rows import plain_rows

__all__ = ["COLUMNS", "LOCI_COLUMNS", "write_table"]

COLUMNS = ("contig", "start", "end", "strand", "score", "expected_fp_per_mb", "mfe", "mature", "sequence")
"""Columns of a scan that are shown if none are asked for."""
LOCI_COLUMNS = (
    *("contig", "start", "end", "strand", "locus_score", "q_value", "fp_per_mb", "copies", "similar_to"),
    *("cluster_size", "score", "mature", "sequence"),
)
"""The same of loci."""
_PAGE_ROWS = 1000
"""Rows whose columns are made equally wide; each page has its header."""
_NARROWEST = 12
"""Text is not cut shorter than this."""
_GAP = 2
_CUT = ".."
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def write_table(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """Aligned columns; on a terminal, text is cut in its middle until lines fit, and numbers never are."""
    from rich.console import Console  # is slow to import, and only needed here

    console = Console(force_terminal=stream.isatty())  # does not print: rich ends the program at a broken pipe
    width = console.width if console.is_terminal else None
    before, after = (_BOLD, _PLAIN) if console.color_system and not console.no_color else ("", "")
    is_text = [not (pa.types.is_integer(kind) or pa.types.is_floating(kind)) for kind in reader.schema.types]
    rows = ([_shown(value) for value in row.values()] for row in plain_rows(reader))
    for page in _pages(rows):
        header, *lines = _aligned([reader.schema.names, *page], is_text, width)
        stream.write("\n".join([before + header + after, *lines, ""]).encode())


def _pages(rows: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    """At least one page, which may be empty."""
    yield list(islice(rows, _PAGE_ROWS))
    while page := list(islice(rows, _PAGE_ROWS)):
        yield page


def _shown(value: Any) -> str:
    """Four significant digits are enough to look at."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())


def _aligned(rows: list[list[str]], is_text: list[bool], width: int | None) -> list[str]:
    from rich.cells import cell_len, set_cell_size

    sizes = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    if width is not None:
        sizes = _fitting(sizes, is_text, width)
    lines = []
    for row in rows:
        cells = [
            set_cell_size(_shortened(cell, size), size) if text else " " * (size - cell_len(cell)) + cell
            for cell, size, text in zip(row, sizes, is_text, strict=True)
        ]
        lines.append((" " * _GAP).join(cells).rstrip())
    return lines


def _fitting(sizes: list[int], is_text: list[bool], width: int) -> list[int]:
    """Take from the widest text until the line fits."""
    sizes = list(sizes)
    excess = sum(sizes) + _GAP * (len(sizes) - 1) - width
    while excess > 0:
        widest = max((k for k, text in enumerate(is_text) if text), key=lambda k: sizes[k], default=None)
        if widest is None or sizes[widest] <= _NARROWEST:
            break
        sizes[widest] -= 1
        excess -= 1
    return sizes


def _shortened(text: str, size: int) -> str:
    """The text, or its beginning and its end with dots between."""
    from rich.cells import cell_len

    if cell_len(text) <= size:
        return text
    kept = size - len(_CUT)
    return text[: kept - kept // 2] + _CUT + text[len(text) - kept // 2 :]
