"""Choice of the device that torch computes on."""

import torch

from mirsweep.model.errors import ModelError

__all__ = ["resolve_device"]


def resolve_device(name: str) -> torch.device:
    """Device of a name: ``"cpu"``, ``"cuda"``, or ``"auto"``, a GPU if there is one.

    Raises
    ------
    ModelError
        If the name is unknown or there is no GPU.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise ModelError(f"device {name!r} is unknown: choose cpu, cuda or auto.")
    if name == "cuda" and not torch.cuda.is_available():
        raise ModelError("device 'cuda' was asked for but torch sees no GPU here: choose cpu or auto.")
    return torch.device(name)
