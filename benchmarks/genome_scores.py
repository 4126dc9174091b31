"""Scores of held-out chromosomes beside known loci, and calibrations from them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier

from genome_runs import (
    ANNOTATIONS,
    EBV,
    RUNS,
    Part,
    Work,
    in_half,
    is_unannotated,
    negatives_of,
    planted_of,
    scores_path,
)
from mirsweep.jobs.results.compare import Comparison, compare_candidates
from mirsweep.jobs.results.known import Locus
from mirsweep.jobs.training.calibrate import calibrate
from mirsweep.model.features import classical_features
from mirsweep.scanner import fold

TOP = (20, 50, 100, 200, 500, 1000)
ROWS = {
    "C. elegans X, no C. elegans in training": ("elegans-out",),
    "C. elegans X, nor any family of its loci": ("elegans-families-out",),
    "C. elegans X, no nematode in training": ("nematodes-out",),
    "human chr20, its loci and paralogues left out": ("chr20-first-orthologues", "chr20-second-orthologues"),
    "human chr20, no human sequence nor any homologue of its loci": ("chr20-first", "chr20-second"),
    "Epstein-Barr virus, no homologue of its loci": ("chr20-second",),
    "Arabidopsis 1, no Arabidopsis nor any homologue of its loci": ("ath-first", "ath-second"),
}
"""Rows of the table: the runs whose scores are pooled."""
BOOSTED = ("elegans-out", "chr20-first-orthologues", "chr20-second-orthologues", "ath-first", "ath-second")
"""Runs beside which boosting on classical features is trained, on the same examples."""
_N_BOOSTED = 60_000


def tests_of(row: str) -> list[tuple[str, Part]]:
    """Runs of a row and what each is tested on."""
    is_virus = row.startswith("Epstein")
    return [(name, part) for name in ROWS[row] for part in RUNS[name].tests if (part.stem == EBV) == is_virus]


def boosting_scores(work: Work, name: str, part: Part) -> np.ndarray:
    """Scores of gradient boosting on classical features, trained on a run's pre-miRNAs and 60,000 of its negatives."""
    path = work.folder / f"boosting-{name}.{part.stem}.npy"
    if not path.is_file():
        run = RUNS[name]
        positives, negatives = planted_of(work, name).positives, negatives_of(work, name)
        rng = np.random.default_rng(0)
        negatives = negatives.take(np.sort(rng.choice(negatives.num_rows, _N_BOOSTED, replace=False)))
        sequences, structures = (
            [*positives[column].to_pylist(), *negatives[column].to_pylist()] for column in ("sequence", "structure")
        )
        labels = np.repeat([1, 0], [positives.num_rows, _N_BOOSTED])
        booster = HistGradientBoostingClassifier(max_iter=400, learning_rate=0.06, random_state=0)
        booster.fit(classical_features(sequences, structures, fold(sequences).energies), labels)
        table = work.candidates(part, run.kingdom, ["sequence", "structure", "mfe"])
        columns = (table[column].to_pylist() for column in ("sequence", "structure", "mfe"))
        np.save(path, booster.predict_proba(classical_features(*columns))[:, 1].astype(np.float32))
    return np.load(path)


def annotated(work: Work, tests: list[tuple[str, Part]], annotation: str) -> list[Locus]:
    """Known loci of the parts."""
    return [
        locus
        for _, part in tests
        for locus in work.loci(part.stem, annotation)
        if in_half(np.array([locus.start]), part)[0]
    ]


def places_of(work: Work, tests: list[tuple[str, Part]], extra: Sequence[str] = ()) -> pa.Table:
    """Candidates of the parts together."""
    columns = ["contig", "start", "end", "strand", *extra]
    tables = [work.candidates(part, RUNS[name].kingdom, columns) for name, part in tests]
    return pa.concat_tables([table.cast(unkeyed(table.schema)) for table in tables])


def unkeyed(schema: pa.Schema) -> pa.Schema:
    """The schema with plain strings for dictionaries."""
    return pa.schema([(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in schema])


def compared(work: Work, row: str, *, alone: bool = False) -> dict[str, dict[str, Comparison]]:
    """By annotation and by score: the comparison of a row's candidates with the known loci; ``alone`` by ours only."""
    tests = tests_of(row)
    table = places_of(work, tests, ("score", "mfe"))
    scores = {"genome model": np.concatenate([np.load(scores_path(work, *test)) for test in tests])}
    if not alone:
        scores["paper-cross"] = table["score"].to_numpy()
        scores["minimum free energy"] = -table["mfe"].to_numpy()
        if all(name in BOOSTED for name, _ in tests):
            scores["boosting, classical features"] = np.concatenate([boosting_scores(work, *t) for t in tests])
    mb = sum(work.scanned_mb(part, RUNS[name].kingdom) for name, part in tests)
    table = table.drop_columns(["score", "mfe"])
    return {
        annotation: {
            which: compare_candidates(
                table.append_column("score", pa.array(values, pa.float32())),
                annotated(work, tests, annotation),
                mb,
                top=TOP,
            )
            for which, values in scores.items()
        }
        for annotation in ANNOTATIONS[tests[0][1].stem]
    }


CALIBRATED_ON = {
    "genome": (
        "C. elegans X, no C. elegans in training",
        "human chr20, no human sequence nor any homologue of its loci",
    ),
    "genome-plant": ("Arabidopsis 1, no Arabidopsis nor any homologue of its loci",),
}
"""Rows whose unannotated candidates, scored by models that have not seen them, calibrate a shipped model."""


def unannotated_scores(work: Work, row: str) -> tuple[np.ndarray, float]:
    """Scores of a row's candidates far from known loci, and the Mb that they come from."""
    parts = []
    for name, part in tests_of(row):
        table = work.candidates(part, RUNS[name].kingdom, ["start", "end"])
        parts.append(np.load(scores_path(work, name, part))[is_unannotated(work, part.stem, table)])
    return np.concatenate(parts), sum(work.scanned_mb(part, RUNS[name].kingdom) for name, part in tests_of(row))


def calibration_of(work: Work, rows: Sequence[str]) -> dict[str, list[float]]:
    """Calibration from the unannotated candidates of rows."""
    scores, mb = zip(*(unannotated_scores(work, row) for row in rows), strict=True)
    return calibrate(np.concatenate(scores), sum(mb))
