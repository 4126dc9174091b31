"""What fuzzing found, one by one: files of other kinds and with other content than they should have."""

import hashlib
import json
import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers_fuzz import bounded
from helpers_fuzz_texts import bgzip
from helpers_jobs import write_fasta, write_output
from mirsweep.jobs import query, read_loci
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.results.inspect import inspect_output
from mirsweep.jobs.results.json_files import MalformedError, parse_object
from mirsweep.jobs.results.known import read_known
from mirsweep.jobs.results.layout import CONTIGS
from mirsweep.jobs.results.messages import printable
from mirsweep.jobs.results.parquet import open_parquet
from mirsweep.jobs.results.records import record_bytes
from mirsweep.jobs.results.regions import read_bed
from mirsweep.jobs.training.adapt_work import _read_facts
from mirsweep.jobs.training.examples import EXAMPLE_SCHEMA, read_examples
from mirsweep.jobs.training.precursors import read_precursors
from mirsweep.model.errors import ModelError
from mirsweep.model.training_state import TrainingState, read_state, write_state
from mirsweep.scanner import fai
from mirsweep.scanner.candidates import SCHEMA
from mirsweep.scanner.errors import InputError
from mirsweep.scanner.fasta import open_genome


def digest_of(path: Path) -> str:
    return open_genome(path).digest


# FASTA


@pytest.mark.parametrize(
    "letters", ["ACGT" * 30 + ">chr2" + "ACGT" * 30, "A" * 80 + ">chr2\n" + "AC" * 20, "A" * 80 + ";x\n" + "A" * 90]
)
def test_a_header_within_a_line_is_never_taken_for_letters(tmp_path, letters):
    """As of two files of which the first lacks its last end of line; lines of 80 letters would make it a record."""
    path = tmp_path / "g.fa"
    path.write_text(f">chr1\n{letters}\nAC\nACG\n")
    with pytest.raises(InputError, match="end of line missing"):
        digest_of(path)


def test_a_header_within_a_line_of_an_even_file_is_refused(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">chr1\nACGTA>chr2\nACGTACGTAC\n")
    with pytest.raises(InputError, match="'>' within its sequence lines"):
        digest_of(path)


def test_a_descriptive_header_may_have_an_arrow(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">chr1 5'->3'; whole\nACGTACGTAC\nACG\n")
    assert open_genome(path).contigs[0].length == 13


def block(content: bytes, told: int) -> bytes:
    """A block of bgzip that says how much it unpacks to."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(content) + packer.flush()
    head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", len(data) + 25)
    return head + data + struct.pack("<II", zlib.crc32(content), told)


@pytest.mark.parametrize("told", [5, 65_536])
def test_a_block_of_bgzip_unpacks_to_no_more_than_it_tells(tmp_path, told):
    path = tmp_path / "g.fa.gz"
    path.write_bytes(block(b">c\n", 3) + block(b"A" * 50_000_000, told) + bgzip(b""))
    with bounded(more_bytes=1 << 29), pytest.raises(InputError, match="damaged"):
        digest_of(path)


@pytest.mark.parametrize("told", [65_537, 2**32 - 1])
def test_a_block_of_bgzip_of_impossible_size_is_refused(tmp_path, told):
    path = tmp_path / "g.fa.gz"
    path.write_bytes(block(b">c\n", 3) + block(b"ACGT\n", told) * 1000 + bgzip(b""))
    with bounded(seconds=30), pytest.raises(InputError, match="damaged"):
        digest_of(path)


def test_a_pipe_in_place_of_an_index_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(fai, "_SMALL_BYTES", 0)
    path = write_fasta(tmp_path / "g.fa", {"c": "ACGT" * 30})
    expected = digest_of(path)
    Path(f"{path}.fai").unlink()
    os.mkfifo(f"{path}.fai")
    with bounded(seconds=30):
        assert digest_of(path) == expected


# Annotation


@pytest.mark.parametrize("number", ["\u00b9", "\u0661", "1_0", " 7", "1" * 5000, str(2**63)])
@pytest.mark.parametrize("line", ["c\t.\tpre_miRNA\t{0}\t{0}\t.\t+\t.\tID=a\n", "c\t1\t{0}\tx\t0\t+\n"])
def test_coordinates_are_plain_numbers_of_64_bits(tmp_path, line, number):
    path = tmp_path / "k.gff3"
    path.write_text(line.format(number), encoding="utf-8")
    for read in (read_known, read_bed):
        with pytest.raises(InputError, match="line 1") as caught:
            read(path)
        assert len(str(caught.value)) < 400


# Outputs


def rows(n: int = 5) -> pa.Table:
    texts = {
        "genome": "g",
        "contig": "c",
        "strand": "+",
        "sequence": "ACGU" * 10,
        "structure": "." * 40,
        "model": "m:1",
    }
    numbers = {"score": 0.5, "mfe": -3.0, "expected_fp_per_mb": 1.0}
    return pa.Table.from_pylist(
        [texts | numbers | {"start": 10 * k, "end": 10 * k + 40} for k in range(n)], schema=SCHEMA
    )


@pytest.fixture
def output(tmp_path):
    return write_output(tmp_path / "out", [rows()], {"c": 1000})


def replace_column(output: Path, name: str, values: pa.Array) -> None:
    (part,) = (output / "candidates").glob("part-*")
    table = pq.read_table(part)
    pq.write_table(table.set_column(table.column_names.index(name), name, values), part)


@pytest.mark.parametrize("name", ["start", "score", "strand", "contig", "sequence"])
@pytest.mark.parametrize("options", [{}, {"sort": "score"}, {"distinct": True}, {"limit": 1}])
def test_gaps_in_rows_are_damage(output, name, options):
    replace_column(output, name, pa.nulls(5, SCHEMA.field(name).type))
    with pytest.raises(InputError, match=f"without {name}"):
        query(output, **options)


@pytest.mark.parametrize("name", ["contig", "sequence", "arm"])
def test_text_that_is_no_utf8_is_damage(output, name):
    wrong = pa.array([b"\xff\xfe"] * 5, pa.binary()).view(pa.string())
    replace_column(output, name, wrong)
    for sql in (None, f"SELECT max({name}) AS x FROM candidates"):
        with pytest.raises(InputError, match="damaged"):
            query(output, sql=sql).to_pylist()


@pytest.mark.parametrize(
    "values",
    [pa.nulls(5, pa.int64()), pa.array([b"\xff"] * 5, pa.binary()).view(pa.string()).dictionary_encode()],
    ids=["gaps", "no UTF-8"],
)
def test_check_names_rows_that_cannot_be_even_with_a_forged_record(output, values):
    replace_column(output, "start" if values.type == pa.int64() else "contig", values)
    (part,) = (output / "candidates").glob("part-*")
    told = {"rows": 5, "bytes": part.stat().st_size, "sha256": hashlib.sha256(part.read_bytes()).hexdigest()}
    told |= {"first": ["g", "c", 0], "last": ["g", "c", 80]}
    shard = part.stem.removeprefix("part-")
    record = {"shard": shard, "counts": {}, "seconds": {}, "peak_mb": {}, "part": told}
    (output / "_shards").mkdir()
    (output / "_shards" / f"{shard}.json").write_bytes(record_bytes(record))
    (damage,) = [each for each in inspect_output(output).damage if each.file.startswith("candidates/")]
    assert damage.what.startswith("cannot be read")


@pytest.mark.parametrize("name", ["genome", "contig", "length"])
def test_contigs_without_a_column_are_damage(output, name, capsys):
    table = pq.read_table(output / CONTIGS)
    pq.write_table(table.drop_columns([name]), output / CONTIGS)
    assert main(["query", str(output)]) == 2
    assert f"{CONTIGS}: damaged or not readable" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["run.json", "contigs.parquet", "loci.parquet", "_shards/plan.json", "part"])
@pytest.mark.parametrize("kind", ["pipe", "device", "loop"])
def test_a_pipe_or_device_in_an_output_is_not_read(output, name, kind):
    place = next((output / "candidates").glob("part-*")) if name == "part" else output / name
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("/dev/zero" if kind == "device" else place.name)
    with bounded(seconds=30):
        for look in (query, read_loci, inspect_output):
            with suppress(InputError):
                look(output)
        if name in ("run.json", "contigs.parquet") and kind != "loop":
            with pytest.raises(InputError, match="pipe or a device"):
                query(output)


# Training


def example(**changes) -> pa.Table:
    row = {
        "sequence": "GGGGAAAACCCC",
        "structure": "((((....))))",
        "flank_5p": "",
        "flank_3p": "",
        "label": True,
        "weight": 1.0,
    }
    row |= {"species": "x", "family": "y", "source": "z"} | dict.fromkeys(EXAMPLE_SCHEMA.names[-4:], -1)
    return pa.Table.from_pylist([row | changes], schema=EXAMPLE_SCHEMA)


@pytest.mark.parametrize(
    "table",
    [
        example(sequence=None),
        example(label=None),
        example(mature5_start=None),
        example().replace_schema_metadata({b"mirsweep.scanned_mb": b"nan"}),
        example().replace_schema_metadata({b"mirsweep.scanned_mb": b"much"}),
        example().set_column(5, "weight", pa.array(["x"])),
        example().set_column(0, "sequence", pa.array([b"\xff"], pa.binary()).view(pa.string())),
    ],
    ids=range(7),
)
def test_examples_that_cannot_be_are_refused(tmp_path, table):
    pq.write_table(table, tmp_path / "e.parquet")
    with pytest.raises(InputError, match=r"e\.parquet: "):
        list(read_examples([tmp_path / "e.parquet"], label=True))


@pytest.mark.parametrize("text", ["x", "[" * 100_000, "1" * 5000])
def test_the_state_of_a_training_run_has_facts_that_are_json(tmp_path, text, monkeypatch):
    path = tmp_path / "training.state"
    with monkeypatch.context() as patch:
        patch.setattr(json, "dumps", lambda value: text)
        write_state(path, TrainingState({}, {"losses": [1.0]}), fingerprint="f")
    with pytest.raises(ModelError, match="not an intact training state"):
        read_state(path, fingerprint="f")


@pytest.mark.parametrize("content", ["[" * 100_000, "1" * 5000, "[]", ""])
def test_the_work_of_an_adaptation_is_an_object_or_refused(tmp_path, content):
    (tmp_path / "adapt.json").write_text(content)
    with pytest.raises(InputError, match="damaged or not readable"):
        _read_facts(tmp_path / "adapt.json")


# Messages


def test_names_cannot_steer_the_terminal(tmp_path, capsys):
    path = tmp_path / "g.fa"
    path.write_text(">\x1b[2J\x1b]0;x\x07 a\nAC GT\n")
    assert main(["scan", str(path), "-o", str(tmp_path / "out"), "--local"]) == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "\x07" not in err
    assert printable("chr\u00e9 1\u2028\x9b") == "chr\u00e9 1\\u2028\\x9b"


def test_a_table_of_precursors_with_short_rows_is_named(tmp_path):
    path = tmp_path / "mirbase.tsv"
    path.write_text("pre_name\tpre_seq\tm1_seq\tm2_seq\ncel-mir-1\tACGU\tAC\tGU\ncel-mir-2\n")
    with pytest.raises(InputError, match="line 3 has 1 columns instead of 4"):
        read_precursors(path)


def test_half_a_letter_in_json_is_refused():
    with pytest.raises(MalformedError, match="no JSON"):
        parse_object(b'{"name": "\\ud800"}')
    assert parse_object(b'{"name": "\\ud83e\\uddec"}') == {"name": "\U0001f9ec"}


def test_messages_of_annotation_quote_little(tmp_path):
    path = tmp_path / "k.bed"
    path.write_text("c\t1\t90\tx\t0\t" + "+" * 9000 + "\n")
    with pytest.raises(InputError) as caught:
        read_known(path)
    assert len(str(caught.value)) < 400


def test_names_of_columns_that_are_no_text_are_damage(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"columnname": [1]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"columnname", b"column\xffame"))
    with pytest.raises(pa.ArrowInvalid, match="names of columns that are no text"):
        open_parquet(path)
