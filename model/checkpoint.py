"""Weights on disk: NAME.safetensors and, beside it, a card NAME.json that says where they come from."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes

from mirsweep.model.errors import ModelError
from mirsweep.model.genome_net import GenomeConfig, GenomeNet
from mirsweep.model.net import Net, NetConfig
from mirsweep.model.packed import pack_ascending, unpack
from mirsweep.model.two_stage import TwoStageConfig, TwoStageNet

__all__ = ["BUNDLED", "CARD_KEYS", "Checkpoint", "load", "resolve", "save", "write_whole"]

BUNDLED = Path(__file__).parent / "weights"
"""Folder of the weights that are installed with the package."""

CARD_KEYS = ("name", "digest", "config", "mirsweep", "data", "licence", "protocol", "metrics")
"""Every card has these: sha256 of the weights file, the network's sizes, the version that trained it, and in words or
numbers the training data, their licence, how training went and what was measured."""


_LARGEST_RATE = 1e30
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


def resolve(name_or_path: str | os.PathLike) -> Path:
    """Weights file of a bundled model's name or of a path, with or without ``.safetensors``.

    Raises
    ------
    ModelError
        If there is no such file.
    """
    text = os.fspath(name_or_path)
    is_name = Path(text).name == text
    for path in ([BUNDLED / f"{text}.safetensors"] if is_name else []) + [
        Path(text),
        Path(f"{text}.safetensors"),
    ]:
        if path.is_file():
            return path
    names = ", ".join(sorted(path.stem for path in BUNDLED.glob("*.safetensors")))
    raise ModelError(f"{text}: no such weights file, nor a bundled model of that name (there is: {names}).")


def load(name_or_path: str | os.PathLike) -> Checkpoint:
    """Read and check a network by the name of a bundled model or by its path.

    Raises
    ------
    ModelError
        If there is no such file, the card is absent or incomplete, the digest differs, the file is not safetensors,
        or its tensors do not fit the network.
    """
    path = resolve(name_or_path)
    card = _read_card(path)
    content = _read(path)
    digest = hashlib.sha256(content).hexdigest()
    if card["digest"] != digest:
        raise ModelError(f"{path}: the weights are not those of their card (sha256 differs); get both files anew.")
    config = _read_config(path, card["config"])
    tensors = _read_tensors(path, content)
    _check_tensors(path, tensors, _expected(path, config))
    net = _build(config)
    net.load_state_dict(tensors)
    return Checkpoint(net, card, digest)


def _build(config: NetConfig | GenomeConfig | TwoStageConfig) -> Net | GenomeNet | TwoStageNet:
    if isinstance(config, TwoStageConfig):
        return TwoStageNet(config)
    return GenomeNet(config) if isinstance(config, GenomeConfig) else Net(config)


def _no_network(path: Path, error: Exception) -> ModelError:
    """The sentence for a card whose sizes are none; a value in it may be of any length."""
    cause = (str(error).splitlines() or ["no message"])[0][:_MOST_LETTERS]
    return ModelError(f"{path.with_suffix('.json')}: the card describes no network of ours ({cause}).")


def _expected(path: Path, config: NetConfig | GenomeConfig | TwoStageConfig) -> dict[str, torch.Tensor]:
    """Shapes and types of the network's tensors, none of which takes memory: sizes are not believed yet."""
    try:
        with torch.device("meta"):
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


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}).") from error


def _read_card(path: Path) -> dict[str, Any]:
    card_path = path.with_suffix(".json")
    if not card_path.is_file():
        raise ModelError(f"{path}: its card {card_path.name} is missing beside it; keep the two files together.")
    try:
        card = json.loads(_read(card_path))
    except (ValueError, RecursionError) as error:
        cause = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ModelError(f"{card_path}: not a JSON card ({cause}); get weights and card anew.") from error
    missing = [key for key in CARD_KEYS if not isinstance(card, dict) or key not in card]
    if missing:
        raise ModelError(f"{card_path}: the card lacks {', '.join(missing)}; get weights and card anew.")
    if not (isinstance(card["name"], str) and card["name"] and isinstance(card["digest"], str)):
        raise ModelError(f"{card_path}: the card's name or digest is no text; get weights and card anew.")
    _check_calibration(card_path, card.get("calibration"))
    return card


def _check_calibration(card_path: Path, calibration: Any) -> None:
    """Refuse a calibration that gives no rate, or one that rises with the score."""
    if calibration is None:
        return
    scores, rates = (_numbers(calibration, name) for name in ("score", "fp_per_mb"))
    is_rising = all(one < other for one, other in pairwise(scores))
    is_falling = all(one >= other for one, other in pairwise(rates))
    if not scores or len(scores) != len(rates) or not is_rising or not is_falling or min(rates) <= 0:
        raise ModelError(
            f"{card_path}: its calibration is none: as many scores, rising, as false positives per Mb, positive and "
            "falling, all of them finite, are needed; get weights and card anew, or calibrate by mirsweep adapt."
        )


def _numbers(calibration: Any, name: str) -> Sequence[float]:
    """The list of finite numbers of this name, empty if it is something else."""
    found = calibration.get(name) if isinstance(calibration, Mapping) else None
    if not isinstance(found, list) or not all(type(each) in (int, float) for each in found):
        return []
    return found if all(abs(each) < _LARGEST_RATE for each in found) else []  # false of NaN, too


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
