"""What is done to a shard, wherever that happens: find and fold, then score and pack."""

import resource
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mirsweep.jobs.results.predicted import predicted_table
from mirsweep.jobs.scanning.shards import Piece, Shard
from mirsweep.model.threads import one_thread
from mirsweep.scanner.candidates import PREDICTED_SCHEMA, SCHEMA
from mirsweep.scanner.params import ScanParams
from mirsweep.scanner.scan import TileCounts, scan_tile
from mirsweep.scanner.tiles import Tile, with_context

if TYPE_CHECKING:
    from mirsweep.model import Prediction

__all__ = [
    "FoldedShard",
    "Scorer",
    "ShardResult",
    "ShardTask",
    "empty_part",
    "fold_shard",
    "make_task",
    "pack",
    "score_shard",
]

ROW_GROUP = 2048
"""Rows of a row group: at C. elegans' 2,100 candidates per Mb a region query reads about 1 Mb worth of rows."""


class PieceBases(NamedTuple):
    """A piece and its letters with the context that scanning needs, from ``start`` of the contig on."""

    piece: Piece
    start: int
    bases: bytes


class ShardTask(NamedTuple):
    """All that a worker needs for a shard: no file is opened there."""

    shard_id: str
    pieces: tuple[PieceBases, ...]
    params: ScanParams
    read_seconds: float


class FoldedShard(NamedTuple):
    """A shard before scoring: one unscored table a piece, the account of its bases, seconds by stage."""

    shard_id: str
    tables: tuple[tuple[Piece, pa.Table], ...]
    counts: TileCounts
    seconds: dict[str, float]
    peak_mb: int


class ShardResult(NamedTuple):
    """A finished shard: one Parquet file (bytes) a contig with candidates, and what the commit record tells."""

    shard_id: str
    parts: tuple[tuple[str, bytes], ...]
    n_rows: tuple[int, ...]
    counts: TileCounts
    seconds: dict[str, float]
    peak_mb: dict[str, int]

    def record(self) -> dict[str, Any]:
        """The commit record."""
        rows = {contig: n for (contig, _), n in zip(self.parts, self.n_rows, strict=True)}
        return {
            "shard": self.shard_id,
            "parts": rows,
            "n_candidates": sum(rows.values()),
            "counts": self.counts._asdict(),
            "seconds": self.seconds,
            "peak_mb": self.peak_mb,
        }


class Scorer(Protocol):
    """What scores a shard: ``mirsweep.model.Model`` or something that looks like it."""

    @property
    def label(self) -> str:
        """What a candidate's ``model`` column holds."""

    def predict(
        self, sequences: Sequence[str], structures: Sequence[str], flanks_5p: Sequence[str], flanks_3p: Sequence[str]
    ) -> "Prediction":
        """Score, and what else the model says, of each candidate."""


def make_task(shard: Shard, genomes: dict[str, Any], params: ScanParams) -> ShardTask:
    """Read a shard's letters; ``genomes`` maps names to open genomes."""
    began = time.perf_counter()
    pieces = tuple(_read(piece, genomes[piece.genome], params) for piece in shard.pieces)
    return ShardTask(shard.id, pieces, params, time.perf_counter() - began)


def _read(piece: Piece, genome: Any, params: ScanParams) -> PieceBases:
    tile = Tile(piece.start, piece.end)
    span = with_context(tile, length=piece.contig_nt, context_nt=params.context_nt)
    return PieceBases(piece, span.start, genome.fetch(piece.contig, span.start, span.end))


def fold_shard(task: ShardTask) -> FoldedShard:
    """Find and fold the candidates of a shard."""
    results = [
        scan_tile(
            piece.bases,
            bases_start=piece.start,
            core_start=piece.piece.start,
            core_end=piece.piece.end,
            params=task.params,
        )
        for piece in task.pieces
    ]
    counts = TileCounts(*(sum(column) for column in zip(*(r.counts for r in results), strict=True)))
    seconds = {stage: sum(r.seconds[stage] for r in results) for stage in results[0].seconds}
    tables = tuple((piece.piece, r.table) for piece, r in zip(task.pieces, results, strict=True))
    return FoldedShard(task.shard_id, tables, counts, {"read": task.read_seconds} | seconds, peak_mb())


def score_shard(folded: FoldedShard, scorer: Scorer) -> ShardResult:
    """Score the candidates of a shard, all at once, and pack them."""
    began = time.perf_counter()
    joined = pa.concat_tables([table for _, table in folded.tables])
    predicted = _predict(joined, scorer) if joined.num_rows else PREDICTED_SCHEMA.empty_table()
    scored = time.perf_counter()
    parts, n_rows, offset = [], [], 0
    for piece, table in folded.tables:
        own = predicted.slice(offset, table.num_rows)
        offset += table.num_rows
        if table.num_rows:
            parts.append((piece.contig, pack(_complete(table, own, piece, scorer.label))))
            n_rows.append(table.num_rows)
    seconds = folded.seconds | {"score": scored - began, "write": time.perf_counter() - scored}
    peaks = {"fold": folded.peak_mb, "score": peak_mb()}
    return ShardResult(folded.shard_id, tuple(parts), tuple(n_rows), folded.counts, seconds, peaks)


def _predict(candidates: pa.Table, scorer: Scorer) -> pa.Table:
    names = ("sequence", "structure", "flank_5p", "flank_3p")
    with one_thread():
        return predicted_table(scorer.predict(*(candidates[name].to_pylist() for name in names)))


def pack(table: pa.Table) -> bytes:
    """A part file: Parquet, zstd, with statistics for every row group."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=ROW_GROUP, write_statistics=True)
    return sink.getvalue().to_pybytes()


def empty_part() -> bytes:
    """A part file without rows: it gives an output without candidates its columns."""
    return pack(SCHEMA.empty_table())


def peak_mb() -> int:
    """Largest resident size of this process so far, MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6)


def _complete(table: pa.Table, predicted: pa.Table, piece: Piece, model: str) -> pa.Table:
    n = table.num_rows
    names = {"genome": piece.genome, "contig": piece.contig, "model": model}
    columns = {name: pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), [text]) for name, text in names.items()}
    for part in (table, predicted):
        columns |= dict(zip(part.schema.names, part.columns, strict=True))
    return pa.Table.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)
