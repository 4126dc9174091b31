"""Names proposed for loci, in the manner of miRBase: letters for paralogues, numbers for copies of one sequence."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

__all__ = ["Unnamed", "letters", "propose_names"]


_LETTER = re.compile(r"(?<=\d)[a-z]+$", re.IGNORECASE)


class Unnamed(NamedTuple):
    """A locus that needs a name.

    Attributes
    ----------
    number
        Of the locus in its genome, from 1.
    known
        Names of the known miRNAs that it is; empty if it is none.
    stem
        Name of what it is a homologue of, without species; None if it is none.
    mature
        Its mature sequence; paralogues with the same one differ by a number only.
    is_own
        Whether its mature sequence is that of a record of its own species.
    is_likely
        Whether it is likely to be a miRNA at all; these have their names before the others.
    e_value
        Of the match.
    """

    number: int
    known: tuple[str, ...]
    stem: str | None
    mature: str
    is_own: bool
    is_likely: bool = True
    e_value: float = 0.0


def propose_names(loci: Sequence[Unnamed], *, species: str | None, taken: Collection[str]) -> list[str]:
    """A name for each locus of a genome, all distinct.

    A known miRNA keeps its name. A homologue has the name of what is nearest, with the species before it; several with
    the same name get letters, what matches best first, or numbers in the order of the loci where their mature sequences
    are the same. Unlikely ones have the next names that are free. What is none is ``novel-`` and the number of the
    locus, which stays as long as the loci do.

    Parameters
    ----------
    loci
        In the genome's order.
    species
        Put before names of homologues and novel ones; None for no prefix.
    taken
        Names in lower case that known miRNAs of the species have.
    """
    prefix = f"{species}-" if species else ""
    names: dict[int, str] = {}
    used: set[str] = set()
    groups: dict[str, list[int]] = defaultdict(list)
    for row, locus in enumerate(loci):
        free = next((name for name in locus.known if name.lower() not in used), None)
        if free is not None:
            names[row] = free
            used.add(free.lower())
        elif locus.stem:
            groups[locus.stem].append(row)
        else:
            names[row] = f"{prefix}novel-{locus.number}"
    for stem, rows in groups.items():
        for is_likely in (True, False):
            own = [(row, loci[row]) for row in rows if loci[row].is_likely == is_likely]
            names |= _named(prefix + stem, own, used, taken)
    return [names[row] for row in range(len(loci))]


def _named(base: str, loci: Iterable[tuple[int, Unnamed]], used: set[str], taken: Collection[str]) -> dict[int, str]:
    """Names of the homologues that share one."""
    by_mature: dict[str, list[tuple[int, Unnamed]]] = defaultdict(list)
    for row, locus in loci:
        by_mature[locus.mature].append((row, locus))
    names: dict[int, str] = {}
    for alike in sorted(by_mature.values(), key=lambda alike: min(locus.e_value for _, locus in alike)):
        own = any(locus.is_own for _, locus in alike)
        held = used if own else used | set(taken)
        is_plain = len(by_mature) == 1 or not base[-1].isdigit() or own
        called = base if is_plain and base.lower() not in held else _with_letter(base, held)
        numbers = count(1)
        for row, _ in alike:
            name = called if len(alike) == 1 else next(_free_numbers(called, numbers, held))
            names[row] = name
            used.add(name.lower())
        used.add(called.lower())
    return names


def _with_letter(base: str, held: set[str]) -> str:
    """The name without its letter, and the first letter that nothing has."""
    stem = _LETTER.sub("", base)
    return next(name for number in count() if (name := stem + letters(number)).lower() not in held)


def _free_numbers(called: str, numbers: Iterator[int], held: set[str]) -> Iterator[str]:
    return (name for number in numbers if (name := f"{called}-{number}").lower() not in held)


def letters(number: int) -> str:
    """Letters that count: a to z, then aa, ab and so on.

    >>> letters(0), letters(25), letters(26)
    ('a', 'z', 'aa')
    """
    rest, last = divmod(number, 26)
    return (letters(rest - 1) if rest else "") + chr(ord("a") + last)
