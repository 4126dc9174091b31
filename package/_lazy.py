"""Packages whose public names are imported when they are first used.

``mirsweep --help`` and ``mirsweep query`` then load neither torch nor numba. A module-level ``__getattr__`` (PEP 562)
is not enough: importing ``mirsweep.scanner.fold`` puts the module ``fold`` where the function of that name belongs.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["load_lazily"]


class _LazyPackage(ModuleType):
    """A package whose public names stand for what they name, never for the submodule that happens to be called so."""

    _places: Mapping[str, str]

    def __getattr__(self, name: str) -> Any:
        if name not in self._places:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(import_module(self._places[name]), name)
        super().__setattr__(name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        is_submodule = isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}"
        if not (is_submodule and name in self._places):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._places})


def load_lazily(package: str, places: Mapping[str, str]) -> None:
    """Make a package import its public names on first use.

    Parameters
    ----------
    package
        Name of the package, which is being imported.
    places
        For each name the module that defines it.
    """
    module = sys.modules[package]
    module.__class__ = _LazyPackage
    vars(module)["_places"] = dict(places)
