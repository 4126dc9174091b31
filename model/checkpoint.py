"""Weights on disk: NAME.safetensors and, beside it, a card NAME.json that says where they come from."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.numpy import save as arrays_to_bytes
from torch.overrides import TorchFunctionMode

from mirsweep.model.card import BUNDLED, CARD_KEYS, resolve
from mirsweep.model.errors import ModelError
from mirsweep.model.genome_net import GenomeNet
from mirsweep.model.genome_weights import Form
from mirsweep.model.net import Net, NetConfig
from mirsweep.model.packed import pack_ascending, pack_in_steps
from mirsweep.model.two_stage import TwoStageNet, network_of
from mirsweep.model.weights_file import WeightsFile, check_arrays, genome_weights_of, no_network, read_weights_file

__all__ = ["BUNDLED", "CARD_KEYS", "Checkpoint", "load", "paper_network_of", "resolve", "save", "write_whole"]


class Checkpoint(NamedTuple):
    """A network read from disk, its card, and the sha256 of its weights file (hex)."""

    net: Net | GenomeNet | TwoStageNet
    card: dict[str, Any]
    digest: str


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is complete or absent: to a temporary name beside it, then renamed."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_bytes(content)
    os.replace(partial, path)


def save(
    path: str | os.PathLike,
    net: Net | GenomeNet | TwoStageNet,
    *,
    data: Any,
    licence: str,
    protocol: Any,
    metrics: Any,
    calibration: dict[str, list[float]] | None = None,
    n_steps: int | None = None,
) -> dict[str, Any]:
    """Write weights and card; the file's stem becomes the model's name.

    Parameters
    ----------
    path
        Where to, ending in ``.safetensors`` or without ending; the card goes beside it as ``.json``.
    data, licence, protocol, metrics
        What the card tells: training data, their licence, how it was trained, what was measured. JSON values.
    calibration
        Of a genome model: false positives per Mb by score (see :func:`mirsweep.model.genome_model.expected_fp_per_mb`).
    n_steps
        Write the weights of layers in fixed point, of so many steps from 0 to each input's largest one, which a wheel
        packs better (:mod:`mirsweep.model.packed`); default: float32, as they are.

    Returns
    -------
    The card.

    Raises
    ------
    ModelError
        If the path has another ending or cannot be written, or a weight is not finite.
    """
    path = _weights_path(Path(path))
    arrays = {name: t.detach().cpu().contiguous().numpy() for name, t in net.state_dict().items()}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ModelError(
            f"{path}: not written, since training has ended in weights that are not finite: train anew with a lower "
            "learning rate."
        )
    content = arrays_to_bytes(_with_gaps(arrays) if n_steps is None else _in_steps(_with_gaps(arrays), n_steps))
    facts = {"data": data, "licence": licence, "protocol": protocol, "metrics": metrics}
    if calibration is not None:
        facts["calibration"] = calibration
    digest = hashlib.sha256(content).hexdigest()
    card = {
        "name": path.stem,
        "digest": digest,
        "config": asdict(net.config),
        "mirsweep": version("mirsweep"),
    } | facts
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path.with_suffix(".json"), (json.dumps(card, indent=2) + "\n").encode())
        write_whole(path, content)
    except OSError as error:
        raise ModelError(f"{path}: the weights cannot be written ({error.strerror}); choose another place.") from error
    return card


def _with_gaps(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays; 14-mers, which ascend, by their gaps."""
    found: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        is_ascending = name.endswith("words") and len(array) > 0 and bool((np.diff(array) > 0).all())
        found |= {f"{name}.gaps": pack_ascending(array)} if is_ascending else {name: array}
    return found


def _in_steps(arrays: Mapping[str, np.ndarray], n_steps: int) -> dict[str, np.ndarray]:
    """The arrays, those of layers in fixed point."""
    found: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        is_layer = array.dtype == np.float32 and array.ndim > 1
        found |= pack_in_steps(array, n_steps, name=name) if is_layer else {name: array}
    return found


def load(name_or_path: str | os.PathLike) -> Checkpoint:
    """Read and check a network by the name of a bundled model or by its path.

    Raises
    ------
    ModelError
        If there is no such file, the card is absent or incomplete, the digest differs, the file is not safetensors,
        or its tensors do not fit the network.
    """
    file = read_weights_file(name_or_path)
    weights = genome_weights_of(file)
    net = paper_network_of(file) if weights is None else network_of(weights)
    return Checkpoint(net, file.card, file.card["digest"])


def paper_network_of(file: WeightsFile) -> Net:
    """The network of the paper's kind that a weights file holds.

    Raises
    ------
    ModelError
        If the card describes none, or the arrays do not fit it.
    """
    try:
        config = NetConfig(**file.card["config"])
    except (TypeError, ModelError) as error:
        raise no_network(file.path, error) from error
    check_arrays(file, _expected(file.path, config))
    net = Net(config)
    net.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in file.arrays.items()})
    return net


class _NoInitialValues(TorchFunctionMode):
    """Networks are built without initial values.

    To draw them for tensors that take no memory torch would import its compiler, which takes a second.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        named = kwargs or {}
        if func is torch.nn.init.normal_:
            return named["tensor"] if "tensor" in named else args[0]
        return func(*args, **named)


def _expected(path: Path, config: NetConfig) -> dict[str, Form]:
    """Shapes and types of the network's tensors, none of which takes memory: sizes are not believed yet."""
    try:
        with torch.device("meta"), _NoInitialValues():
            tensors = Net(config).state_dict()
    except RuntimeError as error:
        raise no_network(path, error) from error
    no_value = {name: torch.empty(0, dtype=tensor.dtype).numpy() for name, tensor in tensors.items()}
    return {name: Form(tuple(tensor.shape), no_value[name].dtype) for name, tensor in tensors.items()}


def _weights_path(path: Path) -> Path:
    if path.suffix == ".safetensors":
        return path
    if path.suffix:
        raise ModelError(f"{path}: weights are written as .safetensors; give that ending or none.")
    return path.with_suffix(".safetensors")
