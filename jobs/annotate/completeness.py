"""Completeness: which conserved families of a clade were found, as a measure of the genome and of the scan."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mirsweep._shown import shown
from mirsweep.jobs.annotate.record_names import parse_name
from mirsweep.jobs.results.dataset import open_loci
from mirsweep.jobs.results.names import did_you_mean
from mirsweep.jobs.results.sound_rows import sound
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.text import open_text

__all__ = ["Completeness", "FoundFamily", "completeness", "read_families"]

_CLADE_COLUMNS = ("clade", "node", "origin")
_NAMED = ("known", "homologue")


class FoundFamily(NamedTuple):
    """A family that is expected, and the loci that are of it.

    Attributes
    ----------
    family, clade
        As the table has them.
    n_loci
        Known loci and homologues of the family with a ``q_value`` of at most ``max_q``.
    best_locus, best_name, verdict, locus_score, e_value
        Of the best of these; None if there is none.
    """

    family: str
    clade: str
    n_loci: int
    best_locus: str | None = None
    best_name: str | None = None
    verdict: str | None = None
    locus_score: float | None = None
    e_value: float | None = None


@shown("score", "n_found", "families", "missing")
@dataclass(frozen=True)
class Completeness:
    """Which of the families were found.

    Attributes
    ----------
    families
        All that were expected, in the order of the table.
    """

    families: tuple[FoundFamily, ...]

    @property
    def n_found(self) -> int:
        """Number of families with a locus."""
        return sum(family.n_loci > 0 for family in self.families)

    @property
    def score(self) -> float:
        """Per cent of the families that were found, the microRNA score of MirMachine (Umu et al. 2023)."""
        return 100 * self.n_found / len(self.families)

    @property
    def missing(self) -> list[str]:
        """Families without a locus."""
        return [family.family for family in self.families if not family.n_loci]

    def as_json(self) -> dict[str, Any]:
        """The figures, with the keys of ``mirsweep annotate --families --json``."""
        told = {"score": self.score, "n_expected": len(self.families), "n_found": self.n_found}
        return told | {"missing": self.missing, "families": [family._asdict() for family in self.families]}


def completeness(
    output: str | os.PathLike,
    families: str | os.PathLike,
    *,
    clade: str | Sequence[str] = (),
    genome: str | None = None,
    max_q: float = 0.5,
) -> Completeness:
    """Which conserved families the loci of a scan have, by their annotation.

    Parameters
    ----------
    output
        Output folder of a scan whose loci have names (:func:`mirsweep.jobs.annotate`).
    families
        Table, tab-separated, with the columns ``family`` and ``clade`` (or ``node``): where each family arose.
    clade
        Only families of these; all by default. For a species its lineage, from the root down.
    genome
        Of a scan of several, this one only.
    max_q
        Highest ``q_value`` of a locus that counts.

    Raises
    ------
    InputError
        If the table is bad or has no such clade, or the loci have no names.
    """
    asked = read_families(families, (clade,) if isinstance(clade, str) else tuple(clade))
    opened = open_loci(output)
    columns = ["genome", "locus", "name", "verdict", "family", "locus_score", "q_value", "e_value"]
    if not set(columns) <= set(opened.schema.names):
        raise InputError(_no_names(opened.path))
    if genome is not None:
        opened.contigs.ranks_of_genome(genome)
    best: dict[str, list[dict[str, Any]]] = {}
    with opened.intact():
        rows = sound(opened.dataset().to_table(columns=columns)).to_pylist()
    if rows and not any(row["verdict"] for row in rows):
        raise InputError(_no_names(opened.path))
    for row in rows:
        if row["verdict"] in _NAMED and row["q_value"] <= max_q and genome in (None, row["genome"]):
            best.setdefault(row["family"], []).append(row)
    return Completeness(tuple(_found(family, of, best.get(_key(family), [])) for family, of in asked))


def _no_names(output: Path) -> str:
    return f"{output}: its loci have no names: give mirsweep annotate --mature or --hairpin with --families."


def _found(family: str, clade: str, rows: Sequence[dict[str, Any]]) -> FoundFamily:
    if not rows:
        return FoundFamily(family, clade, 0)
    row = max(rows, key=lambda row: (row["locus_score"], row["locus"]))
    told = (row["locus"], row["name"], row["verdict"], row["locus_score"], row["e_value"])
    return FoundFamily(family, clade, len(rows), *told)


def _key(family: str) -> str:
    return parse_name(family).family


def read_families(path: str | os.PathLike, clades: Collection[str] = ()) -> list[tuple[str, str]]:
    """Families of a table and where each arose, each family once.

    Parameters
    ----------
    clades
        Only families of these; all if there are none. Case does not matter.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, or has no such clade.
    """
    path = Path(path)
    with open_text(path, wanted="a table of families") as stream:
        lines = [line.rstrip("\n").split("\t") for line in stream if line.strip() and not line.startswith("#")]
    header = [name.strip().lower() for name in lines[0]] if lines else []
    clade_column = next((name for name in _CLADE_COLUMNS if name in header), None)
    if "family" not in header or clade_column is None:
        raise InputError(f"{path}: its first line needs the columns family and clade (or node), by a tab.")
    at, of = header.index("family"), header.index(clade_column)
    rows: dict[str, tuple[str, str]] = {}
    for number, fields in enumerate(lines[1:], 2):
        if len(fields) <= max(at, of) or not fields[at].strip():
            raise InputError(f"{path}: row {number} has no family or no clade: give both, by a tab.")
        rows.setdefault(_key(fields[at].strip()), (fields[at].strip(), fields[of].strip()))
    known = {clade.lower(): clade for _, clade in rows.values()}
    for name in clades:
        if name.lower() not in known:
            raise InputError(f"{path}: has no clade {name!r}: {did_you_mean(name, set(known.values()))}")
    wanted = {name.lower() for name in clades} or known.keys()
    chosen = [row for row in rows.values() if row[1].lower() in wanted]
    if not chosen:
        raise InputError(f"{path}: has no family; give one a line.")
    return chosen
