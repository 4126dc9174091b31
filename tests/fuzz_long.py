"""Fuzz readers for a time each, every reader in a process of its own, since a fault may end it.

    python tests/fuzz_long.py --seconds 60 [READER ...]

Prints for each reader how many examples it read and refused, and its faults; keeps the files of each fault if asked.
"""

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition

from fuzz_readers import READERS
from helpers_fuzz import Files, Reader, Special, try_reader

__all__ = ["fuzz", "fuzz_apart"]

_ROUND, _LEAST = 100, 50
"""Examples of a round, and those that are read however little time there is."""
_SHARED = settings(
    max_examples=_ROUND,
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


class _TimeIsUp(BaseException):
    """Ends a round of examples."""


def fuzz(reader: Reader, *, seconds: float, start: int = 0, keep: Path | None = None) -> dict[str, Any]:
    """Fuzz a reader in this process.

    Parameters
    ----------
    seconds
        How long.
    start
        First random seed; each round of examples has one.
    keep
        Folder for the files of faults, one of each kind.

    Returns
    -------
    ``read``, ``refused``: numbers of examples; ``faults``: by kind (exception and place) their number.
    """
    counts: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    end = time.monotonic() + seconds

    def once(data: st.DataObject) -> None:
        if time.monotonic() > end and counts.total() >= _LEAST:
            raise _TimeIsUp
        files = data.draw(reader.files)
        try:
            counts[try_reader(reader, files)] += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            kind = _kind_of(error)
            faults[kind] += 1
            if keep is not None and faults[kind] == 1:
                _keep(files, keep / reader.name / str(len(faults)), traceback.format_exc())

    while time.monotonic() < end or counts.total() < _LEAST:
        with suppress(_TimeIsUp, FlakyStrategyDefinition):  # what is cached, or not drawn for want of time, differs
            seed(start)(_SHARED(given(st.data())(once)))()
        start += 1
    return {"read": counts["read"], "refused": counts["refused"], "faults": dict(faults)}


def _kind_of(error: BaseException) -> str:
    """Exception and the innermost place in the code that is tested."""
    places = [f for f in traceback.extract_tb(error.__traceback__) if "/tests/" not in f.filename]
    inner = [
        f for f in places if any(f"/{folder}/" in f.filename for folder in ("scanner", "model", "jobs", "package"))
    ]
    place = (inner or places or traceback.extract_tb(error.__traceback__))[-1]
    return f"{type(error).__name__} at {'/'.join(Path(place.filename).parts[-2:])}:{place.lineno}: {str(error)[:120]}"


def _keep(files: Files, folder: Path, text: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, Special):
            path.with_name(f"{path.name}.{content.kind}").touch()
    (folder / "TRACEBACK").write_text(text, errors="backslashreplace")


def fuzz_apart(name: str, *, seconds: float, start: int = 0, keep: Path | None = None) -> dict[str, Any]:
    """The same in a process of its own: that it ends is a fault, too."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, name, seconds, start, keep))
    process.start()
    sender.close()
    try:
        result = receiver.recv()
    except EOFError:
        process.join()
        return {"read": 0, "refused": 0, "faults": {f"the process ended with code {process.exitcode}": 1}}
    process.join()
    return result


def _send(sender: Any, name: str, seconds: float, start: int, keep: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-") as folder:
        tempfile.tempdir = folder
        sys.stderr = open(f"{keep or folder}/stderr-{name}", "w")  # noqa: SIM115 (warnings by the thousand)
        sender.send(fuzz(READERS[name], seconds=seconds, start=start, keep=keep))


def results(names: list[str], *, seconds: float, start: int, keep: Path | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """By name what came of each reader."""
    for name in names or READERS:
        yield name, fuzz_apart(name, seconds=seconds, start=start, keep=keep)


def main() -> int:
    """Fuzz, print; 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("readers", nargs="*", choices=[*READERS, []])
    parser.add_argument("--seconds", type=float, default=60, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files of faults")
    arguments = parser.parse_args()
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    n_faults = 0
    for name, found in results(arguments.readers, seconds=arguments.seconds, start=arguments.seed, keep=arguments.keep):
        print(json.dumps({"reader": name} | found, indent=1), flush=True)
        n_faults += len(found["faults"])
    return 1 if n_faults else 0


if __name__ == "__main__":
    sys.exit(main())
