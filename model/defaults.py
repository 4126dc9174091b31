"""Which bundled model is taken when none is named."""

__all__ = ["DEFAULT_MODEL", "default_model"]

_OF_PRESET = {"animal": "genome", "plant": "genome-plant", "virus": "genome"}


def default_model(preset: str = "animal") -> str:
    """Name of the model that a scan with this preset scores with."""
    return _OF_PRESET[preset]


DEFAULT_MODEL = default_model()
"""The model of whatever scores without a preset: ``load_model()``, ``score``, ``explain`` and ``evaluate``."""
