"""Names that a user may have meant: contigs are called ``chr1`` in one place and ``1`` in another."""

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from itertools import islice

__all__ = ["did_you_mean", "nearest_names", "some"]

_MOST_COMPARED = 5000
"""Names that are compared letter by letter, which takes about 20 microseconds each."""
_MITOCHONDRIA = ("chrM", "MT", "chrMT", "M", "Mito")
_CUTOFF = 0.6


def nearest_names(name: str, known: Collection[str], *, n: int = 3) -> list[str]:
    """Known names that are most like a name that is not known, the likeliest first.

    Other manners of writing the same come first: ``chr1`` for ``1`` and the reverse, another case, with and without a
    version (``NC_000001.11``), the names of the mitochondrion. Then those that share most of their letters.

    Parameters
    ----------
    known
        A set or the keys of a dictionary, for speed.
    n
        At most so many.
    """
    other_ways = [way for way in _other_ways(name) if way in known]
    folded = {_bare(way) for way in (name, *other_ways)}
    alike = [other for other in known if _bare(other) in folded]
    near = get_close_matches(name, list(islice(_comparable(name, known), _MOST_COMPARED)), n=n, cutoff=_CUTOFF)
    return list(dict.fromkeys(other_ways + alike + near))[:n]


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The end of a sentence about a name that is not known: the nearest names, or some of those that there are.

    >>> did_you_mean("1", {"chr1": 100, "chr2": 90})
    "did you mean 'chr1'?"
    """
    near = nearest_names(name, known)
    if near:
        return f"did you mean {_listed(near)}?"
    few = ", ".join(repr(other) for other in islice(known, 3))
    return f"it has {few}{' and others' if len(known) > 3 else ''}." if few else "it has none."


def some(names: Sequence[str]) -> str:
    """The first three names: ``chr1, chr2, chr3, ...``."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _other_ways(name: str) -> Iterable[str]:
    """Names by which other databases may call the same contig."""
    yield name.removeprefix("chr") if name.startswith("chr") else f"chr{name}"
    if name in _MITOCHONDRIA:
        yield from _MITOCHONDRIA


def _bare(name: str) -> str:
    """A name in lower case, without ``chr`` before it and a version after it."""
    stem, _, version = name.lower().removeprefix("chr").rpartition(".")
    return stem if stem and version.isdecimal() else name.lower().removeprefix("chr")


def _comparable(name: str, known: Iterable[str]) -> Iterable[str]:
    """Names of about the same length: the others cannot be alike enough."""
    most = 2 / _CUTOFF - 1
    return (other for other in known if len(name) <= most * len(other) and len(other) <= most * len(name))


def _listed(names: list[str]) -> str:
    quoted = [repr(name) for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
