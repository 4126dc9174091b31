"""A sign of life of a running scan, for who looks at its output from elsewhere: how far it is, every few seconds."""

import json
import os
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.results.layout import HEARTBEAT
from mirsweep.jobs.scanning.shard_work import ShardResult
from mirsweep.jobs.scanning.shards import Shard
from mirsweep.scanner.errors import InputError

__all__ = ["SECONDS_BETWEEN_BEATS", "Heartbeat"]

SECONDS_BETWEEN_BEATS = 3.0
"""At most; where shards are done there is one each half second."""
_LEAST_SECONDS = 0.5
_MOST_FAILURES = 100
"""Failures that are told of each by itself."""


class Heartbeat:
    """Writes ``_shards/heartbeat.json`` every few seconds, from a thread of its own, until it is closed.

    Where it cannot be written nothing happens: it is no result. Counts and times of the file are those of this run; no
    clock but this process's own is asked.

    Parameters
    ----------
    output
        Folder of the scan.
    shards
        All shards of the scan.
    todo
        Of these, those that are left to this run.
    n_candidates
        Candidates of the others.
    """

    def __init__(self, output: Path, shards: Sequence[Shard], todo: Sequence[Shard], n_candidates: int = 0):
        self._path = output / HEARTBEAT
        self._began = self._last_shard = time.monotonic()
        n_bases = sum(shard.n_bases for shard in shards)
        self._n_bases, self._n_left = n_bases, sum(shard.n_bases for shard in todo)
        self._n_before = n_bases - self._n_left
        self._n_shards, self._n_done = len(shards), len(shards) - len(todo)
        self._n_candidates = n_candidates
        self._seconds: dict[str, float] = {}
        self._failures: dict[str, str] = {}
        self._n_beats = 0
        self._stage = "starting"
        self._lock = threading.Lock()
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start to beat."""
        self._thread = threading.Thread(target=self._beat_on, daemon=True, name="mirsweep-heartbeat")
        self._thread.start()

    def enter(self, stage: str) -> None:
        """Another stage begins: ``"scan"``, ``"decoys"``, ``"loci"``, ``"report"``."""
        with self._lock:
            self._stage = stage
            if stage == "scan":
                self._began = self._last_shard = time.monotonic()  # rates count from here
        self._wake.set()

    def advance(self, shard: Shard, result: ShardResult) -> None:
        """A shard was finished."""
        with self._lock:
            self._last_shard = time.monotonic()
            self._n_left -= shard.n_bases
            self._n_done += 1
            self._n_candidates += result.n_candidates
            self._failures.pop(shard.id, None)
            for stage, seconds in result.seconds.items():
                self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds
        self._wake.set()

    def fail(self, shard: Shard, reason: str) -> None:
        """A shard failed; it may be tried again."""
        with self._lock:
            self._failures[shard.id] = reason

    def close(self, *, is_complete: bool = False) -> None:
        """End; what is complete, or withdrawn, needs no sign of life."""
        if self._thread is None:
            return
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._thread = None
        if is_complete:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        else:
            self._beat(is_over=True)

    def _beat_on(self) -> None:
        self._beat()
        while not self._stop.wait(_LEAST_SECONDS):
            self._wake.wait(SECONDS_BETWEEN_BEATS)
            self._wake.clear()
            if not self._stop.is_set():
                self._beat()

    def _beat(self, *, is_over: bool = False) -> None:
        content = json.dumps(self._facts() | {"is_over": is_over}, indent=1) + "\n"
        with suppress(InputError, OSError):
            write_atomically(self._path, content.encode(), is_lasting=False)

    def _facts(self) -> dict[str, Any]:
        now = time.monotonic()
        with self._lock:
            self._n_beats += 1
            n_done = self._n_bases - self._n_left
            return {
                "beat": self._n_beats,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "stage": self._stage,
                "n_shards": self._n_shards,
                "n_shards_done": self._n_done,
                "n_bases": self._n_bases,
                "n_bases_done": n_done,
                "n_bases_before": self._n_before,
                "n_candidates": self._n_candidates,
                "n_failed": len(self._failures),
                "failures": dict(list(self._failures.items())[:_MOST_FAILURES]),
                "seconds": round(now - self._began, 3),
                "seconds_since_shard": round(now - self._last_shard, 3),
                "seconds_by_stage": {name: round(value, 3) for name, value in self._seconds.items()},
            }
