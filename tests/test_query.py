"""Queries: every filter against a plain loop, every format read back by what others would use, SQL kept in its pen."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from Bio import SeqIO
from hypothesis import given
from hypothesis import strategies as st

from helpers_jobs import rows, slice_bases, write_fasta, write_output
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.query import Filters, query, select
from mirsweep.jobs.results.regions import Region, parse_region
from mirsweep.jobs.results.writers import FORMATS, candidate_id, write
from mirsweep.scanner.candidates import ARM_COLUMNS, SCHEMA
from mirsweep.scanner.errors import InputError

CONTIGS = {"chr1": 50_000, "chr10": 30_000, "a;b=c,d&e 100%": 9_000, "chr1:5-10": 2_000}


def arms_of(start: int, size: int) -> dict:
    """Both mature sequences, the mature one alone, or none."""
    mature, star = ((3, 25), (size - 24, size - 2)) if start % 2 else ((size - 24, size - 2), (3, 25))
    if start % 3 == 0:
        mature = (None, None)
    if start % 3 != 1:
        star = (None, None)
    arm = None if mature[0] is None else "5p" if start % 2 else "3p"
    sure = None if arm is None else 0.5 + start % 50 / 100
    return dict(zip(ARM_COLUMNS, (*mature, *star, arm, arm if start % 7 else None, sure, sure, sure), strict=True))


def synthetic_rows() -> list[dict]:
    """Rows with ties in score, lengths 45-130, on all contigs and both strands."""
    found = []
    for contig, length in CONTIGS.items():
        for i, start in enumerate(range(0, length - 200, 37)):
            size = 45 + (start * 7) % 86
            found.append(
                {
                    "genome": "g",
                    "contig": contig,
                    "start": start,
                    "end": start + size,
                    "strand": "+-"[i % 2],
                    "score": (start * 31 % 101) / 100,
                    "mfe": -(start * 17 % 400) / 10,
                    "sequence": "GC" * (size // 2) + "A" * (size % 2),
                    "structure": "." * size,
                    "n_pairs": 3,
                    "loop_start": 5,
                    "loop_end": 9,
                    "gc": 0.5,
                    "masked": 0.25,
                    "penalised": -4.0,
                    "flank_5p": "A" * 24,
                    "flank_3p": "CN",
                    "expected_fp_per_mb": (start * 13 % 97) / 7,
                    **arms_of(start, size),
                    "model": "m:1",
                }
            )
    return found


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """A complete output whose parts hold the synthetic rows."""
    some = synthetic_rows()
    cuts = [some[start : start + 300] for start in range(0, len(some), 300)]
    return write_output(tmp_path_factory.mktemp("query") / "out", [*map(table_of, cuts)], CONTIGS | {"bare": 77})


def table_of(some: list[dict]) -> pa.Table:
    plain = pa.schema([(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in SCHEMA])
    return pa.Table.from_pylist(some, plain).cast(SCHEMA)


def place(row: dict) -> tuple:
    return row["contig"], row["start"], row["end"], row["strand"]


def in_order(row: dict) -> tuple:
    """What the genome's order goes by."""
    return list(CONTIGS).index(row["contig"]), *place(row)


def overlaps(row: dict, start: int, end: int) -> bool:
    return row["end"] > start and row["start"] < end


def expected(keep=lambda row: True) -> list[tuple]:
    return [place(row) for row in sorted(synthetic_rows(), key=in_order) if keep(row)]


def places(table: pa.Table) -> list[tuple]:
    return [place(row) for row in table.to_pylist()]


def test_all_rows_come_in_the_order_of_the_genome(output):
    assert places(query(output)) == expected()


@pytest.mark.parametrize(
    ("filters", "keep"),
    [
        ({"contig": "chr1"}, lambda r: r["contig"] == "chr1"),
        ({"contig": "a;b=c,d&e 100%"}, lambda r: r["contig"].startswith("a;b")),
        ({"contig": "chr1:5-10"}, lambda r: r["contig"] == "chr1:5-10"),
        ({"contig": "bare"}, lambda r: False),
        ({"strand": "-"}, lambda r: r["strand"] == "-"),
        ({"min_score": 0.7}, lambda r: r["score"] >= 0.7),
        ({"max_fp_per_mb": 3}, lambda r: r["expected_fp_per_mb"] <= 3),
        ({"max_fp_per_mb": "strict"}, lambda r: r["expected_fp_per_mb"] <= 0.1),
        ({"max_fp_per_mb": "balanced"}, lambda r: r["expected_fp_per_mb"] <= 1),
        ({"max_fp_per_mb": "sensitive"}, lambda r: r["expected_fp_per_mb"] <= 10),
        ({"max_mfe": -20.1}, lambda r: r["mfe"] <= -20.1),
        ({"min_length": 60, "max_length": 61}, lambda r: 60 <= r["end"] - r["start"] <= 61),
        (
            {"region": "chr1:1,001-2,000", "strand": "+", "min_score": 0.2},
            lambda r: r["contig"] == "chr1" and overlaps(r, 1000, 2000) and r["strand"] == "+" and r["score"] >= 0.2,
        ),
        ({"region": "chr10"}, lambda r: r["contig"] == "chr10"),
        ({"region": "chr10:20001-"}, lambda r: r["contig"] == "chr10" and r["end"] > 20_000),
        ({"region": "chr1:5-10"}, lambda r: r["contig"] == "chr1:5-10"),
        ({"region": "chr1:5-10:1-50"}, lambda r: r["contig"] == "chr1:5-10" and r["start"] < 50),
    ],
    ids=lambda value: "" if callable(value) else str(value),
)  # fmt: skip
def test_filters_keep_what_they_say(output, filters, keep):
    assert places(query(output, **filters)) == expected(keep)


def distinct(some: list[dict]) -> list[tuple]:
    """Places of the rows that no better row, itself kept, overlaps by half of the shorter one."""
    kept: list[dict] = []
    for row in sorted(some, key=lambda r: (-np.float32(r["score"]), in_crowd(r))):
        size = row["end"] - row["start"]
        if not any(
            other["contig"] == row["contig"]
            and other["strand"] == row["strand"]
            and 2 * (min(row["end"], other["end"]) - max(row["start"], other["start"]))
            >= min(size, other["end"] - other["start"])
            for other in kept
        ):
            kept.append(row)
    return [place(row) for row in sorted(kept, key=in_crowd)]


def in_crowd(row: dict) -> tuple:
    return row["contig"] != "chr10", *place(row)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory) -> tuple[Path, list[dict]]:
    """An output whose rows overlap in runs of some, with gaps between, and the rows."""
    folder, rng = tmp_path_factory.mktemp("crowded") / "out", np.random.default_rng(0)
    kinds = {(row["contig"], row["start"]): row for row in synthetic_rows()}
    some = []
    for contig in ("chr10", "chr1"):
        starts = np.unique(rng.integers(0, 4, 300).cumsum() * 11 + np.repeat(rng.integers(0, 150, 30).cumsum(), 10))
        own = [kinds["chr1", 37 * k] | {"contig": contig, "start": int(v)} for k, v in enumerate(starts)]
        own = [row | {"end": row["start"] + len(row["sequence"]), "strand": "+-"[rng.random() < 0.3]} for row in own]
        own.sort(key=place)
        some += own
    cuts = [some[:100], some[100:350], some[350:]]
    return write_output(folder, [*map(table_of, cuts)], {"chr10": 60_000, "chr1": 60_000}), some


@pytest.mark.parametrize("batch_rows", [3, 70, 65_536])
def test_distinct_keeps_the_best_of_those_that_overlap(crowded, batch_rows):
    folder, some = crowded
    wanted = distinct(some)
    batches = select(open_output(folder), Filters(), distinct=True, batch_rows=batch_rows)
    assert [place(row) for batch in batches for row in batch.to_pylist()] == wanted
    assert len(some) / 10 < len(wanted) < len(some) * 0.7
    good = distinct([row for row in some if np.float32(row["score"]) >= np.float32(0.6)])
    assert places(query(folder, min_score=0.6, distinct=True)) == good
    by_score = {place(row): -np.float32(row["score"]) for row in some}
    best = sorted(wanted, key=by_score.__getitem__)
    assert places(query(folder, distinct=True, sort="score", limit=5)) == best[:5]


def test_distinct_of_nothing(output):
    assert query(output, contig="bare", distinct=True).num_rows == 0
    assert query(output, min_score=2, distinct=True).num_rows == 0


@given(start=st.integers(1, 60_000), size=st.integers(1, 3000))
def test_regions_overlap_by_one_base_at_least(output, start, size):
    end = start + size - 1
    found = places(query(output, region=f"chr1:{start}-{end}"))
    assert found == expected(lambda r: r["contig"] == "chr1" and r["start"] + 1 <= end and r["end"] >= start)


@pytest.mark.parametrize("limit", [0, 1, 10, 500, 10**6])
def test_best_rows_come_first_and_equals_by_place(output, limit):
    by_score = sorted(synthetic_rows(), key=lambda row: (-row["score"], in_order(row)))
    assert places(query(output, sort="score", limit=limit)) == [place(row) for row in by_score[:limit]]
    assert places(query(output, limit=limit)) == expected()[:limit]


def test_best_rows_of_many_batches(output):
    by_score = sorted(synthetic_rows(), key=lambda row: (-row["score"], in_order(row)))
    batches = select(open_output(output), Filters(), sort="score", limit=7, batch_rows=50)
    assert places(pa.Table.from_batches(batches)) == [place(row) for row in by_score[:7]]


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("chrX", Region("chrX")),
        ("chrX:5", Region("chrX", 4)),
        ("chrX:5-", Region("chrX", 4)),
        ("chrX:5-5", Region("chrX", 4, 5)),
        ("HLA:a:1,000-2,000", Region("HLA:a", 999, 2000)),
        ("a:b", Region("a:b")),
        ("{a:5-6}", Region("a:5-6")),
        ("{a:5-6}:7-8", Region("a:5-6", 6, 8)),
    ],
)
def test_regions_are_one_based_and_closed(text, region):
    assert parse_region(text) == region


@pytest.mark.parametrize("name", ["contig", "region"])
def test_an_empty_name_is_not_everything(output, name):
    with pytest.raises(InputError, match="is empty: give a name"):
        query(output, **{name: ""})


@pytest.mark.parametrize("text", ["c:0-5", "c:6-5", "c:,-5", "c:5-,"])
def test_empty_regions_are_refused(text):
    with pytest.raises(InputError, match="is empty: write chr:start-end"):
        parse_region(text)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"contig": "nope"}, "has no contig 'nope'"),
        ({"region": "nope:1-5"}, "has no contig 'nope'"),
        ({"strand": "x"}, "choose [+] or -"),
        ({"limit": -1}, "limit -1"),
        ({"sort": "mfe"}, "sort 'mfe' is unknown: choose one of position, score"),
        ({"max_fp_per_mb": "lax"}, "'lax' false positives per Mb are unknown: .* strict, balanced, sensitive"),
        ({"contig": "chr1", "region": "chr1:1-5"}, "cannot go together"),
    ],
    ids=str,
)
def test_bad_filters_are_named(output, bad, message):
    with pytest.raises(InputError, match=message):
        query(output, **bad)


def test_false_calls_cannot_be_limited_without_calibration(tmp_path):
    bare = [row | {"expected_fp_per_mb": None} for row in synthetic_rows() if row["contig"] == "chr1"]
    write_output(tmp_path, [table_of(bare)], CONTIGS)
    for filters in ({}, {"region": "chr1:1-500"}, {"contig": "chr10"}):
        with pytest.raises(InputError, match="the scan's model m:1 has no calibration, so false positives per Mb are"):
            query(tmp_path, max_fp_per_mb=1, **filters)


def test_limits_of_false_calls_find_nothing_in_nothing(tmp_path):
    write_output(tmp_path, [SCHEMA.empty_table()], CONTIGS)
    assert query(tmp_path, max_fp_per_mb="strict").num_rows == 0


def test_columns_that_an_older_scan_lacks_are_null(tmp_path):
    own = [row for row in synthetic_rows() if row["contig"] == "chr1"]
    older = table_of(own).drop_columns(["flank_5p", "flank_3p", "expected_fp_per_mb", *ARM_COLUMNS])
    write_output(tmp_path, [older], CONTIGS)
    best = query(tmp_path, sort="score", limit=9)
    assert best.schema.equals(SCHEMA)
    assert best["arm"].null_count == best["flank_5p"].null_count == best.num_rows == 9
    assert b"miRNA\t" not in written(tmp_path, "gff3")


def written(output, file_format: str, **filters) -> bytes:
    stream = io.BytesIO()
    write(
        pa.RecordBatchReader.from_batches(SCHEMA, select(open_output(output), Filters(**filters))), stream, file_format
    )
    return stream.getvalue()


def test_tsv_is_read_back_by_csv(output):
    table = query(output)
    read = list(csv.DictReader(io.StringIO(written(output, "tsv").decode()), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert list(read[0]) == SCHEMA.names
    assert [(r["contig"], int(r["start"]), int(r["end"]), r["strand"]) for r in read] == expected()
    assert [float(r["mfe"]) for r in read] == pytest.approx(table["mfe"].to_pylist(), abs=1e-5)


def test_columns_are_those_asked_for_in_their_order(output):
    table = query(output, contig="chr10", columns=["mfe", "contig", "arm"])
    assert table.equals(query(output, contig="chr10").select(["mfe", "contig", "arm"]))
    assert query(output, contig="bare", columns=["end"]).schema.names == ["end"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["scor"], "a scan has no column 'scor': did you mean 'score'"),
        ([], "name at least one, and each once"),
        (["end", "start", "end"], "name at least one, and each once"),
    ],
)
def test_bad_columns_are_named(output, columns, message):
    with pytest.raises(InputError, match=message):
        query(output, columns=columns)


def test_json_and_jsonl_are_the_rows(output):
    array = json.loads(written(output, "json"))
    lines = [json.loads(line) for line in written(output, "jsonl").splitlines()]
    assert array == lines
    assert [place(row) for row in array] == expected()
    assert array[0] == pytest.approx(synthetic_rows()[0])
    assert json.loads(written(output, "json", contig="bare")) == []


def test_fasta_is_read_back(output):
    records = list(SeqIO.parse(io.StringIO(written(output, "fasta", contig="chr1").decode()), "fasta"))
    own = query(output, contig="chr1").to_pylist()
    assert [(r.id, str(r.seq)) for r in records] == [(candidate_id(row), row["sequence"]) for row in own]


def test_parquet_is_the_table(output):
    read = pq.read_table(io.BytesIO(written(output, "parquet", contig="chr10")))
    assert read.to_pylist() == query(output, contig="chr10").to_pylist()
    assert read.schema.equals(SCHEMA)


@pytest.mark.parametrize("file_format", FORMATS)
def test_formats_of_nothing_are_valid(output, file_format):
    content = written(output, file_format, contig="bare")
    lines = {"tsv": 1, "csv": 1, "table": 1, "gff3": 1, "json": 1, "autosql": 32}.get(file_format, 0)
    assert file_format == "parquet" or content.count(b"\n") == lines


def test_sql_counts_what_filters_find(output):
    table = query(output, sql="SELECT contig, count(*) AS n FROM candidates WHERE score >= 0.5 GROUP BY contig")
    assert dict(zip(*table.to_pydict().values(), strict=True)) == {
        contig: query(output, contig=contig, min_score=0.5).num_rows for contig in CONTIGS
    }


def test_sql_rows_can_be_written_in_the_formats(output):
    table = query(output, sql="FROM candidates WHERE strand = '+' ")
    stream = io.BytesIO()
    write(pa.RecordBatchReader.from_batches(table.schema, table.to_batches()), stream, "bed")
    assert stream.getvalue() == written(output, "bed", strand="+")


def test_sql_rows_without_coordinates_cannot_become_bed(output):
    table = query(output, sql="SELECT contig, score FROM candidates")
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    with pytest.raises(InputError, match=r"format bed needs the columns .* have no start, end, strand: select"):
        write(reader, io.BytesIO(), "bed")


def test_sql_values_of_any_type_can_be_printed(output):
    table = query(output, sql="SELECT [1, 2] AS l, NULL AS n, 'a\tb' AS t, 1.5::DECIMAL(3,1) AS d, {'x': 1} AS s")
    reader = lambda: pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    stream = io.BytesIO()
    write(reader(), stream, "tsv")
    assert stream.getvalue() == b'l\tn\tt\td\ts\n[1, 2]\t\ta b\t1.5\t{"x": 1}\n'
    stream = io.BytesIO()
    write(reader(), stream, "json")
    assert json.loads(stream.getvalue())[0]["l"] == [1, 2]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM read_parquet('{parts}')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM query('FROM read_text(''{secret}'')')",
        "WITH t AS (SELECT * FROM read_blob('{secret}')) SELECT * FROM t",
        "ATTACH '{new}'",
        "COPY candidates TO '{new}'",
        "COPY (SELECT 1) TO '{new}'",
        "EXPORT DATABASE '{new}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET enable_external_access",
        "PRAGMA enable_external_access = true",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW candidates",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY candidates TO '{new}'",
        "SELECT * FROM hidden_rows",
        "SELECT nothing FROM candidates",
        "SELECT CAST(start AS TINYINT) FROM candidates",
        "SELECT",
        "",
    ],
)
def test_sql_cannot_leave_the_dataset(output, tmp_path, statement):
    hidden_rows = pa.table({"x": [1]})  # a Python variable that DuckDB would find by itself
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    places_of = {"secret": secret, "new": tmp_path / "new", "parts": output / "candidates" / "*"}
    with pytest.raises(InputError, match="the SQL cannot be run"):
        query(output, sql=statement.format(**places_of))
    assert [p.name for p in tmp_path.iterdir()] == ["secret.csv"]
    assert hidden_rows.num_rows == 1


def test_what_is_no_scan_is_refused(tmp_path):
    with pytest.raises(InputError, match="not the output of a mirsweep scan"):
        query(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        query(tmp_path / "nope")


def test_sequences_are_those_of_the_genome(tmp_path, tmp_path_factory):
    """Coordinates, strand and sequence of a real scan fit the FASTA file."""
    from helpers_jobs import make_model, scan

    bases = slice_bases(0, 30_000)
    genome = write_fasta(tmp_path / "g.fa", {"c": bases})
    scan(genome, output=tmp_path / "out", model=make_model(tmp_path / "m.safetensors"), local=True, quiet=True)
    complement = str.maketrans("ACGU", "UGCA")
    table = rows(tmp_path / "out").to_pylist()
    assert len(table) > 20
    for row in table:
        own = bases[row["start"] : row["end"]].upper().replace("T", "U")
        assert row["sequence"] == (own if row["strand"] == "+" else own.translate(complement)[::-1])
