"""Compiling kernels before work starts: those that are not in the cache yet, in several processes at once.

numba's lock lets one thread compile at a time, so other processes do it: ``python -m mirsweep.first_run GROUP ...``.
What they leave in the cache is loaded here. A group of kernels is named by its module and its name there, such as
``mirsweep.scanner.kernel_groups:prefilter``; the module has them in ``GROUPS``.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from mirsweep.cache import locked
from mirsweep.cores import n_cores

__all__ = [
    "ONE_THREAD",
    "KernelGroup",
    "cache_environment",
    "compile_kernels",
    "missing_kernels",
    "note_kernels",
    "were_noted",
]

ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
"""Environment of processes of which there is one a core."""
_LOCK = "compiling.lock"


class KernelGroup(NamedTuple):
    """Kernels that are compiled together.

    Attributes
    ----------
    seconds
        CPU time that compiling takes (``benchmarks/bench_first_run.py``), by which groups are shared out.
    call
        Calls each of the kernels, with hardly any work to do.
    """

    seconds: float
    call: Callable[[], Any]


def missing_kernels(groups: Sequence[str]) -> list[str]:
    """Those of the groups that have to be compiled; the others are loaded."""
    from mirsweep.kernels import NotCompiledError, nothing_compiled

    missing = []
    for name in groups:
        try:
            with nothing_compiled():
                _group(name).call()
        except NotCompiledError:
            missing.append(name)
    return missing


def compile_kernels(groups: Sequence[str], *, n_processes: int | None = None) -> None:
    """Compile what is missing of these groups, and load the rest.

    Of several processes with one cache folder one compiles, and the others wait and load.

    Parameters
    ----------
    groups
        Names of groups.
    n_processes
        As many as this process may use cores, if not given.
    """
    if not (missing := missing_kernels(groups)):
        return
    with _only_one_compiles():
        missing = missing_kernels(missing)
        own, *others = _shares(missing, n_processes or n_cores()) or [[]]
        with _helpers(others):
            for name in own:
                _group(name).call()
        for name in missing:  # loads them; compiles what a helper did not or could not keep
            _group(name).call()


def note_kernels(groups: Sequence[str]) -> None:
    """Note in the cache that all of these groups are there."""
    if (note := _note_of(groups)) is not None:
        with suppress(OSError):  # then the next process looks for itself
            note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            note.touch()


def were_noted(groups: Sequence[str]) -> bool:
    """Whether all of these groups were in the cache once, which tells without loading them (0.2 s).

    The source of the kernels is as it was then; what was removed from the cache since is not seen.
    """
    note = _note_of(groups)
    return note is not None and note.exists()


def _note_of(groups: Sequence[str]) -> Path | None:
    from mirsweep.kernels import kernel_folder

    folder = kernel_folder()
    if folder is None:
        return None
    sources = {Path(file).parent for name in groups if (file := import_module(name.partition(":")[0]).__file__)}
    states = [(path.name, path.stat()) for source in sorted(sources) for path in sorted(source.glob("_*.py"))]
    facts = (sorted(groups), [(name, state.st_mtime_ns, state.st_size) for name, state in states])
    return folder / f"{hashlib.sha256(repr(facts).encode()).hexdigest()[:24]}.noted"


def cache_environment() -> dict[str, str]:
    """Environment variables with which another process on this machine has this one's folder of compiled kernels."""
    from mirsweep.kernels import kernel_folder

    folder = kernel_folder()
    return {} if folder is None or "NUMBA_CACHE_DIR" in os.environ else {"MIRSWEEP_CACHE": str(folder.parent)}


def _group(name: str) -> KernelGroup:
    module, _, key = name.partition(":")
    return import_module(module).GROUPS[key]


def _shares(groups: Sequence[str], n: int) -> list[list[str]]:
    """The groups in at most ``n`` shares of nearly equal time: the longest first, each to whoever has the least."""
    shares: list[list[str]] = [[] for _ in range(min(n, len(groups)))]
    for name in sorted(groups, key=_seconds, reverse=True):
        min(shares, key=lambda share: sum(map(_seconds, share))).append(name)
    return shares


def _seconds(name: str) -> float:
    return _group(name).seconds


@contextmanager
def _only_one_compiles() -> Iterator[None]:
    from mirsweep.kernels import kernel_folder

    folder = kernel_folder()
    with ExitStack() as stack:
        if folder is not None:
            with suppress(OSError):  # a folder of the user's own that cannot be written: nothing to share then
                stack.enter_context(locked(folder, _LOCK))
        yield


@contextmanager
def _helpers(shares: Sequence[Sequence[str]]) -> Iterator[None]:
    """Other processes, one for each share, which are waited for, or stopped if something ends this one."""
    environment = os.environ | cache_environment()
    command = [sys.executable, "-P", "-m", "mirsweep.first_run"]  # -P: nothing from the current folder is imported
    quiet: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    running = []
    try:
        for share in shares:
            with suppress(OSError):
                running.append(subprocess.Popen([*command, *share], env=environment, **quiet))
        yield
        for helper in running:
            helper.wait()
    finally:
        for helper in running:
            helper.terminate()
            helper.wait()


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        _group(argument).call()
