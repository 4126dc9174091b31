"""Pictures of what the second pass finds on chromosomes that no model had seen: ``docs/loci_*.png``.

    python benchmarks/make_loci_figures.py

After ``measure_loci.py`` and ``measure_decoys.py``, from the same work folder and by the same rules.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from genome_loci import FITTED_ON, TestedLoci, compared_loci, fit, fixed_rates, loci_of_row, of_others
from genome_runs import WORK, Work
from genome_scores import compared, tests_of
from harness import ROOT
from measure_decoys import backwards_of, decoys_of, known_to_any
from mirsweep.jobs.loci.error_rate import error_rates, without_precursors

DOCS = ROOT / "docs"
_FEWEST = 5
"""Loci from which on a share of false ones is drawn."""


def draw_precision_recall(work: Work, fitted_on: dict[str, list[TestedLoci]]) -> None:
    """Candidates by score and loci by ``locus_score``, one panel a row."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 7.6), layout="constrained")
    for axis, (row, parts) in zip(axes.flat, fitted_on.items(), strict=True):
        annotation, by_score = next(iter(compared(work, row, alone=True).items()))
        model = fit(of_others(parts, fitted_on))
        scores = np.concatenate([model.decision_function(part.terms) for part in parts])
        loci = compared_loci(work, row, parts, scores, annotation)
        for name, found in (("candidates by score", by_score["genome model"]), ("loci by locus_score", loci)):
            recall, precision = zip(*found.curve, strict=True)
            axis.plot(recall, precision, label=f"{name} ({found.average_precision:.3f})", drawstyle="steps-post")
        axis.set(xlabel=f"recall of {annotation}", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        axis.set_title(row, fontsize=8)
        axis.legend(fontsize=8)
    figure.savefig(DOCS / "loci_precision_recall.png", dpi=110)
    plt.close(figure)


def draw_false_discovery(work: Work, fitted_on: dict[str, list[TestedLoci]]) -> None:
    """Share of loci that no annotation has, by the share that the decoys promise."""
    figure, axis = plt.subplots(figsize=(5, 4.6), layout="constrained")
    for row, parts in fitted_on.items():
        others = of_others(parts, fitted_on)
        model = fit(others)
        scores = np.concatenate([model.predict_proba(part.terms)[:, 1] for part in parts])
        is_known = np.concatenate([known_to_any(work, part) for part in parts])
        every = decoys_of(parts, [backwards_of(work, name, part) for name, part in tests_of(row)], model)
        fixed = fixed_rates(model, others)
        decoys = without_precursors(scores, every.mb, every, fixed)
        promised = error_rates(scores, every.mb, decoys, fixed).q_value
        order = np.argsort(-scores, kind="stable")
        observed = np.cumsum(~is_known[order]) / np.arange(1, len(order) + 1)
        shown = slice(_FEWEST - 1, None)
        axis.plot(promised[order][shown], observed[shown], label=row, linewidth=1.2)
    axis.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axis.set(xlabel="promised share of false loci (q_value)", ylabel="share of loci that no annotation has")
    axis.legend(fontsize=6)
    figure.savefig(DOCS / "loci_false_discovery.png", dpi=110)
    plt.close(figure)


def main() -> None:
    """Draw both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=WORK)
    work = Work(parser.parse_args().work)
    fitted_on = {row: loci_of_row(work, row) for row in FITTED_ON}
    draw_precision_recall(work, fitted_on)
    draw_false_discovery(work, fitted_on)


if __name__ == "__main__":
    main()
