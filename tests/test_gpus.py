"""Which GPUs worker processes use, and how many share them; without a GPU."""

import types
from collections import Counter

import pytest
import torch

from mirsweep.jobs.scanning import gpus, on_cores
from mirsweep.jobs.scanning.weights import Weights
from mirsweep.scanner import InputError


def machine_with(monkeypatch: pytest.MonkeyPatch, *sizes_gb: float) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(sizes_gb))
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda k: types.SimpleNamespace(total_memory=int(sizes_gb[k] * 1e9))
    )


@pytest.mark.parametrize(
    ("visible", "expected"),
    [(None, ["0", "1"]), ("", ["0", "1"]), ("3,5", ["3", "5"]), ("GPU-8f, GPU-2a", ["GPU-8f", "GPU-2a"])],
)
def test_gpus_as_they_are_named(monkeypatch: pytest.MonkeyPatch, visible: str | None, expected: list[str]) -> None:
    machine_with(monkeypatch, 80, 80)
    if visible is None:
        monkeypatch.delenv(gpus.VISIBLE, raising=False)
    else:
        monkeypatch.setenv(gpus.VISIBLE, visible)
    assert gpus.visible_gpus() == expected


def test_as_many_workers_as_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(monkeypatch, 80, 8)
    assert gpus.workers_on_gpus() == 80 // 3 + 8 // 3


def test_a_gpu_that_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(monkeypatch, 2)
    with pytest.raises(InputError, match=r"has 2\.0 GB, too few .* --device cpu"):
        gpus.workers_on_gpus()


def test_workers_share_the_gpus_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[on_cores.Begin, str | None]] = []

    class Started:
        def __init__(self, begin: on_cores.Begin, gpu: str | None):
            begun.append((begin, gpu))
            self.gpu = gpu

        def end(self) -> None:
            pass

    monkeypatch.setattr(on_cores, "_Worker", Started)
    executor = on_cores.OnCores(Weights(()), workers=5, gpus=("2", "7"))
    assert Counter(gpu for _, gpu in begun) == {"2": 3, "7": 2}
    assert {begin.device for begin, _ in begun} == {"cuda"}
    assert executor.describe() == {"kind": "cores", "workers": 5, "gpus": 2}
    executor._drop(executor._workers[1])  # one that died on GPU 7
    executor._fill()
    assert begun[-1][1] == "7"
    executor.close()


def test_without_gpus_workers_score_on_their_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_cores, "_Worker", lambda begin, gpu: types.SimpleNamespace(begin=begin, gpu=gpu, end=None))
    executor = on_cores.OnCores(Weights(()), workers=2)
    assert [(worker.gpu, worker.begin.device) for worker in executor._workers] == [(None, "cpu")] * 2
    assert executor.describe() == {"kind": "cores", "workers": 2}
