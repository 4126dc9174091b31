"""Interrupted training runs: their state on disk, complete or absent, and refused if it belongs to another run."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor
from torch.optim import Optimizer

from mirsweep.model.checkpoint import write_whole
from mirsweep.model.errors import ModelError
from mirsweep.regular import check_regular

__all__ = ["TrainingState", "optimiser_tensors", "read_state", "restore_optimiser", "under", "write_state"]


class TrainingState(NamedTuple):
    """What a state file holds: named tensors, and facts that are JSON values."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def write_state(path: Path, state: TrainingState, *, fingerprint: str) -> None:
    """Write the state of the training run that has this fingerprint.

    Raises
    ------
    ModelError
        If the file cannot be written.
    """
    metadata = {"fingerprint": fingerprint} | {name: json.dumps(value) for name, value in state.facts.items()}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, tensors_to_bytes(tensors, metadata))
    except OSError as error:
        raise ModelError(
            f"{path}: the state of the training run cannot be written ({error.strerror}); choose another place."
        ) from error


def read_state(path: Path, *, fingerprint: str) -> TrainingState | None:
    """State of the training run that has this fingerprint; None if there is no file.

    Raises
    ------
    ModelError
        If the file is damaged or belongs to a run on other data or with other parameters.
    """
    if not path.exists():
        return None
    try:
        check_regular(path)
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not an intact training state ({error}); delete it to start anew.") from error
    if metadata.pop("fingerprint", None) != fingerprint:
        raise ModelError(
            f"{path}: state of a training run on other data or with other parameters; delete it to start anew."
        )
    try:
        facts = {name: json.loads(value) for name, value in metadata.items()}
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not an intact training state ({error}); delete it to start anew.") from error
    return TrainingState(tensors, facts)


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with the prefix, without it."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def optimiser_tensors(optimiser: Optimizer, prefix: str) -> dict[str, Tensor]:
    """Moments of an optimiser, named by prefix, parameter and moment."""
    return {
        f"{prefix}{row}.{name}": tensor
        for row, moments in optimiser.state_dict()["state"].items()
        for name, tensor in moments.items()
    }


def restore_optimiser(optimiser: Optimizer, tensors: dict[str, Tensor], prefix: str) -> None:
    """Take up what ``optimiser_tensors`` gave; the learning rate stays as it is."""
    by_row: dict[int, dict[str, Tensor]] = {}
    for name, tensor in under(tensors, prefix).items():
        row, _, key = name.partition(".")
        by_row.setdefault(int(row), {})[key] = tensor
    optimiser.load_state_dict({"state": by_row, "param_groups": optimiser.state_dict()["param_groups"]})
