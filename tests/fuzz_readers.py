"""Every reader of a file that mirsweep did not just write, by name."""

from helpers_fuzz import Reader
from helpers_fuzz_inputs import INPUT_READERS
from helpers_fuzz_models import MODEL_READERS
from helpers_fuzz_outputs import OUTPUT_READERS

__all__ = ["READERS"]

READERS: dict[str, Reader] = {each.name: each for each in (*INPUT_READERS, *MODEL_READERS, *OUTPUT_READERS)}
