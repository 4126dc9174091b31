"""The network: encoding, weights, scoring, training and metrics. Training stands in ``mirsweep.model.train``."""

from mirsweep.model.data import Dataset
from mirsweep.model.errors import ModelError
from mirsweep.model.metrics import Metrics, evaluate
from mirsweep.model.net import NetConfig
from mirsweep.model.predict import Arms, Model, Prediction, load_model

__all__ = ["Arms", "Dataset", "Metrics", "Model", "ModelError", "NetConfig", "Prediction", "evaluate", "load_model"]
