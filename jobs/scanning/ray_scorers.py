"""The scoring actors of a Ray session: how many there are, on which nodes, and which of them have loaded the model.

There are some where GPUs score. Without them each worker scores what it has folded: on a CPU that takes an eighth of
the time, and nothing is handed on.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from mirsweep.jobs.scanning.ray_work import ScoringActor
from mirsweep.model.errors import ModelError
from mirsweep.scanner.errors import InputError

__all__ = ["PER_GPU", "RESOURCE", "ScorerPlan", "Scorers", "plan_scorers"]

_HAIRPINS_A_CALL = {"cpu": 4096, "cuda": 32_768}
"""A scoring call takes shards that are waiting until it has so many hairpins. Nothing is waited for: where folding is
slower each shard goes at once. On a CPU many at a time save nothing (12,000 hairpins: 0.5 s at once, and in five)."""
RESOURCE = "MIRSWEEP_SCORER_RESOURCE"
"""Environment variable: a custom resource of Ray; each unit of it gets a scoring actor, as a GPU does."""
PER_GPU = "MIRSWEEP_SCORERS_PER_GPU"
"""Environment variable: scoring actors that share a GPU."""


class ScorerPlan(NamedTuple):
    """Which scoring actors there are to be.

    Attributes
    ----------
    n
        How many; none where workers score.
    device
        What they score on.
    options
        What Ray is told of each: the resources that it takes.
    """

    n: int
    device: str
    options: dict[str, Any]

    @property
    def hairpins_a_call(self) -> int:
        """Hairpins that a call takes, unless a single shard has more; where a GPU may be, as many as one is to get."""
        return _HAIRPINS_A_CALL["cpu" if self.device == "cpu" else "cuda"]


def plan_scorers(device: str, resources: Mapping[str, float]) -> ScorerPlan:
    """An actor for each unit of the resource that was named, else on each GPU; else none.

    Parameters
    ----------
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    resources
        Those of the cluster.

    Raises
    ------
    InputError
        If the resource or a GPU was asked for and there is none.
    """
    if name := os.environ.get(RESOURCE):
        n = int(resources.get(name, 0))
        if not n:
            raise InputError(f"{RESOURCE} is {name!r}, but no node of the Ray cluster has such a resource.")
        return ScorerPlan(n, device, {"num_cpus": 0, "resources": {name: 1}})
    n_gpus = int(resources.get("GPU", 0))
    if device == "cuda" and not n_gpus:
        raise InputError("device 'cuda' was asked for but Ray has no GPU: choose --device cpu or auto.")
    if n_gpus and device != "cpu":
        each = _scorers_per_gpu()
        return ScorerPlan(each * n_gpus, "cuda", {"num_cpus": 0, "num_gpus": 1 / each})
    return ScorerPlan(0, "cpu", {})


def _scorers_per_gpu() -> int:
    given = os.environ.get(PER_GPU, "1")
    if not (given.isdecimal() and int(given)):
        raise InputError(f"{PER_GPU} is {given[:40]!r}: give the number of scoring actors that share a GPU, 1 or more.")
    return int(given)


class Scorers:
    """The actors of a plan.

    Parameters
    ----------
    ray
        The ray module, initialised.
    boxed_weights
        A reference to the model that they load.

    Attributes
    ----------
    loading
        References by which Ray tells when an actor has loaded the model, and the actor's number.
    """

    def __init__(self, ray: Any, plan: ScorerPlan, boxed_weights: list[Any]):
        self._ray, self.plan, self._boxed = ray, plan, boxed_weights
        options = plan.options | {"max_restarts": -1, "max_task_retries": 3}
        self._class = ray.remote(**options)(ScoringActor)
        self._actors: list[Any] = []
        self.loading: dict[Any, int] = {}
        for _ in range(plan.n):
            self._add()

    def __len__(self) -> int:
        return len(self._actors)

    @property
    def loaded(self) -> list[int]:
        """Numbers of the actors that can score."""
        busy = set(self.loading.values())
        return [number for number in range(len(self._actors)) if number not in busy]

    def _add(self) -> None:
        actor = self._class.remote(self.plan.device)
        self.loading[actor.load.remote(self._boxed)] = len(self._actors)
        self._actors.append(actor)

    def take_loaded(self, reference: Any) -> None:
        """An actor has ended loading.

        Raises
        ------
        ModelError
            If it found the model bad, or its device missing: it could score nothing.
        """
        del self.loading[reference]
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ModelError):
                raise error.cause from None
        except self._ray.exceptions.RayError:
            pass  # the actor is started again, and loads the model when it scores

    def score(self, number: int, staging: Any, payloads: list[Any]) -> Any:
        """Let an actor score folded shards; a reference to the outcomes."""
        return self._actors[number].score.remote(self._boxed, staging, *payloads)

    def close(self) -> None:
        """End them all."""
        for actor in self._actors:
            self._ray.kill(actor)
