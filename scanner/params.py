"""What a scan looks for: parameters, their checks, and the presets. Imports nothing that takes time to load."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mirsweep.scanner.candidates import FLANK_NT
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.units import FORBIDDEN, UNITS_PER_KCAL, to_units

__all__ = [
    "ENGINES",
    "LONGEST_SPAN",
    "PRESETS",
    "ROUNDS",
    "STEM_FILTERS",
    "STRANDS",
    "WINDOW",
    "HairpinParams",
    "ScanParams",
    "preset_params",
]

ENGINES = ("batch", "vienna", "cuda")
"""Names of the fold engines (:mod:`mirsweep.scanner.fold`)."""
STEM_FILTERS = ("animal", "plant", "none")
"""Names of the fitted stem filters (:mod:`mirsweep.scanner.stemgate`, :mod:`mirsweep.scanner.stemfilter`), and none."""
STRANDS = ("both", "+", "-")
WINDOW = 10
"""A start must be the best within so many nt on both sides."""
ROUNDS = 2
"""Rounds of keeping the best of competing hairpins.

On chr20 one round keeps 40 of 48 known loci, two keep 44, four the same 44 (0.5 % more candidates).
"""
LONGEST_SPAN = 400


@dataclass(frozen=True)
class HairpinParams:
    """What counts as a hairpin.

    Attributes
    ----------
    min_span, max_span
        Length of the hairpin from end to end, nt.
    per_nt
        Penalty on length, kcal/mol per nt; a multiple of 0.05.
    threshold
        Highest penalised energy (energy + per_nt * length, + long_penalty if it is long) of a hairpin that is
        reported, kcal/mol.
    long_span
        Hairpins longer than this are long, nt.
    long_penalty
        What a long hairpin must be better by, kcal/mol; a multiple of 0.05.
    nested
        Whether short and long hairpins are chosen each among themselves, so that a long one and a short one within it
        can both be reported, unless they are nearly the same.
    """

    min_span: int = 40
    max_span: int = 130
    per_nt: float = 0.25
    threshold: float = -2.9
    long_span: int = 95
    long_penalty: float = 0.0
    nested: bool = False

    def __post_init__(self) -> None:
        if not 10 <= self.min_span <= self.max_span <= LONGEST_SPAN:
            raise InputError(
                f"spans {self.min_span} to {self.max_span} cannot be searched: "
                f"choose 10 <= min-span <= max-span <= {LONGEST_SPAN}."
            )
        if not 0 <= self.per_nt <= 1 or not _is_exact(self.per_nt):
            raise InputError(f"per-nt penalty {self.per_nt} cannot be used: choose a multiple of 0.05 from 0 to 1.")
        if not 0 <= self.long_penalty <= 100 or not _is_exact(self.long_penalty):
            raise InputError(
                f"long penalty {self.long_penalty} cannot be used: choose a multiple of 0.05 from 0 to 100."
            )
        if not -500 <= self.threshold < FORBIDDEN / UNITS_PER_KCAL / 2:
            raise InputError(f"threshold {self.threshold} cannot be used: choose an energy from -500 to 400 kcal/mol.")

    @property
    def reach_nt(self) -> int:
        """How far from a hairpin's start the sequence can matter to whether it is reported, nt."""
        return (2 * ROUNDS + 2 + self.nested) * self.max_span + WINDOW

    @property
    def last_short(self) -> int:
        """The longest hairpin that is chosen among the short ones, nt."""
        return min(self.long_span, self.max_span) if self.nested else self.max_span

    def penalties(self) -> np.ndarray:
        """Penalty by span, units of 0.05 kcal/mol; int16, shape (max_span + 1,)."""
        spans = np.arange(self.max_span + 1)
        by_span = to_units(self.per_nt) * spans + to_units(self.long_penalty) * (spans > self.long_span)
        return by_span.astype(np.int16)


def _is_exact(kcal: float) -> bool:
    """Whether an energy is a whole number of units."""
    return abs(kcal * UNITS_PER_KCAL - round(kcal * UNITS_PER_KCAL)) < 1e-9


@dataclass(frozen=True)
class ScanParams(HairpinParams):
    """What a scan looks for: ``HairpinParams``, and

    Attributes
    ----------
    min_span
        45 nt. A precursor stands in the genome with its basal stem: MirGeneDB's shortest record (Mir-451, 42 nt, ends
        at the mature sequences) is 72 nt long in miRBase.
    max_span, per_nt, long_span, long_penalty, nested, threshold
        See docs/prefilter.md for what they were chosen on.
    flank
        Bases added to a hairpin on each side, nt; fewer where a break or the contig's end is nearer.
    stem_filter
        Which fitted gate hairpins must pass before folding (``stemgate``), and filter after it (``stemfilter``), or
        ``"none"``.
    strand
        ``"both"``, ``"+"`` or ``"-"``.
    fold_engine
        Fold engine, see ``fold``.
    """

    min_span: int = 45
    max_span: int = 150
    per_nt: float = 0.15
    threshold: float = -7.5
    long_penalty: float = 8.0
    nested: bool = True
    flank: int = 0
    stem_filter: str = "animal"
    strand: str = "both"
    fold_engine: str = "batch"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.flank < 0 or self.max_span + 2 * self.flank > LONGEST_SPAN:
            raise InputError(
                f"max-span {self.max_span} with {self.flank} nt of flank on both sides cannot be folded: choose both "
                f"so that they make at most {LONGEST_SPAN} nt."
            )
        if self.stem_filter not in STEM_FILTERS:
            raise InputError(f"stem filter {self.stem_filter!r} is unknown: choose one of {', '.join(STEM_FILTERS)}.")
        if self.strand not in STRANDS:
            raise InputError(f"strand {self.strand!r} is unknown: choose one of {', '.join(STRANDS)}.")
        if self.fold_engine not in ENGINES:
            raise InputError(f"fold engine {self.fold_engine!r} is unknown: choose one of {', '.join(ENGINES)}.")

    @property
    def strands(self) -> tuple[str, ...]:
        """The strands to scan, one by one."""
        return ("+", "-") if self.strand == "both" else (self.strand,)

    @property
    def context_nt(self) -> int:
        """Bases that a tile needs beyond its own on each side, so that its rows do not depend on the tiling."""
        longest = self.max_span + 2 * self.flank
        return max(self.reach_nt + self.flank, longest + FLANK_NT)


PRESETS: dict[str, dict[str, Any]] = {
    "animal": {},
    "plant": {
        "max_span": 384,
        "per_nt": 0.25,
        "threshold": -2.0,
        "long_span": 130,
        "long_penalty": 5.0,
        "nested": False,
        "flank": 8,
        "stem_filter": "plant",
    },
    "virus": {"threshold": -6.0, "stem_filter": "none"},
}
"""What each preset sets of ``ScanParams``; the rest are its defaults."""


def preset_params(preset: str, **asked: Any) -> ScanParams:
    """Parameters of a preset; what is asked for and is not None goes before it.

    Raises
    ------
    InputError
        If there is no such preset, or the parameters do not go together.
    """
    if preset not in PRESETS:
        raise InputError(f"preset {preset!r} is unknown: choose one of {', '.join(PRESETS)}.")
    return ScanParams(**PRESETS[preset] | {name: value for name, value in asked.items() if value is not None})
