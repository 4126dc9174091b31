"""How far a scan is, as seen from another terminal, another machine or another day."""

import os
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mirsweep._shown import shown
from mirsweep.jobs.results.claims import living_claim
from mirsweep.jobs.results.copies import is_part
from mirsweep.jobs.results.hold import is_held
from mirsweep.jobs.results.json_files import MalformedError, check_fields, is_count, read_object
from mirsweep.jobs.results.layout import DECOYS, HEARTBEAT, PLAN, RUN, SHARDS
from mirsweep.jobs.results.messages import call
from mirsweep.jobs.results.object_store import ObjectStore, is_store
from mirsweep.jobs.results.records import read_records
from mirsweep.jobs.results.run_json import read_run
from mirsweep.jobs.scanning.heartbeat import SECONDS_BETWEEN_BEATS
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.remote import file_name

__all__ = ["Status", "status"]

_BEATS_TO_WAIT = 4
_TOLD = (RUN, PLAN, HEARTBEAT)
_IsRunning = Callable[[Path, dict[str, Any] | None], bool]
"""Tells of a folder by the last sign of life whether a process works on a scan."""
_COUNTS = ("n_shards", "n_shards_done", "n_bases", "n_bases_done", "n_bases_before", "n_candidates", "n_failed")
_TIMES = ("seconds", "seconds_since_shard")
_WORDS = ("stage", "host", "pid", "failures", "seconds_by_stage")


@shown("output", "state", "stage", "n_shards_done", "n_shards", "n_candidates", "n_failed", "seconds_left")
@dataclass(frozen=True)
class Status:
    """How far a scan is.

    Attributes
    ----------
    output
        Folder of the scan.
    state
        ``"complete"``; ``"running"``; ``"stopped"``, when nobody works on it: the same command goes on.
    n_shards, n_bases
        Shards and bases of the scan, nt; None where no run has left word of them.
    n_shards_done, n_bases_done, n_candidates
        Those that are done, and the candidates in them.
    stage
        What it is at, or was at last: ``"starting"``, ``"scan"``, ``"decoys"``, ``"loci"``, ``"report"``, ``"done"``.
    failures
        By shard, why it failed (the first 100 of ``n_failed``).
    rate
        Bases a second of the last run, both strands counted once; None before its first shard.
    seconds_left
        For what is left of this stage, by that rate; None if that is not known.
    seconds_since_shard
        Since the last shard was done, as the last sign of life has it.
    seconds_by_stage
        Core seconds of reading, prefilter, folding, scoring, writing; of a running scan those of its last run.
    host, pid
        Who works on it, or did at last.
    decoys
        The same of the scan of decoys; None if there is none.
    """

    output: Path
    state: str
    n_shards: int | None
    n_shards_done: int
    n_bases: int | None
    n_bases_done: int
    n_candidates: int
    n_failed: int
    stage: str = "scan"
    failures: Mapping[str, str] = field(default_factory=dict)
    rate: float | None = None
    seconds_left: float | None = None
    seconds_since_shard: float | None = None
    seconds_by_stage: Mapping[str, float] = field(default_factory=dict)
    host: str | None = None
    pid: int | None = None
    decoys: "Status | None" = None


def status(output: str | os.PathLike) -> Status:
    """Tell how far a scan is. Reads a few small files, and changes nothing.

    Parameters
    ----------
    output
        Folder of a scan, or its address in an object store: complete, running here or elsewhere, or stopped.

    Raises
    ------
    InputError
        If it is no output of a scan.
    """
    if is_store(output):
        return _status_in_store(ObjectStore(os.fspath(output)))
    path = Path(output)
    return _status_of(path, _is_running)


def _status_in_store(store: ObjectStore) -> Status:
    """By copies of a few small files; of commit records only where nothing else tells how far the scan is."""
    names = [name for name in store.listed() if not is_part(name)]
    told = [name for name in names if name.removeprefix(f"{DECOYS}/") in _TOLD]
    with tempfile.TemporaryDirectory(prefix="mirsweep-status-") as folder:
        path = Path(folder, file_name(store.address))
        call(str(path), store.address)
        store.copy(told, path)
        is_running = (path / PLAN).exists() and not (path / RUN).exists() and living_claim(store)
        if not (path / RUN).exists():
            store.copy([name for name in names if f"{SHARDS}/" in name and name not in told], path)
        return _status_of(path, lambda place, beat: is_running)


def _status_of(path: Path, is_running: _IsRunning) -> Status:
    if not (path / PLAN).exists() and read_run(path) is None:
        raise InputError(f"{path}: is no output of mirsweep scan: name the folder that was given to -o.")
    decoys = path / DECOYS
    has_decoys = (decoys / PLAN).exists()
    return _status(path, _status(decoys, None, is_running) if has_decoys else None, is_running)


def _status(path: Path, decoys: Status | None, is_running: _IsRunning) -> Status:
    run = read_run(path)
    if run is not None:
        return _complete(path, run, decoys)
    beat = _read_beat(path)
    if not is_running(path, beat):
        return _stopped(path, beat or {}, decoys)
    if beat is None:  # it has just begun, or cannot write it
        return replace(_stopped(path, {}, decoys), state="running")
    done = beat["n_bases_done"] - beat["n_bases_before"]
    rate = done / beat["seconds"] if done and beat["seconds"] else None
    left = beat["n_bases"] - beat["n_bases_done"]
    return Status(
        path,
        "running",
        rate=rate,
        seconds_left=left / rate if rate else None,
        decoys=decoys,
        **{name: beat[name] for name in (*_COUNTS, *_WORDS, "seconds_since_shard") if name != "n_bases_before"},
    )


def _stopped(path: Path, beat: Mapping[str, Any], decoys: Status | None) -> Status:
    """Of a scan at which nobody works, or that has not told of itself: what its commit records tell."""
    records = list(read_records(path).by_shard.values())
    counts = [count for record in records for count in record["counts"].values()]
    return Status(
        path,
        "stopped",
        n_shards=beat.get("n_shards"),
        n_shards_done=len(records),
        n_bases=beat.get("n_bases"),
        n_bases_done=sum(count.get("n_bases", 0) for count in counts),
        n_candidates=sum(count.get("n_candidates", 0) for count in counts),
        n_failed=beat.get("n_failed", 0),
        decoys=decoys,
        **{name: beat[name] for name in _WORDS if name in beat},
    )


def _complete(path: Path, run: dict[str, Any], decoys: Status | None) -> Status:
    counts = run["counts"]
    n_failed, n_shards = counts.get("n_shards_failed", 0), counts.get("n_shards")
    n_bases = counts.get("n_bases", counts["n_scanned"])
    return Status(
        path,
        "complete",
        n_shards,
        (n_shards or 0) - n_failed,
        n_bases,
        n_bases,
        counts["n_candidates"],
        n_failed,
        stage="done",
        seconds_by_stage=run.get("seconds", {}).get("by_stage", {}),
        decoys=decoys,
    )


def _read_beat(path: Path) -> dict[str, Any] | None:
    """The last sign of life; None where there is none, or it is damaged, which costs nothing but this."""
    try:
        beat = read_object(path / HEARTBEAT)
        kinds: dict[str, type | tuple[type, ...]] = {"beat": int, "host": str, "pid": int, "stage": str}
        check_fields(beat, kinds | {"failures": dict, "seconds_by_stage": dict, "is_over": bool})
        check_fields(beat, dict.fromkeys(_TIMES, (int, float)))
        check_fields(beat, dict.fromkeys(_COUNTS, int))
    except (OSError, MalformedError):
        return None
    texts = all(isinstance(reason, str) for reason in beat["failures"].values())
    return beat if texts and all(is_count(beat[name]) for name in _COUNTS) else None


def _is_running(path: Path, beat: dict[str, Any] | None) -> bool:
    """Whether a process works on a scan: by its lock, and where that cannot tell by whether the heart beats on."""
    held = is_held(path)
    if held:
        return True
    if beat is None or beat["is_over"]:
        return False
    if held is False and beat["host"] == socket.gethostname():
        return False
    return _beats_on(path, beat["beat"])


def _beats_on(path: Path, last: int) -> bool:
    end = time.monotonic() + _BEATS_TO_WAIT * SECONDS_BETWEEN_BEATS
    while time.monotonic() < end:
        time.sleep(0.2)
        beat = _read_beat(path)
        if beat is None or beat["beat"] != last:
            return beat is None or not beat["is_over"]
    return False
