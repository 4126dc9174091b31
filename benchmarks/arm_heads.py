"""What the networks' heads say of hairpins' arms, and the known mature sequences beside it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from genome_runs import RUNS, Work
from mirsweep.jobs.training.examples import ARM_COLUMNS, TEXT_COLUMNS
from mirsweep.jobs.training.plant import plant_examples
from mirsweep.jobs.training.precursors import Exclusion, Precursor
from mirsweep.model import load_model
from mirsweep.model.arms import Decoded
from mirsweep.model.genome_model import GenomeModel
from mirsweep.model.genome_on_cpu import terminal_columns


class Heads(NamedTuple):
    """Of n hairpins; shapes (n, c, 2), (n,), (n, 4, c), (n,), (n,): what ``mirsweep.model.arms.decode_arms`` takes."""

    places: np.ndarray
    n_loop: np.ndarray
    ends: np.ndarray
    arm_logits: np.ndarray
    is_matched: np.ndarray

    def take(self, rows: np.ndarray) -> "Heads":
        """Those of some hairpins."""
        return Heads(*(part[rows] for part in self))


class KnownArms(NamedTuple):
    """Hairpins with known mature sequences.

    Attributes
    ----------
    heads
        What a model that has not seen the species says.
    spans
        Start and end on the 5' arm, then on the 3' arm, -1 where none is annotated; int64, shape (n, 4).
    families
        Of the precursors.
    """

    heads: Heads
    spans: np.ndarray
    families: list[str]

    def take(self, rows: np.ndarray) -> "KnownArms":
        """Some of the hairpins."""
        return KnownArms(self.heads.take(rows), self.spans[rows], [self.families[k] for k in np.flatnonzero(rows)])


@torch.inference_mode()
def heads_of(model: GenomeModel, texts: Sequence[list[str]]) -> Heads:
    """What a model says of hairpins, given as ``TEXT_COLUMNS``."""
    n, found = len(texts[0]), []
    for rows, batch, places in model.batches(*texts):
        output = model.network(*batch)
        ends = output.ends.log_softmax(2).numpy()[:, :, : places.shape[1]]
        is_matched = batch.matches.any(2).any(1).numpy()
        found.append(
            (rows, Heads(places, terminal_columns(batch.tokens.numpy()), ends, output.arm_logits.numpy(), is_matched))
        )
    width = max(heads.places.shape[1] for _, heads in found)
    out = Heads(
        np.full((n, width, 2), -1, np.int16),
        np.zeros(n, np.int64),
        np.zeros((n, 4, width), np.float32),
        np.zeros(n, np.float32),
        np.zeros(n, bool),
    )
    for rows, heads in found:
        own = heads.places.shape[1]
        out.places[rows, :own], out.ends[rows, :, :own] = heads.places, heads.ends
        out.n_loop[rows], out.arm_logits[rows], out.is_matched[rows] = heads.n_loop, heads.arm_logits, heads.is_matched
    return out


def planted(work: Work, name: str, known: Sequence[Precursor], chromosomes: Sequence[str]) -> KnownArms:
    """miRBase's precursors of the species that a run left out, inserted into the genomes of its negatives: the
    best-scored candidate, and of paralogues with the same mature sequences one.

    Parameters
    ----------
    chromosomes
        What shares 16 nt with a precursor that is known on these is left out: they serve to measure.
    """
    run = RUNS[name]
    left_out = Exclusion(homologues_of=tuple(work.known_sequences(chromosomes)))
    kept = [p for p in known if p.species in run.species and p.source == "miRBase" and not left_out.holds(p)]
    genomes = [work.genome(part.stem) for part in run.negatives]
    table = plant_examples(kept, genomes, preset=run.kingdom, seed=1).positives
    model = load_model(work.folder / f"{name}.safetensors")
    texts = [table[column].to_pylist() for column in TEXT_COLUMNS]
    spans = np.column_stack([table[column].to_numpy() for column in ARM_COLUMNS]).astype(np.int64)
    found = KnownArms(heads_of(model, texts), spans, table["family"].to_pylist())
    return found.take(once_each(texts[0], spans, model.score(*texts)))


def once_each(sequences: Sequence[str], spans: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Of the hairpins with the same annotated mature sequences the best-scored; bool, shape (n,)."""
    chosen, seen = np.zeros(len(sequences), bool), set[str]()
    for k in np.argsort(-scores, kind="stable").tolist():
        own = {sequences[k][a:b] for a, b in spans[k].reshape(2, 2).tolist() if a >= 0}
        chosen[k] = bool(own) and seen.isdisjoint(own)
        seen |= own
    return chosen


def overhangs_of(heads: Heads, spans: np.ndarray) -> np.ndarray:
    """What the 3' ends of both products overhang in columns, Dicer's then Drosha's; int64, shape (n, 2)."""
    columns = np.full((len(spans), int(heads.places.max()) + 1), -1)
    for row in range(2):
        record, column = np.nonzero(heads.places[:, :, row] >= 0)
        columns[record, heads.places[record, column, row]] = column
    rows = np.arange(len(spans))
    start5, end5, start3, end3 = spans.T.astype(np.int64)
    inner = columns[rows, start3] - columns[rows, end5 - 1]
    return np.column_stack([inner, columns[rows, end3 - 1] - columns[rows, start5]])


def hits(decoded: Decoded, known: np.ndarray, within: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each annotated mature sequence: is its 5' end found so closely, and its 3' end; bool, shape (m,) each."""
    is_near = np.abs(decoded.spans - known) <= within
    starts, ends = (np.concatenate([is_near[known[:, k] >= 0, k] for k in pair]) for pair in ((0, 2), (1, 3)))
    return starts, ends
