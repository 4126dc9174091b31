"""A scorer that fails on certain sequences, in a module of its own: worker processes import it."""

import os
import resource
from pathlib import Path

import numpy as np

from mirsweep.model import Prediction


def use_up_memory():
    """Take memory until the kernel refuses this process more, which is 256 MB from now."""
    limit = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, limit[1]))
    try:
        _ = [bytearray(2**24) for _ in range(1000)]
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limit)


class Faulty:
    """A scorer that meets its end on certain sequences: it stands for a bug or a crash that only some data trigger."""

    label = "faulty:1"

    def __init__(self, poison: set[str], how: str):
        self.poison, self.how = poison, how

    def load(self, device: str) -> "Faulty":
        return self

    def predict(self, sequences, structures, flanks_5p, flanks_3p):
        if self.poison & set(sequences):
            if self.how == "die":
                os._exit(1)
            if self.how == "memory":
                use_up_memory()
            raise RuntimeError("poison met")
        return Prediction(np.full(len(sequences), 0.5, np.float32))
