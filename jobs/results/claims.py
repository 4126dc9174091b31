"""Who works on an output in an object store: one process at a time, from whatever machine.

Each puts a claim, an object of its own, and then looks for those of others. Stores show an object to all as soon as it
is put, so of two that begin at once one sees the other, or both do, and then the lower name goes on. Who works puts its
claim again every few seconds, with another number in it; a claim that does not change for a time is that of a process
that is gone. No clock is compared with another, and no condition is asked of the store.
"""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mirsweep.jobs.results.json_files import MalformedError, check_fields, parse_object
from mirsweep.jobs.results.layout import CLAIMS
from mirsweep.jobs.results.messages import say
from mirsweep.jobs.results.object_store import ObjectStore
from mirsweep.scanner.errors import InputError

__all__ = ["Claim", "claim_name", "claims_in", "living_claim"]

RENEWED_SECONDS = 5.0
STALE_SECONDS = 30.0
"""Without a change, after which a claim counts for nothing."""
_SURE_SECONDS = 15.0
"""For so long who has renewed its claim needs not look whether it still stands."""
_LOOK_SECONDS = 0.5
_TRIES = 3
_ASKING, _WORKING = "asking", "working"


class _Told(NamedTuple):
    """What a claim tells: how often it was put, whether its process works already, and who that is."""

    beat: int
    state: str
    host: str
    pid: int

    @property
    def who(self) -> str:
        """In words."""
        return f"process {self.pid} on {self.host}"


class Claim:
    """This process's claim to work on an output; renewed from a thread of its own until it is closed.

    Parameters
    ----------
    store
        Where the output is.
    former
        Token of a claim whose process is known to be gone.
    beside
        Called at each renewal: puts what else tells of the work.

    Attributes
    ----------
    token
        Its name.

    Raises
    ------
    InputError
        If another process works there, or the store refuses.
    """

    def __init__(self, store: ObjectStore, *, former: str | None = None, beside: Callable[[], None] | None = None):
        self._store, self._beside = store, beside
        self.token = secrets.token_hex(8)
        self._n_beats, self._state, self._is_lost = 0, _ASKING, False
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._sure_until = 0.0
        if former is not None:
            store.remove(claim_name(former))
        self._put()
        self._thread = threading.Thread(target=self._renew_on, daemon=True, name="mirsweep-claim")
        self._thread.start()
        try:
            self._wait_for_others()
            self._state = _WORKING
            self._renew()
            self.check()
        except BaseException:
            self.close()
            raise

    def check(self) -> None:
        """Make sure that nobody else works on the output by now.

        Raises
        ------
        InputError
            If somebody does: this process stood still, or could not reach the store, for so long that it seemed gone.
        """
        if not self._is_lost and _now() > self._sure_until:
            self._renew()
        if self._is_lost:
            raise InputError(
                f"{self._store.address}: this process stood still, or could not reach the store, for so long that "
                "another one has taken its place: nothing more is written; run the command again when that is done."
            )

    def close(self) -> None:
        """Let others have the output."""
        self._stop.set()
        self._thread.join()
        with suppress(InputError):
            self._store.remove(claim_name(self.token))

    def _renew_on(self) -> None:
        while not self._stop.wait(RENEWED_SECONDS):
            with suppress(InputError):  # what lasts, check tells
                self._renew()
                if self._beside is not None and not self._is_lost:
                    self._beside()

    def _renew(self) -> None:
        with self._lock:
            there = claims_in(self._store)
            stands = there.pop(self.token, None) is not None
            self._is_lost |= not stands or (self._state == _WORKING and _is_working(there))
            if not self._is_lost:
                self._put()

    def _put(self) -> None:
        self._n_beats += 1
        told = _Told(self._n_beats, self._state, socket.gethostname(), os.getpid())
        began = _now()
        self._store.put(claim_name(self.token), json.dumps(told._asdict()).encode())
        self._sure_until = began + _SURE_SECONDS

    def _wait_for_others(self) -> None:
        """Until all that were there have gone; who lives and works already, or asks with a lower name, goes first."""
        first = claims_in(self._store)
        first.pop(self.token, None)
        began, is_told = {token: _now() for token in first}, False
        while first:
            time.sleep(_LOOK_SECONDS)
            now_there = claims_in(self._store)
            for token, before in list(first.items()):
                now = now_there.get(token)
                if token not in now_there:
                    del first[token]
                elif now is not None and now != before:
                    if now.state == _WORKING or token < self.token:
                        raise _refused(self._store, now)
                    first[token], began[token] = now, _now()
                elif _now() - began[token] > STALE_SECONDS:
                    self._store.remove(claim_name(token))
                    del first[token]
                elif _now() - began[token] > 2 * RENEWED_SECONDS and not is_told:
                    is_told = True
                    who = before.who if before else "another process"
                    waits = f"waiting {STALE_SECONDS:.0f} s for a sign of life"
                    say(f"mirsweep: {self._store.address}: {who} worked there; {waits}.")


def _is_working(claims: dict[str, _Told | None]) -> bool:
    return any(told is not None and told.state == _WORKING for told in claims.values())


def _now() -> float:
    """Seconds that go on while a machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _refused(store: ObjectStore, told: _Told) -> InputError:
    return InputError(f"{store.address}: another mirsweep works there ({told.who}): wait for it, or choose another -o.")


def claim_name(token: str) -> str:
    """Name of a claim's object, relative to the output."""
    return f"{CLAIMS}/{token}.json"


def claims_in(store: ObjectStore) -> dict[str, _Told | None]:
    """By token the claims to an output; None for one that cannot be read."""
    found = {}
    for name in store.listed(CLAIMS):
        with suppress(FileNotFoundError):  # it has just gone
            found[Path(name).stem] = _read(store, name)
    return found


def _read(store: ObjectStore, name: str) -> _Told | None:
    for _ in range(_TRIES - 1):
        with suppress(InputError):  # it is put or removed just now, which some servers take ill
            return _told_by(store, name)
        time.sleep(_LOOK_SECONDS / _TRIES)
    return _told_by(store, name)


def _told_by(store: ObjectStore, name: str) -> _Told | None:
    try:
        told = parse_object(store.read(name))
        check_fields(told, {"beat": int, "state": str, "host": str, "pid": int})
    except MalformedError:
        return None
    return _Told(*(told[field] for field in _Told._fields))


def living_claim(store: ObjectStore, *, seconds: float = 2.5 * RENEWED_SECONDS) -> bool:
    """Whether a process works on an output: whether a claim changes within a time."""
    first, deadline = claims_in(store), _now() + seconds
    while first and _now() < deadline:
        time.sleep(_LOOK_SECONDS)
        now = claims_in(store)
        if any(now.get(token, before) != before for token, before in first.items()):
            return True
        first = {token: before for token, before in first.items() if token in now}
    return False
