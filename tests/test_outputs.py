"""Outputs are checked before the work: a bad one costs no time, and nothing is left behind."""

import os

import pytest

from helpers_jobs import SLICE
from mirsweep.jobs.cli.main import main
from mirsweep.jobs.results.outputs import check_file, check_folder
from mirsweep.scanner.errors import InputError


def test_a_good_place_is_made_and_left_empty(tmp_path):
    assert check_file(tmp_path / "a" / "b", ending=".safetensors") == tmp_path / "a" / "b.safetensors"
    assert check_file(tmp_path / "a" / "b.safetensors", ending=".safetensors") == tmp_path / "a" / "b.safetensors"
    assert check_folder(tmp_path / "a") == tmp_path / "a"
    assert list((tmp_path / "a").iterdir()) == []


def test_what_stands_there_is_left_as_it_is(tmp_path):
    (tmp_path / "x").write_text("kept")
    check_file(tmp_path / "x")
    assert (tmp_path / "x").read_text() == "kept"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "no name was given"),
        ("folder", "is a folder"),
        ("x.pt", "must end in .safetensors"),
        ("file/x", "cannot be"),
    ],
)
def test_a_bad_file_is_named(tmp_path, name, sentence):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=sentence):
        check_file(tmp_path / name if name else "", ending=".safetensors" if "." in name else None)


@pytest.mark.parametrize(("name", "sentence"), [("", "no name was given"), ("file", "is a file")])
def test_a_bad_folder_is_named(tmp_path, name, sentence):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=sentence):
        check_folder(tmp_path / name if name else "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        check_file(tmp_path / "x")


@pytest.mark.parametrize(
    "asked",
    [
        ["train", "absent.fa", "absent.fa", "-o", "{}/m.pt"],
        ["adapt", str(SLICE), "--known", "absent.gff3", "-o", "{}/m.pt"],
        ["mine", "absent", "--known", "absent.gff3", "-o", "{}"],
        ["plant", "--mirbase", "absent.tsv", "--genome", str(SLICE), "-o", "{}"],
        ["reproduce", "-o", "{}/file", "--table", "3"],
    ],
    ids=lambda asked: asked[0],
)
def test_commands_refuse_a_bad_output_before_they_read_anything(asked, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main([each.format(tmp_path) for each in asked]) == 2
    said = capsys.readouterr().err
    assert "must end in .safetensors" in said or "is a folder" in said or "is a file" in said


@pytest.mark.parametrize(
    "asked",
    [
        ["train", "p.fa", "n.fa", "-o", "{}/m.safetensors"],
        ["mine", "out", "--known", "k.gff3", "-o", "{}/n.parquet"],
        ["plant", "--mirbase", "m.tsv", "--genome", "g.fa", "-o", "{}/p.parquet"],
        ["adapt", "g.fa", "--known", "k.gff3", "-o", "{}/m.safetensors"],
    ],
    ids=lambda asked: asked[0],
)
def test_a_negative_random_seed_is_bad_usage(asked, tmp_path, capsys):
    assert main([*(each.format(tmp_path) for each in asked), "--seed", "-1"]) == 2
    assert "--seed" in capsys.readouterr().err
