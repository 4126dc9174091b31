"""Parts that workers write themselves, where the driver tells them to; they count once the driver has committed them.

In a folder: into one within the output, from which the driver takes a part when it commits. That folder's name is drawn
anew for each driver. So who finds it sees the driver's very output, whatever is mounted where; and what a worker leaves
after its driver has ended, or another has taken over, is no part of anything.

In an object store, where nothing is renamed: to its place, under a name that is drawn anew for each part. It means
nothing until a commit record tells that name, and no part is ever overwritten. Workers put parts only where they see
their driver's claim, whose name is drawn, too: so who writes sees the very store, and when another driver takes over,
those of the former stop.
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mirsweep.jobs.results.claims import claim_name
from mirsweep.jobs.results.layout import SHARDS, part_name, part_path
from mirsweep.jobs.results.object_store import ObjectStore
from mirsweep.jobs.scanning.in_process import Outcome
from mirsweep.jobs.scanning.letters import Staging, StoreStaging
from mirsweep.jobs.scanning.shard_work import Part, ShardResult, Staged
from mirsweep.scanner.errors import InputError, cause_of

__all__ = ["NOT_THERE", "Left", "holds_part", "leave_part", "make_staging", "remove_staging", "staged_part"]

NOT_THERE = "the part that a worker wrote is not in the output"
"""Why a shard fails whose part the driver does not see."""
_PREFIX = "staged-"
_AGAIN_SECONDS = 300.0
"""A process that a store has refused asks again after this: without keys each try may take seconds."""


class Left(NamedTuple):
    """A result whose part was left where the driver wants it, or that is as it was, and why (else empty)."""

    result: ShardResult
    refusal: str = ""


def _leave_in_folder(folder: Path, shard_id: str, part: Part, content: bytes) -> Staged:
    """Write a part into the driver's folder.

    Raises
    ------
    OSError
        If the folder is not seen here, or cannot be written.
    """
    path = folder / f"{part_name(shard_id)}.{secrets.token_hex(4)}"  # a shard may be done twice
    try:
        with open(path, "xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise
    size = part.record()
    return Staged(path.name, size["bytes"], size["sha256"])


def _leave_in_store(place: StoreStaging, shard_id: str, part: Part, content: bytes) -> Staged:
    """Put a part into the driver's object store.

    Raises
    ------
    OSError
        If the driver's claim is not seen there, or the store refuses, now or lately.
    """
    refused = _REFUSED.get(place)
    if refused is not None and time.monotonic() < refused[0] + _AGAIN_SECONDS:
        raise OSError(refused[1])
    try:
        staged = _put(place, shard_id, part, content)
    except InputError as error:
        _REFUSED[place] = time.monotonic(), cause_of(error.__cause__ or error)
        raise OSError(_REFUSED[place][1]) from error
    _REFUSED.pop(place, None)
    return staged


def _put(place: StoreStaging, shard_id: str, part: Part, content: bytes) -> Staged:
    store, attempt, size = _store(place.address), secrets.token_hex(8), part.record()
    if not store.holds(claim_name(place.claim)):
        raise InputError("the driver's claim is not there")
    path = part_path(shard_id, attempt)
    store.put(f"{place.within}{path.as_posix()}", content)
    return Staged(path.name, size["bytes"], size["sha256"], attempt)


_REFUSED: dict[StoreStaging, tuple[float, str]] = {}
"""When a store refused this process, and its words."""


@cache
def _store(address: str) -> ObjectStore:
    """Once a process."""
    return ObjectStore(address)


def make_staging(output: Path) -> Path:
    """Make a folder in an output for parts that wait to be taken; its absolute path.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    folder = Path(os.path.abspath(output)) / SHARDS / f"{_PREFIX}{secrets.token_hex(8)}"
    folder.mkdir()
    return folder


def remove_staging(output: Path) -> None:
    """Remove all such folders of an output, and what nobody has taken."""
    for folder in _all(output):
        shutil.rmtree(folder, ignore_errors=True)  # what is written there meanwhile is removed the next time


def _all(output: Path) -> Iterator[Path]:
    return (output / SHARDS).glob(f"{_PREFIX}*")


def leave_part(result: ShardResult, staging: Staging | None) -> Left:
    """The result with its part where the driver wants it, if that can be written from here; else as it was."""
    part = result.part
    if staging is None or part is None or part.content is None:
        return Left(result)
    try:
        if isinstance(staging, Path):
            staged = _leave_in_folder(staging, result.shard_id, part, part.content)
        else:
            staged = _leave_in_store(staging, result.shard_id, part, part.content)
    except OSError as error:  # the driver tells what is wrong with the place, if it cannot write there either
        return Left(result, f"does not write to the output ({error.strerror or error})")
    return Left(result._replace(part=part._replace(content=None, staged=staged)))


def staged_part(outcome: Outcome) -> Staged | None:
    """The part of a shard that its worker has left; None if it has none, or has sent it."""
    part = outcome.result.part if outcome.result else None
    return part.staged if part else None


def holds_part(staging: Staging | None, staged: Staged) -> bool:
    """Whether the driver sees what a worker has left; in a store it was put where the driver's claim is."""
    try:
        in_folder = isinstance(staging, Path) and (staging / staged.name).stat().st_size == staged.n_bytes
    except OSError:
        return False
    return in_folder or isinstance(staging, StoreStaging)
