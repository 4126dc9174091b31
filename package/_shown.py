"""Results that show themselves in one line, and as a small table in a notebook."""

from collections.abc import Callable, Mapping, Sized
from html import escape
from typing import Any, TypeVar

__all__ = ["shown"]

_Result = TypeVar("_Result")
_MOST_LETTERS = 60


def shown(*names: str) -> Callable[[type[_Result]], type[_Result]]:
    """Give a class of results a short ``repr``, and ``_repr_html_``, from these attributes.

    Collections are told by their number, long texts by their beginning.
    """

    def told(self: Any) -> dict[str, str]:
        return {name: _text(getattr(self, name)) for name in names}

    def one_line(self: Any) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={text}' for name, text in told(self).items())})"

    def table(self: Any) -> str:
        rows = (f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in told(self).items())
        return f"<table><caption>{escape(type(self).__name__)}</caption>{''.join(rows)}</table>"

    def decorate(kind: type[_Result]) -> type[_Result]:
        for name, method in (("__repr__", one_line), ("_repr_html_", table)):
            setattr(kind, name, method)
        return kind

    return decorate


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if value is None or isinstance(value, bool | int):
        return str(value)
    if isinstance(value, Mapping) and len(value) <= 6 and all(isinstance(each, int | float) for each in value.values()):
        return ", ".join(f"{name}: {_text(each)}" for name, each in value.items()).join("{}")
    if isinstance(value, Sized) and not isinstance(value, str):
        return f"<{len(value)}>"
    text = repr(str(value))
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 3]}...'"
