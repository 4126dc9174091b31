"""What is done to a shard, wherever that happens: find and fold, then score and pack."""

import hashlib
import resource
import sys
import time
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mirsweep.jobs.results.predicted import predicted_table
from mirsweep.jobs.scanning.letters import Letters
from mirsweep.jobs.scanning.shards import Shard
from mirsweep.model.threads import one_thread
from mirsweep.scanner.candidates import PREDICTED_SCHEMA, SCHEMA
from mirsweep.scanner.params import ScanParams
from mirsweep.scanner.scan import TileCounts, scan_tiles
from mirsweep.texts import Texts

if TYPE_CHECKING:
    from mirsweep.model import Prediction

__all__ = [
    "FoldedShard",
    "Part",
    "Predicted",
    "Scorer",
    "ShardResult",
    "Staged",
    "empty_part",
    "fold_shard",
    "pack",
    "pack_shard",
    "predict_together",
    "score_shard",
]

ROW_GROUP = 4096
"""Rows of a row group: a region query reads 2 Mb worth of them at C. elegans' 2,100 candidates per Mb, half a Mb at
man's 9,100. With half as many a part takes a fifth longer to write and two fifths longer to read."""
_VARIED = frozenset(("start", "end", "sequence", "structure", "flank_5p", "flank_3p", "score", "expected_fp_per_mb"))
"""Columns whose values hardly repeat: with dictionaries of them parts are an eighth larger, and slower to write. The
others have dictionaries, which zstd makes smaller by a hundredth of the part, for a fifth of the time."""


class FoldedShard(NamedTuple):
    """A shard before scoring.

    Attributes
    ----------
    table
        Its candidates, piece after piece (``UNSCORED_SCHEMA``).
    n_rows
        Candidates of each piece, int64, shape (p,).
    counts
        Account of each piece's bases.
    seconds, peak_mb
        By stage; most memory so far.
    """

    shard: Shard
    table: pa.Table
    n_rows: np.ndarray
    counts: tuple[TileCounts, ...]
    seconds: dict[str, float]
    peak_mb: int


class Staged(NamedTuple):
    """A part that its worker has written (see ``staging``): name of its file, bytes, and their sha256.

    With an ``attempt`` it lies in its place, and that is part of its name; without in the driver's folder.
    """

    name: str
    n_bytes: int
    sha256: str
    attempt: str = ""


class Part(NamedTuple):
    """A part file: its content (Parquet), rows, and the first and the last place that it has rows of.

    ``first`` is (genome, contig, lowest start on it), ``last`` (genome, contig, highest end on it). One that its worker
    has written comes without its content.
    """

    content: bytes | None
    n_rows: int
    first: tuple[str, str, int]
    last: tuple[str, str, int]
    staged: Staged | None = None

    def record(self) -> dict[str, Any]:
        """What the commit record tells of it."""
        attempt = ""
        if self.staged is not None:
            _, n_bytes, digest, attempt = self.staged
        else:
            content = self.content or b""
            n_bytes, digest = len(content), hashlib.sha256(content).hexdigest()
        told = {"rows": self.n_rows, "bytes": n_bytes, "sha256": digest, "first": self.first, "last": self.last}
        return told | ({"attempt": attempt} if attempt else {})


class ShardResult(NamedTuple):
    """A finished shard: a part file if it has candidates, and what the commit record tells.

    Attributes
    ----------
    counts
        By genome: candidates (n_candidates) and the account of the bases (``TileCounts``).
    """

    shard_id: str
    part: Part | None
    counts: dict[str, dict[str, int]]
    seconds: dict[str, float]
    peak_mb: dict[str, int]

    @property
    def n_candidates(self) -> int:
        """Rows of the part."""
        return self.part.n_rows if self.part else 0

    def record(self) -> dict[str, Any]:
        """The commit record."""
        return {
            "shard": self.shard_id,
            "part": self.part.record() if self.part else None,
            "counts": self.counts,
            "seconds": self.seconds,
            "peak_mb": self.peak_mb,
        }


class Scorer(Protocol):
    """What scores a shard: ``mirsweep.model.Model`` or something that looks like it.

    Attributes
    ----------
    device
        The device that computes, ``"cpu"`` or ``"cuda"``.
    """

    device: str

    @property
    def label(self) -> str:
        """What a candidate's ``model`` column holds."""

    def predict(
        self, sequences: Sequence[str], structures: Sequence[str], flanks_5p: Sequence[str], flanks_3p: Sequence[str]
    ) -> "Prediction":
        """Score, and what else the model says, of each candidate."""


def fold_shard(shard: Shard, letters: Letters, params: ScanParams) -> FoldedShard:
    """Find and fold the candidates of a shard."""
    found = scan_tiles(letters.tiles, params=params)
    seconds = {"read": letters.seconds} | found.seconds
    return FoldedShard(shard, found.table, found.n_rows, found.counts, seconds, peak_mb())


def score_shard(folded: FoldedShard, scorer: Scorer) -> ShardResult:
    """Score the candidates of a shard, all at once, and pack them."""
    began = time.perf_counter()
    predicted = _predict(folded.table, scorer)
    return pack_shard(folded, Predicted(predicted, time.perf_counter() - began), scorer.label)


class Predicted(NamedTuple):
    """What the model says of a shard's candidates (``PREDICTED_SCHEMA``), and the seconds that it took."""

    table: pa.Table
    seconds: float


def predict_together(shards: Sequence[FoldedShard], scorer: Scorer) -> list[Predicted]:
    """What the model says of the candidates of several shards, all of them handed to it at once.

    A GPU computes tens of thousands of hairpins in hardly more time than a few. The seconds are shared out by rows.
    """
    began = time.perf_counter()
    predicted = _predict(pa.concat_tables([each.table for each in shards]), scorer)
    per_row = (time.perf_counter() - began) / max(1, predicted.num_rows)
    found, first = [], 0
    for each in shards:
        own = predicted.slice(first, each.table.num_rows)
        found.append(Predicted(own, per_row * own.num_rows))
        first += own.num_rows
    return found


def pack_shard(folded: FoldedShard, predicted: Predicted, model: str) -> ShardResult:
    """A finished shard: its candidates and what the model of such a label says of them."""
    began = time.perf_counter()
    part = _part(folded, _complete(folded, predicted.table, model)) if folded.table.num_rows else None
    told = folded.seconds | {"score": predicted.seconds, "write": time.perf_counter() - began}
    peaks = {"fold": folded.peak_mb, "score": peak_mb()}
    return ShardResult(folded.shard.id, part, _counts(folded), told, peaks)


def _predict(candidates: pa.Table, scorer: Scorer) -> pa.Table:
    if not candidates.num_rows:
        return PREDICTED_SCHEMA.empty_table()
    names = ("sequence", "structure", "flank_5p", "flank_3p")
    with one_thread():
        return predicted_table(scorer.predict(*(Texts.from_arrow(candidates[name]) for name in names)))


def _counts(folded: FoldedShard) -> dict[str, dict[str, int]]:
    """By genome: its candidates and the account of its bases."""
    pieces = zip(folded.shard.pieces, folded.n_rows.tolist(), folded.counts, strict=True)
    counts = {}
    for genome, own in groupby(pieces, key=lambda each: each[0].genome):
        rows = [(n_rows, *account) for _, n_rows, account in own]
        names = ("n_candidates", *TileCounts._fields)
        counts[genome] = dict(zip(names, map(sum, zip(*rows, strict=True)), strict=True))
    return counts


def _part(folded: FoldedShard, table: pa.Table) -> Part:
    with_rows = np.flatnonzero(folded.n_rows)
    first, last = folded.shard.pieces[with_rows[0]], folded.shard.pieces[with_rows[-1]]
    n_last = int(folded.n_rows[with_rows[-1]])
    start, end = table["start"][0].as_py(), max(table["end"].slice(table.num_rows - n_last).to_pylist())
    return Part(pack(table), table.num_rows, (first.genome, first.contig, start), (last.genome, last.contig, end))


def _complete(folded: FoldedShard, predicted: pa.Table, model: str) -> pa.Table:
    """All columns; genome and contig have dictionaries of those that have candidates, in the genome's order."""
    columns = {
        "genome": _names(folded, [piece.genome for piece in folded.shard.pieces]),
        "contig": _names(folded, [piece.contig for piece in folded.shard.pieces]),
        "model": pa.DictionaryArray.from_arrays(np.zeros(folded.table.num_rows, np.int32), [model]),
    }
    for part in (folded.table, predicted):
        columns |= dict(zip(part.schema.names, part.columns, strict=True))
    return pa.Table.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _names(folded: FoldedShard, names: Sequence[str]) -> pa.DictionaryArray:
    """A name for each piece as a column for its rows."""
    used = np.flatnonzero(folded.n_rows)
    own = [names[piece] for piece in used.tolist()]
    codes = {name: code for code, name in enumerate(dict.fromkeys(own))}
    of_pieces = np.array([codes[name] for name in own], np.int32)
    return pa.DictionaryArray.from_arrays(np.repeat(of_pieces, folded.n_rows[used]), list(codes))


def pack(table: pa.Table) -> bytes:
    """A part file: Parquet, dictionaries or zstd, with statistics for every row group."""
    sink = pa.BufferOutputStream()
    named = [name for name in table.schema.names if name not in _VARIED]
    codecs = {name: "zstd" if name in _VARIED else "none" for name in table.schema.names}
    pq.write_table(table, sink, compression=codecs, row_group_size=ROW_GROUP, use_dictionary=named)
    return sink.getvalue().to_pybytes()


def empty_part() -> bytes:
    """A part file without rows: it gives an output without candidates its columns."""
    return pack(SCHEMA.empty_table())


def peak_mb() -> int:
    """Largest resident size of this process so far, MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6)
