"""Real outputs, damaged in every way that a disk or a person can: noticed, named, made anew."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers_jobs import CALIBRATION, assert_same_rows, make_model, rows, scan, slice_bases, split_records, write_fasta
from mirsweep.jobs import check, compare, query, read_loci
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.results.layout import LOCI_FILES
from mirsweep.jobs.results.records import record_bytes
from mirsweep.jobs.scanning.shard_work import pack
from mirsweep.scanner.errors import InputError


class World(NamedTuple):
    genome: Path
    model: Path
    output: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A finished scan in three shards, with loci and decoys."""
    folder = tmp_path_factory.mktemp("damage")
    genome = write_fasta(folder / "g.fa", {"c": slice_bases(0, 20_000), "d": slice_bases(30_000, 40_000)})
    model = make_model(folder / "m.safetensors", calibration=CALIBRATION)
    scan_again(genome, model, folder / "out")
    return World(genome, model, folder / "out")


def scan_again(genome, model, output, **options):
    settings = {"model": model, "local": True, "quiet": True, "shard_nt": 10_000, "decoys": 10_000}
    return scan(genome, output=output, **(settings | options))


@pytest.fixture
def copy(world, tmp_path):
    return Path(shutil.copytree(world.output, tmp_path / "out"))


def parts(output: Path) -> list[Path]:
    return sorted((output / "candidates").glob("part-*.parquet"))


def truncate(output: Path) -> None:
    parts(output)[1].write_bytes(parts(output)[1].read_bytes()[:-1000])


def delete(output: Path) -> None:
    parts(output)[1].unlink()


def empty(output: Path) -> None:
    parts(output)[1].write_bytes(b"")


def swap(output: Path) -> None:
    first, second = parts(output)[:2]
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def zero(output: Path) -> None:
    content = bytearray(parts(output)[1].read_bytes())
    content[1000:1200] = bytes(200)
    parts(output)[1].write_bytes(content)


def flip_a_bit(output: Path) -> None:
    content = bytearray(parts(output)[1].read_bytes())
    content[len(content) // 3] ^= 1
    parts(output)[1].write_bytes(content)


def add_a_row(output: Path) -> None:
    table = pq.read_table(parts(output)[1])
    parts(output)[1].write_bytes(pack(pa.concat_tables([table, table.slice(0, 1)])))


def remove_a_row(output: Path) -> None:
    parts(output)[1].write_bytes(pack(pq.read_table(parts(output)[1]).slice(1)))


def put_a_foreign_part(output: Path) -> None:
    shutil.copy(parts(output)[0], parts(output)[1])


DAMAGES: dict[str, Callable[[Path], None]] = {
    each.__name__: each
    for each in (truncate, delete, empty, swap, zero, flip_a_bit, add_a_row, remove_a_row, put_a_foreign_part)
}
SAME_SIZE = {"zero", "flip_a_bit"}


def is_as_before(world: World, output: Path) -> bool:
    assert_same_rows(world.output, output)
    names = ["loci.parquet", *LOCI_FILES]
    return all((world.output / name).read_bytes() == (output / name).read_bytes() for name in names)


def test_a_sound_output_is_told_so(world, capsys):
    assert main(["check", str(world.output)]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "sound" in err
    found = check(world.output)
    assert found.is_complete
    assert found.n_rows > rows(world.output).num_rows, "the decoys are looked at, too"


@pytest.mark.parametrize("damage", DAMAGES)
def test_check_names_the_part_and_repairs_it(world, copy, damage, capsys):
    named = parts(copy)[1].name
    DAMAGES[damage](copy)
    assert main(["check", str(copy)]) == 1
    assert f"candidates/{named}\t" in capsys.readouterr().out
    assert main(["check", str(copy), "--repair", "--quiet"]) == 0
    assert is_as_before(world, copy)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_scan_given_again_notices_and_redoes(world, copy, damage, capsys):
    named = parts(copy)[1].name
    DAMAGES[damage](copy)
    report = scan_again(world.genome, world.model, copy)
    assert report.n_resumed < report.n_shards
    assert named in capsys.readouterr().err
    assert is_as_before(world, copy)
    assert check(copy).is_sound


@pytest.mark.parametrize("damage", sorted(DAMAGES.keys() - SAME_SIZE))
@pytest.mark.parametrize("is_complete", [True, False])
def test_readers_refuse_what_has_another_size(copy, damage, is_complete, capsys, tmp_path):
    if not is_complete:
        (copy / "run.json").unlink()
        if damage == "delete":
            pytest.skip("of a scan that is not complete, parts that are there are read")
    DAMAGES[damage](copy)
    known = tmp_path / "known.bed"
    known.write_text("c\t100\t200\tx\t0\t+\n")
    asked = [["query", copy], ["query", copy, "--sql", "SELECT 1 FROM candidates"], ["compare", copy, known]]
    for arguments in asked if is_complete else asked[:2]:
        assert main([str(a) for a in arguments]) == 2
        err = capsys.readouterr().err
        assert "Traceback" not in err
        assert "check" in err


READERS = {
    "query": ["query", "OUT", "--format", "tsv"],
    "query by score": ["query", "OUT", "--sort", "score", "--limit", "3", "--format", "json"],
    "query distinct": ["query", "OUT", "--distinct", "--format", "gff3"],
    "query compressed": ["query", "OUT", "--format", "bed", "--compress", "-o", "NEW.bed.gz"],
    "query by rate": ["query", "OUT", "--max-fp-per-mb", "100", "--format", "tsv"],
    "sql": ["query", "OUT", "--sql", "SELECT * FROM candidates", "--format", "tsv"],
    "sql count": ["query", "OUT", "--sql", "SELECT avg(score) FROM candidates", "--format", "tsv"],
    "compare": ["compare", "OUT", "KNOWN"],
    "mine": ["mine", "OUT", "--known", "KNOWN", "-o", "NEW.parquet"],
    "loci": ["loci", "OUT"],
    "explain": ["explain", "OUT"],
}


@pytest.mark.parametrize("reader", READERS)
def test_zeroed_bytes_end_a_reader_with_a_sentence(copy, tmp_path, capsys, reader):
    for path in parts(copy):
        content = path.read_bytes()
        n_footer = int.from_bytes(content[-8:-4], "little") + 8
        path.write_bytes(content[:4] + bytes(len(content) - 4 - n_footer) + content[-n_footer:])
    known = tmp_path / "known.bed"
    known.write_text("c\t100\t180\ta\t0\t+\n")
    places = {"OUT": str(copy), "KNOWN": str(known)}
    arguments = [places.get(each, each.replace("NEW", str(tmp_path / "new"))) for each in READERS[reader]]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert f"mirsweep check {copy}" in said
    assert "Traceback" not in said


def test_zeroed_loci_end_their_readers_with_a_sentence(copy, tmp_path, capsys):
    content = (copy / "loci.parquet").read_bytes()
    n_footer = int.from_bytes(content[-8:-4], "little") + 8
    (copy / "loci.parquet").write_bytes(content[:4] + bytes(len(content) - 4 - n_footer) + content[-n_footer:])
    features = tmp_path / "features.bed"
    features.write_text("c\t100\t180\ta\t0\t+\n")
    for arguments in (
        ["query", copy, "--loci"],
        ["draw", copy, "-o", tmp_path / "x.svg"],
        ["report", copy, "--no-attention"],
        ["annotate", copy, "--features", features],
        ["annotate", copy, "--genome", copy, "--groups", tmp_path / "groups.tsv"],
        ["tracks", copy, "--copy-reference"],
    ):
        assert main([str(each) for each in arguments]) == 2
        assert f"mirsweep check {copy}" in capsys.readouterr().err
    with pytest.raises(InputError, match="mirsweep check"):
        read_loci(copy)


@pytest.mark.parametrize(
    "name",
    [
        "loci.parquet",
        *LOCI_FILES,
        "contigs.parquet",
        "_shards/parts.parquet",
        "_shards/plan.json",
        "_decoys/run.json",
    ],
)
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_every_other_file_is_checked_and_made_anew(world, copy, name, how, capsys):
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[:-20] if content else b">x") if how == "cut" else (copy / name).unlink()
    assert main(["check", str(copy)]) == 1
    assert f"{name}\t" in capsys.readouterr().out
    assert check(copy, repair=True, quiet=True).is_sound
    assert is_as_before(world, copy)


def test_damaged_decoys_are_repaired(world, copy):
    truncate_first(copy / "_decoys")
    assert [each.file for each in check(copy).damage] == [f"_decoys/candidates/{parts(copy / '_decoys')[0].name}"]
    assert check(copy, repair=True, quiet=True).is_sound
    assert is_as_before(world, copy)


def truncate_first(output: Path) -> None:
    parts(output)[0].write_bytes(parts(output)[0].read_bytes()[:-100])


def test_a_forged_record_does_not_hide_a_foreign_part(world, copy):
    """Sizes and digests fit the file; the rows don't fit the genome's order."""
    import hashlib

    split_records(copy)
    first, second = parts(copy)[:2]
    shutil.copy(first, second)
    record = copy / "_shards" / f"{second.stem.removeprefix('part-')}.json"
    told = json.loads(record.read_text())
    content = second.read_bytes()
    told["part"] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    told["part"]["rows"] = pq.read_metadata(second).num_rows
    del told["sha256"]
    record.write_bytes(record_bytes(told))
    assert f"candidates/{second.name}" in [each.file for each in check(copy).damage]
    assert check(copy, repair=True, quiet=True).is_sound
    assert is_as_before(world, copy)


def test_a_changed_record_is_named_and_made_anew(world, copy, capsys):
    """Any other figure in a commit record, though it could be one."""
    (record, *_) = sorted((split_records(copy) / "_shards").glob("0*.json"))
    told = json.loads(record.read_text())
    (name,) = told["counts"]
    told["counts"][name]["n_too_short"] += 1
    record.write_text(json.dumps(told))
    assert main(["check", str(copy)]) == 1
    assert f"_shards/{record.name}\tis no whole commit record" in capsys.readouterr().out
    assert main(["check", str(copy), "--repair"]) == 0
    assert is_as_before(world, copy)


@pytest.mark.parametrize("of", ["", "_decoys/"])
@pytest.mark.parametrize("how", ["changed", "cut", "gone"])
def test_records_that_lie_together_are_checked_and_made_anew(world, copy, capsys, of, how):
    place = copy / of / "_shards" / "records.jsonl"
    content = place.read_bytes()
    first = content.splitlines(keepends=True)[0]
    wrong = {"changed": content.replace(b'"rows": ', b'"rows": 1', 1), "cut": content[len(first) :]}
    place.write_bytes(wrong[how]) if how in wrong else place.unlink()
    assert main(["check", str(copy)]) == 1
    assert f"{of}_shards" in capsys.readouterr().out
    assert check(copy, repair=True, quiet=True).is_sound
    assert is_as_before(world, copy)


def test_a_part_too_many_is_named_and_removed(world, copy):
    shutil.copy(parts(copy)[0], copy / "candidates" / "part-000099-x.parquet")
    assert [each.file for each in check(copy).damage] == ["candidates/part-000099-x.parquet"]
    assert check(copy, repair=True, quiet=True).is_sound
    assert not (copy / "candidates" / "part-000099-x.parquet").exists()
    assert is_as_before(world, copy)


def test_a_scan_of_regions_is_repaired_as_one(world, tmp_path):
    for name in ("whole", "cut"):
        scan_again(world.genome, world.model, tmp_path / name, regions=["c:1-15000", "d:2000-9000"])
    truncate_first(tmp_path / "cut")
    assert check(tmp_path / "cut", repair=True, quiet=True).is_sound
    assert_same_rows(tmp_path / "whole", tmp_path / "cut")


def test_repair_needs_the_same_genome_and_model(world, copy, tmp_path):
    truncate(copy)
    other = write_fasta(tmp_path / "other.fa", {"c": slice_bases(0, 20_001)})
    with pytest.raises(InputError, match="has changed since the scan"):
        check(copy, repair=True, genomes=other)
    with pytest.raises(InputError, match="no such file"):
        check(copy, repair=True, genomes=tmp_path / "gone.fa")
    moved = Path(shutil.copy(world.genome, tmp_path / "moved.fa"))
    assert check(copy, repair=True, genomes=moved, quiet=True).is_sound
    assert is_as_before(world, copy)


FIELDS = [
    {},
    [],
    {"counts": {}, "genomes": [{"name": "g"}]},
    {"counts": {"n_candidates": "x", "n_scanned": 1}, "genomes": [{"name": "g"}]},
    {"counts": {"n_candidates": -1, "n_scanned": 1}, "genomes": [{"name": "g"}]},
    {"counts": {"n_candidates": 1, "n_scanned": 1}, "genomes": ["g"]},
    {"counts": {"n_candidates": 1, "n_scanned": 1}, "genomes": []},
    {"counts": {"n_candidates": 1, "n_scanned": 1}, "genomes": [{"name": 7}]},
    {"counts": {"n_candidates": 1, "n_scanned": 1}, "genomes": [{"name": "g", "scanned": {"c": [1]}}]},
    {"counts": {"n_candidates": 1, "n_scanned": 1}, "genomes": [{"name": "g"}], "digests": {"contigs.parquet": 1}},
]


@pytest.mark.parametrize("content", [*map(json.dumps, FIELDS), "[" * 100_000, "\xff", "", "{"], ids=map(str, range(14)))
def test_a_wrong_run_json_is_one_sentence(world, copy, content, capsys):
    (copy / "run.json").write_bytes(content.encode("latin-1"))
    for command in ("query", "loci"):
        assert main([command, str(copy)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "run.json" in line
    scan_again(world.genome, world.model, copy)
    assert is_as_before(world, copy)


@pytest.mark.parametrize(
    "content", ["{}", "[]", '{"format": 2}', '{"format": 2, "facts": {"shard-nt": "x"}}', "[" * 99_999]
)
def test_a_wrong_plan_is_one_sentence(world, copy, content, capsys):
    (copy / "_shards" / "plan.json").write_text(content)
    assert main(["scan", str(world.genome), "-o", str(copy), "--model", str(world.model)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "plan.json" in line


@pytest.mark.parametrize("field", ["shard", "counts", "seconds", "peak_mb", "part", "rows", "bytes", "sha256", "first"])
@pytest.mark.parametrize("how", ["missing", "wrong"])
def test_a_wrong_record_costs_its_shard(world, copy, field, how):
    record = sorted((split_records(copy) / "_shards").glob("0*.json"))[0]
    told = json.loads(record.read_text())
    del told["sha256"]
    owner = told if field in told else told["part"]
    owner.pop(field) if how == "missing" else owner.update({field: ["x"]})
    record.write_bytes(record_bytes(told))
    assert f"_shards/{record.name}" in [each.file for each in check(copy).damage]
    assert scan_again(world.genome, world.model, copy).n_resumed == 2
    assert is_as_before(world, copy)


def test_what_is_no_output_is_refused(tmp_path, capsys):
    assert main(["check", str(tmp_path)]) == 2
    assert "not the output" in capsys.readouterr().err


def test_an_unfinished_scan_is_checked_as_far_as_it_came(copy):
    (copy / "run.json").unlink()
    found = check(copy)
    assert not found.is_complete
    assert found.is_sound
    truncate(copy)
    assert not check(copy).is_sound
    with pytest.raises(InputError, match="give the command of the scan again"):
        check(copy, repair=True)


def test_python_twins_are_the_readers_of_the_tests(copy):
    """``query`` and ``compare`` of the API refuse as the commands do."""
    truncate(copy)
    with pytest.raises(InputError, match="check"):
        query(copy)
    with pytest.raises(InputError):
        compare(copy, copy / "loci.gff3.gz")


@pytest.mark.parametrize("is_absolute", [False, True])
def test_a_forged_run_json_leads_a_repair_to_no_other_folder(world, copy, tmp_path, is_absolute, capsys):
    other = Path(shutil.copytree(world.output, tmp_path / "other"))
    target = parts(other)[0]
    before = target.read_bytes()
    run = json.loads((copy / "run.json").read_text())
    name = str(target) if is_absolute else f"../other/candidates/{target.name}"
    run["digests"][name] = {"bytes": 1, "sha256": "0" * 64}
    (copy / "run.json").write_text(json.dumps(run))
    assert main(["check", str(copy), "--repair"]) == 2
    assert target.read_bytes() == before
    assert "run.json: damaged, so it does not tell what was scanned" in capsys.readouterr().err


def test_a_scan_killed_before_its_decoys_began_is_checked(copy):
    (copy / "run.json").unlink()
    shutil.rmtree(copy / "_decoys")
    (copy / "_decoys" / "_shards").mkdir(parents=True)
    assert check(copy).is_sound


@pytest.mark.parametrize("name", ["_shards/plan.json", "_decoys/_shards/plan.json"])
def test_a_plan_of_other_facts_is_noticed_and_made_anew(world, copy, name):
    """Changed in a letter, it is a plan still, of another scan."""
    text = (copy / name).read_text()
    told = json.loads(text)
    told["facts"]["model"] = "another"
    (copy / name).write_text(json.dumps(told))
    assert name in [each.file for each in check(copy).damage]
    assert check(copy, repair=True, quiet=True).is_sound
    assert json.loads((copy / name).read_text()) == json.loads(text)
    assert is_as_before(world, copy)
