"""One run of a scan: works off the shards that are not done, and tells what was done."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirsweep._shown import shown
from mirsweep.cores import n_cores
from mirsweep.first_run import compile_kernels, missing_kernels, note_kernels, were_noted
from mirsweep.jobs.loci.second_pass import second_pass
from mirsweep.jobs.results.layout import REPORT
from mirsweep.jobs.results.messages import warn
from mirsweep.jobs.results.run_json import groups_of, read_run
from mirsweep.jobs.scanning.heartbeat import Heartbeat
from mirsweep.jobs.scanning.in_process import Executor
from mirsweep.jobs.scanning.isolate import Failure, halves, isolate
from mirsweep.jobs.scanning.letters import Source
from mirsweep.jobs.scanning.opening import FailedGenome
from mirsweep.jobs.scanning.parts import Parts
from mirsweep.jobs.scanning.progress import Progress, make_progress
from mirsweep.jobs.scanning.shard_work import ShardResult, peak_mb
from mirsweep.jobs.scanning.shards import RunKey, Shard
from mirsweep.jobs.scanning.store import Store
from mirsweep.scanner.containers import label_of
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome
from mirsweep.scanner.scan import TileCounts

if TYPE_CHECKING:
    from mirsweep.jobs.report.report import Look

__all__ = ["Interrupted", "Run", "ScanReport"]

_MOST_HALVED = 20
"""Shards of a run that are halved if they fail; if more do, it is hardly their bases that are to blame."""
_log = logging.getLogger("mirsweep")
Scanned = Mapping[str, Mapping[str, int]]
_PACKAGES = ("mirsweep", "viennarna", "numba", "numpy", "pyarrow", "ray", "torch")


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or a termination signal in the middle of a scan; the message says how to go on."""


@shown("output", "n_candidates", "n_shards", "n_resumed", "failures", "failed_genomes")
@dataclass(frozen=True)
class ScanReport:
    """What a scan did.

    Attributes
    ----------
    output
        The output folder: ``mirsweep.jobs.query(output)`` reads it.
    n_candidates, n_shards, n_resumed
        Candidates in the output; shards of the run; those of them that an earlier run had finished.
    failures
        Shards that failed for good, those of decoys too; their candidates are missing.
    failed_genomes
        Genomes that could not be read, and are left out.
    run
        The content of run.json.
    """

    output: Path
    n_candidates: int
    n_shards: int
    n_resumed: int
    failures: tuple[Failure, ...]
    run: dict[str, Any]
    failed_genomes: tuple[FailedGenome, ...] = ()


class Run:
    """The shards of a scan, its genomes and where its results go.

    Parameters
    ----------
    store
        The output.
    key
        What the rows depend on.
    genomes
        Open genomes that the shards' pieces name.
    shards
        All shards, in order.
    model
        What run.json tells of the model, see :func:`mirsweep.jobs.scanning.weights.describe_model`.
    began
        ``time.perf_counter()`` at the start of the scan.
    quiet
        No progress on standard error.
    parts
        What of the genomes is scanned; all of it by default.
    kernels
        Groups of kernels (:mod:`mirsweep.first_run`) that this process needs.
    scan_kernels
        Those that scanning needs, here or in workers on this machine; they are compiled here before work begins.
    loci
        Whether the second pass is made at the end.
    most_decoys
        Most decoys that were asked for, nt, for run.json.
    look
        Gives the attention of the bases of loci, for the page of the scan; None for no page.
    groups
        By genome the group whose decoys tell its error rates; each its own by default.
    failed_genomes
        Genomes that were asked for and could not be read.
    is_decoys
        The genomes are decoys: it matters to nobody that there is nothing to find in them.
    """

    def __init__(
        self,
        store: Store,
        key: RunKey,
        genomes: Sequence[Genome],
        shards: Sequence[Shard],
        *,
        model: Mapping[str, Any],
        began: float,
        quiet: bool,
        parts: Parts | None = None,
        kernels: Sequence[str] = (),
        scan_kernels: Sequence[str] = (),
        loci: bool = False,
        is_decoys: bool = False,
        most_decoys: int | None = None,
        look: "Look | None" = None,
        groups: Mapping[str, str] | None = None,
        failed_genomes: Sequence[FailedGenome] = (),
    ):
        self._store, self._key, self._genomes, self._shards = store, key, genomes, shards
        self._model, self._began = model, began
        self._parts, self._finds_loci = parts, loci
        self._kernels, self._scan_kernels = kernels, scan_kernels
        self._most_decoys, self._look = most_decoys, look
        self._groups, self._failed_genomes = groups or {}, tuple(failed_genomes)
        self._is_decoys, self._label = is_decoys, "decoys: " if is_decoys else ""
        self._n_resumed = len(shards) - len(store.todo)
        self._progress = self._make_progress(quiet)
        n_before = sum(record["part"]["rows"] for record in store.records.values() if record["part"])
        self._heartbeat = Heartbeat(store.path, shards, store.todo, n_before)

    def work_off(
        self, get_executor: Callable[[], Executor], scan_decoys: Callable[[], Sequence[Failure]] = tuple
    ) -> ScanReport:
        """Do what is left.

        Parameters
        ----------
        get_executor
            Gives the executor, which the caller closes; called only if something is left.
        scan_decoys
            Called when the shards are done, before the second pass, which reads the decoys; gives those that failed.

        Raises
        ------
        InputError
            If no stretch of the genomes was long enough for a hairpin; nothing is left in the output.
        Interrupted
            On Ctrl-C; what is finished is kept.
        """
        try:
            done = read_run(self._store.path) if self._store.is_complete else None
            if done is not None and (self._is_decoys or groups_of(done) == self._own_groups):
                self._progress.say(f"{self._store.path}: this scan is complete already; nothing was done.")
                return self._report(done, [])
            self._store.reopen()
            self._heartbeat.begin()
            executor = get_executor()  # its workers start meanwhile
            self._compile_kernels(has_workers=executor.has_workers)
            if executor.has_workers:
                self._store.let_workers_write()
            self._progress.begin()
            self._heartbeat.enter("scan")
            failures = self._try_all(executor)
            run = self._describe(executor, failures)
            if not failures and not self._is_decoys:
                self._check_counts(run["counts"])
            failed_decoys: Sequence[Failure] = ()
            if self._finds_loci:
                self._progress.close()
                self._heartbeat.enter("decoys")
                failed_decoys = scan_decoys()
                self._heartbeat.enter("loci")
                self._progress.say("finding loci")
                run["loci"] = second_pass(self._store.path, run["genomes"], self._genomes)
                run["seconds"]["wall"] = round(time.perf_counter() - self._began, 3)
                self._write_page(run)
                run["seconds"]["wall"] = round(time.perf_counter() - self._began, 3)
            for genome in self._genomes:
                genome.check_unchanged()
            written = self._store.finish(run, failures, self._failed_genomes)
            self._heartbeat.close(is_complete=True)
            return self._report(written, [*failures, *failed_decoys])
        except Interrupted:
            raise
        except KeyboardInterrupt as error:
            n_done = len(self._store.records)
            raise Interrupted(
                f"interrupted: {n_done} of {len(self._shards)} shards are done in {self._store.path}; "
                "run the same command again to go on."
            ) from error
        finally:
            self._heartbeat.close()
            self._progress.close()

    @property
    def _own_groups(self) -> dict[str, str]:
        return {genome.name: self._groups.get(genome.name, genome.name) for genome in self._genomes}

    def _group_of(self, genome: Genome) -> dict[str, str]:
        """The group of a genome's decoys for run.json, which tells no group of its own."""
        group = self._groups.get(genome.name, genome.name)
        return {} if group == genome.name else {"decoy_group": group}

    def _write_page(self, run: dict[str, Any]) -> None:
        if self._look is not None:
            from mirsweep.jobs.report.report import write_report  # what draws is not needed before

            self._heartbeat.enter("report")
            self._progress.say(f"writing {REPORT}")
            write_report(self._store.path, run, self._look, self._genomes)

    def _check_counts(self, counts: dict[str, int]) -> None:
        """Nothing searched is an error, nothing found a warning."""
        files = ", ".join(label_of(genome.path) for genome in self._genomes)
        min_span = self._key.params.min_span
        if not counts["n_scanned"]:
            self._heartbeat.close(is_complete=True)
            self._store.withdraw()
            raise InputError(
                f"{files}: nothing could be scanned: of {counts['n_bases']} letters {counts['n_invalid']} are others "
                f"than ACGTU, and {counts['n_too_short']} lie in stretches shorter than --min-span {min_span}."
            )
        if not counts["n_candidates"]:
            warn(
                f"{files}: no candidate was found in {counts['n_scanned']} bases; --threshold and --stem-filter decide "
                "what is one."
            )

    def _compile_kernels(self, *, has_workers: bool) -> None:
        """Load or compile what is needed; what workers load, and was compiled before, is left to them."""
        is_left = has_workers and were_noted(self._scan_kernels)
        kernels = [*(() if is_left else self._scan_kernels), *self._kernels]
        if missing_kernels(kernels):
            self._progress.say("compiling kernels (first run)")
            compile_kernels(kernels)
        if not is_left and self._scan_kernels:
            note_kernels(self._scan_kernels)

    def _try_all(self, executor: Executor) -> list[Failure]:
        """Try every shard; each that failed again alone, with nothing beside it to blame; then its halves."""
        failed = [failure.shard for failure in self._try(executor, self._store.todo)]
        for shard in failed:
            self._progress.say(f"{self._label}shard {shard.id} failed and is tried again.")
        left = [failure for shard in failed for failure in self._try(executor, [shard])]
        isolated = (self._isolate(executor, failure) for failure in left[:_MOST_HALVED])
        return [failure for own in isolated for failure in own] + left[_MOST_HALVED:]

    def _isolate(self, executor: Executor, failure: Failure) -> list[Failure]:
        """Keep of a shard what can be done, and tell what fails."""
        shard = failure.shard
        if not halves(shard):
            return [failure]
        self._progress.say(f"{self._label}shard {shard.id} failed again and is halved.")
        # One by one: what crashes takes along what is scored with it.
        found = isolate(failure, lambda parts: (each for part in parts for each in executor.run([part], self._source)))
        if found.result is not None:
            self._store.commit(found.result, [piece for each in found.failures for piece in each.shard.pieces])
            self._heartbeat.advance(shard, found.result)
            n_bases = sum(own["n_bases"] for own in found.result.counts.values())
            self._progress.advance(n_bases, found.result.n_candidates)
        for each in found.failures:
            self._heartbeat.fail(shard, each.reason)
            _log.warning("%s%s failed: %s", self._label, each.shard.where, each.reason)
        return found.failures

    def _try(self, executor: Executor, shards: Sequence[Shard]) -> list[Failure]:
        failures = []
        try:
            source = replace(self._source, staging=self._store.staging)
            with closing(executor.run(shards, source)) as outcomes:
                for shard, result, reason in outcomes:
                    if result is None:
                        self._heartbeat.fail(shard, reason)
                        _log.warning("%s%s failed: %s", self._label, shard.where, reason)
                        failures.append(Failure(shard, reason))
                        continue
                    self._store.commit(result)
                    self._heartbeat.advance(shard, result)
                    self._progress.advance(shard.n_bases, result.n_candidates)
                    _log.info("%s%s: %d candidates%s", self._label, shard.where, result.n_candidates, _times(result))
        except KeyboardInterrupt:
            executor.check()  # that is the reason, if it fails
            raise
        return failures

    @cached_property
    def _source(self) -> Source:
        return Source({genome.name: genome for genome in self._genomes}, self._key.params)

    def _make_progress(self, quiet: bool) -> Progress:
        total = sum(shard.n_bases for shard in self._shards)
        left = sum(shard.n_bases for shard in self._store.todo)
        progress = make_progress(total, n_done=total - left, quiet=quiet, label=self._label)
        if self._n_resumed and left:
            progress.say(f"{self._label}{self._n_resumed} of {len(self._shards)} shards were done before; going on.")
        return progress

    def _report(self, run: dict[str, Any], failures: Sequence[Failure]) -> ScanReport:
        n_candidates = run["counts"]["n_candidates"]
        counts = n_candidates, len(self._shards), self._n_resumed
        return ScanReport(self._store.path, *counts, tuple(failures), run, self._failed_genomes)

    def _describe(self, executor: Executor, failures: Sequence[Failure]) -> dict[str, Any]:
        """The content of run.json."""
        records = list(self._store.records.values())
        counts = _counts_by_genome(records)
        failed = {failure.shard.id for failure in failures}
        scanned = None if self._parts is None else self._parts.by_genome()
        return {
            "genomes": [
                _describe_genome(genome, counts.get(genome.name, {}), scanned) | self._group_of(genome)
                for genome in self._genomes
            ],
            "parameters": asdict(self._key.params) | {"shard_nt": self._key.shard_nt},
            "decoys": self._most_decoys,
            "model": dict(self._model),
            "versions": _versions(),
            "executor": executor.describe() | {"cpus": n_cores()},
            "counts": _counts(counts, n_shards=len(self._store.records.keys() | failed), n_failed=len(failed)),
            "seconds": {
                "wall": round(time.perf_counter() - self._began, 3),
                "by_stage": _total(record["seconds"] for record in records),
            },
            "files": _files(records),
            "n_shards_resumed": self._n_resumed,
            "peak_memory_mb": _peaks(records) | {"driver": peak_mb()},
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def _times(result: ShardResult) -> str:
    return "".join(f", {stage} {seconds:.2f} s" for stage, seconds in result.seconds.items())


def _describe_genome(genome: Genome, counts: dict[str, int], scanned: Scanned | None) -> dict[str, Any]:
    """A genome in run.json; ``scanned`` is there only if parts of it were."""
    described = {
        "name": genome.name,
        "file": genome.source,
        "digest": genome.digest,
        "length": sum(contig.length for contig in genome.contigs),
        "n_contigs": len(genome.contigs),
        "counts": _with_scanned(counts),
    }
    return described if scanned is None else described | {"scanned": scanned.get(genome.name, {})}


def _versions() -> dict[str, str]:
    """Versions of the packages that rows may depend on; Ray may be absent."""
    found = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _counts_by_genome(records: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    tallies: dict[str, list[dict[str, int]]] = {}
    for record in records:
        for genome, own in record["counts"].items():
            tallies.setdefault(genome, []).append(own)
    return {genome: _total(own) for genome, own in tallies.items()}


def _counts(by_genome: dict[str, dict[str, int]], *, n_shards: int, n_failed: int) -> dict[str, int]:
    return _with_scanned(_total(by_genome.values())) | {"n_shards": n_shards, "n_shards_failed": n_failed}


def _with_scanned(counts: dict[str, int]) -> dict[str, int]:
    """Candidates and the account of bases, with those that were scanned."""
    full = {name: counts.get(name, 0) for name in ("n_candidates", *TileCounts._fields)}
    return full | {"n_scanned": full["n_bases"] - full["n_invalid"] - full["n_too_short"]}


def _files(records: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Number and size of the part files."""
    parts = [record["part"] for record in records if record["part"]]
    return {"n_files": len(parts), "n_bytes": sum(part["bytes"] for part in parts)}


def _total(tallies: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Sum of each key."""
    totals: dict[str, Any] = {}
    for tally in tallies:
        for name, value in tally.items():
            totals[name] = totals.get(name, 0) + value
    return {name: round(value, 3) for name, value in totals.items()}


def _peaks(records: Sequence[dict[str, Any]]) -> dict[str, int]:
    peaks: dict[str, int] = {}
    for record in records:
        for name, value in record["peak_mb"].items():
            peaks[name] = max(peaks.get(name, 0), value)
    return peaks
