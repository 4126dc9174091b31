"""Models of both kinds by name or path; and what the package's names load."""

import subprocess
import sys

import pytest

import mirsweep.model
from helpers_jobs import slice_bases, write_fasta
from mirsweep.model import GenomeModel, Model, Scorer, load_model
from mirsweep.model.genome_weights import Form, forms_of
from mirsweep.model.two_stage import network_of


@pytest.mark.parametrize(("name", "kind"), [("genome", GenomeModel), ("paper-cross", Model)])
def test_each_kind_of_model_is_a_scorer(name, kind):
    model = load_model(name)
    assert type(model) is kind
    assert model.label == f"{name}:{model.digest[:12]}"
    members = {*Scorer.__annotations__, "label", "predict", "score"}
    assert all(hasattr(model, member) for member in members)


def test_every_name_of_the_package_is_there():
    assert all(getattr(mirsweep.model, name) is not None for name in mirsweep.model.__all__)
    assert set(mirsweep.model.__all__) <= set(dir(mirsweep.model))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        mirsweep.model.Nothing  # noqa: B018


def test_a_scan_with_its_page_loads_no_torch(tmp_path):
    """By a genome model on the CPU: torch takes a second, and 200 MB."""
    fasta = write_fasta(tmp_path / "g.fa", {"c": slice_bases(0, 60_000)})
    code = (
        "import sys; from mirsweep.jobs import scan; "
        "report = scan(sys.argv[1], output=sys.argv[2], local=True, device='cpu', quiet=True); "
        "assert report.output.joinpath('report.html').is_file(); sys.exit('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(fasta), str(tmp_path / "out")]
    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize("name", ["genome", "genome-plant"])
def test_forms_of_arrays_are_those_of_the_networks_in_torch(name):
    weights = load_model(name).weights
    tensors = network_of(weights).state_dict()
    assert forms_of(weights.config) == {
        name: Form(tuple(tensor.shape), tensor.numpy().dtype) for name, tensor in tensors.items()
    }


def test_what_needs_no_network_loads_no_torch():
    code = (
        "import sys; import mirsweep.model.defaults, mirsweep.model.stem, mirsweep.model.threads; "
        "from mirsweep.model import Dataset, ModelError, Prediction, Scorer, evaluate; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
