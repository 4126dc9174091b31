"""Pre-miRNAs for training, through the door that genomes take: planted in genome, found, cut and folded by the scanner.

A record cut at its database's ends would differ from a scan's candidates by its length and ends alone. So each is put
between 150 nt of genome, and what the scan makes of it is the example.
"""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mirsweep.jobs.results.compare import MIN_OF_CANDIDATE, MIN_OF_LOCUS
from mirsweep.jobs.results.files import open_atomically
from mirsweep.scanner.alphabet import BREAK, encode, reverse_complement
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import open_genome, read_sequences
from mirsweep.scanner.params import ScanParams, preset_params
from mirsweep.scanner.scan import scan_tile
from mirsweep.scanner.text import open_text

__all__ = [
    "EXAMPLE_SCHEMA",
    "KINGDOMS",
    "Exclusion",
    "Precursor",
    "inverted_repeats",
    "kindred_families",
    "plant",
    "plant_examples",
    "read_precursors",
]

KINGDOMS = ("animal", "plant", "virus")

EXAMPLE_SCHEMA = pa.schema(
    [
        ("sequence", pa.string()),
        ("structure", pa.string()),
        ("flank_5p", pa.string()),
        ("flank_3p", pa.string()),
        ("label", pa.bool_()),
        ("weight", pa.float32()),
        ("species", pa.string()),
        ("family", pa.string()),
        ("source", pa.string()),
        ("mature5_start", pa.int16()),
        ("mature5_end", pa.int16()),
        ("mature3_start", pa.int16()),
        ("mature3_end", pa.int16()),
    ]
)
"""Columns of training examples: a candidate's, and for a pre-miRNA its weight, origin and mature sequences (0-based
half-open within ``sequence``, -1 where unknown)."""

FLANK_NT = 150
"""Genome on either side of what is planted, nt."""
_KIN_NT = 16
_MIN_BASAL_NT = 10
_MATURE_NT = 22
_FAMILY = re.compile(r"(mir|let|lin|lsy|bantam|iab)-?(\d*)")
_SPECIES_OF_FEW, _SPECIES_OF_MANY = 2, 5


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
        Family of the MirGeneDB record that it contains or is, ``""`` if none: MirGeneDB's names join what miRBase's
        numbers part (its mir-10 holds miRBase's mir-10, -99, -100 and -125).
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
    kin_of
        Sequences; whatever shares 16 nt with one of them goes.
    kin_species
        If given, only kin of these species goes.
    """

    species: frozenset[str] = frozenset()
    families: frozenset[str] = frozenset()
    kin_of: tuple[str, ...] = ()
    kin_species: frozenset[str] = frozenset()
    _words: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_words", frozenset(word for s in self.kin_of for word in _words(s)))

    def holds(self, precursor: Precursor) -> bool:
        """Is it to be left out?"""
        if precursor.species in self.species or precursor.family in self.families:
            return True
        if self.kin_species and precursor.species not in self.kin_species:
            return False
        return bool(self._words) and any(word in self._words for word in _words(precursor.sequence))


def _words(sequence: str) -> Iterator[str]:
    return (sequence[i : i + _KIN_NT] for i in range(len(sequence) - _KIN_NT + 1))


def family_of(name: str) -> str:
    """Family of a precursor's name: ``hsa-mir-125b-1`` and ``Hsa-Mir-125-P2`` give ``mir125``."""
    rest = name.partition("-")[2].lower() or name.lower()
    found = _FAMILY.match(rest)
    return found.group(1) + found.group(2) if found else rest


def _kingdom_of(species: str, plants: frozenset[str]) -> str:
    if species in plants:
        return "plant"
    return "virus" if species in _VIRUSES else "animal"


_VIRUSES = frozenset(
    re.findall(
        r"\w+",
        "bfv bhv1 bhv5 bkv blv bpcv1 bpcv2 dev ebv gggpv1 hbv hcmv hhv6b hiv1 hsv1 hsv2 hvsa hvt iltv jcv kshv mcmv "
        "mcpv mdv1 mdv2 mghv prv ptvpv2a racpv1 rlcv rrv sfv sv40 ttv",
    )
)
"""miRBase's codes of viruses."""


def _rna(text: str) -> str:
    return text.strip().upper().replace("T", "U")


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
    with open_text(mirbase, wanted="a table of precursors") as lines:
        header = next(lines, "").rstrip("\n").split("\t")
        rows = [dict(zip(header, line.rstrip("\n").split("\t"), strict=False)) for line in lines]
    cores = [(record.id, _rna(record.sequence)) for record in read_sequences(mirgenedb)] if mirgenedb else []
    missing = {"pre_name", "pre_seq", "m1_seq", "m2_seq"} - set(header)
    if missing:
        raise InputError(f"{mirbase}: no column {', '.join(sorted(missing))}; give miRBase's table of precursors.")
    plants = frozenset(row["pre_name"].split("-")[0] for row in rows if "-MIR" in row["pre_name"])
    by_start = defaultdict(list)
    for name, sequence in cores:
        by_start[sequence[:20]].append((name, sequence))
    out, contained = [], set()
    for row in rows:
        sequence = _rna(row["pre_seq"])
        if set(sequence) - set("ACGU"):
            continue
        core, curated = None, ""
        for i in range(len(sequence) - 19):
            for name, inner in by_start.get(sequence[i : i + 20], ()):
                if sequence.startswith(inner, i):
                    core, curated = (i, i + len(inner)), family_of(name.partition("_")[0])
                    contained.add(inner)
        species = row["pre_name"].split("-")[0].lower()
        arms = _arms(sequence, [_rna(row.get(f"m{k}_seq") or "") for k in (1, 2)])
        kingdom = _kingdom_of(species, plants)
        family = family_of(row["pre_name"])
        out.append(Precursor(row["pre_name"], species, family, kingdom, sequence, core, arms, "miRBase", curated))
    for name, sequence in cores:
        if sequence not in contained and not set(sequence) - set("ACGU"):
            contained.add(sequence)
            arms = (0, _MATURE_NT, len(sequence) - _MATURE_NT, len(sequence))
            species = name.split("-")[0].lower()
            core, family = (0, len(sequence)), family_of(name.partition("_")[0])
            out.append(Precursor(name, species, family, "animal", sequence, core, arms, "MirGeneDB", family))
    return out


def kindred_families(precursors: Sequence[Precursor], families: Sequence[str]) -> frozenset[str]:
    """The families, and all that go by another name: those that most of their curated records count to the same."""
    votes = defaultdict(Counter)
    for p in precursors:
        if p.curated_family:
            votes[p.family][p.curated_family] += 1
    group = {family: counts.most_common(1)[0][0] for family, counts in votes.items()}
    wanted = {group.get(family, family) for family in families}
    return frozenset(families) | {f for f in {p.family for p in precursors} if group.get(f, f) in wanted}


def _arms(sequence: str, matures: Sequence[str]) -> tuple[int, int, int, int]:
    """Places of the mature sequences, the 5' arm's first; one is on the arm where its middle lies."""
    out = [-1, -1, -1, -1]
    for mature in matures:
        start = sequence.find(mature) if mature and mature != "NA" else -1
        if start >= 0:
            is_3p = 2 * start + len(mature) > len(sequence)
            out[2 * is_3p : 2 * is_3p + 2] = start, start + len(mature)
    return tuple(out)


def confidence(precursors: Sequence[Precursor]) -> np.ndarray:
    """Weight of each: how sure it is, and less for each of a large family; float32, shape (n,).

    1 if MirGeneDB has it or five species have its family, 0.5 if two have it, else 0.15; divided by the square root of
    the number of records of the family.
    """
    species, counts = defaultdict(set), Counter(p.family for p in precursors)
    for p in precursors:
        species[p.family].add(p.species)
    sure = []
    for p in precursors:
        n = len(species[p.family])
        is_sure = p.core is not None or n >= _SPECIES_OF_MANY
        sure.append((1 if is_sure else 0.5 if n >= _SPECIES_OF_FEW else 0.15) / counts[p.family] ** 0.5)
    return np.array(sure, np.float32)


class _Genomes:
    """Random stretches of genomes.

    Parameters
    ----------
    paths
        FASTA files; their contigs are read whole.
    """

    def __init__(self, paths: Sequence[Path], rng: np.random.Generator):
        self._rng = rng
        self._contigs = []
        for path in paths:
            genome = open_genome(path)
            self._contigs += [encode(genome.fetch(c.name, 0, c.length)) for c in genome.contigs]

    def stretch(self, length: int) -> np.ndarray:
        """Base codes of a stretch without break, either strand; the genome by chance, whatever its size."""
        for _ in range(1000):
            codes = self._contigs[int(self._rng.integers(len(self._contigs)))]
            if codes.size < length:
                continue
            start = int(self._rng.integers(codes.size - length + 1))
            piece = codes[start : start + length]
            if not (piece == BREAK).any():
                return piece if self._rng.random() < 0.5 else reverse_complement(piece)
        raise InputError("the genomes hold no stretch of ACGT long enough to plant in; give others.")


def _planted(pieces: Sequence[np.ndarray], genomes: _Genomes, params: ScanParams) -> tuple[pa.Table, np.ndarray]:
    """Candidates of the forward strand of pieces planted in genome, and each piece's (start, end)."""
    parts, places, offset = [], [], 0
    for piece in pieces:
        parts += [genomes.stretch(FLANK_NT), piece, genomes.stretch(FLANK_NT), np.full(1, BREAK, np.uint8)]
        places.append((offset + FLANK_NT, offset + FLANK_NT + piece.size))
        offset += 2 * FLANK_NT + piece.size + 1
    bases = np.frombuffer(b"ACGTN", np.uint8)[np.concatenate(parts)].tobytes()
    result = scan_tile(bases, bases_start=0, core_start=0, core_end=len(bases), params=params)
    return result.table, np.array(places)


def _recovering(table: pa.Table, places: np.ndarray) -> np.ndarray:
    """Row of the candidate with the lowest penalised energy that recovers each place, -1 for none; shape (n,)."""
    starts, ends, penalised = (table[name].to_numpy() for name in ("start", "end", "penalised"))
    out = np.full(len(places), -1)
    for k, (start, end) in enumerate(places):
        rows = np.arange(np.searchsorted(starts, start - FLANK_NT), np.searchsorted(starts, end))
        shared = np.minimum(ends[rows], end) - np.maximum(starts[rows], start)
        covers = (shared >= MIN_OF_LOCUS * (end - start)) & (shared >= MIN_OF_CANDIDATE * (ends[rows] - starts[rows]))
        if covers.any():
            out[k] = rows[covers][np.argmin(penalised[rows[covers]])]
    return out


def plant_examples(
    precursors: Sequence[Precursor], genomes: Sequence[Path], *, preset: str = "animal", seed: int = 0
) -> pa.Table:
    """Plant precursors in genome and take what a scan makes of them.

    A record of MirGeneDB ends at its mature sequences; it gets the basal stem of a random miRBase record first.

    Parameters
    ----------
    precursors
        See ``read_precursors``.
    genomes
        FASTA files of the genome around them.
    preset
        Preset of the scan.
    seed
        Of places and basal stems.

    Returns
    -------
    ``EXAMPLE_SCHEMA``: those that the scan finds, labelled true.
    """
    rng = np.random.default_rng(seed)
    basal = [
        (p.sequence[: p.core[0]], p.sequence[p.core[1] :])
        for p in precursors
        if p.source == "miRBase" and p.core and min(p.core[0], len(p.sequence) - p.core[1]) >= _MIN_BASAL_NT
    ]
    whole, leads = [], []
    for p in precursors:
        left, right = basal[int(rng.integers(len(basal)))] if p.source == "MirGeneDB" and basal else ("", "")
        whole.append(left + p.sequence + right)
        leads.append(len(left))
    params = _forward_only(preset_params(preset))
    table, places = _planted([encode(s.encode()) for s in whole], _Genomes(genomes, rng), params)
    rows = _recovering(table, places)
    found = np.flatnonzero(rows >= 0)
    out = table.take(rows[found])
    shift = places[found, 0] + np.array(leads)[found] - out["start"].to_numpy()
    arms = np.array([precursors[k].arms for k in found], np.int64).reshape(-1, 4)
    moved = np.where(arms >= 0, arms + shift[:, None], -1)
    lengths = out["end"].to_numpy() - out["start"].to_numpy()
    for first in (0, 2):
        outside = (moved[:, first] < 0) | (moved[:, first + 1] > lengths)
        moved[outside, first : first + 2] = -1
    return _examples(out, [precursors[k] for k in found], confidence(precursors)[found], moved)


def plant(
    path: str | os.PathLike,
    *,
    mirbase: str | os.PathLike,
    mirgenedb: str | os.PathLike | None = None,
    genomes: Sequence[str | os.PathLike],
    kingdoms: Sequence[str] = (),
    preset: str = "animal",
    species: Sequence[str] = (),
    families: Sequence[str] = (),
    seed: int = 0,
) -> tuple[int, int]:
    """Plant known precursors and write the examples as a Parquet file (``EXAMPLE_SCHEMA``).

    Parameters
    ----------
    path
        File to write.
    mirbase, mirgenedb
        See ``read_precursors``.
    genomes, preset, seed
        See ``plant_examples``.
    kingdoms
        Only these of ``KINGDOMS``; none means all.
    species, families
        What to leave out.

    Returns
    -------
    How many were found, and how many were planted.

    Raises
    ------
    InputError
        If an input is bad, the file cannot be written, or there is nothing to plant.
    """
    left_out = Exclusion(frozenset(species), frozenset(families))
    known = read_precursors(Path(mirbase), Path(mirgenedb) if mirgenedb else None)
    known = [p for p in known if (not kingdoms or p.kingdom in kingdoms) and not left_out.holds(p)]
    if not known:
        raise InputError(f"{mirbase}: no precursor is left to plant; leave out less.")
    table = plant_examples(known, [Path(genome) for genome in genomes], preset=preset, seed=seed)
    with open_atomically(Path(path)) as stream:
        pq.write_table(table, stream, compression="zstd")
    return table.num_rows, len(known)


def _forward_only(params: ScanParams) -> ScanParams:
    """The same parameters for the forward strand alone."""
    return replace(params, strand="+")


def _examples(
    table: pa.Table, precursors: Sequence[Precursor] | None, weights: np.ndarray, arms: np.ndarray
) -> pa.Table:
    n = table.num_rows
    known = precursors is not None
    columns = {
        "label": np.full(n, known),
        "weight": weights,
        "species": [p.species for p in precursors] if known else [""] * n,
        "family": [p.family for p in precursors] if known else [""] * n,
        "source": [p.source for p in precursors] if known else ["inverted repeat"] * n,
    }
    names = ("mature5_start", "mature5_end", "mature3_start", "mature3_end")
    columns |= {name: arms[:, k].astype(np.int16) for k, name in enumerate(names)}
    columns |= {name: table[name] for name in ("sequence", "structure", "flank_5p", "flank_3p")}
    return pa.table(columns).select(EXAMPLE_SCHEMA.names).cast(EXAMPLE_SCHEMA)


def inverted_repeats(genomes: Sequence[Path], *, n: int, preset: str = "animal", seed: int = 0) -> pa.Table:
    """Artificial inverted repeats as negatives: genomes hold many that are no pre-miRNAs, each genome its own.

    An arm of genome is followed by 3 to 59 nt of genome and by its own reverse complement, mutated. Seven of ten
    have arms of 38 to 149 nt and 0 to 20 % of changes, the others arms of 18 to 44 nt and at most 3 %.

    Returns
    -------
    ``EXAMPLE_SCHEMA``: the candidates that lie on the repeats (0.6 of them at least), labelled false.
    """
    rng = np.random.default_rng(seed)
    source = _Genomes(genomes, rng)
    pieces = []
    for _ in range(n):
        is_long = rng.random() < 0.7
        length = int(rng.integers(38, 150) if is_long else rng.integers(18, 45))
        rate = float(rng.choice([0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2] if is_long else [0, 0.01, 0.03]))
        arm = source.stretch(length)
        back = _mutated(reverse_complement(arm), rate, rng)
        pieces.append(np.concatenate([arm, source.stretch(int(rng.integers(3, 60))), back]))
    table, places = _planted(pieces, source, _forward_only(preset_params(preset)))
    starts, ends = table["start"].to_numpy(), table["end"].to_numpy()
    piece = np.minimum(np.searchsorted(places[:, 1], starts, side="right"), len(places) - 1)
    shared = np.minimum(ends, places[piece, 1]) - np.maximum(starts, places[piece, 0])
    table = table.filter(shared >= 0.6 * (ends - starts))
    return _examples(table, None, np.ones(table.num_rows), np.full((table.num_rows, 4), -1))


def _mutated(codes: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Bases drawn anew at a rate, and an eighth of it each lost and inserted."""
    out = np.where(rng.random(codes.size) < rate, rng.integers(0, 4, codes.size), codes).astype(np.uint8)
    inserted = np.flatnonzero(rng.random(codes.size) < rate / 8)
    out = np.insert(out, inserted, rng.integers(0, 4, inserted.size))
    return out[rng.random(out.size) >= rate / 8].astype(np.uint8)
