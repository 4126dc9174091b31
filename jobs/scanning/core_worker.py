"""The program of a worker process: ``python -m mirsweep.jobs.scanning.core_worker SOCKET``.

What it does is :mod:`mirsweep.jobs.scanning.core_work`, which is imported when it is settled what is not.
"""

import sys
from importlib import import_module

from mirsweep._spared import spare

if __name__ == "__main__":
    spare()
    import_module("mirsweep.jobs.scanning.core_work").main(sys.argv[1:])
