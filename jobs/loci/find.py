"""The second pass over a scan: candidates in, the table of loci out."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from mirsweep.jobs.loci.clusters import find_clusters
from mirsweep.jobs.loci.combination import read_combination
from mirsweep.jobs.loci.compete import NO_RIVAL
from mirsweep.jobs.loci.error_rate import NO_DECOYS, DecoyScores, ErrorRates, error_rates
from mirsweep.jobs.loci.features import Survey, survey
from mirsweep.jobs.loci.likely import lowest_score, rows_from
from mirsweep.jobs.results.loci_schema import LOCI_SCHEMA, SPAN_COLUMNS
from mirsweep.scanner.fasta import Genome

__all__ = ["Scanned", "find_decoys", "find_loci"]


class Scanned(NamedTuple):
    """Candidates in the order of a scan, the Mb of genome that they come from, and the open genomes."""

    candidates: ds.Dataset
    mb: float
    genomes: list[Genome]


def find_loci(scanned: Scanned, decoys: DecoyScores = NO_DECOYS) -> pa.Table:
    """The loci of a scan, each once, with its score and error rate.

    Parameters
    ----------
    scanned
        Copies are counted in its genomes.
    decoys
        Of the same genomes, see :func:`find_decoys`.

    Returns
    -------
    ``LOCI_SCHEMA``, in the order of the candidates. Depends on the rows and the genomes alone.
    """
    lowest = lowest_score(scanned.candidates, scanned.mb)
    found = survey(rows_from(scanned.candidates, lowest), scanned.genomes)
    combination = read_combination()
    scores = combination.score(found.evidence)
    fixed = combination.rates.at(scores)
    return _table(found, scores, fixed, error_rates(scores, scanned.mb, decoys, combination.rates))


def find_decoys(scanned: Scanned, decoys: Scanned) -> DecoyScores:
    """Scores of the loci of decoys, found as those of the scan are: from the same score of candidates on.

    Parameters
    ----------
    decoys
        Their genomes are the same read backwards.
    """
    lowest = lowest_score(scanned.candidates, scanned.mb)
    found = survey(rows_from(decoys.candidates, lowest), decoys.genomes)
    return DecoyScores(read_combination().score(found.evidence), decoys.mb)


def _table(found: Survey, scores: np.ndarray, fp_per_mb: np.ndarray, errors: ErrorRates) -> pa.Table:
    rows, evidence = found.rows, found.evidence
    antisense = 1 / (1 + np.exp(-evidence.antisense))
    clusters = find_clusters(rows, fp_per_mb)
    added = {
        "locus": pa.array(_names(rows), pa.string()),
        "locus_score": pa.array(scores),
        "locus_fp_per_mb": pa.array(fp_per_mb),
        "q_value": pa.array(errors.q_value),
        "fp_per_mb": pa.array(errors.fp_per_mb),
        "fp_per_mb_low": pa.array(errors.low, from_pandas=True),
        "fp_per_mb_high": pa.array(errors.high, from_pandas=True),
        "n_competing": pa.array(found.n_competing),
        "antisense_score": pa.array(antisense, mask=evidence.antisense <= NO_RIVAL),
        "copies": pa.array(evidence.copies),
        "complexity": pa.array(evidence.complexity),
        "cluster": pa.array(clusters.number, mask=clusters.number < 0),
        "cluster_size": pa.array(clusters.size, mask=clusters.number < 0),
    } | _spans(rows)
    columns = [added[field.name] if field.name in added else rows[field.name] for field in LOCI_SCHEMA]
    return pa.table(columns, names=LOCI_SCHEMA.names).cast(LOCI_SCHEMA)


def _spans(rows: pa.Table) -> dict[str, pa.Array]:
    """``SPAN_COLUMNS``: the mature and the star sequence by arm."""
    arms = rows["arm"].cast(pa.string())
    found = {}
    for name in SPAN_COLUMNS:
        _, arm, end = name.split("_")
        found[name] = pc.if_else(pc.equal(arms, arm), rows[f"mature_{end}"], rows[f"star_{end}"])
    return found


def _names(rows: pa.Table) -> list[str]:
    """Contig, first and last base (1-based) and strand of each."""
    columns = (rows[name].to_pylist() for name in ("contig", "start", "end", "strand"))
    return [f"{contig}:{start + 1}-{end}:{strand}" for contig, start, end, strand in zip(*columns, strict=True)]
