"""How many scoring actors there are, and on what, by what a Ray cluster has."""

import pytest

from mirsweep.jobs.scanning.ray_scorers import PER_GPU, RESOURCE, plan_scorers
from mirsweep.scanner import InputError


def test_without_gpus_workers_score():
    assert plan_scorers("auto", {"CPU": 10.0}).n == plan_scorers("cpu", {"CPU": 10.0, "GPU": 2.0}).n == 0


def test_one_on_each_gpu():
    plan = plan_scorers("auto", {"CPU": 10.0, "GPU": 2.0})
    assert (plan.n, plan.device, plan.options["num_gpus"]) == (2, "cuda", 1)
    assert plan.hairpins_a_call > plan_scorers("cpu", {"GPU": 2.0}).hairpins_a_call


def test_several_share_a_gpu(monkeypatch):
    monkeypatch.setenv(PER_GPU, "3")
    plan = plan_scorers("cuda", {"GPU": 2.0})
    assert (plan.n, plan.options["num_gpus"]) == (6, 1 / 3)


def test_a_resource_that_is_named_takes_the_place_of_a_gpu(monkeypatch):
    monkeypatch.setenv(RESOURCE, "scorers")
    plan = plan_scorers("auto", {"CPU": 10.0, "GPU": 2.0, "scorers": 2.0})
    assert (plan.n, plan.device) == (2, "auto")
    assert plan.options["resources"] == {"scorers": 1}
    assert plan.hairpins_a_call == plan_scorers("cuda", {"scorers": 1.0}).hairpins_a_call, "a GPU may be there"


@pytest.mark.parametrize(
    ("device", "variable", "value", "named"),
    [
        ("cuda", PER_GPU, "1", "Ray has no GPU"),
        ("auto", RESOURCE, "scorers", "no node of the Ray cluster has such a resource"),
    ],
)
def test_what_was_asked_for_and_is_not_there_is_named(monkeypatch, device, variable, value, named):
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=named):
        plan_scorers(device, {"CPU": 4.0})


@pytest.mark.parametrize("value", ["0", "-1", "two", ""])
def test_a_bad_number_is_named(monkeypatch, value):
    monkeypatch.setenv(PER_GPU, value)
    with pytest.raises(InputError, match=f"{PER_GPU} is"):
        plan_scorers("auto", {"GPU": 1.0})
