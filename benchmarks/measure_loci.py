"""What the second pass adds on chromosomes that neither the models nor its own fit have seen.

    python benchmarks/measure_loci.py          benchmarks/results/loci.json

Each row's loci are ranked by a combination that was fitted on the other chromosomes alone. Beside it: the candidates by
their score, the loci by the score of their best candidate, and each further term alone. Needs the work folder of
``make_genome_models.py``.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from genome_loci import FITTED_ON, TestedLoci, compared_loci, fit, fixed_rates, loci_of_row, of_others
from genome_runs import ANNOTATIONS, RUNS, WORK, Part, Work, scores_path
from genome_scores import ROWS, compared, tests_of
from harness import write_result
from mirsweep.jobs.loci.combination import TERMS, Rates
from mirsweep.jobs.results.query import FP_PRESETS
from mirsweep.jobs.training.calibrate import score_rows
from mirsweep.model import load_model
from mirsweep.model.genome_model import GenomeModel

SINGLE = (
    "C. elegans X, no C. elegans in training",
    "C. elegans X, nor any family of its loci",
    "C. elegans X, no nematode in training",
    "Arabidopsis 1, no Arabidopsis nor any homologue of its loci",
)
"""Rows of which each network is measured alone."""


def measured(work: Work, row: str, fitted_on: dict[str, list[TestedLoci]]) -> dict[str, Any]:
    """Figures of a row, by annotation and ranking, and unannotated loci per Mb at each preset."""
    parts = loci_of_row(work, row)
    others = of_others(parts, fitted_on)
    model = fit(others)
    rankings = {
        "loci by score": [part.unaided[:, 0] for part in parts],
        "score and copies": by_two(parts, others, 1, unaided=True),
        "score and neighbours": by_two(parts, others, 2, unaided=True),
        "score and complexity": by_two(parts, others, 3, unaided=True),
        "score and likeness": by_two(parts, others, 4, unaided=False),
        "locus_score": [model.decision_function(part.terms) for part in parts],
    }
    scores = {name: np.concatenate(ranks) for name, ranks in rankings.items()}
    candidates = {a: found["genome model"].as_json() for a, found in compared(work, row, alone=True).items()}
    return {
        "fitted_on": sorted({loci.part.stem for loci in others}),
        "weights": dict(zip(TERMS, np.round(model.coef_[0], 3).tolist(), strict=True)),
        "unannotated_per_mb": unannotated_rates(model, parts, fixed_rates(model, others)),
        "known": {
            annotation: {"candidates by score": candidates[annotation]}
            | {name: compared_loci(work, row, parts, ranks, annotation).as_json() for name, ranks in scores.items()}
            for annotation in ANNOTATIONS[parts[0].part.stem]
        },
    }


def by_two(parts: list[TestedLoci], others: list[TestedLoci], term: int, *, unaided: bool) -> list[np.ndarray]:
    """Ranks of the loci by their score and one further term, fitted on the others."""

    def narrowed(part: TestedLoci) -> TestedLoci:
        copy = object.__new__(TestedLoci)
        copy.__dict__ |= part.__dict__ | {"terms": (part.unaided if unaided else part.terms)[:, [0, term]]}
        return copy

    model = fit([narrowed(part) for part in others])
    return [model.decision_function(narrowed(part).terms) for part in parts]


def unannotated_rates(model: Any, parts: list[TestedLoci], expected: Rates) -> dict[str, float]:
    """Unannotated loci per Mb that pass each preset, when the rates are those of the other animal chromosomes."""
    scores = np.concatenate([model.predict_proba(part.terms[part.is_unannotated])[:, 1] for part in parts])
    mb = sum(part.mb for part in parts)
    return {name: float((expected.at(scores) <= limit).sum() / mb) for name, limit in FP_PRESETS.items()}


def by_single_networks(work: Work, row: str, fitted_on: dict[str, list[TestedLoci]]) -> dict[str, list[float]]:
    """Average precision by annotation of the loci of each network of a row's model alone: how far seeds differ."""
    by_network = zip(*(loci_by_each(work, name, part) for name, part in tests_of(row)), strict=True)
    found: dict[str, list[float]] = {annotation: [] for annotation in ANNOTATIONS[tests_of(row)[0][1].stem]}
    for parts in by_network:
        model = fit(of_others(parts, fitted_on))
        scores = np.concatenate([model.decision_function(loci.terms) for loci in parts])
        for annotation, own in found.items():
            own.append(compared_loci(work, row, parts, scores, annotation).average_precision)
    return found


def loci_by_each(work: Work, name: str, part: Part) -> Iterator[TestedLoci]:
    """Loci of a run's test part by each network of its model alone."""
    whole = load_model(work.folder / f"{name}.safetensors")
    assert isinstance(whole, GenomeModel)
    table = work.candidates(part, RUNS[name].kingdom)
    for weights in whole.weights.members:
        yield TestedLoci(work, name, part, scores=score_rows(GenomeModel(weights, whole.card), table))


def done_in(work: Work) -> list[str]:
    """Rows whose runs are all trained and scored."""
    return [row for row in ROWS if all(scores_path(work, *test).is_file() for test in tests_of(row))]


def main() -> None:
    """Measure all rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=WORK)
    work = Work(parser.parse_args().work)
    fitted_on = {row: loci_of_row(work, row) for row in FITTED_ON}
    done = done_in(work)
    result = {
        "command": "python benchmarks/make_genome_models.py prepare, then train, or export and collect; "
        "python benchmarks/measure_loci.py",
        "runs": sorted({name for row in done for name, _ in tests_of(row)} & set(RUNS)),
        "rows": {row: measured(work, row, fitted_on) for row in done},
        "average_precision_of_single_networks": {row: by_single_networks(work, row, fitted_on) for row in SINGLE},
    }
    print(json.dumps(result["rows"], indent=1))
    write_result("loci", result)


if __name__ == "__main__":
    main()
