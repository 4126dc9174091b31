"""The bundled genome models, and the held-out ones that tell what they find on chromosomes that they have not seen.

    python benchmarks/make_genome_models.py prepare        scans (5 minutes)
    python benchmarks/make_genome_models.py train [RUN..]  every run that is not there yet (10 minutes a run and core)
    python benchmarks/make_genome_models.py bundle         calibrate the bundled models into model/weights

The work folder (``--work``) keeps what is done; ``measure_genomes.py`` reads it.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from genome_runs import RUNS, WORK, Run, Work, negatives_of, planted_of, scores_path
from genome_scores import CALIBRATED_ON, calibration_of, compared
from mirsweep.jobs.demo.demo import DATA
from mirsweep.jobs.results.trained_on import describe_contigs
from mirsweep.jobs.training.calibrate import score_rows
from mirsweep.jobs.training.examples import TEXT_COLUMNS, examples_of
from mirsweep.model import load_model
from mirsweep.model.checkpoint import BUNDLED, load, save
from mirsweep.model.genome_train import GenomeTrainParams, train_two_stage
from mirsweep.model.threads import one_thread
from mirsweep.scanner.fasta import open_genome

LICENCE = (
    "MIT (the weights); trained on miRBase v22, MirGeneDB and the genomes named under data, which have their own terms"
)


def describe_data(run: Run, n_positives: int, n_negatives: int) -> dict:
    """What the card tells of the data."""
    return {
        "pre-miRNAs": f"{n_positives} of miRBase v22 and MirGeneDB ({run.kingdom}), inserted into genome and scanned",
        "left out": {
            "species": run.species,
            "families of": run.families_of,
            "sharing 16 nt with the loci of": run.homologues_of,
            "of these species only": run.homologous_species,
        },
        "others": f"{n_negatives}: candidates 100 nt and more from known precursors, the other strand of the "
        "pre-miRNAs, artificial inverted and tandem repeats",
        "others from": [asdict(part) for part in run.negatives],
    }


def train(work: Work, name: str, *, seed: int = 0) -> None:
    """Train a run and score its tests; does nothing if that is done."""
    params = GenomeTrainParams(seed=seed)
    run, weights = RUNS[name], work.folder / f"{name}.safetensors"
    if not weights.is_file():
        planted = planted_of(work, run)
        negatives = negatives_of(work, run, planted)
        print(f"{name}: {planted.n_found} pre-miRNAs, {negatives.num_rows} others", flush=True)
        with one_thread():
            net = train_two_stage(
                examples_of(planted.positives),
                examples_of(negatives),
                params=params,
                state_path=work.folder / f"{name}.state",
                after_epoch=lambda e, _: print(name, e, flush=True),
            )
        save(
            weights,
            net,
            data=describe_data(run, planted.n_found, negatives.num_rows),
            licence=LICENCE,
            protocol=asdict(params) | {"command": f"python benchmarks/make_genome_models.py train {name}"},
            metrics={},
        )
    model = load_model(weights)
    for part in run.tests:
        path = scores_path(work, name, part)
        if not path.is_file():
            table = work.candidates(part, run.kingdom, list(TEXT_COLUMNS))
            np.save(path, score_rows(model, table))


def contigs_of(work: Work, run: Run) -> list[dict]:
    """The chromosomes whose candidates a run learns from, and the slice of one that the demo scans."""
    paths = [work.genome(part.stem) for part in run.negatives]
    return describe_contigs([open_genome(path) for path in (*paths, DATA / "slice.fa.gz")])


def bundle(work: Work, names: Sequence[str]) -> None:
    """Put the shipped models, calibrated, into ``model/weights``; the card holds the figures of their twins."""
    for name, rows in CALIBRATED_ON.items():
        if name not in names:
            continue
        checkpoint = load(work.folder / f"{name}.safetensors")
        metrics = {
            row: {a: found["genome model"].as_json() for a, found in compared(work, row, alone=True).items()}
            for row in rows
        }
        card = save(
            BUNDLED / f"{name}.safetensors",
            checkpoint.net,
            data=checkpoint.card["data"] | {"contigs": contigs_of(work, RUNS[name])},
            licence=LICENCE,
            protocol=checkpoint.card["protocol"]
            | {
                "figures": "metrics and calibration are those of models trained the same way without the chromosome "
                "that they are measured on (benchmarks/make_genome_models.py); these weights have seen all of them"
            },
            metrics=metrics,
            calibration=calibration_of(work, rows),
        )
        print(name, card["digest"][:12])


def main() -> None:
    """Run the step that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("prepare", "train", "bundle"))
    parser.add_argument("runs", nargs="*", metavar="RUN", help=", ".join(RUNS))
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seed", type=int, default=0, help="Random seed of a training run; another wants a --work.")
    arguments = parser.parse_args()
    work = Work(arguments.work)
    names = arguments.runs or list(RUNS)
    if arguments.step == "prepare":
        for kingdom, stem in {(run.kingdom, part.stem) for run in RUNS.values() for part in run.negatives + run.tests}:
            work.scan(stem, kingdom)
    elif arguments.step == "train":
        for name in names:
            train(work, name, seed=arguments.seed)
    else:
        bundle(work, names)


if __name__ == "__main__":
    main()
