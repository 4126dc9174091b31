"""Shared fixtures: where the public data sets lie; property tests may compile kernels, so they have no deadline.

Tests marked ``faults`` run only when ``-m`` names that mark, as ``make faults`` does.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from helpers_stores import bucket, cache, gcs, gcs_address, store_address  # noqa: F401 (fixtures for all)

settings.register_profile("mirsweep", deadline=None)
settings.load_profile("mirsweep")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked ``faults``, unless ``-m`` speaks of them."""
    if "faults" in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("faults")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("faults")]


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
