"""Weights on disk: NAME.safetensors and, beside it, a card NAME.json that says where they come from."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch.overrides import TorchFunctionMode

from mirsweep.model.card import BUNDLED, CARD_KEYS, read_files, resolve
from mirsweep.model.errors import ModelError
from mirsweep.model.genome_net import GenomeConfig, GenomeNet
from mirsweep.model.net import Net, NetConfig
from mirsweep.model.packed import pack_ascending, unpack
from mirsweep.model.two_stage import TwoStageConfig, TwoStageNet

__all__ = ["BUNDLED", "CARD_KEYS", "Checkpoint", "load", "resolve", "save", "write_whole"]

_MOST_LETTERS = 300
"""Of an error that a message quotes."""


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

    Returns
    -------
    The card.

    Raises
    ------
    ModelError
        If the path has another ending or cannot be written, or a weight is not finite.
    """
    path = _weights_path(Path(path))
    tensors = {name: t.detach().cpu().contiguous() for name, t in net.state_dict().items()}
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise ModelError(
            f"{path}: not written, since training has ended in weights that are not finite: train anew with a lower "
            "learning rate."
        )
    content = tensors_to_bytes(_with_gaps(tensors))
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


def _with_gaps(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors; 14-mers, which ascend, by their gaps."""
    found: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        is_ascending = name.endswith("words") and len(tensor) > 0 and bool((tensor.diff() > 0).all())
        found |= {f"{name}.gaps": pack_ascending(tensor)} if is_ascending else {name: tensor}
    return found


def load(name_or_path: str | os.PathLike) -> Checkpoint:
    """Read and check a network by the name of a bundled model or by its path.

    Raises
    ------
    ModelError
        If there is no such file, the card is absent or incomplete, the digest differs, the file is not safetensors,
        or its tensors do not fit the network.
    """
    path = resolve(name_or_path)
    card, content = read_files(path)
    config = _read_config(path, card["config"])
    tensors = _read_tensors(path, content)
    _check_tensors(path, tensors, _expected(path, config))
    net = _build(config)
    net.load_state_dict(tensors)
    return Checkpoint(net, card, card["digest"])


def _build(config: NetConfig | GenomeConfig | TwoStageConfig) -> Net | GenomeNet | TwoStageNet:
    if isinstance(config, TwoStageConfig):
        return TwoStageNet(config)
    return GenomeNet(config) if isinstance(config, GenomeConfig) else Net(config)


def _no_network(path: Path, error: Exception) -> ModelError:
    """The sentence for a card whose sizes are none; a value in it may be of any length."""
    cause = (str(error).splitlines() or ["no message"])[0][:_MOST_LETTERS]
    return ModelError(f"{path.with_suffix('.json')}: the card describes no network of ours ({cause}).")


class _NoInitialValues(TorchFunctionMode):
    """Networks are built without initial values.

    To draw them for tensors that take no memory torch would import its compiler, which takes a second.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        named = kwargs or {}
        if func is torch.nn.init.normal_:
            return named["tensor"] if "tensor" in named else args[0]
        return func(*args, **named)


def _expected(path: Path, config: NetConfig | GenomeConfig | TwoStageConfig) -> dict[str, torch.Tensor]:
    """Shapes and types of the network's tensors, none of which takes memory: sizes are not believed yet."""
    try:
        with torch.device("meta"), _NoInitialValues():
            return dict(_build(config).state_dict())
    except RuntimeError as error:
        cause = str(error).splitlines()[0]
        raise ModelError(
            f"{path.with_suffix('.json')}: the card describes no network of ours ({str(cause)[:300]})."
        ) from error


def _weights_path(path: Path) -> Path:
    if path.suffix == ".safetensors":
        return path
    if path.suffix:
        raise ModelError(f"{path}: weights are written as .safetensors; give that ending or none.")
    return path.with_suffix(".safetensors")


def _read_config(path: Path, config: Any) -> NetConfig | GenomeConfig | TwoStageConfig:
    try:
        if "second" in config:
            return TwoStageConfig(**config)
        return GenomeConfig(**config) if "kind" in config else NetConfig(**config)
    except (TypeError, ModelError) as error:
        raise ModelError(
            f"{path.with_suffix('.json')}: the card describes no network of ours ({str(error)[:300]})."
        ) from error


def _read_tensors(path: Path, content: bytes) -> dict[str, torch.Tensor]:
    try:
        tensors = tensors_from_bytes(content)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:  # KeyError: a type that torch has not
        raise ModelError(f"{path}: not an intact safetensors file ({error}).") from error
    try:
        return unpack(tensors)
    except ModelError as error:
        raise ModelError(f"{path}: {error}; get weights and card anew.") from error


def _check_tensors(path: Path, tensors: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    if tensors.keys() != expected.keys():
        odd = ", ".join(sorted(tensors.keys() ^ expected.keys()))
        raise ModelError(f"{path}: tensors missing or too many ({odd}); these are weights of another network.")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape or tensor.dtype != expected[name].dtype:
            raise ModelError(
                f"{path}: tensor {name} is {tensor.dtype} {tuple(tensor.shape)} but must be {expected[name].dtype} "
                f"{tuple(expected[name].shape)}; these are weights of another network."
            )
        if not tensor.isfinite().all():
            raise ModelError(f"{path}: tensor {name} holds a value that is not finite; train or get it anew.")
