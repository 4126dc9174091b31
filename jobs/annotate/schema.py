"""The table of annotations: one row a locus (Arrow schema, column order)."""

import pyarrow as pa

from mirsweep.jobs.results.side_tables import EXCLUDED

__all__ = ["ANNOTATION_SCHEMA", "VERDICTS"]

VERDICTS = ("known", "homologue", "novel")
_NAME = pa.dictionary(pa.int32(), pa.string())

ANNOTATION_SCHEMA = pa.schema(
    [
        ("genome", _NAME),
        ("locus", pa.string()),
        ("name", pa.string()),
        ("verdict", _NAME),
        ("family", _NAME),
        ("known_as", pa.string()),
        ("nearest", pa.string()),
        ("nearest_mature", pa.string()),
        ("seed_match", pa.bool_()),
        ("mature_identity", pa.float32()),
        ("matched_arm", _NAME),
        ("offset_5p_end", pa.int16()),
        ("nearest_hairpin", pa.string()),
        ("hairpin_identity", pa.float32()),
        ("e_value", pa.float32()),
        ("match_q", pa.float32()),
        ("feature", _NAME),
        ("feature_name", pa.string()),
        ("repeat", pa.string()),
        ("conserved_group", pa.int32()),
        ("conserved_in", pa.int32()),
        (EXCLUDED, pa.bool_()),
    ]
)
"""Key and columns of annotation.parquet; null where nothing was asked for that would tell:

- ``name``: proposed name of the locus.
- ``verdict``: ``known``: it lies where a known precursor does, or holds a precursor of its species without a mismatch;
  ``homologue``: it is more like a known miRNA than chance explains; ``novel``: neither. Says nothing of its truth.
- ``family``: of the known miRNA or of the nearest homologue; null for a novel one.
- ``known_as``: names of the known precursors that it is, by commas.
- ``nearest``: the known miRNA that is most like it, however little.
- ``nearest_mature``, ``seed_match``, ``mature_identity``: the mature sequence that is nearest, whether bases 2 to 8 of
  it match, and 1 minus its edit distance by its length.
- ``matched_arm``, ``offset_5p_end``: the arm of the locus that it matches, and how many nt the 5' end lies after the
  one that the model predicts there.
- ``nearest_hairpin``, ``hairpin_identity``: the precursor that is nearest, and 1 minus the edit distance by the length
  of the shorter one.
- ``e_value``: how many known miRNAs match a hairpin so well by chance.
- ``match_q``: share of chance matches among the loci that match so well.
- ``feature``, ``feature_name``: class of what it overlaps in the files of features, and the name there.
- ``repeat``: class or name of the repeat that it lies on.
- ``conserved_group``, ``conserved_in``: number of its group among the loci of several scans, and the number of other
  genomes with a locus in it; null for loci with a ``q_value`` above 0.5, which are not compared.
- ``excluded``: whether it overlaps what ``--exclude`` names; it is left out where loci are read.
"""
