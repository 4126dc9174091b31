"""What every benchmark needs: the machine, the versions, the commit, timing, and the place of the results."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "ROOT",
    "best_seconds",
    "command_line",
    "commit",
    "find_data",
    "machine",
    "random_hairpins",
    "versions",
    "write_result",
]

ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("mirsweep", "numpy", "numba", "torch", "viennarna", "pyarrow", "ray", "scikit-learn")


def machine() -> dict[str, Any]:
    """CPU model, cores that this process may use, memory in GiB, system."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the figures depend on."""
    return {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def commit() -> str:
    """Commit of the repository; ``+`` after it when tracked Python files differ from it."""
    head = _git("rev-parse", "HEAD")
    return head + ("+" if _git("status", "--porcelain", "--untracked-files=no", "--", "*.py") else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or ("unknown" if done.returncode else "")


def command_line() -> str:
    """What was typed, with the names of files in place of their absolute paths."""
    words = (Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:])
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])


def write_result(name: str, figures: dict[str, Any]) -> Path:
    """Write ``benchmarks/results/NAME.json``: the figures with machine, versions and commit."""
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    document = figures | {"machine": machine(), "versions": versions(), "commit": commit()}
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


def find_data() -> Path:
    """Folder of the public data sets: MIRSWEEP_DATA, else ../shared/data beside the repository."""
    folder = Path(os.environ.get("MIRSWEEP_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        raise SystemExit(f"{folder}: no public data sets here; set MIRSWEEP_DATA.")
    return folder


def random_hairpins(n: int, *, seed: int = 0) -> tuple[list[str], list[str]]:
    """Sequences of 45 to 130 nt, random but for the complementary arms, and single stem-loops with bulges."""
    rng = np.random.default_rng(seed)
    sequences, structures = [], []
    for length in rng.integers(45, 131, n):
        bases = rng.integers(0, 4, length)
        stem = (length - 8) // 2
        bases[length - stem :] = 3 - bases[:stem][::-1]
        is_paired = rng.random(stem) < 0.85
        left = "".join(np.where(is_paired, "(", "."))
        right = "".join(np.where(is_paired, ")", "."))[::-1]
        sequences.append("".join("ACGU"[base] for base in bases))
        structures.append(left + "." * int(length - 2 * stem) + right)
    return sequences, structures


def best_seconds(work: Callable[[], Any], *, repeats: int) -> float:
    """Shortest of several runs after one to warm up, seconds."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)
