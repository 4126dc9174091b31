"""How candidates lie to known loci, to repeats and to each other: every rule of overlap, each once.

All intervals are 0-based half-open. The rules compare places on one contig, and where it matters on one strand; the
caller has seen to that.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

__all__ = [
    "MIN_OF_CANDIDATE",
    "MIN_OF_LOCUS",
    "MIN_OF_SHORTER",
    "MIN_ON_REPEAT",
    "NEAR_NT",
    "SortedIntervals",
    "is_near",
    "lies_on_repeat",
    "overlaps_by_half",
    "recovers",
    "share_half",
    "shared_nt",
    "sorted_by",
]

MIN_OF_LOCUS = 0.7
"""Share of a locus that a candidate must cover to recover it: miRBase's ends are loose, by some nt on either side."""
MIN_OF_CANDIDATE = 0.4
"""Share of the candidate that must lie on the locus: MirGeneDB's records end at the mature sequences, so that a whole
hairpin reaches far beyond them."""
NEAR_NT = 100
"""A candidate that comes so close to a known precursor, on either strand, is no negative example, nt."""
MIN_ON_REPEAT = 0.6
"""Share of a candidate that must lie on an inserted inverted repeat to be an example of it."""
MIN_OF_SHORTER = 0.5
"""Two candidates of a strand that share so much of the shorter one are the same hairpin with other ends."""


def shared_nt(
    starts: np.ndarray | int, ends: np.ndarray | int, other_starts: np.ndarray | int, other_ends: np.ndarray | int
) -> np.ndarray:
    """Bases that intervals share, nt; a negative number is the distance between them. Shapes broadcast."""
    return np.asarray(np.minimum(ends, other_ends) - np.maximum(starts, other_starts))


def recovers(
    starts: np.ndarray, ends: np.ndarray, locus_start: int, locus_end: int, *, min_of_locus: float = MIN_OF_LOCUS
) -> np.ndarray:
    """Which candidates recover a locus of their strand: at least 70 % of it covered, at least 40 % of them on it.

    Parameters
    ----------
    starts, ends
        Candidates, int64, shape (n,).
    locus_start, locus_end
        The locus.
    min_of_locus
        Share of the locus that must be covered.

    Returns
    -------
    bool, shape (n,).
    """
    shared = shared_nt(starts, ends, locus_start, locus_end)
    covers = shared >= min_of_locus * (locus_end - locus_start)
    return np.asarray(covers & (shared >= MIN_OF_CANDIDATE * (ends - starts)))


def is_near(starts: np.ndarray, ends: np.ndarray, locus_start: int, locus_end: int) -> np.ndarray:
    """Which candidates come within ``NEAR_NT`` of a locus, on either strand; bool, shape (n,)."""
    return np.asarray((starts < locus_end + NEAR_NT) & (ends > locus_start - NEAR_NT))


def lies_on_repeat(
    starts: np.ndarray, ends: np.ndarray, repeat_starts: np.ndarray, repeat_ends: np.ndarray
) -> np.ndarray:
    """Which candidates lie on their inverted repeat by at least 60 %; all arrays and the result (bool) shape (n,)."""
    return np.asarray(shared_nt(starts, ends, repeat_starts, repeat_ends) >= MIN_ON_REPEAT * (ends - starts))


def overlaps_by_half(start: int, end: int, other_start: int, other_end: int) -> bool:
    """Whether two candidates of a strand share half of the shorter one, or more."""
    shared = min(end, other_end) - max(start, other_start)
    return shared >= MIN_OF_SHORTER * min(end - start, other_end - other_start)


def share_half(
    starts: np.ndarray, ends: np.ndarray, other_starts: np.ndarray | int, other_ends: np.ndarray | int
) -> np.ndarray:
    """The same of many pairs at once, bool; shapes broadcast."""
    shorter = np.minimum(ends - starts, other_ends - other_starts)
    return np.asarray(shared_nt(starts, ends, other_starts, other_ends) >= MIN_OF_SHORTER * shorter)


class SortedIntervals(NamedTuple):
    """Candidates of one contig by start, so that those about a place are found without looking at all.

    Attributes
    ----------
    rows
        Row of each in its table, int64, shape (n,).
    starts, ends
        int64, shape (n,), starts rising.
    longest
        Length of the longest, nt.
    """

    rows: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    longest: int

    @classmethod
    def of(cls, starts: np.ndarray, ends: np.ndarray, rows: np.ndarray | None = None) -> "SortedIntervals":
        """Sort the intervals of these rows of a table, or of all; equal starts keep their order."""
        rows = np.arange(len(starts)) if rows is None else rows
        rows = rows[np.argsort(starts[rows], kind="stable")]
        return cls(rows, starts[rows], ends[rows], int((ends[rows] - starts[rows]).max(initial=0)))

    def recovering(self, start: int, end: int, *, min_of_locus: float = MIN_OF_LOCUS) -> np.ndarray:
        """Rows of the candidates that recover a locus, see ``recovers``; int64, by start."""
        about = self.about(start, end)
        found = recovers(self.starts[about], self.ends[about], start, end, min_of_locus=min_of_locus)
        return self.rows[about][found]

    def near(self, start: int, end: int) -> np.ndarray:
        """Rows of the candidates that come near a locus, see ``is_near``; int64, by start."""
        about = self.about(start - NEAR_NT, end + NEAR_NT)
        return self.rows[about][is_near(self.starts[about], self.ends[about], start, end)]

    def about(self, start: int, end: int) -> slice:
        """Those that can share a base with an interval: the search spares the others."""
        return slice(*np.searchsorted(self.starts, [start - self.longest, end]).tolist())


def sorted_by(table: pa.Table, *names: str) -> dict[tuple[str, ...], SortedIntervals]:
    """Rows of a table by their values in some columns, such as contig and strand; of each the intervals by start.

    Parameters
    ----------
    table
        Columns start, end and those that are named, in any order of rows.
    """
    starts, ends = table["start"].to_numpy(), table["end"].to_numpy()
    columns = [table[name].unify_dictionaries().combine_chunks().dictionary_encode() for name in names]
    values = [column.dictionary.to_pylist() for column in columns]
    key = np.zeros(table.num_rows, np.int64)
    for column, own in zip(columns, values, strict=True):
        key = key * len(own) + column.indices.to_numpy()
    order = np.argsort(key, kind="stable")
    groups = {}
    for rows in np.split(order, np.flatnonzero(np.diff(key[order])) + 1):
        if len(rows):
            first = int(rows[0])
            place = tuple(own[column.indices[first].as_py()] for column, own in zip(columns, values, strict=True))
            groups[place] = SortedIntervals.of(starts, ends, rows)
    return groups
