"""Sizes and digests of the files of an output, by which damage is told: cheap by size, surely by content."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mirsweep.jobs.results.layout import CONTIGS, INDEX, INDEX_SUFFIXES, LOCI, LOCI_FILES, PLAN, REPORT
from mirsweep.scanner.errors import InputError

__all__ = ["DIGESTED", "check_sizes", "describe_file", "describe_files", "what_differs"]

_INDICES = (f"{name}{end}" for name in LOCI_FILES for end in INDEX_SUFFIXES)
DIGESTED = (PLAN, CONTIGS, INDEX, LOCI, *LOCI_FILES, *_INDICES, REPORT)
"""Files of which run.json has size and digest; those of the part files are in the commit records."""
_READ_BY_QUERIES = (CONTIGS, INDEX, LOCI)


def describe_files(output: Path, names: Sequence[str] = DIGESTED) -> dict[str, dict[str, Any]]:
    """By name size (``bytes``) and ``sha256`` of those of the files that are there."""
    return {name: describe_file(output / name) for name in names if (output / name).is_file()}


def describe_file(path: Path) -> dict[str, Any]:
    """Size (``bytes``) and ``sha256`` (hex) of a file."""
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"bytes": stream.tell(), "sha256": digest}


def what_differs(path: Path, told: Mapping[str, Any]) -> str | None:
    """How a file differs from its size and sha256, in words; None if it does not."""
    try:
        if not path.is_file() and path.exists():
            return "is no file"
        size = path.stat().st_size
        if size != told["bytes"]:
            return f"has {size} bytes instead of {told['bytes']}"
        return None if describe_file(path)["sha256"] == told["sha256"] else "has another content than was written"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def check_sizes(output: Path, run: Mapping[str, Any]) -> None:
    """Make sure that the files that queries read have the sizes that run.json tells; an older one tells none.

    Raises
    ------
    InputError
        If one has another size.
    """
    for name in _READ_BY_QUERIES:
        path, told = output / name, run.get("digests", {}).get(name)
        if told and path.is_file() and path.stat().st_size != told["bytes"]:
            raise InputError(
                f"{path}: damaged: it has {path.stat().st_size} bytes instead of {told['bytes']}; "
                f"mirsweep check {output} --repair makes it anew."
            )
