"""What the formats say of rows: places, order, children, blocks, colours, sequences; and what they refuse."""

import csv
import gc
import io
import json
import os
import pty
import re
import subprocess
import tracemalloc
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pysam
import pytest
from Bio import SeqIO
from hypothesis import given
from hypothesis import strategies as st

from helpers_jobs import command
from mirsweep.jobs.results.formats.gff3 import MATURE_SO_TERM, SO_TERM
from mirsweep.jobs.results.known import read_known
from mirsweep.jobs.results.tabix import CSI_FROM_NT, open_indexed
from mirsweep.jobs.results.writers import FORMATS, candidate_id, sorted_by_position, write
from mirsweep.scanner.candidates import ARM_COLUMNS, SCHEMA
from mirsweep.scanner.errors import InputError

PLAIN = pa.schema([(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in SCHEMA])


def row_of(contig: str, start: int, size: int, strand: str, **others) -> dict:
    """A row whose sequence tells the place of each base."""
    bases = "".join("ACGU"[(7 * k * k + start) % 4] for k in range(size))
    return {
        **dict.fromkeys(SCHEMA.names),
        "genome": "g",
        "contig": contig,
        "start": start,
        "end": start + size,
        "strand": strand,
        "score": 0.75,
        "mfe": -20.5,
        "sequence": bases,
        "structure": "." * size,
        "n_pairs": 3,
        "loop_start": 30,
        "loop_end": 36,
        "gc": 0.5,
        "masked": 0.25,
        "penalised": -4.0,
        "expected_fp_per_mb": 2.5,
        "model": "m:1",
        **others,
    }


def arms(*values, is_stated: bool = True) -> dict:
    """Mature and star sequence, arm; whether the arm is more than a guess."""
    sure = (values[-1], 0.9) if is_stated else (None, 0.6)
    return dict(zip(ARM_COLUMNS, (*values, *sure, 0.8, 0.7), strict=True))


def table_of(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(rows, PLAIN).cast(SCHEMA)


def written(rows: list[dict] | pa.Table, file_format: str, **options) -> str:
    table = rows if isinstance(rows, pa.Table) else table_of(rows)
    stream = io.BytesIO()
    write(table.to_reader(max_chunksize=3), stream, file_format, **options)
    return stream.getvalue().decode()


@st.composite
def placed_rows(draw) -> list[dict]:
    """Rows by contig and position that overlap a lot, on both strands, with two arms, one or none."""
    rows = []
    for contig in draw(st.lists(st.sampled_from(["b", "a", "HG1#1#c", "é"]), unique=True, max_size=3)):
        places = draw(st.sets(st.tuples(st.integers(0, 150), st.integers(45, 120), st.sampled_from("+-")), max_size=12))
        for start, size, strand in sorted(places, key=lambda p: (p[0], p[0] + p[1], p[2])):
            five, three = (draw(st.integers(0, 5)), 22), (size - 22, size - draw(st.integers(0, 5)))
            stated = draw(st.booleans())
            ways = [arms(*five, *three, "5p", is_stated=stated), arms(*three, *five, "3p", is_stated=stated), None]
            own = draw(st.sampled_from(ways))
            if own and draw(st.booleans()):
                own |= {"star_start": None, "star_end": None}
            rows.append(row_of(contig, start, size, strand, **(own or {})))
    return rows


def on_contig(row: dict, name: str) -> tuple[int, int] | None:
    """Where the mature or star sequence lies: the place whose bases it is, found base by base."""
    start, end = row[f"{name}_start"], row[f"{name}_end"]
    if start is None:
        return None
    positions = sorted(range(row["start"], row["end"])[:: 1 if row["strand"] == "+" else -1][start:end])
    return positions[0], positions[-1] + 1


def features(text: str) -> list[dict]:
    """Lines of a GFF3, with their attributes."""
    found = []
    for line in text.splitlines():
        if not line.startswith("#"):
            f = line.split("\t")
            assert len(f) == 9
            attributes = {name: unquote(value) for name, value in (pair.split("=") for pair in f[8].split(";"))}
            place = (unquote(f[0]), int(f[3]) - 1, int(f[4]), f[6])
            found.append({"place": place, "type": f[2], "score": f[5], **attributes})
    return found


@given(placed_rows())
def test_gff3_is_sorted_with_parents_first(rows):
    found = features(written(rows, "gff3"))
    contigs = list(dict.fromkeys(row["contig"] for row in rows))
    keys = [(contigs.index(f["place"][0]), f["place"][1]) for f in found]
    assert keys == sorted(keys)
    seen: set[str] = set()
    for feature in found:
        assert feature["ID"] not in seen
        assert feature.get("Parent") in {None, *seen}
        seen.add(feature["ID"])


@given(placed_rows())
def test_gff3_has_every_hairpin_and_its_mature_sequences(rows):
    found = features(written(rows, "gff3"))
    hairpins = [f for f in found if f["type"] == SO_TERM]
    assert [(f["ID"], f["Name"], f["place"]) for f in hairpins] == [
        (candidate_id(row), candidate_id(row), (row["contig"], row["start"], row["end"], row["strand"])) for row in rows
    ]
    children = {f["ID"]: f for f in found if f["type"] == MATURE_SO_TERM}
    n = 0
    for row in rows:
        for role, arm in (("mature", row["arm"]), ("star", {"5p": "3p", "3p": "5p"}.get(row["arm"]))):
            interval = on_contig(row, role)
            if interval:
                n += 1
                child = children[f"{candidate_id(row)}-{arm}"]
                assert child["place"] == (row["contig"], *interval, row["strand"])
                assert child["Name"] == child["ID"]
                assert child["Parent"] == child["Derives_from"] == candidate_id(row)
                assert (child.get("role"), child["arm"]) == (role if row["mature"] else None, arm)
                assert child["confidence"] == {"5p": "0.8", "3p": "0.7"}[arm]
    assert n == len(children) == len(found) - len(hairpins)


def test_gff3_declares_contigs_at_its_top():
    text = written([row_of("x y", 5, 50, "+")], "gff3", lengths={"x y": 700, "z": 9})
    lines = text.splitlines()
    assert lines[:3] == ["##gff-version 3", "##sequence-region x%20y 1 700", "##sequence-region z 1 9"]
    assert not any(line.startswith("#") for line in lines[3:])


def test_gff3_escapes_what_its_readers_stumble_over():
    """Among them ``#`` anywhere: pyranges and bioframe leave out what follows it on a line."""
    name = "#a;b=c,d&e%\u00a0é#1"
    body = written([row_of(name, 5, 50, "+", genome="g;1#2")], "gff3").splitlines()[1]
    assert re.fullmatch(r"[\x21-\x7e\t]+", body)
    assert "#" not in body
    assert not set(body.split("\t")[0]) & set(";=,& ")
    (feature,) = features(body)
    assert (feature["place"][0], feature["ID"], feature["genome"]) == (name, f"{name}:6-55:+", "g;1#2")


def test_arms_without_a_name_are_called_by_their_role():
    rows = table_of([row_of("c", 5, 60, "+", **arms(2, 24, 36, 58, "5p"))]).drop_columns("arm")
    ids = [f["ID"] for f in features(written(rows, "gff3"))]
    assert ids == ["c:6-65:+", "c:6-65:+-mature", "c:6-65:+-star"]


@given(placed_rows())
def test_bed12_is_valid_and_shows_the_arms(rows):
    """UCSC's rules: blocks ascend, do not overlap, begin and end where the line does; thick within."""
    lines = [line.split("\t") for line in written(rows, "bed").splitlines()]
    assert len(lines) == len(rows)
    for row, f in zip(rows, lines, strict=True):
        assert len(f) == 12
        start, end = int(f[1]), int(f[2])
        assert (f[0], start, end, f[5]) == (row["contig"], row["start"], row["end"], row["strand"])
        assert (f[3], f[4]) == (candidate_id(row), "750")
        sizes, starts = ([int(x) for x in text.split(",")] for text in f[10:])
        assert int(f[9]) == len(sizes) == len(starts)
        assert (starts[0], starts[-1] + sizes[-1]) == (0, end - start)
        assert all(a + s <= b for a, s, b in zip(starts, sizes, starts[1:], strict=False))
        blocks = {(start + a, start + a + s) for a, s in zip(starts, sizes, strict=True)}
        mature, star = on_contig(row, "mature"), on_contig(row, "star")
        both = [place for place in (mature, star) if place]
        thick = mature if row["mature"] else (min(both)[0], max(both)[1]) if both else (start, start)
        assert (int(f[6]), int(f[7])) == thick
        if mature is None:
            assert blocks == {(start, end)}
        else:
            ends = {(start, start + 1), (end - 1, end)}
            assert {mature, star} - {None} <= blocks <= {mature, star, *ends}


def test_arms_that_overlap_are_one_block():
    (line,) = written([row_of("c", 100, 50, "+", **arms(0, 26, 24, 50, "5p"))], "bed").splitlines()
    assert line.split("\t")[6:8] + line.split("\t")[9:] == ["100", "126", "1", "50", "0"]


def test_bed_gets_darker_with_the_score():
    lines = written([row_of("c", 100 * k, 50, "+", score=k / 10) for k in range(11)], "bed").splitlines()
    colours = [[int(x) for x in line.split("\t")[8].split(",")] for line in lines]
    assert (colours[0], colours[-1]) == ([198, 219, 239], [8, 48, 107])
    assert all(one > other for one, other in pairwise(colours))


@given(placed_rows())
def test_bed6_and_bed6_plus_begin_alike(rows):
    six = [line.split("\t") for line in written(rows, "bed6").splitlines()]
    more = [line.split("\t") for line in written(rows, "bed6+").splitlines()]
    assert six == [f[:6] for f in more] == [line.split("\t")[:6] for line in written(rows, "bed").splitlines()]


def test_autosql_describes_bed6_plus():
    """Each column by name and type, as bedToBigBed reads them: numbers are numbers, and -1 where none is known."""
    described = re.findall(r"^    (\S+) (\w+); +\"[^\"]+\"$", written([], "autosql"), re.M)
    rows = [
        row_of("c", 100, 90, "-", **arms(2, 24, 60, 82, "5p")),
        row_of("c", 100, 91, "-", **arms(2, 24, 60, 82, "5p", is_stated=False)),
        row_of("c", 101, 90, "+", expected_fp_per_mb=None, gc=None, masked=None),
    ]
    columns = {name: k for k, (_, name) in enumerate(described)}
    for row, line in zip(rows, written(rows, "bed6+").splitlines(), strict=True):
        fields = line.split("\t")
        assert len(fields) == len(described)
        for (kind, _), value in zip(described, fields, strict=True):
            assert value != ""
            if kind in ("uint", "int", "float"):
                number = (float if kind == "float" else int)(value)
                assert kind != "uint" or number >= 0
        for name in ("mature", "star"):
            place = on_contig(row, name) or (-1, -1)
            assert (int(fields[columns[f"{name}Start"]]), int(fields[columns[f"{name}End"]])) == place
        for name, column in (("probability", "score"), ("mfe", "mfe"), ("gc", "gc"), ("nPairs", "n_pairs")):
            assert float(fields[columns[name]]) == (-1 if row[column] is None else row[column])
        assert fields[columns["sequence"]] == row["sequence"]
        assert fields[columns["arm"]] == (row["arm"] or ".")
        assert fields[columns["mature"]] == (row["mature"] or ".")
        confidences = [float(fields[columns[f"{name}Confidence"]]) for name in ("arm", "arm5p", "arm3p")]
        known = [row[f"{name}_confidence"] for name in ("arm", "arm_5p", "arm_3p")]
        assert confidences == [-1 if value is None else value for value in known]


@given(placed_rows())
def test_fasta_of_mature_and_star_sequences(rows):
    for role in ("mature", "star"):
        records = list(SeqIO.parse(io.StringIO(written(rows, f"{role}-fasta")), "fasta"))
        own = [row for row in rows if row[f"{role}_start"] is not None]
        assert [str(r.seq) for r in records] == [r["sequence"][r[f"{role}_start"] : r[f"{role}_end"]] for r in own]
        for record, row in zip(records, own, strict=True):
            start, end = on_contig(row, role)
            assert record.id.startswith(candidate_id(row) + "-")
            assert record.description.split()[1] == f"{row['contig']}:{start + 1}-{end}:{row['strand']}"
            words = set(record.description.split())
            assert "score=0.75" in words
            assert (f"role={role}" in words) == (row["mature"] is not None)
        assert len({record.id for record in records}) == len(records)


@given(placed_rows())
def test_fasta_of_both_arms_has_the_five_prime_one_first(rows):
    records = list(SeqIO.parse(io.StringIO(written(rows, "arms-fasta")), "fasta"))
    expected = []
    for row in rows:
        by_arm = {row["arm"]: "mature", {"5p": "3p", "3p": "5p"}.get(row["arm"]): "star"}
        for arm, confidence in (("5p", 0.8), ("3p", 0.7)):
            start, end = (row[f"{by_arm.get(arm, 'star')}_{end}"] for end in ("start", "end"))
            if start is not None:
                expected.append((f"{candidate_id(row)}-{arm}", row["sequence"][start:end], f"confidence={confidence}"))
    assert [(r.id, str(r.seq)) for r in records] == [record[:2] for record in expected]
    assert all(record[2] in r.description.split() for r, record in zip(records, expected, strict=True))


def test_no_mature_sequence_at_all_is_said(capsys):
    assert written([row_of("c", 5, 50, "+")], "mature-fasta") == ""
    assert "no mature sequence is predicted for any of the rows" in capsys.readouterr().err


def test_csv_is_quoted_where_it_must_be():
    rows = [row_of('a,"b"', 5, 50, "+", genome="two\nlines"), row_of("é", 7, 50, "-", mfe=None)]
    text = written(rows, "csv")
    read = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert [(r["contig"], r["genome"], r["mfe"]) for r in read] == [('a,"b"', "two\nlines", "-20.5"), ("é", "g", "")]
    assert text.count("\r\n") == 3


@pytest.mark.parametrize("file_format", [name for name, chosen in FORMATS.items() if chosen.needs])
def test_a_contig_of_two_genomes_is_refused(file_format):
    rows = [row_of("c", 5, 50, "+"), row_of("c", 5, 50, "+", genome="h")]
    with pytest.raises(InputError, match="contig 'c' is in two genomes, g and h"):
        written(rows, file_format)


@pytest.mark.parametrize("file_format", ["bed", "bed6", "bed6+"])
def test_bed_refuses_contigs_that_would_be_comments(file_format):
    with pytest.raises(InputError, match="contig #1: BED cannot hold it"):
        written([row_of("#1", 5, 50, "+")], file_format)


@pytest.mark.parametrize("file_format", ["bed", "bed6", "bed6+", "gff3"])
@pytest.mark.parametrize("contig", ["track_1", "track", "browser1"])
def test_contigs_called_as_headers_are_read_back_and_warned_of(tmp_path, capsys, file_format, contig):
    path = tmp_path / "own"
    path.write_text(written([row_of(contig, 5, 50, "+")], file_format))
    assert f"contig {contig}: bedtools and other programs" in capsys.readouterr().err
    assert [(x.contig, x.start, x.end) for x in read_known(path)] == [(contig, 5, 55)]


def test_headers_of_bed_are_no_loci(tmp_path):
    path = tmp_path / "own.bed"
    path.write_text(
        'browser position c:1-9\ntrack name="a\tb" description=x\n' + written([row_of("c", 5, 50, "+")], "bed")
    )
    assert [x.contig for x in read_known(path)] == ["c"]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("strand", pa.array(["+", None]), "a row has no strand"),
        ("start", pa.array(["5", "6"]), "needs whole numbers in the column start, but the rows have string there"),
        ("contig", pa.array([1, 2]), "needs text in the column contig"),
    ],
)
@pytest.mark.parametrize("file_format", [name for name, chosen in FORMATS.items() if chosen.needs])
def test_rows_of_other_kinds_are_refused(file_format, column, values, message):
    table = table_of([row_of("c", 5, 50, "+"), row_of("c", 6, 50, "+")])
    with pytest.raises(InputError, match=message):
        written(table.set_column(table.schema.get_field_index(column), column, values), file_format)


def test_sorting_by_position_follows_the_order_of_contigs():
    rows = [row_of(contig, start, 50, s) for contig in "abc" for start, s in ((90, "+"), (9, "-"), (9, "+"))]
    table = sorted_by_position(table_of(rows), {"c": 500, "a": 500})
    assert [(r["contig"], r["start"], r["strand"]) for r in table.to_pylist()] == [
        (contig, *place) for contig in "cab" for place in ((9, "+"), (9, "-"), (90, "+"))
    ]


@pytest.mark.parametrize(("start", "kind"), [(1000, ".tbi"), (CSI_FROM_NT + 5, ".csi")])
def test_compressed_files_have_an_index_that_fits(tmp_path, start, kind):
    """Contigs beyond 512 Mb need a .csi; an index of the other kind, left by an earlier file, goes."""
    path = tmp_path / "x.gff3.gz"
    for suffix in (".tbi", ".csi"):
        Path(f"{path}{suffix}").write_bytes(b"old")
    with open_indexed(path, "gff", longest_nt=start + 60) as stream:
        stream.write(written([row_of("c", 10, 50, "+"), row_of("c", start, 50, "+")], "gff3").encode())
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, path.name + kind]
    with pysam.TabixFile(str(path), index=f"{path}{kind}") as opened:
        assert [line.split("\t")[3] for line in opened.fetch("c", start, start + 9)] == [str(start + 1)]


def test_compressed_files_are_whole_or_absent(tmp_path):
    path = tmp_path / "x.bed.gz"

    def fail() -> None:
        with open_indexed(path, "bed", longest_nt=100) as stream:
            stream.write(b"c\t1\t50\n")
            raise InputError("bad rows")

    with pytest.raises(InputError, match="bad rows"):
        fail()
    with pytest.raises(InputError, match="cannot be written"), open_indexed(path, "bed", longest_nt=100) as stream:
        stream.write(b"c\t9\t50\nc\t1\t50\n")  # not sorted
    assert list(tmp_path.iterdir()) == []


def test_table_is_aligned_and_complete_where_there_is_no_terminal():
    rows = table_of([row_of("c", 5, 150, "+"), row_of("contig_long", 12345, 60, "-", mfe=None)])
    header, *lines = written(rows.select(["contig", "start", "mfe", "sequence"]), "table").splitlines()
    assert header.split() == ["contig", "start", "mfe", "sequence"]
    assert [line.split() for line in lines] == [
        ["c", "5", "-20.5", rows["sequence"][0].as_py()],
        ["contig_long", "12345", rows["sequence"][1].as_py()],
    ]
    assert len({line.rindex(" ") for line in (header, *lines)}) == 1


def test_every_page_of_a_table_is_there():
    rows = table_of([row_of("c", 10 * k, 50, "+") for k in range(2500)]).select(["start", "end"])
    lines = [line.split() for line in written(rows, "table").splitlines()]
    assert [line for line in lines if line != ["start", "end"]] == [
        [str(10 * k), str(10 * k + 50)] for k in range(2500)
    ]


def on_terminal(*arguments, width: int, **environment: str) -> list[str]:
    """Lines that the command prints on a terminal of some width."""
    leader, follower = pty.openpty()
    variables = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    variables |= {"COLUMNS": str(width), "TERM": "xterm-256color", **environment}
    with subprocess.Popen(command(*arguments), stdout=follower, stderr=subprocess.DEVNULL, env=variables) as process:
        os.close(follower)
        chunks = []
        while True:
            try:
                chunk = os.read(leader, 65536)
            except OSError:  # Linux says so of a terminal that nobody holds any more
                break
            if not chunk:
                break
            chunks.append(chunk)
        os.close(leader)
    assert process.returncode == 0
    return b"".join(chunks).decode().splitlines()


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """A small real scan."""
    from helpers_jobs import make_model, scan, slice_bases, write_fasta

    folder = tmp_path_factory.mktemp("formats")
    genome = write_fasta(folder / "g.fa", {"HG1#1#c": slice_bases(0, 20_000), "tail": slice_bases(20_000, 24_000)})
    scan(genome, output=folder / "out", model=make_model(folder / "m.safetensors"), local=True, quiet=True)
    return folder / "out"


def test_a_terminal_gets_a_table_that_fits(output):
    lines = on_terminal("query", output, "--limit", 20, width=110)
    assert len(lines) == 21
    assert lines[0].startswith("\x1b[1mcontig ")
    assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 110 for line in lines)
    assert all(".." in line for line in lines[1:])
    assert not any("\x1b" in line for line in on_terminal("query", output, "--limit", 3, width=110, NO_COLOR="1"))


def test_a_terminal_gets_the_format_that_is_asked_for(output):
    lines = on_terminal("query", output, "--limit", 2, "--format", "jsonl", width=80)
    assert [json.loads(line)["contig"] for line in lines] == ["HG1#1#c"] * 2


@pytest.mark.parametrize("file_format", ["gff3", "bed", "bed6+", "csv", "jsonl", "mature-fasta"])
def test_memory_does_not_grow_with_the_rows(file_format):
    """Twenty times as many rows, from one batch over and over, need no more; what overlaps is all that is held."""

    class Sink(io.RawIOBase):
        def write(self, content) -> int:
            return len(content)

    def peak(n_batches: int) -> int:
        rows = [row_of("c", 40 * k, 90, "+-"[k % 2], **arms(2, 24, 66, 88, "5p")) for k in range(100)]
        plain = table_of(rows).to_batches()[0]

        def batches():
            for number in range(n_batches):
                shift = pa.scalar(4000 * number)
                yield pa.record_batch(
                    [pc.add(plain[n], shift) if n in ("start", "end") else plain[n] for n in SCHEMA.names], SCHEMA
                )

        gc.collect()
        tracemalloc.start()
        try:
            write(pa.RecordBatchReader.from_batches(SCHEMA, batches()), Sink(), file_format)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)
    assert min(peak(60) for _ in range(3)) < 1.5 * peak(3)  # whatever else allocates meanwhile is counted, too
