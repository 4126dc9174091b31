"""The contigs of a scan, in its order: genomes as they were given, contigs as they stand in their files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from mirsweep.jobs.results.layout import CONTIGS, DECOYS
from mirsweep.jobs.results.names import did_you_mean
from mirsweep.jobs.results.parquet import open_parquet, read_as
from mirsweep.scanner.errors import InputError

__all__ = ["CONTIG_SCHEMA", "SCANNED", "Contig", "Contigs", "read_contigs"]

_NAME = pa.dictionary(pa.int32(), pa.string())
CONTIG_SCHEMA = pa.schema([("genome", _NAME), ("contig", pa.string()), ("length", pa.int64())])
"""Columns of contigs.parquet; length in nt."""
SCANNED = pa.field("scanned", pa.list_(pa.list_(pa.int64())))
"""A further column where parts of genomes were scanned: the intervals, [start, end), 0-based, in order."""
Intervals = Mapping[tuple[str, str], Sequence[Sequence[int]]]


class Contig(NamedTuple):
    """A contig of a scan; length in nt, None if it is not known."""

    genome: str
    contig: str
    length: int | None


@dataclass(frozen=True)
class Contigs:
    """The contigs of a scan; the rank of one is its row of the table.

    Attributes
    ----------
    table
        ``CONTIG_SCHEMA``; with the column ``SCANNED`` where parts of the genomes were scanned.
    """

    table: pa.Table

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str, int | None]]) -> "Contigs":
        """Contigs of (genome, contig, length) in the order of the scan."""
        columns = list(zip(*rows, strict=True)) or [(), (), ()]
        genomes, names, lengths = columns
        arrays = pa.array(genomes, pa.string()).dictionary_encode(), pa.array(names, pa.string())
        return cls(pa.Table.from_arrays([*arrays, pa.array(lengths, pa.int64())], schema=CONTIG_SCHEMA))

    def whole(self) -> "Contigs":
        """The same without what was scanned of them."""
        return Contigs(self.table.select(CONTIG_SCHEMA.names))

    def with_scanned(self, intervals: Intervals) -> "Contigs":
        """The same with what was scanned of them: intervals by genome and contig, of the others nothing."""
        own = [[list(tile) for tile in intervals.get((genome, name), ())] for genome, name, _ in self]
        return Contigs(self.whole().table.append_column(SCANNED, pa.array(own, SCANNED.type)))

    @cached_property
    def scanned(self) -> dict[tuple[str, str], list[list[int]]] | None:
        """By genome and contig the intervals that were scanned; None if all was, or it stands elsewhere."""
        if SCANNED.name not in self.table.column_names:
            return None
        some = self.table.filter(pc.greater(pc.list_value_length(self.table[SCANNED.name]), 0))
        genomes, names, intervals = (some[name].to_pylist() for name in ("genome", "contig", SCANNED.name))
        return dict(zip(zip(genomes, names, strict=True), intervals, strict=True))

    def __iter__(self) -> Iterator[Contig]:
        for batch in self.table.select(CONTIG_SCHEMA.names).to_batches():
            yield from map(Contig, *(column.to_pylist() for column in batch.columns))

    def __getitem__(self, rank: int) -> Contig:
        return Contig(*(self.table[name][rank].as_py() for name in CONTIG_SCHEMA.names))

    def __len__(self) -> int:
        return self.table.num_rows

    @cached_property
    def genomes(self) -> list[str]:
        """Names of the genomes, in order."""
        return self.table["genome"].unique().to_pylist()

    @cached_property
    def names(self) -> dict[str, None]:
        """Names of the contigs, in order, each once."""
        return dict.fromkeys(self.table["contig"].to_pylist())

    def lengths_of(self, genome: str | None = None) -> dict[str, int]:
        """Length of each contig by its name, nt, where that is known; of two of a name that of the longer one.

        Raises
        ------
        InputError
            If the scan has no such genome.
        """
        table = self.table if genome is None else self._of_genome(genome)
        found: dict[str, int] = {}
        for name, length in zip(table["contig"].to_pylist(), table["length"].to_pylist(), strict=True):
            if length is not None:
                found[name] = max(length, found.get(name, 0))
        return found

    def ranks_of_genome(self, genome: str) -> tuple[int, int]:
        """First and last rank of a genome's contigs.

        Raises
        ------
        InputError
            If the scan has no such genome.
        """
        if genome not in self.genomes:
            raise InputError(f"the scan has no genome {genome!r}: {did_you_mean(genome, self.genomes)}")
        own = pc.indices_nonzero(pc.equal(self._genome_column, genome))
        return own[0].as_py(), own[-1].as_py()

    def ranks(self, contig: str, genome: str | None = None) -> list[int]:
        """Ranks of the contigs of this name, of one genome or of all: one a genome at most."""
        is_named = pc.equal(self.table["contig"], contig)
        if genome is not None:
            is_named = pc.and_(is_named, pc.equal(self._genome_column, genome))
        return pc.indices_nonzero(is_named).to_pylist()

    def rank(self, contig: str, genome: str | None = None) -> int:
        """The rank of the contig of this name.

        Raises
        ------
        InputError
            If there is none, or several genomes have one.
        """
        found = self.ranks(contig, genome)
        if not found:
            owner = "the scan" if genome is None else f"the scan's genome {genome!r}"
            raise InputError(f"{owner} has no contig {contig!r}: {did_you_mean(contig, self._names_in(genome))}")
        if len(found) > 1:
            owners = " and ".join(map(repr, self.table["genome"].take(found[:3]).to_pylist()))
            others = f" and {len(found) - 3} more" if len(found) > 3 else ""
            raise InputError(f"contig {contig!r} is in the genomes {owners}{others}: name one with --genome.")
        return found[0]

    def _names_in(self, genome: str | None) -> dict[str, None]:
        return self.names if genome is None else dict.fromkeys(self._of_genome(genome)["contig"].to_pylist())

    def _of_genome(self, genome: str) -> pa.Table:
        first, last = self.ranks_of_genome(genome)
        return self.table.slice(first, last - first + 1)

    @cached_property
    def _genome_column(self) -> pa.ChunkedArray:
        return self.table["genome"].cast(pa.string())


def read_contigs(output: Path, run: Mapping[str, Any] | None) -> Contigs | None:
    """The contigs of a scan from contigs.parquet, or, of an older one, from its run.json; None if neither tells.

    Raises
    ------
    InputError
        If contigs.parquet is damaged.
    """
    path = output / CONTIGS
    try:
        has_parts = SCANNED.name in open_parquet(path).schema_arrow.names
        schema = CONTIG_SCHEMA.append(SCANNED) if has_parts else CONTIG_SCHEMA
        found = Contigs(read_as(path, schema, whole=schema.names if has_parts else ("genome", "contig")))
        _check_scanned(found)
        return found
    except FileNotFoundError:
        if output.name == DECOYS and (output.parent / CONTIGS).is_file():  # all of the same contigs, read backwards
            outer = read_contigs(output.parent, None)
            return outer and outer.whole()
        return _of_run(run["genomes"]) if run else None
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InputError(
            f"{path}: damaged or not readable ({error}): delete it and run the scan again, which takes a moment."
        ) from error


def _check_scanned(contigs: Contigs) -> None:
    """Make sure that intervals are such: two numbers each, in order, within their contig."""
    if SCANNED.name not in contigs.table.column_names:
        return
    column = contigs.table[SCANNED.name].combine_chunks()
    sizes, ends = pc.list_value_length(column.flatten()), column.flatten().flatten()
    if sizes.null_count or ends.null_count or not pc.all(pc.equal(sizes, 2), min_count=0).as_py():
        raise pa.ArrowInvalid("intervals that are none")
    pairs = ends.to_numpy().reshape(-1, 2)
    limits = contigs.table["length"].combine_chunks().take(pc.list_parent_indices(column)).to_numpy()
    if not ((pairs[:, 0] >= 0) & (pairs[:, 0] < pairs[:, 1]) & (pairs[:, 1] <= limits)).all():
        raise pa.ArrowInvalid("intervals that lie outside of their contig")


def _of_run(genomes: Sequence[Mapping[str, Any]]) -> Contigs | None:
    if not all("contigs" in genome for genome in genomes):
        return None
    return Contigs.of((genome["name"], *item) for genome in genomes for item in genome["contigs"].items())
