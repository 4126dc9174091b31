"""Readers of weights and their cards, of training that was interrupted, of examples, of reproductions under way."""

import hashlib
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from hypothesis import strategies as st
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of_tensors

from helpers_fuzz import Files, Reader, mutated, mutated_json
from helpers_fuzz_tables import mutated_parquet
from helpers_fuzz_texts import odd_or
from mirsweep.jobs.paper.experiments import TrainingRun
from mirsweep.jobs.paper.training_runs import finished_epochs, read_finished, run_folder
from mirsweep.jobs.training.adapt_work import _read_facts
from mirsweep.jobs.training.examples import EXAMPLE_SCHEMA, examples_of, read_examples, scanned_mb_of
from mirsweep.model import load_model
from mirsweep.model.checkpoint import save
from mirsweep.model.genome_config import GenomeConfig, TwoStageConfig
from mirsweep.model.genome_net import GenomeNet
from mirsweep.model.net import Net, NetConfig
from mirsweep.model.training_state import read_state
from mirsweep.model.two_stage import TwoStageNet

__all__ = ["MODEL_READERS"]

_HAIRPINS = (["GGGGGAAAACCCCC", "ACGUACGUUUUUACGUACGU" * 3], ["(((((....)))))", "." * 60])


@cache
def _models() -> dict[str, tuple[bytes, dict[str, Any]]]:
    """Weights and card of a small model of each kind."""
    torch.manual_seed(1)
    small = GenomeConfig(n_channels=4, n_hidden=4, n_heads=1, dilations=(1,), n_words=3)
    second = GenomeConfig(n_channels=4, n_hidden=4, n_heads=1, dilations=(1,))
    nets = {
        "net": Net(NetConfig(n_hidden1=3, n_hidden2=2, n_dense1=4, n_dense2=4, max_length=90)),
        "genome": GenomeNet(small),
        "two-stage": TwoStageNet(TwoStageConfig(small, (second,), rescored_from=-5.0)),
    }
    for parameter in (parameter for net in nets.values() for parameter in net.parameters()):
        torch.nn.init.normal_(parameter, std=0.5)
    calibration = {"score": [0.1, 0.5, 0.9], "fp_per_mb": [1000.0, 10.0, 0.1]}
    with TemporaryDirectory() as folder:
        for name, net in nets.items():
            save(
                Path(folder, name),
                net,
                data="d",
                licence="l",
                protocol={"epochs": 1},
                metrics={},
                calibration=calibration,
            )
            load_model(Path(folder, f"{name}.safetensors")).predict(*_HAIRPINS)  # kernels are compiled here, untimed
        return {
            name: (
                Path(folder, f"{name}.safetensors").read_bytes(),
                json.loads(Path(folder, f"{name}.json").read_text()),
            )
            for name in nets
        }


@st.composite
def _model_files(draw: st.DrawFn, kind: str) -> Files:
    """Card or weights changed; the card has the digest of the weights more often than not."""
    weights, card = _models()[kind]
    what = draw(st.sampled_from(("card", "card", "bytes", "tensors")))
    if what == "bytes":
        weights = draw(mutated(weights))
    elif what == "tensors":
        weights = draw(_tensors(weights))
    digest = hashlib.sha256(weights).hexdigest()
    text = json.dumps(card | {"digest": digest}).encode()
    if what == "card" or draw(st.integers(0, 9)) == 0:
        text = draw(mutated_json(card | {"digest": digest}))
    return {
        "m.safetensors": draw(odd_or(st.just(weights))),
        "m.json": draw(odd_or(st.just(text))),
    }


@st.composite
def _tensors(draw: st.DrawFn, weights: bytes) -> bytes:
    """Weights with a tensor of other values, kind or shape, or without it."""
    tensors = tensors_of(weights)
    name = draw(st.sampled_from(sorted(tensors)))
    how = draw(st.sampled_from(("value", "value", "kind", "shape", "gone", "more")))
    if how == "value" and tensors[name].is_floating_point():
        value = draw(st.sampled_from((float("nan"), float("inf"), 1e38, -1e38, 1e-40, 0.0)))
        tensors[name] = torch.full_like(tensors[name], value)
        if draw(st.booleans()):  # all of them
            tensors |= {n: torch.full_like(t, value) for n, t in tensors.items() if t.is_floating_point()}
    elif how == "value":
        tensors[name] = torch.full_like(tensors[name], draw(st.sampled_from((0, -1, 2**31 - 1))))
    elif how == "kind":
        tensors[name] = tensors[name].to(
            draw(st.sampled_from((torch.float16, torch.int64, torch.bool, torch.complex64)))
        )
    elif how == "shape":
        tensors[name] = draw(
            st.sampled_from((tensors[name].reshape(-1), tensors[name].reshape(-1)[:0], torch.zeros(())))
        )
    elif how == "gone":
        del tensors[name]
    else:
        tensors["x"] = torch.zeros(1)
    return bytes_of_tensors({n: t.contiguous() for n, t in tensors.items()})


def _read_model(folder: Path) -> None:
    found = load_model(folder / "m.safetensors").predict(*_HAIRPINS)
    assert np.isfinite(found.scores).all(), "a score that is none"
    if found.expected_fp_per_mb is not None:
        assert np.isfinite(found.expected_fp_per_mb).all(), "a rate that is none"


def _state_files() -> st.SearchStrategy[Files]:
    facts = {"fingerprint": "f", "losses": "[1.0]", "epoch": "1"}
    whole = bytes_of_tensors({"a": torch.ones(3)}, facts)
    metadata = st.sampled_from(("", "x", "[" * 9000, "NaN", "9" * 5000, "null")).map(
        lambda text: bytes_of_tensors({"a": torch.ones(3)}, facts | {"losses": text})
    )
    return st.fixed_dictionaries({"training.state": odd_or(st.one_of(mutated(whole), metadata))})


def _read_state(folder: Path) -> None:
    read_state(folder / "training.state", fingerprint="f")


def _adapt_files() -> st.SearchStrategy[Files]:
    facts = {"mirsweep": "0.1.0", "genomes": [["g", "x"]], "known": "y", "examples": [], "epochs": 3}
    return st.fixed_dictionaries({"adapt.json": odd_or(mutated_json(facts))})


def _read_adapt(folder: Path) -> None:
    _read_facts(folder / "adapt.json")


_PAPER_RUN = TrainingRun("libsvm", "human")


def _paper_files() -> st.SearchStrategy[Files]:
    folder = str(run_folder(Path("."), _PAPER_RUN))
    scores = b"label\tclean\tscore\n1\t1\t0.9\n0\t1\t0.25\n"
    state = bytes_of_tensors({"a": torch.ones(3)}, {"losses": "[1.0]"})
    return st.fixed_dictionaries(
        {
            f"{folder}/run.json": odd_or(mutated_json({"seconds": 1.5, "epochs": 3, "settings": {"seed": 1}})),
            f"{folder}/scores.tsv": odd_or(mutated(scores)),
            f"{folder}/state": odd_or(mutated(state)),
        }
    )


def _read_paper(folder: Path) -> None:
    finished_epochs(folder, _PAPER_RUN)
    read_finished(folder, _PAPER_RUN)


def _examples() -> pa.Table:
    texts = {"sequence": "GGGGGAAAACCCCC", "structure": "(((((....)))))", "flank_5p": "A", "flank_3p": ""}
    facts = {"label": True, "weight": 1.0, "species": "hsa", "source": "x"} | dict.fromkeys(
        EXAMPLE_SCHEMA.names[-4:], -1
    )
    rows = [texts | facts | {"family": f"mir{k}"} for k in range(4)]
    return pa.Table.from_pylist(rows, schema=EXAMPLE_SCHEMA)


def _read_examples(folder: Path) -> None:
    for table in read_examples([folder / "e.parquet"], label=True):
        examples_of(table)
        scanned_mb_of(table)


MODEL_READERS = (
    *(
        Reader(f"model-{kind}", st.just(kind).flatmap(_model_files), _read_model)
        for kind in ("net", "genome", "two-stage")
    ),
    Reader("training-state", _state_files(), _read_state),
    Reader("adapt-work", _adapt_files(), _read_adapt),
    Reader("reproduction", _paper_files(), _read_paper),
    Reader("examples", st.fixed_dictionaries({"e.parquet": odd_or(mutated_parquet(_examples()))}), _read_examples),
)
