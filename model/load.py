"""Models of either kind from disk, ready to score. A genome model on the CPU needs no torch."""

import os

from mirsweep.model.defaults import DEFAULT_MODEL
from mirsweep.model.genome_model import GenomeModel
from mirsweep.model.prediction import Scorer
from mirsweep.model.weights_file import genome_weights_of, read_weights_file

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
    file = read_weights_file(name_or_path)
    weights = genome_weights_of(file)
    if weights is not None:
        return GenomeModel(weights, file.card, device=device)
    from mirsweep.model.checkpoint import paper_network_of  # brings torch, which takes a second
    from mirsweep.model.predict import Model

    return Model(paper_network_of(file), file.card, device=device)
