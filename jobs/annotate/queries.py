"""What is searched: the hairpins of loci, and hairpins that are no miRNA, which tell what chance gives."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from mirsweep.jobs.annotate.match import FLANK_NT, Queries
from mirsweep.jobs.results.dataset import Output
from mirsweep.jobs.results.query import Filters, select

__all__ = ["chance_queries", "queries_of"]

_MOST_DECOYS = 5_000
_FEWEST_DECOYS = 500
"""Fewer hairpins of decoys do not tell the distribution of scores; loci read backwards are added."""
_NO_ARM = -(10**6)


def queries_of(loci: pa.Table) -> Queries:
    """The hairpins of loci, with some bases of their flanks.

    Parameters
    ----------
    loci
        With the columns of candidates.
    """
    before = [(text or "")[-FLANK_NT:] for text in loci["flank_5p"].to_pylist()]
    after = [(text or "")[:FLANK_NT] for text in loci["flank_3p"].to_pylist()]
    inner = loci["sequence"].to_pylist()
    sequences = ["".join(parts) for parts in zip(before, inner, after, strict=True)]
    return Queries(sequences, np.fromiter(map(len, before), np.int64, len(before)), _arm_places(loci)[:, :, 0])


def chance_queries(output: Output, loci: pa.Table) -> Queries:
    """Hairpins that are alike to no miRNA but by chance: the best of the decoys, and if these are few, the loci read
    backwards.

    Read backwards but not complemented, a hairpin stays one, with its composition and its repeats.
    """
    found = Queries([], np.zeros(0, np.int64), np.zeros((0, 2), np.int64))
    if output.decoys is not None:
        decoys = replace(output.decoys, is_loci=False)
        batches = list(select(decoys, Filters(), distinct=True, sort="score", limit=_MOST_DECOYS))
        if batches:
            found = queries_of(pa.Table.from_batches(batches).unify_dictionaries())
    return found if len(found) >= _FEWEST_DECOYS else _both(found, _backwards(loci.slice(0, _MOST_DECOYS)))


def _backwards(loci: pa.Table) -> Queries:
    forwards, places = queries_of(loci), _arm_places(loci)
    lengths = np.fromiter(map(len, loci["sequence"].to_pylist()), np.int64, loci.num_rows)
    sequences = [sequence[::-1] for sequence in forwards.sequences]
    leads = np.fromiter(map(len, sequences), np.int64, len(sequences)) - lengths - forwards.leads
    ends = places[:, ::-1, 1]
    return Queries(sequences, leads, np.where(ends >= 0, lengths[:, None] - ends, _NO_ARM))


def _both(one: Queries, other: Queries) -> Queries:
    leads, arms = (np.concatenate(pair) for pair in zip(one[1:], other[1:], strict=True))
    return Queries(one.sequences + other.sequences, leads, arms)


def _arm_places(rows: pa.Table) -> np.ndarray:
    """Start and end of the sequence of the 5' arm and of the 3' arm, far off for none; int64, shape (n, 2, 2)."""
    places = {(role, end): _filled(rows, f"{role}_{end}") for role in ("mature", "star") for end in ("start", "end")}
    is_5p = np.array([arm == "5p" for arm in rows["arm"].to_pylist()], bool)
    arms = []
    for first, other in (("mature", "star"), ("star", "mature")):
        arms.append([np.where(is_5p, places[first, end], places[other, end]) for end in ("start", "end")])
    return np.transpose(np.array(arms, np.int64), (2, 0, 1))


def _filled(rows: pa.Table, name: str) -> np.ndarray:
    return rows[name].cast(pa.int64()).fill_null(_NO_ARM).to_numpy()
