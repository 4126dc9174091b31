"""Looking through an output for damage: every file's size and digest, every row's place, order and score."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mirsweep.jobs.results.contig_folders import has_contig_folders
from mirsweep.jobs.results.contigs import Contigs, read_contigs
from mirsweep.jobs.results.digests import what_differs
from mirsweep.jobs.results.json_files import MalformedError, check_fields, read_object
from mirsweep.jobs.results.layout import CANDIDATES, DECOYS, LOCI, PLAN, RUN, SHARDS, SIDE_TABLES, part_name
from mirsweep.jobs.results.loci_schema import LOCI_SCHEMA
from mirsweep.jobs.results.parquet import open_parquet
from mirsweep.jobs.results.part_files import part_sizes
from mirsweep.jobs.results.records import FAILED, part_of, read_records
from mirsweep.jobs.results.run_json import read_run
from mirsweep.jobs.results.side_tables import what_is_wrong
from mirsweep.jobs.results.sound_rows import sound
from mirsweep.scanner.candidates import SCHEMA
from mirsweep.scanner.errors import InputError

__all__ = ["Damage", "Inspection", "inspect_output"]

_KEY = ("genome", "contig", "start", "end", "strand")


class Damage(NamedTuple):
    """A file of an output that is not as it was written, relative to the output, and in which way."""

    file: str
    what: str


class Inspection(NamedTuple):
    """What was looked at, and the damage that was found.

    Attributes
    ----------
    is_complete
        Whether the scan was finished; otherwise only what is finished was looked at.
    n_files, n_rows
        Part files of candidates, and rows in them, those of decoys too.
    """

    is_complete: bool
    n_files: int
    n_rows: int
    damage: tuple[Damage, ...]


def inspect_output(output: Path) -> Inspection:
    """Look through all of an output, and through the decoys in it.

    Raises
    ------
    InputError
        If the folder is not the output of a scan, or one of the first version, which had no digests.
    """
    if not _is_output(output):
        raise InputError(f"{output}: not the output of a mirsweep scan; give the -o folder of one.")
    if has_contig_folders(output):
        raise InputError(f"{output}: an older version of mirsweep wrote this scan, without digests to check it by.")
    damage = []
    try:
        run = read_run(output)
    except InputError as error:
        run = None
        damage.append(Damage(RUN, _without_place(error)))
    is_complete = (output / RUN).exists()
    plan = [*_of_plan(output)]
    damage += [*plan, *(each for each in _of_told_files(output, run) if not (plan and each.file == PLAN))]
    contigs = _contigs(output, run)
    found = _Parts(output, contigs)
    damage += found.look()
    if run is not None:
        damage += [*_of_counts(run, found), *_of_loci(output, run), *_of_side_tables(output)]
    n_files, n_rows = found.n_files, found.n_rows
    if _is_output(output / DECOYS):
        inner = inspect_output(output / DECOYS)
        damage += [Damage(f"{DECOYS}/{each.file}", each.what) for each in inner.damage]
        if is_complete and not inner.is_complete:
            damage.append(Damage(f"{DECOYS}/{RUN}", "is missing"))
        n_files, n_rows = n_files + inner.n_files, n_rows + inner.n_rows
    elif is_complete and (output / DECOYS).is_dir():
        damage.append(Damage(f"{DECOYS}/{RUN}", "is missing"))
    return Inspection(is_complete, n_files, n_rows, tuple(damage))


def _is_output(folder: Path) -> bool:
    """Whether a scan has begun here; its folder may be older than its plan."""
    return any((folder / name).exists() for name in (PLAN, RUN, CANDIDATES))


def _without_place(error: InputError) -> str:
    return str(error).split(": ", 1)[-1].split(": delete it")[0]


def _of_plan(output: Path) -> Iterator[Damage]:
    try:
        check_fields(read_object(output / PLAN), {"format": int, "facts": dict})
    except FileNotFoundError:
        yield Damage(PLAN, "is missing")
    except (OSError, MalformedError) as error:
        yield Damage(PLAN, f"is damaged ({error})")


def _of_told_files(output: Path, run: Mapping[str, Any] | None) -> Iterator[Damage]:
    for name, told in (run or {}).get("digests", {}).items():
        what = what_differs(output / name, told)
        if what:
            yield Damage(name, what)


def _contigs(output: Path, run: Mapping[str, Any] | None) -> Contigs | None:
    try:
        return read_contigs(output, run)
    except InputError:
        return None  # its digest tells of the damage


class _Parts:
    """The part files that commit records tell of."""

    def __init__(self, output: Path, contigs: Contigs | None):
        self._folder = output / CANDIDATES
        self._is_complete = (output / RUN).exists()  # else parts may wait to be committed
        found, damaged = read_records(output)
        self._records = dict(sorted(found.items()))
        self._damaged = [Damage(file, what) for file, what in damaged.items()]
        self._ranks = (
            None if contigs is None else {(genome, name): rank for rank, (genome, name, _) in enumerate(contigs)}
        )
        self.n_files = self.n_rows = 0
        self.n_records = sum(FAILED not in record for record in self._records.values())

    def look(self) -> list[Damage]:
        damage, named, last = [*self._damaged], {part_name("empty")}, None
        for record in self._records.values():
            name = part_of(record)
            if name is None:
                continue
            named.add(name)
            self.n_files, self.n_rows = self.n_files + 1, self.n_rows + record["part"]["rows"]
            what = what_differs(self._folder / name, record["part"])
            if what is None:
                what, last = self._of_rows(self._folder / name, record["part"], last)
            if what is not None:
                damage.append(Damage(f"{CANDIDATES}/{name}", what))
        strays = sorted(part_sizes(self._folder).keys() - named) if self._is_complete else ()
        return damage + [Damage(f"{CANDIDATES}/{name}", "belongs to no shard of the scan") for name in strays]

    def _of_rows(self, path: Path, told: Mapping[str, Any], last: Any) -> tuple[str | None, Any]:
        """What is wrong with the rows of a part, and the place of its last row."""
        try:
            table = sound(open_parquet(path).read())
        except (OSError, pa.ArrowException) as error:
            return f"cannot be read ({_first_line(error)})", last
        if table.schema.names != SCHEMA.names or table.schema.types != SCHEMA.types:
            return "has other columns than a scan writes", last
        if table.num_rows != told["rows"]:
            return f"has {table.num_rows} rows instead of {told['rows']}", last
        scores = table["score"].to_numpy()
        if not ((scores >= 0) & (scores <= 1)).all():
            return "has a score that is none", last
        if self._ranks is None or not table.num_rows:
            return None, last
        places = _places(table, self._ranks)
        if places is None:
            return "has rows on contigs that the scan lacks", last
        if not _is_sorted(places) or (last is not None and tuple(last) > tuple(places[0])):
            return "has rows that are not in the genome's order", places[-1]
        return None, places[-1]


def _places(table: pa.Table, ranks: Mapping[tuple[str, str], int]) -> np.ndarray | None:
    """Rank of the contig, start, end and strand of each row, int64, shape (n, 4); None where a contig has no rank."""
    genomes, contigs, starts, ends, strands = (table[name].combine_chunks() for name in _KEY)
    pairs = np.stack([genomes.indices.to_numpy(), contigs.indices.to_numpy()], axis=1)
    distinct, inverse = np.unique(pairs, axis=0, return_inverse=True)
    of_pairs = [ranks.get((genomes.dictionary[g].as_py(), contigs.dictionary[c].as_py()), -1) for g, c in distinct]
    if min(of_pairs) < 0:
        return None
    is_reverse = pc.equal(strands.cast(pa.string()), "-").to_numpy(zero_copy_only=False)
    own = np.array(of_pairs, np.int64)[inverse.reshape(-1)]
    return np.stack([own, starts.to_numpy(), ends.to_numpy(), is_reverse.astype(np.int64)], axis=1)


def _is_sorted(places: np.ndarray) -> bool:
    """Whether rows, shape (n, 4), are in strictly ascending order."""
    differences = np.diff(places, axis=0)
    first = (differences != 0).argmax(axis=1)
    return bool((np.take_along_axis(differences, first[:, None], axis=1) > 0).all())


def _of_counts(run: Mapping[str, Any], found: _Parts) -> Iterator[Damage]:
    counts = run["counts"]
    n_shards = counts.get("n_shards", found.n_records) - counts.get("n_shards_failed", 0)
    if found.n_records != n_shards:
        yield Damage(SHARDS, f"has commit records of {found.n_records} shards instead of {n_shards}")
    if found.n_rows != counts["n_candidates"]:
        yield Damage(CANDIDATES, f"has {found.n_rows} rows instead of {counts['n_candidates']}")


def _of_loci(output: Path, run: Mapping[str, Any]) -> Iterator[Damage]:
    if "loci" not in run or not (output / LOCI).is_file():
        return  # a missing one is told by its digest
    try:
        table = sound(open_parquet(output / LOCI).read())
    except (OSError, pa.ArrowException) as error:
        yield Damage(LOCI, f"cannot be read ({_first_line(error)})")
        return
    if table.schema.names != LOCI_SCHEMA.names:
        yield Damage(LOCI, "has other columns than a second pass writes")
    elif table.num_rows != run["loci"].get("n_loci"):
        yield Damage(LOCI, f"has {table.num_rows} rows instead of {run['loci'].get('n_loci')}")


def _of_side_tables(output: Path) -> Iterator[Damage]:
    for name in SIDE_TABLES:
        what = what_is_wrong(output / name) if (output / name).is_file() else None
        if what:
            yield Damage(name, what)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no message"])[0]
