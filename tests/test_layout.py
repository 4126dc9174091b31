"""What a scan leaves on disk: every Parquet reader opens it, whatever contigs are called; old outputs are read too."""

import json
from pathlib import Path

import duckdb
import numpy as np
import pandas
import polars
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from helpers_jobs import make_model, rows, scan, slice_bases, split_records, write_fasta
from mirsweep.jobs import compare, explain, query, read_candidates
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.results.contig_folders import old_part_path
from mirsweep.jobs.results.dataset import open_output
from mirsweep.jobs.results.files import write_atomically
from mirsweep.jobs.results.part_files import PART_SCHEMA, PartFiles, Place, index_of
from mirsweep.jobs.results.records import read_records
from mirsweep.jobs.scanning.shard_work import pack
from mirsweep.scanner.candidates import SCHEMA
from mirsweep.scanner.errors import InputError

NAMES = {
    "numbers": ["20", "1", "3"],
    "dates": ["2020-01-01", "2021-12-31", "1999-05-05"],
    "PanSN": ["HG00096#1#chr1", "HG00096#2#chr1", "CHM13#0#chrX"],
    "odd": ["HLA:01:02", "x" * 300, "scaffold_é|漢字;a=b,c", "seq", "seq:1-100"],
    "null-like": ["NULL", "__HIVE_DEFAULT_PARTITION__", ".."],
}
PIECE = 6_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("layout")


@pytest.fixture(scope="module")
def model(folder):
    return make_model(folder / "small.safetensors")


@pytest.fixture(scope="module", params=NAMES)
def named(request, folder, model):
    """A scan in several parts of contigs of one kind of names, and the names in the genome's order."""
    names = NAMES[request.param]
    bases = {name: slice_bases(PIECE * i, PIECE * (i + 1)) for i, name in enumerate(names)}
    genome = write_fasta(folder / f"{request.param}.fa", bases)
    output = folder / request.param
    report = scan(genome, output=output, model=model, local=True, shard_nt=8_000, quiet=True)
    assert report.run["files"]["n_files"] == len(names) > 2
    return output, names


def keys(frame) -> list[tuple]:
    """(contig, start, end, strand) of the rows of a frame of any library."""
    columns = [frame[name].to_list() if hasattr(frame[name], "to_list") else frame[name].to_pylist() for name in PLACE]
    return list(zip(*columns, strict=True))


PLACE = ("contig", "start", "end", "strand")
READERS = {
    "pyarrow.parquet": lambda path: pq.read_table(path),
    "pyarrow.dataset": lambda path: ds.dataset(path).to_table(),
    "pyarrow.dataset, hive": lambda path: ds.dataset(path, partitioning="hive").to_table(),
    "pandas": lambda path: pandas.read_parquet(path),
    "polars.read_parquet": lambda path: polars.read_parquet(path),
    "polars.scan_parquet": lambda path: polars.scan_parquet(f"{path}/*.parquet").collect(),
    "duckdb": lambda path: duckdb.sql(f"FROM read_parquet('{path}/*.parquet')").to_arrow_table(),
    "duckdb, hive": lambda path: duckdb.sql(
        f"FROM read_parquet('{path}/*.parquet', hive_partitioning = true)"
    ).to_arrow_table(),
}


@pytest.mark.parametrize("reader", READERS)
def test_every_parquet_reader_opens_the_candidates(named, reader):
    output, names = named
    frame = READERS[reader](str(output / "candidates"))
    expected = keys(read_candidates(output))
    assert list(getattr(frame, "column_names", frame.columns)) == SCHEMA.names
    assert keys(frame) == expected
    assert [*dict.fromkeys(contig for contig, *_ in expected)] == names


def test_pandas_knows_all_names_as_categories(named):
    output, names = named
    frame = pandas.read_parquet(output / "candidates")
    assert sorted(frame["contig"].cat.categories) == sorted(names)
    assert frame.groupby("contig", observed=True).size().sum() == len(frame)


def test_contigs_and_regions_are_found_by_any_name(named):
    output, names = named
    table = read_candidates(output)
    for name in names:
        own = [key for key in keys(table) if key[0] == name]
        assert keys(query(output, contig=name)) == own
        assert keys(query(output, region=name)) == own
        end = own[len(own) // 2][2]
        expected = [key for key in own if key[1] < end]
        assert keys(query(output, region=f"{{{name}}}:1-{end}")) == expected
        if name != "seq":
            assert keys(query(output, region=f"{name}:1-{end}")) == expected


def test_a_contig_that_is_called_like_a_region_wins(folder, model):
    bases = slice_bases(0, 6_000)
    genome = write_fasta(folder / "alike.fa", {"seq": bases, "seq:1-1000": bases})
    scan(genome, output=folder / "alike", model=model, local=True, quiet=True)
    whole = query(folder / "alike", region="seq:1-1000")
    assert set(whole["contig"].to_pylist()) == {"seq:1-1000"}
    interval = query(folder / "alike", region="{seq}:1-1000")
    assert set(interval["contig"].to_pylist()) == {"seq"}
    assert 0 < interval.num_rows < whole.num_rows


# -- parts and their index --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sliced(folder, model):
    """A scan of 60 kb and of small contigs in shards of 7 kb."""
    bases = slice_bases(0, 90_000)
    records = {"big": bases[:60_000]} | {f"s{i}": bases[60_000 + 900 * i : 60_900 + 900 * i] for i in range(30)}
    genome = write_fasta(folder / "sliced.fa", records)
    return scan(genome, output=folder / "sliced", model=model, local=True, shard_nt=7_000, quiet=True)


def test_files_follow_the_bases_not_the_contigs(folder, model):
    bases = slice_bases(0, 60_000)
    records = {f"c{i}": bases[60 * i : 60 * i + 300] for i in range(900)}
    output = folder / "many"
    report = scan(write_fasta(folder / "many.fa", records), output=output, model=model, local=True, quiet=True)
    assert report.n_candidates > 500
    assert len([path for path in output.rglob("*") if path.is_file()]) == 7
    assert len((output / "run.json").read_text()) < 5_000
    assert len(open_output(output).contigs) == 900


def brute_force(table: pa.Table, place: Place, ranks: dict[str, int]) -> bool:
    return any(
        place.first <= ranks[contig] <= place.last
        and (place.first != place.last or (end > place.start and (place.end is None or start < place.end)))
        for contig, start, end, _ in keys(table)
    )


def test_the_index_names_the_parts_that_a_place_needs(sliced):
    output = open_output(sliced.output)
    ranks = {contig: rank for rank, (_, contig, _) in enumerate(output.contigs)}
    parts = {path: pq.read_table(path) for path in output.files.paths()}
    rng = np.random.default_rng(1)
    places = [Place(0, 0, start, start + size) for start, size in rng.integers(1, 60_000, (200, 2)).tolist()]
    places += [Place(rank, rank) for rank in range(31)] + [Place(2, 9), Place(0, 30), Place(0, 0, 59_990)]
    for place in places:
        needed = [path for path, table in parts.items() if brute_force(table, place, ranks)]
        found = output.files.paths(place)
        assert set(needed) <= set(found)
        assert len(found) <= len(needed) + 2
    assert output.files.n_rows == sliced.n_candidates
    assert len(output.files.paths(Place(0, 0, 20_000, 20_100))) <= 2 < len(parts)


def test_the_index_is_that_of_the_commit_records(sliced):
    output = open_output(sliced.output)
    records = read_records(sliced.output).by_shard
    assert output.files.table.equals(index_of(records, output.contigs))
    for row in output.files.table.to_pylist():
        path = sliced.output / "candidates" / row["part"]
        assert path.stat().st_size == row["bytes"]
        assert pq.read_metadata(path).num_rows == row["rows"]


def test_who_asks_for_the_first_rows_opens_the_first_files(sliced, tmp_path):
    """The parts after the third are not even Parquet."""
    copy = copied(sliced.output, tmp_path / "copy")
    parts = sorted((copy / "candidates").iterdir())
    for path in parts[3:]:
        path.write_bytes(b"x" * path.stat().st_size)
    n_first = pq.read_metadata(parts[0]).num_rows
    for limit in (1, n_first, n_first + 1):
        assert query(copy, limit=limit).equals(query(sliced.output, limit=limit))


@pytest.mark.parametrize("lost", [["parts.parquet"], ["parts.parquet", "records.jsonl"]], ids=str)
def test_queries_need_no_index(sliced, tmp_path, lost):
    copy = copied(sliced.output, tmp_path / "copy")
    for pattern in lost:
        for path in (copy / "_shards").glob(pattern):
            path.unlink()
    assert rows(copy).equals(rows(sliced.output))
    for region in ("big:20,001-21,000", "s7", "s29:300-"):
        assert query(copy, region=region).equals(query(sliced.output, region=region))
        assert query(copy, region=region).num_rows


def test_of_an_unfinished_scan_the_committed_parts_are_read(sliced, tmp_path, capsys):
    copy = split_records(copied(sliced.output, tmp_path / "copy"))
    (copy / "run.json").unlink()
    (copy / "_shards" / "parts.parquet").unlink()
    *_, last = sorted((copy / "_shards").glob("0*.json"))
    n_last = json.loads(last.read_text())["part"]["rows"]
    last.unlink()
    assert query(copy).num_rows == sliced.n_candidates - n_last
    assert "the scan is not complete" in capsys.readouterr().err
    assert query(copy, contig="s3").equals(query(sliced.output, contig="s3"))
    with pytest.raises(InputError, match=r"copy: the scan has no contig 'S3': did you mean 's3'"):
        query(copy, contig="S3")


def test_a_part_that_is_missing_is_named_and_made_again(sliced, tmp_path, folder, model):
    copy = copied(sliced.output, tmp_path / "copy")
    lost, cut, *_ = sorted((copy / "candidates").iterdir())
    lost.unlink()
    with pytest.raises(InputError, match=rf"{lost.name}: missing, .* run the scan again"):
        query(copy)
    cut.write_bytes(cut.read_bytes()[:-100])
    genome = folder / "sliced.fa"
    again = scan(genome, output=copy, model=model, local=True, shard_nt=7_000, quiet=True)
    assert again.n_resumed == sliced.n_shards - 2
    assert rows(copy).equals(rows(sliced.output))


def test_parts_of_unknown_place_are_never_left_out():
    known = [{"part": "a", "first_contig": 3, "first_start": 10, "last_contig": 3, "last_end": 90}, {"part": "b"}]
    parts = PartFiles(Path("x"), pa.Table.from_pylist(known, schema=PART_SCHEMA))
    assert parts.paths(Place(3, 3, 90, 95)) == ["x/b"]
    assert parts.paths(Place(3, 3, 89, 95)) == ["x/a", "x/b"]
    assert parts.n_rows is None


def copied(output: Path, target: Path) -> Path:
    for path in output.rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(output)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return target


# -- several genomes ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_genomes(folder, model):
    """Two genomes with a contig '1' each, of other letters; and one with a contig of its own."""
    one = write_fasta(folder / "one.fa", {"1": slice_bases(0, 9_000), "only": slice_bases(9_000, 15_000)})
    two = write_fasta(folder / "two.fa", {"1": slice_bases(20_000, 32_000)})
    return scan([one, two], output=folder / "two", model=model, local=True, shard_nt=16_000, quiet=True)


def test_genomes_may_have_contigs_of_one_name(two_genomes, folder, model):
    for name in ("one", "two"):
        alone = scan(folder / f"{name}.fa", output=folder / f"alone-{name}", model=model, local=True, quiet=True)
        assert keys(query(two_genomes.output, genome=name)) == keys(query(alone.output))
        own = keys(query(two_genomes.output, genome=name, region="1:1001-5000"))
        assert own == keys(query(alone.output, region="1:1001-5000")) != []
        (described,) = (each for each in two_genomes.run["genomes"] if each["name"] == name)
        assert described["counts"]["n_scanned"] == alone.run["counts"]["n_scanned"]
        assert described["counts"]["n_candidates"] == alone.n_candidates
    assert query(two_genomes.output).num_rows == two_genomes.n_candidates
    assert query(two_genomes.output, contig="only").num_rows > 0


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"contig": "1"}, r"two: contig '1' is in the genomes 'one' and 'two': name one with --genome"),
        ({"region": "1:1-500"}, r"contig '1' is in the genomes 'one' and 'two'"),
        ({"genome": "tow"}, r"has no genome 'tow': did you mean 'two'"),
        ({"genome": "two", "contig": "only"}, r"genome 'two' has no contig 'only'"),
        ({"contig": "onyl"}, r"has no contig 'onyl': did you mean 'only'"),
    ],
    ids=str,
)
def test_genomes_and_contigs_are_named_when_they_are_not_clear(two_genomes, asked, message):
    with pytest.raises(InputError, match=message):
        query(two_genomes.output, **asked)


def test_distinct_keeps_the_contigs_of_two_genomes_apart(two_genomes):
    of_each = [query(two_genomes.output, genome=name, distinct=True) for name in ("one", "two")]
    assert keys(query(two_genomes.output, distinct=True)) == keys(of_each[0]) + keys(of_each[1])


def test_formats_of_contigs_hold_one_genome_of_two_with_the_same_contigs(two_genomes, tmp_path, capsys):
    arguments = ["query", str(two_genomes.output), "--format", "gff3"]
    assert main(arguments) == 2
    assert "contig '1' is in several genomes, which this format cannot tell apart" in capsys.readouterr().err
    assert main([*arguments, "--genome", "two"]) == 0
    assert "##sequence-region 1 1 12000" in capsys.readouterr().out
    assert main([*arguments, "--contig", "only"]) == 0


def test_known_loci_are_compared_with_the_genome_they_belong_to(two_genomes, tmp_path):
    best = query(two_genomes.output, genome="two", sort="score", limit=3).to_pylist()
    known = tmp_path / "known.bed"
    known.write_text("".join(f"1\t{r['start']}\t{r['end']}\tx{i}\t0\t{r['strand']}\n" for i, r in enumerate(best)))
    with pytest.raises(InputError, match=r"its contig '1' is in several genomes of the scan \(one, two\)"):
        compare(two_genomes.output, known)
    result = compare(two_genomes.output, known, genome="two")
    assert (result.n_recovered, result.top[50]) == (3, 3)
    assert result.scanned_mb == 12_000 / 1e6
    with pytest.raises(InputError, match="has no genome 'three'"):
        compare(two_genomes.output, known, genome="three")


# -- outputs of the first layout --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def old(named, folder):
    """The same scan as the first layout had it: a folder for each contig, the contigs in run.json."""
    output, names = named
    made = folder / f"old-{output.name}"
    for number, path in enumerate(open_output(output).files.paths()):
        table = pq.read_table(path)
        for name in names:
            own = table.filter(pa.compute.equal(table["contig"].cast(pa.string()), name))
            if own.num_rows:
                write_atomically(made / old_part_path(name, f"{number:06d}-x"), pack(own))
    run = json.loads((output / "run.json").read_text())
    lengths = {contig: length for _, contig, length in open_output(output).contigs}
    run["genomes"] = [{"name": run["genomes"][0]["name"], "digest": "d", "contigs": lengths}]
    write_atomically(made / "run.json", json.dumps(run).encode())
    plan = {"format": 1, "facts": {"shard-nt": 8_000}}
    write_atomically(made / "_shards" / "plan.json", json.dumps(plan).encode())
    return made, output, names


def test_old_outputs_are_read_as_new_ones(old, tmp_path):
    made, output, names = old
    assert rows(made).equals(rows(output))
    assert keys(read_candidates(made)) == keys(read_candidates(output))
    assert keys(query(made, contig=names[1])) == keys(query(output, contig=names[1]))
    assert query(made, region=f"{{{names[0]}}}:1000-3000").num_rows > 0
    assert query(made, sql="SELECT count(*) AS n FROM candidates").to_pylist() == [
        {"n": query(output).num_rows}
    ]  # fmt: skip
    best = query(made, sort="score", limit=1).to_pylist()[0]
    known = tmp_path / "k.bed"
    known.write_text(f"{best['contig']}\t{best['start']}\t{best['end']}\tx\t0\t{best['strand']}\n")
    assert compare(made, known) == compare(output, known)


def test_old_outputs_that_are_not_complete_are_read(old, tmp_path):
    made, output, names = old
    copy = copied(made, tmp_path / "copy")
    (copy / "run.json").unlink()
    assert sorted(keys(query(copy))) == sorted(keys(query(output)))
    assert keys(query(copy, contig=names[2])) == keys(query(output, contig=names[2]))


def test_an_old_output_is_explained(old):
    made, output, _ = old
    assert explain(made, limit=2)["id"].to_pylist() == explain(output, limit=2)["id"].to_pylist()


def test_a_scan_into_an_old_output_is_refused_unless_overwritten(old, tmp_path, model):
    copy = copied(old[0], tmp_path / "copy")
    genome = write_fasta(tmp_path / "g.fa", {"c": slice_bases(0, 4_000)})
    with pytest.raises(InputError, match=r"holds a scan in the format of another version.*--overwrite"):
        scan(genome, output=copy, model=model, local=True, quiet=True)
    assert rows(copy).equals(rows(old[0]))
    scan(genome, output=copy, model=model, local=True, quiet=True, overwrite=True)
    assert [path.is_file() for path in (copy / "candidates").iterdir()] == [True]
    assert set(rows(copy)["contig"].to_pylist()) == {"c"}


def test_read_candidates_reads_the_columns_asked_for(named):
    output, _ = named
    table = read_candidates(output, columns=["contig", "score"])
    assert table.column_names == ["contig", "score"]
    assert read_candidates(output).schema.equals(SCHEMA)
    with pytest.raises(InputError, match="no column 'colour': choose from genome, contig"):
        read_candidates(output, columns=["colour"])
