"""The kernels of this package in groups that are compiled side by side, see ``mirsweep.first_run``."""

from mirsweep.first_run import KernelGroup
from mirsweep.model.encode import encode
from mirsweep.model.stem import lay_out

__all__ = ["GROUPS", "scoring_kernels"]

_HAIRPIN = ["GGGAAACCC"], ["(((...)))"]
GROUPS = {
    "encode": KernelGroup(0.8, lambda: encode(*_HAIRPIN, partner=True)),
    "columns": KernelGroup(2.4, lambda: lay_out(*_HAIRPIN)),
}


def scoring_kernels(*, has_columns: bool) -> list[str]:
    """Names of the groups that scoring needs, with a model that sees hairpins as columns, or one that does not."""
    return [f"{__name__}:{'columns' if has_columns else 'encode'}"]
