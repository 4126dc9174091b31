"""Programs that run GPU kernels in numba's simulator, where each GPU thread is a thread of Python."""

import os
import subprocess
import sys
from pathlib import Path


def simulated(program, *arguments, compiles=True):
    """What a program prints; it finds the modules of tests. ``compiles``: whether the kernels of the CPU are compiled.

    A GPU kernel that calls functions of the CPU's kernels needs these as Python.
    """
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": str(Path(__file__).parent)}
    if not compiles:
        environment["NUMBA_DISABLE_JIT"] = "1"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
