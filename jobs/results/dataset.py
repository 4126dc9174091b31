"""Reading the output of a scan."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from mirsweep.jobs.results.contigs import Contigs, read_contigs
from mirsweep.jobs.results.copies import bring
from mirsweep.jobs.results.digests import check_sizes
from mirsweep.jobs.results.layout import CANDIDATES, DECOYS, ERRORS, FAILED_GENOMES, LOCI, PLAN, RUN
from mirsweep.jobs.results.loci_schema import LOCI_SCHEMA
from mirsweep.jobs.results.messages import warn_once
from mirsweep.jobs.results.part_files import PartFiles, Place, read_part_files
from mirsweep.jobs.results.run_json import read_run, scanned_in
from mirsweep.jobs.results.side_tables import ABOUT_READS, EXCLUDED, KEY, join, read_side_tables
from mirsweep.jobs.results.sound_rows import sound
from mirsweep.jobs.results.stored import folder_to_read
from mirsweep.regular import check_regular
from mirsweep.scanner.candidates import SCHEMA
from mirsweep.scanner.errors import InputError

__all__ = ["Output", "damaged", "open_loci", "open_output", "read_candidates", "read_loci"]


_MOST_FILES = 64
"""Files that are read at once: Arrow opens some ahead, and goes on to the last one even if nobody waits for it."""


@dataclass(frozen=True)
class Output:
    """A scan's output, complete or not.

    Attributes
    ----------
    path
        The output folder.
    run
        Content of run.json; None if the scan is not complete.
    is_loci
        Whether its rows are the loci rather than the candidates.
    is_joined
        Whether loci have the columns of the side tables that are there.
    has_excluded
        Whether loci are there that a side table tells to leave out.
    """

    path: Path
    run: dict[str, Any] | None
    is_loci: bool = False
    is_joined: bool = False
    has_excluded: bool = False

    @property
    def schema(self) -> pa.Schema:
        """Of the rows."""
        if not self.is_loci:
            return SCHEMA
        added = (field for table in self._side_tables for field in table.schema if field.name not in KEY)
        return pa.schema([*LOCI_SCHEMA, *added])

    @cached_property
    def _side_tables(self) -> list[pa.Table]:
        return read_side_tables(self.path) if self.is_loci and self.is_joined else []

    @cached_property
    def _joined(self) -> ds.Dataset:
        """The loci with their side tables."""
        plain = self._plain_dataset([str(self.path / LOCI)], LOCI_SCHEMA)
        loci = join(sound(plain.to_table()).unify_dictionaries(), self._side_tables)
        if EXCLUDED in loci.column_names and not self.has_excluded:
            loci = loci.filter(pc.invert(pc.fill_null(loci[EXCLUDED], False)))
        return ds.dataset(loci.cast(self.schema))

    @property
    def about_reads(self) -> dict[str, Any] | None:
        """What its table of evidence tells of the reads, see ``ABOUT_READS``; None where none were counted."""
        told = [(table.schema.metadata or {}).get(ABOUT_READS) for table in self._side_tables]
        with suppress(ValueError):  # a table that others have written
            return next((json.loads(text) for text in told if text), None)
        return None

    @property
    def score_column(self) -> str:
        """What the rows are ranked by."""
        return "locus_score" if self.is_loci else "score"

    @property
    def fp_column(self) -> str:
        """The expected false positives per Mb at the rank's score; of loci those of their genome."""
        return "fp_per_mb" if self.is_loci else "expected_fp_per_mb"

    @contextmanager
    def intact(self) -> Iterator[None]:
        """Rows are read within: what fails there is damage, and is told as such."""
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise damaged(self.path, error) from error

    @cached_property
    def has_decoys(self) -> bool:
        """Whether its rows are loci whose error rates are those of decoys of the same genome."""
        if not self.is_loci:
            return False
        if self.run is not None and "presets_by" in self.run.get("loci", {}):
            return self.run["loci"]["presets_by"] == "q_value"
        with self.intact():
            first = self.dataset().head(1, columns=["fp_per_mb_low"])["fp_per_mb_low"]
        return first.null_count < len(first)

    @cached_property
    def contigs(self) -> Contigs:
        """The contigs that the scan read; of an older scan that is not complete, those that it has candidates on."""
        return read_contigs(self.path, self.run) or self._contigs_of_rows()

    @property
    def parts(self) -> dict[tuple[str, str], list[list[int]]] | None:
        """By genome and contig the intervals (0-based half-open, in order) that were scanned; None if all, or not known
        yet."""
        return None if self.run is None else self.contigs.scanned or scanned_in(self.run)

    @cached_property
    def decoys(self) -> "Output | None":
        """The scan of decoys, which lies within this one; None if there is none or it is not complete."""
        run = read_run(self.path / DECOYS)
        return None if run is None else Output(self.path / DECOYS, run)

    @cached_property
    def files(self) -> PartFiles:
        """The part files."""
        found = read_part_files(self.path, self.contigs, is_complete=self.run is not None)
        if self.run is not None and found.n_rows not in (None, self.run["counts"]["n_candidates"]):
            raise InputError(
                f"{self.path}: damaged: its parts have {found.n_rows} rows, and {RUN} tells of "
                f"{self.run['counts']['n_candidates']}; mirsweep check {self.path} --repair makes anew what is damaged."
            )
        return found

    def dataset(self, place: Place | None = None) -> ds.Dataset:
        """The candidates as an Arrow dataset, its files in the genome's order: those that can have rows of a place."""
        return self._dataset(self._paths(place))

    def datasets(self, place: Place | None = None) -> Iterator[ds.Dataset]:
        """The same in pieces, file after file at first, then more at a time: who stops early has opened few files."""
        paths = self._paths(place)
        first, n_files = 0, 1
        while first < len(paths):
            yield self._dataset(paths[first : first + n_files])
            first, n_files = first + n_files, min(2 * n_files, _MOST_FILES)

    def _contigs_of_rows(self) -> Contigs:
        files = read_part_files(self.path, None, is_complete=self.run is not None)
        paths = files.paths()
        bring(paths)
        with self.intact():
            columns = ["genome", "contig"]
            rows = sound(ds.dataset(paths, schema=SCHEMA, format="parquet").to_table(columns=columns))
        pairs = zip(*(column.to_pylist() for column in rows.columns), strict=True)
        return Contigs.of((genome, contig, None) for genome, contig in dict.fromkeys(pairs))

    def _paths(self, place: Place | None) -> list[str]:
        return [str(self.path / LOCI)] if self.is_loci else self.files.paths(place)

    def _dataset(self, files: Sequence[str]) -> ds.Dataset:
        if self._side_tables:
            return self._joined
        return self._plain_dataset(files, self.schema)

    def _plain_dataset(self, files: Sequence[str], schema: pa.Schema) -> ds.Dataset:
        if not files:
            return ds.dataset(schema.empty_table())
        bring(files)
        with self.intact():
            for path in files:
                check_regular(path)
            found = ds.dataset(files, schema=schema, format="parquet")
        for fragment in found.get_fragments():
            self._check_rows(fragment)
        return found

    def _check_rows(self, fragment: ds.ParquetFileFragment) -> None:
        """Make sure that a file has as many rows as were written; the fragment keeps what is read for this."""
        try:
            n_rows = fragment.metadata.num_rows
        except (OSError, pa.ArrowException) as error:
            what = (str(error).splitlines() or ["no message"])[0]
        else:
            told = self._told_rows(fragment.path)
            if told in (None, n_rows):
                return
            what = f"it has {n_rows} rows instead of {told}"
        raise InputError(f"{fragment.path}: damaged ({what}): mirsweep check {self.path} --repair makes it anew.")

    def _told_rows(self, path: str) -> int | None:
        """How many rows a file should have; None if that is not known."""
        if self.is_loci:
            return None if self.run is None else self.run.get("loci", {}).get("n_loci")
        return self.files.told_rows.get(os.path.basename(path))


def damaged(output: Path, error: Exception) -> InputError:
    """The sentence for rows that cannot be read."""
    cause = " ".join((str(error).splitlines() or ["no message"])[0].split())
    return InputError(
        f"{output}: damaged: its rows cannot be read ({cause}): mirsweep check {output} names what is damaged, and "
        "--repair makes it anew."
    )


def read_candidates(output: str | os.PathLike, *, columns: Sequence[str] | None = None) -> pa.Table:
    """All candidates of a scan, in the genome's order, whichever version of mirsweep wrote them.

    Parameters
    ----------
    output
        Output folder of a scan.
    columns
        Only these; all by default.

    Raises
    ------
    InputError
        If the folder is not the output of a scan, a part of it is missing, or there is no such column.
    """
    unknown = [name for name in columns or () if name not in SCHEMA.names]
    if unknown:
        raise InputError(f"candidates have no column {unknown[0]!r}: choose from {', '.join(SCHEMA.names)}.")
    opened = open_output(output)
    with opened.intact():
        table = opened.dataset().to_table(columns=None if columns is None else list(columns))
        return sound(table).unify_dictionaries()


def read_loci(output: str | os.PathLike, *, side_tables: bool = True, excluded: bool = False) -> pa.Table:
    """All loci of a scan, in the genome's order (``LOCI_SCHEMA``), joined with what is known of them since.

    Parameters
    ----------
    output
        Output folder of a scan.
    side_tables
        After the columns of ``LOCI_SCHEMA`` those of the side tables that are there (annotation.parquet,
        evidence.parquet); ``False`` gives loci.parquet as it is.
    excluded
        With the loci that ``mirsweep annotate --exclude`` left out.

    Raises
    ------
    InputError
        If the folder is not the output of a scan, or has no loci.
    """
    opened = replace(open_loci(output, excluded=excluded), is_joined=side_tables)
    with opened.intact():
        return sound(opened.dataset().to_table()).unify_dictionaries()


def open_loci(path: str | os.PathLike, *, excluded: bool = False) -> Output:
    """Open the loci of a scan's output, joined with the side tables that are there.

    Parameters
    ----------
    excluded
        With those that a side table tells to leave out.

    Raises
    ------
    InputError
        As :func:`open_output`, if the output has no loci, or those of an older version, with other columns.
    """
    output = open_output(path)
    if not (output.path / LOCI).is_file():
        raise InputError(f"{output.path}: has no loci; run mirsweep loci {output.path} to find them.")
    with output.intact():
        written = pq.read_schema(output.path / LOCI).names
    missing = [name for name in LOCI_SCHEMA.names if name not in written]
    if missing:
        raise InputError(
            f"{output.path / LOCI}: an older version of mirsweep wrote it, without {', '.join(missing)}: "
            f"run mirsweep loci {output.path} to find the loci again."
        )
    return replace(output, is_loci=True, is_joined=True, has_excluded=excluded)


def open_output(path: str | os.PathLike) -> Output:
    """Open the output of a scan; says on standard error if it is not complete.

    Raises
    ------
    InputError
        If the folder is not the output of a scan, or its run.json or another file that is read is damaged.
    """
    path = folder_to_read(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give the -o folder of a mirsweep scan.")
    run = read_run(path)
    if run is None and not (path / PLAN).is_file() and not (path / CANDIDATES).is_dir():
        raise InputError(f"{path}: not the output of a mirsweep scan; give the -o folder of one.")
    if run is None:
        warn_once(f"{path}: the scan is not complete; run it again to finish. Only finished parts are read.")
        return Output(path, run)
    check_sizes(path, run)
    if (path / ERRORS).is_file():
        n_failed = run["counts"].get("n_shards_failed", "some")
        warn_once(f"{path}: {n_failed} shards of the scan failed ({ERRORS}); candidates in them are missing.")
    if (path / FAILED_GENOMES).is_file():
        warn_once(f"{path}: genomes that could not be read are missing; {FAILED_GENOMES} names them.")
    return Output(path, run)
