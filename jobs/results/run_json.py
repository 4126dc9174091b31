"""What a complete scan says of itself."""

import json
from pathlib import Path
from typing import Any

from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.results.layout import RUN
from mirsweep.scanner.errors import InputError

__all__ = ["read_run", "write_run"]


def read_run(path: Path) -> dict[str, Any] | None:
    """Content of run.json; None where the scan is not complete.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    try:
        run = json.loads((path / RUN).read_bytes())
        return run if run["counts"] and run["genomes"] else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path / RUN}: damaged or not readable ({error}): delete it and run the scan again, which takes a moment."
        ) from error


def write_run(path: Path, run: dict[str, Any]) -> None:
    """Write run.json into an output folder, whole or not at all.

    Raises
    ------
    InputError
        If the place cannot be written or is full.
    """
    write_atomically(path / RUN, (json.dumps(run, indent=1) + "\n").encode())
