"""Networks by name: the rows of the paper's tables, its authors' variants, and candidates that may be better."""

from dataclasses import replace

from mirsweep.model.net import NetConfig

__all__ = ["ARCHITECTURES", "CANDIDATES", "INPUT_KINDS", "PAPER", "VARIANTS"]

PAPER = NetConfig()
"""LSTM(2)+ATT, the network of section 3.2."""

ARCHITECTURES = {
    "1D-CNN(2)": replace(PAPER, layer1="conv", layer2="conv", attention="none"),
    "CNN+LSTM": replace(PAPER, layer1="conv", attention="none"),
    "CNN+LSTM+ATT": replace(PAPER, layer1="conv"),
    "LSTM(2)": replace(PAPER, attention="none"),
    "LSTM(1)+ATT": replace(PAPER, layer2="none"),
    "LSTM(2)+ATT": PAPER,
    "BiLSTM(1)+ATT": replace(PAPER, layer1="bilstm", layer2="none"),
    "BiLSTM(2)+ATT": replace(PAPER, layer1="bilstm", layer2="bilstm"),
}
"""Table 4. The paper gives no sizes for the rows but its own, so they have its own: 20 units in the first layer and 10
in the second, of each direction; filters of 7 nt."""

INPUT_KINDS = {
    "sequence only": replace(PAPER, inputs="sequence"),
    "structure only": replace(PAPER, inputs="structure"),
    "both": PAPER,
}
"""Figure 3."""

VARIANTS = {
    "shared attention": replace(PAPER, attention="shared"),
    "soft encoding": replace(PAPER, encoding="soft"),
    "unmasked padding": replace(PAPER, padding="zeros"),
}
"""Where the paper's text leaves a choice or its authors' code differs."""

_POOLED = {"attention": "pooled", "n_heads": 4, "n_dense1": 100, "n_dense2": 50}
CANDIDATES = {
    "BiLSTM+pooled": NetConfig(layer1="bilstm", layer2="bilstm", n_hidden1=24, n_hidden2=16, **_POOLED),
    "CNN+BiLSTM+pooled": NetConfig(layer1="conv", layer2="bilstm", n_hidden1=48, n_hidden2=32, **_POOLED),
    "CNN+BiLSTM+pooled+partner": NetConfig(
        layer1="conv", layer2="bilstm", n_hidden1=48, n_hidden2=32, partner=True, **_POOLED
    ),
    "BiLSTM(2)+ATT+partner": replace(ARCHITECTURES["BiLSTM(2)+ATT"], partner=True),
}
"""Networks of about the paper's cost that may be better."""
