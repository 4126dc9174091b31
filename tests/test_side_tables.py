"""Tables beside the loci: joined wherever loci are read, never with other loci, damage noticed."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers_jobs import mirsweep, scan, slice_bases, write_fasta
from mirsweep.jobs import check, compare, loci, query, read_loci
from mirsweep.jobs.results.loci_schema import LOCI_SCHEMA
from mirsweep.jobs.results.side_tables import write_side_table
from mirsweep.scanner.errors import InputError

HOSTILE = 'a b;c=d\t"e"\n<f>&,%'


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("side")
    genome = write_fasta(folder / "g.fa", {"c": slice_bases(645_000, 660_000)})
    scan(genome, output=folder / "out", local=True, quiet=True)
    return folder / "out"


@pytest.fixture
def output(scanned, tmp_path):
    """A scan with a side table: of its second locus a hostile name, the third excluded, nothing of the last."""
    shutil.copytree(scanned, tmp_path / "out")
    keys = read_loci(scanned).select(["genome", "locus"])
    n = keys.num_rows
    assert n > 4
    names = ["cel-mir-1", HOSTILE, *(None for _ in range(n - 2))]
    table = keys.append_column("name", pa.array(names)).append_column("excluded", pa.array([i == 2 for i in range(n)]))
    write_side_table(tmp_path / "out", "annotation.parquet", table.slice(0, n - 1))
    return tmp_path / "out"


def test_loci_are_joined_in_order_and_the_excluded_left_out(output, scanned):
    plain, joined = read_loci(scanned), read_loci(output)
    assert joined.schema.names == [*LOCI_SCHEMA.names, "name", "excluded"]
    assert joined["locus"].to_pylist() == [name for i, name in enumerate(plain["locus"].to_pylist()) if i != 2]
    assert joined["name"].to_pylist()[:2] == ["cel-mir-1", HOSTILE]
    assert joined["excluded"].to_pylist()[-1] is None
    everything = read_loci(output, excluded=True)
    assert everything.select(LOCI_SCHEMA.names).equals(plain)
    assert read_loci(output, side_tables=False).equals(plain)
    assert query(output, loci=True, excluded=True).num_rows == query(output, loci=True).num_rows + 1


def test_every_format_has_the_columns(output):
    def run(*arguments):
        done = mirsweep("query", output, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    first = json.loads(run("--loci", "--format", "json"))[0]
    assert (first["name"], first["excluded"]) == ("cel-mir-1", False)
    header, line, second, *_ = run("--loci", "--format", "tsv").splitlines()
    assert dict(zip(header.split("\t"), line.split("\t"), strict=True))["name"] == "cel-mir-1"
    assert second.endswith('\ta b;c=d "e" <f>&,%\tfalse')
    features = [f for f in run("--loci", "--format", "gff3").splitlines() if "primary_transcript" in f]
    assert "Name=cel-mir-1;" in features[0]
    assert "Name=a b%3Bc%3Dd%09%22e%22%0A<f>%26%2C%25;" in features[1]
    assert features[0].endswith(";excluded=false")
    assert features[3].split("ID=")[1].split(";")[0] == features[3].split("Name=")[1].split(";")[0]
    lines = [line.split("\t") for line in run("--loci", "--format", "bed").splitlines()]
    assert [fields[3] for fields in lines[:2]] == ["cel-mir-1", 'a_b;c=d_"e"_<f>&,%']
    assert {len(fields) for fields in lines} == {12}
    counts = "SELECT count(*) AS n, count(name) AS named FROM loci"
    n = read_loci(output).num_rows
    assert run("--sql", counts).splitlines()[1] == f"{n}\t2"
    assert run("--sql", counts, "--excluded").splitlines()[1] == f"{n + 1}\t2"
    assert run("--loci", "--region", "c", "--limit", 1, "--columns", "name") == "name\ncel-mir-1\n"
    run("--loci", "--format", "parquet", "-o", output / "x.parquet")
    assert pq.read_table(output / "x.parquet").column_names[-2:] == ["name", "excluded"]
    assert mirsweep("query", output, "--excluded").returncode == 2


def test_compare_and_the_files_of_loci_know_none_of_it(output, scanned, tmp_path):
    row = read_loci(scanned).to_pylist()[2]
    (tmp_path / "known.bed").write_text(f"c\t{row['start']}\t{row['end']}\tx\t0\t{row['strand']}\n")
    assert compare(output, tmp_path / "known.bed", loci=True).n_recovered == 1
    before = (output / "loci.tsv").read_bytes()
    loci(output, quiet=True)
    assert (output / "loci.tsv").read_bytes() == before
    assert "name" in read_loci(output).column_names, "the same loci, found again, keep their table"


def test_a_table_of_other_loci_is_told_and_not_joined(output, capsys):
    table = pq.read_table(output / "loci.parquet")
    pq.write_table(table, output / "loci.parquet", compression="none")
    run = json.loads((output / "run.json").read_text())
    run["digests"]["loci.parquet"]["bytes"] = (output / "loci.parquet").stat().st_size
    (output / "run.json").write_text(json.dumps(run))
    assert read_loci(output).schema == LOCI_SCHEMA
    assert "annotation.parquet: was made from other loci than those in loci.parquet" in capsys.readouterr().err
    assert "annotation.parquet" in [each.file for each in check(output).damage]


def test_a_second_pass_with_other_loci_removes_the_table_and_says_so(output, capsys):
    keys = read_loci(output).select(["genome", "locus"])
    content = (output / "loci.parquet").read_bytes()
    (output / "loci.parquet").write_bytes(content[:-1] + b"X")
    write_side_table(output, "annotation.parquet", keys)
    loci(output, quiet=True)
    assert not (output / "annotation.parquet").exists()
    assert f"is removed: mirsweep annotate {output} makes it anew" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["cut", "changed"])
def test_damage_is_noticed_and_repair_removes_the_table(output, how, capsys):
    path = output / "annotation.parquet"
    content = bytearray(path.read_bytes())
    column = pq.ParquetFile(path).metadata.row_group(0).column(1)  # the loci
    end = column.dictionary_page_offset + column.total_compressed_size
    content[end - 5] ^= 255
    path.write_bytes(content if how == "changed" else content[:-30])
    assert [each.file for each in check(output).damage] == ["annotation.parquet"]
    with pytest.raises(InputError, match=r"annotation\.parquet: damaged .* mirsweep annotate .* makes it anew"):
        read_loci(output)
    repaired = check(output, repair=True, quiet=True)
    assert repaired.is_sound
    assert not repaired.repaired
    assert "is removed: mirsweep annotate" in capsys.readouterr().err
    assert read_loci(output).schema == LOCI_SCHEMA


def test_columns_of_the_loci_are_not_taken_twice(output):
    keys = read_loci(output, excluded=True).select(["genome", "locus", "copies"])
    write_side_table(output, "evidence.parquet", keys)
    with pytest.raises(InputError, match=r"evidence\.parquet: has the column 'copies', which the loci have"):
        read_loci(output)


def test_a_scan_that_replaces_another_leaves_no_table(output, tmp_path):
    genome = write_fasta(tmp_path / "other.fa", {"c": slice_bases(20_000, 30_000)})
    scan(genome, output=output, local=True, quiet=True, overwrite=True)
    assert not (output / "annotation.parquet").exists()
