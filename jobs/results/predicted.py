"""What a model says of candidates, as columns of the table."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mirsweep.scanner.candidates import ARM_COLUMNS, PREDICTED_SCHEMA

if TYPE_CHECKING:
    from mirsweep.model import Prediction

__all__ = ["predicted_table"]


def predicted_table(prediction: "Prediction") -> pa.Table:
    """The columns of ``PREDICTED_SCHEMA``; null is what the model does not predict."""
    n = len(prediction.scores)
    columns = {"score": pa.array(prediction.scores, pa.float32())}
    if prediction.expected_fp_per_mb is not None:
        columns["expected_fp_per_mb"] = pa.array(prediction.expected_fp_per_mb, pa.float32())
    if prediction.arms is not None:
        *ends, is_5p = prediction.arms
        for name, values in zip(ARM_COLUMNS[:-1], ends, strict=True):
            columns[name] = pa.array(values, pa.int16(), mask=values < 0)
        codes = pa.array(np.where(is_5p, 0, 1), pa.int32(), mask=prediction.arms.mature_start < 0)
        columns["arm"] = pa.DictionaryArray.from_arrays(codes, pa.array(["5p", "3p"]))
    arrays = [columns[f.name] if f.name in columns else pa.nulls(n, f.type) for f in PREDICTED_SCHEMA]
    return pa.Table.from_arrays(arrays, schema=PREDICTED_SCHEMA)
