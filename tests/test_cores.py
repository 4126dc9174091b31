"""Cores that a process may use: affinity, container quotas of both kinds, Slurm; files as kernels write them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mirsweep.cores import free_bytes, n_cores


def system(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def cores(root: Path, **environment: str) -> int:
    return n_cores(root=root, environment=environment, n_usable=64)


V2 = "0::/system.slice/docker-1f.scope\n"
V1 = "12:memory:/docker/1f\n4:cpu,cpuacct:/docker/1f\n1:name=systemd:/docker/1f\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 64),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 64),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "20000 100000\n"}, 1),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/system.slice/docker-1f.scope/cpu.max": "400000 100000\n"}, 4),
        (
            {
                "proc/self/cgroup": V2,
                "sys/fs/cgroup/system.slice/cpu.max": "300000 100000\n",
                "sys/fs/cgroup/system.slice/docker-1f.scope/cpu.max": "max 100000\n",
            },
            3,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_quota_us": "800000\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_period_us": "100000\n",
            },
            8,
        ),
        (
            {
                "proc/self/cgroup": V1,  # seen from within: the group is the root of what is mounted
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "10000\n",
            },
            5,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            64,
        ),
        ({"proc/self/cgroup": "no group at all\n", "sys/fs/cgroup/cpu.max": "many\n"}, 64),
    ],
)
def test_quotas_of_control_groups(tmp_path, files, expected):
    assert cores(system(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"SLURM_CPUS_PER_TASK": "6", "SLURM_CPUS_ON_NODE": "24"}, 6),
        ({"SLURM_CPUS_ON_NODE": "24"}, 24),
        ({"SLURM_CPUS_ON_NODE": "128"}, 64),
        ({"SLURM_CPUS_PER_TASK": "", "SLURM_CPUS_ON_NODE": "3"}, 3),
        ({"SLURM_CPUS_PER_TASK": "0"}, 1),
        ({"SLURM_CPUS_PER_TASK": "all"}, 64),
    ],
)
def test_what_slurm_gave(tmp_path, environment, expected):
    assert cores(tmp_path, **environment) == expected


def test_the_least_of_all_holds(tmp_path):
    root = system(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "500000 100000\n"})
    assert cores(root, SLURM_CPUS_PER_TASK="7") == 5
    assert cores(root, SLURM_CPUS_PER_TASK="4") == 4


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity masks")
def test_the_affinity_of_this_process():
    code = (
        "import os; from mirsweep.cores import n_cores; "
        "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); print(n_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "1\n"


def test_a_system_without_affinity_masks(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert n_cores(root=tmp_path, environment={}) == os.cpu_count()


MEMORY = {"proc/meminfo": "MemTotal:       24000000 kB\nMemFree:  1 kB\nMemAvailable:   16000000 kB\n"}


@pytest.mark.parametrize(
    ("files", "environment", "expected"),
    [
        ({}, {}, None),
        (MEMORY, {}, 16_000_000 << 10),
        (MEMORY, {"SLURM_MEM_PER_NODE": "4000"}, 4000 << 20),
        (MEMORY | {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, {}, 16_000_000 << 10),
        (
            MEMORY | {"proc/self/cgroup": V2, "sys/fs/cgroup/system.slice/memory.max": "2000000000\n"},
            {"SLURM_MEM_PER_NODE": "0"},
            2_000_000_000,
        ),
        (
            MEMORY | {"proc/self/cgroup": V1, "sys/fs/cgroup/memory/docker/1f/memory.limit_in_bytes": "3000000000\n"},
            {},
            3_000_000_000,
        ),
    ],
)
def test_free_memory_is_what_the_least_of_all_allows(tmp_path, files, environment, expected):
    assert free_bytes(root=system(tmp_path, files), environment=environment) == expected


def test_free_memory_of_this_machine():
    free = free_bytes()
    assert free is None or 0 < free < 1 << 50
