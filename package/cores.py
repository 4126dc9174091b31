"""Cores and memory that a process may use: the machine's, less what container, job and affinity withhold."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

__all__ = ["free_bytes", "n_cores"]

_V1_MOUNTS = ("cpu", "cpu,cpuacct", "cpuacct,cpu")
_SLURM_MEMORY = "SLURM_MEM_PER_NODE"
_SLURM_VARIABLES = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE")
"""The first that is set holds: a task of a job may be given less than the job has on the node."""


def n_cores(
    *, root: str | os.PathLike = "/", environment: Mapping[str, str] | None = None, n_usable: int | None = None
) -> int:
    """Cores that this process may use.

    The least of its affinity mask (all of the machine's cores where there is none, as on macOS), the CPU quota of its
    control groups (rounded up), and what Slurm gave.

    Parameters
    ----------
    root
        Where ``proc`` and ``sys`` stand.
    environment
        The process's by default.
    n_usable
        Cores of the affinity mask; those of this process by default.

    Returns
    -------
    At least 1.
    """
    environment = os.environ if environment is None else environment
    limits = [_n_usable() if n_usable is None else n_usable, *_quotas(Path(root)), *_slurm(environment)]
    return max(1, min(limits))


def free_bytes(*, root: str | os.PathLike = "/", environment: Mapping[str, str] | None = None) -> int | None:
    """Memory that this process and others that it starts may take, bytes.

    The least of what the kernel could give without swapping, the limits of its control groups, and what Slurm gave its
    job on the node.

    Parameters
    ----------
    root, environment
        As for :func:`n_cores`.

    Returns
    -------
    None where nothing tells, as on macOS.
    """
    environment = os.environ if environment is None else environment
    limits = [*_available(Path(root)), *_memory_limits(Path(root))]
    if (given := environment.get(_SLURM_MEMORY, "")).isdecimal():
        limits.append(int(given) << 20)
    return min((limit for limit in limits if limit > 0), default=None)


def _available(root: Path) -> Iterator[int]:
    for line in _words(root / "proc" / "meminfo", separator="\n"):
        name, number, *_ = [*line.split(), "", ""]
        if name == "MemAvailable:":
            yield _number(number) << 10


def _memory_limits(root: Path) -> Iterator[int]:
    mount = root / "sys" / "fs" / "cgroup"
    for controllers, group in _groups(root / "proc" / "self" / "cgroup"):
        if not controllers:
            for base in (mount, mount / "unified"):
                yield from _along(base, group, lambda folder: (_first(folder / "memory.max"), 1))
        elif "memory" in controllers.split(","):
            yield from _along(mount / "memory", group, lambda folder: (_first(folder / "memory.limit_in_bytes"), 1))


def _first(path: Path) -> int:
    """The number in a file; 0 where there is none."""
    return _number([*_words(path), ""][0])


def _n_usable() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _slurm(environment: Mapping[str, str]) -> list[int]:
    given = [environment[name] for name in _SLURM_VARIABLES if environment.get(name, "").isdecimal()]
    return [int(number) for number in given[:1]]


def _quotas(root: Path) -> Iterator[int]:
    """Cores by quota of every control group that this process is in, and of those above it."""
    mount = root / "sys" / "fs" / "cgroup"
    for controllers, group in _groups(root / "proc" / "self" / "cgroup"):
        if not controllers:
            for base in (mount, mount / "unified"):
                yield from _along(base, group, _quota_v2)
        elif "cpu" in controllers.split(","):
            for name in _V1_MOUNTS:
                yield from _along(mount / name, group, _quota_v1)


def _groups(path: Path) -> Iterator[tuple[str, str]]:
    """Controllers (none: version 2) and path of each control group of this process, see cgroups(7)."""
    for line in _words(path, separator="\n"):
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        yield controllers, group


def _along(base: Path, group: str, quota_of: Callable[[Path], tuple[int, int]]) -> Iterator[int]:
    """Quotas of a group and of those above it; a container may see its own group as the root of what is mounted."""
    own = PurePosixPath(group.lstrip("/"))
    for inner in (own, *own.parents):
        quota, period = quota_of(base / inner)
        if quota > 0 and period > 0:
            yield -(-quota // period)


def _quota_v2(folder: Path) -> tuple[int, int]:
    """Microseconds of CPU time and the period, of ``cpu.max``; 0 for no limit."""
    quota, period = [*_words(folder / "cpu.max"), "", ""][:2]
    return _number(quota), _number(period)


def _quota_v1(folder: Path) -> tuple[int, int]:
    quota, period = (" ".join(_words(folder / name)) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
    return _number(quota), _number(period)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _words(path: Path, *, separator: str | None = None) -> list[str]:
    """What a file of the kernel says; nothing where there is none or it cannot be read."""
    try:
        return path.read_text().strip().split(separator)
    except (OSError, UnicodeDecodeError):
        return []
