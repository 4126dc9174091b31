"""Parts that workers write themselves: left in a folder of the driver's, which takes them when it commits.

The folder's name is drawn anew for each driver. So who finds it sees the driver's very output, whatever is mounted
where; and what a worker leaves after its driver has ended, or another has taken over, is no part of anything.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mirsweep.jobs.results.layout import SHARDS, part_name
from mirsweep.jobs.scanning.shard_work import ShardResult, Staged

__all__ = ["leave_part", "make_staging", "remove_staging"]

_PREFIX = "staged-"


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


def leave_part(result: ShardResult, staging: Path) -> ShardResult:
    """The result with its part in the folder, if that is seen here and can be written; else as it was."""
    part = result.part
    if part is None or part.content is None or not staging.is_dir():
        return result
    path = staging / f"{part_name(result.shard_id)}.{secrets.token_hex(4)}"  # a shard may be done twice
    try:
        with open(path, "xb") as stream:
            stream.write(part.content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:  # the driver tells what is wrong with the place, if it cannot write there either
        with suppress(OSError):
            path.unlink()
        return result
    size = part.record()
    return result._replace(part=part._replace(content=None, staged=Staged(path.name, size["bytes"], size["sha256"])))
