"""Choice of the device that a network computes on."""

import sys
from pathlib import Path

from mirsweep.model.errors import ModelError

__all__ = ["gpu_bytes", "multiplies_bfloat16", "resolve_device"]

_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""One of these is there on Linux wherever torch can compute on a GPU (NVIDIA, Windows' subsystem, AMD)."""


def resolve_device(name: str) -> str:
    """``"cpu"`` or ``"cuda"`` for ``"cpu"``, ``"cuda"``, or ``"auto"``, a GPU if there is one.

    Where no driver of a GPU is, torch, which takes a second to load, is not asked.

    Raises
    ------
    ModelError
        If the name is unknown or there is no GPU.
    """
    if name not in ("cpu", "cuda", "auto"):
        raise ModelError(f"device {name!r} is unknown: choose cpu, cuda or auto.")
    if name == "cpu" or (name == "auto" and not _may_have_gpu()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise ModelError("device 'cuda' was asked for but torch sees no GPU here: choose cpu or auto.")
    return "cpu"


def _may_have_gpu() -> bool:
    return not sys.platform.startswith("linux") or any(Path(each).exists() for each in _DRIVERS)


def multiplies_bfloat16(device: str) -> bool:
    """Whether a device, ``"cpu"`` or ``"cuda"``, multiplies in bfloat16 itself: other processors are slower at it than
    in 32 bits."""
    import torch

    # older torch does not tell, and 32 bits are never wrong
    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return device != "cpu" or any(known.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def gpu_bytes() -> list[int]:
    """Memory of each GPU that this process may use."""
    import torch

    return [torch.cuda.get_device_properties(k).total_memory for k in range(torch.cuda.device_count())]
