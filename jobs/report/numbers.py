"""Numbers as a reader of the page wants them."""

__all__ = ["DASH", "count", "decimals", "length", "minus", "place", "share", "small"]

DASH = "\u2013"
"""Stands where there is nothing."""

_UNITS = ((1_000_000_000, "Gb"), (1_000_000, "Mb"), (1000, "kb"))


def count(n: int) -> str:
    """A whole number, thousands apart.

    >>> count(45132)
    '45,132'
    """
    return f"{n:,}"


def length(n_bases: int) -> str:
    """An amount of sequence in the unit that fits.

    >>> length(171_823), length(17_718_849), length(910)
    ('172 kb', '17.7 Mb', '910 nt')
    """
    for unit, name in _UNITS:
        if n_bases >= unit:
            value = n_bases / unit
            return f"{value:.0f} {name}" if value >= 100 else f"{value:.1f} {name}"
    return f"{n_bases} nt"


def share(value: float | None) -> str:
    """A share in per cent, with two digits that count.

    >>> share(0.0059), share(0.1), share(0.000001)
    ('0.59 %', '10 %', '< 0.01 %')
    """
    if value is None:
        return DASH
    percent = 100 * value
    if 0 < percent < 0.01:
        return "< 0.01 %"
    return f"{percent:.0f} %" if percent >= 9.95 else f"{percent:.2g} %"


def decimals(value: float | None, n: int) -> str:
    """A number with so many decimals; a dash for none.

    >>> decimals(0.4252, 2)
    '0.43'
    """
    return DASH if value is None else minus(f"{value:.{n}f}")


def minus(text: str) -> str:
    """A number's text with a true minus sign."""
    return text.replace("-", "\u2212")


def small(value: float | None) -> str:
    """A rate or a count that may be far below 1.

    >>> small(0.01294), small(3.21), small(28.4)
    ('0.013', '3.2', '28')
    """
    if value is None:
        return DASH
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def place(contig: str, start: int, end: int) -> str:
    """A place on a contig, 1-based with both ends included.

    >>> place("chrX", 1100, 1200)
    'chrX:1,101-1,200'
    """
    return f"{contig}:{start + 1:,}-{end:,}"
