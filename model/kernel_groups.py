"""The kernels of this package in groups that are compiled side by side, see ``mirsweep.first_run``."""

from typing import TYPE_CHECKING

from mirsweep.first_run import KernelGroup
from mirsweep.model.encode import encode
from mirsweep.model.stem import lay_out

if TYPE_CHECKING:
    from mirsweep.model.prediction import Scorer

__all__ = ["GROUPS", "scoring_kernels"]

_HAIRPIN = ["GGGAAACCC"], ["(((...)))"]
GROUPS = {
    "encode": KernelGroup(0.4, lambda: encode(*_HAIRPIN, partner=True)),
    "columns": KernelGroup(1.7, lambda: lay_out(*_HAIRPIN)),
}


def scoring_kernels(scorer: "Scorer") -> list[str]:
    """Names of the groups that a model needs."""
    from mirsweep.model.genome_model import GenomeModel  # brings torch, which whoever compiles kernels does not need

    return [f"{__name__}:{'columns' if isinstance(scorer, GenomeModel) else 'encode'}"]
