"""Known precursors of miRBase and MirGeneDB: reading them, their families, and which to leave out of training."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import read_sequences
from mirsweep.scanner.text import open_text

__all__ = [
    "KINGDOMS",
    "Exclusion",
    "Precursor",
    "confidence",
    "equivalent_families",
    "family_of",
    "read_precursors",
    "without_antisense",
]

KINGDOMS = ("animal", "plant", "virus")

_MATURE_NT = 22
"""Length of a mature sequence where the database gives none: the commonest in miRBase, nt."""
_HOMOLOGOUS_NT = 16
"""Two precursors that share so many bases in a row count as homologues. Of random sequences of 90 nt one pair in a
million does, while paralogues share most of a mature sequence, some 22 nt."""
_ANCHOR_NT = 20
"""Records of MirGeneDB are looked for in those of miRBase by their first bases, nt; none is shorter than 40."""
_ANTISENSE_NT = 14
"""Two precursors that share so many bases in a row count as akin where their strand is told. Of random sequences of
90 nt one pair in 45,000 does."""
_FAMILY = re.compile(r"(mir|let|lin|lsy|bantam|iab)-?(\d*)")
_SPECIES_OF_FEW, _SPECIES_OF_MANY = 2, 5
"""A family that five species have is as sure as a curated record; one of a single species may be a false entry."""
_SURE, _LIKELY, _DOUBTFUL = 1.0, 0.5, 0.15
"""How often a precursor is drawn, by how sure it is. Many of miRBase's records of a single species fail the criteria of
MirGeneDB (Fromm et al. 2015), so these are drawn seldom; none is left out, since some are true."""
_VIRUSES = frozenset(
    re.findall(
        r"\w+",
        "bfv bhv1 bhv5 bkv blv bpcv1 bpcv2 dev ebv gggpv1 hbv hcmv hhv6b hiv1 hsv1 hsv2 hvsa hvt iltv jcv kshv mcmv "
        "mcpv mdv1 mdv2 mghv prv ptvpv2a racpv1 rlcv rrv sfv sv40 ttv",
    )
)
"""miRBase's codes of viruses."""
_COMPLEMENT = str.maketrans("ACGU", "UGCA")
_MIRBASE_COLUMNS = ("pre_name", "pre_seq", "m1_seq", "m2_seq")


class Precursor(NamedTuple):
    """A known precursor.

    Attributes
    ----------
    name, species, family
        As ``hsa-mir-21``, ``hsa``, ``mir21``.
    kingdom
        ``"animal"``, ``"plant"`` or ``"virus"``.
    sequence
        RNA.
    core
        Where MirGeneDB's precursor (from the first to the last base of the mature sequences) lies in it, or None.
    arms
        Start and end of the mature sequence of the 5' arm and of the 3' arm, -1 where unknown.
    source
        ``"miRBase"`` or ``"MirGeneDB"``.
    curated_family
        Family of the MirGeneDB record that it contains or is, ``""`` if none. MirGeneDB joins what miRBase's numbers
        separate: its mir-10 holds miRBase's mir-10, -99, -100 and -125.
    """

    name: str
    species: str
    family: str
    kingdom: str
    sequence: str
    core: tuple[int, int] | None
    arms: tuple[int, int, int, int]
    source: str
    curated_family: str = ""


@dataclass(frozen=True)
class Exclusion:
    """Which precursors to leave out.

    Attributes
    ----------
    species, families
        By species code and by family.
    homologues_of
        Sequences; precursors that share 16 nt with one of them are left out.
    homologous_species
        If given, homologues of these species only are left out.
    """

    species: frozenset[str] = frozenset()
    families: frozenset[str] = frozenset()
    homologues_of: tuple[str, ...] = ()
    homologous_species: frozenset[str] = frozenset()
    _kmers: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_kmers", frozenset(kmer for s in self.homologues_of for kmer in _kmers(s)))

    def holds(self, precursor: Precursor) -> bool:
        """Whether it is left out."""
        if precursor.species in self.species or precursor.family in self.families:
            return True
        if self.homologous_species and precursor.species not in self.homologous_species:
            return False
        return bool(self._kmers) and any(kmer in self._kmers for kmer in _kmers(precursor.sequence))


def _kmers(sequence: str, nt: int = _HOMOLOGOUS_NT) -> Iterator[str]:
    return (sequence[i : i + nt] for i in range(len(sequence) - nt + 1))


def family_of(name: str) -> str:
    """Family of a precursor's name: ``hsa-mir-125b-1`` and ``Hsa-Mir-125-P2`` give ``mir125``.

    Where ``mir`` has no number, as in ``ebv-mir-BART1`` and ``osa-MIRf10003``, the rest of the name is the family.
    """
    rest = name.partition("-")[2].lower() or name.lower()
    found = _FAMILY.match(rest)
    if not found or found.groups() == ("mir", ""):
        return rest
    return found.group(1) + found.group(2)


def read_precursors(mirbase: Path, mirgenedb: Path | None = None) -> list[Precursor]:
    """Known precursors of miRBase, and those of MirGeneDB that no record of miRBase contains.

    Parameters
    ----------
    mirbase
        Table with the columns pre_name, pre_seq, m1_seq, m2_seq (tab-separated with a header, plain or packed).
    mirgenedb
        FASTA of MirGeneDB's precursors, plain or packed.

    Raises
    ------
    InputError
        If a file cannot be read or lacks a column.
    """
    rows = _read_table(mirbase)
    curated = _read_fasta(mirgenedb) if mirgenedb else []
    plants = frozenset(_species(row["pre_name"]) for row in rows if "-MIR" in row["pre_name"])
    by_start: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, sequence in curated:
        by_start[sequence[:_ANCHOR_NT]].append((name, sequence))
    out: list[Precursor] = []
    contained: set[str] = set()
    for row in rows:
        sequence = _rna(row["pre_seq"])
        if not _is_plain(sequence):
            continue
        within = _curated_within(sequence, by_start)
        contained.update(inner for _, _, inner in within)
        out.append(_of_mirbase(row, sequence, within[-1] if within else None, plants))
    for name, sequence in curated:
        if sequence not in contained and _is_plain(sequence):
            contained.add(sequence)
            out.append(_of_mirgenedb(name, sequence))
    return out


def _curated_within(sequence: str, by_start: dict[str, list[tuple[str, str]]]) -> list[tuple[int, str, str]]:
    """Place, name and sequence of the MirGeneDB records that a sequence contains, from left to right."""
    return [
        (i, name, inner)
        for i in range(len(sequence) - _ANCHOR_NT + 1)
        for name, inner in by_start.get(sequence[i : i + _ANCHOR_NT], ())
        if sequence.startswith(inner, i)
    ]


def _of_mirbase(
    row: dict[str, str], sequence: str, curated: tuple[int, str, str] | None, plants: frozenset[str]
) -> Precursor:
    name = row["pre_name"]
    core, curated_family = None, ""
    if curated:
        start, curated_name, inner = curated
        core, curated_family = (start, start + len(inner)), _family_of_curated(curated_name)
    arms = _arms(sequence, [_rna(row.get(column) or "") for column in ("m1_seq", "m2_seq")])
    kingdom = _kingdom_of(_species(name).lower(), plants)
    return Precursor(
        name, _species(name).lower(), family_of(name), kingdom, sequence, core, arms, "miRBase", curated_family
    )


def _of_mirgenedb(name: str, sequence: str) -> Precursor:
    arms = (0, _MATURE_NT, len(sequence) - _MATURE_NT, len(sequence))
    family = _family_of_curated(name)
    core = (0, len(sequence))
    return Precursor(name, _species(name).lower(), family, "animal", sequence, core, arms, "MirGeneDB", family)


def _species(name: str) -> str:
    return name.split("-")[0]


def _family_of_curated(name: str) -> str:
    return family_of(name.partition("_")[0])


def _kingdom_of(species: str, plants: frozenset[str]) -> str:
    if species in plants:
        return "plant"
    return "virus" if species in _VIRUSES else "animal"


def _rna(text: str) -> str:
    return text.strip().upper().replace("T", "U")


def _is_plain(sequence: str) -> bool:
    return not set(sequence) - set("ACGU")


def _arms(sequence: str, matures: Sequence[str]) -> tuple[int, int, int, int]:
    """Places of the mature sequences, the 5' arm's first; one is on the arm where its middle lies."""
    out = [-1, -1, -1, -1]
    for mature in matures:
        start = sequence.find(mature) if mature and mature != "NA" else -1
        if start >= 0:
            is_3p = 2 * start + len(mature) > len(sequence)
            out[2 * is_3p : 2 * is_3p + 2] = start, start + len(mature)
    return out[0], out[1], out[2], out[3]


def _read_table(path: Path) -> list[dict[str, str]]:
    """Rows of miRBase's table, by column."""
    with open_text(path, wanted="a table of precursors") as lines:
        header = next(lines, "").rstrip("\n").split("\t")
        rows = [dict(zip(header, line.rstrip("\n").split("\t"), strict=False)) for line in lines]
    missing = set(_MIRBASE_COLUMNS) - set(header)
    if missing:
        raise InputError(f"{path}: no column {', '.join(sorted(missing))}; give miRBase's table of precursors.")
    for number, row in enumerate(rows, 2):
        if not set(_MIRBASE_COLUMNS) <= row.keys():
            raise InputError(
                f"{path}: line {number} has {len(row)} columns instead of {len(header)}: fix or remove it."
            )
    return rows


def _read_fasta(path: Path) -> list[tuple[str, str]]:
    """Names and RNA of a FASTA file's records."""
    return [(record.id, _rna(record.sequence)) for record in read_sequences(path)]


def equivalent_families(precursors: Sequence[Precursor], families: Sequence[str]) -> frozenset[str]:
    """The families, and all that MirGeneDB joins with them: those that most of their curated records belong to."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for p in precursors:
        if p.curated_family:
            votes[p.family][p.curated_family] += 1
    group = {family: counts.most_common(1)[0][0] for family, counts in votes.items()}
    wanted = {group.get(family, family) for family in families}
    return frozenset(families) | {f for f in {p.family for p in precursors} if group.get(f, f) in wanted}


def without_antisense(precursors: Sequence[Precursor]) -> list[Precursor]:
    """All but those that are the other strand of better known precursors.

    Some records of miRBase, as rno-mir-9b-1, were read from the wrong strand of a well-known precursor, whose family
    they are often named for. A record is taken for one of these if the 14-mers of its reverse complement stand in
    precursors of more species of its kingdom, all in all, than its own do; not if MirGeneDB has it.
    """
    words: dict[tuple[bool, str], set[str]] = defaultdict(set)
    for p in precursors:
        words[p.kingdom == "plant", p.species].update(_kmers(p.sequence, _ANTISENSE_NT))
    n_species = {is_plant: Counter[str]() for is_plant in (False, True)}
    for (is_plant, _), own in words.items():
        n_species[is_plant].update(own)

    def familiarity(precursor: Precursor, sequence: str) -> int:
        counts = n_species[precursor.kingdom == "plant"]
        return sum(counts[kmer] for kmer in _kmers(sequence, _ANTISENSE_NT))

    return [
        p
        for p in precursors
        if p.core is not None or familiarity(p, p.sequence) >= familiarity(p, p.sequence.translate(_COMPLEMENT)[::-1])
    ]


def confidence(precursors: Sequence[Precursor]) -> np.ndarray:
    """Weight of each: how sure it is, and less for each of a large family; float32, shape (n,).

    1 if MirGeneDB has it or five species have its family, 0.5 if two have it, else 0.15; divided by the square root of
    the number of records of the family.
    """
    species: dict[str, set[str]] = defaultdict(set)
    counts = Counter(p.family for p in precursors)
    for p in precursors:
        species[p.family].add(p.species)
    weights = [_sureness(p, len(species[p.family])) / counts[p.family] ** 0.5 for p in precursors]
    return np.array(weights, np.float32)


def _sureness(precursor: Precursor, n_species: int) -> float:
    if precursor.core is not None or n_species >= _SPECIES_OF_MANY:
        return _SURE
    return _LIKELY if n_species >= _SPECIES_OF_FEW else _DOUBTFUL
