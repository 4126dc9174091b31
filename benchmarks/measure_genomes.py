"""What the genome models find on chromosomes that they have not seen; after ``make_genome_models.py``.

python benchmarks/measure_genomes.py measure        benchmarks/results/genomes.json
python benchmarks/measure_genomes.py figures        docs/genome_calibration.png
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from genome_runs import RUNS, WORK, Work, X
from genome_scores import CALIBRATED_ON, ROWS, calibration_of, compared, unannotated_scores
from harness import ROOT, write_result
from measure_prefilter import shuffled_dinucleotides
from mirsweep.jobs import scan
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.query import FP_PRESETS
from mirsweep.model.genome_model import expected_fp_per_mb
from mirsweep.scanner.alphabet import encode
from mirsweep.scanner.fasta import open_genome


def false_positives(work: Work, row: str, calibration: dict[str, list[float]]) -> dict[str, float]:
    """Unannotated candidates of a row per Mb that pass each preset under a calibration."""
    scores, mb = unannotated_scores(work, row)
    expected = expected_fp_per_mb(scores, calibration)
    return {preset: float((expected <= limit).sum() / mb) for preset, limit in FP_PRESETS.items()}


def shuffled(work: Work, name: str) -> dict[str, float]:
    """Candidates per Mb that pass each preset of a shipped model where dinucleotides of C. elegans X are shuffled."""
    genome = open_genome(work.genome(X))
    codes = shuffled_dinucleotides(encode(genome.fetch(genome.contigs[0].name, 0, 4_000_000)), seed=1)
    path = work.folder / "shuffled.fa"
    path.write_bytes(b">shuffled\n" + np.frombuffer(b"ACGTN", np.uint8)[codes].tobytes() + b"\n")
    folder = work.folder / f"scan-{name}-shuffled"
    scan(path, output=folder, model=name, preset=RUNS[name].kingdom, decoys="none", report=False, quiet=True)
    rates = open_output(folder).dataset().to_table(columns=["expected_fp_per_mb"])["expected_fp_per_mb"].to_numpy()
    return {preset: float((rates <= limit).sum() / (codes.size / 1e6)) for preset, limit in FP_PRESETS.items()}


def measure(work: Work) -> None:
    """Everything that ``benchmarks/results/genomes.json`` holds."""
    rows = {
        row: {
            annotation: {which: found.as_json() for which, found in by_score.items()}
            for annotation, by_score in compared(work, row).items()
        }
        for row in ROWS
    }
    elegans, human = CALIBRATED_ON["genome"]
    result = {
        "command": "python benchmarks/make_genome_models.py prepare, then train, or export and collect; "
        "python benchmarks/measure_genomes.py measure",
        "runs": {name: asdict(run) for name, run in RUNS.items()},
        "held_out": rows,
        "false_calls_per_mb": {
            f"{elegans}; calibrated on chr20": false_positives(work, elegans, calibration_of(work, [human])),
            f"{human}; calibrated on X": false_positives(work, human, calibration_of(work, [elegans])),
            "genome, dinucleotides of C. elegans X shuffled": shuffled(work, "genome"),
            "genome-plant, dinucleotides of C. elegans X shuffled": shuffled(work, "genome-plant"),
        },
    }
    print(json.dumps(result["held_out"], indent=1))
    write_result("genomes", result)


def draw(work: Work) -> None:
    """The calibration as a picture of the docs."""
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(4.4, 4), layout="constrained")
    elegans, human = CALIBRATED_ON["genome"]
    for row, others in ((elegans, [human]), (human, [elegans])):
        scores, mb = unannotated_scores(work, row)
        expected = np.sort(expected_fp_per_mb(scores, calibration_of(work, others)))
        observed = np.arange(1, len(expected) + 1) / mb
        axis.loglog(expected, observed, label=f"{row.partition(',')[0]}, calibrated on the other")
    axis.loglog([0.05, 1000], [0.05, 1000], color="grey", linewidth=0.8)
    axis.set(xlabel="expected false positives per Mb", ylabel="observed candidates of unannotated sequence per Mb")
    axis.legend(fontsize=7)
    figure.savefig(ROOT / "docs" / "genome_calibration.png", dpi=110)


def main() -> None:
    """Run the step that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("measure", "figures"))
    parser.add_argument("--work", type=Path, default=WORK)
    arguments = parser.parse_args()
    {"measure": measure, "figures": draw}[arguments.step](Work(arguments.work))


if __name__ == "__main__":
    main()
