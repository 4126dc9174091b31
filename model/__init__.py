"""The network: encoding, weights, scoring, training and metrics. Training stands in ``mirsweep.model.train``.

The names below are imported when they are first used: what needs no network does not load torch.
"""

from typing import TYPE_CHECKING

from mirsweep._lazy import load_lazily

if TYPE_CHECKING:
    from mirsweep.model.data import Dataset
    from mirsweep.model.errors import ModelError
    from mirsweep.model.genome_model import GenomeModel
    from mirsweep.model.load import load_model
    from mirsweep.model.metrics import Metrics, evaluate
    from mirsweep.model.net import NetConfig
    from mirsweep.model.predict import Model
    from mirsweep.model.prediction import Arms, Prediction, Scorer

__all__ = [
    "Arms",
    "Dataset",
    "GenomeModel",
    "Metrics",
    "Model",
    "ModelError",
    "NetConfig",
    "Prediction",
    "Scorer",
    "evaluate",
    "load_model",
]

load_lazily(
    __name__,
    {
        "Arms": "mirsweep.model.prediction",
        "Dataset": "mirsweep.model.data",
        "GenomeModel": "mirsweep.model.genome_model",
        "Metrics": "mirsweep.model.metrics",
        "Model": "mirsweep.model.predict",
        "ModelError": "mirsweep.model.errors",
        "NetConfig": "mirsweep.model.net",
        "Prediction": "mirsweep.model.prediction",
        "Scorer": "mirsweep.model.prediction",
        "evaluate": "mirsweep.model.metrics",
        "load_model": "mirsweep.model.load",
    },
)
