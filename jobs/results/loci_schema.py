"""The table of loci: one row a locus (Arrow schema, column order)."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mirsweep.scanner.candidates import SCHEMA

__all__ = ["LOCI_SCHEMA", "SCORE_BINS", "SPAN_COLUMNS", "by_score", "spans_of"]

SCORE_BINS = 50
"""Bins of equal width that scores of loci, 0 to 1, are counted in."""
SPAN_COLUMNS = ("arm_5p_start", "arm_5p_end", "arm_3p_start", "arm_3p_end")
"""Where the mature sequences of both arms lie."""

LOCI_SCHEMA = pa.schema(
    [
        *SCHEMA,
        ("locus", pa.string()),
        ("locus_score", pa.float32()),
        ("locus_fp_per_mb", pa.float32()),
        ("q_value", pa.float32()),
        ("fp_per_mb", pa.float32()),
        ("fp_per_mb_low", pa.float32()),
        ("fp_per_mb_high", pa.float32()),
        ("n_competing", pa.int32()),
        ("antisense_score", pa.float32()),
        ("copies", pa.float32()),
        ("complexity", pa.float32()),
        ("similarity", pa.float32()),
        ("similar_to", pa.string()),
        ("n_similar", pa.int32()),
        ("cluster", pa.int32()),
        ("cluster_size", pa.int32()),
        *((name, pa.int16()) for name in SPAN_COLUMNS),
    ]
)
"""Columns of a candidate, the best one of the locus, and:

- ``locus``: its name, contig:first-last:strand, 1-based closed.
- ``locus_score``: what the score, the copies, the neighbours, the complexity and the similarity to known precursors say
  together, 0 to 1.
- ``locus_fp_per_mb``: loci of unannotated sequence per Mb of genome, both strands, with a ``locus_score`` at least this
  one, on chromosomes that the models had not seen.
- ``q_value``: lowest share of false ones among the loci down to this ``locus_score`` or any lower one, as its decoys
  let expect in this genome; from ``locus_fp_per_mb`` alone if none were scanned.
- ``fp_per_mb``, ``fp_per_mb_low``, ``fp_per_mb_high``: false loci per Mb of this genome with a ``locus_score`` at least
  this one, and the ends of its interval of 90 %; ``locus_fp_per_mb`` and null if no decoys were scanned.
- ``n_competing``: candidates that competed for the place, on its strand.
- ``antisense_score``: the highest score of a candidate on the other strand that shares half of the shorter one with it;
  null if there is none.
- ``copies``: geometric mean of the counts of its k-mers in the genome, less what chance brings; near 1 for a hairpin
  that stands there once.
- ``complexity``: entropy of the overlapping triplets of its sequence, bits, 0 to 6; simple repeats have little.
- ``similarity``: to the arm of a known precursor that is most like it, in bases: 22 if all of that arm are the same, up
  to 28 if those of the opposite arm are, too; 1 more if it begins where the model predicts that arm, 1 less if it does
  not; 0 if no arm has the same bases 2 to 8.
- ``similar_to``: family of that precursor; null for a similarity below 18.
- ``n_similar``: loci of the genome that are as similar to the same family, or less by 2 at most; null for a similarity
  below 16.
- ``cluster``, ``cluster_size``: number of its cluster and of the loci in it: those of one strand with a
  ``locus_fp_per_mb`` of at most 10, each within 10 kb of the next. Null for one that stands alone, or has more.
- ``arm_5p_start`` to ``arm_3p_end``: the sequences of both arms within ``sequence``, 0-based half-open, whichever is
  the mature one; null where none is predicted.
"""


def spans_of(candidates: pa.Table) -> dict[str, pa.ChunkedArray]:
    """``SPAN_COLUMNS`` of candidates, whose columns tell the mature and the star sequence."""
    arms = candidates["arm"].cast(pa.string())
    found = {}
    for name in SPAN_COLUMNS:
        _, arm, end = name.split("_")
        found[name] = pc.if_else(pc.equal(arms, arm), candidates[f"mature_{end}"], candidates[f"star_{end}"])
    return found


def by_score(scores: np.ndarray) -> np.ndarray:
    """Number of loci in each of ``SCORE_BINS`` bins of ``locus_score``; int64, shape (SCORE_BINS,)."""
    return np.histogram(scores, bins=SCORE_BINS, range=(0.0, 1.0))[0]
