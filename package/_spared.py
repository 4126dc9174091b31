"""Packages that others import where they are installed, and that no command needs."""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["spare"]

_SPARED = frozenset(("coverage", "pandas"))
"""Arrow imports pandas to see whether a list is one of its objects (0.2 s of every process that makes an array), numba
coverage, to tell it of compiled lines (0.06 s)."""


class _Absent(MetaPathFinder, Loader):
    """Finds each of them, for whoever only looks (torch does, to train), as a module that cannot be imported."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """See ``importlib.abc.MetaPathFinder``."""
        return ModuleSpec(name, self) if name in _SPARED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """See ``importlib.abc.Loader``."""
        raise ModuleNotFoundError(
            f"no command of mirsweep needs {spec.name}, which takes long to import", name=spec.name
        )


def spare() -> None:
    """Have this process do without them, but for those that it has imported; for processes that are mirsweep's own."""
    sys.meta_path.insert(0, _Absent())
