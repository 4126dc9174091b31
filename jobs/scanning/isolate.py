"""A shard that fails for good is halved, and its halves again, down to the intervals that are to blame."""

import io
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from mirsweep.jobs.scanning.in_process import Outcome
from mirsweep.jobs.scanning.shard_work import Part, ShardResult, pack
from mirsweep.jobs.scanning.shards import Piece, Shard
from mirsweep.scanner.candidates import SCHEMA

__all__ = ["Failure", "Isolated", "halves", "isolate", "join_results"]

_Number = TypeVar("_Number", int, float)
SMALLEST_NT = 5_000
"""An interval of a contig up to this size, nt, is not halved: it is small enough to look at, and little is lost."""
_MOST_BAD = 3
"""If more parts than these fail at once, no place is to blame, and nothing is halved further."""


class Failure(NamedTuple):
    """A shard that failed for good, or those pieces of it that did, and why."""

    shard: Shard
    reason: str


class Isolated(NamedTuple):
    """What a shard gives without the pieces that fail (None if all do), and what fails of it."""

    result: ShardResult | None
    failures: list[Failure]


def isolate(failure: Failure, attempt: Callable[[Sequence[Shard]], Iterable[Outcome]]) -> Isolated:
    """Find the pieces of a shard that fail, and do the others.

    Parameters
    ----------
    failure
        The shard, whole.
    attempt
        Tries shards once, and gives the outcomes in any order.
    """
    shard_id = failure.shard.id
    done: dict[str, ShardResult] = {}
    bad: dict[str, Failure] = {}
    halved = halves(failure.shard)
    if not halved:
        return Isolated(None, [failure])
    while halved:
        failed = []
        for part, result, reason in attempt(halved):
            if result is None:
                failed.append(Failure(part, reason))
            else:
                done[part.id] = result
        is_everywhere = len(failed) > _MOST_BAD
        halved = []
        for each in failed:
            smaller = [] if is_everywhere else halves(each.shard)
            halved += smaller
            if not smaller:
                bad[each.shard.id] = each
    failures = [Failure(Shard(shard_id, each.shard.pieces), each.reason) for _, each in sorted(bad.items())]
    results = [result for _, result in sorted(done.items())]
    return Isolated(join_results(shard_id, results) if results else None, failures)


def halves(shard: Shard) -> list[Shard]:
    """Two shards of about half the bases, their ids in the genome's order; none where a shard is small enough."""
    pieces = shard.pieces
    if len(pieces) == 1:
        if pieces[0].n_bases <= SMALLEST_NT:
            return []
        middle = (pieces[0].start + pieces[0].end) // 2
        parts: list[Sequence[Piece]] = [[pieces[0]._replace(end=middle)], [pieces[0]._replace(start=middle)]]
    else:
        n_left, n_first = shard.n_bases // 2, 0
        while n_first < len(pieces) - 1 and (n_first == 0 or n_left >= pieces[n_first].n_bases):
            n_left -= pieces[n_first].n_bases
            n_first += 1
        parts = [pieces[:n_first], pieces[n_first:]]
    return [Shard(f"{shard.id}.{number}", tuple(part)) for number, part in enumerate(parts)]


def join_results(shard_id: str, results: Sequence[ShardResult]) -> ShardResult:
    """The results of parts of a shard, in the genome's order, as those of one."""
    parts = [result.part for result in results if result.part is not None]
    counts: dict[str, dict[str, int]] = {}
    for genome, own in (item for result in results for item in result.counts.items()):
        counts[genome] = _sums([counts.get(genome, {}), own])
    seconds = _sums([result.seconds for result in results])
    peaks = {name: max(result.peak_mb.get(name, 0) for result in results) for name in results[0].peak_mb}
    return ShardResult(shard_id, _join_parts(parts) if parts else None, counts, seconds, peaks)


def _sums(tallies: Sequence[dict[str, _Number]]) -> dict[str, _Number]:
    totals: dict[str, _Number] = {}
    for name, value in (item for tally in tallies for item in tally.items()):
        totals[name] = totals[name] + value if name in totals else value
    return totals


def _join_parts(parts: Sequence[Part]) -> Part:
    tables = [pq.read_table(io.BytesIO(part.content or b"")) for part in parts]
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks().cast(SCHEMA)
    *place, _ = parts[-1].last
    end = max(part.last[2] for part in parts if [*part.last[:2]] == place)
    return Part(pack(table), table.num_rows, parts[0].first, (parts[-1].last[0], parts[-1].last[1], end))
