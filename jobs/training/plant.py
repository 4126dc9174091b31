"""Simulated positives: known precursors inserted into genomic sequence, then found, bounded and folded by the scanner.

A record cut at its database's ends would differ from a scan's candidates by its length and ends alone. So each is put
between 150 nt of genome, those of its own place where it stands in the genome, and what the scan makes of it are the
examples: the candidates on its strand that recover it share its weight, those on the other strand are hairpins that are
no pre-miRNAs.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mirsweep.jobs.results.files import open_atomically
from mirsweep.jobs.results.outputs import check_file
from mirsweep.jobs.results.overlap import SortedIntervals
from mirsweep.jobs.training.examples import ExampleFacts, assemble
from mirsweep.jobs.training.own_places import Place, find_places
from mirsweep.jobs.training.precursors import Exclusion, Precursor, confidence, read_precursors, without_antisense
from mirsweep.scanner.alphabet import BREAK, encode, reverse_complement
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import open_genome
from mirsweep.scanner.params import preset_params
from mirsweep.scanner.scan import scan_tile

__all__ = ["FLANK_NT", "GenomicSequence", "Inserted", "Planted", "PlantedExamples", "insert", "plant", "plant_examples"]

FLANK_NT = 150
"""Genome on either side of what is inserted, nt: as long as the longest hairpin of an animal's scan, so that a
precursor competes with all hairpins that would overlap it in a genome."""
_MIN_BASAL_NT = 10
"""Least that a miRBase record has beyond MirGeneDB's ends on both sides to lend its basal stem, nt: Drosha cuts some
11 nt above the base of the stem (Han et al. 2006)."""
_N_TRIES = 1000
"""Places tried before a genome counts as too short or too full of N."""


_ANTISENSE_WEIGHT = 0.1
"""How often a hairpin on the other strand is drawn, relative to one of a genome: they are the hardest negatives of all,
and would else be half of those that are drawn."""
_COMMON_NT = 24
"""Where the other strand of a precursor shares so many bases in a row with a known precursor, nt, it may be one itself
(as mir-iab-4 and mir-iab-8), and is no negative."""


class Planted(NamedTuple):
    """What was simulated: the file, its rows, the precursors that the scan found, all that were inserted, the hairpins
    on their other strand (written only where a file is named for them), the records that were left out because they
    are the other strand of better known ones, and the precursors that stood in the genome."""

    path: Path
    n_rows: int
    n_found: int
    n_inserted: int
    n_antisense: int
    n_wrong_strand: int
    n_in_place: int


class PlantedExamples(NamedTuple):
    """Examples of inserted precursors.

    Attributes
    ----------
    positives
        Candidates that recover one, ``EXAMPLE_SCHEMA``, labelled true; those of one precursor share its weight.
    antisense
        Candidates of the other strand that lie on one, labelled false.
    n_found
        Precursors that were recovered.
    n_in_place
        Those that stood in the genomes, recovered or not.
    """

    positives: pa.Table
    antisense: pa.Table
    n_found: int
    n_in_place: int = 0


class Inserted(NamedTuple):
    """Pieces inserted into genomic sequence and scanned.

    Attributes
    ----------
    candidates
        Candidates of both strands, by start.
    starts, ends
        Where each piece lies, 0-based half-open in the candidates' coordinates; int64, shape (n,).
    """

    candidates: pa.Table
    starts: np.ndarray
    ends: np.ndarray


class Surroundings(NamedTuple):
    """What precedes and follows a piece on its strand, ``FLANK_NT`` each: base codes, uint8."""

    before: np.ndarray
    after: np.ndarray


class GenomicSequence:
    """Random pieces of genomes, and the surroundings of given ones.

    Parameters
    ----------
    paths
        FASTA files; their contigs are read whole.
    rng
        Chooses the pieces.
    """

    def __init__(self, paths: Sequence[Path], rng: np.random.Generator):
        self._rng = rng
        self._contigs: list[np.ndarray] = []
        for path in paths:
            genome = open_genome(path)
            self._contigs += [encode(genome.fetch(c.name, 0, c.length)) for c in genome.contigs]

    def piece(self, length: int) -> np.ndarray:
        """Base codes of a piece without break, of either strand; each contig is as likely, whatever its size.

        Raises
        ------
        InputError
            If there seems to be no such piece.
        """
        for _ in range(_N_TRIES):
            codes = self._contigs[int(self._rng.integers(len(self._contigs)))]
            if codes.size < length:
                continue
            start = int(self._rng.integers(codes.size - length + 1))
            piece = codes[start : start + length]
            if not (piece == BREAK).any():
                return piece if self._rng.random() < 0.5 else reverse_complement(piece)
        raise InputError(f"the genomes hold no {length} nt of A, C, G and T in a row to insert into; give others.")

    def surroundings(self, pieces: Sequence[np.ndarray]) -> list[Surroundings | None]:
        """Of each piece at its first place in the genomes; None where it has none, or too near an end or a break."""
        return [None if place is None else self._around(place) for place in find_places(pieces, self._contigs)]

    def _around(self, place: Place) -> Surroundings | None:
        codes = self._contigs[place.contig]
        before, after = codes[max(place.start - FLANK_NT, 0) : place.start], codes[place.end : place.end + FLANK_NT]
        if before.size < FLANK_NT or after.size < FLANK_NT or BREAK in before or BREAK in after:
            return None
        if place.is_forward:
            return Surroundings(before, after)
        return Surroundings(reverse_complement(after), reverse_complement(before))


def insert(
    pieces: Sequence[np.ndarray],
    genome: GenomicSequence,
    *,
    preset: str,
    surroundings: Sequence[Surroundings | None] | None = None,
) -> Inserted:
    """Put each piece between ``FLANK_NT`` of genome on both sides, and scan both strands of it all.

    Parameters
    ----------
    pieces
        Base codes, uint8.
    preset
        Preset of the scan.
    surroundings
        What is on both sides of each piece; None, for one or for all, takes random genome. These draws do not depend on
        what is given here.
    """
    parts, starts, offset = [], [], 0
    for k, piece in enumerate(pieces):
        own = Surroundings(genome.piece(FLANK_NT), genome.piece(FLANK_NT))
        if surroundings is not None:
            own = surroundings[k] or own
        parts += [own.before, piece, own.after, np.full(1, BREAK, np.uint8)]
        starts.append(offset + FLANK_NT)
        offset += 2 * FLANK_NT + piece.size + 1
    bases = np.frombuffer(b"ACGTN", np.uint8)[np.concatenate(parts)].tobytes()
    table = scan_tile(bases, bases_start=0, core_start=0, core_end=len(bases), params=preset_params(preset)).table
    begun = np.array(starts)
    return Inserted(table, begun, begun + [piece.size for piece in pieces])


def plant_examples(
    precursors: Sequence[Precursor],
    genomes: Sequence[Path],
    *,
    preset: str = "animal",
    seed: int = 0,
    in_place: bool = True,
) -> PlantedExamples:
    """Insert precursors into genomic sequence and take what a scan makes of them.

    A record of MirGeneDB ends at its mature sequences; it gets the basal stem of a random miRBase record first, unless
    it stands in the genomes.

    Parameters
    ----------
    precursors
        See ``read_precursors``.
    genomes
        FASTA files of the genome around them.
    preset
        Preset of the scan.
    seed
        Random seed of places and basal stems.
    in_place
        Leave precursors that stand in the genomes, letter for letter, between what surrounds them there.

    Returns
    -------
    Precursors that the scan finds, and the hairpins opposite all of them.
    """
    rng = np.random.default_rng(seed)
    leads, pieces = _with_basal_stems(precursors, rng)
    genome = GenomicSequence(genomes, rng)
    surroundings: list[Surroundings | None] = [None] * len(pieces)
    if in_place:
        records = [encode(p.sequence.encode()) for p in precursors]
        surroundings = genome.surroundings(records)
        for k, own in enumerate(surroundings):
            if own is not None:
                pieces[k], leads[k] = records[k], 0
    inserted = insert(pieces, genome, preset=preset, surroundings=surroundings)
    rows, owners = _recovering(inserted)
    candidates = inserted.candidates.take(rows)
    chosen = [precursors[k] for k in owners.tolist()]
    shift = inserted.starts[owners] + leads[owners] - candidates["start"].to_numpy()
    lengths = candidates["end"].to_numpy() - candidates["start"].to_numpy()
    n_of_owner = np.bincount(owners, minlength=len(precursors))
    facts = ExampleFacts(
        label=True,
        weights=confidence(precursors)[owners] / n_of_owner[owners].astype(np.float32),
        species=[p.species for p in chosen],
        families=[p.family for p in chosen],
        sources=[p.source for p in chosen],
        arms=_moved_arms(chosen, shift, lengths),
    )
    antisense = inserted.candidates.take(_opposite(inserted, pieces))
    plain = ExampleFacts.plain(antisense.num_rows, label=False, source="antisense", weight=_ANTISENSE_WEIGHT)
    return PlantedExamples(
        assemble(candidates, facts),
        assemble(antisense, plain),
        int((n_of_owner > 0).sum()),
        sum(own is not None for own in surroundings),
    )


def _with_basal_stems(precursors: Sequence[Precursor], rng: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
    """What each precursor is preceded by, nt, and base codes of all, those of MirGeneDB with a basal stem."""
    basal = [
        (p.sequence[: p.core[0]], p.sequence[p.core[1] :])
        for p in precursors
        if p.source == "miRBase" and p.core and min(p.core[0], len(p.sequence) - p.core[1]) >= _MIN_BASAL_NT
    ]
    pieces, leads = [], []
    for p in precursors:
        left, right = basal[int(rng.integers(len(basal)))] if p.source == "MirGeneDB" and basal else ("", "")
        pieces.append(encode((left + p.sequence + right).encode()))
        leads.append(len(left))
    return np.array(leads), pieces


def _recovering(inserted: Inserted) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the candidates on the strand of a piece that recover it, and the number of it; int64, (n,)."""
    candidates = _of_strand(inserted, "+")
    found = [candidates.recovering(*place) for place in zip(inserted.starts, inserted.ends, strict=True)]
    owners = np.repeat(np.arange(len(found)), [len(rows) for rows in found])
    return np.concatenate([*found, np.empty(0, np.int64)]).astype(np.int64), owners


def _opposite(inserted: Inserted, pieces: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of the candidates on the other strand that recover a piece, unless that may be a precursor too; int64."""
    candidates = _of_strand(inserted, "-")
    known = {kmer for piece in pieces for kmer in _kmers(piece)}
    alone = [known.isdisjoint(_kmers(reverse_complement(piece))) for piece in pieces]
    places = zip(inserted.starts, inserted.ends, alone, strict=True)
    found = [candidates.recovering(start, end) for start, end, is_alone in places if is_alone]
    return np.unique(np.concatenate([*found, np.empty(0, np.int64)])).astype(np.int64)


def _of_strand(inserted: Inserted, strand: str) -> SortedIntervals:
    starts, ends = (inserted.candidates[name].to_numpy() for name in ("start", "end"))
    return SortedIntervals.of(
        starts, ends, np.flatnonzero(pc.equal(inserted.candidates["strand"], strand).to_numpy(zero_copy_only=False))
    )


def _kmers(codes: np.ndarray) -> set[bytes]:
    content = codes.tobytes()
    return {content[i : i + _COMMON_NT] for i in range(len(content) - _COMMON_NT + 1)}


def _moved_arms(precursors: Sequence[Precursor], shift: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Places of the mature sequences within the candidates, -1 where unknown or outside; int16, shape (n, 4)."""
    arms = np.array([p.arms for p in precursors], np.int64).reshape(-1, 4)
    moved = np.where(arms >= 0, arms + shift[:, None], -1)
    for first in (0, 2):
        outside = (moved[:, first] < 0) | (moved[:, first + 1] > lengths)
        moved[outside, first : first + 2] = -1
    return moved.astype(np.int16)


def plant(
    path: str | os.PathLike,
    *,
    mirbase: str | os.PathLike,
    mirgenedb: str | os.PathLike | None = None,
    genomes: Sequence[str | os.PathLike],
    kingdoms: Sequence[str] = (),
    preset: str = "animal",
    without_species: Sequence[str] = (),
    without_families: Sequence[str] = (),
    antisense: str | os.PathLike | None = None,
    seed: int = 0,
    in_place: bool = True,
) -> Planted:
    """Insert known precursors into genomic sequence and write what a scan finds of them as training examples.

    Records that are the other strand of better known ones are left out
    (:func:`~mirsweep.jobs.training.precursors.without_antisense`).

    Parameters
    ----------
    path
        Parquet file to write (``EXAMPLE_SCHEMA``); give it to :func:`mirsweep.jobs.adapt` as ``examples``.
    mirbase, mirgenedb
        See ``read_precursors``.
    genomes, preset, seed, in_place
        See ``plant_examples``.
    kingdoms
        Only these of ``KINGDOMS``; none means all.
    without_species, without_families
        What to leave out, as ``cel`` and ``mir17``.
    antisense
        Parquet file to write the hairpins on the other strand of the precursors to; give it to ``adapt`` as
        ``negatives``.

    Raises
    ------
    InputError
        If an input is bad, the file cannot be written, or there is nothing to insert.
    """
    check_file(path)
    if antisense is not None and check_file(antisense).resolve() == Path(path).resolve():
        raise InputError(f"{path}: named for both kinds of examples: give --antisense a file of its own.")
    left_out = Exclusion(frozenset(without_species), frozenset(without_families))
    read = read_precursors(Path(mirbase), Path(mirgenedb) if mirgenedb else None)
    right = without_antisense(read)
    known = [p for p in right if (not kingdoms or p.kingdom in kingdoms) and not left_out.holds(p)]
    if not known:
        raise InputError(f"{mirbase}: no precursor is left to insert; leave out less.")
    examples = plant_examples(known, [Path(genome) for genome in genomes], preset=preset, seed=seed, in_place=in_place)
    _write(Path(path), examples.positives)
    if antisense is not None:
        _write(Path(antisense), examples.antisense)
    return Planted(
        Path(path),
        examples.positives.num_rows,
        examples.n_found,
        len(known),
        examples.antisense.num_rows,
        len(read) - len(right),
        examples.n_in_place,
    )


def _write(path: Path, table: pa.Table) -> None:
    with open_atomically(path) as stream:
        pq.write_table(table, stream, compression="zstd")
