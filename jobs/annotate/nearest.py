"""The nearest known miRNA of each locus, and how surprising it is that there is one so near."""

from collections.abc import Sequence
from typing import NamedTuple

import edlib
import numpy as np

from mirsweep.jobs.annotate.known_sequences import KnownSequences
from mirsweep.jobs.annotate.match import (
    HairpinIndex,
    Hits,
    MatureIndex,
    Queries,
    hairpin_hits,
    mature_hits,
)
from mirsweep.jobs.annotate.significance import Null, fit_null, q_values

__all__ = ["MOST_Q", "Nearest", "find_nearest"]

MOST_Q = 0.05
"""Highest share of chance matches among those that are called homologues."""


class Nearest(NamedTuple):
    """The known miRNA that is nearest to a locus; None where there is none.

    Attributes
    ----------
    name
        Record that matches best, a precursor's if there is one.
    mature, hairpin
        Names of the mature sequence and of the precursor that match best, of its family's member if possible.
    has_seed
        Whether bases 2 to 8 of the mature sequence match.
    mature_identity, hairpin_identity
        1 minus the edit distance by the length, of the hairpin's by that of the shorter one.
    start
        First base of the mature sequence within the hairpin.
    mature_nt
        Its length.
    e_value
        How many known miRNAs match a hairpin so well by chance.
    q_value
        Share of chance matches among the loci that match so well.
    twins
        Names of precursors that the locus holds without a mismatch.
    """

    name: str | None
    mature: str | None
    hairpin: str | None
    has_seed: bool | None
    mature_identity: float | None
    hairpin_identity: float | None
    start: int | None
    mature_nt: int
    e_value: float
    q_value: float
    twins: tuple[str, ...] = ()

    @property
    def is_homologue(self) -> bool:
        """Whether the match is better than chance explains."""
        return self.name is not None and self.q_value <= MOST_Q


class _Found(NamedTuple):
    """Hits of one kind, and the distribution of chance."""

    hits: Hits
    names: list[list[str]]
    sequences: list[str]
    null: Null
    p_values: np.ndarray


def find_nearest(
    queries: Queries, chance: Queries, known: KnownSequences, *, is_likely: np.ndarray, species: str | None = None
) -> list[Nearest]:
    """The nearest known miRNA of each hairpin.

    Parameters
    ----------
    queries
        The hairpins.
    chance
        Hairpins that match by chance only.
    known
        At least one mature sequence or precursor.
    is_likely
        Bool, shape (n,). Shares of chance matches are told among these and among the others apart: of loci that are
        likely miRNAs many have homologues, and of the many others few.
    species
        Of records that match equally well those of this species are preferred.
    """
    kinds = []
    if known.matures.sequences:
        index = MatureIndex(known.matures.sequences)
        hits, by_chance = mature_hits(queries, index), mature_hits(chance, index)
        kinds.append(_found(hits, by_chance, known.matures, len(queries), len(chance)))
    if known.hairpins.sequences:
        words = HairpinIndex(known.hairpins.sequences)
        hits, by_chance = hairpin_hits(queries, words), hairpin_hits(chance, words)
        kinds.append(_found(hits, by_chance, known.hairpins, len(queries), len(chance)))
    p_values = np.minimum(1, len(kinds) * np.min([kind.p_values for kind in kinds], axis=0))
    shares = np.ones(len(p_values))
    for group in (is_likely, ~is_likely):
        shares[group] = q_values(p_values[group])
    e_values = -np.log1p(-np.minimum(p_values, 1 - 1e-9))
    choose = _Chooser(queries, known, kinds, species)
    return [choose.of(row, float(e_values[row]), float(shares[row])) for row in range(len(queries))]


def _found(hits: Hits, by_chance: Hits, known: tuple, n_queries: int, n_chance: int) -> _Found:
    null = fit_null(_best_scores(by_chance, n_chance))
    return _Found(hits, known[1], known[0], null, null.p_values(_best_scores(hits, n_queries)))


def _best_scores(hits: Hits, n: int) -> np.ndarray:
    rows = hits.best_of(n)
    return np.where(rows >= 0, hits.score[rows] if len(hits.score) else np.nan, np.nan)


class _Chooser:
    """Chooses one record among the hits of a locus: scores of mature sequence and hairpin together decide."""

    def __init__(self, queries: Queries, known: KnownSequences, kinds: Sequence[_Found], species: str | None):
        self._queries, self._known, self._kinds = queries, known, kinds
        self._species = (species or "").lower()
        n = len(queries)
        self._bounds = [np.searchsorted(kind.hits.query, np.arange(n + 1)) for kind in kinds]
        self._is_mature = [kind.sequences is known.matures.sequences for kind in kinds]

    def of(self, row: int, e_value: float, q_value: float) -> Nearest:
        """The nearest record of a query."""
        scores: dict[tuple[str, str], float] = {}
        best: list[dict[tuple[str, str], tuple[int, str]]] = []
        for kind, bounds in zip(self._kinds, self._bounds, strict=True):
            here: dict[tuple[str, str], tuple[int, str]] = {}
            for hit in range(bounds[row], bounds[row + 1]):
                for name in kind.names[kind.hits.target[hit]]:
                    here.setdefault(self._group(name), (hit, name))
            for group, (hit, _) in here.items():
                scores[group] = scores.get(group, 0.0) + float(kind.null.log_odds(kind.hits.score[hit]))
            best.append(here)
        if not scores:
            return Nearest(None, None, None, None, None, None, None, 0, e_value, q_value)
        chosen = min(scores, key=lambda group: (-scores[group], group[0] != self._species, group))
        return self._described(row, [self._of_kind(here, chosen) for here in best], e_value, q_value)

    def _group(self, name: str) -> tuple[str, str]:
        parsed = self._known.parsed[name]
        return parsed.species.lower(), parsed.stem if not parsed.is_mirgenedb else parsed.precursor

    def _of_kind(
        self, here: dict[tuple[str, str], tuple[int, str]], group: tuple[str, str]
    ) -> tuple[int, str, bool] | None:
        """Hit and name of the group, or else of the best of all, and whether it is the group's."""
        if not here:
            return None
        return (*here[group], True) if group in here else (*next(iter(here.values())), False)

    def _described(
        self, row: int, hits: Sequence[tuple[int, str, bool] | None], e_value: float, q_value: float
    ) -> Nearest:
        mature = hairpin = has_seed = mature_identity = hairpin_identity = start = None
        name, length = "", 0
        twins: tuple[str, ...] = ()
        for number, (kind, is_mature, hit) in enumerate(zip(self._kinds, self._is_mature, hits, strict=True)):
            if hit is None:
                continue
            at, called, is_chosen = hit
            sequence = kind.sequences[kind.hits.target[at]]
            name = called if is_chosen else name  # a precursor comes after its mature sequence
            if is_mature:
                mature, start, length = called, int(kind.hits.start[at]), len(sequence)
                has_seed = bool(kind.hits.has_seed[at])
                mature_identity = self._mature_identity(row, start, sequence)
            else:
                hairpin, hairpin_identity = called, _identity(sequence, self._queries.sequences[row])
                twins = self._twins(row, number)
        return Nearest(
            name, mature, hairpin, has_seed, mature_identity, hairpin_identity, start, length, e_value, q_value, twins
        )

    def _mature_identity(self, row: int, start: int, sequence: str) -> float:
        first = int(self._queries.leads[row]) + start
        around = self._queries.sequences[row][max(first - 3, 0) : first + len(sequence) + 3]
        return max(0.0, 1 - _distance(sequence, around) / len(sequence))

    def _twins(self, row: int, number: int) -> tuple[str, ...]:
        kind, bounds = self._kinds[number], self._bounds[number]
        ours = self._queries.sequences[row]
        targets = kind.hits.target[bounds[row] : bounds[row + 1]]
        inner = ours[int(self._queries.leads[row]) :]
        held = (t for t in targets if kind.sequences[t] in ours or inner[:-8] in kind.sequences[t])
        return tuple(name for target in held for name in kind.names[target])


def _identity(one: str, other: str) -> float:
    shorter, longer = sorted((one, other), key=len)
    return max(0.0, 1 - _distance(shorter, longer) / len(shorter))


def _distance(inner: str, outer: str) -> int:
    """Edit distance of a sequence to the part of another that is nearest to it."""
    return int(edlib.align(inner, outer, mode="HW", task="distance")["editDistance"])
