"""The second pass over a scan: candidates in, the table of loci out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from mirsweep.jobs.loci.clusters import find_clusters
from mirsweep.jobs.loci.combination import read_combination
from mirsweep.jobs.loci.compete import NO_RIVAL
from mirsweep.jobs.loci.error_rate import NO_DECOYS, DecoyScores, ErrorRates, error_rates, without_precursors
from mirsweep.jobs.loci.facing import best_facing, read_forwards
from mirsweep.jobs.loci.features import Evidence, Survey, survey
from mirsweep.jobs.loci.known_arms import read_known_arms
from mirsweep.jobs.loci.likely import lowest_scores, rows_from
from mirsweep.jobs.loci.likeness import NAMED
from mirsweep.jobs.results.dataset import Output
from mirsweep.jobs.results.loci_schema import LOCI_SCHEMA, spans_of
from mirsweep.jobs.results.part_files import Place
from mirsweep.scanner.fasta import Genome

__all__ = ["FoundDecoys", "FoundLoci", "Scanned", "find_decoys", "find_loci"]


_BATCH_MB = 100.0
"""Small genomes are looked at together up to so much: what is done once a batch is then done rarely."""


class Scanned(NamedTuple):
    """The output of a scan, its open genomes in order, and by name the Mb of each that were scanned."""

    output: Output
    genomes: Sequence[Genome]
    mb: Mapping[str, float]

    def mb_of(self, groups: Mapping[str, str]) -> dict[str, float]:
        """Mb of each group of genomes."""
        found: dict[str, float] = {}
        for genome, mb in self.mb.items():
            found[groups[genome]] = found.get(groups[genome], 0.0) + mb
        return found


class FoundDecoys(NamedTuple):
    """Loci of the decoys.

    Attributes
    ----------
    places
        Genome, contig, start, end and strand of each in the genomes as they are.
    scores
        ``locus_score``, float64.
    group
        Number of each one's group of genomes, int64.
    mb
        By group the Mb that were scanned for them.
    """

    places: pa.Table
    scores: np.ndarray
    group: np.ndarray
    mb: Mapping[str, float]


class FoundLoci(NamedTuple):
    """Loci of a scan.

    Attributes
    ----------
    table
        ``LOCI_SCHEMA``, in the order of the candidates.
    group
        Number of each one's group of genomes, int64.
    decoys
        The decoys that tell the error rates of each group, in order; ``NO_DECOYS`` without any.
    n_precursors
        Decoys that are a sure locus read backwards, and tell nothing.
    """

    table: pa.Table
    group: np.ndarray
    decoys: list[DecoyScores]
    n_precursors: int


def find_loci(scanned: Scanned, groups: Mapping[str, str], decoys: FoundDecoys | None) -> FoundLoci:
    """The loci of a scan, each once, with its score and the error rate of its group of genomes.

    A genome's loci and their scores are those of a scan of it alone.

    Parameters
    ----------
    scanned
        Copies are counted in its genomes, each in its own.
    groups
        By genome the group whose decoys and loci tell its error rates.
    decoys
        Those of the same genomes, see :func:`find_decoys`; None for none.
    """
    found = _survey(scanned, _lowest_scores(scanned))
    combination = read_combination()
    scores = combination.score(found.evidence)
    fixed = combination.rates.at(scores)
    names, numbers = _groups_of(found.rows, groups)
    mb = scanned.mb_of(groups)
    every = (
        [NO_DECOYS] * len(names)
        if decoys is None
        else _by_group(decoys, names, best_facing(decoys.places, found.rows, scores))
    )
    counted = []
    errors = ErrorRates(*(np.full(len(scores), np.nan) for _ in ErrorRates._fields))
    for number, name in enumerate(names):
        own = numbers == number
        counted.append(without_precursors(scores[own], mb[name], every[number], combination.rates))
        rates = error_rates(scores[own], mb[name], counted[number], combination.rates)
        for column, values in zip(errors, rates, strict=True):
            column[own] = values
    n_precursors = sum(len(each.scores) for each in every) - sum(len(each.scores) for each in counted)
    return FoundLoci(_table(found, scores, fixed, errors), numbers, counted, n_precursors)


def _by_group(decoys: FoundDecoys, names: Sequence[str], facing: np.ndarray) -> list[DecoyScores]:
    """Decoys of each group, in order."""
    return [
        DecoyScores(decoys.scores[decoys.group == number], decoys.mb[name], facing[decoys.group == number])
        for number, name in enumerate(names)
    ]


def find_decoys(scanned: Scanned, decoys: Scanned, groups: Mapping[str, str]) -> FoundDecoys:
    """The loci of decoys, found as those of the scan are: from the same score of candidates on.

    Parameters
    ----------
    decoys
        Their genomes are the same read backwards.
    """
    found = _survey(decoys, _lowest_scores(scanned))
    lengths = {(genome.name, contig.name): contig.length for genome in decoys.genomes for contig in genome.contigs}
    _, numbers = _groups_of(found.rows, groups)
    scores = read_combination().score(found.evidence)
    return FoundDecoys(read_forwards(found.rows, lengths), scores, numbers, decoys.mb_of(groups))


def _groups_of(rows: pa.Table, groups: Mapping[str, str]) -> tuple[list[str], np.ndarray]:
    """All groups in order, and of each row the number of its group."""
    names = list(dict.fromkeys(groups.values()))
    numbers = {name: number for number, name in enumerate(names)}
    genomes = rows["genome"].combine_chunks()
    own = np.array([numbers.get(groups.get(genome, ""), -1) for genome in genomes.dictionary.to_pylist()], np.int64)
    return names, own[genomes.indices.to_numpy()] if rows.num_rows else np.empty(0, np.int64)


def _lowest_scores(scanned: Scanned) -> dict[str, float]:
    """By genome the lowest score of the candidates that are looked at."""
    found: dict[str, float] = {}
    for batch in _batches(scanned):
        found |= lowest_scores(_candidates(scanned, batch), {genome.name: scanned.mb[genome.name] for genome in batch})
    return found


def _survey(scanned: Scanned, lowest: Mapping[str, float]) -> Survey:
    """What :func:`mirsweep.jobs.loci.features.survey` gives, of all genomes, some at a time."""
    found = []
    for batch in _batches(scanned):
        rows = rows_from(_candidates(scanned, batch), {genome.name: lowest[genome.name] for genome in batch})
        found.append(survey(rows, batch))
    tables, n_competing, evidence = zip(*found, strict=True)
    columns = (np.concatenate(column) for column in zip(*evidence, strict=True))
    rows = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    return Survey(rows, np.concatenate(n_competing), Evidence(*columns))


def _batches(scanned: Scanned) -> Iterator[list[Genome]]:
    """The genomes in order: large ones alone, small ones together."""
    batch: list[Genome] = []
    mb = 0.0
    for genome in scanned.genomes:
        own = scanned.mb[genome.name]
        if batch and mb + own > _BATCH_MB:
            yield batch
            batch, mb = [], 0.0
        batch.append(genome)
        mb += own
    yield batch


def _candidates(scanned: Scanned, batch: Sequence[Genome]) -> ds.Dataset:
    """Candidates of genomes that follow each other, and maybe of their neighbours."""
    if len(batch) == len(scanned.genomes):
        return scanned.output.dataset()
    contigs = scanned.output.contigs
    return scanned.output.dataset(
        Place(contigs.ranks_of_genome(batch[0].name)[0], contigs.ranks_of_genome(batch[-1].name)[1])
    )


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
        "similarity": pa.array(evidence.similarity),
        "similar_to": _family_names(np.where(evidence.similarity >= NAMED, evidence.similar_family, -1)),
        "n_similar": pa.array(evidence.n_similar, mask=evidence.similar_family < 0),
        "cluster": pa.array(clusters.number, mask=clusters.number < 0),
        "cluster_size": pa.array(clusters.size, mask=clusters.number < 0),
    } | spans_of(rows)
    columns = [added[field.name] if field.name in added else rows[field.name] for field in LOCI_SCHEMA]
    return pa.table(columns, names=LOCI_SCHEMA.names).cast(LOCI_SCHEMA)


def _family_names(families: np.ndarray) -> pa.Array:
    """Names of families, null for none."""
    names = pa.array([*read_known_arms().families], pa.string())
    return names.take(pa.array(families, mask=families < 0))


def _names(rows: pa.Table) -> list[str]:
    """Contig, first and last base (1-based) and strand of each."""
    columns = (rows[name].to_pylist() for name in ("contig", "start", "end", "strand"))
    return [f"{contig}:{start + 1}-{end}:{strand}" for contig, start, end, strand in zip(*columns, strict=True)]
