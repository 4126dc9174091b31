"""Weights as bytes, so that every node of a cluster scores with the very file the driver read."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mirsweep.scanner.errors import InputError

if TYPE_CHECKING:
    from mirsweep.model import Scorer

__all__ = ["Weights", "read_weights"]


class Weights(NamedTuple):
    """A weights file and its card: file name and content of each."""

    files: tuple[tuple[str, bytes], ...]

    def load(self, device: str) -> "Scorer":
        """The model on a device: ``cpu``, ``cuda`` or ``auto``."""
        from mirsweep.model import load_model

        with tempfile.TemporaryDirectory(prefix="mirsweep-") as folder:
            for name, content in self.files:
                Path(folder, name).write_bytes(content)
            return load_model(str(Path(folder, self.files[0][0])), device=device)


def read_weights(name_or_path: str | os.PathLike) -> Weights:
    """Read the weights of a bundled model's name or of a path.

    Raises
    ------
    ModelError
        If there is no such model.
    InputError
        If it cannot be read.
    """
    from mirsweep.model.checkpoint import resolve

    path = resolve(name_or_path)
    try:
        return Weights(tuple((p.name, p.read_bytes()) for p in (path, path.with_suffix(".json"))))
    except OSError as error:
        raise InputError(
            f"{error.filename}: cannot be read ({error.strerror}); a model is two files, NAME.safetensors and its card "
            "NAME.json: keep them together."
        ) from error
