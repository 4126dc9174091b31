"""Links from a locus to its place in genome browsers."""

from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any, NamedTuple
from urllib.parse import quote

from mirsweep.jobs.results.names import did_you_mean
from mirsweep.scanner.errors import InputError

__all__ = ["BROWSERS", "DEFAULT_BROWSERS", "Browser", "browser_of", "link"]

BROWSERS = {
    "igv": ("IGV", "http://localhost:60151/goto?locus={contig}:{start}-{end}"),
    "igv-web": ("IGV-Web", "https://igv.org/app/?genome={assembly}&locus={contig}:{start}-{end}"),
    "ucsc": ("UCSC", "https://genome.ucsc.edu/cgi-bin/hgTracks?db={assembly}&position={contig}:{start}-{end}"),
    "ensembl": ("Ensembl", "https://www.ensembl.org/{assembly}/Location/View?r={contig}:{start}-{end}"),
    "jbrowse": ("JBrowse", "http://localhost:3000/?assembly={assembly}&loc={contig}:{start}..{end}"),
}
"""By name, what a link is called and its template; IGV is the program that runs on the reader's computer."""
DEFAULT_BROWSERS = ("igv",)
_FIELDS = ("contig", "start", "end", "strand", "locus", "genome", "assembly")


class Browser(NamedTuple):
    """A browser: what links are called, their template, and its name of the assembly (None: that of the genome)."""

    name: str
    template: str
    assembly: str | None


def browser_of(asked: str) -> Browser:
    """The browser that is asked for.

    Parameters
    ----------
    asked
        A name of ``BROWSERS``, with the browser's name of the assembly after a colon if it is another than the
        genome's (``ucsc:ce11``); or an address with the fields ``{contig}``, ``{start}`` (1-based), ``{end}``,
        ``{strand}``, ``{locus}`` and ``{genome}``.

    Raises
    ------
    InputError
        If it is neither, or has another field.
    """
    if asked.startswith(("http://", "https://")):
        return Browser(_host(asked), _checked(asked), None)
    name, _, assembly = asked.partition(":")
    if name not in BROWSERS:
        raise InputError(f"browser {asked!r} is neither an address nor a browser: {did_you_mean(name, BROWSERS)}")
    return Browser(*BROWSERS[name], assembly or None)


def link(browser: Browser, row: Mapping[str, Any]) -> str:
    """Address of a locus; what the fields hold is percent-encoded."""
    values = {
        "contig": row["contig"],
        "start": row["start"] + 1,
        "end": row["end"],
        "strand": row["strand"],
        "locus": row["locus"],
        "genome": row["genome"],
        "assembly": browser.assembly or row["genome"],
    }
    return browser.template.format_map({name: quote(str(value), safe="") for name, value in values.items()})


def _host(address: str) -> str:
    return address.partition("://")[2].partition("/")[0].partition("?")[0]


def _checked(template: str) -> str:
    """The template, if all of its fields are known and there is one that tells the place."""
    remedy = f"use {{{'}, {'.join(_FIELDS)}}}."
    try:
        parts: Sequence[tuple] = list(Formatter().parse(template))
    except ValueError as error:
        raise InputError(f"browser {template!r}: its braces are not in pairs ({error}): {remedy}") from error
    fields = [name for _, name, _, _ in parts if name is not None]
    unknown = [name for name in fields if name not in _FIELDS]
    if unknown or not fields:
        what = f"has the unknown field {{{unknown[0]}}}" if unknown else "has no field for the place"
        raise InputError(f"browser {template!r} {what}: {remedy}")
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise InputError(f"browser {template!r}: fields take no format: {remedy}")
    return template
