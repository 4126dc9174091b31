"""Weights as bytes, so that every node of a cluster scores with the very file the driver read."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mirsweep.scanner.errors import InputError

if TYPE_CHECKING:
    from mirsweep.model import Scorer
    from mirsweep.model.card import ModelFacts

__all__ = ["Weights", "describe_model", "read_weights"]


class Weights(NamedTuple):
    """A weights file and its card: file name and content of each."""

    files: tuple[tuple[str, bytes], ...]

    def load(self, device: str) -> "Scorer":
        """The model on a device: ``cpu``, ``cuda`` or ``auto``.

        Raises
        ------
        ModelError
            As :func:`mirsweep.model.load_model`; the file is named as it is called, without a folder.
        """
        from mirsweep.model import ModelError, load_model

        with tempfile.TemporaryDirectory(prefix="mirsweep-") as folder:
            for name, content in self.files:
                Path(folder, name).write_bytes(content)
            try:
                return load_model(str(Path(folder, self.files[0][0])), device=device)
            except ModelError as error:
                raise ModelError(str(error).replace(f"{folder}{os.sep}", "")) from None


def read_weights(name_or_path: str | os.PathLike) -> Weights:
    """Read the weights of a bundled model's name or of a path.

    Raises
    ------
    ModelError
        If there is no such model.
    InputError
        If it cannot be read.
    """
    from mirsweep.model.card import resolve

    path = resolve(name_or_path)
    try:
        return Weights(tuple((p.name, p.read_bytes()) for p in (path, path.with_suffix(".json"))))
    except OSError as error:
        raise InputError(
            f"{error.filename}: cannot be read ({error.strerror}); a model is two files, NAME.safetensors and its card "
            "NAME.json: keep them together."
        ) from error


def describe_model(name_or_path: str | os.PathLike, facts: "ModelFacts | Scorer") -> dict[str, Any]:
    """What run.json tells of the model: ``label``, ``digest``, what finds it again (``weights``: the name of a bundled
    model, the absolute path of another), and the contigs that it was trained on (``trained_on``), where its card has
    them.
    """
    from mirsweep.jobs.results.trained_on import contigs_of_card  # brings what reads outputs, which workers never do
    from mirsweep.model.card import BUNDLED, resolve

    path = resolve(name_or_path)
    return {
        "label": facts.label,
        "digest": facts.digest,
        "weights": path.stem if path.parent == BUNDLED else str(path.absolute()),
        "trained_on": contigs_of_card(facts.card),
    }
