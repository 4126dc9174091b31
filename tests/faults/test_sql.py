"""Statements whose values no format of text was made for: a sentence, never a traceback."""

import pytest

from helpers_jobs import make_model, scan, slice_bases, write_fasta
from mirsweep.jobs.cli.main import main

STATEMENTS = [
    "SELECT * FROM test_all_types()",
    "SELECT INTERVAL 1 DAY AS x",
    "SELECT '101'::BIT AS x",
    "SELECT '\\xFF'::BLOB AS x",
    "SELECT union_value(a := 1) AS x",
    "SELECT MAP {1: 2} AS x",
    "SELECT {'a': [1, 2]} AS x",
    "SELECT DATE 'infinity' AS x",
    "SELECT TIMESTAMP '290309-12-22 (BC) 00:00:00' AS x",
    "SELECT 170141183460469231731687303715884105727::HUGEINT AS x",
    "SELECT 1 AS x, 2 AS x",
    "SELECT repeat('x', 10000000000) AS x",
    "SELECT error('x')",
    "SELECT * FROM candidates WHERE score > 'x'",
    "SELECT getenv('HOME')",
]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sql")
    genome = write_fasta(folder / "g.fa", {"c": slice_bases(0, 20_000)})
    scan(genome, output=folder / "out", model=make_model(folder / "m.safetensors"), local=True, quiet=True)
    return folder / "out"


@pytest.mark.parametrize("file_format", ["tsv", "csv", "json", "jsonl", "table", "parquet"])
@pytest.mark.parametrize("statement", STATEMENTS)
def test_any_statement_gives_rows_or_a_sentence(output, tmp_path, capsys, statement, file_format):
    written = tmp_path / "rows"
    code = main(["query", str(output), "--sql", statement, "--format", file_format, "-o", str(written)])
    said = capsys.readouterr().err
    assert code in (0, 2), said
    assert written.exists() == (code == 0), "a file is complete or absent"
    if code:
        assert said.startswith("mirsweep: ")
        assert said.count("\n") == 1
