"""Amounts of sequence in words: small genomes in kb, others in Mb."""

__all__ = ["amount_done", "rate_text"]

_MB = 1_000_000


def amount_done(n_done: int, n_bases: int) -> str:
    """How much of so many bases is done, in the unit that fits all of them.

    >>> amount_done(29_903, 171_823), amount_done(1_200_000, 17_718_849)
    ('29.9 of 171.8 kb', '1.2 of 17.7 Mb')
    """
    unit, name = _unit(n_bases)
    return f"{n_done / unit:.1f} of {n_bases / unit:.1f} {name}"


def rate_text(bases_per_second: float, n_bases: int) -> str:
    """Speed, in the unit of :func:`amount_done`.

    >>> rate_text(94_210, 171_823), rate_text(1_074_000, 17_718_849)
    ('94.2 kb/s', '1.07 Mb/s')
    """
    unit, name = _unit(n_bases)
    return f"{bases_per_second / unit:.{1 if unit < _MB else 2}f} {name}/s"


def _unit(n_bases: int) -> tuple[int, str]:
    return (_MB, "Mb") if n_bases >= _MB else (1000, "kb")
