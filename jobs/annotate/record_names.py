"""Names of known miRNAs as miRBase and MirGeneDB write them, taken apart."""

import re
from typing import NamedTuple

__all__ = ["RecordName", "parse_name"]

_FAMILY = re.compile(r"(mir|let|lin|lsy|iab|bantam)(-?)(\d*)([a-z]*)", re.IGNORECASE)
_ARM = re.compile(r"(?:[-_][35]p\d?\*?|_pre|_pri|_loop|_mat|_star|\*)+$", re.IGNORECASE)
_MIRGENEDB = re.compile(r"[A-Z][a-z]{2}-(?:Mir|Let|Lin|Lsy|Iab|Bantam|Novel)\b")
_COPY = re.compile(r"(?<=[\da-z])-\d+$", re.IGNORECASE)


class RecordName(NamedTuple):
    """A name, taken apart.

    Attributes
    ----------
    species
        Its first part, ``hsa`` or ``Hsa``; empty for a name without one.
    family
        In lower case, ``mir-125``; the rest of the name where it has no number, as in ``mir-bart1``.
    stem
        The name of homologues without species, arm and number of a copy: ``mir-125b``, ``MIR156a``.
    precursor
        The whole name without its arm, in lower case: that of the precursor.
    is_mirgenedb
        Whether MirGeneDB writes names so.
    """

    species: str
    family: str
    stem: str
    precursor: str
    is_mirgenedb: bool


def parse_name(name: str) -> RecordName:
    """Take a name apart; any text is one.

    >>> parse_name("hsa-miR-125b-5p")[:3], parse_name("hsa-mir-125b-1").stem, parse_name("Hsa-Mir-10-P2a_pre").family
    (('hsa', 'mir-125', 'mir-125b'), 'mir-125b', 'mir-10')
    >>> parse_name("ebv-miR-BART1-5p").family, parse_name("ath-MIR156a").stem, parse_name("let-7").species
    ('mir-bart1', 'MIR156a', '')
    """
    is_mirgenedb = bool(_MIRGENEDB.match(name))
    bare = _ARM.sub("", name.partition("_")[0] if is_mirgenedb else name) or name
    species, rest = _split_species(bare)
    found = _FAMILY.match(rest)
    if not found or not (found[3] or found[1].lower() == "bantam"):
        stem = re.sub("^miR", "mir", rest)
        return RecordName(species, stem.lower(), stem, bare.lower(), is_mirgenedb)
    family = "-".join(part for part in (found[1].lower(), found[3]) if part)
    if is_mirgenedb:
        return RecordName(species, family, family, bare.lower(), True)
    stem = _COPY.sub("", rest) if found[3] and _COPY.search(rest[found.end(3) :]) else rest
    stem = re.sub("^miR(?=-)|^Mir(?=-)", "mir", stem)
    stem = re.sub(r"^miR(?=\d)", "MIR", stem)
    return RecordName(species, family, stem, bare.lower(), False)


def _split_species(name: str) -> tuple[str, str]:
    first, dash, rest = name.partition("-")
    if not dash or _FAMILY.fullmatch(first):
        return "", name
    return first, rest
