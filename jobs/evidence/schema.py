"""The table of evidence: one row a locus (Arrow schema, column order)."""

import pyarrow as pa

from mirsweep.jobs.results.side_tables import POSTERIOR

__all__ = ["EVIDENCE_SCHEMA"]

_NAME = pa.dictionary(pa.int32(), pa.string())
_CRITERION = pa.struct([("criterion", pa.string()), ("met", pa.bool_()), ("figure", pa.string())])
_LIBRARY = pa.struct(
    [
        ("library", pa.string()),
        *((name, pa.float32()) for name in ("reads", "rpm", "reads_5p", "reads_3p", "reads_loop", "reads_antisense")),
        ("homogeneity", pa.float32()),
        ("mature_reads", pa.float32()),
        ("star_reads", pa.float32()),
        ("verdict", pa.string()),
    ]
)
_STACK = pa.struct([("start", pa.int16()), ("end", pa.int16()), ("reads", pa.float32())])

EVIDENCE_SCHEMA = pa.schema(
    [
        ("genome", _NAME),
        ("locus", pa.string()),
        ("evidence", _NAME),
        (POSTERIOR, pa.float32()),
        ("lacking", pa.string()),
        ("reads", pa.float32()),
        ("rpm", pa.float32()),
        ("reads_5p", pa.float32()),
        ("reads_3p", pa.float32()),
        ("reads_loop", pa.float32()),
        ("reads_antisense", pa.float32()),
        ("reads_across", pa.float32()),
        ("mature_by_reads", _NAME),
        ("mature_reads", pa.float32()),
        ("star_reads", pa.float32()),
        ("read_5p_start", pa.int16()),
        ("read_5p_end", pa.int16()),
        ("read_3p_start", pa.int16()),
        ("read_3p_end", pa.int16()),
        ("homogeneity_5p", pa.float32()),
        ("homogeneity_3p", pa.float32()),
        ("overhang_base", pa.int16()),
        ("overhang_loop", pa.int16()),
        ("duplex_pairs", pa.int16()),
        ("duplex_mismatches", pa.int16()),
        ("precise_share", pa.float32()),
        ("dicer_share", pa.float32()),
        ("share_20_24", pa.float32()),
        ("common_length", pa.int16()),
        ("n_libraries", pa.int32()),
        ("criteria", pa.list_(_CRITERION)),
        ("libraries", pa.list_(_LIBRARY)),
        ("stacks", pa.list_(_STACK)),
    ]
)
"""Key and columns of evidence.parquet, of all libraries together unless they say otherwise. Reads with several places
count in equal parts at each.

- ``evidence``: ``supported``: the reads meet every criterion; ``not expressed``: fewer than ten reads;
  ``contradicted``: reads that speak against a miRNA; ``expressed``: something is lacking.
- ``posterior``: probability of a miRNA by ``locus_score`` and verdict together, 0 to 1.
- ``lacking``: what, in words; null for nothing.
- ``reads``, ``rpm``: reads within the hairpin on its strand, and that per million mapped reads.
- ``reads_5p``, ``reads_3p``, ``reads_loop``: these by arm, and those over the middle of the terminal loop.
- ``reads_antisense``, ``reads_across``: reads on the other strand, and reads on its own across one of its ends.
- ``mature_by_reads``: the arm with more reads.
- ``mature_reads``, ``star_reads``: reads of the commonest sequence of that arm, and of the other one.
- ``read_5p_start`` to ``read_3p_end``: where these lie within ``sequence``, 0-based half-open; null for one whose
  5' end does not have two reads.
- ``homogeneity_5p``, ``homogeneity_3p``: share of an arm's reads that have its commonest 5' end.
- ``overhang_base``, ``overhang_loop``: how far the 3' ends of these reach beyond the 5' end across, nt, at the base of
  the hairpin and at its loop; with reads on one arm only what the star would have.
- ``duplex_pairs``, ``duplex_mismatches``: pairs between both, and bases without one.
- ``precise_share``: share of the reads that are mature or star, ends within 1 nt.
- ``dicer_share``: share of the reads that begin within 2 nt and end within 5 nt of where mature, star or loop do.
- ``share_20_24``, ``common_length``: share of the reads of 20 to 24 nt, and the commonest length, nt.
- ``n_libraries``: libraries with at least ten reads on it.
- ``criteria``: each criterion, whether it is met, and the figure.
- ``libraries``: the same counts by library, those with reads only.
- ``stacks``: the commonest reads, at most 40, by where they begin.
"""
