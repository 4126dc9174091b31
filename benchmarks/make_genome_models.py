"""The bundled genome models, and the held-out ones that tell what they find on chromosomes that they have not seen.

    python benchmarks/make_genome_models.py prepare        scans (5 minutes)
    python benchmarks/make_genome_models.py train [RUN..]  every run that is not there yet (20 to 40 minutes a network)
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
    RECIPES,
    RUNS,
    WORK,
    Part,
    Run,
    Work,
    evened_weights,
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
from mirsweep.model.genome_train import RESCORED_SHARE, logits_of, shown_flanks, train_genome_net
from mirsweep.model.sieve import train_sieve
from mirsweep.model.stem import Library, Stems
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
    pack = Pack()
    for name in names:
        run, planted = RUNS[name], planted_of(work, name)
        others = [
            *shared_blocks(work, run),
            Block(f"antisense-{name}", examples_of(planted.antisense)),
            *(Block(kind, examples_of(table)) for kind, table in repeats_of(work, run).items()),
        ]
        positives = Block(f"positives-{name}", examples_of(planted.positives))
        pack.add(name, RECIPES[run.kingdom], positives, others, evened_weights(work, name, planted.positives))
        print(f"{name}: {planted.n_found} pre-miRNAs", flush=True)
    pack.write(folder)


def train(work: Work, name: str, *, seed: int = 0) -> None:
    """Train a run and score its tests; does nothing if that is done. The networks' random seeds follow ``seed``, which
    is even."""
    if not (work.folder / f"{name}.safetensors").is_file():
        recipe, planted, negatives = RECIPES[RUNS[name].kingdom], planted_of(work, name), negatives_of(work, name)
        print(f"{name}: {planted.n_found} pre-miRNAs, {negatives.num_rows} others", flush=True)
        positives = examples_of(planted.positives)
        weights = (positives.weights, evened_weights(work, name, planted.positives))
        nets: list[GenomeNet] = []
        with one_thread():
            for own, params in enumerate(recipe.params, seed):
                net = train_genome_net(
                    replace(positives, weights=weights[own % 2]),
                    examples_of(negatives),
                    config=recipe.config,
                    params=replace(params, seed=own),
                    state_path=work.folder / f"{name}.{own}.state",
                    after_epoch=lambda e, _, own=own: print(name, own, e, flush=True),
                )
                nets.append(net if not nets else without_words(net))
        keep(work, name, nets, None, command=f"python benchmarks/make_genome_models.py train {name}")
    score_tests(work, name)


def without_words(net: GenomeNet) -> GenomeNet:
    """The network without its 14-mers: further ones share those of the first."""
    found = GenomeNet(replace(net.config, n_words=0))
    found.load_state_dict({k: t for k, t in net.state_dict().items() if k != "words"}, strict=False)
    return found.eval()


def score_tests(work: Work, name: str) -> None:
    """Score the tests of a trained run that are not scored yet."""
    run, model = RUNS[name], load_model(work.folder / f"{name}.safetensors")
    for part in run.tests:
        path = scores_path(work, name, part)
        if not path.is_file():
            table = work.candidates(part, run.kingdom, list(TEXT_COLUMNS))
            np.save(path, score_rows(model, table))


def keep(
    work: Work,
    name: str,
    nets: Sequence[GenomeNet],
    logits: np.ndarray | None,
    *,
    command: str,
    with_sieve: bool = True,
) -> None:
    """Write a run's networks, the first of which holds the 14-mers, as a model. A sieve is trained here.

    ``logits`` are the log-odds that the first network, trained with flanks, gives to the run's examples, positives
    first; None computes them.
    """
    recipe, planted = RECIPES[RUNS[name].kingdom], planted_of(work, name)
    positives, params = examples_of(planted.positives), recipe.params[0]
    if not recipe.reads_flanks:
        logits = None
    for net in nets:
        net.config = replace(net.config, reads_flanks=recipe.reads_flanks)
    stems: list[Stems] = []
    if with_sieve or logits is None:
        rng, species = np.random.default_rng(params.seed), species_numbers(positives)
        library = mature_library(positives, species)
        stems = [
            lay_out_examples(each, library, species, shown_flanks(len(each), nets[0].config, params, rng))
            for each in (positives, examples_of(negatives_of(work, name)))
        ]
    if logits is None:
        logits = np.concatenate([logits_of(nets[0], each) for each in stems])
    of_positives, of_negatives = np.split(logits, [len(positives)])
    rescored_from = float(np.quantile(of_negatives, 1 - RESCORED_SHARE))
    sieve = None
    if with_sieve:
        with one_thread():
            sieve = train_sieve(
                nets[0],
                *stems,
                rescored_from=rescored_from,
                seed=params.seed,
                logits=(of_positives, of_negatives),
            )
    save(
        work.folder / f"{name}.safetensors",
        TwoStageNet.of(nets[0], nets[1:], rescored_from=rescored_from, sieve=sieve),
        data=describe_data(RUNS[name], planted.n_found, len(of_negatives)),
        licence=LICENCE,
        protocol={"networks": [asdict(each) for each in recipe.params], "command": command},
        metrics={},
        n_steps=N_STEPS,
    )


def collect(work: Work, name: str, folder: Path, *, with_sieve: bool = True) -> None:
    """Make a model of the networks of a run that ``make_stacked_networks.py`` wrote to a folder, and score the run's
    tests; does nothing that is done."""
    if not (work.folder / f"{name}.safetensors").is_file():
        positives = examples_of(planted_of(work, name).positives)
        library = mature_library(positives, species_numbers(positives))
        nets, logits = trained_elsewhere(folder, name, library, RECIPES[RUNS[name].kingdom].config)
        command = "make_genome_models.py export, make_stacked_networks.py, make_genome_models.py collect"
        keep(work, name, nets, logits, command=command, with_sieve=with_sieve)
    score_tests(work, name)


def trained_elsewhere(
    folder: Path, name: str, library: Library, config: GenomeConfig
) -> tuple[list[GenomeNet], np.ndarray]:
    """The networks of a run that ``make_stacked_networks.py`` wrote, by their random seeds, and the log-odds that the
    first, which holds the 14-mers, gives to the run's examples, positives first."""
    states: dict[int, dict[str, np.ndarray]] = {}
    for path in folder.glob("networks-*.npz"):
        with np.load(path) as arrays:
            for own in arrays.files:
                run, seed, tensor = own.split("/")
                if run == name:
                    states.setdefault(int(seed), {})[tensor] = arrays[own]
    if not states:
        raise SystemExit(f"{folder}: no networks of {name}")
    nets: list[GenomeNet] = []
    for _, state in sorted(states.items()):
        net = GenomeNet(replace(config, n_words=0 if nets else len(library.words)))
        if not nets:
            state["words"] = library.words.astype(np.int32)
        net.load_state_dict(net.state_dict() | {k: torch.from_numpy(v) for k, v in state.items()})
        nets.append(net.eval())
    logits = next(found[name] for path in folder.glob("logits-*.npz") if name in (found := np.load(path)).files)
    return nets, logits.astype(np.float32)


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
    parser.add_argument("--without-sieve", action="store_true", help="Collect models whose first network reads all.")
    parser.add_argument("--seed", type=int, default=0, help="First random seed; another wants a --work.")
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
            folder = arguments.folder or work.folder / "out"
            collect(work, name, folder, with_sieve=not arguments.without_sieve)
    elif arguments.step == "train":
        for name in names:
            train(work, name, seed=arguments.seed)
    else:
        bundle(work, names)


if __name__ == "__main__":
    main()
