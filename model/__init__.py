"""The network: encoding, weights, scoring, training and metrics. Training stands in ``mirsweep.model.train``.

The names below are imported when they are first used: what needs no network does not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_MODULE_OF = {
    "Arms": "prediction",
    "Dataset": "data",
    "GenomeModel": "genome_model",
    "Metrics": "metrics",
    "Model": "predict",
    "ModelError": "errors",
    "NetConfig": "net",
    "Prediction": "prediction",
    "Scorer": "prediction",
    "evaluate": "metrics",
    "load_model": "load",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
