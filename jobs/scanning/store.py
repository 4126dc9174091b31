"""The output of a scan on disk: created or taken up, one commit a finished shard, run.json last."""

import io
import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mirsweep.jobs.results.contigs import Contigs
from mirsweep.jobs.results.digests import what_differs
from mirsweep.jobs.results.files import cannot_write, take_file, write_atomically
from mirsweep.jobs.results.hold import hold
from mirsweep.jobs.results.json_files import MalformedError, check_fields, read_object
from mirsweep.jobs.results.layout import (
    CANDIDATES,
    CONTIGS,
    DECOYS,
    ERRORS,
    FAILED_GENOMES,
    FORMAT,
    INDEX,
    INDEX_SUFFIXES,
    LOCI,
    LOCI_FILES,
    PLAN,
    RECORDS,
    REPORT,
    RUN,
    SHARDS,
    SIDE_TABLES,
    TEMPORARY_SUFFIX,
    part_path,
    record_path,
)
from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.results.mirror import Mirror
from mirsweep.jobs.results.part_files import index_of
from mirsweep.jobs.results.records import FAILED, merge_records, part_of, read_records, record_bytes
from mirsweep.jobs.results.run_json import read_run, write_run
from mirsweep.jobs.scanning.isolate import Failure
from mirsweep.jobs.scanning.letters import Staging, StoreStaging
from mirsweep.jobs.scanning.opening import FailedGenome, manifest_of
from mirsweep.jobs.scanning.shard_work import Part, ShardResult, empty_part
from mirsweep.jobs.scanning.shards import Piece, RunKey, Shard
from mirsweep.jobs.scanning.staging import make_staging, remove_staging
from mirsweep.scanner.errors import InputError

__all__ = ["Store", "holds_run", "stored_shard_nt"]


def stored_shard_nt(path: Path) -> int | None:
    """Shard width of the run that a folder holds, nt; None where it holds none."""
    plan = _read_plan(path)
    return plan["facts"].get("shard-nt") if plan else None


def holds_run(path: Path, key: RunKey) -> bool:
    """Whether a folder holds the run of a key, as far as that one came."""
    try:
        plan = _read_plan(path)
    except InputError:  # a damaged plan is nobody's
        return False
    return plan is not None and plan["format"] == FORMAT and _difference(plan["facts"], key.facts()) is None


class Store:
    """An output folder that belongs to one run and is held by one process.

    Every file is written under a temporary name and renamed. A shard is done when its commit record stands, and
    that is written after its part file; the part of a shard without a record is written again.

    Parameters
    ----------
    path
        The output folder; made if absent.
    key
        What the run's rows depend on.
    shards
        All shards of the run.
    contigs
        All contigs of the run, in order.
    overwrite
        Remove the results of another (or the same) run first. Other files in the folder are left alone.
    adopt
        Take the folder for that of this run where its plan is missing or damaged. Parts of other shards are removed at
        the end all the same.

    is_within
        The folder lies within another output, of a scan of the same contigs, that this process holds: it needs no lock,
        no index, and contigs only where parts of them are scanned.

    mirror
        Of an output in an object store, whose copy the folder is: what is finished is put there at once.

    Attributes
    ----------
    records
        By id, the commit records of the shards that are done.
    staging
        Where workers may leave parts, once that is made; None where only this process writes.

    Raises
    ------
    InputError
        If the folder holds another run or something else, cannot be written, or is being written by another process.
    """

    def __init__(
        self,
        path: Path,
        key: RunKey,
        shards: Sequence[Shard],
        contigs: Contigs,
        *,
        overwrite: bool = False,
        adopt: bool = False,
        is_within: bool = False,
        mirror: Mirror | None = None,
    ):
        self.path = path
        self.contigs, self.mirror = contigs, mirror
        self._shards = {shard.id: shard for shard in shards}
        if adopt:
            self._adopt(key)
        self._make_folder()
        self._is_within = is_within
        self.staging: Staging | None = None
        self._lock = None if is_within else hold(self.path)
        try:
            if overwrite:
                self._clear()
            self._claim(key)
            self._remove_temporary()
            self.records = self._read_records()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let other processes have the folder."""
        if self.staging is not None:
            remove_staging(self.path)
            self.staging = None
        if self._lock is not None:
            self._lock.close()

    @property
    def todo(self) -> list[Shard]:
        """Shards that are not done, in order."""
        return [shard for shard in self._shards.values() if shard.id not in self.records]

    @property
    def is_complete(self) -> bool:
        """Whether every shard is done, run.json stands, and all that it tells of is as it was written."""
        if self.todo:
            return False
        try:
            run = read_run(self.path)
        except InputError as error:
            warn(f"{error}")
            return False
        if run is None:
            return False
        differs = ((name, what_differs(self.path / name, told)) for name, told in run.get("digests", {}).items())
        damaged = [f"{name} {what}" for name, what in differs if what]
        if damaged:
            warn(f"{self.path}: {', '.join(damaged)}: made anew.")
        return not damaged

    def reopen(self) -> None:
        """Withdraw what says that the run is finished, and what all its rows gave, before more shards are done."""
        if self.mirror is not None and not self._is_within:
            self.mirror.withdraw()
        indices = (f"{name}{suffix}" for name in LOCI_FILES for suffix in INDEX_SUFFIXES)
        for name in (RUN, ERRORS, FAILED_GENOMES, INDEX, LOCI, *LOCI_FILES, *indices, REPORT):
            (self.path / name).unlink(missing_ok=True)

    def let_workers_write(self) -> None:
        """Make the place where workers may leave parts."""
        if self.staging is None and self.mirror is not None:
            self.staging = StoreStaging(self.mirror.address, self.mirror.name_of(self.path), self.mirror.claim_token)
        elif self.staging is None:
            try:
                self.staging = make_staging(self.path)
            except OSError as error:
                raise cannot_write(self.path, error) from error

    def commit(self, result: ShardResult, failed: Sequence[Piece] = ()) -> None:
        """Write a finished shard's part, or take that which its worker has left, then its record.

        Parameters
        ----------
        failed
            Pieces that the result lacks; the next run does the shard again.

        Raises
        ------
        InputError
            If the place cannot be written or is full; the shard then counts as not done.
        """
        written = self._take_part(result.shard_id, result.part) if result.part else []
        record = result.record() | ({FAILED: failed} if failed else {})
        write_atomically(self.path / record_path(result.shard_id), record_bytes(record))
        if self.mirror is not None:
            self.mirror.push([*written, self.path / record_path(result.shard_id)])
        self.records[result.shard_id] = record

    def _take_part(self, shard_id: str, part: Part) -> list[Path]:
        """Have a part in its place; the file that was written here, if one was."""
        path, staged = self.path / part_path(shard_id), part.staged
        if staged is None:
            write_atomically(path, part.content or b"")
        elif isinstance(self.staging, Path):
            take_file(self.staging / staged.name, path)
        else:
            assert self.mirror is not None
            self.mirror.know(self.path / part_path(shard_id, staged.attempt), staged.n_bytes)
            return []
        return [path]

    def finish(
        self, run: dict[str, Any], failures: Sequence[Failure], failed_genomes: Sequence[FailedGenome] = ()
    ) -> dict[str, Any]:
        """Write what there is to tell of failures, all records into one file, the index of parts, and run.json last.

        Returns
        -------
        The content of run.json.
        """
        self._remove_strays()
        if not any(record["part"] for record in self.records.values()):
            write_atomically(self.path / part_path("empty"), empty_part())
        if failures:
            lines = [{"shard": f.shard.id, "reason": f.reason, "pieces": f.shard.pieces} for f in failures]
            content = "".join(json.dumps(line) + "\n" for line in lines)
            write_atomically(self.path / ERRORS, content.encode())
        if failed_genomes:
            write_atomically(self.path / FAILED_GENOMES, manifest_of(failed_genomes))
        merge_records(self.path, self.records)
        if not self._is_within:
            write_atomically(self.path / INDEX, _parquet_bytes(index_of(self.records, self.contigs)))
        return write_run(self.path, run)

    def remove_decoys(self) -> None:
        """Remove the scan of decoys, if there is one."""
        shutil.rmtree(self.path / DECOYS, ignore_errors=True)

    def withdraw(self) -> None:
        """Remove what the run has left, and its folders if nothing else is in them."""
        self._clear()
        remove_staging(self.path)
        (self.path / SHARDS / "lock").unlink(missing_ok=True)
        for folder in (self.path / SHARDS, self.path):
            with suppress(OSError):
                folder.rmdir()

    def _make_folder(self) -> None:
        foreign = [name for name in (CANDIDATES, CONTIGS, RUN, ERRORS) if (self.path / name).exists()]
        if foreign and not (self.path / PLAN).exists():
            raise InputError(f"{self.path}: holds {foreign[0]!r} but is no output of mirsweep scan: choose another -o.")
        try:
            (self.path / SHARDS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def _adopt(self, key: RunKey) -> None:
        """Write the plan where there is none that can be read."""
        with suppress(InputError):
            if _read_plan(self.path) is not None:
                return
        write_atomically(self.path / PLAN, _json_bytes({"format": FORMAT, "facts": key.facts()}))

    def _clear(self) -> None:
        self.reopen()
        shutil.rmtree(self.path / CANDIDATES, ignore_errors=True)
        self.remove_decoys()
        for name in SIDE_TABLES:
            (self.path / name).unlink(missing_ok=True)
        for record in (self.path / SHARDS).glob("*.json"):
            record.unlink()  # the plan among them
        for name in (CONTIGS, RECORDS):
            (self.path / name).unlink(missing_ok=True)

    def _claim(self, key: RunKey) -> None:
        plan = _read_plan(self.path)
        facts = key.facts()
        if plan is None:
            write_atomically(self.path / PLAN, _json_bytes({"format": FORMAT, "facts": facts}))
        else:
            self._check_same(plan, facts)
        if self.mirror is not None:
            self.mirror.push([self.path / PLAN])
        if self._is_within and self.contigs.scanned is None:
            return
        content = _parquet_bytes(self.contigs.table)
        if not _holds(self.path / CONTIGS, content):
            write_atomically(self.path / CONTIGS, content)
        if self.mirror is not None:
            self.mirror.push([self.path / CONTIGS])

    def _check_same(self, plan: dict[str, Any], facts: dict[str, Any]) -> None:
        """Make sure that the plan there is that of this run."""
        remedy = "choose another -o, or replace it with --overwrite."
        if plan["format"] != FORMAT:
            raise InputError(
                f"{self.path}: holds a scan in the format of another version of mirsweep, which can be queried but not "
                f"resumed: {remedy}"
            )
        difference = _difference(plan["facts"], facts)
        if difference:
            raise InputError(f"{self.path}: holds another scan ({difference}): {remedy}")

    def _remove_temporary(self) -> None:
        remove_staging(self.path)
        for folder in (SHARDS, CANDIDATES):
            for path in (self.path / folder).rglob(f".*{TEMPORARY_SUFFIX}"):
                path.unlink(missing_ok=True)

    def _read_records(self) -> dict[str, dict[str, Any]]:
        """Records of this run's shards whose part files stand with the content that was written."""
        there, bad = read_records(self.path)
        records, damaged = {}, [f"{Path(name).name} {what}" for name, what in bad.items()]
        for shard_id in self._shards:
            record = there.get(shard_id)
            if record is None or FAILED in record:
                continue
            part = part_of(record)
            difference = what_differs(self.path / CANDIDATES / part, record["part"]) if part else None
            if difference is None:
                records[shard_id] = record
            else:
                damaged.append(f"{part} {difference}")
        if damaged:
            others = f" and {len(damaged) - 3} more" if len(damaged) > 3 else ""
            warn(f"{self.path}: {', '.join(damaged[:3])}{others}: done again.")
        return records

    def _remove_strays(self) -> None:
        """Remove part files that no record names."""
        named = {part_of(record) for record in self.records.values()}
        for path in (self.path / CANDIDATES).glob("part-*.parquet"):
            if path.name not in named:
                path.unlink()


def _holds(path: Path, content: bytes) -> bool:
    """Whether a file is there and holds this content."""
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False


def _read_plan(path: Path) -> dict[str, Any] | None:
    try:
        plan = read_object(path / PLAN)
        check_fields(plan, {"format": int, "facts": dict})
        width = plan["facts"].get("shard-nt", 1)
        if not isinstance(width, int) or width < 1:
            raise MalformedError(f"facts.shard-nt is {str(width)[:40]!r}, which it cannot be")
        return plan
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, MalformedError) as error:
        raise InputError(
            f"{path / PLAN}: damaged or not readable ({error}): choose another -o, or replace the scan with "
            "--overwrite."
        ) from error


def _difference(theirs: dict[str, Any], ours: dict[str, Any]) -> str | None:
    """The first fact that differs, in words."""
    for name in [*ours, *theirs]:
        if theirs.get(name) != ours.get(name):
            return f"{name}: there {theirs.get(name, 'none')}, here {ours.get(name, 'none')}"
    return None


def _json_bytes(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def _parquet_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
