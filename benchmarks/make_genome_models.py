"""The bundled genome models, and the held-out ones that tell what they find on chromosomes that they have not seen.

    python benchmarks/make_genome_models.py prepare        scans (5 minutes)
    python benchmarks/make_genome_models.py train [RUN..]  every run that is not there yet (10 minutes a run and core)
    python benchmarks/make_genome_models.py bundle         calibrate the bundled models into model/weights

The work folder (``--work``) keeps what is done; ``measure_genomes.py`` reads it.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from genome_pack import Block, Pack
from genome_runs import (
    RUNS,
    WORK,
    Part,
    Run,
    Work,
    in_half,
    is_unannotated,
    negatives_of,
    planted_of,
    repeats_of,
    scores_path,
)
from genome_scores import CALIBRATED_ON, calibration_of, compared
from mirsweep.jobs.demo.demo import DATA
from mirsweep.jobs.results.trained_on import describe_contigs
from mirsweep.jobs.training.calibrate import score_rows
from mirsweep.jobs.training.examples import TEXT_COLUMNS, ExampleFacts, assemble, examples_of
from mirsweep.model import load_model
from mirsweep.model.checkpoint import BUNDLED, load, save
from mirsweep.model.genome_config import GenomeConfig
from mirsweep.model.genome_examples import lay_out_examples, mature_library, species_numbers
from mirsweep.model.genome_net import GenomeNet
from mirsweep.model.genome_train import RESCORED_SHARE, GenomeTrainParams, train_two_stage
from mirsweep.model.sieve import train_sieve
from mirsweep.model.stem import Library
from mirsweep.model.threads import one_thread
from mirsweep.model.two_stage import TwoStageNet
from mirsweep.scanner.fasta import open_genome

LICENCE = (
    "MIT (the weights); trained on miRBase v22, MirGeneDB and the genomes named under data, which have their own terms"
)

N_STEPS = 511
"""Of the weights in fixed point: a wheel then holds two fifths of what it would as float32. Held-out models are written
so, too, so that their figures are those of the bundled ones."""


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


def shared_blocks(work: Work, run: Run) -> list[Block]:
    """Negatives of a run as :func:`genome_runs.negatives_of` has them, but for the hairpins on the other strand of its
    pre-miRNAs: in tables that runs share, each whole, with a weight of 0 for what the run leaves out."""
    blocks = []
    for part in run.negatives:
        table = work.candidates(Part(part.stem), run.kingdom, [*TEXT_COLUMNS, "start", "end"])
        is_used = is_unannotated(work, part.stem, table) & in_half(table["start"].to_numpy(), part)
        plain = assemble(table, ExampleFacts.plain(table.num_rows, label=False, source=part.stem))
        examples = replace(examples_of(plain), weights=is_used.astype(np.float32))
        blocks.append(Block(f"{run.kingdom}-{part.stem}", examples))
    return blocks


def export(work: Work, names: Sequence[str], folder: Path) -> None:
    """Write the examples of runs for ``make_stacked_networks.py``."""
    pack = Pack(GenomeTrainParams(), GenomeConfig())
    for name in names:
        run, planted = RUNS[name], planted_of(work, name)
        others = [
            *shared_blocks(work, run),
            Block(f"antisense-{name}", examples_of(planted.antisense)),
            *(Block(kind, examples_of(table)) for kind, table in repeats_of(work, run).items()),
        ]
        pack.add(name, Block(f"positives-{name}", examples_of(planted.positives)), others)
        print(f"{name}: {planted.n_found} pre-miRNAs", flush=True)
    pack.write(folder)


def train(work: Work, name: str, *, seed: int = 0) -> None:
    """Train a run and score its tests; does nothing if that is done."""
    params = GenomeTrainParams(seed=seed)
    run, weights = RUNS[name], work.folder / f"{name}.safetensors"
    if not weights.is_file():
        planted, negatives = planted_of(work, name), negatives_of(work, name)
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
    score_tests(work, name)


def score_tests(work: Work, name: str) -> None:
    """Score the tests of a trained run that are not scored yet."""
    run, model = RUNS[name], load_model(work.folder / f"{name}.safetensors")
    for part in run.tests:
        path = scores_path(work, name, part)
        if not path.is_file():
            table = work.candidates(part, run.kingdom, list(TEXT_COLUMNS))
            np.save(path, score_rows(model, table))


def collect(
    work: Work, name: str, folder: Path, *, others: Sequence[int] | None = None, with_sieve: bool = True
) -> None:
    """Make a model of the networks of a run that ``make_stacked_networks.py`` wrote to a folder, the second ones those
    of some random seeds or all, and score the run's tests; does nothing that is done. A sieve is trained here."""
    weights = work.folder / f"{name}.safetensors"
    if not weights.is_file():
        params, planted = GenomeTrainParams(), planted_of(work, name)
        positives = examples_of(planted.positives)
        species = species_numbers(positives)
        library = mature_library(positives, species)
        nets, logits = trained_elsewhere(folder, name, library)
        first = nets.pop(min(nets))
        of_positives, of_negatives = np.split(logits, [len(positives)])
        rescored_from = float(np.quantile(of_negatives, 1 - RESCORED_SHARE))
        sieve = None
        if with_sieve:
            rng = np.random.default_rng(params.seed)
            stems = [
                lay_out_examples(each, library, species, rng.random(len(each)) >= params.flank_dropout)
                for each in (positives, examples_of(negatives_of(work, name)))
            ]
            with one_thread():
                sieve = train_sieve(
                    first, *stems, rescored_from=rescored_from, seed=params.seed, logits=(of_positives, of_negatives)
                )
        second = [nets[seed] for seed in (sorted(nets) if others is None else others)]
        save(
            weights,
            TwoStageNet.of(first, second, rescored_from=rescored_from, sieve=sieve),
            data=describe_data(RUNS[name], planted.n_found, len(of_negatives)),
            licence=LICENCE,
            protocol=asdict(params)
            | {"command": "make_genome_models.py export, make_stacked_networks.py, make_genome_models.py collect"},
            metrics={},
            n_steps=N_STEPS,
        )
    score_tests(work, name)


def trained_elsewhere(
    folder: Path, name: str, library: Library, config: GenomeConfig | None = None
) -> tuple[dict[int, GenomeNet], np.ndarray]:
    """The networks of a run that ``make_stacked_networks.py`` wrote, by their random seeds, and the log-odds that the
    one of the lowest, which holds the 14-mers, gives to the run's examples, positives first."""
    nets: dict[int, GenomeNet] = {}
    for path in sorted([folder / "firsts.npz", *folder.glob("seconds.npz")]):
        arrays = np.load(path)
        for seed in sorted({int(own.split("/")[1]) for own in arrays.files}):
            net = GenomeNet(replace(config or GenomeConfig(), n_words=0 if nets else len(library.words)))
            prefix = f"{name}/{seed}/"
            state = {k.removeprefix(prefix): arrays[k] for k in arrays.files if k.startswith(prefix)}
            if not nets:
                state["words"] = library.words.astype(np.int32)
            net.load_state_dict(net.state_dict() | {k: torch.from_numpy(v) for k, v in state.items()})
            nets[seed] = net.eval()
    for k in range(2):
        with np.load(folder / f"logits-{k}.npz") as found:
            if name in found.files:
                return nets, found[name].astype(np.float32)
    raise SystemExit(f"{folder}: no log-odds of {name}")


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
            n_steps=N_STEPS,
        )
        print(name, card["digest"][:12])


def main() -> None:
    """Run the step that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("prepare", "train", "export", "collect", "bundle"))
    parser.add_argument("runs", nargs="*", metavar="RUN", help=", ".join(RUNS))
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--folder", type=Path, help="What is exported, or was trained elsewhere; WORK/pack, WORK/out.")
    parser.add_argument("--others", type=int, nargs="*", help="Random seeds of the second networks to collect; all.")
    parser.add_argument("--without-sieve", action="store_true", help="Collect models whose first network reads all.")
    parser.add_argument("--seed", type=int, default=0, help="Random seed of a training run; another wants a --work.")
    arguments = parser.parse_args()
    work = Work(arguments.work)
    names = arguments.runs or list(RUNS)
    if arguments.step == "prepare":
        for kingdom, stem in {(run.kingdom, part.stem) for run in RUNS.values() for part in run.negatives + run.tests}:
            work.scan(stem, kingdom)
        for name in names:
            planted_of(work, name)
            repeats_of(work, RUNS[name])
    elif arguments.step == "export":
        export(work, names, arguments.folder or work.folder / "pack")
    elif arguments.step == "collect":
        for name in names:
            collect(
                work,
                name,
                arguments.folder or work.folder / "out",
                others=arguments.others,
                with_sieve=not arguments.without_sieve,
            )
    elif arguments.step == "train":
        for name in names:
            train(work, name, seed=arguments.seed)
    else:
        bundle(work, names)


if __name__ == "__main__":
    main()
