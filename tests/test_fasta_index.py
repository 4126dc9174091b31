"""Index files: made right, believed only where they describe the file, and never taken from their owner."""

import lzma
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pyfaidx
import pytest
from Bio import bgzf
from hypothesis import given, settings
from hypothesis import strategies as st

from mirsweep.scanner import InputError, open_genome
from mirsweep.scanner.bgzip import PlainFile
from mirsweep.scanner.fai import read_fai, write_fai
from mirsweep.scanner.fasta_index import UnevenLinesError, describes, make_entries
from mirsweep.scanner.unpacked import file_folder

CONTIGS = {"one": "ACGTTGCA" * 50, "two": "GGCCA" * 31, "three": "TTTAC" * 12}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MIRSWEEP_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=["made anew", "believed if right"])
def size_matters(request, monkeypatch):
    """Both ways to an index: small files are indexed each time, for larger ones a .fai is checked and read."""
    if request.param == "believed if right":
        monkeypatch.setattr("mirsweep.scanner.fai._SMALL_BYTES", 0)


def fasta(contigs, width=60, newline="\n") -> str:
    return "".join(
        f">{name} words{newline}" + "".join(s[k : k + width] + newline for k in range(0, len(s), width))
        for name, s in contigs.items()
    )


def write(path: Path, text: str) -> Path:
    if path.suffix == ".gz":
        with bgzf.BgzfWriter(str(path)) as out:
            out.write(text)
    else:
        path.write_bytes(text.encode())
    return path


def letters_of(genome) -> dict[str, str]:
    return {c.name: genome.fetch(c.name, 0, c.length).decode() for c in genome.contigs}


def replace_in_place_of_time(path: Path, text: str) -> None:
    """Another file at the same place and with the same time, as ``cp -p`` and ``rsync -t`` leave it."""
    status = path.stat()
    write(path, text)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


REPLACEMENTS = {
    "more contigs": CONTIGS | {"four": "ACCA" * 9},
    "fewer contigs": {"one": CONTIGS["one"], "two": CONTIGS["two"]},
    "other names": {name.upper(): letters for name, letters in CONTIGS.items()},
    "another name in the middle": {"one": CONTIGS["one"], "owt": CONTIGS["two"], "three": CONTIGS["three"]},
    "a contig split at equal size": {
        "one": CONTIGS["one"],
        "two": CONTIGS["two"][:60],
        "x": CONTIGS["two"][69:],
        "three": CONTIGS["three"],
    },
    "other lengths": {name: letters[:-7] for name, letters in CONTIGS.items()},
    "another order": dict(reversed(CONTIGS.items())),
}


@pytest.mark.usefixtures("size_matters")
@pytest.mark.parametrize("suffix", ["fa", "fa.gz"])
@pytest.mark.parametrize("kind", REPLACEMENTS)
@pytest.mark.parametrize("made_by", ["user", "mirsweep"])
def test_the_index_of_a_file_that_was_replaced_is_not_believed(tmp_path, suffix, kind, made_by):
    path = write(tmp_path / f"g.{suffix}", fasta(CONTIGS))
    fai = Path(f"{path}.fai")
    if made_by == "user":
        pyfaidx.Faidx(str(path)).close()
    theirs = fai.read_bytes() if made_by == "user" else b""
    assert letters_of(open_genome(path)) == CONTIGS
    os.utime(fai, (2e9, 2e9))
    replace_in_place_of_time(path, fasta(REPLACEMENTS[kind]))
    for _ in range(2):
        assert letters_of(open_genome(path)) == REPLACEMENTS[kind]
    if made_by == "user":
        assert fai.read_bytes() == theirs
    else:
        assert read_fai(fai) == make_entries([fasta(REPLACEMENTS[kind]).encode()], path)


@pytest.mark.usefixtures("size_matters")
def test_lines_broken_elsewhere_at_the_same_size_are_noticed(tmp_path):
    path = write(tmp_path / "g.fa", fasta({"one": "ACGTC" * 200}, width=60))
    open_genome(path).close()
    replace_in_place_of_time(path, fasta({"one": "GGCAT" * 200}, width=62))
    assert letters_of(open_genome(path)) == {"one": "GGCAT" * 200}


def test_a_record_that_hides_within_another_is_an_error_not_a_wrong_letter(tmp_path, monkeypatch):
    monkeypatch.setattr("mirsweep.scanner.fai._SMALL_BYTES", 0)
    path = write(tmp_path / "g.fa", fasta({"one": "ACGTC" * 200}, width=50))
    open_genome(path).close()
    lines = path.read_text().split("\n")
    lines[10] = ">new" + "x" * 46
    replace_in_place_of_time(path, "\n".join(lines))
    while Path(f"{path}.fai").stat().st_ctime_ns <= path.stat().st_ctime_ns:
        Path(f"{path}.fai").touch()
    with pytest.raises(InputError, match=r"record 'one' is not as its index says; delete the index .*g\.fa\.fai"):
        open_genome(path).digest  # noqa: B018


@pytest.mark.usefixtures("size_matters")
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"one 400 11 60 61\n",
        b"one\t400\n",
        b"one\t400\t11\t60\tx\n",
        b"\xff\xfe\x00",
        b"one\t-5\t11\t60\t61\n",
        b"one\t400\t11\t0\t0\n",
        b"one\t400\t11\t60\t60\n",
        b"one\t400\t99999999999\t60\t61\n",
    ],
)
def test_an_index_that_is_none_is_left_and_not_used(tmp_path, content):
    path = write(tmp_path / "g.fa", fasta(CONTIGS))
    fai = tmp_path / "g.fa.fai"
    fai.write_bytes(content)
    for _ in range(2):
        assert letters_of(open_genome(path)) == CONTIGS
    assert fai.read_bytes() == content


def test_a_users_index_stays_when_the_file_is_refused(tmp_path):
    path = write(tmp_path / "g.fa", ">a\nACGT\n>a\nACGT\n")
    fai, gzi = tmp_path / "g.fa.fai", tmp_path / "g.fa.gzi"
    fai.write_text("a\t4\t3\t4\t5\n")
    gzi.write_text("theirs")
    with pytest.raises(InputError, match="share the id"):
        open_genome(path)
    assert fai.read_text() == "a\t4\t3\t4\t5\n"
    assert gzi.read_text() == "theirs"


@pytest.mark.parametrize("suffix", ["fa", "fa.gz"])
@pytest.mark.parametrize("is_touched", [True, False])
def test_an_older_index_that_is_right_is_used(tmp_path, monkeypatch, suffix, is_touched):
    monkeypatch.setattr("mirsweep.scanner.fai._SMALL_BYTES", 0)
    path = write(tmp_path / f"g.{suffix}", fasta(CONTIGS))
    open_genome(path).close()
    if is_touched:
        path.touch()
    else:
        os.utime(f"{path}.fai", (1, 1))
    monkeypatch.setattr("mirsweep.scanner.fai.make_entries", lambda *_: pytest.fail("made anew"))
    assert letters_of(open_genome(path)) == CONTIGS


READ_ONLY = """
import os, sys
from mirsweep.scanner import fai, fasta
if os.geteuid() == 0:
    os.seteuid(65534)
if sys.argv[2] == "use":
    fai._SMALL_BYTES = 0
    fai.make_entries = None
print(dict(fasta.open_genome(sys.argv[1]).contigs))
"""


@pytest.mark.parametrize("what", ["make", "use"])
def test_a_read_only_folder_is_read_and_left_as_it_is(what):
    """In a process of a user who may not write there; root may write everywhere."""
    folder = Path(tempfile.mkdtemp())
    try:
        path = write(folder / "g.fa", fasta(CONTIGS))
        if what == "use":
            write_fai(folder / "g.fa.fai", make_entries([path.read_bytes()], path))
        before = {p: p.read_bytes() for p in folder.iterdir()}
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, path, what],
            capture_output=True,
            text=True,
            env=os.environ | {"MIRSWEEP_CACHE": "", "XDG_CACHE_HOME": str(folder / "cache")},
            check=False,
        )
        assert done.stderr == ""
        assert done.stdout == f"{ {name: len(s) for name, s in CONTIGS.items()} }\n"
        assert {p: p.read_bytes() for p in folder.iterdir()} == before
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


OPEN_AND_READ = "import sys; from mirsweep.scanner import open_genome; print(open_genome(sys.argv[1]).digest)"


@pytest.mark.parametrize("kind", ["plain", "gzip", "uneven"])
def test_eight_processes_at_once_on_a_file_without_an_index(tmp_path, kind):
    text = fasta({f"c{k}": "ACGTTGCA" * 40 for k in range(3000)})
    path = write(tmp_path / "g.fa", text.replace("\n>c7 ", "\n\n\nACGT\nAC\n>c7 ", 1) if kind == "uneven" else text)
    if kind == "gzip":
        subprocess.run(["gzip", str(path)], check=True)
        path = tmp_path / "g.fa.gz"
    command = [sys.executable, "-c", OPEN_AND_READ, str(path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(8)]
    done = [process.communicate(timeout=100) for process in running]
    assert {err for _, err in done} == {""}
    assert len({out for out, _ in done}) == 1
    assert done[0][0] == open_genome(path).digest + "\n"
    assert not list(tmp_path.rglob("*.tmp"))


def test_what_a_killed_process_left_in_the_cache_is_removed(tmp_path):
    path = tmp_path / "g.fa.xz"
    path.write_bytes(lzma.compress(fasta(CONTIGS).encode()))
    folder = file_folder(path)
    folder.mkdir(parents=True)
    for name in ("half.tmp", "growing.tmp"):
        (folder / name).write_text(">one\nAC")
    os.utime(folder / "half.tmp", (1e9, 1e9))
    assert letters_of(open_genome(path)) == CONTIGS
    assert [left.name for left in folder.glob("*.tmp")] == ["growing.tmp"]


def test_two_states_of_a_packed_file_are_two_copies(tmp_path):
    """Size and time are the same; what was unpacked from the first is not taken for the second."""
    path = tmp_path / "g.fa.xz"
    for letters in ("ACGTACGTAC", "GGGTACGTAC"):
        path.write_bytes(lzma.compress(f">a\n{letters}\n".encode()))
        os.utime(path, (1e9, 1e9))
        assert letters_of(open_genome(path)) == {"a": letters}


@given(
    records=st.lists(st.tuples(st.integers(0, 25), st.integers(1, 9)), min_size=1, max_size=6),
    newline=st.sampled_from(["\n", "\r\n"]),
    chunk=st.integers(1, 40),
    has_last_end=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_the_index_is_that_of_pyfaidx(tmp_path_factory, records, newline, chunk, has_last_end):
    path = tmp_path_factory.mktemp("fai") / "g.fa"
    rng = random.Random(1)
    text = ""
    for k, (length, width) in enumerate(records):
        letters = "".join(rng.choices("ACGT", k=length))
        text += f">r{k} x{newline}" + "".join(letters[j : j + width] + newline for j in range(0, length, width))
    content = (text if has_last_end else text.removesuffix(newline)).encode()
    path.write_bytes(content)
    pyfaidx.Faidx(str(path)).close()
    theirs = Path(f"{path}.fai").read_bytes()
    entries = make_entries([content[k : k + chunk] for k in range(0, len(content), chunk)], path)
    own = path.with_suffix(".own")
    write_fai(own, entries)
    assert own.read_bytes() == theirs
    assert read_fai(own) == entries
    assert describes(entries, PlainFile(path))


@given(
    lines=st.lists(st.sampled_from(["", "A", "AC", "ACG", ";x", ">r", "\rA"]), min_size=1, max_size=9),
    chunk=st.integers(1, 12),
)
@settings(max_examples=400, deadline=None)
def test_an_index_gives_each_letter_or_there_is_none(tmp_path_factory, lines, chunk):
    """Against the plainest reading of the same lines."""
    numbered = [f">r{k}" if line == ">r" else line for k, line in enumerate([">r", *lines])]
    content = "\n".join(numbered).encode()
    expected: dict[bytes, bytes] = {}
    for line in content.splitlines():
        if line.startswith(b">"):
            name = line[1:]
            expected[name] = b""
        elif not line.startswith(b";"):
            expected[name] += line
    try:
        entries = make_entries([content[k : k + chunk] for k in range(0, len(content), chunk)], Path("g.fa"))
    except UnevenLinesError:
        return
    found = {e.name: b"".join(content[e.byte_of(k) : e.byte_of(k) + 1] for k in range(e.length)) for e in entries}
    assert found == expected
