"""Loci of the chromosomes that held-out models are tested on, and the fit of the second pass on them."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from sklearn.linear_model import LogisticRegression

from genome_runs import (
    ANNOTATIONS,
    CHR20,
    RUNS,
    Part,
    Work,
    X,
    near_known,
    precursors_of,
    scores_path,
)
from genome_scores import TOP, annotated, tests_of, unkeyed
from make_known_arms import known_arms
from mirsweep.jobs.loci.combination import Rates, terms_of
from mirsweep.jobs.loci.features import survey
from mirsweep.jobs.loci.known_arms import KnownArms
from mirsweep.jobs.loci.likely import lowest_score
from mirsweep.jobs.results.compare import Comparison, compare_candidates, match
from mirsweep.jobs.results.predicted import arm_columns
from mirsweep.jobs.training.calibrate import calibrate
from mirsweep.jobs.training.examples import TEXT_COLUMNS
from mirsweep.model import load_model
from mirsweep.scanner.fasta import open_genome

FITTED_ON = (
    "C. elegans X, no C. elegans in training",
    "human chr20, no human sequence nor any homologue of its loci",
    "Epstein-Barr virus, no homologue of its loci",
    "Arabidopsis 1, no Arabidopsis nor any homologue of its loci",
)
"""Rows of ``genome_scores.ROWS`` that the combination is fitted on, one for each chromosome."""
_PLACE = ("contig", "start", "end", "strand")
RATES_OF = FITTED_ON[:2]
"""Rows whose unannotated loci tell the rates: the two large animal chromosomes."""


class TestedLoci:
    """Loci of a run's test part, by a model that has not seen it.

    Attributes
    ----------
    part, mb
        The part, and the Mb that were scanned of it.
    rows, terms
        Rows of the loci, and the terms of their evidence.
    unaided
        The same terms where no known precursor tells the strand.
    is_known
        Which are on a precursor of MirGeneDB, or of miRBase where that has none; bool.
    is_unannotated
        Which are far from all known precursors; bool.
    """

    def __init__(self, work: Work, name: str, part: Part, *, scores: np.ndarray | None = None):
        kingdom = RUNS[name].kingdom
        table = work.candidates(part, kingdom)
        column = pa.array(np.load(scores_path(work, name, part)) if scores is None else scores, pa.float32())
        table = table.set_column(table.schema.get_field_index("score"), "score", column)
        self.part, self.mb = part, work.scanned_mb(part, kingdom)
        likely = with_arms(work, name, _likely(table, self.mb))
        found = survey(likely, [open_genome(work.genome(part.stem))], known_arms_of(work, name))
        self.rows, self.terms = found.rows, terms_of(found.evidence)
        self.unaided = np.column_stack((found.evidence.log_odds, self.terms[:, 1:]))
        known = [work.loci(part.stem, annotation) for annotation in ANNOTATIONS[part.stem]]
        self.is_known = np.zeros(self.rows.num_rows, bool)
        self.is_known[match(self.rows, known[0])[:, 0]] = True
        self.is_unannotated = ~near_known(self.rows, [locus for loci in known for locus in loci])


@cache
def known_arms_of(work: Work, name: str) -> KnownArms:
    """Arms of the precursors that a run does not leave out."""
    return known_arms(precursors_of(work, RUNS[name]))


def with_arms(work: Work, name: str, candidates: pa.Table) -> pa.Table:
    """Candidates with the mature sequences that a run's model predicts."""
    arms = (
        load_model(work.folder / f"{name}.safetensors")
        .predict(*(candidates[column].to_pylist() for column in TEXT_COLUMNS))
        .arms
    )
    assert arms is not None
    for column, values in arm_columns(arms).items():
        candidates = candidates.set_column(candidates.schema.get_field_index(column), column, values)
    return candidates


def _likely(table: pa.Table, mb: float) -> pa.Table:
    """The candidates that the second pass looks at."""
    lowest = lowest_score(ds.dataset(table.select(["score"])), mb)
    return table.filter(pc.greater_equal(table["score"], pa.scalar(lowest, pa.float32()))).unify_dictionaries()


def loci_of_row(work: Work, row: str) -> list[TestedLoci]:
    """Loci of a row's test parts."""
    return [TestedLoci(work, name, part) for name, part in tests_of(row)]


def fit(parts: Sequence[TestedLoci]) -> LogisticRegression:
    """Logistic regression on the loci of some parts."""
    uses = [part.is_known | part.is_unannotated for part in parts]
    terms = np.concatenate([part.terms[use] for part, use in zip(parts, uses, strict=True)])
    labels = np.concatenate([part.is_known[use] for part, use in zip(parts, uses, strict=True)])
    return LogisticRegression(max_iter=1000).fit(terms, labels)


def of_others(parts: Sequence[TestedLoci], fitted_on: dict[str, list[TestedLoci]]) -> list[TestedLoci]:
    """Loci of the rows on other chromosomes than the parts'."""
    return [loci for own in fitted_on.values() for loci in own if loci.part.stem != parts[0].part.stem]


def fixed_rates(model: LogisticRegression, others: Sequence[TestedLoci]) -> Rates:
    """Rates of the large animal chromosomes among the loci."""
    animals = [loci for loci in others if loci.part.stem in (X, CHR20)]
    return Rates(*map(np.array, rates(model, animals).values()))


def compared_loci(work: Work, row: str, parts: Sequence[TestedLoci], scores: np.ndarray, annotation: str) -> Comparison:
    """The loci of a row, ranked by scores, beside an annotation."""
    tables = [part.rows.select(_PLACE) for part in parts]
    table = pa.concat_tables([table.cast(unkeyed(table.schema)) for table in tables])
    table = table.append_column("score", pa.array(scores, pa.float32()))
    known = annotated(work, tests_of(row), annotation)
    return compare_candidates(table, known, sum(part.mb for part in parts), top=TOP)


def rates(model: LogisticRegression, parts: Sequence[TestedLoci]) -> dict[str, list[float]]:
    """Unannotated loci of the parts per Mb, by score."""
    scores = np.concatenate([model.predict_proba(part.terms[part.is_unannotated])[:, 1] for part in parts])
    return calibrate(scores, sum(part.mb for part in parts))
