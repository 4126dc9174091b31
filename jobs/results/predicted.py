"""What a model says of candidates, as columns of the table."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mirsweep.scanner.candidates import PREDICTED_SCHEMA

if TYPE_CHECKING:
    from mirsweep.model import Prediction
    from mirsweep.model.prediction import Arms

__all__ = ["arm_columns", "predicted_table"]


_DECIMALS = 2
"""Of probabilities that are estimates themselves: more would cost space and mean nothing."""
_SUREST = 0.99
"""No confidence is higher: the examples that it was fitted on cannot tell more."""


def predicted_table(prediction: "Prediction") -> pa.Table:
    """The columns of ``PREDICTED_SCHEMA``; null is what the model does not predict."""
    n = len(prediction.scores)
    columns = {"score": pa.array(prediction.scores, pa.float32())}
    if prediction.expected_fp_per_mb is not None:
        columns["expected_fp_per_mb"] = pa.array(prediction.expected_fp_per_mb, pa.float32())
    if prediction.arms is not None:
        columns |= arm_columns(prediction.arms)
    arrays = [columns[f.name] if f.name in columns else pa.nulls(n, f.type) for f in PREDICTED_SCHEMA]
    return pa.Table.from_arrays(arrays, schema=PREDICTED_SCHEMA)


def arm_columns(arms: "Arms") -> dict[str, pa.Array]:
    """``ARM_COLUMNS``; null is what the model does not predict."""
    columns = {
        name: pa.array(getattr(arms, name), pa.int16(), mask=getattr(arms, name) < 0)
        for name in ("mature_start", "mature_end", "star_start", "star_end")
    }
    has_none = arms.mature_start < 0
    confidences = {
        "arm_confidence": np.where(has_none, np.nan, arms.arm_confidence),
        "arm_5p_confidence": arms.confidence_5p,
        "arm_3p_confidence": arms.confidence_3p,
    }
    columns |= {"arm": _arm_names(arms.is_5p, has_none), "mature": _arm_names(arms.is_5p, has_none | ~arms.is_stated)}
    return columns | {
        name: pa.array(_rounded(values), pa.float32(), mask=np.isnan(values)) for name, values in confidences.items()
    }


def _rounded(confidences: np.ndarray) -> np.ndarray:
    return np.minimum(confidences, _SUREST).astype(np.float32).round(_DECIMALS)


def _arm_names(is_5p: np.ndarray, is_null: np.ndarray) -> pa.Array:
    codes = pa.array(np.where(is_5p, 0, 1), pa.int32(), mask=is_null)
    return pa.DictionaryArray.from_arrays(codes, pa.array(["5p", "3p"]))
