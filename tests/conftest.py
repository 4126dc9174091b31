"""Shared fixtures: where the public data sets lie."""

import os
from pathlib import Path

import pytest


def find_data() -> Path | None:
    """Folder of the public data sets, or None: MIRSWEEP_DATA, else ../shared/data beside the repository."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("MIRSWEEP_DATA") or root.parent / "shared" / "data")
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def data_dir() -> Path:
    folder = find_data()
    if folder is None:
        pytest.skip("public data sets not found: set MIRSWEEP_DATA or put them at ../shared/data")
    return folder
