"""The page as HTML: templates, style, scripts and data in one file that loads nothing."""

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["as_json", "render"]

_SCRIPTS = ("vega/vega.js", "vega/vega-lite.js", "vega/vega-interpreter.js", "templates/page.js")
"""In this order; each is an inline script of its own, which the page's policy allows by its digest."""
_STYLE = "templates/page.css"


def render(**content: Any) -> str:
    """The page.

    Parameters
    ----------
    content
        What the template ``page.html.j2`` shows.
    """
    scripts, style = [_text(name) for name in _SCRIPTS], _text(_STYLE)
    page = _environment().get_template("page.html.j2")
    return page.render(
        **content,
        style=Markup(style),
        scripts=[Markup(script) for script in scripts],
        policy=_policy(scripts, style),
    )


def as_json(value: Any) -> Markup:
    """JSON for a data block of the page: in ASCII, and without a letter that could end the block.

    >>> as_json("</script><!--")
    Markup('"\\\\u003c/script\\\\u003e\\\\u003c!--"')
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for letter in "<>&'":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


def _policy(scripts: list[str], style: str) -> str:
    """Content-Security-Policy: nothing is loaded, and no script or style runs but the page's own."""
    own = " ".join(map(_digest, scripts))
    return (
        f"default-src 'none'; script-src {own}; style-src {_digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _text(name: str) -> str:
    return (files("mirsweep.jobs.report") / name).read_text("utf-8")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("mirsweep.jobs.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["json"] = as_json
    return made
