"""Models of both kinds by name or path; and what the package's names load."""

import subprocess
import sys

import pytest

import mirsweep.model
from mirsweep.model import GenomeModel, Model, Scorer, load_model


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


def test_what_needs_no_network_loads_no_torch():
    code = (
        "import sys; import mirsweep.model.defaults, mirsweep.model.stem, mirsweep.model.threads; "
        "from mirsweep.model import Dataset, ModelError, Prediction, Scorer, evaluate; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
