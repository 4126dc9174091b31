"""The card of weights: what a model is, told without its network, so that who only asks does not load torch."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from mirsweep.model.errors import ModelError

__all__ = ["BUNDLED", "CARD_KEYS", "ModelFacts", "read_facts", "read_files", "resolve"]

BUNDLED = Path(__file__).parent / "weights"
"""Folder of the weights that are installed with the package."""

CARD_KEYS = ("name", "digest", "config", "mirsweep", "data", "licence", "protocol", "metrics")
"""Every card has these: sha256 of the weights file, the network's sizes, the version that trained it, and in words or
numbers the training data, their licence, how training went and what was measured."""

_LARGEST_RATE = 1e30


class ModelFacts(NamedTuple):
    """What a scan must know of a model before it scores: as of :class:`mirsweep.model.prediction.Scorer`."""

    name: str
    digest: str
    card: dict[str, Any]
    max_length: int

    @property
    def label(self) -> str:
        """Name and start of the digest: what a candidate's ``model`` column holds."""
        return f"{self.name}:{self.digest[:12]}"


def read_facts(name_or_path: str | os.PathLike) -> ModelFacts:
    """The facts of a bundled model's name or of a path; the files are read, the network is not built.

    Raises
    ------
    ModelError
        If there is no such file, the card is absent or incomplete, or the digest differs.
    """
    path = resolve(name_or_path)
    card, _ = read_files(path)
    config = card["config"]
    sizes = (
        config.get("first", config) if isinstance(config, dict) else None
    )  # of two-stage networks both have the same
    longest = sizes.get("max_length") if isinstance(sizes, dict) else None
    if type(longest) is not int:
        raise ModelError(f"{path.with_suffix('.json')}: the card describes no network of ours (no max_length).")
    return ModelFacts(card["name"], card["digest"], card, longest)


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


def read_files(path: Path) -> tuple[dict[str, Any], bytes]:
    """The card of weights and their bytes, which belong together.

    Raises
    ------
    ModelError
        If the card is absent or incomplete, or the digest differs.
    """
    card = _read_card(path)
    content = _read(path)
    if card["digest"] != hashlib.sha256(content).hexdigest():
        raise ModelError(f"{path}: the weights are not those of their card (sha256 differs); get both files anew.")
    return card, content


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
