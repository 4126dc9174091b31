"""The structure that DESIGN and CONTRIBUTING promise: which room may import which, without a circle."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = (
    ("mirsweep.jobs.cli",),
    ("mirsweep.jobs.demo", "mirsweep.jobs.paper", "mirsweep.jobs.training"),
    ("mirsweep.jobs.annotate", "mirsweep.jobs.evidence", "mirsweep.jobs.scanning"),
    ("mirsweep.jobs.report",),
    ("mirsweep.jobs.sequences",),
    ("mirsweep.jobs.loci",),
    ("mirsweep.jobs.results",),
    ("mirsweep.model", "mirsweep.scanner"),
)
"""Rooms by floor, highest first: a room imports rooms of lower floors only."""
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
LIBRARIES = {
    "pysam": ("mirsweep.jobs.evidence", "mirsweep.jobs.results"),
    "ray": ("mirsweep.jobs.scanning",),
    "torch": ("mirsweep.model",),
}
"""Where a library may be imported: nowhere else is it known."""


def modules() -> dict[str, Path]:
    """Dotted name of every module but the packages' own ``__init__``."""
    return {
        ".".join(("mirsweep", *path.relative_to(ROOT).with_suffix("").parts)): path
        for folder in ("scanner", "model", "jobs")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.name != "__init__.py"
    }


MODULES = modules()


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, within functions and for types too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str | None:
    """The room that a dotted name lies in; None outside of them."""
    return next((room for room in FLOOR_OF if name == room or name.startswith(f"{room}.")), None)


@pytest.mark.parametrize("name", MODULES)
def test_arrows_lead_downwards(name):
    room = room_of(name)
    assert room is not None, f"{name} lies in no room: put it into one of {', '.join(FLOOR_OF)}"
    targets = {room_of(target) for target in imports(MODULES[name])} - {None, room}
    upward = [target for target in targets if FLOOR_OF[target] <= FLOOR_OF[room]]
    assert not upward, f"{name} ({room}) imports {upward}"


def test_no_module_imports_itself_by_way_of_others():
    graph = {name: {target for target in imports(path) if target in MODULES} for name, path in MODULES.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_are_known_in_their_room_only(library):
    users = {room_of(name) for name, path in MODULES.items() if library in {i.split(".")[0] for i in imports(path)}}
    assert users == set(LIBRARIES[library])
