"""What runs on the nodes of a Ray session: scanning a shard; or folding it, and an actor that scores it."""

import logging
import socket
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from mirsweep.first_run import compile_kernels
from mirsweep.jobs.scanning.in_process import Outcome, one_line
from mirsweep.jobs.scanning.letters import ShardTask, Staging, read_here
from mirsweep.jobs.scanning.shard_work import (
    FoldedShard,
    Predicted,
    Scorer,
    fold_shard,
    pack_shard,
    predict_together,
    score_shard,
)
from mirsweep.jobs.scanning.staging import leave_part

__all__ = [
    "Folded",
    "Node",
    "Scanned",
    "Scored",
    "ScoringActor",
    "attention_task",
    "fold_task",
    "scan_task",
    "score_shards",
]


_log = logging.getLogger("mirsweep")


class Node(NamedTuple):
    """Where something was done: Ray's id of the node, and the name of its machine."""

    id: str
    host: str


class Folded(NamedTuple):
    """What the driver is told of a folding task.

    Attributes
    ----------
    n_candidates
        Candidates that wait to be scored; None if nothing was done, since the letters could not be read.
    is_read_here
        Whether the node has read the letters itself.
    """

    n_candidates: int | None
    is_read_here: bool
    node: Node


class Scored(NamedTuple):
    """What a scoring call gives: an outcome for each of its shards; and why parts come back as bytes, if it is so."""

    outcomes: tuple[Outcome, ...]
    node: Node
    refusal: str = ""


class Scanned(NamedTuple):
    """What a worker gives that scores what it has folded; nothing is scored where no letters could be read."""

    folded: Folded
    scored: Scored | None


def scan_task(
    task: ShardTask,
    kernels: Sequence[str],
    letters: Sequence[Any],
    boxed_weights: Sequence[Any],
    staging: Staging | None,
) -> Scanned:
    """Find, fold and score the candidates of a shard.

    Parameters
    ----------
    letters
        As for :func:`fold_task`.
    boxed_weights
        A reference to the model, followed once a process.
    staging
        Where the part is left, if that is seen here.

    Raises
    ------
    ModelError
        If there is something wrong with the model.
    """
    folded, shard = fold_task(task, kernels, letters)
    if shard is None:
        return Scanned(folded, None)
    outcome, refusal = _score(shard, _model(boxed_weights[0]), staging)
    return Scanned(folded, Scored((outcome,), folded.node, refusal))


def attention_task(boxed_weights: Sequence[Any], rows: pa.Table) -> list[np.ndarray] | None:
    """See :func:`mirsweep.jobs.sequences.explain.attention_by`: a worker that scores has the model."""
    from mirsweep.jobs.sequences.explain import attention_by

    model: Any = _model(boxed_weights[0])
    return attention_by(model, rows)


_MODELS: dict[str, Scorer] = {}
"""The model of this process, by its reference."""


def _model(weights: Any) -> Scorer:
    key = weights.hex()
    if key not in _MODELS:
        import ray

        _MODELS.clear()
        _MODELS[key] = ray.get(weights).load("cpu")
    return _MODELS[key]


def fold_task(task: ShardTask, kernels: Sequence[str], letters: Sequence[Any]) -> tuple[Folded, FoldedShard | None]:
    """What the driver waits for, and the candidates, which it never fetches.

    Parameters
    ----------
    letters
        A reference to the letters, followed only where the genomes' files are not seen; or none.
    """
    node = _node()
    found = read_here(task)
    is_read_here = found is not None
    if found is None and letters:
        import ray

        found = ray.get(letters[0])
    if found is None:
        return Folded(None, False, node), None
    _compiled(tuple(kernels))
    folded = fold_shard(task.shard, found, task.params)
    return Folded(folded.table.num_rows, is_read_here, node), folded


class ScoringActor:
    """Holds the model; finishes some folded shards a call.

    The weights come with each call, as a reference that is followed once: an actor that Ray restarts after a crash must
    not depend on arguments of its constructor, which Ray does not keep.
    """

    def __init__(self, device: str):
        self._device = device
        self._model: Scorer | None = None

    def load(self, boxed_weights: list[Any]) -> None:
        """Load the model before there is something to score.

        Raises
        ------
        ModelError
            If there is something wrong with it, or the device.
        """
        self._loaded(boxed_weights)

    def _loaded(self, boxed_weights: list[Any]) -> Scorer:
        if self._model is None:
            import ray

            self._model = ray.get(boxed_weights[0]).load(self._device)
        return self._model

    def score(self, boxed_weights: list[Any], staging: Staging | None, *folded: FoldedShard) -> Scored:
        """Score shards: on a GPU together, on a CPU one by one, where together saves nothing.

        Parameters
        ----------
        staging
            Where the parts are left, if that is seen here.
        """
        scored = score_shards(folded, self._loaded(boxed_weights), staging)
        refusals = [refusal for _, refusal in scored if refusal]
        return Scored(tuple(outcome for outcome, _ in scored), _node(), *refusals[:1])


def score_shards(folded: Sequence[FoldedShard], model: Scorer, staging: Staging | None) -> list[tuple[Outcome, str]]:
    """The outcome of each shard, and why its part was not left, if so; what a GPU scores it scores at once."""
    predicted = _predicted(folded, model) if model.device == "cuda" else [None] * len(folded)
    return [_score(each, model, staging, own) for each, own in zip(folded, predicted, strict=True)]


def _predicted(folded: Sequence[FoldedShard], model: Scorer) -> Sequence[Predicted | None]:
    """What the model says of each shard; nothing if it fails, so that each is tried by itself and a bad one found."""
    try:
        return predict_together(folded, model)
    except Exception as error:
        _log.warning("%d shards could not be scored together (%s): one by one", len(folded), one_line(error))
        return [None] * len(folded)


def _score(
    folded: FoldedShard, model: Scorer, staging: Staging | None, predicted: Predicted | None = None
) -> tuple[Outcome, str]:
    """The outcome of a shard, and why its part was not left, if so; what the model says of it may be known."""
    try:
        scored = score_shard(folded, model) if predicted is None else pack_shard(folded, predicted, model.label)
        left = leave_part(scored, staging)
    except Exception as error:  # one bad shard must not cost those that came with it
        return Outcome(folded.shard, None, one_line(error)), ""
    return Outcome(folded.shard, left.result), left.refusal


@cache
def _compiled(kernels: tuple[str, ...]) -> None:
    """Once a process: of a node's workers one compiles what its cache lacks, and the others wait for it."""
    compile_kernels(kernels)


@cache
def _node() -> Node:
    import ray

    return Node(ray.get_runtime_context().get_node_id(), socket.gethostname())
