"""What mirsweep writes, opened by the programs that its users have, whatever the contigs are called.

Programs and libraries that are not installed are skipped; with MIRSWEEP_REQUIRE_TOOLS set, as in continuous
integration, their tests fail.
"""

import importlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from urllib.parse import quote, unquote

import duckdb
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from helpers_jobs import scan, slice_bases, write_fasta
from mirsweep.jobs import query
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.results.formats.rows import PLACE
from mirsweep.jobs.results.known import read_known
from mirsweep.scanner.candidates import SCHEMA

KINDS = {
    "numeric": ("10", "9"),
    "dates": ("2020-01-01", "1999-12-31"),
    "PanSN": ("HG00096#1#chr1", "HG00096#2#chr1"),
    "colons": ("seq:1-100", "seq"),
    "long": ("n" * 300, "n" * 299 + "m"),
    "non-ASCII": ("chromosome_é", "chromosome_ø"),
    "ideographs": ("染色体1", "染色体2"),
    "punctuation": ("a;b=c,d&e", "gi|1|x%20/2(3)"),
}
"""Names of contigs, in the order of the genome, which is not that of the alphabet."""
DOCS = Path(__file__).parents[1] / "docs" / "formats.md"
HAIRPIN = "miRNA_primary_transcript"
Place = tuple[str, int, int, str]


class Scanned(NamedTuple):
    """Output of a scan, its rows, and a file in each format."""

    output: Path
    contigs: tuple[str, ...]
    rows: list[dict]
    files: dict[str, Path]

    @property
    def places(self) -> list[Place]:
        return [(row["contig"], row["start"], row["end"], row["strand"]) for row in self.rows]


@pytest.fixture(scope="module")
def make(tmp_path_factory) -> Callable[[tuple[str, ...]], Scanned]:
    """Scan two pieces of a real chromosome, with known precursors, under given names."""

    def scanned(contigs: tuple[str, ...]) -> Scanned:
        folder = tmp_path_factory.mktemp("tools")
        pieces = (slice_bases(661_000, 667_000), slice_bases(1_159_000, 1_163_000))
        genome = write_fasta(folder / "g.fa", dict(zip(contigs, pieces, strict=True)))
        output = folder / "out"
        scan(genome, output=output, local=True, quiet=True, shard_nt=2000)
        files = {}
        for file_format in ("gff3", "bed", "bed6", "bed6+", "tsv", "csv", "parquet"):
            files[file_format] = folder / f"candidates.{file_format}"
            assert main(["query", str(output), "--format", file_format, "-o", str(files[file_format])]) == 0
        for file_format in ("gff3", "bed"):
            packed = files[f"{file_format}.gz"] = folder / f"packed.{file_format}.gz"
            arguments = ["query", str(output), "--format", file_format, "--compress", "-o", str(packed)]
            assert main(arguments) == 0
        return Scanned(output, contigs, query(output).to_pylist(), files)

    return scanned


@pytest.fixture(scope="module", params=KINDS)
def scanned(request, make) -> Scanned:
    return make(KINDS[request.param])


def missing(what: str) -> None:
    if os.environ.get("MIRSWEEP_REQUIRE_TOOLS"):
        pytest.fail(f"{what} is missing, and MIRSWEEP_REQUIRE_TOOLS is set")
    pytest.skip(f"{what} is not installed")


def library(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        return missing(f"the library {name}")


def run(*arguments: object) -> str:
    """What a program prints; it must end well and not complain (bedtools does if contigs are not all ``chr``)."""
    if shutil.which(str(arguments[0])) is None:
        missing(f"the program {arguments[0]}")
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=60, check=False)
    complaints = [
        text for text in done.stderr.split("\n\n") if "inconsistent naming convention" not in text
    ]  # bedtools
    assert (done.returncode, "".join(complaints).strip()) == (0, "")
    return done.stdout


def bed_places(text: str) -> list[Place]:
    fields = [line.split("\t") for line in text.splitlines()]
    return [(f[0], int(f[1]), int(f[2]), f[5]) for f in fields]


def gff_places(text: str) -> list[Place]:
    fields = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return [(unquote(f[0]), int(f[3]) - 1, int(f[4]), f[6]) for f in fields if f[2] == HAIRPIN]


def test_there_are_rows_to_look_at(scanned):
    """Both contigs, both strands, overlaps, mature sequences that begin after the next hairpin."""
    assert {(row["contig"], row["strand"]) for row in scanned.rows} == {(c, s) for c in scanned.contigs for s in "+-"}
    assert len(scanned.rows) > 20
    pairs = [(one, other) for one, other in zip(scanned.rows, scanned.rows[1:], strict=False)]
    assert any(one["contig"] == other["contig"] and other["start"] < one["end"] - 22 for one, other in pairs)
    assert any(row["star_start"] is not None for row in scanned.rows)


def test_own_reader(scanned):
    for name in ("gff3", "gff3.gz", "bed", "bed.gz", "bed6", "bed6+"):
        assert [locus[:4] for locus in read_known(scanned.files[name])] == sorted(scanned.places)


# Parquet


@pytest.mark.parametrize("options", [{}, {"partitioning": "hive"}, {"partitioning": None}], ids=str)
def test_pyarrow_reads_the_dataset(scanned, options):
    folder = scanned.output / "candidates"
    assert len(list(folder.iterdir())) > 1
    for table in (pq.read_table(folder, **options), ds.dataset(folder, **options).to_table()):
        assert table.schema.names == SCHEMA.names
        assert table.to_pylist() == scanned.rows


def test_pandas_reads_the_dataset(scanned):
    table = library("pandas").read_parquet(scanned.output / "candidates")
    assert list(table[list(PLACE)].itertuples(index=False, name=None)) == scanned.places
    assert table["score"].tolist() == pytest.approx([row["score"] for row in scanned.rows])


@pytest.mark.parametrize("options", [{}, {"hive_partitioning": True}], ids=str)
def test_polars_reads_the_dataset(scanned, options):
    polars = library("polars")
    lazy = polars.scan_parquet(scanned.output / "candidates", **options)
    assert lazy.select(PLACE).collect().rows() == scanned.places
    one = lazy.filter(polars.col("contig") == scanned.contigs[0]).collect()
    assert one.height == sum(row["contig"] == scanned.contigs[0] for row in scanned.rows)


@pytest.mark.parametrize("options", ["", ", hive_partitioning = true"])
def test_duckdb_reads_the_dataset(scanned, options):
    source = f"read_parquet('{scanned.output}/candidates/*.parquet'{options})"
    found = duckdb.sql(f"""SELECT contig, start, "end", strand, typeof(contig) FROM {source}""").fetchall()
    assert [row[:4] for row in found] == scanned.places
    assert {row[4] for row in found} <= {"VARCHAR"}


def test_contigs_are_a_table(scanned):
    assert pq.read_table(scanned.output / "contigs.parquet")["contig"].to_pylist() == list(scanned.contigs)


def test_pyarrow(scanned):
    assert pq.read_table(scanned.files["parquet"]).to_pylist() == scanned.rows


def test_pandas(scanned):
    pandas = library("pandas")
    table = pandas.read_parquet(scanned.files["parquet"])
    assert list(table[list(PLACE)].itertuples(index=False, name=None)) == scanned.places
    kinds = {"contig": str}
    for table in (
        pandas.read_csv(scanned.files["csv"], dtype=kinds),
        pandas.read_csv(scanned.files["tsv"], dtype=kinds, sep="\t", quoting=3),
    ):
        assert list(table[list(PLACE)].itertuples(index=False, name=None)) == scanned.places
        assert table["sequence"].tolist() == [row["sequence"] for row in scanned.rows]
        assert table["score"].tolist() == pytest.approx([row["score"] for row in scanned.rows])


def test_polars(scanned):
    polars = library("polars")
    columns = ["contig", "start", "end", "strand"]
    assert polars.read_parquet(scanned.files["parquet"]).select(columns).rows() == scanned.places
    kinds = {"contig": polars.String}
    assert polars.read_csv(scanned.files["csv"], schema_overrides=kinds).select(columns).rows() == scanned.places
    lazy = polars.scan_parquet(scanned.files["parquet"]).filter(polars.col("contig") == scanned.contigs[1])
    assert lazy.collect().height == sum(row["contig"] == scanned.contigs[1] for row in scanned.rows)


def test_duckdb(scanned):
    for source in (
        f"read_parquet('{scanned.files['parquet']}')",
        f"read_csv('{scanned.files['csv']}', types = {{'contig': 'VARCHAR'}})",
    ):
        found = duckdb.sql(f'SELECT contig, start, "end", strand FROM {source}')
        assert found.fetchall() == scanned.places


# BED


def test_bedtools_reads_bed(scanned):
    if scanned.contigs == KINDS["ideographs"]:
        pytest.skip("bedtools takes BED with much that is not ASCII for a binary file, and says so; it reads the GFF3")
    for name in ("bed", "bed6", "bed6+"):
        exactly = ("-s", "-u", "-f", 1, "-r")
        kept = run("bedtools", "intersect", *exactly, "-a", scanned.files[name], "-b", scanned.files["bed6"])
        assert bed_places(kept) == scanned.places
    assert run("bedtools", "merge", "-i", scanned.files["bed"]).count("\n") > 2  # refuses what is not sorted
    blocks = bed_places(run("bedtools", "bed12tobed6", "-i", scanned.files["bed"]))
    for row in scanned.rows:
        if row["mature_start"] is not None and row["strand"] == "+":
            place = (row["contig"], row["start"] + row["mature_start"], row["start"] + row["mature_end"], "+")
            assert place in blocks


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["bed", "bed6", "bed.gz"])
def test_pyranges_reads_bed(scanned, name):
    table = library("pyranges").read_bed(str(scanned.files[name])).df
    columns = table[["Chromosome", "Start", "End", "Strand"]].astype({"Chromosome": str, "Strand": str})
    assert sorted(columns.itertuples(index=False, name=None)) == sorted(scanned.places)


@pytest.mark.filterwarnings("ignore")
def test_bioframe_reads_bed(scanned):
    bioframe = library("bioframe")
    for name, schema in (("bed", "bed12"), ("bed6", "bed6")):
        table = bioframe.read_table(str(scanned.files[name]), schema=schema, schema_is_strict=True)
        columns = table[["chrom", "start", "end", "strand"]].astype({"chrom": str})
        assert list(columns.itertuples(index=False, name=None)) == scanned.places
        assert bioframe.is_bedframe(table.astype({"chrom": str}))


def test_polars_reads_bed6_plus_by_its_autosql(scanned, capsysbinary):
    polars = library("polars")
    assert main(["query", str(scanned.output), "--format", "autosql"]) == 0
    described = re.findall(r"^    (\S+) (\w+);", capsysbinary.readouterr().out.decode(), re.M)
    kinds = {"uint": polars.UInt32, "int": polars.Int32, "float": polars.Float32}
    schema = {name: kinds.get(kind, polars.String) for kind, name in described}
    table = polars.read_csv(scanned.files["bed6+"], separator="\t", has_header=False, schema=schema, quote_char=None)
    assert table.select("chrom", "chromStart", "chromEnd", "strand").rows() == scanned.places
    assert table["probability"].to_list() == pytest.approx([row["score"] for row in scanned.rows])
    assert table["sequence"].to_list() == [row["sequence"] for row in scanned.rows]
    assert f"bedToBigBed -type=bed6+{len(described) - 6} " in DOCS.read_text()


# GFF3


def test_genometools_validates_gff3(scanned):
    for check in ([], ["-typecheck", "so"], ["-strict"]):
        assert run("gt", "gff3validator", *check, scanned.files["gff3"]) == "input is valid GFF3\n"
    assert run("gt", "gff3validator", scanned.files["gff3.gz"]) == "input is valid GFF3\n"
    assert sorted(gff_places(run("gt", "gff3", "-sort", "-tidy", scanned.files["gff3"]))) == sorted(scanned.places)


def test_contigs_that_have_rows_are_declared(make, capsysbinary):
    """Each with its length, however few rows are asked for: the assembly may have a million more."""
    scanned = make(KINDS["numeric"])
    for limit, contigs in (((), [b"10 1 6000", b"9 1 4000"]), (("--limit", "1"), [b"10 1 6000"])):
        assert main(["query", str(scanned.output), "--format", "gff3", *limit]) == 0
        lines = capsysbinary.readouterr().out.splitlines()
        assert lines[1 : len(contigs) + 1] == [b"##sequence-region " + contig for contig in contigs]
        assert not lines[len(contigs) + 1].startswith(b"#")


@pytest.mark.filterwarnings("ignore")
def test_gffutils_reads_gff3(scanned):
    gffutils = library("gffutils")
    db = gffutils.create_db(str(scanned.files["gff3"]), ":memory:", merge_strategy="error", verbose=False)
    hairpins = list(db.features_of_type(HAIRPIN))
    assert sorted((unquote(f.seqid), f.start - 1, f.end, f.strand) for f in hairpins) == sorted(scanned.places)
    n_children = sum(row[f"{name}_start"] is not None for row in scanned.rows for name in ("mature", "star"))
    assert db.count_features_of_type("miRNA") == n_children > 0
    assert sum(len(list(db.children(hairpin))) for hairpin in hairpins) == n_children


@pytest.mark.filterwarnings("ignore")
def test_pyranges_reads_gff3(scanned):
    table = library("pyranges").read_gff3(str(scanned.files["gff3"])).df
    hairpins = table[table.Feature == HAIRPIN]
    found = zip(hairpins.Chromosome.astype(str), hairpins.Start, hairpins.End, hairpins.Strand.astype(str), strict=True)
    assert sorted((unquote(contig), *rest) for contig, *rest in found) == sorted(scanned.places)
    assert set(table[table.Feature == "miRNA"].Parent) <= set(hairpins.ID)


@pytest.mark.filterwarnings("ignore")
def test_bioframe_reads_gff3(scanned):
    table = library("bioframe").read_table(str(scanned.files["gff3"]), schema="gff", comment="#")
    hairpins = table[table.feature == HAIRPIN]
    found = zip(hairpins.chrom.astype(str), hairpins.start - 1, hairpins.end, hairpins.strand, strict=True)
    assert [(unquote(contig), *rest) for contig, *rest in found] == scanned.places


def test_bedtools_reads_gff3(scanned):
    kept = run("bedtools", "intersect", "-s", "-u", "-a", scanned.files["gff3"], "-b", scanned.files["gff3.gz"])
    assert gff_places(kept) == scanned.places


# bgzip and tabix


@pytest.mark.parametrize("name", ["gff3", "bed"])
def test_tabix_takes_files_as_they_come(scanned, tmp_path, name):
    """Compressed by bgzip itself or by --compress: the same rows of a region, and no word of complaint."""
    plain = tmp_path / scanned.files[name].name
    shutil.copy(scanned.files[name], plain)
    run("bgzip", plain)
    run("tabix", "-p", "gff" if name == "gff3" else "bed", f"{plain}.gz")
    read = gff_places if name == "gff3" else bed_places
    contigs = list(dict.fromkeys(row["contig"] for row in scanned.rows))
    written = {c: quote(c, safe=".:^*$@!+_?-|") if name == "gff3" else c for c in contigs}
    for path in (f"{plain}.gz", scanned.files[f"{name}.gz"]):
        assert run("tabix", "-l", path).splitlines() == list(written.values())
        for contig in contigs:
            for start, end in ((1, 100_000), (2000, 3000)):
                found = read(run("tabix", path, f"{{{written[contig]}}}:{start}-{end}"))
                assert found == [p for p in scanned.places if p[0] == contig and p[1] < end and p[2] >= start]
        assert read(run("tabix", path, *(f"{{{own}}}" for own in written.values()))) == scanned.places


# The page that says so


@pytest.mark.filterwarnings("ignore")
def test_examples_of_the_page_run(make, monkeypatch):
    """Every Python example and every mirsweep command of docs/formats.md, on files of these names."""
    for name in ("pandas", "polars", "gffutils", "pyranges", "bioframe"):
        library(name)
    scanned = make(KINDS["numeric"])
    monkeypatch.chdir(scanned.output.parent)
    scanned.output.rename("OUT")
    text = DOCS.read_text()
    commands = re.findall(r"^    mirsweep (query [^|>\n]+)", text, re.M)
    assert len(commands) >= 3
    for command in commands:
        assert main([*command.split(), *([] if "-o" in command else ["-o", "some.txt"])]) == 0
    examples = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert len(examples) >= 7
    for example in examples:
        names: dict = {}
        exec(example, names)  # what a reader would type
        for name in ("best", "hairpins", "table"):
            if name in names:
                assert len(names[name]) > 0
