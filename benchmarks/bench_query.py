"""Queries of a dataset as large as that of a human genome, beside DuckDB and polars on the same files.

    python benchmarks/bench_query.py --json

The rows are real: those of the demo's slice of C. elegans X, repeated over 24 contigs of human length and moved
together until 25 million rows are on them. Times are of one process, warm, after start-up (imports apart); rows read
are those of the row groups that the query's statistics leave. It needs 4 GB for temporary files, and some minutes.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness import best_seconds, command_line, write_result
from mirsweep.jobs import query, scan
from mirsweep.jobs.demo.demo import DATA
from mirsweep.jobs.results.contigs import Contigs
from mirsweep.jobs.results.dataset import Output, open_output, read_candidates
from mirsweep.jobs.results.layout import CANDIDATES, CONTIGS, INDEX, RUN, SHARDS, part_name
from mirsweep.jobs.results.part_files import PART_SCHEMA, Place
from mirsweep.jobs.scanning.shard_work import pack
from mirsweep.scanner.candidates import SCHEMA

HUMAN_MB = (
    (1, 248), (2, 242), (3, 198), (4, 190), (5, 181), (6, 170), (7, 159), (8, 145), (9, 138), (10, 133), (11, 135),
    (12, 133), (13, 114), (14, 107), (15, 101), (16, 90), (17, 83), (18, 80), (19, 58), (20, 64), (21, 46), (22, 50),
    ("X", 156), ("Y", 57),
)  # fmt: skip
"""Names and lengths (Mb) of the contigs: GRCh38's."""
SHARD_NT = 1_000_000
REGION = ("chr7", 100_000_000, 100_100_000)
CONTIG = "chr21"


class Question(NamedTuple):
    """A query: how mirsweep answers it, and where its rows are; the same by other programs where they can."""

    ours: Callable[[], int]
    place: Place | None
    duckdb: str | None = None
    polars: Callable[[], int] | None = None


def make_output(folder: Path, n_rows: int) -> Path:
    """A complete output of ``n_rows`` candidates, a part for each Mb of the contigs."""
    (folder / CANDIDATES).mkdir(parents=True)
    (folder / SHARDS).mkdir()
    rows = real_rows(folder)
    contigs = Contigs.of(("human", f"chr{name}", mb * SHARD_NT) for name, mb in HUMAN_MB)
    places = [(rank, start) for rank, (_, mb) in enumerate(HUMAN_MB) for start in range(0, mb * SHARD_NT, SHARD_NT)]
    ends = np.linspace(0, n_rows, len(places) + 1).astype(int)
    index = []
    for number, (rank, start) in enumerate(places):
        table = moved(rows, int(ends[number]), int(ends[number + 1]), contigs[rank].contig, start)
        path = folder / CANDIDATES / part_name(f"{number:06d}-bench")
        path.write_bytes(pack(table))
        index.append(index_row(path, table, rank))
    pq.write_table(pa.Table.from_pylist(index, schema=PART_SCHEMA), folder / INDEX)
    pq.write_table(contigs.table, folder / CONTIGS)
    run = {"genomes": [{"name": "human"}], "counts": {"n_candidates": n_rows}}
    (folder / RUN).write_text(json.dumps(run))
    return folder


def real_rows(folder: Path) -> pa.Table:
    """The candidates of the demo's slice."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        output = scan(
            DATA / "slice.fa.gz", output=Path(place) / "slice", decoys="none", report=False, quiet=True
        ).output
        return read_candidates(output).combine_chunks()


def moved(rows: pa.Table, first: int, last: int, contig: str, start: int) -> pa.Table:
    """Rows ``first`` to ``last`` of the rows repeated without end, on a contig and within a shard's bases."""
    table = rows.take(np.arange(first, last) % rows.num_rows)
    n = table.num_rows
    lengths = table["end"].to_numpy() - table["start"].to_numpy()
    starts = start + np.arange(n) * (SHARD_NT - 200) // n
    names = {"genome": "human", "contig": contig}
    columns = {name: pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), [text]) for name, text in names.items()}
    columns |= {"start": pa.array(starts), "end": pa.array(starts + lengths)}
    return pa.table([columns.get(name, table[name]) for name in SCHEMA.names], schema=SCHEMA)


def index_row(path: Path, table: pa.Table, rank: int) -> dict[str, Any]:
    """A row of the index of parts."""
    size = {"part": path.name, "rows": table.num_rows, "bytes": path.stat().st_size, "sha256": ""}
    first, last = int(table["start"].to_numpy().min()), int(table["end"].to_numpy().max())
    return size | {"first_contig": rank, "first_start": first, "last_contig": rank, "last_end": last}


def questions(folder: Path) -> dict[str, Question]:
    """What is asked, by name."""
    contig, start, end = REGION
    region = f"{contig}:{start + 1}-{end}"
    ranks = {row.contig: rank for rank, row in enumerate(open_output(folder).contigs)}
    here = Place(ranks[contig], ranks[contig], start, end)
    whole = Place(ranks[CONTIG], ranks[CONTIG])
    files = f"{folder / CANDIDATES}/*.parquet"
    overlap = f"contig = '{contig}' AND \"end\" > {start} AND start < {end}"
    lazily = (pl.col("contig") == contig) & (pl.col("end") > start) & (pl.col("start") < end)
    return {
        "region of 100 kb": Question(
            lambda: query(folder, region=region).num_rows,
            here,
            f"SELECT * FROM '{files}' WHERE {overlap}",
            lambda: pl.scan_parquet(files).filter(lazily).collect().height,
        ),
        "first row": Question(lambda: query(folder, limit=1).num_rows, None, f"SELECT * FROM '{files}' LIMIT 1"),
        "contig of 46 Mb": Question(
            lambda: query(folder, contig=CONTIG).num_rows, whole, f"SELECT * FROM '{files}' WHERE contig = '{CONTIG}'"
        ),
        "SQL: count of all": Question(lambda: counted(folder, "true"), None, f"SELECT count(*) FROM '{files}'"),
        "SQL: count of a region": Question(
            lambda: counted(folder, overlap), None, f"SELECT count(*) FROM '{files}' WHERE {overlap}"
        ),
    }


def counted(folder: Path, condition: str) -> int:
    """Rows of a condition by ``mirsweep query --sql``."""
    sql = f"SELECT count(*) AS n FROM candidates WHERE {condition}"
    return query(folder, sql=sql)["n"][0].as_py()


def figures_of(asked: Question, output: Output, repeats: int) -> dict[str, Any]:
    """Rows, seconds, files that are opened and rows that are read; seconds of the others."""
    figures = {"rows": asked.ours(), "seconds": best_seconds(asked.ours, repeats=repeats)}
    if asked.place is not None:
        figures |= what_is_read(output, asked.place)
    if asked.duckdb is not None:
        connection = duckdb.connect()
        figures["duckdb_seconds"] = best_seconds(lambda: connection.sql(asked.duckdb).to_arrow_table(), repeats=repeats)
    if asked.polars is not None:
        figures["polars_seconds"] = best_seconds(asked.polars, repeats=repeats)
    return figures


def what_is_read(output: Output, place: Place) -> dict[str, int]:
    """Files that can hold a place, and rows of their row groups that statistics do not rule out."""
    condition = (pc.field("contig") == output.contigs[place.first].contig) & (pc.field("end") > place.start)
    if place.end is not None:
        condition &= pc.field("start") < place.end
    parts = output.dataset(place).get_fragments(condition)
    groups = [group for part in parts for piece in part.split_by_row_group(condition) for group in piece.row_groups]
    return {"files_opened": len(output.files.paths(place)), "rows_read": sum(group.num_rows for group in groups)}


def main() -> None:
    """Make the dataset, measure, print, and with --json keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=25_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="write benchmarks/results/query.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = make_output(Path(place) / "human", arguments.rows)
        output = open_output(folder)
        began = time.perf_counter()
        n_bytes = sum(path.stat().st_size for path in (folder / CANDIDATES).iterdir())
        asked = questions(folder)
        figures = {name: figures_of(question, output, arguments.repeats) for name, question in asked.items()}
        (folder / INDEX).unlink()
        slower = {"seconds": best_seconds(asked["region of 100 kb"].ours, repeats=arguments.repeats)}
    document = {
        "command": command_line(),
        "rows": arguments.rows,
        "files": sum(mb for _, mb in HUMAN_MB),
        "bytes": n_bytes,
        "queries": figures,
        "region without the index": slower,
        "seconds_measuring": round(time.perf_counter() - began, 1),
    }
    print(json.dumps(document, indent=2))
    if arguments.json:
        write_result("query", document)


if __name__ == "__main__":
    main()
