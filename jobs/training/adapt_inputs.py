"""What a model is adapted from and to: read and checked before any work."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.jobs.results.digests import describe_file
from mirsweep.jobs.results.fit import check_fit
from mirsweep.jobs.results.known import Locus, read_known
from mirsweep.jobs.training.examples import read_examples
from mirsweep.jobs.training.learning_set import HELD_OUT_EVERY, is_held_out
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import Genome, open_genome

if TYPE_CHECKING:
    from mirsweep.model.genome_net import GenomeNet
    from mirsweep.model.two_stage import TwoStageNet

__all__ = ["Inputs", "StartingModel", "read_inputs", "read_starting_model"]


class StartingModel(NamedTuple):
    """The model that is adapted, and how it was named."""

    name: str | os.PathLike
    net: "GenomeNet | TwoStageNet"
    card: dict[str, Any]


class Inputs(NamedTuple):
    """What is adapted to, read and checked.

    Attributes
    ----------
    genomes, loci
        The genome and its known precursors.
    positives, negatives
        Tables of the files of examples.
    names
        File names by kind, for the card.
    digests
        sha256 of the files of examples, hex.
    """

    genomes: list[Genome]
    loci: list[Locus]
    positives: list[pa.Table]
    negatives: list[pa.Table]
    names: dict[str, list[str]]
    digests: list[str]


def read_starting_model(start_from: str | os.PathLike) -> StartingModel:
    """A genome model by the name of bundled weights or by path.

    Raises
    ------
    InputError, ModelError
        If there is none, or it is another kind of model.
    """
    from mirsweep.model.checkpoint import load
    from mirsweep.model.net import Net

    checkpoint = load(start_from)
    if isinstance(checkpoint.net, Net):
        raise InputError(f"{start_from}: not a genome model; start from genome, genome-plant or one adapted from them.")
    return StartingModel(start_from, checkpoint.net, checkpoint.card)


def read_inputs(
    genomes: Sequence[str | os.PathLike],
    known: str | os.PathLike | None,
    examples: Sequence[str | os.PathLike],
    negatives: Sequence[str | os.PathLike],
    block_nt: int,
) -> Inputs:
    """Everything that can be wrong with the inputs is found here, before any work."""
    if bool(genomes) != (known is not None):
        raise InputError("a genome and its known precursors go together: give GENOME and --known, or neither.")
    if not genomes and not (examples and negatives):
        raise InputError(
            "nothing to adapt to: give GENOME with --known, or --examples (mirsweep plant) with --negatives (mirsweep "
            "mine)."
        )
    positives = list(read_examples(examples, label=True))
    others = list(read_examples(negatives, label=False))
    opened = [open_genome(path) for path in genomes]
    loci = _read_known(known, opened, block_nt) if known is not None else []
    names = {"genomes": genomes, "known": [known] if known is not None else [], "examples": examples}
    names |= {"negatives": negatives}
    given = {kind: [Path(path).name for path in paths] for kind, paths in names.items() if paths}
    return Inputs(
        opened,
        loci,
        positives,
        others,
        given,
        [describe_file(Path(path))["sha256"] for path in (*examples, *negatives)],
    )


def _read_known(known: str | os.PathLike, genomes: Sequence[Genome], block_nt: int) -> list[Locus]:
    """Known precursors, some of which lie in blocks to learn from; and the genome has blocks to hold out."""
    counts = Counter(contig.name for genome in genomes for contig in genome.contigs)
    shared = [name for name, count in counts.items() if count > 1]
    if shared:
        raise InputError(
            f"{known}: contig {shared[0]!r} is in several genomes, so that its loci cannot be told apart: give the "
            "genomes one by one, or contigs with names of their own."
        )
    contigs = {contig.name: contig.length for genome in genomes for contig in genome.contigs}
    loci = read_known(known)
    check_fit(loci, contigs, known=known, where="the genome", consequence="they are left out")
    if max(contigs.values()) <= (HELD_OUT_EVERY - 1) * block_nt:
        raise InputError(
            f"{genomes[0].path}: too short to hold a part out; give contigs of more than "
            f"{(HELD_OUT_EVERY - 1) * block_nt} nt, or shorter blocks with --block-nt."
        )
    starts = np.array([locus.start for locus in loci if locus.contig in contigs])
    if is_held_out(starts, block_nt).all():
        raise InputError(
            f"{known}: all its loci lie in blocks that are held out, so that there is nothing to learn: give more of "
            "them, or blocks of another length with --block-nt."
        )
    return loci
