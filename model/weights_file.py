"""Weights files as arrays: read, unpacked and checked, without torch."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_from_bytes

from mirsweep.model.card import read_files, resolve
from mirsweep.model.errors import ModelError
from mirsweep.model.genome_config import GenomeConfig, TwoStageConfig
from mirsweep.model.genome_weights import Form, GenomeWeights, forms_of
from mirsweep.model.packed import unpack

__all__ = ["WeightsFile", "check_arrays", "genome_weights_of", "no_network", "read_weights_file"]

_MOST_LETTERS = 300
"""Of an error that a message quotes."""


class WeightsFile(NamedTuple):
    """A weights file, its card, and its arrays, which are not checked yet."""

    path: Path
    card: dict[str, Any]
    arrays: dict[str, np.ndarray]


def read_weights_file(name_or_path: str | os.PathLike) -> WeightsFile:
    """Read weights by the name of a bundled model or by their path.

    Raises
    ------
    ModelError
        If there is no such file, the card is absent or incomplete, the digest differs, or the file is not safetensors.
    """
    path = resolve(name_or_path)
    card, content = read_files(path)
    try:
        arrays = arrays_from_bytes(content)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:  # KeyError: a type that numpy has not
        raise ModelError(f"{path}: not an intact safetensors file ({error}).") from error
    try:
        return WeightsFile(path, card, unpack(arrays))
    except ModelError as error:
        raise ModelError(f"{path}: {error}; get weights and card anew.") from error


def genome_weights_of(file: WeightsFile) -> GenomeWeights | None:
    """The checked weights of a genome model; None if the card is of a network of the paper's kind.

    Raises
    ------
    ModelError
        If the card describes no network, or the arrays do not fit it.
    """
    sizes = file.card["config"]
    if not isinstance(sizes, Mapping):
        raise no_network(file.path, f"sizes are {sizes!r}")
    try:
        if "second" in sizes:
            config: GenomeConfig | TwoStageConfig = TwoStageConfig(**sizes)
        elif "kind" in sizes:
            config = GenomeConfig(**sizes)
        else:
            return None
    except (TypeError, ModelError) as error:
        raise no_network(file.path, error) from error
    check_arrays(file, forms_of(config))
    return GenomeWeights(config, file.arrays)


def no_network(path: Path, cause: Exception | str) -> ModelError:
    """The error of a card whose sizes are none; a value in it may be of any length."""
    quoted = (str(cause).splitlines() or ["no message"])[0][:_MOST_LETTERS]
    return ModelError(f"{path.with_suffix('.json')}: the card describes no network of ours ({quoted}).")


def check_arrays(file: WeightsFile, expected: Mapping[str, Form]) -> None:
    """See that the arrays are those of a network.

    Raises
    ------
    ModelError
        If one is missing or too many, of another shape or type, or holds a value that is not finite.
    """
    path, _, arrays = file
    if arrays.keys() != expected.keys():
        odd = ", ".join(sorted(arrays.keys() ^ expected.keys()))
        raise ModelError(f"{path}: tensors missing or too many ({odd}); these are weights of another network.")
    for name, array in arrays.items():
        shape, dtype = expected[name]
        if array.shape != shape or array.dtype != dtype:
            raise ModelError(
                f"{path}: tensor {name} is {array.dtype} {array.shape} but must be {dtype} {shape}; these are weights "
                "of another network."
            )
        if not np.isfinite(array).all():
            raise ModelError(f"{path}: tensor {name} holds a value that is not finite; train or get it anew.")
