"""Sizes of the genome model's networks, one or several, as their cards have them."""

from dataclasses import dataclass
from typing import Any

from mirsweep.model.errors import ModelError

__all__ = ["EMBEDDING", "ENDS", "N_SUMMARY", "GenomeConfig", "TwoStageConfig"]

ENDS = 4
"""First and last base of the 5' arm's mature sequence (left row), then of the 3' arm's (right row)."""
EMBEDDING = 16
"""Numbers that a token of either row becomes."""
N_SUMMARY = 6
"""Figures of a whole hairpin that the dense layer reads."""
_KIND = "stem-columns"
_LARGEST, _MOST_LAYERS = 4096, 64
"""Of any size, longest sequence included, and of the dilations: what a card may ask for. The networks here have 400."""
_MOST_WORDS = 4**14
_KIND_OF_SEVERAL = "two-stage"
_MOST_NETWORKS = 64


@dataclass(frozen=True)
class GenomeConfig:
    """Sizes of the network.

    Attributes
    ----------
    n_channels, kernel, dilations
        Width of the convolutions, their length in columns, and the dilation of each residual one.
    n_heads, n_hidden
        Attention heads, and width of the dense layer.
    n_words
        14-mers of known mature sequences that the weights file holds.
    max_length
        Longest sequence, nt.
    reads_flanks
        Whether it reads what lies beyond a hairpin's ends, where that is known.
    kind
        Always ``"stem-columns"``: tells the card's network from the paper's.
    """

    n_channels: int = 48
    kernel: int = 5
    dilations: tuple[int, ...] = (1, 2, 4)
    n_heads: int = 4
    n_hidden: int = 64
    n_words: int = 0
    max_length: int = 400
    reads_flanks: bool = True
    kind: str = _KIND

    def __post_init__(self) -> None:
        object.__setattr__(self, "dilations", tuple(self.dilations))
        sizes = (self.n_channels, self.kernel, self.n_heads, self.n_hidden, self.max_length, *self.dilations)
        if not all(type(size) is int and size > 0 for size in sizes) or self.kernel % 2 == 0:
            raise ModelError(f"the network's sizes must be positive whole numbers, the kernel odd, not {sizes[:8]}.")
        if max(sizes) > _LARGEST or len(self.dilations) > _MOST_LAYERS:
            raise ModelError(
                f"the network's sizes must be {_LARGEST} at most, and the dilations {_MOST_LAYERS}, not {max(sizes)} "
                f"and {len(self.dilations)}."
            )
        if type(self.reads_flanks) is not bool:
            raise ModelError(f"whether the network reads flanks must be true or false, not {self.reads_flanks!r}.")
        if type(self.n_words) is not int or not 0 <= self.n_words <= _MOST_WORDS or self.kind != _KIND:
            raise ModelError(f"a network of kind {self.kind!r} with {self.n_words} 14-mers is unknown.")


@dataclass(frozen=True)
class TwoStageConfig:
    """Sizes of the networks.

    Attributes
    ----------
    first
        Of the network that reads every hairpin that the sieve lets through.
    second
        Of those that read the likely ones; they share the first one's 14-mers.
    rescored_from
        Log-odds of the first from which on the others are asked.
    sieve
        Of the sieve, which shares the 14-mers, too; None for none.
    read_from
        Log-odds of the sieve from which on the first is asked.
    kind
        Always ``"two-stage"``.
    """

    first: GenomeConfig
    second: tuple[GenomeConfig, ...]
    rescored_from: float
    sieve: GenomeConfig | None = None
    read_from: float = 0.0
    kind: str = _KIND_OF_SEVERAL

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", _as_config(self.first))
        object.__setattr__(self, "second", tuple(map(_as_config, self.second)))
        object.__setattr__(self, "sieve", None if self.sieve is None else _as_config(self.sieve))
        if len(self.second) > _MOST_NETWORKS:
            raise ModelError(f"{len(self.second)} networks are too many: {_MOST_NETWORKS} at most.")
        if self.kind != _KIND_OF_SEVERAL or not self.second:
            raise ModelError(
                f"networks of kind {self.kind!r}, {len(self.second)} of them after the first, are unknown."
            )
        others = (*self.second, *([] if self.sieve is None else [self.sieve]))
        own = (0, self.first.max_length, self.first.reads_flanks)
        if any((each.n_words, each.max_length, each.reads_flanks) != own for each in others):
            raise ModelError("the other networks share 14-mers, longest sequence and flanks with the first.")
        for threshold in (self.rescored_from, self.read_from):
            if not isinstance(threshold, int | float) or not -100 < threshold < 100:
                raise ModelError(f"log-odds of {threshold!r} cannot be a threshold.")

    @property
    def max_length(self) -> int:
        """Longest sequence, nt."""
        return self.first.max_length

    @property
    def reads_flanks(self) -> bool:
        """Whether the networks read flanks."""
        return self.first.reads_flanks


def _as_config(given: GenomeConfig | dict[str, Any]) -> GenomeConfig:
    """Sizes as they are, or as a card has them."""
    return given if isinstance(given, GenomeConfig) else GenomeConfig(**given)
