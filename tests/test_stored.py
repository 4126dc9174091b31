"""Commands on outputs in an object store: the same as on a folder, and no more is read than is needed."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from helpers_jobs import scan_with_decoys, slice_bases, write_fasta
from mirsweep.jobs import annotate, check, loci, read_loci, report, status, tracks
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.results.object_store import ObjectStore
from mirsweep.scanner import InputError

OUT = "s3://genomes/deep/out"


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """The output of a scan in a folder."""
    folder = tmp_path_factory.mktemp("scanned")
    genome = write_fasta(folder / "g.fa", {"c": slice_bases(0, 36_000)})
    asked = {"local": True, "quiet": True, "shard_nt": 9_000, "decoys": 9_000}
    return scan_with_decoys(genome, output=folder / "out", **asked).output


@pytest.fixture
def stored(scanned, bucket, tmp_path):
    """The same in an object store; and a copy in a folder, to change."""
    store = ObjectStore(OUT)
    for path in scanned.rglob("*"):
        if path.is_file() and path.name != "lock":
            store.put(path.relative_to(scanned).as_posix(), path.read_bytes())
    return Path(shutil.copytree(scanned, tmp_path / "out"))


@pytest.fixture
def known(scanned, tmp_path):
    """Two loci as known precursors."""
    rows = read_loci(scanned).to_pylist()[:2]
    lines = [
        f"{row['contig']}\t{row['start']}\t{row['end']}\tmir-{i}\t0\t{row['strand']}" for i, row in enumerate(rows)
    ]
    (tmp_path / "known.bed").write_text("\n".join(lines) + "\n")
    return tmp_path / "known.bed"


def printed(capsys, *words):
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def parts_here(cache):
    return {path.name for path in cache.rglob("part-*.parquet")}


def test_what_reads_an_output_reads_that_of_a_store(stored, cache, capsys, known, tmp_path):
    for line in (
        "query OUT --loci --sort score --limit 3",
        "query OUT --sql SELECT~count(*)~FROM~loci",
        "status OUT --json",
        f"draw OUT --no-attention -o {tmp_path}/a.svg",
        f"compare OUT {known} --loci --json",
    ):
        words = [word.replace("~", " ") for word in line.split()]
        of_folder, of_store = (
            printed(capsys, *(place if word == "OUT" else word for word in words)) for place in (stored, OUT)
        )
        assert of_store[0] == 0, of_store
        assert of_store[1].replace(OUT, str(stored)) == of_folder[1], line
        assert str(cache) not in of_store[2]
    assert not parts_here(cache), "no candidates where loci are asked for"
    for line in ("query OUT --region c:1-1000", "query OUT --limit 1", "explain OUT --limit 1 --region c:1-9000"):
        of_folder, of_store = (
            printed(capsys, *(place if word == "OUT" else word for word in line.split())) for place in (stored, OUT)
        )
        assert of_store[:2] == of_folder[:2], line
        assert of_store[1], line
        assert len(parts_here(cache)) == 1, f"one of 4 parts is read: {line}"
    assert printed(capsys, "query", OUT)[1] == printed(capsys, "query", stored)[1]
    assert printed(capsys, "check", OUT)[0] == 0
    mined = [tmp_path / f"{name}.parquet" for name in ("folder", "store")]
    for place, path in zip((stored, OUT), mined, strict=True):
        assert printed(capsys, "mine", place, "--known", known, "-o", path)[0] == 0
    assert pq.read_table(mined[0]).equals(pq.read_table(mined[1]))


def raw(name):
    """An object as other programs read it."""
    store, folder = fs.FileSystem.from_uri(OUT)
    with store.open_input_stream(f"{folder}/{name}", compression=None) as stream:
        return stream.read()


def content(output):
    """By name the content of an output, but for what tells the time."""
    if isinstance(output, Path):
        found = {p.relative_to(output).as_posix(): p.read_bytes() for p in output.rglob("*") if p.is_file()}
    else:
        store = ObjectStore(output)
        found = {name: raw(name) for name in store.listed()}
    run = json.loads(found.pop("run.json"))
    run["seconds"] = run["loci"]["seconds"] = None
    run["digests"].pop("report.html")
    return {name: each for name, each in found.items() if name not in ("_shards/lock", "report.html")} | {"run": run}


@pytest.mark.parametrize(
    "change",
    [
        lambda output, known: loci(output, quiet=True),
        lambda output, known: annotate(output, known=known, quiet=True),
        lambda output, known: report(output, known=known),
        lambda output, known: tracks(output, copy_reference=True),
    ],
    ids=["loci", "annotate", "report", "tracks"],
)
def test_what_changes_an_output_changes_that_of_a_store(stored, known, change):
    before = ObjectStore(OUT).listed()
    for place in (stored, OUT):
        change(place, known)
    of_store, of_folder = content(OUT), content(stored)
    assert of_store.keys() == of_folder.keys()
    assert [name for name in of_store if of_store[name] != of_folder[name]] == []
    assert check(OUT).is_sound
    after = ObjectStore(OUT).listed()
    assert [name for name in after if "part-" in name and after[name] != before[name]] == [], "parts stay as they are"
    assert status(OUT).state == "complete"


def test_damage_in_a_store_is_named_and_repaired(stored, capsys):
    store = ObjectStore(OUT)
    part = next(name for name in store.listed() if name.startswith("candidates/part-"))
    store.put(part, store.read(part)[:-1] + b"x")
    store.remove("loci.tsv")
    code, out, err = printed(capsys, "check", OUT)
    assert (code, {line.split("\t")[0] for line in out.splitlines()}) == (1, {part, "loci.tsv"})
    assert f"mirsweep: {OUT}: 2 damaged" in err or f"{OUT}: 2 damaged" in err
    assert printed(capsys, "check", OUT, "--repair", "--quiet")[0] == 0
    assert content(OUT)[part] == (stored / part).read_bytes()
    assert check(OUT).is_sound


def test_what_fails_leaves_the_store_as_it_was_and_names_the_address(stored, cache, tmp_path, capsys):
    before = ObjectStore(OUT).listed()
    (tmp_path / "bad.fa").write_text("no fasta\n")
    for line in (
        f"annotate OUT --mature {tmp_path}/bad.fa",
        f"tracks OUT --reference {tmp_path}/g.fa",
        "query s3://genomes/none",
        "check s3://genomes/none",
        "loci s3://genomes/none",
        "status s3://genomes/none",
        "draw OUT --locus none -o x.svg",
        "query OUT -o s3://genomes/rows.tsv",
        "demo -o s3://genomes/demo",
    ):
        code, _, err = printed(capsys, *(OUT if word == "OUT" else word for word in line.split()))
        assert (code, err.count("\n")) == (2, 1), err
        assert err.startswith(("mirsweep: s3://genomes/", f"mirsweep: {tmp_path}/bad.fa")), err
        assert str(cache) not in err
    assert ObjectStore(OUT).listed() == before
    with pytest.raises(InputError, match=r"^s3://genomes/deep/out: is in an object store"):
        tracks(OUT)
