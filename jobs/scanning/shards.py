"""What a scan is made of: shards of about equal work, with ids that say what was asked of which bases."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, NamedTuple

from mirsweep.jobs.scanning.parts import Parts
from mirsweep.scanner.candidates import SCHEMA
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome
from mirsweep.scanner.params import ScanParams
from mirsweep.scanner.tiles import Tile, make_tiles

__all__ = ["MAX_PIECES", "SHARD_NT", "GenomeKey", "Piece", "RunKey", "Shard", "check_genomes", "make_shards"]

SHARD_NT = 1_000_000
"""Bases of genome in a shard. On C. elegans X, both strands, 1 Mb takes 0.6 s of one core and 260 MB; wider shards ran
no faster (2 and 4 Mb: within 2 %), narrower ones pay for what is done once a shard (0.25 Mb: 40 % slower)."""

_SLACK = 50
"""A shard of small contigs may be larger by this part than asked for: so 6 Mb of them are six shards, not seven."""
MAX_PIECES = 20_000
"""Most contigs in one shard, which bounds what a task holds besides letters: about 300 bytes a contig."""

_COLUMNS = f"{len(SCHEMA)} (digest {hashlib.sha256(','.join(SCHEMA.names).encode()).hexdigest()[:12]})"
"""Number and names of the columns of the rows."""


class Piece(NamedTuple):
    """An interval of a contig, 0-based half-open, whose candidates a shard finds (those that start in it)."""

    genome: str
    contig: str
    start: int
    end: int
    contig_nt: int

    @property
    def n_bases(self) -> int:
        """Length in nt."""
        return self.end - self.start


class Shard(NamedTuple):
    """A unit of work and of resume: pieces of contigs, in the order of the genome.

    ``id`` is the shard's number, so that file names sort by position, and a hash of what was asked of which bases.
    """

    id: str
    pieces: tuple[Piece, ...]

    @property
    def n_bases(self) -> int:
        """Bases of genome in the shard, nt."""
        return sum(piece.n_bases for piece in self.pieces)

    @property
    def where(self) -> str:
        """Its number, and its first and last place (1-based, both ends included)."""
        first, last = self.pieces[0], self.pieces[-1]
        beginning = f"{first.genome} {first.contig}:{first.start + 1}"
        if len(self.pieces) == 1:
            return f"shard {self.id} ({beginning}-{first.end})"
        return f"shard {self.id} ({beginning} to {last.genome} {last.contig}:{last.end}, {len(self.pieces)} contigs)"


class GenomeKey(NamedTuple):
    """Name and digest of one genome of a run."""

    name: str
    digest: str


@dataclass(frozen=True)
class RunKey:
    """All that the rows of a run depend on: two runs with equal keys give equal rows.

    Attributes
    ----------
    genomes
        Name (it stands in the rows) and digest of each.
    params
        What counts as a candidate.
    model, model_digest
        Label of the weights as in the rows, and sha256 of their file.
    calibration
        Digest of the model's calibration, which stands beside the weights; None if it has none.
    shard_nt
        Width of the shards: the rows do not depend on it, but which of them are done does.
    parts
        Which parts of the genomes are scanned, in words with a digest (``Parts.fact``); None for all.
    versions
        Of the packages that compute the rows.
    """

    genomes: tuple[GenomeKey, ...]
    params: ScanParams
    model: str
    model_digest: str
    calibration: str | None = None
    shard_nt: int = SHARD_NT
    parts: str | None = None
    versions: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.shard_nt < 1:
            raise InputError(f"shards of {self.shard_nt} nt cannot be made: give --shard-nt 1 or more.")
        if not self.versions:
            versions = tuple((name, version(name)) for name in ("mirsweep", "viennarna"))
            object.__setattr__(self, "versions", versions)

    def facts(self) -> dict[str, Any]:
        """The key as flat, JSON-able facts, in words that a user knows."""
        facts: dict[str, Any] = {f"genome {name}": f"digest {digest[:12]}" for name, digest in self.genomes}
        facts |= {f"parameter {name}": value for name, value in asdict(self.params).items()}
        facts |= {"model": f"{self.model} (sha256 {self.model_digest})", "shard-nt": self.shard_nt}
        facts |= {"calibration": f"digest {self.calibration[:12]}"} if self.calibration else {}
        facts |= {"parts": self.parts} if self.parts else {}
        facts["columns"] = _COLUMNS
        return facts | {f"version of {name}": number for name, number in self.versions}


def make_shards(genomes: Sequence[Genome], key: RunKey, parts: Parts | None = None) -> list[Shard]:
    """Cut genomes into shards of ``key.shard_nt`` bases at most, or 2 % more; small contigs share one.

    Parameters
    ----------
    genomes
        In the order in which they are scanned; each has name, digest and contigs.
    key
        What the run depends on.
    parts
        What of the genomes is scanned; all of it by default.

    Returns
    -------
    The same shards with the same ids for the same genomes and key, always; every base of the parts is in exactly one.
    """
    groups = _group(_pieces(genomes, key.shard_nt, parts), key.shard_nt)
    asked = hashlib.sha256(json.dumps([key.genomes, key.facts()]).encode())
    return [Shard(_shard_id(number, group, asked.copy()), tuple(group)) for number, group in enumerate(groups)]


def check_genomes(genomes: Sequence[Genome]) -> None:
    """Make sure that names tell the genomes apart; contigs of different genomes may be called the same.

    Raises
    ------
    InputError
        If two genomes of the run have the same name.
    """
    names: set[str] = set()
    for genome in genomes:
        if genome.name in names:
            raise InputError(f"two genomes are named {genome.name!r}: rename one file, or scan them into different -o.")
        names.add(genome.name)


def _pieces(genomes: Sequence[Genome], shard_nt: int, parts: Parts | None) -> Iterator[Piece]:
    for genome in genomes:
        for contig in genome.contigs:
            whole = (Tile(0, contig.length),) if contig.length else ()
            for interval in whole if parts is None else parts.intervals.get((genome.name, contig.name), ()):
                for start, end in _cut(interval, shard_nt):
                    yield Piece(genome.name, contig.name, start, end, contig.length)


def _cut(interval: Tile, shard_nt: int) -> list[Tile]:
    """Tiles of equal width rather than a small rest."""
    n_bases = interval.end - interval.start
    width = -(-n_bases // -(-n_bases // shard_nt))
    return [Tile(interval.start + start, interval.start + end) for start, end in make_tiles(n_bases, width)]


def _group(pieces: Iterator[Piece], shard_nt: int) -> Iterator[list[Piece]]:
    group: list[Piece] = []
    n_bases = 0
    for piece in pieces:
        if group and (n_bases + piece.n_bases > shard_nt + shard_nt // _SLACK or len(group) == MAX_PIECES):
            yield group
            group, n_bases = [], 0
        group.append(piece)
        n_bases += piece.n_bases
    if group:
        yield group


def _shard_id(number: int, pieces: Sequence[Piece], asked: "hashlib._Hash") -> str:
    asked.update(json.dumps(pieces).encode())
    return f"{number:06d}-{asked.hexdigest()[:16]}"
