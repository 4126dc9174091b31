"""The network: encoding, weights, scoring, training and metrics. Training stands in ``mirsweep.model.train``."""

from mirsweep.model.data import Dataset
from mirsweep.model.errors import ModelError
from mirsweep.model.metrics import Metrics, evaluate
from mirsweep.model.net import NetConfig
from mirsweep.model.predict import Model, load_model

__all__ = ["Dataset", "Metrics", "Model", "ModelError", "NetConfig", "evaluate", "load_model"]
