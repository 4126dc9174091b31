"""A genome model adapted to a species: from its genome and known precursors, or from files of examples; resumable."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mirsweep._shown import shown
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.messages import say
from mirsweep.jobs.results.outputs import check_weights
from mirsweep.jobs.results.trained_on import describe_contigs, described_contigs
from mirsweep.jobs.training.adapt_inputs import Inputs, StartingModel, read_inputs, read_starting_model
from mirsweep.jobs.training.adapt_work import SCAN, STATE, claim_work
from mirsweep.jobs.training.calibrate import calibrate, score_rows
from mirsweep.jobs.training.examples import examples_of
from mirsweep.jobs.training.learning_set import HeldOut, LearningSet, from_files, from_scan
from mirsweep.model.defaults import default_model
from mirsweep.model.threads import one_thread
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.params import PRESETS

if TYPE_CHECKING:
    from mirsweep.model.genome_model import GenomeModel
    from mirsweep.model.genome_train import GenomeEpoch, GenomeTrainParams

__all__ = ["BLOCK_NT", "AdaptParams", "Adapted", "adapt"]

BLOCK_NT = 500_000
"""Learning and held-out part of a genome alternate in blocks of so many nt: longer than a cluster of precursors (the
largest known one, C19MC of human chromosome 19, spans 100 kb), so that few clusters lie on both sides."""
_EPOCHS = 4
"""Fewer than the six of the bundled models, since the network knows hairpins already; on C. elegans X four took average
precision of the held-out blocks from 0.767 to 0.857 (docs/genome.md)."""
_DRAWS_PER_POSITIVE = 10
"""Times that each pre-miRNA is drawn in an epoch, on average: a chromosome has some dozens of known loci, and to draw
each once would make epochs of a few steps."""
_LEARNING_RATE = 5e-4
"""Highest learning rate, a quarter of what random weights start with: the bundled weights should shift, not be lost."""
_MATCH_DROPOUT = 0.4
"""Share of the examples whose matches are hidden. Their columns are not changed: one genome's precursors are learnt."""
_WORK = ".adapt"


@dataclass(frozen=True)
class AdaptParams:
    """How to adapt.

    Attributes
    ----------
    preset
        Preset of the scan.
    epochs
        Epochs; each draws every pre-miRNA some ten times.
    block_nt
        Length of the blocks in which learning and held-out part of a genome alternate, nt.
    seed
        Random seed of order, choice and dropout.

    Raises
    ------
    InputError
        If a value is out of its range.
    """

    preset: str = "animal"
    epochs: int = _EPOCHS
    block_nt: int = BLOCK_NT
    seed: int = 0

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise InputError(f"preset {self.preset!r} is unknown: choose one of {', '.join(PRESETS)}.")
        if type(self.epochs) is not int or self.epochs < 1:
            raise InputError(f"{self.epochs} epochs cannot be trained: give --epochs 1 or more.")
        if type(self.block_nt) is not int or self.block_nt < 1000:
            raise InputError(f"blocks of {self.block_nt} nt hold no locus: give --block-nt 1000 or more.")
        if type(self.seed) is not int or self.seed < 0:
            raise InputError(f"the random seed {self.seed} cannot be used: give a whole number from 0 on.")

    def training(self, n_positives: int) -> "GenomeTrainParams":
        """Parameters of the training run on so many pre-miRNAs; hard negatives are chosen at the start and halfway."""
        from mirsweep.model.genome_train import GenomeTrainParams

        return GenomeTrainParams(
            n_epochs=self.epochs,
            n_pos=_DRAWS_PER_POSITIVE * n_positives,
            mining=(0, max(1, self.epochs // 2)),
            match_dropout=_MATCH_DROPOUT,
            mutated=0.0,
            learning_rate=_LEARNING_RATE,
            seed=self.seed,
        )


@shown("path", "n_positives", "n_negatives", "held_out")
class Adapted(NamedTuple):
    """A finished adaptation.

    Attributes
    ----------
    path, card
        Weights file and its card.
    n_positives, n_negatives
        Pre-miRNAs and other hairpins that it was trained on.
    held_out
        Pre-miRNAs, candidates and average precision of what was held out, of the model that it started from
        (``before``) and of the new one (``after``); empty if no pre-miRNA was held out.
    """

    path: Path
    card: dict[str, Any]
    n_positives: int
    n_negatives: int
    held_out: dict[str, float]


def adapt(
    genomes: str | os.PathLike | Sequence[str | os.PathLike] = (),
    known: str | os.PathLike | None = None,
    *,
    output: str | os.PathLike,
    examples: Sequence[str | os.PathLike] = (),
    negatives: Sequence[str | os.PathLike] = (),
    start_from: str | os.PathLike | None = None,
    preset: str = "animal",
    epochs: int = _EPOCHS,
    block_nt: int = BLOCK_NT,
    seed: int = 0,
    device: str = "auto",
    licence: str = "not stated",
    quiet: bool = False,
) -> Adapted:
    """Adapt a genome model to a species; an interrupted adaptation goes on when called again.

    With a genome: it is scanned, and the model is trained on known precursors against all other
    candidates. Four of five blocks are trained on; the fifth is held out, tells the average precision before and
    after, and calibrates ``expected_fp_per_mb``. With files of examples alone: a fifth of the families and of the
    blocks of mined negatives is held out, which calibrates if the negatives are all of a scan.

    Parameters
    ----------
    genomes
        FASTA files of the genome.
    known
        GFF3 or BED of its known precursors.
    output
        Weights file to write, ending in ``.safetensors``; its card goes beside it as ``.json``. While it works, a
        folder of the same name, ending in ``.adapt``, holds the scan and the state of the training run.
    examples
        Pre-miRNAs, Parquet files of ``mirsweep plant``; besides those of the genome, if one is given.
    negatives
        Other hairpins, Parquet files of ``mirsweep mine``; likewise.
    start_from
        Model to start from; by default that of the preset.
    preset, epochs, block_nt, seed
        See ``AdaptParams``.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``, a GPU if there is one.
    licence
        Licence of the data, for the card.
    quiet
        No progress on standard error.

    Raises
    ------
    InputError, ModelError
        If an input is bad, the known precursors do not fit the genome, there is nothing to learn or to hold out, the
        model to start from is no genome model, or the output cannot be written.
    Interrupted
        On Ctrl-C; what is finished is kept.
    """
    from mirsweep.model.checkpoint import save

    params = AdaptParams(preset, epochs, block_nt, seed)
    path = check_weights(output)
    base = read_starting_model(start_from or default_model(preset))
    paths = [genomes] if isinstance(genomes, str | os.PathLike) else list(genomes)
    inputs = read_inputs(paths, known, examples, negatives, block_nt)
    work = claim_work(path.with_suffix(_WORK), inputs, base, asdict(params) | {"device": device})
    tell = _silent if quiet else say
    learn = _learning_set(inputs, work, base=base, params=params, device=device, quiet=quiet)
    _check_learning_set(learn, inputs)
    tell(f"adapting {base.card['name']}: {len(learn.positives)} pre-miRNAs, {len(learn.negatives)} other hairpins")
    model = _train(base, learn, params, work=work, device=device, tell=tell)
    metrics, calibration = _measure(base, model, learn.held_out, device=device)
    card = save(
        path,
        model.net,
        data=inputs.names | {"start_from": base.card["name"], "contigs": _contigs_seen(inputs, base)},
        licence=licence,
        protocol=asdict(params.training(len(learn.positives))) | {"held_out": _described(inputs, block_nt)},
        metrics=metrics,
        calibration=calibration,
    )
    shutil.rmtree(work, ignore_errors=True)
    return Adapted(path, card, len(learn.positives), len(learn.negatives), metrics)


def _learning_set(
    inputs: Inputs, work: Path, *, base: StartingModel, params: AdaptParams, device: str, quiet: bool
) -> LearningSet:
    from mirsweep.jobs.scanning.scan import scan
    from mirsweep.model.examples import concatenate

    if not inputs.genomes:
        return from_files(inputs.positives, inputs.negatives, block_nt=params.block_nt)
    report = scan(
        [genome.source for genome in inputs.genomes],
        output=work / SCAN,
        model=base.name,
        preset=params.preset,
        decoys="none",
        report=False,
        device=device,
        quiet=quiet,
    )
    if report.failures:
        raise InputError(
            f"{work / SCAN}: {len(report.failures)} shards of the scan failed ({report.failures[0].reason}); the same "
            "command tries them again."
        )
    rng = np.random.default_rng(params.seed)
    learn = from_scan(open_output(work / SCAN), inputs.loci, block_nt=params.block_nt, rng=rng)
    return learn._replace(
        positives=concatenate([learn.positives, *map(examples_of, inputs.positives)]),
        negatives=concatenate([learn.negatives, *map(examples_of, inputs.negatives)]),
    )


def _check_learning_set(learn: LearningSet, inputs: Inputs) -> None:
    source = f"{inputs.genomes[0].path}: " if inputs.genomes else ""
    if not len(learn.positives):
        raise InputError(f"{source}no candidate to learn from recovers a known precursor: give more known precursors.")
    if not len(learn.negatives):
        raise InputError(f"{source}no candidate to learn from lies away from known precursors: give more sequence.")
    if inputs.genomes and learn.held_out.is_positive.all():
        raise InputError(f"{source}no candidate is held out; give a longer genome, or other blocks with --block-nt.")


def _train(
    base: StartingModel, learn: LearningSet, params: AdaptParams, *, work: Path, device: str, tell: Any
) -> "GenomeModel":
    """The new model; its card is that of the old one until it is saved."""
    from mirsweep.jobs.scanning.run import Interrupted
    from mirsweep.model.genome_model import GenomeModel
    from mirsweep.model.genome_net import GenomeNet, weights_of
    from mirsweep.model.genome_train import train_genome_net, train_two_stage
    from mirsweep.model.two_stage import TwoStageNet

    def after_epoch(epoch: "GenomeEpoch", _: GenomeNet) -> None:
        tell(f"epoch {epoch.number} of {params.epochs}: loss {epoch.loss:.4f}, {epoch.seconds:.0f} s")

    train: Callable[..., GenomeNet | TwoStageNet] = train_genome_net
    if isinstance(base.net, TwoStageNet):
        train = train_two_stage
    try:
        with one_thread():
            net = train(
                learn.positives,
                learn.negatives,
                params=params.training(len(learn.positives)),
                start_from=base.net,
                device=device,
                state_path=work / STATE,
                after_epoch=after_epoch,
            )
    except KeyboardInterrupt as error:
        raise Interrupted(f"interrupted; the same command goes on from what is in {work}.") from error
    return GenomeModel(weights_of(net), base.card | {"calibration": None}, device=device)


def _measure(
    base: StartingModel, model: "GenomeModel", held_out: HeldOut, *, device: str
) -> tuple[dict[str, float], dict[str, list[float]] | None]:
    """Average precision among the held-out candidates before and after, and the new model's calibration."""
    from sklearn.metrics import average_precision_score

    from mirsweep.model.genome_model import GenomeModel
    from mirsweep.model.genome_net import weights_of

    after, is_positive = score_rows(model, held_out.table), held_out.is_positive
    mb = held_out.scanned_mb
    calibration = None if mb is None or is_positive.all() else calibrate(after[~is_positive], mb)
    if not is_positive.any() or is_positive.all():
        return {}, calibration
    before = score_rows(GenomeModel(weights_of(base.net), base.card, device=device), held_out.table)
    return {
        "n_positives": int(is_positive.sum()),
        "n_candidates": len(is_positive),
        "average_precision_before": float(average_precision_score(is_positive, before)),
        "average_precision_after": float(average_precision_score(is_positive, after)),
    }, calibration


def _contigs_seen(inputs: Inputs, base: StartingModel) -> list[dict[str, Any]]:
    """Contigs that the new model was trained on, those of the former one too, for the card."""
    of_base = base.card["data"].get("contigs") if isinstance(base.card["data"], dict) else None
    return describe_contigs(inputs.genomes) + described_contigs(of_base)


def _described(inputs: Inputs, block_nt: int) -> str:
    """What was held out, in words."""
    if inputs.genomes:
        return f"every fifth block of {block_nt} nt"
    return f"every fifth family of the pre-miRNAs and every fifth block of {block_nt} nt of the mined negatives"


def _silent(line: str) -> None:
    """No progress."""
