"""Models of either kind from disk, ready to score."""

import os

from mirsweep.model.checkpoint import load
from mirsweep.model.defaults import DEFAULT_MODEL
from mirsweep.model.genome_model import GenomeModel
from mirsweep.model.net import Net
from mirsweep.model.predict import Model
from mirsweep.model.prediction import Scorer

__all__ = ["load_model"]


def load_model(name_or_path: str | os.PathLike = DEFAULT_MODEL, *, device: str = "cpu") -> Scorer:
    """Read a model by the name of bundled weights or by the path of a weights file.

    Parameters
    ----------
    name_or_path
        A bundled model (docs/model.md), such as ``"genome"``, that of scans, or ``"paper-cross"``: the paper's network
        trained on its cross-species set; or a ``.safetensors`` file with its card beside it.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU if there is one.

    Raises
    ------
    ModelError
        If there is no such model, its files are damaged or do not belong together, or there is no such device.
    """
    checkpoint = load(name_or_path)
    card = checkpoint.card | {"digest": checkpoint.digest}
    if isinstance(checkpoint.net, Net):
        return Model(checkpoint.net, card, device=device)
    return GenomeModel(checkpoint.net, card, device=device)
