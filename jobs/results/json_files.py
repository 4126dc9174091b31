"""JSON that was read from a disk, and is what it should be or refused."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mirsweep.regular import read_regular

__all__ = ["MalformedError", "check_fields", "is_count", "is_list_of", "parse_object", "read_object"]

_LARGEST = 2**63


class MalformedError(ValueError):
    """A content that is no JSON object, or lacks something; the message says what."""


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object of a file.

    Raises
    ------
    OSError
        If the file cannot be read.
    MalformedError
        If it holds something else.
    """
    return parse_object(read_regular(path))


def parse_object(content: bytes) -> dict[str, Any]:
    """The JSON object of a text.

    Raises
    ------
    MalformedError
        If it is something else, nested too deeply, or has a text that is none.
    """
    try:
        found = json.loads(content)
        if b"\\u" in content:
            json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair is no letter
    except (ValueError, RecursionError) as error:
        cause = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise MalformedError(f"no JSON: {cause}") from error
    if not isinstance(found, dict):
        raise MalformedError("no JSON object")
    return found


def check_fields(found: Any, kinds: Mapping[str, type | tuple[type, ...]], *, where: str = "") -> None:
    """Make sure that something is an object that has these fields, each of its kind.

    Raises
    ------
    MalformedError
        If one is missing or of another kind.
    """
    if not isinstance(found, dict):
        raise MalformedError(f"{where or 'it'} is no object")
    for name, kind in kinds.items():
        label = f"{where}.{name}" if where else name
        if name not in found:
            raise MalformedError(f"{label} is missing")
        if not isinstance(found[name], kind) or (isinstance(found[name], bool) and kind is not bool):
            raise MalformedError(f"{label} is {str(found[name])[:40]!r}, which it cannot be")


def is_count(value: Any) -> bool:
    """Whether something is a whole number that counts or places something."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST


def is_list_of(value: Any, *kinds: type) -> bool:
    """Whether something is a list of so many items of these kinds; whole numbers are counts."""
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) == len(kinds)
        and all(is_count(v) if kind is int else isinstance(v, kind) for v, kind in zip(value, kinds, strict=True))
    )
