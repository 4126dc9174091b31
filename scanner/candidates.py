"""The table that a scan writes: one row a candidate (Arrow schema, column order)."""

import pyarrow as pa

__all__ = ["ARM_COLUMNS", "FLANK_NT", "PREDICTED_SCHEMA", "SCHEMA", "UNSCORED_SCHEMA"]

FLANK_NT = 24
"""Bases kept before and after a candidate: the single-stranded foot of a precursor, with the motifs of its processing,
lies there."""

_NAME = pa.dictionary(pa.int32(), pa.string())

_ARMS = [
    ("mature_start", pa.int16()),
    ("mature_end", pa.int16()),
    ("star_start", pa.int16()),
    ("star_end", pa.int16()),
    ("arm", _NAME),
    ("mature", _NAME),
    ("arm_confidence", pa.float32()),
    ("arm_5p_confidence", pa.float32()),
    ("arm_3p_confidence", pa.float32()),
]

SCHEMA = pa.schema(
    [
        ("genome", _NAME),
        ("contig", _NAME),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("strand", _NAME),
        ("score", pa.float32()),
        ("mfe", pa.float32()),
        ("sequence", pa.string()),
        ("structure", pa.string()),
        ("n_pairs", pa.int16()),
        ("loop_start", pa.int16()),
        ("loop_end", pa.int16()),
        ("gc", pa.float32()),
        ("masked", pa.float32()),
        ("penalised", pa.float32()),
        ("flank_5p", pa.string()),
        ("flank_3p", pa.string()),
        ("expected_fp_per_mb", pa.float32()),
        *_ARMS,
        ("model", _NAME),
    ]
)
"""Columns of a finished part file (docs/cli.md describes them all):

- ``penalised``: the prefilter's length-penalised energy, kcal/mol.
- ``flank_5p``, ``flank_3p``: the ``FLANK_NT`` bases before and after the sequence on its own strand, N for any letter
  but ACGU; fewer only at a contig's end.
- ``expected_fp_per_mb``: candidates away from known precursors, per Mb of genome, both strands, with a score at least
  this one; null if the model has no calibration.
- ``mature_start`` to ``star_end``: 0-based half-open within the sequence; ``arm``: 5p or 3p, that of the mature
  sequence, which may be a mere guess. Null if the model predicts none.
- ``mature``: the same arm where it is more than a guess, else null; ``arm_confidence``: probability that it is right.
- ``arm_5p_confidence``, ``arm_3p_confidence``: probability that the 5' end of the arm's sequence is within 2 nt of the
  true one, if the candidate is a precursor. These three to two decimals.
"""

ARM_COLUMNS = tuple(name for name, _ in _ARMS)
"""What a model says of a candidate's mature sequences."""

PREDICTED_SCHEMA = pa.schema([f for f in SCHEMA if f.name in {"score", "expected_fp_per_mb", *ARM_COLUMNS}])
"""What a model says of a candidate."""

UNSCORED_SCHEMA = pa.schema([f for f in SCHEMA if f.name not in {"genome", "contig", "model", *PREDICTED_SCHEMA.names}])
"""What the scanner knows of a candidate before a model has seen it."""
