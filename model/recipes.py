"""Networks and training runs by name: the rows of the paper's tables, its authors' variants, and candidates."""

from dataclasses import dataclass, field, replace
from typing import Any

from mirsweep.model.net import NetConfig
from mirsweep.model.train import TrainParams

__all__ = [
    "ARCHITECTURES",
    "AUTHORS",
    "AUTHORS_NAME",
    "CANDIDATES",
    "COMBINATIONS",
    "HYPERPARAMETERS",
    "INPUT_KINDS",
    "PAPER",
    "PAPER_NAME",
    "SHORTER",
    "VARIANTS",
    "Recipe",
]


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


def _net(**changes: Any) -> Recipe:
    return Recipe(config=NetConfig(**changes))


PAPER_NAME = "LSTM(2)+ATT"
PAPER = Recipe()
"""The network of section 3.2, trained as in section 3.3."""

AUTHORS_NAME = "authors-code"
AUTHORS = Recipe(
    NetConfig(attention="shared"),
    TrainParams(initialisation="glorot", weighting="none", batch_size=256, output_dropout=False),
)
"""The same network as its authors' code trains it (github.com/eleventh83/deepMiRGene, reproduce/cv.py): in batches of
twice the size, and for twice as many epochs as the others here."""

ARCHITECTURES = {
    "1D-CNN(2)": _net(layer1="conv", layer2="conv", attention="none"),
    "CNN(2)+LSTM(2)": _net(n_convolutions=2, attention="none"),
    "CNN(2)+LSTM(2)+ATT": _net(n_convolutions=2),
    "LSTM(2)": _net(attention="none"),
    "LSTM(1)+ATT": _net(layer2="none"),
    PAPER_NAME: PAPER,
    "BiLSTM(1)+ATT": _net(layer1="bilstm", layer2="none"),
    "BiLSTM(2)+ATT": _net(layer1="bilstm", layer2="bilstm"),
}
"""Table 4. Sizes are those of the paper's own row wherever a row has the part: 20 units in the first layer and 10 in
the second, of each direction; 20 filters of 7 nt, in the second of two convolutions without LSTMs 10."""

SHORTER = {"CNN+LSTM": _net(layer1="conv", attention="none"), "CNN+LSTM+ATT": _net(layer1="conv")}
"""Beside table 4: one convolution and one LSTM."""

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
    "batches of 256": replace(PAPER, params=TrainParams(batch_size=256)),
    "no dropout before the output": replace(PAPER, params=TrainParams(output_dropout=False)),
    AUTHORS_NAME: AUTHORS,
}
"""Where the paper's text leaves a choice or its authors' code differs."""

COMBINATIONS = {
    "not weighted, Glorot": replace(PAPER, params=TrainParams(weighting="none", initialisation="glorot")),
}
"""Two of these differences at once, on human: the fewest that bring what all of them bring."""

HYPERPARAMETERS = {
    **{f"d1 = {n}": _net(n_hidden1=n) for n in (10, 40)},
    **{f"d2 = {n}": _net(n_hidden2=n) for n in (5, 20)},
    **{f"d3 = {n}": _net(n_dense1=n) for n in (100, 800)},
    **{f"d4 = {n}": _net(n_dense2=n) for n in (50, 200)},
    **{f"dropout {rate}": Recipe(params=TrainParams(dropout=rate)) for rate in (0.0, 0.2)},
    "RMSprop": Recipe(params=TrainParams(optimiser="rmsprop")),
    "SGD, rate 0.1": Recipe(params=TrainParams(optimiser="sgd", learning_rate=0.1)),
    "batch normalisation": _net(batch_norm=True),
}
"""The paper's appendix C, coarsely: one choice at a time, beside its d1 = 20, d2 = 10, d3 = 400, d4 = 100, dropout of
0.1 and Adam."""

_RELU = NetConfig(n_dense1=128, n_dense2=64, activation="relu")
_SEEING = replace(_RELU, statistics=True)
_STABLE = replace(_SEEING, energies=True)
_POOLED = replace(
    _SEEING, layer1="conv", layer2="conv", n_hidden1=48, n_hidden2=48, attention="pooled", n_heads=4, summary=True
)
_STEADY = TrainParams(
    initialisation="glorot",
    averaging=0.995,
    schedule="cosine",
    learning_rate=2e-3,
    dropout=0.2,
    weight_decay=0.01,
    weighting="none",
)
"""Settled on the first cross-species validation fold. Classes are not weighted: the threshold of 0.5 then
lies near the best F."""

CANDIDATES = {
    "LSTM(2)+ATT, ReLU": Recipe(_RELU, _STEADY),
    "LSTM(2)+ATT+statistics": Recipe(_SEEING, _STEADY),
    "LSTM(2)+ATT+statistics, trimmed": Recipe(_SEEING, replace(_STEADY, trim=6)),
    "LSTM(2)+ATT+statistics, distilled": Recipe(_SEEING, _STEADY, teacher="gradient boosting"),
    "LSTM(2)+ATT+statistics+energies": Recipe(_STABLE, _STEADY),
    "LSTM(2)+ATT+statistics+energies, distilled": Recipe(_STABLE, _STEADY, teacher="gradient boosting"),
    "LSTM(2)+ATT+partner+statistics": Recipe(replace(_SEEING, partner=True), _STEADY),
    "CNN+LSTM+ATT+statistics": Recipe(replace(_SEEING, layer1="conv", n_hidden1=32), _STEADY),
    "BiLSTM(2)+ATT+statistics": Recipe(replace(_SEEING, layer1="bilstm", layer2="bilstm"), _STEADY),
    "CNN(2)+pooled+statistics": Recipe(replace(_POOLED, partner=True), _STEADY),
}
"""Networks and training runs that may be better than the paper's, with smaller dense layers and ReLU. "statistics"
shows the classical features that need no energy to them, "energies" an estimate of the folding energy. "pooled" sees
the mean and maximum of the states over the positions, too. "distilled" has the probabilities of gradient boosting on
classical features as a second target. All end in the mean of their last weights, a cheap snapshot ensemble."""
