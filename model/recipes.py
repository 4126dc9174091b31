"""Networks and trainings by name: the rows of the paper's tables, its authors' variants, and candidates."""

from dataclasses import dataclass, field, replace

from mirsweep.model.net import NetConfig
from mirsweep.model.train import TrainParams

__all__ = ["ARCHITECTURES", "CANDIDATES", "INPUT_KINDS", "PAPER", "PAPER_NAME", "VARIANTS", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained.

    Attributes
    ----------
    config, params
        Network and training; number of epochs and seed are set by whoever runs it.
    teacher
        Baseline whose out-of-fold probabilities on the training set the network learns beside the labels
        (:func:`mirsweep.model.baselines.out_of_fold`); none by default.
    """

    config: NetConfig = field(default_factory=NetConfig)
    params: TrainParams = field(default_factory=TrainParams)
    teacher: str | None = None


def _net(**changes: object) -> Recipe:
    return Recipe(config=NetConfig(**changes))


PAPER_NAME = "LSTM(2)+ATT"
PAPER = Recipe()
"""The network of section 3.2, trained as in section 3.3."""

ARCHITECTURES = {
    "1D-CNN(2)": _net(layer1="conv", layer2="conv", attention="none"),
    "CNN+LSTM": _net(layer1="conv", attention="none"),
    "CNN+LSTM+ATT": _net(layer1="conv"),
    "LSTM(2)": _net(attention="none"),
    "LSTM(1)+ATT": _net(layer2="none"),
    PAPER_NAME: PAPER,
    "BiLSTM(1)+ATT": _net(layer1="bilstm", layer2="none"),
    "BiLSTM(2)+ATT": _net(layer1="bilstm", layer2="bilstm"),
}
"""Table 4. Sizes are those of the paper's own row wherever a row has the part: 20 units in the first layer and 10 in
the second, of each direction; filters of 7 nt."""

INPUT_KINDS = {
    "sequence only": _net(inputs="sequence"),
    "structure only": _net(inputs="structure"),
    "both": PAPER,
}
"""Figure 3."""

VARIANTS = {
    "soft encoding": _net(encoding="soft"),
    "shared attention": _net(attention="shared"),
    "classes not weighted": replace(PAPER, params=TrainParams(weighting="none")),
    "Glorot initialisation": replace(PAPER, params=TrainParams(initialisation="glorot")),
    "unmasked padding": _net(padding="zeros"),
}
"""Where the paper's text leaves a choice or its authors' code differs."""

_DENSE = {"n_dense1": 128, "n_dense2": 64, "activation": "relu", "statistics": True}
_POOLED = {"attention": "pooled", "n_heads": 4, "summary": True, "partner": True} | _DENSE
_CONV = NetConfig(layer1="conv", layer2="conv", n_hidden1=48, n_hidden2=48, **_POOLED)
_CONV_LSTM = NetConfig(layer1="conv", layer2="bilstm", n_hidden1=48, n_hidden2=24, **_POOLED)
_LSTM = NetConfig(n_hidden1=24, n_hidden2=24, **_POOLED)
_STEADY = TrainParams(
    initialisation="glorot",
    averaging=0.998,
    schedule="cosine",
    learning_rate=2e-3,
    dropout=0.2,
    weight_decay=0.01,
    weighting="none",
)
"""Settled on the first cross-species validation fold. Classes are not weighted: the border at a score of 0.5 then
lies near the best F."""

CANDIDATES = {
    "LSTM(2)+ATT+statistics": Recipe(NetConfig(**_DENSE), _STEADY),
    "LSTM(2)+pooled+statistics": Recipe(_LSTM, _STEADY),
    "CNN(2)+pooled+statistics": Recipe(_CONV, _STEADY),
    "CNN(2)+pooled+statistics, trimmed": Recipe(_CONV, replace(_STEADY, trim=6)),
    "CNN(2)+pooled+statistics, taught": Recipe(_CONV, _STEADY, teacher="gradient boosting"),
    "CNN+BiLSTM+pooled+statistics": Recipe(_CONV_LSTM, _STEADY),
}
"""Networks and trainings that may be better than the paper's. "statistics" shows the classical features that need no
energy to the dense layers, which then have ReLU: behind sigmoids these features help little. The pooled ones see the
pairing partner's base, and the mean and maximum of the states over the positions, too. "taught" distils gradient
boosting on classical features into the network. All end in the mean of their last weights, a cheap snapshot
ensemble."""
